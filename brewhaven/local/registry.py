"""How the local cloud learns resource types and corrections that the emulator lacks.

One file a service in ``brewhaven/local/resources/``; each declares its CloudFormation types with :func:`resource` and
its corrections with :func:`correction`. The launcher applies all of them before the server starts. A type is never
stubbed in general: what is not declared stays the emulator's "Unrecognized resource types" error, and what is only
recorded says so (``recorded=True``) and is listed by ``brewhaven local status``.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

Properties = dict[str, Any]
Created = tuple[str, dict[str, Any]]


class Handler(Protocol):
    """The CloudFormation side of one resource type."""

    def create(self, logical_id: str, properties: Properties, stack_name: str) -> Created:
        """Make the resource; return its physical id (what ``Ref`` gives) and its ``Fn::GetAtt`` attributes."""

    def update(self, physical_id: str, old: Properties, new: Properties, stack_name: str) -> Created:
        """Change it in place, or return a new physical id where AWS replaces it."""

    def delete(self, physical_id: str, properties: Properties) -> None:
        """Remove it; a resource that is gone already is no error."""

    # ``snapshot(physical_id, properties)`` besides, where a type knows the deletion policy ``Snapshot``.


@dataclass
class Registry:
    """What the extensions declared.

    Attributes:
        handlers: CloudFormation type -> handler.
        recorded: Types whose properties are kept and answered but which do nothing, with the sentence that says so.
        stand_ins: Service, by the prefix of its IAM actions, that is answered by something simpler -> what that is.
        replacing: Type -> properties whose change makes CloudFormation create a new resource ("Update requires:
            Replacement" in the type's reference).
        tagged: Type -> its tag property, so that the stack's tags reach the resource.
        corrections: Functions that correct the emulator in place, applied once before the server starts.
        on_start: Called after persisted state is loaded (open doors, start processes).
        on_reset: Called after all state was wiped.
        on_stop: Called before the server stops.
    """

    handlers: dict[str, Handler] = field(default_factory=dict)
    recorded: dict[str, str] = field(default_factory=dict)
    stand_ins: dict[str, str] = field(default_factory=dict)
    replacing: dict[str, tuple[str, ...]] = field(default_factory=dict)
    tagged: dict[str, str] = field(default_factory=dict)
    corrections: list[Callable[[], None]] = field(default_factory=list)
    on_start: list[Callable[[], None]] = field(default_factory=list)
    on_reset: list[Callable[[], None]] = field(default_factory=list)
    on_stop: list[Callable[[], None]] = field(default_factory=list)


REGISTRY = Registry()


def resource(
    cfn_type: str, *, recorded: str | None = None, replaced_by: tuple[str, ...] = (), tags: str | None = None
) -> Callable[[type[Handler]], type[Handler]]:
    """Declare the handler class of a CloudFormation type.

    Args:
        cfn_type: For example ``AWS::EC2::SecurityGroupIngress``.
        recorded: The sentence that tells a student what is not emulated, where the type is only recorded.
        replaced_by: Properties whose change replaces the resource; the engine then creates a new one and deletes the
            old one after the update, as CloudFormation does. ``update`` is not called for them.
        tags: Name of the tag property (a list of ``{Key, Value}``), if the type has one.
    """

    def declare(handler: type[Handler]) -> type[Handler]:
        REGISTRY.handlers[cfn_type] = handler()
        REGISTRY.replacing[cfn_type] = replaced_by
        if tags:
            REGISTRY.tagged[cfn_type] = tags
        if recorded:
            REGISTRY.recorded[cfn_type] = recorded
        return handler

    return declare


def correction(function: Callable[[], None]) -> Callable[[], None]:
    """Declare a function that corrects the emulator where it differs from AWS; its docstring says how AWS behaves."""
    REGISTRY.corrections.append(function)
    return function


def replace(module: Any, name: str, build: Callable[[Any], Any]) -> None:
    """Replace ``module.name`` by ``build(original)``.

    Raises:
        RuntimeError: The emulator has no such name any more, which a new version of it can cause.
    """
    original = getattr(module, name, None)
    if original is None:
        raise RuntimeError(
            f"The pinned emulator has no {module.__name__}.{name}: a correction of the local cloud relies on it. "
            "Adapt brewhaven/local/resources/ to the emulator's new version, or pin the old one."
        )
    setattr(module, name, build(original))


def load_extensions() -> Registry:
    """Import every module of ``brewhaven.local.resources`` and hand the declarations to the emulator."""
    from ministack.services.cloudformation import provisioners

    from brewhaven.local import resources

    for module in pkgutil.iter_modules(resources.__path__):
        importlib.import_module(f"{resources.__name__}.{module.name}")
    for apply in REGISTRY.corrections:
        apply()
    for cfn_type, handler in REGISTRY.handlers.items():
        provisioners._RESOURCE_HANDLERS[cfn_type] = {
            "create": handler.create,
            "update": handler.update,
            "delete": handler.delete,
            **({"snapshot": handler.snapshot} if hasattr(handler, "snapshot") else {}),
        }
        provisioners._REPLACING_PROPERTIES[cfn_type] = REGISTRY.replacing[cfn_type]
        if cfn_type in REGISTRY.tagged:
            provisioners._STACK_TAG_PROPERTY[cfn_type] = (REGISTRY.tagged[cfn_type], "list")
    return REGISTRY
