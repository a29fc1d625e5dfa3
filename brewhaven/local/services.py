"""Add a whole AWS service to the emulator: its API, its IAM actions and its state over ``down`` and ``up``."""

from __future__ import annotations

import json
import types
from collections.abc import Callable
from typing import Any

Operation = Callable[[dict[str, Any]], dict[str, Any]]


class ServiceError(Exception):
    """A refusal in the words of the service: ``code`` is the SDK's exception name."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        self.message = message
        super().__init__(message)


def register_json_service(
    name: str,
    *,
    target_prefix: str,
    iam_namespace: str,
    operations: dict[str, Operation],
    stores: dict[str, Any],
) -> None:
    """Serve an AWS JSON service next to the emulator's own.

    Args:
        name: Name of the service and of its state file.
        target_prefix: What the SDKs send in ``X-Amz-Target`` before the operation.
        iam_namespace: Prefix of its IAM actions.
        operations: Operation name -> function from request to response; it raises :class:`ServiceError` to refuse.
        stores: Name -> account-and-region-scoped dictionary, kept in the state file and emptied by a reset.
    """
    from ministack import app
    from ministack.core import iam_actions, router
    from ministack.core.responses import error_response_json, json_response

    async def handle_request(_method: str, _path: str, headers: dict[str, str], body: bytes, _query: Any) -> Any:
        operation = headers.get("x-amz-target", "").rpartition(".")[2]
        function = operations.get(operation)
        if function is None:
            return error_response_json("UnknownOperationException", f"{name} has no operation {operation!r} here", 400)
        try:
            return json_response(function(json.loads(body or b"{}")))
        except ServiceError as error:
            return error_response_json(error.code, error.message, 400)

    def get_state() -> dict[str, Any]:
        return dict(stores)

    def load_persisted_state(data: dict[str, Any] | None) -> None:
        for key, store in stores.items():
            store.update((data or {}).get(key, {}))

    def reset() -> None:
        for store in stores.values():
            store.clear()

    module: Any = types.ModuleType(f"brewhaven.local.services.{name}")
    module.handle_request = handle_request
    module.get_state = get_state
    module.load_persisted_state = module._restore_state = load_persisted_state
    module.reset = reset

    app._loaded_modules[name] = module
    app.SERVICE_REGISTRY[name] = {"module": name}
    app.SERVICE_HANDLERS[name] = app._lazy_handler(name)
    app._state_map[name] = name
    router.SERVICE_PATTERNS[name] = {"target_prefixes": [target_prefix], "credential_scope": name}
    iam_actions.SERVICE_TO_IAM_NAMESPACE[name] = iam_namespace
