"""What Valkey does for the shop, in three methods. Leave it as it is."""

from typing import Protocol


class Store(Protocol):
    """A cache that all processes share. Each method raises ConnectionError while it is away."""

    def get(self, key: str) -> str | None:
        """The value, or None."""

    def set(self, key: str, value: str, *, seconds: float | None = None, if_absent: bool = False) -> bool:
        """Keep a value, for some seconds or for ever: SET, with EX and NX.

        With `if_absent` only where there is none, which is decided for all processes in one step; False means that
        there was one.
        """

    def delete(self, key: str) -> None:
        """Forget a value, if there is one."""
