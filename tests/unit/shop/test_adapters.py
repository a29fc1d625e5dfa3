"""The adapters' own promises: bounded retries, errors in words, secrets that may change."""

import time
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from hypothesis import given, settings
from hypothesis import strategies as st

from shop.adapters import quick_parser
from shop.adapters import table as tables
from shop.adapters.secret import SecretKeys
from shop.adapters.sessions import CookieSigner
from shop.adapters.table import ConditionFailed, Table, again, from_wire, to_wire
from shop.domain.errors import Unavailable
from shop.services import Services
from shop.settings import Settings


def refusal(code: str, *reasons: str) -> ClientError:
    answer: Any = {"Error": {"Code": code, "Message": "no"}, "CancellationReasons": [{"Code": why} for why in reasons]}
    return ClientError(answer, "TransactWriteItems")


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the adapter paused, instead of pausing."""
    taken: list[float] = []
    monkeypatch.setattr("shop.adapters.table.time.sleep", taken.append)
    return taken


def test_contention_is_tried_again(pauses: list[float]) -> None:
    answers = iter(
        [
            refusal("TransactionCanceledException", "None", "TransactionConflict"),
            refusal("TransactionConflictException"),
            "done",
        ]
    )

    def call() -> object:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert again(call) == "done"
    assert len(pauses) == 2


def test_but_not_for_ever(pauses: list[float]) -> None:
    def call() -> None:
        raise refusal("TransactionCanceledException", "TransactionConflict")

    with pytest.raises(Unavailable, match="Many people"):
        again(call)
    assert sum(pauses) < 3.0


def test_a_failed_condition_is_told_with_its_place_and_not_tried_again(pauses: list[float]) -> None:
    def call() -> None:
        raise refusal("TransactionCanceledException", "None", "ConditionalCheckFailed", "TransactionConflict")

    with pytest.raises(ConditionFailed) as failed:
        again(call)
    assert failed.value.places == (1,)
    assert pauses == []


@pytest.mark.parametrize(
    "error",
    [
        refusal("AccessDeniedException"),
        refusal("TransactionCanceledException", "ItemCollectionSizeLimitExceeded"),
        refusal("ResourceNotFoundException"),
        EndpointConnectionError(endpoint_url="https://example.org"),
    ],
)
def test_what_aws_refuses_is_said_in_the_shops_words(error: Exception, pauses: list[float]) -> None:
    def call() -> None:
        raise error

    with pytest.raises(Unavailable, match="The shop c"):
        again(call)
    assert pauses == []


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(min_size=1, max_size=3), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.text(min_size=1, max_size=5), values, max_size=5))
def test_values_survive_the_wire(item: dict[str, Any]) -> None:
    assert from_wire(to_wire(item)) == _without_none(item)


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_none(each) for name, each in value.items() if each is not None}
    return [_without_none(each) for each in value] if isinstance(value, list) else value


def test_a_query_reads_all_pages(table: Table) -> None:
    for number in range(30):
        table.put({"pk": "BIG", "sk": f"{number:03}", "text": "x" * 100_000})
    assert [item["sk"] for item in table.query("BIG")] == [f"{number:03}" for number in range(30)]
    assert len(table.query("BIG", limit=3, newest_first=True)) == 3
    found = table.get_many([("BIG", f"{number:03}") for number in (3, 1, 99)])
    assert [item["sk"] for item in found] == ["003", "001"]


def test_the_quick_parser_answers_the_same_and_much_quicker(settings: Settings, table: Table) -> None:
    for number in range(40):
        lines = [{"id": f"line-{at}", "cents": at, "names": ["a", "b", "c"], "vegan": True} for at in range(6)]
        table.put({"pk": "MANY", "sk": f"{number:02}", "lines": lines})
    quick = boto3.Session(botocore_session=quick_parser.session(), region_name="us-east-1").client("dynamodb")
    usual = boto3.client("dynamodb")
    query: Any = {
        "TableName": settings.catalog_table,
        "KeyConditionExpression": "pk = :pk",
        "ExpressionAttributeValues": {":pk": {"S": "MANY"}},
    }
    assert quick.query(**query)["Items"] == usual.query(**query)["Items"]

    def cost(client: Any) -> float:
        begun = time.thread_time()
        for _ in range(5):
            client.query(**query)
        return time.thread_time() - begun

    assert min(cost(quick) for _ in range(3)) < 0.6 * min(cost(usual) for _ in range(3))


def test_the_quick_parser_still_says_why_a_transaction_failed(table: Table, services: Services) -> None:
    table.put({"pk": "A", "sk": "A"})
    quick = Table(services.people._table._client, table.name)  # type: ignore[attr-defined]
    taken = {"pk": "A", "sk": "A"}
    free = {"pk": "B", "sk": "B"}
    with pytest.raises(ConditionFailed) as failed:
        quick.transact([tables.put(table.name, item, "attribute_not_exists(pk)") for item in (free, taken)])
    assert failed.value.places == (1,)


class Vault:
    """Secrets Manager, as far as the shop knows it."""

    def __init__(self) -> None:
        self.value: str | None = "first" * 10
        self.asked = 0

    def get_secret_value(self, *, SecretId: str) -> dict[str, str]:  # noqa: N803
        self.asked += 1
        if self.value is None:
            raise EndpointConnectionError(endpoint_url="https://example.org")
        return {"SecretString": self.value}


def test_a_rotated_key_signs_nobody_out() -> None:
    vault = Vault()
    secrets = SecretKeys(vault, "arn")  # type: ignore[arg-type]
    signer = CookieSigner(secrets)
    cookie, token = signer.sign("session"), signer.tokens("session")[0]
    assert vault.asked == 1
    vault.value = "second" * 10
    secrets._until = 0
    assert signer.read(cookie) == "session"
    assert token in signer.tokens("session")
    newer = CookieSigner(lambda: ["second" * 10])
    assert newer.read(signer.sign("session")) == "session"
    assert newer.read(cookie) is None


def test_known_keys_outlive_an_outage_and_none_at_all_is_said() -> None:
    vault = Vault()
    secrets = SecretKeys(vault, "arn")  # type: ignore[arg-type]
    secrets()
    vault.value = None
    secrets._until = 0
    assert secrets() == ["first" * 10]
    with pytest.raises(Unavailable):
        SecretKeys(vault, "arn")()  # type: ignore[arg-type]
