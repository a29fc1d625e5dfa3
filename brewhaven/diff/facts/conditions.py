"""The conditions of a policy statement, in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from brewhaven.diff.names import join_words
from brewhaven.diff.values import as_list

Say = Callable[[Any], str]

_KEYS = {
    "dynamodb:LeadingKeys": "items whose partition key is",
    "dynamodb:Attributes": "the attributes",
    "dynamodb:Select": "a selection of",
    "aws:SourceArn": "requests made for",
    "aws:SourceAccount": "requests made for account",
    "aws:PrincipalArn": "callers that are",
    "aws:PrincipalAccount": "callers of account",
    "aws:PrincipalOrgID": "callers of the organization",
    "aws:SourceIp": "requests from",
    "aws:SourceVpce": "requests through the endpoint",
    "aws:RequestedRegion": "the region",
    "s3:prefix": "lists of names beginning with",
    "iam:PassedToService": "handing it to",
    "kms:ViaService": "requests through",
    "kms:EncryptionContext:SecretARN": "the secret",
    "sts:ExternalId": "callers who know the external id",
    "ecs:cluster": "the cluster",
}
_NOT = {"StringNotEquals", "StringNotLike", "ArnNotEquals", "ArnNotLike", "NotIpAddress", "NumericNotEquals"}


def words(condition: dict[str, Any] | None, say: Say) -> str:
    """` (only items whose partition key is ORDER#...)`; empty when there is no condition."""
    found = [
        clause
        for operator, keys in (condition or {}).items()
        for key, value in keys.items()
        if (clause := _clause(operator, key, [say(item) for item in as_list(value)]))
    ]
    return "; ".join(dict.fromkeys(found))


def _clause(operator: str, key: str, values: list[str]) -> str:
    bare = operator.rpartition(":")[2].removesuffix("IfExists")
    listed = join_words((value[:-1] + "…" if value.endswith("*") else value for value in values), "or")
    if key == "aws:SecureTransport":
        return "over plain HTTP" if listed == "false" else "over TLS"
    if bare == "Null":
        return "" if listed == "false" else f"only if {key} is absent"  # the other half of a ForAllValues condition
    if key in {"aws:MultiFactorAuthPresent"}:
        return "only with a second factor" if listed == "true" else "without a second factor"
    if key in _KEYS:
        return f"only {'not ' if bare in _NOT else ''}{_KEYS[key]} {listed}"
    return f"only if {key} {'is not' if bare in _NOT else _COMPARE.get(bare, 'is')} {listed}"


_COMPARE = {
    "NumericLessThan": "is below",
    "NumericLessThanEquals": "is at most",
    "NumericGreaterThan": "is above",
    "DateLessThan": "is before",
    "DateGreaterThan": "is after",
}
