"""The menu, from a cache that all processes of the shop share."""

from collections.abc import Callable

from store import Store

KEY = "menu"


class MenuCache:
    """One for each process; many threads use it.

    :param load: asks the database for the menu, which takes a while and may fail.
    """

    def __init__(self, store: Store, load: Callable[[], str]) -> None:
        self.store = store
        self.load = load

    def menu(self) -> str:
        """The menu, not older than a minute or so."""
        return self.load()
