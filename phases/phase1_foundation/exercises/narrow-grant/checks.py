"""The display reads what it shows, and nothing else."""

import json
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from typing import Any

from botocore.exceptions import ClientError

from brewhaven.course.checks import CheckList, expect, listed, statements
from brewhaven.course.cloud import Deployment
from brewhaven.course.template import Template

CHECKS = CheckList()
READ = "https://docs.aws.amazon.com/IAM/latest/UserGuide/best-practices.html#grant-least-privilege"
WHERE = "the grants to self.display in your file"

_needs = CHECKS.check(
    "what-it-needs",
    lesson="1.4",
    objective="iam-least-privilege",
    proves="The display may query the open orders and read one order",
)
_stars = CHECKS.check(
    "no-wildcard", lesson="1.4", objective="iam-least-privilege", proves="No action and no resource is a wildcard"
)
_else = CHECKS.check(
    "nothing-else",
    lesson="1.4",
    objective="iam-least-privilege",
    proves="The display may do nothing that it does not do",
)
_enforced = CHECKS.check(
    "enforced",
    lesson="1.4",
    objective="iam-least-privilege",
    proves="IAM allows the display its two calls and no other",
)


def _allowed(template: Template) -> Iterator[tuple[str, str]]:
    """Every (action, resource) that the role is allowed; a resource as text, such as `Table/index/OpenOrders`.

    What is allowed by leaving something out, and what AWS's own policies allow, is a `*` with its reason behind it.
    """
    for statement in _statements(template):
        if statement["Effect"] != "Allow":
            continue
        actions = listed(statement.get("Action", "* (all but its NotAction)"))
        resources = listed(statement.get("Resource", "* (all but its NotResource)"))
        yield from ((action, _text(resource)) for action in actions for resource in resources)
    for role in template.resources("AWS::IAM::Role"):
        for arn in role.properties.get("ManagedPolicyArns", []):
            name = _text(arn).rpartition("/")[2]
            if "Ref" not in arn:  # a policy of this stack, whose statements were looked at above
                yield f"* ({name})", f"* ({name})"


def _statements(template: Template) -> Iterator[dict[str, Any]]:
    for kind in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"):
        for policy in template.resources(kind):
            yield from statements(policy.properties["PolicyDocument"])
    for role in template.resources("AWS::IAM::Role"):
        for policy in role.properties.get("Policies", []):
            yield from statements(policy["PolicyDocument"])


def _text(resource: Any) -> str:
    if isinstance(resource, str):
        return resource
    if "Fn::Join" in resource:
        return "".join(_text(part) for part in resource["Fn::Join"][1])
    if "Fn::GetAtt" in resource and resource["Fn::GetAtt"][0].startswith("Orders"):
        return "Table"
    return json.dumps(resource)


def _may(template: Template, action: str, resource: str) -> bool:
    return any(fnmatchcase(action, a) and fnmatchcase(resource, r) for a, r in _allowed(template))


@_needs.on_template
def _(template: Template) -> str:
    wanted = {
        "dynamodb:Query on the index OpenOrders": ("dynamodb:Query", "Table/index/OpenOrders"),
        "dynamodb:GetItem on the table": ("dynamodb:GetItem", "Table"),
    }
    missing = [words for words, (action, resource) in wanted.items() if not _may(template, action, resource)]
    expect(
        not missing,
        f"the role is not allowed {' and '.join(missing)}; an index is a resource of its own, not a part of its table",
        where=WHERE,
        next_step="grant each of the two actions on the resource on which it is called",
    )
    return "Query on OpenOrders, GetItem on the table"


@_stars.on_template
def _(template: Template) -> str:
    wide = sorted({part for pair in _allowed(template) for part in pair if "*" in part})
    denies = any(statement["Effect"] == "Deny" for statement in _statements(template))
    beside = ", and a Deny beside it takes back only what somebody has thought of" if denies else ""
    expect(
        not wide,
        f"there is a wildcard in {', '.join(wide)}: it allows what exists today and whatever is added tomorrow{beside}",
        where=READ,
        next_step="name the actions and the one index in full",
    )
    return "each action and each resource is named in full"


@_else.on_template
def _(template: Template) -> str:
    needed = {("dynamodb:Query", "Table/index/OpenOrders"), ("dynamodb:GetItem", "Table")}
    more = sorted({action for action, resource in _allowed(template) if (action, resource) not in needed})
    expect(
        not more,
        f"the role may also use {', '.join(more)}, which the display never does there",
        where=WHERE,
        next_step="leave out what the display does not call; the statement is read by whoever breaks in, too",
    )
    return "two actions on two resources"


@_enforced.on_cloud
def _(cloud: Deployment) -> str:
    table = cloud.outputs["TableName"]
    display = cloud.assume(cloud.outputs["DisplayRoleArn"]).client("dynamodb")
    key = {"pk": {"S": "ORDER#1"}, "sk": {"S": "ORDER"}}
    drawer = {"KeyConditionExpression": "gsi2pk = :o", "ExpressionAttributeValues": {":o": {"S": "OPEN"}}}
    own = {"KeyConditionExpression": "pk = :p", "ExpressionAttributeValues": {":p": {"S": "ORDER#1"}}}
    needed = {
        "the Query of OpenOrders": lambda: display.query(TableName=table, IndexName="OpenOrders", **drawer),
        "GetItem on the table": lambda: display.get_item(TableName=table, Key=key),
    }
    forbidden = {
        "Scan": lambda: display.scan(TableName=table),
        "PutItem": lambda: display.put_item(TableName=table, Item=key),
        "DeleteItem": lambda: display.delete_item(TableName=table, Key=key),
        "a Query of the table itself": lambda: display.query(TableName=table, **own),
    }
    refused = [name for name, call in needed.items() if not _is_allowed(call)]
    expect(
        not refused,
        f"the display was refused {' and '.join(refused)}, which it needs: the policy names the action, and something "
        "else in the statement, a condition say, does not fit the call",
        where=WHERE,
        next_step="take the condition or the Deny away, or write it for the partition key that is asked for: OPEN",
    )
    allowed = [name for name, call in forbidden.items() if _is_allowed(call)]
    expect(
        not allowed,
        f"the display's role was allowed {', '.join(allowed)}",
        where=WHERE,
        next_step="leave out what the display does not call",
    )
    return f"{len(needed)} calls were answered, {len(forbidden)} others refused"


def _is_allowed(call: Callable[[], object]) -> bool:
    try:
        call()
    except ClientError as error:
        if "AccessDenied" not in error.response["Error"]["Code"]:
            raise
        return False
    return True
