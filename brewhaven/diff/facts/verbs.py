"""What an IAM action does, in a verb and what it is done to: `dynamodb:GetItem` is `read` + `items of`."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

from brewhaven.diff.names import join_words

Phrase = tuple[str, str]

ALONE = "!"
"""The verb says it all: its statements name every resource because the action knows none."""

_VERBS: tuple[tuple[str, str, str], ...] = (
    ("dynamodb:GetItem", "read", "items of"),
    ("dynamodb:BatchGetItem", "read", "items of"),
    ("dynamodb:TransactGetItems", "read", "items of"),
    ("dynamodb:Query", "query", "items of"),
    ("dynamodb:Scan", "scan", "items of"),
    ("dynamodb:PutItem", "put", "items of"),
    ("dynamodb:BatchWriteItem", "write", "items of"),
    ("dynamodb:UpdateItem", "update", "items of"),
    ("dynamodb:DeleteItem", "delete", "items of"),
    ("dynamodb:ConditionCheckItem", "check", "items of"),
    ("dynamodb:GetRecords", "read", "the change stream of"),
    ("dynamodb:GetShardIterator", "read", "the change stream of"),
    ("dynamodb:DescribeStream", "read", "the change stream of"),
    ("dynamodb:ListTags*", "look at", "the settings of"),
    ("dynamodb:ListStreams", "list", "streams on"),
    ("dynamodb:Describe*", "look at", "the settings of"),
    ("s3:GetObject*", "read", "objects of"),
    ("s3:GetBucket*", "look at", "the settings of"),
    ("s3:GetEncryption*", "look at", "the settings of"),
    ("s3:GetLifecycle*", "look at", "the settings of"),
    ("s3:List*", "list", "objects of"),
    ("s3:PutObject*", "write", "objects of"),
    ("s3:DeleteObject*", "delete", "objects of"),
    ("s3:Abort*", "abort", "uploads to"),
    ("s3:PutBucketNotification*", "set", "the notifications of"),
    ("s3:PutBucketPolicy", "set", "the policy of"),
    ("sqs:SendMessage*", "send", "messages to"),
    ("sqs:ReceiveMessage", "receive", "messages of"),
    ("sqs:DeleteMessage*", "delete", "messages of"),
    ("sqs:ChangeMessageVisibility*", "hold back", "messages of"),
    ("sqs:GetQueue*", "look at", "the settings of"),
    ("sns:Publish", "publish", "to"),
    ("lambda:Invoke*", "invoke", ""),
    ("secretsmanager:GetSecretValue", "read", "the value of"),
    ("secretsmanager:PutSecretValue", "change", "the value of"),
    ("secretsmanager:Describe*", "look at", "the settings of"),
    ("ssm:GetParameter*", "read", ""),
    ("ssm:PutParameter", "change", ""),
    ("kms:Decrypt", "decrypt", "with"),
    ("kms:Encrypt", "encrypt", "with"),
    ("kms:GenerateDataKey*", "encrypt", "with"),
    ("kms:ReEncrypt*", "re-encrypt", "with"),
    ("logs:CreateLogStream", "write", "to"),
    ("logs:PutLogEvents", "write", "to"),
    ("logs:CreateLogGroup", "make", "log groups as"),
    ("events:PutEvents", "send", "events to"),
    ("states:StartExecution", "start", ""),
    ("kinesis:PutRecord*", "put", "records on"),
    ("kinesis:GetRecords", "read", "records of"),
    ("sts:AssumeRole*", "take", "the role"),
    ("iam:PassRole", "hand on", "the role"),
    ("ecr:GetAuthorizationToken", "sign in to image registries", ALONE),
    ("ecr:BatchGetImage", "pull", "images of"),
    ("ecr:GetDownloadUrlForLayer", "pull", "images of"),
    ("ecr:BatchCheckLayerAvailability", "pull", "images of"),
    ("ssm:UpdateInstanceInformation", "report to Systems Manager", ALONE),
    ("ssmmessages:*", "open Session Manager sessions", ALONE),
    ("ec2messages:*", "receive Systems Manager commands", ALONE),
    ("ec2:AuthorizeSecurityGroup*", "open", "security groups in"),
    ("ec2:RevokeSecurityGroup*", "close", "security groups in"),
    ("ec2:CreateNetworkInterface", "make and remove network interfaces", ALONE),
    ("ec2:DeleteNetworkInterface", "make and remove network interfaces", ALONE),
    ("ec2:AssignPrivateIp*", "make and remove network interfaces", ALONE),
    ("ec2:UnassignPrivateIp*", "make and remove network interfaces", ALONE),
    ("ec2:DescribeNetworkInterfaces", "look at networks", ALONE),
    ("ec2:DescribeSubnets", "look at networks", ALONE),
    ("rekognition:Detect*", "let Rekognition look at pictures", ALONE),
    ("cloudwatch:PutMetricData", "write metrics", ALONE),
    ("xray:Put*", "write traces", ALONE),
    ("bedrock:InvokeModel*", "ask", "the model"),
    ("cognito-idp:Admin*", "manage", "the users of"),
)
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def phrase(action: str) -> Phrase:
    """The verb and the words before its object; an action that is not listed is said by its own name."""
    if action == "*":
        return "do", "anything with"
    service, _, name = action.partition(":")
    if name == "*":
        return "do", "anything with"
    for pattern, verb, thing in _VERBS:
        if action == pattern or fnmatchcase(action.rstrip("*"), pattern):
            return verb, thing
    words = _WORD.sub(" ", name).lower().replace("*", "…")
    return f"{words} ({service})", "on"


def combine(actions: set[str], target: str) -> str:
    """`read, query and update items of CatalogTable, and look at its settings`."""
    by_thing: dict[str, list[str]] = {}
    order = [pattern for pattern, _, _ in _VERBS]
    for action in sorted(actions, key=lambda action: (_place(action, order), action)):
        verb, thing = phrase(action)
        verbs = by_thing.setdefault(thing, [])
        if verb not in verbs:
            verbs.append(verb)
    if "anything with" in by_thing:
        return f"do anything with {target}"
    clauses: list[str] = []
    for thing, verbs in by_thing.items():
        clauses.append(_clause(join_words(verbs), thing, target, first=not clauses))
    return clauses[0] if len(clauses) == 1 else ", ".join(clauses[:-1]) + ", and " + clauses[-1]


def summary(actions: set[str]) -> str:
    """What moves between two components: `read and query items, list objects`; empty when nothing but settings does."""
    by_thing: dict[str, list[str]] = {}
    order = [pattern for pattern, _, _ in _VERBS]
    for action in sorted(actions, key=lambda action: (_place(action, order), action)):
        verb, thing = phrase(action)
        if thing == ALONE or "settings" in thing or "policy" in thing:
            continue
        verbs = by_thing.setdefault("all of it" if thing == "anything with" else _alone(thing), [])
        if verb not in verbs:
            verbs.append(verb)
    return ", ".join(f"{join_words(verbs)} {thing}".rstrip() for thing, verbs in by_thing.items())


def _alone(thing: str) -> str:
    """The words before an object, without an object: `items of` is `items`, `messages to` is `messages`."""
    return re.sub(r" ?(of|to|on|with|as)$", "", thing)


def _clause(verbs: str, thing: str, target: str, *, first: bool) -> str:
    """One verb group with its object; the target is said once, at the first mention."""
    if thing == ALONE:
        return verbs
    if first:
        return f"{verbs} {thing} {target}".replace("  ", " ")
    if thing.endswith(" of"):
        return f"{verbs} its {thing.removeprefix('the ').removesuffix(' of')}"
    return f"{verbs} {thing} it".replace("  ", " ")


def _place(action: str, order: list[str]) -> int:
    for place, pattern in enumerate(order):
        if action == pattern or fnmatchcase(action.rstrip("*"), pattern):
            return place
    return len(order)
