"""CloudFormation: a stack's description is that of its template, also when it was deployed through a change set."""

from __future__ import annotations

from typing import Any

from brewhaven.local.registry import correction


@correction
def a_stack_describes_itself_as_its_template_does() -> None:
    """DescribeStacks answers the description of the stack's present template; the emulator keeps the first request's.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_Stack.html
    """
    from ministack.services import cloudformation

    handlers: dict[str, Any] = cloudformation._ACTION_HANDLERS
    original = handlers["DescribeStacks"]

    def describe(parameters: Any) -> Any:
        for stack in cloudformation._stacks.values():
            stack["Description"] = (stack.get("_template") or {}).get("Description", "")
        return original(parameters)

    handlers["DescribeStacks"] = describe
