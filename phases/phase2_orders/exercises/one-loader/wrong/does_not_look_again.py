"""The menu, from a cache that all processes of the shop share."""

import random
import time
from collections.abc import Callable

from store import Store

KEY = "menu"
LEASE = "menu:lease"
LEASE_SECONDS = 5
WAIT_SECONDS = 0.8
LOOK_EVERY = 0.02


class MenuCache:
    """One for each process; many threads use it.

    :param load: asks the database for the menu, which takes a while and may fail.
    """

    def __init__(self, store: Store, load: Callable[[], str]) -> None:
        self.store = store
        self.load = load

    def menu(self) -> str:
        """The menu, not older than a minute or so."""
        try:
            return self.store.get(KEY) or self.copy_of_one()
        except ConnectionError:
            return self.load()

    def copy_of_one(self) -> str:
        """What one of all loads, or what this one loads when nobody else does within a second."""
        deadline = time.monotonic() + WAIT_SECONDS
        while not self.store.set(LEASE, "taken", seconds=LEASE_SECONDS, if_absent=True):
            if time.monotonic() > deadline:
                return self.load()
            time.sleep(LOOK_EVERY)
            copy = self.store.get(KEY)
            if copy is not None:
                return copy
        try:
            return self.load_and_keep()
        finally:
            self.attempt(lambda: self.store.delete(LEASE))

    def load_and_keep(self) -> str:
        """Load, and keep it for a minute, give or take."""
        value = self.load()
        seconds = 60 + random.uniform(-12, 12)  # noqa: S311  (jitter, no secret)
        self.attempt(lambda: self.store.set(KEY, value, seconds=seconds))
        return value

    def attempt(self, write: Callable[[], object]) -> None:
        """Write into the cache; nobody waits for a cache that is away."""
        try:
            write()
        except ConnectionError as error:
            print(f"the cache is away: {error}")
