"""What surrounds every request: its id and log line, forwarded headers, size limits, and the headers that protect.

One ASGI middleware, because each layer of them would cost every request.
"""

import json
import logging
import re
import time
import uuid
from collections.abc import Callable, Sequence

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shop.logs import request_id

logger = logging.getLogger("shop.requests")

MAX_BODY = 64_000
_GOOD_ID = re.compile(r"[A-Za-z0-9._=-]{8,80}")
_QUIET = {"/health", "/ready"}


def security_headers(media_origins: Sequence[str]) -> dict[str, str]:
    """The headers of every answer.  Scripts and styles come from the shop alone; pictures and uploads also from S3.

    See https://developer.mozilla.org/docs/Web/HTTP/Guides/CSP
    """
    media = " ".join(["'self'", *media_origins])
    policy = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "font-src": "'self'",
        "img-src": f"{media} data:",
        "connect-src": media,
        "manifest-src": "'self'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    return {
        "content-security-policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "referrer-policy": "same-origin",
        "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=()",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
    }


class Surroundings:
    """The middleware.  `media_origins` is asked for each answer, since credentials may only be there later."""

    def __init__(self, app: ASGIApp, media_origins: Callable[[], Sequence[str]]) -> None:
        self._app = app
        self._media_origins = media_origins
        self._prepared: tuple[Sequence[str], dict[str, str]] = ((), security_headers(()))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        begun = time.perf_counter()
        given = headers.get("x-request-id", "")
        name = given if _GOOD_ID.fullmatch(given) else uuid.uuid4().hex
        scope["request_id"] = name
        token = request_id.set(name)
        _believe_the_proxy(scope, headers)
        status = 500

        async def send_dressed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                self._dress(scope, MutableHeaders(scope=message), name)
            await send(message)

        try:
            refusal = _refusal(scope, headers)
            if refusal:
                await _refuse(refusal, name)(scope, receive, send_dressed)
            else:
                await self._app(scope, _limited(receive), send_dressed)
        except Exception:
            logger.exception("unexpected error")
            await _refuse(500, name)(scope, receive, send_dressed)
        finally:
            # Probes ask every few seconds; what makes the shop not ready is in the log already.
            level = logging.DEBUG if scope["path"] in _QUIET and status != 500 else logging.INFO
            if logger.isEnabledFor(level):
                facts = {
                    "method": scope["method"],
                    "path": scope["path"],
                    "status": status,
                    "ms": round((time.perf_counter() - begun) * 1000, 1),
                    "client": scope["client"][0] if scope.get("client") else None,
                }
                logger.log(level, "%s %s %s", scope["method"], scope["path"], status, extra={"facts": facts})
            request_id.reset(token)

    def _dress(self, scope: Scope, headers: MutableHeaders, name: str) -> None:
        origins = self._media_origins()
        if origins != self._prepared[0]:
            self._prepared = (origins, security_headers(origins))
        for key, value in self._prepared[1].items():
            headers.setdefault(key, value)
        headers["x-request-id"] = name
        if scope["scheme"] == "https":
            headers["strict-transport-security"] = "max-age=31536000"
        if "cache-control" not in headers:
            headers["cache-control"] = "no-store"


def _refusal(scope: Scope, headers: Headers) -> int | None:
    """The status with which a request is refused before anybody reads it."""
    length = headers.get("content-length", "0")
    if not length.isdigit() or int(length) > MAX_BODY:
        return 413 if length.isdigit() else 400
    has_body = int(length) > 0 or "transfer-encoding" in headers
    if has_body and scope["path"].startswith("/api/"):
        kind = headers.get("content-type", "").split(";")[0].strip().lower()
        if kind != "application/json":
            return 415
    return None


def _limited(receive: Receive) -> Receive:
    """The same stream, which breaks off when more arrives than the header promised or the shop reads."""
    seen = 0

    async def limited() -> Message:
        nonlocal seen
        message = await receive()
        if message["type"] == "http.request":
            seen += len(message.get("body", b""))
            if seen > MAX_BODY:
                raise HTTPException(413)
        return message

    return limited


_REFUSED = {
    400: ("malformed-request", "Malformed request", "The header Content-Length is not a number."),
    413: ("too-large", "Too large", f"The shop reads requests of at most {MAX_BODY} bytes."),
    415: ("unsupported-media-type", "Unsupported media type", "Send JSON, with Content-Type: application/json."),
    500: ("unexpected-error", "Something went wrong", "The shop made a mistake and has noted it. Please try again."),
}


def _refuse(status: int, name: str) -> Response:
    kind, title, detail = _REFUSED[status]
    body = {
        "type": kind,
        "title": title,
        "status": status,
        "detail": detail,
        "request_id": name,
        "errors": [],
        "facts": {},
    }
    return Response(json.dumps(body), status, media_type="application/problem+json")


def _believe_the_proxy(scope: Scope, headers: Headers) -> None:
    """Take scheme and client from the load balancer.

    Only the last address is believed: the load balancer wrote it, and what stands before it any client can invent.  On
    the EC2 variant no proxy stands in front, so there a client can invent the last one as well; the limits on sign-in
    by person hold all the same.
    """
    scheme = headers.get("x-forwarded-proto", "").strip().lower()
    if scheme in {"http", "https"}:
        scope["scheme"] = scheme
    address = headers.get("x-forwarded-for", "").split(",")[-1].strip()
    if address and len(address) <= 45:
        scope["client"] = (address, 0)


NOT_PAGES = ("/api/", "/media/")


class Pages(StaticFiles):
    """The static pages.  Browsers keep a copy and ask each time whether it is still good (ETag, 304)."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        if scope["path"].startswith(NOT_PAGES):
            raise HTTPException(404)  # what no route takes, such as a key with a line break: a problem, not a page
        response = await super().get_response(path, scope)
        lasting = path.endswith((".woff2", ".webp", ".png", ".jpg", ".ico"))
        response.headers["cache-control"] = "public, max-age=604800" if lasting else "no-cache"
        return response
