"""Checks of lesson 1.7: the boundary around what staff can ever be allowed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import ClientError

from brewhaven.course.checks import CheckList, expect, listed, statements
from brewhaven.course.cloud import Deployment
from brewhaven.course.template import Template

CHECKS = CheckList()

CODE = "`limit` in constructs/brew_constructs/staff_roles.py"
ROLES = ("BaristaRoleArn", "ManagerRoleArn", "AuditorRoleArn")
RIGHTS_ABOUT_RIGHTS = ("*", "iam:*", "sts:*", "organizations:*")
# On AWS it takes some seconds until a new role and its policy are known everywhere.
PATIENCE_SECONDS = 40


bound = CHECKS.check(
    "staff-bounded",
    lesson="1.7",
    objective="iam-boundaries",
    proves="Every role of the staff has the boundary, and the boundary gives no right to change rights",
)


@bound.on_template
def _(template: Template) -> str:
    roles = template.resources("AWS::IAM::Role", of="StaffRoles")
    [boundary] = template.resources("AWS::IAM::ManagedPolicy", of="StaffRolesBoundary")
    free = [r.logical_id for r in roles if r.properties.get("PermissionsBoundary") != {"Ref": boundary.logical_id}]
    return _all_bounded(len(roles), free, boundary.properties["PolicyDocument"])


@bound.on_cloud
def _(cloud: Deployment) -> str:
    iam, boundary = cloud.client("iam"), cloud.outputs["StaffBoundaryArn"]
    names = [cloud.outputs[output].rpartition("/")[2] for output in ROLES]
    found = {name: iam.get_role(RoleName=name)["Role"].get("PermissionsBoundary", {}) for name in names}
    free = [name for name, limit in found.items() if limit.get("PermissionsBoundaryArn") != boundary]
    version = iam.get_policy(PolicyArn=boundary)["Policy"]["DefaultVersionId"]
    document = iam.get_policy_version(PolicyArn=boundary, VersionId=version)["PolicyVersion"]["Document"]
    return _all_bounded(len(names), free, document)


def _all_bounded(roles: int, free: list[str], document: Any) -> str:
    expect(
        not free,
        f"without the boundary: {', '.join(free)}",
        where=f"{CODE}, and IAM > Roles > the role > Permissions boundary",
        next_step="apply the boundary to every role: PermissionsBoundary.of(role).apply(boundary)",
    )
    wide = [
        action
        for statement in statements(document)
        if statement["Effect"] == "Allow"
        for action in listed(statement.get("Action", "*"))
        if action in RIGHTS_ABOUT_RIGHTS or action.startswith("iam:")
    ]
    expect(
        not wide,
        f"the boundary allows {', '.join(wide)}: whoever is inside could open the gate",
        where=CODE,
        next_step="list only what the work needs, and nothing of iam:",
    )
    return f"{roles} roles inside the boundary"


holds = CHECKS.check(
    "boundary-holds",
    lesson="1.7",
    objective="iam-boundaries",
    proves="A role with every right inside the boundary reads a product, but no customer and not the whole table",
    alone=True,
)


@holds.on_cloud
def _(cloud: Deployment) -> str:
    table = cloud.outputs["CatalogTableName"]
    with _almighty(cloud) as dynamodb:
        attempts: dict[str, Callable[[], Any]] = {
            "reading a product": lambda: _get(dynamodb, table, "PRODUCT#no-such-product", "PRODUCT"),
            "reading a customer": lambda: _get(dynamodb, table, "CUSTOMER#no-such-customer", "PROFILE"),
            "reading the whole table": lambda: dynamodb.scan(TableName=table, Limit=1),
        }
        # The first one also waits until the new role is known.
        allowed = [name for name, attempt in attempts.items() if _is_allowed(attempt, wait=name == "reading a product")]
    expect(
        "reading a product" in allowed,
        "with the boundary not even a product can be read, so the counter cannot work",
        where=CODE,
        next_step="allow the staff's everyday work in the boundary; compare it with the policies of lesson 1.4",
    )
    beyond = [name for name in allowed if name != "reading a product"]
    expect(
        not beyond,
        f"the boundary lets through {' and '.join(beyond)}",
        where=CODE,
        next_step="name the leading keys that staff may touch, and let `Null` ask for a key, as `_only_keys` does",
    )
    return "inside: a product; outside: a customer, a scan"


grants_nothing = CHECKS.check(
    "boundary-grants-nothing",
    lesson="1.7",
    objective="iam-boundaries",
    proves="What the boundary allows and no policy grants is denied: a barista adds no product",
)


@grants_nothing.on_cloud
def _(cloud: Deployment) -> str:
    table = cloud.outputs["CatalogTableName"]
    barista = _as(cloud, cloud.outputs["BaristaRoleArn"])

    def add_a_product() -> None:
        # Nothing is written in any case: no item has this key.
        barista.put_item(
            TableName=table,
            Item={"pk": {"S": "PRODUCT#no-such-product"}, "sk": {"S": "PRODUCT"}},
            ConditionExpression="attribute_exists(pk)",
        )

    expect(
        not _is_allowed(add_a_product),
        "a barista may write products",
        where="IAM > Roles > the barista's > Permissions: what was attached to it besides the stack's own policy?",
        next_step="remove what nobody needs; the menu is the manager's",
    )
    return "the barista's PutItem on a product was denied"


@contextmanager
def _almighty(cloud: Deployment) -> Iterator[Any]:
    """DynamoDB with the keys of a role that has every right and the boundary; the role is removed afterwards."""
    iam = cloud.client("iam")
    account = cloud.outputs["StaffBoundaryArn"].split(":")[4]
    name = f"{cloud.stacks[0]}-verify"[:64]
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": account}}
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    _remove(iam, name)
    role = iam.create_role(
        RoleName=name,
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
        PermissionsBoundary=cloud.outputs["StaffBoundaryArn"],
        Description="Made and removed by `brewhaven verify`",
    )["Role"]
    try:
        document = json.dumps({"Version": "2012-10-17", "Statement": [everything]})
        iam.put_role_policy(RoleName=name, PolicyName="everything", PolicyDocument=document)
        yield _as(cloud, role["Arn"])
    finally:
        _remove(iam, name)


def _remove(iam: Any, name: str) -> None:
    for remove in (
        lambda: iam.delete_role_policy(RoleName=name, PolicyName="everything"),
        lambda: iam.delete_role(RoleName=name),
    ):
        try:
            remove()
        except iam.exceptions.NoSuchEntityException:
            continue


def _as(cloud: Deployment, role_arn: str) -> Any:
    """A DynamoDB client with an hour's keys of a role."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return cloud.client_as(role_arn, "dynamodb")
        except ClientError:
            if time.monotonic() > deadline:
                raise
            time.sleep(1)


def _get(dynamodb: Any, table: str, partition: str, sort: str) -> Any:
    return dynamodb.get_item(TableName=table, Key={"pk": {"S": partition}, "sk": {"S": sort}})


def _is_allowed(attempt: Callable[[], Any], *, wait: bool = False) -> bool:
    """Whether IAM lets a call through; any other error of the call means that it did."""
    deadline = time.monotonic() + (PATIENCE_SECONDS if wait else 0)
    while True:
        try:
            attempt()
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("AccessDeniedException", "AccessDenied"):
                return True
            if time.monotonic() >= deadline:
                return False
            time.sleep(1)
        else:
            return True
