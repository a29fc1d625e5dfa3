"""What a mistake writes in place of a value: the likely slip, which CloudFormation would deploy."""

from __future__ import annotations

import re
from typing import Any

from brewhaven.mutate.stack import Path

# The end of the place -> what else may stand there: the first that fits and differs from what does stand there.
_WORDS: tuple[tuple[str, str], ...] = (
    ("VersioningConfiguration.Status", "Suspended"),
    ("Status", "Disabled"),
    ("SSEAlgorithm", "aws:kms"),
    ("AllowedOrigins.*", "https://example.com"),
    ("AllowedHeaders.*", "Content-Type"),
    ("BillingMode", "PROVISIONED"),
    ("StreamViewType", "KEYS_ONLY"),
    ("ProjectionType", "KEYS_ONLY"),
    ("AttributeType", "N"),
    ("DeletionPolicy", "Retain"),
    ("UpdateReplacePolicy", "Retain"),
    ("Runtime", "python3.12"),
    ("Architectures.*", "x86_64"),
    ("LogFormat", "Text"),
    ("InvocationType", "Event"),
    ("InstanceTenancy", "dedicated"),
    ("VpcEndpointType", "Interface"),
    ("HttpTokens", "optional"),
    ("VolumeType", "gp2"),
    ("InstanceType", "t4g.large"),
    ("CpuCredits", "unlimited"),
    ("LaunchType", "EC2"),
    ("AssignPublicIp", "DISABLED"),
    ("PropagateTags", "TASK_DEFINITION"),
    ("CpuArchitecture", "X86_64"),
    ("NetworkMode", "bridge"),
    ("RequiresCompatibilities.*", "EC2"),
    ("Scheme", "internal"),
    ("TargetType", "instance"),
    ("IpProtocol", "-1"),
    ("IpProtocol", "tcp"),
    ("PortMappings.*.Protocol", "udp"),
    ("Protocol", "HTTPS"),
    ("DnsRecords.*.Type", "AAAA"),
    ("RoutingPolicy", "WEIGHTED"),
    ("PredefinedMetricType", "ECSServiceAverageMemoryUtilization"),
    ("ScalableDimension", "ecs:service:Other"),
)
_OPPOSITE = {"true": "false", "false": "true", "Allow": "Deny", "Deny": "Allow"}
_CIDR = re.compile(r"(\d+\.\d+\.\d+\.\d+)/(\d+)")
_NUMBER = re.compile(r"\d+")

EVERYWHERE = "0.0.0.0/0"
SOMEWHERE = "192.0.2.0/24"  # set aside for documentation by RFC 5737: nobody is there


def instead(path: Path, value: Any) -> tuple[str, Any]:
    """The kind of mistake, and the other value: of a word, a number, a range of addresses, or any text."""
    if isinstance(value, bool) or value in _OPPOSITE:
        return "flip", not value if isinstance(value, bool) else _OPPOSITE[value]
    if isinstance(value, int | float):
        return "number", _other_number(path, value)
    if address := _CIDR.fullmatch(value):
        return _other_range(path, address)
    if _NUMBER.fullmatch(value):
        return "number", str(int(value) * 2 or 1)
    for ending, word in _WORDS:
        if ends_with(path, ending) and word != value:
            return "word", word
    return "text", f"{value}x"


def ends_with(path: Path, ending: str) -> bool:
    """Whether a place ends like ``AllowedOrigins.*``, where a star is any element of a list."""
    steps = ending.split(".")
    if len(steps) > len(path):
        return False
    return all(
        step == ("*" if isinstance(found, int) else found)
        for step, found in zip(steps, path[-len(steps) :], strict=True)
    )


def _other_number(path: Path, value: float) -> float:
    if "Fn::Select" in path:
        return 0 if value else 1
    return value * 2 or 1


def _other_range(path: Path, address: re.Match[str]) -> tuple[str, str]:
    """Whom a rule admits or a route serves: everybody, or nobody if it was everybody; half of a network of our own."""
    if path[-1] == "CidrBlock":
        return "addresses", f"{address[1]}/{int(address[2]) + 1}"
    return "addresses", SOMEWHERE if address[0] == EVERYWHERE else EVERYWHERE
