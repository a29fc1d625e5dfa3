"""The shop as it is deployed keeps its contract: made-up requests, good and bad, through the load balancer.

What `tests/unit/shop` shows of the shop alone, here with TLS to AWS, IAM and the task's own role: a permission that is
missing would be a 503 or a 500.  Who may call what is the table in `tests/unit/shop/test_authorization.py`.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import (
    content_type_conformance,
    not_a_server_error,
    response_schema_conformance,
    status_code_conformance,
)

from shop import contract
from shop.app import create_app
from shop.routes.orders import MOST_WAIT
from tests.plugins.local_cloud import DeployedShop
from tests.unit.shop.browser import Browser

pytestmark = [pytest.mark.local]
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
DOCUMENT = contract.openapi(create_app(None))
OPERATIONS = {
    operation.ok().label: operation.ok() for operation in schemathesis.openapi.from_dict(DOCUMENT).get_all_operations()
}
NEEDS_KEY = {"POST /api/orders", "POST /api/products"}
# Signing out ends the very session that the other operations need, and a wrong password counts against its owner.
ENDS_A_SESSION = {"DELETE /api/session", "POST /api/session", "POST /api/customers"}
EXAMPLES = 4
SECONDS_FOR_ALL = 25


def _can_be_wrong(label: str) -> bool:
    """Whether there is a request that the contract forbids: any text in a path is fine unless it has a limit."""
    method, path = label.split(" ", 1)
    operation = DOCUMENT["paths"][path][method.lower()]
    limits = [set(each["schema"]) - {"type", "title"} for each in operation.get("parameters", [])]
    return "requestBody" in operation or any(limits)


REQUESTS = [(label, GenerationMode.POSITIVE) for label in OPERATIONS] + [
    (label, GenerationMode.NEGATIVE) for label in OPERATIONS if _can_be_wrong(label)
]


@pytest.fixture(scope="module")
def people(shop: DeployedShop) -> Iterator[list[Browser]]:
    """The manager, who gets furthest, and a guest.  Afterwards the table is what it was: others use this shop too."""
    dynamodb = shop.cloud.client("dynamodb")
    table = shop.outputs["CatalogTableName"]
    before = _items(dynamodb, table)
    manager = Browser(shop.url)
    email, password = shop.staff["manager"]
    manager.use_session(manager.post("/api/session", {"email": email, "password": password}))
    yield [manager, Browser(shop.url)]
    after = _items(dynamodb, table)
    for pk, sk in after.keys() - before.keys():
        dynamodb.delete_item(TableName=table, Key={"pk": {"S": pk}, "sk": {"S": sk}})
    for key, item in before.items():
        if after.get(key) != item:
            dynamodb.put_item(TableName=table, Item=item)


@pytest.fixture(scope="module")
def examples() -> Callable[[], int]:
    """How many requests of a kind there is time for: the whole run is bounded, also on a busy machine."""
    begun = time.monotonic()
    return lambda: EXAMPLES if time.monotonic() - begun < SECONDS_FOR_ALL else 1


@pytest.mark.parametrize(
    ("label", "mode"), REQUESTS, ids=[f"{label} {mode.value}".replace("/", "_") for label, mode in REQUESTS]
)
def test_every_answer_is_one_that_the_contract_allows(
    label: str, mode: GenerationMode, people: list[Browser], examples: Callable[[], int]
) -> None:
    asked = 0

    @settings(
        max_examples=examples(),
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=OPERATIONS[label].as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        nonlocal asked
        # The guest is mostly refused, so once is enough.
        for browser in people[:1] if asked else people:
            asked += 1
            _ask(case, Browser(browser.shop) if label in ENDS_A_SESSION else browser)

    ask()
    assert asked >= len(people)


def _ask(case: Any, browser: Browser) -> None:
    headers = {name: value for name, value in (case.headers or {}).items() if name.lower() != "authorization"}
    case.headers = {**headers, **browser.token()}
    if case.operation.label in NEEDS_KEY:
        case.headers.setdefault("Idempotency-Key", str(uuid.uuid4()))
    if str((case.query or {}).get("wait")) in map(str, range(MOST_WAIT + 1)):
        case.query["wait"] = 0  # a longer wait is refused at once
    answer = case.call(base_url=browser.shop, session=browser.http, allow_redirects=False, timeout=30)
    case.validate_response(answer, checks=CHECKS)


def _items(dynamodb: Any, table: str) -> dict[tuple[str, str], dict[str, Any]]:
    pages = dynamodb.get_paginator("scan").paginate(TableName=table)
    return {(item["pk"]["S"], item["sk"]["S"]): item for page in pages for item in page["Items"]}
