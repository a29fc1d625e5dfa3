"""What all engines share, started before any of them and stopped after all: watchdog, network, link-local door."""

from __future__ import annotations

from collections.abc import Callable

from brewhaven.local.engines.link_local import LINK_LOCAL
from brewhaven.local.engines.network import NETWORK
from brewhaven.local.engines.watchdog import WATCHDOG
from brewhaven.local.registry import REGISTRY
from brewhaven.local.settings import CloudSettings

# Where containers, images and environments are kept; `brewhaven local reset` empties it.
CONTAINERS = CloudSettings.from_environment().folder / "containers"
_closers: list[Callable[[], None]] = []


def close_with(closer: Callable[[], None]) -> None:
    """Call ``closer`` when the local cloud stops, before the watchdog ends what is left."""
    _closers.append(closer)


def _start() -> None:
    WATCHDOG.start(CONTAINERS / "processes")
    NETWORK.forget_all()
    LINK_LOCAL.open()


def _reset() -> None:
    LINK_LOCAL.tasks.clear()
    NETWORK.forget_all()


def _stop() -> None:
    for closer in _closers:
        closer()
    WATCHDOG.stop()


# This module is imported by those that register engines, so that these come first.
REGISTRY.on_start.append(_start)
REGISTRY.on_reset.append(_reset)
REGISTRY.on_stop.append(_stop)
