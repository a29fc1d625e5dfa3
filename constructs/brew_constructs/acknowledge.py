"""Saying why a finding of cdk-nag is accepted, at the place that causes it."""

from collections.abc import Mapping

import aws_cdk as cdk
from constructs import IConstruct


def acknowledge(scope: IConstruct, findings: Mapping[str, str]) -> None:
    """Accept findings on `scope` and what is inside it, each with the reason that a reader would ask for.

    A rule that reports several findings on one resource names them in brackets, and each is accepted by itself:
    `AwsSolutions-IAM5[Resource::*]`.

    :param findings: the reason for each finding.
    :raises ValueError: for a finding without a reason.

    https://github.com/cdklabs/cdk-nag
    """
    silent = [finding for finding, reason in findings.items() if not reason.strip()]
    if silent:
        raise ValueError(f"say why these findings are accepted: {', '.join(silent)}")
    cdk.Validations.of(scope).acknowledge(
        *(cdk.Acknowledgment(id=finding, reason=reason) for finding, reason in findings.items())
    )


def wildcard(resource: cdk.IResource, suffix: str) -> str:
    """The name of the finding that a policy allows everything below a resource: its ARN followed by `suffix`."""
    element = resource.node.default_child
    logical_id = cdk.Stack.of(resource).get_logical_id(element) if isinstance(element, cdk.CfnElement) else ""
    return f"AwsSolutions-IAM5[Resource::<{logical_id}.Arn>{suffix}]"
