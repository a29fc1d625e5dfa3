"""IAM entities as CloudFormation makes them, and their deletes (resources/iam_entities.py)."""

from __future__ import annotations

import json

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.local.stacks import Resources, StackError, allow, att, ref, role, stack, typed
from tests.plugins.local_cloud import Cloud

pytestmark = pytest.mark.local


def test_groups_members_and_access_keys(cloud: Cloud) -> None:
    iam = cloud.client("iam")

    def staff(*members: str) -> Resources:
        return {
            "Staff": typed("AWS::IAM::Group", Policies=[{"PolicyName": "list", "PolicyDocument": allow("s3:List*")}]),
            "Ann": typed("AWS::IAM::User"),
            "Bob": typed("AWS::IAM::User"),
            "Members": typed("AWS::IAM::UserToGroupAddition", GroupName=ref("Staff"), Users=[ref(m) for m in members]),
            "Key": typed("AWS::IAM::AccessKey", UserName=ref("Ann")),
        }

    with stack(cloud) as made:
        outputs = made.create(staff("Ann"), Key=ref("Key"), Secret=att("Key", "SecretAccessKey"))
        group = made.physical_id("Staff")
        assert [user["UserName"] for user in iam.get_group(GroupName=group)["Users"]] == [made.physical_id("Ann")]
        ann = cloud.client("s3", aws_access_key_id=outputs["Key"], aws_secret_access_key=outputs["Secret"])
        ann.list_buckets()
        made.update(staff("Ann", "Bob"))
        assert len(iam.get_group(GroupName=group)["Users"]) == 2
        made.update(staff("Bob"))
        assert [user["UserName"] for user in iam.get_group(GroupName=group)["Users"]] == [made.physical_id("Bob")]
        with pytest.raises(ClientError, match="AccessDenied"):
            ann.list_buckets()
    with pytest.raises(ClientError, match="InvalidAccessKeyId"):
        ann.list_buckets()


def test_ref_of_an_instance_profile_is_its_name(cloud: Cloud) -> None:
    with stack(cloud) as made:
        outputs = made.create(
            {"Role": role("ec2.amazonaws.com"), "Profile": typed("AWS::IAM::InstanceProfile", Roles=[ref("Role")])},
            Name=ref("Profile"), Arn=att("Profile", "Arn"),
        )  # fmt: skip
        assert outputs["Arn"].endswith(f":instance-profile/{outputs['Name']}")
        profile = cloud.client("iam").get_instance_profile(InstanceProfileName=outputs["Name"])["InstanceProfile"]
        assert [item["RoleName"] for item in profile["Roles"]] == [made.physical_id("Role")]


def test_a_boundary_limits_the_role(cloud: Cloud) -> None:
    def limited(*, by: str) -> Resources:
        trust = {"Effect": "Allow", "Principal": {"AWS": ref("AWS::AccountId")}, "Action": "sts:AssumeRole"}
        return {
            "Boundary": typed("AWS::IAM::ManagedPolicy", PolicyDocument=allow(by)),
            "Role": typed(
                "AWS::IAM::Role",
                AssumeRolePolicyDocument={"Version": "2012-10-17", "Statement": [trust]},
                Policies=[{"PolicyName": "list", "PolicyDocument": allow("s3:ListAllMyBuckets")}],
                PermissionsBoundary=ref("Boundary"),
            ),
        }

    def list_buckets(role_arn: str) -> None:
        session = cloud.client("sts").assume_role(RoleArn=role_arn, RoleSessionName="test")["Credentials"]
        boto3.client(
            "s3",
            endpoint_url=cloud.environment["AWS_ENDPOINT_URL_S3"],
            region_name=cloud.settings.region,
            aws_access_key_id=session["AccessKeyId"],
            aws_secret_access_key=session["SecretAccessKey"],
            aws_session_token=session["SessionToken"],
        ).list_buckets()

    with stack(cloud) as made:
        arn = made.create(limited(by="dynamodb:*"), Arn=att("Role", "Arn"))["Arn"]
        found = cloud.client("iam").get_role(RoleName=made.physical_id("Role"))["Role"]["PermissionsBoundary"]
        assert found["PermissionsBoundaryArn"] == made.physical_id("Boundary")
        with pytest.raises(ClientError, match="AccessDenied"):
            list_buckets(arn)
        made.update(limited(by="s3:*"))
        list_buckets(arn)


