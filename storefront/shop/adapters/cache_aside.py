"""Cache-aside: ask Valkey, and on a miss the source, once, however many ask at the same moment.

Three things keep a popular copy from hurting when it runs out.  Within a task one thread loads and the others wait for
it.  Among tasks one holds a lease and the others wait a little for its copy.  And copies live for different times, so
that not all run out at once.

A change drops the copy and the lease: what somebody is loading at that moment may be older than the change, and is
handed to those who already wait, but is not kept.
See https://docs.aws.amazon.com/whitepapers/latest/database-caching-strategies-using-redis/caching-patterns.html
"""

import contextlib
import random
import secrets
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

from shop.adapters.valkey_store import Away, ValkeyStore

_LEASE_MS = 5_000
_WAIT_SECONDS = 1.0
_LOOK_EVERY = 0.02
# Keep the copy only if the lease is still ours.
_KEEP = """
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('DEL', KEYS[2])
return 1
"""


class CacheAside:
    """Copies of what `load` answers.  They live for `seconds`, give or take a fifth."""

    def __init__(self, store: ValkeyStore, seconds: float) -> None:
        self._store = store
        self._seconds = seconds
        self._lock = threading.Lock()
        self._loading: dict[str, Future[bytes]] = {}

    def get(self, key: str, load: Callable[[], bytes]) -> bytes:
        """The copy, or what `load` answers.  Never raises because of Valkey."""
        try:
            copy: bytes | None = self._store.ask(lambda client: client.get(self._store.name(key)))
        except Away:
            copy = None
        return copy if copy is not None else self._once(key, load)

    def drop(self, key: str) -> None:
        """The source has changed."""
        with self._lock:
            self._loading.pop(key, None)  # who comes from now on loads anew
        self._store.drop(key, _lease(key))

    def _once(self, key: str, load: Callable[[], bytes]) -> bytes:
        """Load in one thread of this process, and give everybody who asks meanwhile the same."""
        with self._lock:
            loading = self._loading.get(key)
            mine = loading is None
            if loading is None:
                loading = self._loading[key] = Future()
        if not mine:
            return loading.result()
        try:
            loading.set_result(self._load(key, load))
        except BaseException as error:
            loading.set_exception(error)
            raise
        finally:
            with self._lock:
                if self._loading.get(key) is loading:
                    del self._loading[key]
        return loading.result()

    def _load(self, key: str, load: Callable[[], bytes]) -> bytes:
        """Load in one process, as long as Valkey answers."""
        name, lease = self._store.name(key), self._store.name(_lease(key))
        token = secrets.token_hex(8)
        deadline = time.monotonic() + _WAIT_SECONDS
        try:
            while not self._store.ask(lambda client: client.set(lease, token, nx=True, px=_LEASE_MS)):
                if time.monotonic() >= deadline:
                    return load()  # who holds the lease is slow, or gone
                time.sleep(_LOOK_EVERY)
                copy: bytes | None = self._store.ask(lambda client: client.get(name))
                if copy is not None:
                    return copy
            # Whoever held the lease before may have brought the copy after this thread had missed it.
            copy = self._store.ask(lambda client: client.get(name))
            if copy is not None:
                self._store.drop(_lease(key))
                return copy
        except Away:
            return load()
        try:
            value = load()
        except BaseException:
            self._store.drop(_lease(key))  # the next one need not wait for it
            raise
        lifetime = int(1000 * self._seconds * random.uniform(0.8, 1.2))  # noqa: S311  (jitter, not a secret)
        with contextlib.suppress(Away):
            self._store.ask(lambda client: client.eval(_KEEP, 2, name, lease, token, value, lifetime))
        return value


def _lease(key: str) -> str:
    return f"lease:{key}"
