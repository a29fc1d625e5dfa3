"""Addresses that this local cloud has given away before it listens on them.

A load balancer has its name, and an instance its public address, seconds before anything listens there, and another
local cloud of this machine could give the same away meanwhile. So the UDP port of the same number is held: nothing here
speaks UDP, so that it disturbs nobody, and the operating system gives it back when the process ends, however it ends.
"""

from __future__ import annotations

import socket
import threading


class Reservations:
    """What this process holds; once held, an address stays with it, and it may give it to the next of its own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[tuple[str, int], socket.socket] = {}

    def hold(self, host: str, port: int) -> bool:
        """Whether the address is this process's now, or was already."""
        with self._lock:
            if (host, port) in self._held:
                return True
            claim = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            try:
                claim.bind((host, port))
            except OSError:
                claim.close()
                return False
            self._held[host, port] = claim
            return True

    def release(self) -> None:
        """Give everything back; the end of the process does the same."""
        with self._lock:
            for claim in self._held.values():
                claim.close()
            self._held.clear()


RESERVATIONS = Reservations()
