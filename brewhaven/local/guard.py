"""Keep the emulator's own administration paths shut: only AWS's APIs are served, and each of those asks IAM.

The emulator serves paths of its own beside AWS: one empties the account, others hand out messages or code. None asks
who is calling. AWS has nothing like them, and a web page in a browser on this machine could reach them. Code is
handed out only at an address that was signed for somebody whom IAM lets ask for it.
"""

from __future__ import annotations

from brewhaven.local import downloads
from brewhaven.local.doors import Application, Receive, Scope, Send

# Health for the launcher; answers of custom resources and wait conditions, whose paths hold an unguessable token.
_OPEN = ("/_ministack/health", "/_ministack/ready", "/_ministack/cfn-response/", "/_ministack/cfn-signal/")
_SHUT = ("/_ministack/", "/_localstack/")
_REFUSAL = b'{"message": "The local cloud serves the APIs of AWS alone; use `brewhaven local` to manage it."}'


def without_administration(application: Application) -> Application:
    """Wrap the emulator so that requests to its administration paths are answered 403 and go no further."""

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(_SHUT) and not _is_open(scope):
            headers = [(b"content-type", b"application/json"), (b"content-length", str(len(_REFUSAL)).encode())]
            await send({"type": "http.response.start", "status": 403, "headers": headers})
            await send({"type": "http.response.body", "body": _REFUSAL})
            return
        await application(scope, receive, send)

    return guarded


def _is_open(scope: Scope) -> bool:
    path: str = scope["path"]
    return path.startswith(_OPEN) or downloads.is_good(path, scope["query_string"].decode("latin-1"))