@pytest.mark.parametrize(
    ("attach", "detach", "sentence"),
    [
        ("put_role_policy", "delete_role_policy", "must delete policies first"),
        ("attach_role_policy", "detach_role_policy", "must detach all policies first"),
        (
            "add_role_to_instance_profile",
            "remove_role_from_instance_profile",
            "must remove roles from instance profile first",
        ),
    ],
)
def test_a_role_that_others_use_is_not_deleted(cloud: Cloud, attach: str, detach: str, sentence: str) -> None:
    iam = cloud.client("iam")
    own = [{"PolicyName": "own", "PolicyDocument": allow("s3:ListAllMyBuckets")}]
    read_only = "arn:aws:iam::aws:policy/ReadOnlyAccess"
    with stack(cloud) as made:
        made.create({"Role": role(Policies=own, ManagedPolicyArns=[read_only])})
        name = made.physical_id("Role")
        iam.create_instance_profile(InstanceProfileName=made.name)
        extra = {
            "put_role_policy": {"PolicyName": "later", "PolicyDocument": json.dumps(allow("sqs:ListQueues"))},
            "delete_role_policy": {"PolicyName": "later"},
            "attach_role_policy": {"PolicyArn": "arn:aws:iam::aws:policy/AmazonSQSFullAccess"},
            "detach_role_policy": {"PolicyArn": "arn:aws:iam::aws:policy/AmazonSQSFullAccess"},
        }
        profile = {"InstanceProfileName": made.name}
        getattr(iam, attach)(RoleName=name, **extra.get(attach, profile))
        with pytest.raises(StackError, match=rf"{sentence}\. \(Service: Iam, Status Code: 409"):
            made.delete()
        getattr(iam, detach)(RoleName=name, **extra.get(detach, profile))
        iam.delete_instance_profile(InstanceProfileName=made.name)


def test_a_policy_that_others_use_is_not_deleted(cloud: Cloud) -> None:
    iam = cloud.client("iam")
    with stack(cloud) as made:
        made.create({"Policy": typed("AWS::IAM::ManagedPolicy", PolicyDocument=allow("s3:ListAllMyBuckets"))})
        user = {"UserName": made.name}
        iam.create_user(**user)
        iam.attach_user_policy(**user, PolicyArn=made.physical_id("Policy"))
        with pytest.raises(StackError, match="Cannot delete a policy attached to entities"):
            made.delete()
        iam.detach_user_policy(**user, PolicyArn=made.physical_id("Policy"))
        iam.delete_user(**user)


def test_a_role_name_that_is_taken_is_refused(cloud: Cloud) -> None:
    with stack(cloud) as first, stack(cloud) as second:
        first.create({"Role": role(RoleName=f"{first.name}-role")})
        with pytest.raises(StackError, match="already exists"):
            second.create({"Role": role("ecs-tasks.amazonaws.com", RoleName=f"{first.name}-role")})
        document = cloud.client("iam").get_role(RoleName=f"{first.name}-role")["Role"]["AssumeRolePolicyDocument"]
        assert document["Statement"][0]["Principal"] == {"Service": "lambda.amazonaws.com"}


def test_a_policy_that_does_not_exist_is_not_attached(cloud: Cloud) -> None:
    missing = "arn:aws:iam::111122223333:policy/none"
    with stack(cloud) as made, pytest.raises(StackError, match=f"Policy {missing} does not exist or is not attachable"):
        made.create({"Role": role(ManagedPolicyArns=[missing])})
