"""What `make bench` measures of phase 2: orders to notifications, the cache, and the functions by themselves."""

from __future__ import annotations

import io
import json
import threading
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from brewhaven.bench import events, functions, load
from brewhaven.deploy import Deployed
from brewhaven.errors import BrewHavenError

DEPLOYED = Deployed(
    {"ShopUrl": "http://127.0.0.1:1", "ShopConfigParameter": "/shop", "NotificationFunctionName": "notification"},
    {},
    [],
    0,
)


class Cloud:
    """A target whose clients are given."""

    account, region = "111122223333", "us-east-1"

    def __init__(self, **clients: Any) -> None:
        self._clients = clients

    def client(self, service: str) -> Any:
        return self._clients[service]


class Logs:
    """The log group of the notification function; each look finds one event more."""

    def __init__(self, told: dict[str, float]) -> None:
        self._told, self._looks = list(told.items()), 0

    def get_paginator(self, _: str) -> Logs:
        return self

    def paginate(self, **_: Any) -> list[dict[str, Any]]:
        self._looks += 1
        return [{"events": [_event(order, at) for order, at in self._told[: self._looks]]}]


def _event(order: str, at: float) -> dict[str, str]:
    moment = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S,%f")[:-3]
    return {"message": json.dumps({"order_id": order, "timestamp": f"{moment}+0000", "message": "customer told"})}


def test_a_notification_counts_from_when_its_order_was_sent_and_strangers_do_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(events.time, "sleep", lambda _: None)
    group = {"LoggingConfig": {"LogGroup": "notification"}}
    functions_client = SimpleNamespace(get_function_configuration=lambda **_: group)
    logs = Logs({"a": 1000.25, "stranger": 1000.5, "b": 1002.0})
    told = events._told(Cloud(**{"lambda": functions_client, "logs": logs}), DEPLOYED, {"a": 1000.0, "b": 1001.0})  # type: ignore[arg-type]
    assert told == {"a": 1000.25, "b": 1002.0}


def test_what_nobody_is_told_of_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MOST_SECONDS", 0.0)
    functions_client = SimpleNamespace(get_function_configuration=lambda **_: {"LoggingConfig": {"LogGroup": "n"}})
    cloud = Cloud(**{"lambda": functions_client, "logs": Logs({})})
    assert events._told(cloud, DEPLOYED, {"a": 1000.0}) == {}  # type: ignore[arg-type]


class Counter(BaseHTTPRequestHandler):
    """A shop that sells."""

    protocol_version = "HTTP/1.1"
    paths: list[str]

    def _answer(self, status: int, body: Any) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Set-Cookie", "session=s; HttpOnly")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        self._answer(200, {"csrf_token": "t"})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.paths.append(self.path)
        self._answer(200 if self.path.endswith("payment") else 201, {"id": f"order-{len(self.paths)}"})

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def counter() -> Iterator[str]:
    Counter.paths = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Counter)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_sale_is_an_order_and_its_payment_and_is_written_down(counter: str, tmp_path: Path) -> None:
    buyer = events.Sale(counter, "espresso", "single", str(tmp_path)).client()
    buyer.step()
    buyer.step()
    assert Counter.paths == [
        "/api/orders", "/api/orders/order-1/payment", "/api/orders", "/api/orders/order-3/payment",
    ]  # fmt: skip
    written = dict(events._lines(tmp_path))
    assert list(written) == ["order-1", "order-3"]
    assert written["order-1"] < written["order-3"]


class Parameters:
    """The shop's parameter, and every value that it has had."""

    def __init__(self) -> None:
        self.values = [json.dumps({"orders": "postgresql", "menu_cache": "valkey"})]

    def get_parameter(self, **_: Any) -> dict[str, Any]:
        return {"Parameter": {"Value": self.values[-1]}}

    def put_parameter(self, *, Value: str, **_: Any) -> None:  # noqa: N803  (boto3's)
        self.values.append(Value)


