"""The function's entrance: reads the menu beside it and puts it into the table."""

import json
import logging
import os
from pathlib import Path
from typing import Any

import boto3

from menu_seeder import menu
from menu_seeder.table import CatalogTable

MENU_FILE = Path(__file__).with_name("menu.json")

logger = logging.getLogger()
logger.setLevel(logging.INFO)


def lambda_handler(_event: Any, _context: Any) -> dict[str, int]:
    """Called by the deployment, once for each version of this package and its menu.

    :raises menu_seeder.menu.MenuError: for a broken menu; the deployment then fails and changes nothing.
    """
    table = boto3.resource("dynamodb").Table(os.environ["CATALOG_TABLE"])
    catalog = CatalogTable(table, table.meta.client.exceptions.ConditionalCheckFailedException)
    result = seed(json.loads(MENU_FILE.read_text(encoding="utf-8")), catalog)
    logger.info("menu seeded", extra=result)
    return result


def seed(contents: Any, catalog: CatalogTable) -> dict[str, int]:
    """Put in what is missing, and say how many products were added and how many were there.

    Products belong to the shop's manager from the moment they are in the table, so one that is there stays as it is.
    The list of categories belongs to the menu file and is put in anew.
    """
    menu.check(contents)
    catalog.put(menu.board_item(contents))
    added = [catalog.add(menu.product_item(product)) for product in contents["products"]]
    return {"products_added": added.count(True), "products_kept": added.count(False)}
