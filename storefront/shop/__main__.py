"""`python -m shop` serves the shop on port 8080 until it is told to stop (SIGTERM), and then finishes what it began."""

import logging
import os
import sys
from types import FrameType

import uvicorn

from shop import logs
from shop.app import create_app
from shop.live import LiveReads
from shop.settings import Settings, SettingsError
from shop.wiring import build

PORT = 8080


class _Server(uvicorn.Server):
    """Lets waiting requests answer as soon as the process is told to stop, instead of after their 24 seconds."""

    def __init__(self, config: uvicorn.Config, live: LiveReads) -> None:
        super().__init__(config)
        self._live = live

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._live.stop()
        super().handle_exit(sig, frame)


def main() -> None:
    """Serve.  Ends with 1 and one sentence when the environment lacks something."""
    logs.set_up()
    try:
        settings = Settings.from_environment(os.environ)
    except SettingsError as error:
        logging.getLogger("shop").error("%s", error)
        sys.exit(1)
    services = build(settings)
    config = uvicorn.Config(
        create_app(services),
        host=settings.host,
        port=PORT,
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=20,
    )
    _Server(config, services.live).run()


if __name__ == "__main__":
    main()
