"""Lets several processes with many threads use the student's cache, and notes how often the database was asked."""

import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

PROCESSES, THREADS = 4, 5
LOAD_SECONDS = 0.15
PATIENCE_SECONDS = 2.0
"""A second of waiting, and a machine that is busy."""
MENU = "espresso 2.20"


class Over(BaseException):
    """The probe is over: whoever still uses its store ends."""


class Store:
    """A cache in memory, as store.py describes it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[str, tuple[str, float]] = {}
        self.written: list[tuple[str, str, float | None, bool]] = []
        self.away = self.read_only = self.over = False
        self.after_miss: Callable[[], None] | None = None

    def _enter(self, *, writes: bool) -> None:
        if self.over:
            raise Over
        if self.away or (writes and self.read_only):
            raise ConnectionError("the cache is away")

    def get(self, key: str) -> str | None:
        """The value, or None."""
        self._enter(writes=False)
        with self._lock:
            value, until = self._values.get(key, ("", 0.0))
        if time.monotonic() < until:
            return value
        hook, self.after_miss = self.after_miss, None
        if hook is not None:
            hook()
        return None

    def set(self, key: str, value: str, *, seconds: float | None = None, if_absent: bool = False) -> bool:
        """Keep a value."""
        self._enter(writes=True)
        with self._lock:
            if if_absent and time.monotonic() < self._values.get(key, ("", 0.0))[1]:
                return False
            self._values[key] = (value, time.monotonic() + (1e9 if seconds is None else seconds))
            self.written.append((key, value, seconds, if_absent))
            return True

    def delete(self, key: str) -> None:
        """Forget a value."""
        self._enter(writes=True)
        with self._lock:
            self._values.pop(key, None)


class Database:
    """Answers with the menu, after a while, and counts who asks."""

    def __init__(self, seconds: float = 0.0) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self.asked = 0
        self.fails = False

    def load(self) -> str:
        """The menu."""
        with self._lock:
            self.asked += 1
        time.sleep(self._seconds)
        if self.fails:
            raise LookupError("the database is busy")
        return MENU


class Shop:
    """Processes of the shop: each loads the student's module anew, and shares nothing but the store."""

    def __init__(self, file: Path, stores: list[Store]) -> None:
        self._code = compile(file.read_bytes(), str(file), "exec")
        self._stores = stores

    def store(self) -> Store:
        """A new one, which is ended with the probe."""
        made = Store()
        self._stores.append(made)
        return made

    def process(self, store: Store, load: Callable[[], str]) -> Any:
        """A process with a cache of its own."""
        module = ModuleType("menu_cache")
        exec(self._code, module.__dict__)  # noqa: S102
        return module.MenuCache(store, load)


def probe(_module: ModuleType, _body: dict[str, Any], folder: Path) -> dict[str, Any]:
    """What came of each case."""
    stores: list[Store] = []
    shop = Shop(folder / "menu_cache.py", stores)
    shop.process(shop.store(), lambda: MENU)  # a file that cannot be used is told with its line
    cases = {"usual": _usual, "lifetimes": _lifetimes, "crowd": _crowd, "late": _late, "gone": _gone,
             "failure": _failure, "away": _away, "read_only": _read_only, "lost": _lost}  # fmt: skip
    known = set(sys.modules)
    try:
        with ThreadPoolExecutor(len(cases)) as pool:
            running = {name: pool.submit(case, shop) for name, case in cases.items()}
            return {name: future.result() for name, future in running.items()}
    finally:
        for store in stores:
            store.over = True
        for name in set(sys.modules) - known:
            del sys.modules[name]


def _ask(cache: Any, seconds: float = PATIENCE_SECONDS) -> dict[str, Any]:
    """Ask in a thread of its own: what came, and after how long. Nothing, where none came in time."""
    found: dict[str, Any] = {}

    def run() -> None:
        began = time.monotonic()
        try:
            found["answer"] = cache.menu()
        except Over:
            return
        except BaseException as error:  # whatever a student's code raises
            found["error"] = f"{type(error).__name__}: {error}"
        found["seconds"] = round(time.monotonic() - began, 2)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    return dict(found)


def _usual(shop: Shop) -> dict[str, Any]:
    store, database = shop.store(), Database()
    answers = [_ask(shop.process(store, database.load)) for _ in range(3)]
    return {"answers": answers, "asked": database.asked, "written": store.written}


def _lifetimes(shop: Shop) -> list[float | None]:
    """For how long the copy is kept, forty times."""
    found = []
    for _ in range(40):
        store = shop.store()
        _ask(shop.process(store, Database().load))
        found += [seconds for _key, value, seconds, _if_absent in store.written if MENU in value]
    return found


def _crowd(shop: Shop) -> dict[str, Any]:
    """Twenty threads of four processes ask at the same moment."""
    store, database = shop.store(), Database(LOAD_SECONDS)
    processes = [shop.process(store, database.load) for _ in range(PROCESSES)]
    with ThreadPoolExecutor(PROCESSES * THREADS) as pool:
        answers = list(pool.map(_ask, processes * THREADS))
    return {"answers": answers, "asked": database.asked}


def _late(shop: Shop) -> dict[str, Any]:
    """One misses the copy, and before it does anything else another brings it."""
    store, database = shop.store(), Database()
    store.after_miss = lambda: _ask(shop.process(store, database.load), 0.5) and None
    return {**_ask(shop.process(store, database.load)), "asked": database.asked}


def _gone(shop: Shop) -> dict[str, Any]:
    """A process began to load and is never heard of again."""
    store, never = shop.store(), threading.Event()

    def load() -> str:
        never.wait(2 * PATIENCE_SECONDS)
        raise Over

    _ask(shop.process(store, load), 0.1)
    found = _ask(shop.process(store, Database().load))
    never.set()
    return {**found, "written": store.written}


def _failure(shop: Shop) -> dict[str, Any]:
    """The database fails, and then it does not."""
    store, database = shop.store(), Database()
    database.fails = True
    first = _ask(shop.process(store, database.load))
    database.fails = False
    return {"first": first, "next": _ask(shop.process(store, database.load)), "written": store.written}


def _away(shop: Shop) -> dict[str, Any]:
    store = shop.store()
    store.away = True
    return _ask(shop.process(store, Database().load))


def _read_only(shop: Shop) -> dict[str, Any]:
    """As in the middle of a failover."""
    store = shop.store()
    store.read_only = True
    return _ask(shop.process(store, Database().load))


def _lost(shop: Shop) -> dict[str, Any]:
    """The cache goes away while the menu is loaded."""
    store = shop.store()

    def load() -> str:
        store.away = True
        return MENU

    return _ask(shop.process(store, load))