def test_the_menu_is_measured_with_its_cache_and_without_and_the_switch_is_put_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parameters, seen = Parameters(), []

    def measured(title: str, *_: Any) -> load.Measured:
        seen.append((title, "menu_cache" in json.loads(parameters.values[-1])))
        return load.Measured(32, 10, 300.0 if "with the" in title else 100.0, 1.0, 2.0)

    monkeypatch.setattr(events, "measure", measured)
    monkeypatch.setattr(events.time, "sleep", lambda _: None)
    rows = {row.name: row for row in events.menu(Cloud(ssm=parameters), DEPLOYED, 1.0)}  # type: ignore[arg-type]
    assert seen == [("GET /api/menu with the cache", True), ("GET /api/menu without", False)]
    assert parameters.values[-1] == parameters.values[0]
    ratio = rows["menu with the cache / without, 32 clients: throughput"]
    assert (ratio.value, ratio.target, ratio.is_met) == (3.0, 2.0, True)


def test_the_switch_is_put_back_when_the_load_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = Parameters()

    def measured(title: str, *_: Any) -> load.Measured:
        if "without" in title:
            raise OSError("refused")
        return load.Measured(32, 10, 300.0, 1.0, 2.0)

    monkeypatch.setattr(events, "measure", measured)
    monkeypatch.setattr(events.time, "sleep", lambda _: None)
    with pytest.raises(OSError, match="refused"):
        list(events.menu(Cloud(ssm=parameters), DEPLOYED, 1.0))  # type: ignore[arg-type]
    assert parameters.values[-1] == parameters.values[0]


def test_events_are_half_orders_and_half_payments_with_ids_of_their_own() -> None:
    made = events._events(10)
    assert [event["type"] for event in made].count("order.paid") == 5
    assert len({event["id"] for event in made}) == 10


def _zip(**files: str) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as made:
        for name, content in files.items():
            made.writestr(name.replace("__", "/") + ".py", content)
    return archive.getvalue()


PACKAGE = _zip(order_tea__handler="import os, strainer, boto3\nos.environ['TABLE'], int(os.environ['PGPORT'])\n")


@pytest.fixture
def brewing() -> Cloud:
    """A stack with a function of ours that needs its layer, and one of the CDK's."""
    objects = {"code.zip": PACKAGE, "layer.zip": _zip(python__strainer="")}
    resources = {
        "Function": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "Handler": "order_tea.handler.lambda_handler",
                "Code": {"S3Key": "code.zip"},
                "Layers": [{"Ref": "Layer"}],
                "Environment": {"Variables": {"TABLE": {"Ref": "Table"}, "PGPORT": {"Fn::GetAtt": "Port"}}},
            },
        },
        "Layer": {"Type": "AWS::Lambda::LayerVersion", "Properties": {"Content": {"S3Key": "layer.zip"}}},
        "Provider": {"Type": "AWS::Lambda::Function", "Properties": {"Handler": "index.handler"}},
    }
    return Cloud(
        cloudformation=SimpleNamespace(get_template=lambda **_: {"TemplateBody": {"Resources": resources}}),
        s3=SimpleNamespace(get_object=lambda *, Bucket, Key: {"Body": io.BytesIO(objects[Key])}),  # noqa: N803
    )


def test_our_functions_are_imported_with_their_layers_and_weighed_without(brewing: Cloud) -> None:
    rows = {row.name: row for row in functions.starts(brewing, ["Stack"], 1)}  # type: ignore[arg-type]
    assert list(rows) == [
        "order_tea: import",
        "order_tea: import, the processor's time",
        "order_tea: import without bytecode, the processor's time",
        "order_tea: package without layers",
    ]
    assert rows["order_tea: import"].value > 0
    assert (rows["order_tea: import"].target, rows["order_tea: import"].unit) == (400.0, "ms")
    assert rows["order_tea: package without layers"].value == round(len(PACKAGE) / 1e6, 3)


def test_a_function_that_cannot_be_imported_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("import nowhere_to_be_found\n")
    with pytest.raises(BrewHavenError, match=r"(?s)broken cannot be imported.*nowhere_to_be_found"):
        functions.importing("broken", [tmp_path], {})
