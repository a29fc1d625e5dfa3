"""The servers of the local cloud's process: what an ASGI application and its clients can rely on."""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from brewhaven.local import http_server
from brewhaven.local.settings import HOST
from tests.plugins.loops import in_a_loop_of_its_own


@pytest.fixture
def port() -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        number = int(probe.getsockname()[1])
    yield number


async def _answering(scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Any) -> None:
    while (await receive()).get("more_body"):
        pass
    if scope["path"] == "/cut":
        connection = http_server.connection.get()
        assert connection is not None
        connection.abort()
        while (await receive())["type"] != "http.disconnect":
            pass
        return
    if scope["path"] == "/slow":
        await asyncio.sleep(60)
    body = f"{scope['scheme']} {scope['client'][0]}".encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _ask(port: int, *paths: str, headers: str = "") -> list[bytes]:
    """The answers to requests over one connection; empty where it ended without one."""
    reader, writer = await asyncio.open_connection(HOST, port)
    answers = []
    for path in paths:
        writer.write(f"GET {path} HTTP/1.1\r\nhost: here\r\n{headers}\r\n".encode())
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            answers.append(head + await reader.readexactly(length))
        except (asyncio.IncompleteReadError, ConnectionError):
            answers.append(b"")
    writer.close()
    return answers


def _served(port: int, talk: Callable[[], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        stop = asyncio.Event()
        server = asyncio.create_task(http_server.serve(_answering, port, stop.wait))
        while True:
            try:
                (await asyncio.open_connection(HOST, port))[1].close()
                break
            except OSError:
                await asyncio.sleep(0.01)
        try:
            return await talk()
        finally:
            stop.set()
            await server

    return in_a_loop_of_its_own(run())


def test_requests_over_one_connection_follow_each_other_at_once(port: int) -> None:
    """Each in far less than the 40 ms for which a connection without TCP_NODELAY holds its second packet back."""

    async def talk() -> tuple[list[bytes], float]:
        began = asyncio.get_running_loop().time()
        answers = await _ask(port, *["/"] * 50)
        return answers, asyncio.get_running_loop().time() - began

    answers, took = _served(port, talk)
    assert all(answer.startswith(b"HTTP/1.1 200 OK\r\n") for answer in answers)
    assert took < 50 * 0.04


def test_what_a_client_says_of_itself_changes_neither_scheme_nor_address(port: int) -> None:
    said = "x-forwarded-proto: https\r\nx-forwarded-for: 203.0.113.7\r\n"
    [answer] = _served(port, lambda: _ask(port, "/", headers=said))
    assert answer.endswith(b"\r\n\r\nhttp 127.0.0.1")


def test_a_request_can_be_cut_off_without_an_answer(port: int, caplog: pytest.LogCaptureFixture) -> None:
    async def talk() -> list[bytes]:
        return [*await _ask(port, "/cut"), *await _ask(port, "/")]

    cut, other = _served(port, talk)
    assert cut == b""
    assert other.startswith(b"HTTP/1.1 200")
    assert not caplog.records


def test_the_end_waits_for_no_long_poll_and_calls_it_no_error(
    port: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(http_server, "_GRACE_SECONDS", 0.1)

    async def talk() -> asyncio.Task[list[bytes]]:
        asking = asyncio.create_task(_ask(port, "/slow"))
        await asyncio.sleep(0.2)
        return asking

    with caplog.at_level(logging.WARNING):
        assert _served(port, talk).done()
    assert not [record for record in caplog.records if record.name == "uvicorn.error"]


def test_a_port_in_use_is_an_error_of_whoever_wanted_it(port: int) -> None:
    async def never() -> None:
        raise AssertionError("It was served.")

    with socket.socket() as taken:
        taken.bind((HOST, port))
        taken.listen()
        with pytest.raises(OSError, match="in use"):
            in_a_loop_of_its_own(http_server.serve(_answering, port, never))
