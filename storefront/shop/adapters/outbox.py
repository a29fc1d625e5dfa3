"""The relay: sends the rows of the outbox to the queue, at least once each.

A row is written in the transaction of the order that it tells of, so there is never an event without its order nor an
order without its event.  Every task of the shop runs a relay; each claims rows that no other has claimed (FOR UPDATE
SKIP LOCKED), sends them, and marks them in the same transaction.  A task that is killed between sending and marking
leaves them claimed by nobody, and another sends them again: whoever receives has to know the ids it has seen.
See https://docs.aws.amazon.com/prescriptive-guidance/latest/cloud-design-patterns/transactional-outbox.html
"""

import json
import logging
import random
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from shop.domain.errors import Unavailable

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

    from shop.adapters.postgres import Connection, Database

logger = logging.getLogger(__name__)
BATCH = 10  # as many as SQS takes at once
_IDLE = 1.0
_LONGEST_PAUSE = 5.0
_LAST_MOMENTS = 2.0
_LONGEST_SENDING = 30.0  # the client of SQS gives up before
_CLAIM = """
select id, type, payload from outbox where sent_at is null order by created_at limit %s for update skip locked
"""
_SENT = "update outbox set sent_at = clock_timestamp() where id = any(%s)"


class Relay:
    """A thread that is awake when there is something to send.  `queue` makes the client of SQS, when first needed."""

    def __init__(self, queue: Callable[[], "SQSClient"]) -> None:
        self._make_client = queue
        self._client: SQSClient | None = None
        self._target: tuple[Database, str] | None = None
        self._poked = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def turn(self, database: "Database | None", queue_url: str | None) -> None:
        """From here to there from now on; nothing is sent while one of them is missing."""
        target = (database, queue_url) if database and queue_url else None
        if target == self._target:
            return
        self._target = target
        if self._target and self._thread is None:
            self._client = self._make_client()
            self._thread = threading.Thread(target=self._run, name="outbox relay", daemon=True)
            self._thread.start()
        self.poke()

    def poke(self) -> None:
        """There is something new in the outbox."""
        self._poked.set()

    def stop(self) -> None:
        """Send what is left, but for no longer than two seconds, and end."""
        self._stopping.set()
        self.poke()
        if self._thread:
            self._thread.join(_LAST_MOMENTS + 3)

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            self._poked.wait(_IDLE)
            self._poked.clear()
            try:
                self._send_all(lambda: not self._stopping.is_set())
                failures = 0
            except (Unavailable, ClientError, BotoCoreError) as error:
                failures = min(failures + 1, 10)
                pause = min(_LONGEST_PAUSE, 0.25 * 2**failures) * random.uniform(0.5, 1)  # noqa: S311  (jitter)
                logger.warning("events wait in the outbox; tried again in %.1f s: %s", pause, error)
                self._stopping.wait(pause)
            except Exception:
                logger.exception("the relay of the outbox made a mistake; it goes on")
                self._stopping.wait(_LONGEST_PAUSE)
        deadline = time.monotonic() + _LAST_MOMENTS
        try:
            self._send_all(lambda: time.monotonic() < deadline)
        except Exception as error:
            logger.warning("events are left in the outbox for other tasks: %s", error)

    def _send_all(self, go_on: Callable[[], bool]) -> None:
        while (target := self._target) and go_on():
            if self.send_batch(*target) < BATCH:
                return

    def send_batch(self, database: "Database", queue_url: str) -> int:
        """Send up to ten rows; answers how many.  Raises `Unavailable` when the queue took only some of them."""
        client = self._client or self._make_client()
        self._client = client
        refused: list[str] = []

        def work(connection: "Connection") -> int:
            rows = connection.execute(_CLAIM, [BATCH]).fetchall()
            if not rows:
                return 0
            answer = client.send_message_batch(
                QueueUrl=queue_url,
                Entries=[
                    {
                        "Id": str(place),
                        "MessageBody": json.dumps(payload),
                        "MessageAttributes": {"type": {"DataType": "String", "StringValue": kind}},
                    }
                    for place, (_, kind, payload) in enumerate(rows)
                ],
            )
            sent = [rows[int(entry["Id"])][0] for entry in answer.get("Successful", [])]
            connection.execute(_SENT, [sent])
            refused[:] = [f"{entry['Code']}: {entry.get('Message', '')}" for entry in answer.get("Failed", [])]
            return len(rows)

        count = database.run(work, longest=_LONGEST_SENDING)
        if refused:
            raise Unavailable(f"the queue refused {len(refused)} of {count} events ({refused[0]})")
        return count
