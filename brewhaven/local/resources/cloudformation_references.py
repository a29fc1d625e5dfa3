"""``Fn::GetStackOutput``, by which the CDK refers to other stacks, reads stacks that exist, in any region."""

from __future__ import annotations

from typing import Any

from brewhaven.local.registry import correction, replace

_NAME = "Fn::GetStackOutput"


@correction
def outputs_of_deleted_stacks_are_gone() -> None:
    """A deleted stack has no outputs, and ``Region`` names where the producer is; the emulator ignores both.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html
    """
    from ministack.services.cloudformation import changesets, engine, handlers, stacks

    original = engine._resolve_refs

    def resolve(value: Any, *context: Any) -> Any:
        if not isinstance(value, dict) or not isinstance(value.get(_NAME), dict):
            return original(value, *context)
        wanted = {key: original(part, *context) for key, part in value[_NAME].items()}
        return _output(str(wanted["StackName"]), str(wanted["OutputName"]), wanted.get("Region"))

    for module in (engine, stacks, handlers, changesets):
        replace(module, "_resolve_refs", lambda _: resolve)


def _output(stack_name: str, output_name: str, region: Any) -> str:
    from ministack.core.responses import get_account_id, get_region, request_scope
    from ministack.services.cloudformation import _stacks

    with request_scope(get_account_id(), str(region or get_region())):
        stack = _stacks.get(stack_name)
    if stack is None or stack.get("StackStatus") == "DELETE_COMPLETE":
        raise ValueError(f"Stack with id {stack_name} does not exist")
    for output in stack.get("Outputs", []):
        if output["OutputKey"] == output_name:
            return str(output["OutputValue"])
    raise ValueError(f"Output '{output_name}' not found in stack '{stack_name}'")
