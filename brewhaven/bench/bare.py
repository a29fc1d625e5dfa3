"""What the shop is compared with: one FastAPI route that does nothing, served exactly as the shop is."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import fastapi
import uvicorn

app = fastapi.FastAPI()


@app.get("/")
def bare() -> dict[str, bool]:
    """Answer at once."""
    return {"ok": True}


@contextmanager
def serving() -> Iterator[str]:
    """The bare route in a process of its own, at an address of this machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-m", __name__, str(port)])
    try:
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                if time.monotonic() > deadline or process.poll() is not None:
                    raise
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    # With the parser that the shop's image has: the tool's own environment holds a faster one for the local cloud.
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(sys.argv[1]),
        http="h11",
        log_config=None,
        access_log=False,
        timeout_keep_alive=75,
    )
