"""Phase 2's exercises: the second way to be right passes, and a way to be wrong that looks right does not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from brewhaven.exercises.declared import find
from brewhaven.exercises.judge import judge
from brewhaven.exercises.workshop import Workshop


@dataclass(frozen=True)
class Changed:
    """A solution with some of its text replaced.

    Attributes:
        said: What the judge must say; empty where it must pass.
    """

    exercise: str
    file: str
    old: str
    new: str
    said: str = ""


def begun(changed: Changed, folder: Path) -> None:
    exercise = find(changed.exercise)
    files = {**exercise.start_files(), **exercise.solution_files()}
    assert changed.old in files[changed.file], "the solution has changed"
    files[changed.file] = files[changed.file].replace(changed.old, changed.new, 1)
    for name, text in files.items():
        (folder / name).write_text(text)


QUEUE = "patient-queue"
HEARS = "who-hears-what"
ALARMS = "queue-alarms"
CARDS = "gift-cards"
POINTS = "points-once"
LOADER = "one-loader"
DOOR = "private-door"
KEPT = "kept-database"

ACCOUNTING = """\
                filter_policy={
                    "type": text(allowlist=["order.paid", "order.refunded"]),
                    "total_cents": number(greater_than_or_equal_to=5000),
                },
"""
ON_THE_BODY = """\
                filter_policy_with_message_body={
                    "type": sns.FilterOrPolicy.filter(text(allowlist=["order.paid", "order.refunded"])),
                    "order": sns.FilterOrPolicy.policy(
                        {"total_cents": sns.FilterOrPolicy.filter(number(greater_than_or_equal_to=5000))}
                    ),
                },
"""
BY_CONNECTIONS = """\
        door.connections.allow_from(self.group, ec2.Port.tcp(443))
"""
INGRESS = """\
        door.add_ingress_rule(ec2.Peer.security_group_id(self.group.security_group_id), ec2.Port.tcp(443))
"""
MARK_AND_ADD = """\
            if database.execute(MARK, (paid["event_id"],)).rowcount == 1:
                database.execute(ADD, (paid["customer"], paid["points"]))
            database.commit()
"""
LOOK_AND_INSERT = """\
            known = database.execute("select 1 from seen where event_id = ?", (paid["event_id"],)).fetchone()
            if known is None:
                database.execute("insert into seen (event_id) values (?)", (paid["event_id"],))
                database.execute(ADD, (paid["customer"], paid["points"]))
            database.commit()
"""
WITH_DATABASE = """\
            with database:
                if database.execute(MARK, (paid["event_id"],)).rowcount == 1:
                    database.execute(ADD, (paid["customer"], paid["points"]))
"""
POINTS_BEFORE_MARK = """\
            with database:
                database.execute(ADD, (paid["customer"], paid["points"]))
                database.execute("insert into seen (event_id) values (?)", (paid["event_id"],))
"""
KEY = "    primary key (code, order_id)\n"
NUMBERED = "    id bigint generated always as identity primary key,\n    unique (code, order_id)\n"
DEFERRED = "references orders (id) on delete cascade deferrable initially deferred"
FINALLY = """\
        try:
            # Whoever had the lease before may have brought the copy since this one looked.
            return self.store.get(KEY) or self.load_and_keep()
        finally:
            self.attempt(lambda: self.store.delete(LEASE))
"""
GIVEN_BACK_ONLY_WHEN_IT_FAILED = """\
        try:
            return self.store.get(KEY) or self.load_and_keep()
        except Exception:
            self.attempt(lambda: self.store.delete(LEASE))
            raise
