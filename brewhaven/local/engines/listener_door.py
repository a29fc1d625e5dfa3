"""The door of one load balancer listener: a plain HTTP address on 127.0.0.1 that a browser can open."""

from __future__ import annotations

import asyncio
import urllib.parse
from typing import Any

from brewhaven.local.doors import Receive, Scope, Send


class ListenerDoor:
    """ASGI application that hands each request to the emulator's rules for the listener."""

    def __init__(self, account: str, region: str, balancer: dict[str, Any], port: int) -> None:
        self._account = account
        self._region = region
        self._balancer = balancer
        self._port = port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; give it up when the client goes away."""
        if scope["type"] != "http":
            return
        body = await _body(receive)
        gone = asyncio.ensure_future(_gone(receive))
        work = asyncio.ensure_future(self._serve(scope, body, send))
        try:
            await asyncio.wait({gone, work}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                work.result()
        finally:
            for task in (gone, work):
                task.cancel()
            await asyncio.gather(gone, work, return_exceptions=True)

    async def _serve(self, scope: Scope, body: bytes, send: Send) -> None:
        from ministack.core.responses import StreamingResponse, request_scope
        from ministack.services import alb

        headers: dict[str, str] = {}
        for raw_name, raw_value in scope["headers"]:
            name, value = raw_name.decode().lower(), raw_value.decode("latin-1")
            headers[name] = f"{headers[name]}{'; ' if name == 'cookie' else ', '}{value}" if name in headers else value
        query = scope["query_string"].decode()
        with request_scope(self._account, self._region):
            status, fields, content = await alb.dispatch_request(
                self._balancer,
                scope["method"],
                scope["path"],
                headers,
                body,
                urllib.parse.parse_qs(query, keep_blank_values=True),
                self._port,
                client_ip=scope["client"][0],
                raw_query_string=query,
                raw_path=scope["raw_path"].decode(),
            )
            streams = isinstance(content, StreamingResponse)
            data = b"" if streams else content.encode() if isinstance(content, str) else bytes(content)
            lines = [
                (name.lower().encode(), str(value).encode("latin-1"))
                for name, values in fields.items()
                for value in (values if isinstance(values, list) else [values])
            ]
            if not streams:
                lines.append((b"content-length", str(len(data)).encode()))
            await send({"type": "http.response.start", "status": status, "headers": lines})
            if streams:
                await content.runner(send, None)
            else:
                await send({"type": "http.response.body", "body": data})


async def _body(receive: Receive) -> bytes:
    chunks: list[bytes] = []
    while True:
        message = await receive()
        chunks.append(message.get("body", b""))
        if message["type"] == "http.disconnect" or not message.get("more_body"):
            return b"".join(chunks)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
