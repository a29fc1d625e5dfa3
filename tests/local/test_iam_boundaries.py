"""What a denial says, and policies about permission boundaries (resources/iam_boundaries.py)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.plugins.local_cloud import Cloud

pytestmark = pytest.mark.local

ACCOUNT = "111122223333"
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
        },
    }
)
LEAD, HELPER = "boundary-lead", "boundary-helper"
TABLE = f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/boundary-menu"


def policy(*actions: str, resource: str = "*", **conditions: Any) -> str:
    statement: dict[str, Any] = {"Effect": "Allow", "Action": list(actions), "Resource": resource}
    if conditions:
        statement["Condition"] = conditions
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture(scope="module")
def boundary(cloud: Cloud) -> Iterator[str]:
    """A boundary that allows looking at one table and creating roles, and nothing else."""
    iam = cloud.client("iam")
    document = policy("dynamodb:DescribeTable", "iam:*Role*")
    arn = iam.create_policy(PolicyName="boundary", PolicyDocument=document)["Policy"]["Arn"]
    iam.create_role(RoleName=LEAD, AssumeRolePolicyDocument=TRUST, PermissionsBoundary=arn)
    yield arn
    iam.delete_role(RoleName=LEAD)
    iam.delete_policy(PolicyArn=arn)


def client(cloud: Cloud, service: str) -> Any:
    """A client with a session of the bounded role."""
    role = f"arn:aws:iam::{ACCOUNT}:role/{LEAD}"
    session = cloud.client("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
    return cloud.client(
        service,
        aws_access_key_id=session["AccessKeyId"],
        aws_secret_access_key=session["SecretAccessKey"],
        aws_session_token=session["SessionToken"],
    )


@pytest.fixture
def grant(cloud: Cloud, boundary: str) -> Iterator[Any]:
    """Puts one policy on the bounded role for the time of a test."""
    iam = cloud.client("iam")
    yield lambda document: iam.put_role_policy(RoleName=LEAD, PolicyName="granted", PolicyDocument=document)
    iam.delete_role_policy(RoleName=LEAD, PolicyName="granted")


@pytest.mark.parametrize(
    ("granted", "missing"),
    [("dynamodb:*", "no permissions boundary"), ("dynamodb:DescribeTable", "no identity-based policy")],
)
def test_a_denial_names_the_resource_and_the_policy_that_is_missing(
    cloud: Cloud, grant: Any, granted: str, missing: str
) -> None:
    grant(policy(granted))
    with pytest.raises(ClientError) as refused:
        client(cloud, "dynamodb").delete_table(TableName="boundary-menu")
    assert refused.value.response["Error"]["Code"] == "AccessDeniedException"
    assert refused.value.response["Error"]["Message"] == (
        f"User: arn:aws:sts::{ACCOUNT}:assumed-role/{LEAD}/test is not authorized to perform: dynamodb:DeleteTable "
        f"on resource: {TABLE} because {missing} allows the dynamodb:DeleteTable action"
    )


def test_an_explicit_denial_names_the_resource_too(cloud: Cloud, grant: Any) -> None:
    grant(policy("dynamodb:*").replace("Allow", "Deny"))
    with pytest.raises(ClientError) as refused:
        client(cloud, "dynamodb").describe_table(TableName="boundary-menu")
    assert refused.value.response["Error"]["Message"].endswith(
        f"dynamodb:DescribeTable on resource: {TABLE} with an explicit deny in an identity-based policy"
    )


def test_what_policy_and_boundary_allow_is_allowed(cloud: Cloud, grant: Any) -> None:
    grant(policy("dynamodb:*"))
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        client(cloud, "dynamodb").describe_table(TableName="boundary-menu")


def test_roles_may_be_created_with_the_boundary_alone(cloud: Cloud, boundary: str, grant: Any) -> None:
    grant(policy("iam:*Role*", StringEquals={"iam:PermissionsBoundary": boundary}))
    operator, lead = cloud.client("iam"), client(cloud, "iam")
    with pytest.raises(ClientError, match=f"iam:CreateRole on resource: arn:aws:iam::{ACCOUNT}:role/{HELPER}"):
        lead.create_role(RoleName=HELPER, AssumeRolePolicyDocument=TRUST)
    lead.create_role(RoleName=HELPER, AssumeRolePolicyDocument=TRUST, PermissionsBoundary=boundary)
    try:
        lead.put_role_policy(RoleName=HELPER, PolicyName="any", PolicyDocument=policy("dynamodb:*"))
        lead.delete_role_policy(RoleName=HELPER, PolicyName="any")
        operator.delete_role_permissions_boundary(RoleName=HELPER)
        with pytest.raises(ClientError, match="AccessDenied"):
            lead.put_role_policy(RoleName=HELPER, PolicyName="any", PolicyDocument=policy("dynamodb:*"))
    finally:
        operator.delete_role(RoleName=HELPER)