"""

RIGHT = {
    "one receipt at a time": Changed(QUEUE, "exercise.py", "report_batch_item_failures=True, max", "batch_size=1, max"),
    "a reserve that leaves room": Changed(
        QUEUE, "exercise.py", 'handler="index.handler",', 'handler="index.handler", reserved_concurrent_executions=10,'
    ),
    "a filter on the body, with its path": Changed(HEARS, "exercise.py", ACCOUNTING, ON_THE_BODY),
    "more than 119 seconds": Changed(
        ALARMS,
        "exercise.py",
        """threshold=120,
                evaluation_periods=3,
                comparison_operator=operator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,""",
        """threshold=119,
                evaluation_periods=3,
                comparison_operator=operator.GREATER_THAN_THRESHOLD,""",
    ),
    "a day of silent hours": Changed(
        ALARMS,
        "exercise.py",
        """period=day).create_alarm(
                self,
                "ClosingMissed",
                threshold=1,
                evaluation_periods=1,""",
        """period=cdk.Duration.hours(1)).create_alarm(
                self,
                "ClosingMissed",
                threshold=1,
                evaluation_periods=24,""",
    ),
    "a key of its own beside what is unique": Changed(CARDS, "0002.sql", KEY, NUMBERED),
    "checked at the end of the transaction": Changed(
        CARDS, "0002.sql", "references orders (id) on delete cascade", DEFERRED
    ),
    "looks first, and is refused when it was wrong": Changed(POINTS, "handler.py", MARK_AND_ADD, LOOK_AND_INSERT),
    "a transaction by `with`": Changed(POINTS, "handler.py", MARK_AND_ADD, WITH_DATABASE),
    "whole seconds by chance": Changed(
        LOADER, "menu_cache.py", "60 + random.uniform(-12, 12)", "random.randint(48, 72)"
    ),
    "a lease that is left to end": Changed(LOADER, "menu_cache.py", FINALLY, GIVEN_BACK_ONLY_WHEN_IT_FAILED),
    "TLS as RDS forces it by itself": Changed(
        KEPT, "exercise.py", '            parameters={"rds.force_ssl": "1"},\n', ""
    ),
    "kept for a month": Changed(KEPT, "exercise.py", "days(7)", "days(35)"),
    "a rule by the connections": Changed(DOOR, "exercise.py", INGRESS, BY_CONNECTIONS),
}
WRONG = {
    "a batch that is waited for": Changed(
        QUEUE,
        "exercise.py",
        "report_batch_item_failures=True, max",
        "report_batch_item_failures=True, max_batching_window=cdk.Duration.seconds(60), max",
        "60 s of the batching window",
    ),
    "a second event source": Changed(
        QUEUE,
        "exercise.py",
        "        self.printer.add_event_source(",
        '        self.printer.add_event_source_mapping("More", event_source_arn=self.receipts.queue_arn)\n'
        "        self.printer.add_event_source(",
        "2 event sources",
    ),
    "no policy at all": Changed(HEARS, "exercise.py", ACCOUNTING, "", "so it hears everything"),
    "ignores silence": Changed(
        ALARMS, "exercise.py", "treat_missing_data=missing.NOT_BREACHING,", "treat_missing_data=missing.IGNORE,",
        "does not know what to say although",
    ),
    "says nothing of silence": Changed(
        ALARMS, "exercise.py", "treat_missing_data=missing.NOT_BREACHING,\n", "\n", "INSUFFICIENT_DATA"
    ),
    "a new table of cards": Changed(
        CARDS,
        "0002.sql",
        "alter table gift_cards\n",
        "drop table gift_cards;\ncreate table gift_cards (code text primary key, cents integer not null);\n"
        "alter table gift_cards\n",
        "there were 2 cards before the migration, and afterwards there are 0",
    ),
    "only the sum of a month": Changed(
        CARDS, "0002.sql", "between 0 and cents)", "between 0 and 5000)", "lowered below what was spent"
    ),
    "nothing is committed": Changed(
        POINTS, "handler.py", "            database.commit()\n", "", "were they committed?"
    ),
    "points before the mark, refused or not": Changed(
        POINTS, "handler.py", MARK_AND_ADD, POINTS_BEFORE_MARK, "its copy fails"
    ),
    "an answer of plain ids": Changed(
        POINTS, "handler.py", '{"itemIdentifier": record["messageId"]}', 'record["messageId"]', "the whole batch"
    ),
    "kept longer and longer": Changed(
        LOADER, "menu_cache.py", "60 + random.uniform(-12, 12)", "60 + random.uniform(-1, 1)", "in the same second"
    ),
    "protected by the stack alone": Changed(
        KEPT, "exercise.py", "            deletion_protection=True,\n", "", "by a single call"
    ),
    "backups as CDK makes them": Changed(
        KEPT, "exercise.py", "            backup_retention=cdk.Duration.days(7),\n", "", "for 1 day,"
    ),
    "a door for the whole network": Changed(
        DOOR,
        "exercise.py",
        "ec2.Peer.security_group_id(self.group.security_group_id)",
        "ec2.Peer.ipv4(self.vpc.vpc_cidr_block)",
        "every address of the network",
    ),
    "a door for another group": Changed(
        DOOR,
        "exercise.py",
        "ec2.Peer.security_group_id(self.group.security_group_id)",
        'ec2.SecurityGroup(self, "Other", vpc=self.vpc)',
        "another security group",
    ),
    "a grant that is gone": Changed(
        DOOR, "exercise.py", "        self.secret.grant_read(self.function)\n", "", "may not call secretsmanager"
    ),
}  # fmt: skip


@pytest.mark.parametrize("changed", RIGHT.values(), ids=RIGHT)
def test_the_second_way_to_be_right_passes(changed: Changed, workshop: Workshop, tmp_path: Path) -> None:
    begun(changed, tmp_path)
    verdict = judge(find(changed.exercise), tmp_path, workshop)
    assert verdict.report is not None, verdict.broken
    assert [finding.what for finding in verdict.report.findings if not finding.passed] == []


@pytest.mark.parametrize("changed", WRONG.values(), ids=WRONG)
def test_what_only_looks_right_is_explained(changed: Changed, workshop: Workshop, tmp_path: Path) -> None:
    begun(changed, tmp_path)
    verdict = judge(find(changed.exercise), tmp_path, workshop)
    assert verdict.report is not None, verdict.broken
    assert changed.said in " ".join(finding.what for finding in verdict.report.findings if not finding.passed)
