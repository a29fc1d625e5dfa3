"""The table `processed_events`: what has had its effect."""

from collections.abc import Callable

from pg8000.native import Connection

from order_events.event import OrderEvent
from shop_database.connection import Database

INSERT = """
insert into processed_events (event_id, order_id, type)
values (cast(:event_id as uuid), :order_id, :type)
on conflict (event_id) do nothing
returning event_id
"""


class ProcessedEvents:
    """Implements `order_worker.processing.Notes`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def once(self, event: OrderEvent, effect: Callable[[], None]) -> bool:
        """The row comes first, then the effect, then the commit.

        A second worker with the same event waits at the row until the first has committed, and then finds it there.
        When the effect fails, the row goes with the transaction.
        """

        def work(connection: Connection) -> bool:
            rows = connection.run(INSERT, event_id=event.id, order_id=event.order_id, type=event.type)
            if not rows:
                return False
            effect()
            return True

        return self._database.transaction(work)
