"""What a program in a container does about databases: ask the local cloud before it connects (network_shim)."""

from __future__ import annotations

import http.server
import json
import os
import subprocess
import sys
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from brewhaven.local.engines.containers import SHIM

_REFUSED_PORT = 15432
# As much of psycopg as the hook sees.
_PSYCOPG = """
class OperationalError(Exception): pass
class conninfo:
    @staticmethod
    def conninfo_to_dict(text): return dict(word.split("=") for word in text.split())
class Connection:
    @classmethod
    def connect(cls, conninfo="", **options): return "connected"
class AsyncConnection(Connection): pass
"""


class _Cloud(http.server.BaseHTTPRequestHandler):
    asked: list[tuple[str, int]] = []  # noqa: RUF012  (one server, one list)

    def do_GET(self) -> None:
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
        self.asked.append((query["ip"], int(query["port"])))
        refused = int(query["port"]) == _REFUSED_PORT
        body = json.dumps({"errno": "ETIMEDOUT", "reason": "no rule admits it"} if refused else {}).encode()
        self.send_response(409 if refused else 404)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Quiet."""


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """`run(program)`: what a program prints that runs with the shim."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Cloud)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    (tmp_path / "psycopg.py").write_text(_PSYCOPG)
    _Cloud.asked.clear()

    def start(program: str) -> str:
        environment = {
            **os.environ,
            "PYTHONPATH": f"{SHIM}{os.pathsep}{tmp_path}",
            "BREWHAVEN_NETWORK_TABLE": str(tmp_path),
            "BREWHAVEN_NETWORK_LOOKUP": f"http://127.0.0.1:{server.server_port}/network/token",
            "BREWHAVEN_NETWORK_ADDRESS": "10.0.0.9",
            "AWS_ENDPOINT_URL": "https://127.0.0.1:4566",
        }
        return subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True, timeout=30
        ).stdout.strip()

    yield start
    server.shutdown()
    server.server_close()


def test_a_socket_to_a_database_is_refused_where_the_cloud_refuses(run: Callable[[str], str]) -> None:
    program = f"""
import socket
try:
    socket.create_connection(("127.0.0.1", {_REFUSED_PORT}))
except TimeoutError as error:
    print(error.strerror)
"""
    assert run(program) == "no rule admits it"


def test_the_apis_are_reached_without_asking(run: Callable[[str], str]) -> None:
    program = """
import socket
with socket.socket() as line:
    line.settimeout(0.2)
    line.connect_ex(("127.0.0.1", 4566))
print("done")
"""
    assert run(program) == "done"
    assert _Cloud.asked == []


def test_psycopg_asks_before_libpq_connects(run: Callable[[str], str]) -> None:
    program = f"""
import psycopg
for port in ({_REFUSED_PORT}, 15433):
    for kind in (psycopg.Connection, psycopg.AsyncConnection):
        try:
            print(kind.connect(f"host=127.0.0.1 port={{port}}", dbname="shop"))
        except psycopg.OperationalError as error:
            print(error)
print(psycopg.Connection.connect(host="127.0.0.1", port={_REFUSED_PORT + 2}))
"""
    refused = f'connection to server at "127.0.0.1", port {_REFUSED_PORT} failed: no rule admits it'
    assert run(program).splitlines() == [refused, refused, "connected", "connected", "connected"]
