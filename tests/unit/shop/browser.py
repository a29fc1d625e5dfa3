"""A small browser for tests: keeps cookies, sends the session's token, and shows an answer that was not expected."""

import uuid
from typing import Any

import requests


class Browser:
    """Talks to a running shop as the pages do."""

    def __init__(self, shop: str) -> None:
        self.shop = shop
        self.http = requests.Session()
        self.session: dict[str, Any] = {}
        self.use_session(self.get("/api/session"))

    def use_session(self, session: dict[str, Any]) -> None:
        self.session = session

    @property
    def cookie(self) -> str:
        """The signed cookie of the session."""
        return self.http.cookies["session"] or ""

    @property
    def session_id(self) -> str:
        """What is inside the cookie, before its signature."""
        return self.cookie.split(".")[0]

    def get(self, path: str, *, expect: int = 200, **options: Any) -> Any:
        return self.ask("GET", path, expect=expect, **options)

    def post(self, path: str, body: object = None, *, expect: int = 200, **options: Any) -> Any:
        return self.ask("POST", path, body, expect=expect, **options)

    def put(self, path: str, body: object, *, expect: int = 200, **options: Any) -> Any:
        return self.ask("PUT", path, body, expect=expect, **options)

    def delete(self, path: str, *, expect: int = 200) -> Any:
        return self.ask("DELETE", path, expect=expect)

    def ask(self, method: str, path: str, body: object = None, *, expect: int, **options: Any) -> Any:
        answer = self.raw(method, path, body, **options)
        assert answer.status_code == expect, f"{method} {path}: {answer.status_code} {answer.text[:600]}"
        return answer.json() if "json" in answer.headers.get("content-type", "") else answer

    def raw(self, method: str, path: str, body: object = None, **options: Any) -> requests.Response:
        headers = {**self.token(), **options.pop("headers", {})}
        if body is not None:
            options["json"] = body
        return self.http.request(
            method, self.shop + path, headers=headers, timeout=30, allow_redirects=False, **options
        )

    def token(self) -> dict[str, str]:
        return {"X-CSRF-Token": self.session["csrf_token"]} if self.session else {}

    def order(self, *lines: dict[str, Any], key: str | None = None, expect: int = 201, **more: Any) -> Any:
        headers = {"Idempotency-Key": key or str(uuid.uuid4())}
        chosen = list(lines) or [{"product_id": "espresso", "size": "single"}]
        return self.post("/api/orders", {"lines": chosen, **more}, expect=expect, headers=headers)

    def paid_order(self, *lines: dict[str, Any]) -> Any:
        order = self.order(*lines)
        return self.post(f"/api/orders/{order['id']}/payment", {"token": "tok_visa"})
