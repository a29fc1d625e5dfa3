"""The data is there after whatever somebody does, and nobody reads it on the way."""

from brewhaven.course.checks import CheckList, expect
from brewhaven.course.template import Resource, Template

CHECKS = CheckList()
LEAST_DAYS, MOST_DAYS = 7, 35
WHERE = "the arguments of rds.DatabaseInstance in your file"
BACKUPS = "https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_WorkingWithAutomatedBackups.html"
POLICIES = "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-attribute-updatereplacepolicy.html"

_second = CHECKS.check(
    "any-second",
    lesson="2.3",
    objective="rds-backup-restore",
    proves="Any second of the last week can be restored, also when the instance is gone",
)
_snapshot = CHECKS.check(
    "leaves-a-snapshot",
    lesson="2.3",
    objective="rds-backup-restore",
    proves="Whatever CloudFormation takes away leaves a last snapshot",
)
_protected = CHECKS.check(
    "protected", lesson="2.3", objective="rds-backup-restore", proves="No single call deletes the instance"
)
_encrypted = CHECKS.check(
    "encrypted", lesson="2.3", objective="rds-backup-restore", proves="Disk and backups are encrypted"
)
_tls = CHECKS.check(
    "tls-or-nothing",
    lesson="2.3",
    objective="rds-backup-restore",
    proves="The database speaks TLS or not at all",
)


def _database(template: Template) -> Resource:
    found = template.resources("AWS::RDS::DBInstance", of="Orders")
    expect(
        found,
        "there is no database with the id Orders in the stack",
        where="the first two arguments of rds.DatabaseInstance in your file",
        next_step="keep the id: another id is another database, and an empty one",
    )
    return found[0]


@_second.on_template
def _(template: Template) -> str:
    database = _database(template).properties
    days = int(database.get("BackupRetentionPeriod", 1))
    kept = "no time, since automatic backups are off" if days == 0 else f"{days} day{'' if days == 1 else 's'}"
    expect(
        LEAST_DAYS <= days <= MOST_DAYS,
        f"what was there can be restored for {kept}, and {LEAST_DAYS} to {MOST_DAYS} days are wanted",
        where=BACKUPS,
        next_step="say with backup_retention how long; RDS keeps the log of all changes for the same time",
    )
    expect(
        database.get("DeleteAutomatedBackups", True) is False,
        "when the instance is deleted, its automatic backups go with it: every second of the last week",
        where=BACKUPS,
        next_step="delete_automated_backups=False",
    )
    return f"{days} days"


@_snapshot.on_template
def _(template: Template) -> str:
    body = _database(template).body
    for policy, words in (
        ("DeletionPolicy", "when the stack is deleted"),
        ("UpdateReplacePolicy", "when a change of the stack replaces the instance"),
    ):
        chosen = body.get(policy, "Delete")
        expect(
            chosen == "Snapshot",
            f"{words}, the instance goes on running outside of every stack, and is billed"
            if chosen.startswith("Retain")
            else f"{words}, the data goes with it, and no snapshot is left",
            where=POLICIES,
            next_step="removal_policy=cdk.RemovalPolicy.SNAPSHOT, which is for both",
        )
    return "deleted or replaced"


@_protected.on_template
def _(template: Template) -> str:
    expect(
        _database(template).properties.get("DeletionProtection") is True,
        "whoever may call DeleteDBInstance deletes it by a single call, and may leave the last snapshot out",
        where=WHERE,
        next_step="deletion_protection=True: somebody must take it off first, and means it",
    )
    return "deletion protection"


@_encrypted.on_template
def _(template: Template) -> str:
    expect(
        _database(template).properties.get("StorageEncrypted") is True,
        "the disk and its backups are not encrypted, and that cannot be switched on later: it takes a copy and a new "
        "instance",
        where="https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Overview.Encryption.html",
        next_step="storage_encrypted=True",
    )
    return "with a key of RDS or of your own"


@_tls.on_template
def _(template: Template) -> str:
    database = _database(template).properties
    forced = "1"  # what RDS's own group for PostgreSQL 16 has
    for group in template.resources("AWS::RDS::DBParameterGroup"):
        if template.mentions(group.logical_id, database.get("DBParameterGroupName")):
            forced = str(group.properties.get("Parameters", {}).get("rds.force_ssl", forced))
    expect(
        forced == "1",
        f"rds.force_ssl is {forced}, so a client that does not ask for TLS sends its orders readable for everybody on "
        "the way",
        where="https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/PostgreSQL.Concepts.General.SSL.html",
        next_step='set the parameter rds.force_ssl to "1", or leave it to RDS, which forces TLS since version 15',
    )
    return "rds.force_ssl"
