"""Somebody in front of the shop's pages: keeps the cookie, sends the session's token, and says what was refused."""

from __future__ import annotations

import uuid
from typing import Any

from brewhaven.course.cloud import Answer, ask
from brewhaven.demo.journey import MissingHopError

PATIENCE = 40.0


class Visitor:
    """Talks to the shop as a browser does."""

    def __init__(self, shop: str) -> None:
        self.shop = shop
        self._cookie = ""
        self._token = ""
        self._take(self.get("/api/session"))

    def get(self, path: str) -> Any:
        return self.send("GET", path)

    def send(self, method: str, path: str, body: Any = None, *, key: str | None = None) -> Any:
        """What the shop answers.

        Raises:
            MissingHopError: It refused, or nobody answered.
        """
        answer = self.answer(method, path, body, key=key)
        if answer.status >= 300:
            raise MissingHopError(
                f"The shop answered {method} {path} with {answer.status}: {_problem(answer)}",
                "`brewhaven status` shows what is deployed; the shop's log group is its StorefrontLogGroupName.",
            )
        return answer.json()

    def answer(self, method: str, path: str, body: Any = None, *, key: str | None = None) -> Answer:
        headers = {"Cookie": self._cookie, "X-CSRF-Token": self._token}
        if key:
            headers["Idempotency-Key"] = key
        try:
            answer = ask(
                self.shop + path,
                method=method,
                body=body,
                headers={name: value for name, value in headers.items() if value},
                timeout=PATIENCE,
            )
        except OSError as error:
            raise MissingHopError(
                f"Nobody answered {method} {self.shop}{path}: {error}",
                "See with `brewhaven status` where the shop is. On AWS it admits the address that deployed it alone: "
                "`brewhaven deploy 2` from here admits this one.",
            ) from None
        cookie = next((value for name, value in answer.headers.items() if name.lower() == "set-cookie"), "")
        self._cookie = cookie.partition(";")[0] or self._cookie
        return answer

    def sign_up(self, name: str, email: str, password: str) -> str:
        """Open an account; answers the customer's id."""
        return self._take(self.send("POST", "/api/customers", {"name": name, "email": email, "password": password}))

    def sign_in(self, email: str, password: str) -> str:
        """Sign in; answers the customer's id."""
        return self._take(self.send("POST", "/api/session", {"email": email, "password": password}))

    def sign_out(self) -> None:
        self._take(self.send("DELETE", "/api/session"))

    def order(self, lines: list[dict[str, Any]], name: str) -> Any:
        return self.send("POST", "/api/orders", {"lines": lines, "name": name}, key=str(uuid.uuid4()))

    def _take(self, session: Any) -> str:
        self._token = session["csrf_token"]
        return str((session.get("customer") or {}).get("id", ""))


def _problem(answer: Answer) -> str:
    try:
        return str(answer.json().get("detail") or answer.text[:300])
    except (ValueError, AttributeError):
        return answer.text[:300] or "nothing further"
