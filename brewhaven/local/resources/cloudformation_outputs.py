"""CloudFormation: a change set that changes nothing but outputs is a change, and can be executed."""

from __future__ import annotations

from typing import Any

from brewhaven.local.registry import correction

_NOTHING = "The submitted information didn't contain changes."


@correction
def outputs_alone_are_a_change() -> None:
    """An UPDATE change set whose template differs in ``Outputs`` alone has no resource changes and is available.

    The emulator looks at resources only, and fails it. Then a later phase, which makes an earlier stack say more (see
    docs/decisions/0002-weak-references.md), could never be added to one that is deployed.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/outputs-section-structure.html
    """
    from ministack.services import cloudformation

    handlers: dict[str, Any] = cloudformation._ACTION_HANDLERS
    original = handlers["CreateChangeSet"]

    def create(parameters: Any) -> Any:
        before = set(cloudformation._change_sets)
        answer = original(parameters)
        for id_ in set(cloudformation._change_sets) - before:
            change_set = cloudformation._change_sets[id_]
            if _is_refused_for_nothing(change_set) and _outputs_differ(change_set):
                change_set |= {"Status": "CREATE_COMPLETE", "ExecutionStatus": "AVAILABLE", "StatusReason": ""}
        return answer

    def _outputs_differ(change_set: dict[str, Any]) -> bool:
        stack = cloudformation._stacks.get(change_set["StackName"]) or {}
        now = (stack.get("_template") or {}).get("Outputs") or {}
        return bool(now != (change_set["_template"].get("Outputs") or {}))

    handlers["CreateChangeSet"] = create


def _is_refused_for_nothing(change_set: dict[str, Any]) -> bool:
    return (
        change_set["ChangeSetType"] == "UPDATE"
        and change_set["Status"] == "FAILED"
        and str(change_set["StatusReason"]).startswith(_NOTHING)
    )
