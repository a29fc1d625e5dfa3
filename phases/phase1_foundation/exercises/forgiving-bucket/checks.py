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
    return template.resources("AWS::S3::Bucket", of="Receipts")[0].properties


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


def _days(rule: dict[str, Any]) -> int | None:
    found = rule.get("NoncurrentVersionExpiration", {}).get("NoncurrentDays")
    return None if found is None else int(found)


@_old.on_template
def _(template: Template) -> str:
    rules = [rule for rule in _rules(template) if _days(rule) is not None]
    good = [r for r in rules if r["Status"] == "Enabled" and not r.get("Prefix") and _days(r) == 30]
    if not rules:
        what = "no rule says when an old version goes, so all of them are kept and paid for, for ever"
    elif rules[0]["Status"] != "Enabled":
        what = "the rule about old versions is switched off"
    elif rules[0].get("Prefix"):
        what = f"the rule about old versions holds only below {rules[0]['Prefix']}"
    else:
        what = f"old versions go after {_days(rules[0])} days, and 30 are wanted"
    expect(good, what, where=READ, next_step="one enabled rule for the whole bucket, with 30 days for old versions")
    return "after 30 days"


@_parts.on_template
def _(template: Template) -> str:
    found = [
        rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"]
        for rule in _rules(template)
        if rule["Status"] == "Enabled" and not rule.get("Prefix") and "AbortIncompleteMultipartUpload" in rule
    ]
    expect(
        found == [1],
        "no enabled rule for the whole bucket ends unfinished uploads after one day"
        if not found
        else f"unfinished uploads go after {found[0]} days, and one is wanted",
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
