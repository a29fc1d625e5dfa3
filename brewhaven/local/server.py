"""The local cloud's process: the emulator with TLS and IAM, our extensions, and its plain HTTP doors.

Run as ``python -m brewhaven.local.server`` by :mod:`brewhaven.local.lifecycle`, never by hand: the emulator reads its
settings from the environment while it is imported, so that the environment must be complete before.
"""

from __future__ import annotations

import asyncio
import asyncio.constants
import logging
import signal
import sys
from typing import Any

from brewhaven.local import operator, tls
from brewhaven.local.checkpoints import Checkpoints
from brewhaven.local.doors import DOORS, as_secure_transport
from brewhaven.local.engines.api_paths import with_paths
from brewhaven.local.guard import without_administration
from brewhaven.local.http_server import serve
from brewhaven.local.registry import REGISTRY, load_extensions, replace
from brewhaven.local.settings import CloudSettings

logger = logging.getLogger("brewhaven.local")


def _prepare(settings: CloudSettings) -> Any:
    """Load emulator and extensions; return the emulator's ASGI application."""
    from ministack import app as emulator

    load_extensions()
    key = operator.load_or_create(settings.credentials_file)

    def install_operator() -> None:
        operator.install(key, settings.account_id, settings.region)

    def after_reset(original: Any) -> Any:
        def reset() -> None:
            original()
            for callback in (install_operator, *REGISTRY.on_reset):
                callback()

        return reset

    def after_load(original: Any) -> Any:
        def load() -> None:
            original()
            for callback in (install_operator, *REGISTRY.on_start):
                callback()

        return load

    replace(emulator, "_reset_all_state", after_reset)
    replace(emulator, "_load_persisted_state", after_load)
    return emulator.app


async def _run(settings: CloudSettings) -> None:
    checkpoints = Checkpoints()
    application = with_paths(checkpoints.watch(without_administration(_prepare(settings))))
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

    _, certificate, key = tls.ensure_certificates(settings.folder / "tls")
    DOORS.open_on(loop)
    engines_stopped = asyncio.Event()

    async def stop_engines() -> None:
        # While the APIs still answer: what runs in containers may have something to finish.
        await stop.wait()
        for callback in REGISTRY.on_stop:
            await asyncio.to_thread(callback)
        engines_stopped.set()

    await asyncio.gather(
        stop_engines(),
        serve(application, settings.port, engines_stopped.wait, certificate=(certificate, key), has_lifespan=True),
        serve(as_secure_transport(application), settings.s3_port, engines_stopped.wait),
        checkpoints.run(stop),
    )


# Clients that keep connections alive seldom answer the end of a TLS session; asyncio would wait 30 s for each.
_TLS_GOODBYE_SECONDS = 1.0


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    vars(asyncio.constants)["SSL_SHUTDOWN_TIMEOUT"] = _TLS_GOODBYE_SECONDS
    logging.getLogger("persistence").setLevel(logging.WARNING)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    asyncio.run(_run(CloudSettings.from_environment()))


if __name__ == "__main__":
    main()
