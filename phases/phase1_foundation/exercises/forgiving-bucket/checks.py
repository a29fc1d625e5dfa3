"""The bucket forgives for thirty days, and then forgets."""

from typing import Any

from brewhaven.course.checks import CheckList, expect
from brewhaven.course.template import Template

CHECKS = CheckList()
READ = "https://docs.aws.amazon.com/AmazonS3/latest/userguide/lifecycle-configuration-examples.html"
WHERE = "the arguments of s3.Bucket in your file"

_undo = CHECKS.check(
    "mistakes-can-be-undone",
    lesson="1.3",
    objective="s3-private-hosting",
    proves="What was overwritten or deleted can be brought back",
)
_old = CHECKS.check(
    "old-versions-go", lesson="1.3", objective="s3-private-hosting", proves="Old versions go after 30 days, everywhere"
)
_parts = CHECKS.check(
    "unfinished-uploads-go",
    lesson="1.3",
    objective="s3-private-hosting",
    proves="The parts of an unfinished upload go after a day",
)
_stay = CHECKS.check("receipts-stay", lesson="1.3", objective="s3-private-hosting", proves="No rule deletes a receipt")


def _bucket(template: Template) -> dict[str, Any]:
    buckets = template.resources("AWS::S3::Bucket", of="Receipts")
    expect(
        buckets,
        "there is no bucket with the id Receipts in the stack",
        where="the first two arguments of s3.Bucket in your file",
        next_step="keep the id: another id is another bucket, and on a real account the receipts would be deleted",
    )
    return buckets[0].properties


def _rules(template: Template) -> list[dict[str, Any]]:
    rules: list[dict[str, Any]] = _bucket(template).get("LifecycleConfiguration", {}).get("Rules", [])
    return rules


@_undo.on_template
def _(template: Template) -> str:
    expect(
        _bucket(template).get("VersioningConfiguration", {}).get("Status") == "Enabled",
        "the bucket keeps no earlier versions, so what is overwritten is gone at once, and a rule about old versions "
        "has nothing to act on",
        where=WHERE,
        next_step="make the bucket versioned",
    )
    return "versioned"


def _limits(rule: dict[str, Any]) -> str:
    """What a rule is limited to; nothing for one that holds in the whole bucket."""
    if rule.get("Prefix"):
        return f"below {rule['Prefix']}"
    others = {"TagFilters": "tags", "ObjectSizeGreaterThan": "size", "ObjectSizeLessThan": "size"}
    found = sorted({word for name, word in others.items() if name in rule})
    return f"for objects of certain {' and '.join(found)}" if found else ""


def _days(rule: dict[str, Any]) -> int | None:
    found = rule.get("NoncurrentVersionExpiration", {}).get("NoncurrentDays")
    return None if found is None else int(found)


@_old.on_template
def _(template: Template) -> str:
    rules = [rule for rule in _rules(template) if _days(rule) is not None]
    spares = "NewerNoncurrentVersions"
    enabled = [rule for rule in rules if rule["Status"] == "Enabled"]
    good = [r for r in enabled if not _limits(r) and _days(r) == 30 and spares not in r["NoncurrentVersionExpiration"]]
    soonest = min((_days(rule) or 0 for rule in enabled), default=30)
    if good and soonest < 30:
        what = f"two rules are about old versions, and the sooner one wins: some go after {soonest} days"
    elif not rules:
        what = "no rule says when an old version goes, so all of them are kept and paid for, for ever"
    elif rules[0]["Status"] != "Enabled":
        what = "the rule about old versions is switched off"
    elif _limits(rules[0]):
        what = f"the rule about old versions holds only {_limits(rules[0])}"
    elif spares in rules[0]["NoncurrentVersionExpiration"]:
        what = "some old versions are kept for ever, because the rule spares the newest of them"
    else:
        what = f"old versions go after {_days(rules[0])} days, and 30 are wanted"
    right = good and soonest == 30
    expect(right, what, where=READ, next_step="one enabled rule for the whole bucket, with 30 days for old versions")
    return "after 30 days"


@_parts.on_template
def _(template: Template) -> str:
    found = [
        rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"]
        for rule in _rules(template)
        if rule["Status"] == "Enabled" and not _limits(rule) and "AbortIncompleteMultipartUpload" in rule
    ]
    expect(
        found and min(found) == 1,
        f"unfinished uploads go after {min(found)} days, and one is wanted"
        if found
        else "no enabled rule for the whole bucket ends unfinished uploads after one day",
        where=READ,
        next_step="look for the argument of LifecycleRule that is about incomplete multipart uploads",
    )
    return "after a day"


@_stay.on_template
def _(template: Template) -> str:
    deadly = [rule for rule in _rules(template) if {"ExpirationInDays", "ExpirationDate"} & set(rule)]
    expect(
        not deadly,
        "a rule with `expiration` deletes receipts themselves, and the tax office wants seven years of them",
        where=READ,
        next_step="expire noncurrent versions, not current ones",
    )
    return f"{len(_rules(template))} rules, none about current versions"
