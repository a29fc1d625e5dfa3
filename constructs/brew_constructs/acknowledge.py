"""Saying why a finding of cdk-nag is accepted, at the place that causes it."""

import json
from collections.abc import Mapping

import aws_cdk as cdk
from constructs import Construct, IConstruct


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


def wildcard(resource: cdk.IResource, suffix: str, *, seen_from: IConstruct | None = None) -> str:
    """The name of the finding that a policy allows everything below a resource: its ARN followed by `suffix`.

    :param seen_from: where the policy is. In another stack than the resource's, cdk-nag sees the ARN as the reference
        between the two stacks. By default the policy is in the same stack.
    """
    owner = cdk.Stack.of(resource)
    element = resource.node.default_child
    logical_id = owner.get_logical_id(element) if isinstance(element, cdk.CfnElement) else ""
    arn = f"<{logical_id}.Arn>"
    if seen_from is not None and cdk.Stack.of(seen_from).node.path != owner.node.path:
        reference = {"StackName": owner.stack_name, "Region": owner.region, "OutputName": _published(logical_id)}
        arn = json.dumps({"Fn::GetStackOutput": reference}, separators=(",", ":"))
    return f"AwsSolutions-IAM5[Resource::{arn}{suffix}]"


def _published(logical_id: str) -> str:
    """The output that the CDK adds to a stack when another one needs an ARN of it: found by making the same again."""
    elsewhere = cdk.Stack()
    attribute = json.dumps({"Fn::GetAtt": [logical_id, "Arn"]}, separators=(",", ":"))
    output = cdk.CfnOutput(Construct(elsewhere, "Publish"), f"Output{attribute}", value=logical_id)
    return str(elsewhere.get_logical_id(output))
