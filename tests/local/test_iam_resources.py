"""Each call is authorized on the resource that it names: a grant on that one admits it, a grant on another does not.

https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.local.stacks import allow
from tests.plugins.local_cloud import Cloud

pytestmark = pytest.mark.local

ARN = "arn:aws:{}:us-east-1:111122223333:{}"
QUEUE = "https://sqs.us-east-1.amazonaws.com/111122223333/cups"
TOPIC = ARN.format("sns", "cups")
# service, operation, parameters, IAM action, and what the resource's ARN ends in
CASES: list[tuple[str, str, dict[str, Any], str, str]] = [
    ("ecr", "describe_repositories", {"repositoryNames": ["cups"]}, "ecr:DescribeRepositories", "ecr:repository/cups"),
    ("ecr", "describe_images", {"repositoryName": "cups"}, "ecr:DescribeImages", "ecr:repository/cups"),
    ("ssm", "get_parameter", {"Name": "/shop/config"}, "ssm:GetParameter", "ssm:parameter/shop/config"),
    ("ssm", "get_parameters", {"Names": ["/shop/config"]}, "ssm:GetParameters", "ssm:parameter/shop/config"),
    ("ssm", "get_parameters_by_path", {"Path": "/shop"}, "ssm:GetParametersByPath", "ssm:parameter/shop"),
    ("ssm", "put_parameter", {"Name": "/shop/a", "Value": "1", "Type": "String", "Overwrite": True},
     "ssm:PutParameter", "ssm:parameter/shop/a"),
    ("secretsmanager", "get_secret_value", {"SecretId": "key"}, "secretsmanager:GetSecretValue",
     "secretsmanager:secret:key-*"),
    ("secretsmanager", "describe_secret", {"SecretId": "key"}, "secretsmanager:DescribeSecret",
     "secretsmanager:secret:key-*"),
    ("logs", "create_log_stream", {"logGroupName": "/cups", "logStreamName": "s"}, "logs:CreateLogStream",
     "logs:log-group:/cups:*"),
    ("logs", "put_log_events",
     {"logGroupName": "/cups", "logStreamName": "s", "logEvents": [{"timestamp": 1, "message": "m"}]},
     "logs:PutLogEvents", "logs:log-group:/cups:log-stream:s"),
    ("logs", "filter_log_events", {"logGroupName": "/cups"}, "logs:FilterLogEvents", "logs:log-group:/cups:*"),
    ("dynamodb", "describe_table", {"TableName": "cups"}, "dynamodb:DescribeTable", "dynamodb:table/cups"),
    ("dynamodb", "batch_get_item", {"RequestItems": {"cups": {"Keys": [{"pk": {"S": "a"}}]}}},
     "dynamodb:BatchGetItem", "dynamodb:table/cups"),
    ("dynamodb", "describe_time_to_live", {"TableName": "cups"}, "dynamodb:DescribeTimeToLive", "dynamodb:table/cups"),
    ("dynamodb", "describe_continuous_backups", {"TableName": "cups"}, "dynamodb:DescribeContinuousBackups",
     "dynamodb:table/cups"),
    ("dynamodb", "get_resource_policy", {"ResourceArn": ARN.format("dynamodb", "table/cups")},
     "dynamodb:GetResourcePolicy", "dynamodb:table/cups"),
    ("ecs", "describe_clusters", {"clusters": ["cups"]}, "ecs:DescribeClusters", "ecs:cluster/cups"),
    ("ecs", "describe_services", {"cluster": "cups", "services": ["shop"]}, "ecs:DescribeServices",
     "ecs:service/cups/shop"),
    ("ecs", "update_service", {"cluster": "cups", "service": "shop", "desiredCount": 0}, "ecs:UpdateService",
     "ecs:service/cups/shop"),
    ("ec2", "reboot_instances", {"InstanceIds": ["i-0123456789abcdef0"]}, "ec2:RebootInstances",
     "ec2:instance/i-0123456789abcdef0"),
    ("ec2", "authorize_security_group_ingress", {"GroupId": "sg-0123456789abcdef0", "IpPermissions": []},
     "ec2:AuthorizeSecurityGroupIngress", "ec2:security-group/sg-0123456789abcdef0"),
    ("servicediscovery", "get_service", {"Id": "srv-1"}, "servicediscovery:GetService",
     "servicediscovery:service/srv-1"),
    ("lambda", "invoke", {"FunctionName": "roast"}, "lambda:InvokeFunction", "lambda:function:roast"),
    ("sqs", "send_message", {"QueueUrl": QUEUE, "MessageBody": "m"}, "sqs:SendMessage", "sqs:cups"),
    ("sqs", "send_message_batch", {"QueueUrl": QUEUE, "Entries": [{"Id": "1", "MessageBody": "m"}]},
     "sqs:SendMessage", "sqs:cups"),
    ("sqs", "delete_message_batch", {"QueueUrl": QUEUE, "Entries": [{"Id": "1", "ReceiptHandle": "r"}]},
     "sqs:DeleteMessage", "sqs:cups"),
    ("sqs", "change_message_visibility_batch",
     {"QueueUrl": QUEUE, "Entries": [{"Id": "1", "ReceiptHandle": "r", "VisibilityTimeout": 1}]},
     "sqs:ChangeMessageVisibility", "sqs:cups"),
    ("sns", "publish", {"TopicArn": TOPIC, "Message": "m"}, "sns:Publish", "sns:cups"),
    ("sns", "publish_batch", {"TopicArn": TOPIC, "PublishBatchRequestEntries": [{"Id": "1", "Message": "m"}]},
     "sns:Publish", "sns:cups"),
    ("elbv2", "describe_load_balancers", {}, "elasticloadbalancing:DescribeLoadBalancers", "*"),
    ("application-autoscaling", "describe_scalable_targets", {"ServiceNamespace": "ecs"},
     "application-autoscaling:DescribeScalableTargets", "*"),
]  # fmt: skip
DENIED = ("AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation")


@pytest.fixture(scope="module")
def user(cloud: Cloud) -> Iterator[Any]:
    """Set one user's policy, get the user's client."""
    iam, name = cloud.client("iam"), f"test-{uuid.uuid4().hex[:8]}"
    iam.create_user(UserName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    credentials = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}

    def client(service: str, policy: dict[str, Any]) -> Any:
        iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps(policy))
        return cloud.client(service, **credentials)

    yield client
    iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
    iam.delete_user_policy(UserName=name, PolicyName="p")
    iam.delete_user(UserName=name)


def may(client: Any, operation: str, parameters: dict[str, Any]) -> bool:
    """Whether IAM admits the call; what the service then says of a thing that is not there does not matter."""
    try:
        getattr(client, operation)(**parameters)
    except ClientError as error:
        return error.response["Error"]["Code"] not in DENIED
    return True


@pytest.fixture(scope="module")
def secret(cloud: Cloud) -> Iterator[None]:
    """AWS authorizes on the ARN of a secret, whose random end only an existing one has."""
    cloud.client("secretsmanager").create_secret(Name="key", SecretString="cup")
    yield
    cloud.client("secretsmanager").delete_secret(SecretId="key", ForceDeleteWithoutRecovery=True)


@pytest.mark.usefixtures("secret")
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}:{case[1]}")
def test_a_grant_is_for_what_it_names(user: Any, case: tuple[str, str, dict[str, Any], str, str]) -> None:
    service, operation, parameters, action, resource = case
    arn = resource if resource == "*" else ARN.format(*resource.split(":", 1))
    assert may(user(service, allow(action, on=arn)), operation, parameters)
    assert not may(user(service, allow("sqs:ListQueues")), operation, parameters)
    if resource != "*":
        another = arn.replace("cups", "mugs").replace("shop", "bar").replace("key-", "lock-").replace("roast", "grind")
        another = another.replace("0123456789abcdef0", "00000000000000000").replace("srv-1", "srv-2")
        assert not may(user(service, allow(action, on=another)), operation, parameters)


def test_every_name_of_a_call_needs_its_grant(user: Any) -> None:
    one = allow("ssm:GetParameters", on=ARN.format("ssm", "parameter/one"))
    assert may(user("ssm", one), "get_parameters", {"Names": ["one"]})
    assert not may(user("ssm", one), "get_parameters", {"Names": ["one", "two"]})


def test_a_policy_goes_back_to_an_earlier_version(cloud: Cloud) -> None:
    """With SetDefaultPolicyVersion, which decides from then on (resources/iam_policy_versions.py)."""
    iam = cloud.client("iam")
    suffix = uuid.uuid4().hex[:8]
    user, name = f"versions-{suffix}", f"versions-{suffix}"
    arn = iam.create_policy(PolicyName=name, PolicyDocument=json.dumps(allow("dynamodb:ListTables")))["Policy"]["Arn"]
    iam.create_user(UserName=user)
    key = iam.create_access_key(UserName=user)["AccessKey"]
    try:
        iam.attach_user_policy(UserName=user, PolicyArn=arn)
        mine = cloud.client(
            "dynamodb", aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"]
        )
        mine.list_tables()
        iam.create_policy_version(
            PolicyArn=arn, PolicyDocument=json.dumps(allow("dynamodb:DescribeLimits")), SetAsDefault=True
        )
        with pytest.raises(ClientError, match="AccessDenied"):
            mine.list_tables()
        iam.set_default_policy_version(PolicyArn=arn, VersionId="v1")
        mine.list_tables()
        assert iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"] == "v1"
        with pytest.raises(ClientError, match="NoSuchEntity"):
            iam.set_default_policy_version(PolicyArn=arn, VersionId="v9")
    finally:
        iam.detach_user_policy(UserName=user, PolicyArn=arn)
        iam.delete_access_key(UserName=user, AccessKeyId=key["AccessKeyId"])
        iam.delete_user(UserName=user)
        iam.delete_policy_version(PolicyArn=arn, VersionId="v2")
        iam.delete_policy(PolicyArn=arn)
