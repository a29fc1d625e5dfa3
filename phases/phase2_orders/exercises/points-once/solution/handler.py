"""Gives customers points for what they paid, once for each event."""

import json
import sqlite3
from typing import Any

MARK = "insert into seen (event_id) values (?) on conflict (event_id) do nothing"
ADD = """
insert into points (customer, points) values (?, ?)
on conflict (customer) do update set points = points + excluded.points
"""


def handle(event: dict[str, Any], database: sqlite3.Connection) -> dict[str, Any]:
    """Called with a batch of messages of the queue; answers which of them failed."""
    failed = []
    for record in event["Records"]:
        try:
            paid = json.loads(record["body"])
            if database.execute(MARK, (paid["event_id"],)).rowcount == 1:
                database.execute(ADD, (paid["customer"], paid["points"]))
            database.commit()
        except Exception as error:
            database.rollback()
            print(f"message {record['messageId']} failed: {error!r}")
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}
