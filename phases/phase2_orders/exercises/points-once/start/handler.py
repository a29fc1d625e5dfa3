"""Gives customers points for what they paid."""

import json
import sqlite3
from typing import Any

ADD = """
insert into points (customer, points) values (?, ?)
on conflict (customer) do update set points = points + excluded.points
"""


def handle(event: dict[str, Any], database: sqlite3.Connection) -> dict[str, Any]:
    """Called with a batch of messages of the queue."""
    for record in event["Records"]:
        paid = json.loads(record["body"])
        database.execute(ADD, (paid["customer"], paid["points"]))
    database.commit()
    return {}
