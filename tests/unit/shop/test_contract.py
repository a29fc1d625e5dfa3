"""The contract: the file that is checked in, and made-up requests against the running shop that must keep it."""

import uuid
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import (
    content_type_conformance,
    not_a_server_error,
    response_schema_conformance,
    status_code_conformance,
)

from shop import contract
from shop.app import create_app
from tests.unit.shop.browser import Browser

DOCUMENT = contract.openapi(create_app(None))
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
made_up = schemathesis.openapi.from_dict(DOCUMENT)
made_up.config.generation.update(max_examples=4)


def test_the_checked_in_contract_is_what_the_shop_does() -> None:
    assert contract.FILE.read_text(encoding="utf-8") == contract.as_text(create_app(None)), (
        "the contract changed: run `PYTHONPATH=storefront python -m shop.contract` and read the difference"
    )


def test_every_operation_says_who_may_call_it_and_how_it_fails() -> None:
    ids = set()
    for path, operations in DOCUMENT["paths"].items():
        for method, operation in operations.items():
            where = f"{method} {path}"
            ids.add(operation["operationId"])
            assert "security" in operation, where
            assert operation["summary"], where
            if method != "get":
                assert {"session": [], "csrf": []} in operation["security"], where
                assert {"401", "403"} <= set(operation["responses"]), where
            if "requestBody" in operation:
                assert {"400", "413", "415", "422"} <= set(operation["responses"]), where
    assert len(ids) == sum(len(operations) for operations in DOCUMENT["paths"].values())
    assert set(DOCUMENT["components"]["securitySchemes"]) == {"session", "csrf", "bearer"}


def test_money_is_integer_everywhere() -> None:
    for name, schema in DOCUMENT["components"]["schemas"].items():
        for field, kind in schema.get("properties", {}).items():
            if field.endswith("_cents"):
                kinds = {each.get("type") for each in kind.get("anyOf", [kind])}
                assert kinds <= {"integer", "null"}, f"{name}.{field}: {kinds}"


@pytest.fixture
def everybody(manager: Browser, guest: Browser) -> list[Browser]:
    return [manager, guest]


@pytest.mark.local  # half a minute
@made_up.parametrize()
@settings(
    max_examples=4,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_made_up_requests_get_answers_that_the_contract_allows(case: Any, everybody: list[Browser]) -> None:
    """As the manager, who gets furthest, and as a guest."""
    for browser in everybody:
        headers = dict(case.headers or {})
        headers.pop("Authorization", None)
        if case.operation.label == "DELETE /api/session":
            browser = Browser(browser.shop)  # noqa: PLW2901  (signing out is for good)
        if "wait" in (case.query or {}):
            case.query["wait"] = 0
        case.headers = {**headers, **browser.token()}
        if case.operation.label in {"POST /api/orders", "POST /api/products"}:
            case.headers.setdefault("Idempotency-Key", str(uuid.uuid4()))
        answer = case.call(base_url=browser.shop, session=browser.http, allow_redirects=False)
        case.validate_response(answer, checks=CHECKS)
