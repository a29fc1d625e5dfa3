"""Conditions of a template may compute what they compare: the bootstrap stack joins a list parameter in one."""

from __future__ import annotations

from typing import Any

from brewhaven.local.registry import correction, replace

_FUNCTIONS = frozenset({"Fn::FindInMap", "Fn::Join", "Fn::Select", "Fn::Split", "Fn::Sub"})


@correction
def conditions_compute_their_values() -> None:
    """The emulator compares such a function itself, not its value, so that the condition is never equal to anything.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference-conditions.html
    """
    from ministack.services.cloudformation import changesets, engine, handlers, stacks

    original = engine._evaluate_conditions

    def evaluate(template: dict[str, Any], parameters: dict[str, Any]) -> Any:
        mappings = template.get("Mappings", {})

        def computed(value: Any) -> Any:
            if isinstance(value, list):
                return [computed(item) for item in value]
            if not isinstance(value, dict):
                return value
            if _FUNCTIONS & value.keys() or str(value.get("Ref", "")).startswith("AWS::"):
                return engine._resolve_refs(value, {}, parameters, {}, mappings, "", "")
            return {key: computed(item) for key, item in value.items()}

        conditions = computed(template.get("Conditions") or {})
        return original({**template, "Conditions": conditions}, parameters)

    for module in (engine, stacks, handlers, changesets):
        if hasattr(module, "_evaluate_conditions"):
            replace(module, "_evaluate_conditions", lambda _: evaluate)
