"""From an IAM action to the address that is called: the service as it is named in VPC endpoints.

https://docs.aws.amazon.com/vpc/latest/privatelink/aws-services-privatelink-support.html
"""

from __future__ import annotations

from fnmatch import fnmatchcase

_NAMED_OTHERWISE = {
    "cloudwatch": "monitoring",
    "ecr": "ecr.api",
    "firehose": "kinesis-firehose",
    "kinesis": "kinesis-streams",
    "ses": "email",
    "es": "opensearch",
}
"""IAM's and the signature's name of a service, where endpoints have another."""

_NO_CALL = (
    "iam:PassRole",
    "rds-db:connect",
    "elasticache:Connect",
    "es:ESHttp*",
    "aoss:APIAccessAll",
    "kafka-cluster:*",
    "elasticfilesystem:Client*",
)
"""Actions by which a database, a cluster or another service asks IAM: nobody calls a service of this name for them."""


def service_of(action: str) -> str | None:
    """The service that a caller must reach for an action: `monitoring` for `cloudwatch:PutMetricData`.

    None for `*`, which names no service, and for an action that is permission alone.
    """
    prefix, colon, name = action.partition(":")
    if not colon or any(fnmatchcase(action, pattern) for pattern in _NO_CALL):
        return None
    if prefix == "states" and name.startswith("StartSync"):
        return "sync-states"
    if prefix == "bedrock" and name.startswith(("InvokeModel", "Converse", "ApplyGuardrail")):
        return "bedrock-runtime"
    return _NAMED_OTHERWISE.get(prefix, prefix)


def service_signed_for(scope: str) -> str:
    """The same for a request, by the service in its signature's credential scope: `secretsmanager`, `ecr`."""
    return _NAMED_OTHERWISE.get(scope, scope)


def service_named(endpoint_service: str) -> str:
    """`ecr.api` of `com.amazonaws.us-east-1.ecr.api`; the name itself where it is not one of AWS."""
    head, _, rest = endpoint_service.removeprefix("com.amazonaws.").partition(".")
    return rest if rest and endpoint_service.startswith("com.amazonaws.") else head or endpoint_service
