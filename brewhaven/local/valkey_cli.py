"""``valkey-cli`` with TLS: the one of the wheel is built without, and an encrypted cache demands it.

Everything but the options of TLS goes to the real ``valkey-cli``; with ``--tls`` its connections pass through a tunnel
in this process, which verifies certificate and host name. Works with any server, not just the local cloud's.
"""

from __future__ import annotations

import asyncio
import os
import signal
import ssl
import subprocess
import sys
import threading
import urllib.parse
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from brewhaven.errors import BrewHavenError
from brewhaven.local.engines.valkey_server import program

_HOST = "127.0.0.1"
_CHUNK = 65536
_OURS = ("--cacert", "--cacertdir", "--sni", "-h", "-p", "-u")
_NOT_HERE = ("--cert", "--key", "--tls-ciphers", "--tls-ciphersuites")
# Options of the real program that are followed by a value, so that the value is not taken for the command.
_WITH_VALUE = ("-a", "--pass", "--user", "-n", "-r", "-i", "-t", "-d", "-D", "-X", "-s", "--eval", "--pattern")


@dataclass
class Call:
    """What was asked for.

    Attributes:
        tls: Through the tunnel.
        ours: Host, port, address and the options of TLS, by their names on the command line.
        arguments: For the real program.
    """

    tls: bool = False
    insecure: bool = False
    ours: dict[str, str] = field(default_factory=dict)
    arguments: list[str] = field(default_factory=list)

    @property
    def host(self) -> str:
        return self.ours.get("-h", _HOST)

    @property
    def port(self) -> int:
        return int(self.ours.get("-p", "6379"))


def parse(arguments: list[str]) -> Call:
    """Take the options of TLS, host and port out of a command line.

    Raises:
        BrewHavenError: An option lacks its value, or is one that the tunnel does not know.
    """
    call, rest = Call(), list(arguments)
    while rest and rest[0].startswith("-"):
        word = rest.pop(0)
        if word in _NOT_HERE:
            raise BrewHavenError(f"This valkey-cli does not know {word}: it shows no certificate of its own.")
        if word in (*_OURS, *_WITH_VALUE) and not rest:
            raise BrewHavenError(f"{word} needs a value.")
        call.tls |= word == "--tls"
        call.insecure |= word == "--insecure"
        if word in _OURS:
            call.ours[word] = rest.pop(0)
        elif word not in ("--tls", "--insecure"):
            call.arguments += [word, rest.pop(0)] if word in _WITH_VALUE else [word]
    if "-u" in call.ours:
        _take_url(call, call.ours.pop("-u"))
    if not call.ours.get("-p", "1").isdecimal():
        raise BrewHavenError(f"-p needs a port number, got {call.ours['-p']!r}.")
    # The command with its words comes last.
    call.arguments += rest
    return call


def _take_url(call: Call, text: str) -> None:
    url = urllib.parse.urlsplit(text)
    call.tls |= url.scheme in ("rediss", "valkeys")
    call.ours |= {"-h": url.hostname or call.host, "-p": str(url.port or call.port)}
    if url.username:
        call.arguments += ["--user", urllib.parse.unquote(url.username)]
    if url.password:
        call.arguments += ["--no-auth-warning", "-a", urllib.parse.unquote(url.password)]
    if url.path.strip("/"):
        call.arguments += ["-n", url.path.strip("/")]


def context_of(call: Call, environment: Mapping[str, str]) -> ssl.SSLContext:
    """Whom to trust: ``--cacert`` and ``--cacertdir``, else the machine's authorities and that of AWS_CA_BUNDLE.

    Raises:
        BrewHavenError: The file does not exist.
    """
    own, folder = call.ours.get("--cacert"), call.ours.get("--cacertdir")
    bundle = None if own or folder else environment.get("AWS_CA_BUNDLE")
    for file in (own, bundle):
        if file and not Path(file).exists():
            raise BrewHavenError(f"The certificate file {file} does not exist.")
    context = ssl.create_default_context(cafile=own, capath=folder)
    if bundle:
        context.load_verify_locations(bundle)
    if call.insecure:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


class Tunnel:
    """A port of this machine that leads through TLS to a server."""

    def __init__(self, call: Call, context: ssl.SSLContext) -> None:
        self._call, self._context = call, context
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

    def open(self) -> int:
        """Connect once, to verify certificate and host name, then listen; return the port.

        Raises:
            OSError: The server cannot be reached, or is not to be trusted.
        """
        return asyncio.run_coroutine_threadsafe(self._open(), self._loop).result()

    async def _open(self) -> int:
        _, writer = await self._connect()
        writer.close()
        server = await asyncio.start_server(self._serve, _HOST, 0)
        return int(server.sockets[0].getsockname()[1])

    def close(self) -> None:
        """End all connections."""
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()

    @staticmethod
    async def _close() -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        name = self._call.ours.get("--sni") or self._call.host
        return await asyncio.open_connection(
            self._call.host, self._call.port, ssl=self._context, server_hostname=name, ssl_handshake_timeout=10
        )

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            inner_reader, inner_writer = await self._connect()
        except OSError:
            writer.close()
            return
        with suppress(asyncio.CancelledError):  # Of close(): asyncio would print it.
            await asyncio.gather(_pump(reader, inner_writer), _pump(inner_reader, writer))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await reader.read(_CHUNK):
            writer.write(chunk)
            await writer.drain()
    with suppress(OSError):
        writer.close()


def main() -> None:
    """Run ``valkey-cli``; its exit code is ours."""
    tunnel = None
    try:
        call = parse(sys.argv[1:])
        host, port = call.host, call.port
        if call.tls:
            tunnel = Tunnel(call, context_of(call, os.environ))
            host, port = _HOST, tunnel.open()
        words = [str(program("valkey-cli")), "-h", host, "-p", str(port), *call.arguments]
    except BrewHavenError as error:
        sys.exit(str(error))
    except OSError as error:
        sys.exit(f"Could not connect to Valkey at {call.host}:{call.port} over TLS: {error}")
    # Ctrl-C is the real program's: it ends a subscription and not the session.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    code = subprocess.run(words, check=False).returncode
    if tunnel is not None:
        tunnel.close()
    sys.exit(code)


if __name__ == "__main__":
    main()
