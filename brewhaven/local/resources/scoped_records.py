"""The emulator's records are read while other threads write them: a deletion goes on while functions still log."""

from __future__ import annotations

from typing import Any

from brewhaven.local.registry import correction, replace


@correction
def records_are_read_while_others_write() -> None:
    """A reader goes through a copy, which is made in one step.

    The emulator copies with ``list(records.items())``. That makes a pair for each record, and in between the garbage
    collector may let another thread in: with many records, such as those of the logs, it then fails.
    """
    from ministack.core import responses

    def items(_original: Any) -> Any:
        def read(store: Any) -> list[tuple[Any, Any]]:
            mine = store._data.copy().items()
            return [(store._unscope(key), record) for key, record in mine if store._is_mine(key)]

        return read

    def values(_original: Any) -> Any:
        return lambda store: [record for key, record in store._data.copy().items() if store._is_mine(key)]

    for kind in (responses.AccountScopedDict, responses.AccountRegionScopedDict):
        replace(kind, "items", items)
        replace(kind, "values", values)
