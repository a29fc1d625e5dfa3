"""The function's entrance: applies the migrations beside it that the database does not have yet."""

import logging
import os
from pathlib import Path
from typing import Any

import boto3

from order_schema import migrations
from order_schema.inventory import describe
from order_schema.ledger import Ledger
from shop_database.connection import Database, Place

MIGRATIONS = Path(__file__).with_name("migrations")
STATEMENT_SECONDS = 240.0
"""A migration may take its time: less than the function's own five minutes, so that it ends with a sentence."""

logger = logging.getLogger()
logger.setLevel(logging.INFO)


def lambda_handler(event: Any, _context: Any) -> dict[str, Any]:
    """Called by the deployment, once for each version of this package and its migrations.

    Called with `{"describe": true}` it changes nothing and answers what the database says about its tables: nobody else
    who is outside of the network can ask it.

    :raises order_schema.migrations.MigrationError: for a migration that is broken, was changed, or cannot be applied;
        the deployment then fails, and the database is as it was before that migration.
    """
    database = Database(
        Place.from_environment(os.environ),
        boto3.client("secretsmanager"),
        application="order_schema",
        statement_seconds=STATEMENT_SECONDS,
    )
    try:
        if isinstance(event, dict) and event.get("describe"):
            return {"tables": database.transaction(describe)}
        return migrate(Ledger(database), MIGRATIONS)
    finally:
        database.close()  # it runs once a deployment: nothing would use a kept connection


def migrate(ledger: Ledger, folder: Path) -> dict[str, Any]:
    """Apply what is missing, one transaction each, and say what was applied and which version the database has now."""
    known = migrations.load(folder)
    ledger.prepare()
    plan = migrations.plan(known, ledger.applied())
    for version in plan.unknown:
        # A deployment that is rolled back meets this. The newer schema stays; the older code must live with it.
        logger.warning("the database has migration %04d, which this version of the course does not know", version)
    done = [migration.name for migration in plan.pending if ledger.apply(migration)]
    result = {"applied": done, "version": max([*(one.version for one in known), *plan.unknown])}
    logger.info("schema is up to date", extra=result)
    return result
