"""The parameter of the seam: what it may say, and that a mistake in it moves nothing."""

import contextlib
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from shop.adapters.switches import Parameter, PostgresPlace, Switches, SwitchesError, ValkeyPlace, parse
from shop.settings import Settings

PATH = "/shop/switches"
POSTGRES = {"host": "orders.example.org", "port": 5432, "database": "brewhaven", "secret_arn": "arn:orders"}
VALKEY = {"host": "cache.example.org", "port": 6379, "secret_arn": "arn:cache"}
QUEUE = "https://sqs.eu-central-1.amazonaws.com/111122223333/orders"
EVERYTHING = {
    "orders": "postgresql",
    "sessions": "valkey",
    "menu_cache": "valkey",
    "postgresql": POSTGRES,
    "valkey": VALKEY,
    "order_queue_url": QUEUE,
}


def test_everything_may_be_switched() -> None:
    since = datetime(2026, 11, 28, tzinfo=UTC)
    assert parse(json.dumps(EVERYTHING), since) == Switches(
        orders="postgresql",
        sessions="valkey",
        menu_cache="valkey",
        postgresql=PostgresPlace("orders.example.org", 5432, "brewhaven", "arn:orders"),
        valkey=ValkeyPlace("cache.example.org", 6379, "arn:cache"),
        order_queue_url=QUEUE,
        since=since,
    )


def test_one_thing_may_be_switched_without_the_others() -> None:
    assert parse(json.dumps({"orders": "postgresql", "postgresql": POSTGRES})).sessions == "dynamodb"
    assert parse(json.dumps({"menu_cache": "valkey", "valkey": VALKEY})).orders == "dynamodb"
    assert parse("{}") == Switches()
    # What stands there and is not used yet is looked at all the same, and kept.
    assert parse(json.dumps({"postgresql": POSTGRES})).postgresql is not None


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("not json", "not JSON"),
        ("[]", "must be a JSON object, got list"),
        ('{"orders": "sqlite"}', "orders is 'sqlite', and must be one of dynamodb, postgresql"),
        ('{"orders": "postgres"}', "must be one of"),
        ('{"orders": null}', "orders is None"),
        ('{"orders": []}', "orders is []"),
        ('{"menu_cache": "dynamodb"}', "menu_cache"),
        ('{"orders": "dynamodb", "cakes": "s3"}', "no key 'cakes'"),
        ('{"orders": "postgresql"}', "postgresql must say where it is"),
        ('{"sessions": "valkey"}', "valkey must say where it is"),
        (json.dumps({"postgresql": {**POSTGRES, "port": "5432"}}), "postgresql.port is '5432', and must be a whole"),
        (json.dumps({"postgresql": {**POSTGRES, "port": True}}), "postgresql.port is True"),
        (json.dumps({"postgresql": {**POSTGRES, "port": 70000}}), "must be a port"),
        (json.dumps({"postgresql": {**POSTGRES, "host": ""}}), "postgresql.host is '', and must be a text"),
        (json.dumps({"postgresql": {**POSTGRES, "password": "x"}}), "no key postgresql.password"),
        (json.dumps({"valkey": {"host": "a", "port": 1}}), "valkey.secret_arn is None"),
        ('{"order_queue_url": "orders"}', "order_queue_url is 'orders'"),
    ],
)
def test_a_mistake_is_named(text: str, sentence: str) -> None:
    with pytest.raises(SwitchesError) as mistake:
        parse(text)
    assert sentence in str(mistake.value)


def test_all_mistakes_are_named_at_once() -> None:
    with pytest.raises(SwitchesError) as mistake:
        parse('{"orders": "x", "sessions": "y", "valkey": 3, "a": 1}')
    assert all(word in str(mistake.value) for word in ("orders", "sessions", "valkey must", "'a'"))


@pytest.fixture
def parameter(settings: Settings) -> Iterator[Parameter]:
    ssm = boto3.client("ssm")
    yield Parameter(ssm, PATH)
    with contextlib.suppress(ssm.exceptions.ParameterNotFound):
        ssm.delete_parameter(Name=PATH)


def say(text: str) -> None:
    boto3.client("ssm").put_parameter(Name=PATH, Value=text, Type="String", Overwrite=True)


def test_without_the_parameter_it_is_phase_ones_way(parameter: Parameter) -> None:
    assert parameter.read() == Switches()
    assert parameter.problem is None


def test_a_shop_without_a_path_asks_nobody() -> None:
    assert Parameter(None, None).read() == Switches()  # type: ignore[arg-type]


def test_the_parameter_switches_and_its_removal_switches_back(parameter: Parameter) -> None:
    say(json.dumps(EVERYTHING))
    switches = parameter.read()
    assert (switches.orders, switches.sessions) == ("postgresql", "valkey")
    assert switches.since and abs(datetime.now(UTC) - switches.since) < timedelta(seconds=60)
    boto3.client("ssm").delete_parameter(Name=PATH)
    assert parameter.read() == Switches()


def test_a_mistake_in_the_parameter_changes_nothing_and_is_logged_once(
    parameter: Parameter, caplog: pytest.LogCaptureFixture
) -> None:
    say(json.dumps(EVERYTHING))
    before = parameter.read()
    say('{"orders": "postgres"}')
    with caplog.at_level(logging.ERROR):
        assert parameter.read() == before
        assert parameter.read() == before
    assert caplog.text.count("nothing is switched") == 1
    assert parameter.problem and "must be one of" in parameter.problem
    say(json.dumps(EVERYTHING))
    parameter.read()
    assert parameter.problem is None


def test_a_parameter_that_cannot_be_read_changes_nothing(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    class Denied:
        exceptions: Any = boto3.client("ssm").exceptions

        def get_parameter(self, **_: object) -> None:
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "GetParameter")

    parameter = Parameter(Denied(), PATH)  # type: ignore[arg-type]
    assert parameter.read() == Switches()
    assert "cannot be read" in caplog.text
    assert parameter.problem
