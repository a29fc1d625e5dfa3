"""The load generator and its figures."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import CliRunner

from brewhaven.bench import __main__ as program
from brewhaven.bench import load, sections
from brewhaven.bench.sections import Row
from brewhaven.local.settings import CloudSettings


@pytest.mark.parametrize(
    ("value", "target", "better", "met"),
    [(2.0, 3.5, "lower", True), (3.6, 3.5, "lower", False), (0.2, 0.1, "higher", True), (0.05, 0.1, "higher", False)],
)
def test_a_row_knows_whether_its_target_is_met(value: float, target: float, better: str, met: bool) -> None:
    assert Row("x", value, "ratio", target, better).is_met is met
    assert Row("x", value, "ratio").is_met is None


def test_figures_are_of_all_answers() -> None:
    latencies = sorted([0.001] * 98 + [0.5, 1.0])
    measured = load.summarize(8, latencies, seconds=2.0, errors={})
    assert (measured.answers, measured.per_second, measured.p50_ms, measured.p99_ms) == (100, 50.0, 1.0, 1000.0)


def test_nothing_answered_is_no_division_by_zero() -> None:
    measured = load.summarize(1, [], 1.0, {"refused": 3})
    assert (measured.per_second, measured.errors) == (0.0, {"refused": 3})
    assert sections.throughput("x", measured, measured, 0.1).is_met is False


class Shop(http.server.BaseHTTPRequestHandler):
    """Answers every second order with 503, and counts keys."""

    protocol_version = "HTTP/1.1"
    keys: list[str]

    def _answer(self, status: int, body: Any, **headers: str) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        self._answer(200, {"csrf_token": "t"}, Set_Cookie="session=s; HttpOnly")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        assert (self.headers["Cookie"], self.headers["X-CSRF-Token"]) == ("session=s", "t")
        self.keys.append(self.headers["Idempotency-Key"])
        self._answer(201 if len(self.keys) % 2 else 503, {})

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def shop() -> Iterator[str]:
    Shop.keys = []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Shop)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_clients_read_until_the_time_is_over(shop: str) -> None:
    measured = load.run(load.Get(shop, "/api/menu"), clients=3, seconds=0.5, warm_up=0.1)
    assert measured.answers > 3
    assert 0 < measured.p50_ms <= measured.p99_ms
    assert measured.errors == {}


def test_every_order_has_a_key_of_its_own_and_errors_are_counted(shop: str) -> None:
    measured = load.run(load.Order(shop, "espresso", "single"), clients=2, seconds=0.8, warm_up=0.0)
    assert measured.answers > 0
    assert list(measured.errors) == ["RuntimeError: status 503 instead of 201"]
    assert len(set(Shop.keys)) == len(Shop.keys)


def test_load_goes_to_this_machine_only() -> None:
    with pytest.raises(AssertionError, match="this machine only"):
        load.Get("http://shop.example", "/").client()


def test_figures_are_kept_as_json(settings: CloudSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sections, "synth", lambda *_: iter([Row("synth: ratio", 3.0, "ratio", 3.5)]))
    result = CliRunner(env={"COLUMNS": "200"}).invoke(program.app, ["--section", "synth"])
    assert result.exit_code == 0
    assert "at most 3.5 met" in result.stdout
    (path,) = settings.home.glob("bench/*.json")
    (row,) = json.loads(path.read_text())["rows"]
    assert (row["name"], row["value"], row["met"]) == ("synth: ratio", 3.0, True)


def test_an_unknown_section_is_named(settings: CloudSettings) -> None:
    result = CliRunner(env={"COLUMNS": "200"}).invoke(program.app, ["--section", "coffee"])
    assert result.exit_code == 2
    assert "coffee" in result.stderr
