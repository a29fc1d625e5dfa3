"""What a later phase turns, all in one place: where orders live, whether Valkey serves, and where events go."""

import logging
from collections.abc import Callable, Mapping

from shop.adapters.order_home import OrderHome
from shop.adapters.switches import Parameter
from shop.adapters.valkey_store import ValkeyStore

logger = logging.getLogger(__name__)


class ParameterSeam:
    """Implements `shop.services.Seam` by the parameter of `shop.adapters.switches`."""

    def __init__(self, parameter: Parameter, home: OrderHome, store: ValkeyStore) -> None:
        self._parameter = parameter
        self._home = home
        self._store = store

    def refresh(self) -> None:
        try:
            self._home.refresh()
        finally:
            self._store.turn(self._parameter.now)

    def checks(self) -> Mapping[str, Callable[[], object]]:
        problem = self._parameter.problem
        configuration = {"configuration": lambda: problem} if problem else {}
        return {**self._home.checks(), **self._store.checks(), **configuration}

    def close(self) -> None:
        self._home.close()
