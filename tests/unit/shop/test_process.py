"""The shop as a process: how it starts, ends and is administered, with nothing but its environment."""

import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import boto3
import pytest
import requests

from shop.admin import main
from shop.settings import Settings, SettingsError
from tests.plugins.engines import Postgres, Valkey
from tests.unit.shop.browser import Browser
from tests.unit.shop.conftest import PASSWORD, free_port, say, until

STOREFRONT = Path(__file__).resolve().parents[3] / "storefront"


@pytest.fixture
def environment(settings: Settings, cloud: str, tmp_path: Path) -> dict[str, str]:
    """What a task gets, and nothing of this machine's."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "CATALOG_TABLE": settings.catalog_table,
        "ASSET_BUCKET": settings.asset_bucket,
        "SESSION_SECRET_ARN": settings.session_secret_arn,
        "SHOP_HOST": "127.0.0.1",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": cloud,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }


@pytest.fixture
def process(environment: dict[str, str]) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`python -m shop` as the image runs it, but on a free port."""
    port = free_port()
    program = f"import shop.__main__ as shop; shop.PORT = {port}; shop.main()"
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=STOREFRONT, env=environment, stdout=subprocess.PIPE, text=True
    ) as running:
        address = f"http://127.0.0.1:{port}"
        until(lambda: _lives(address), 20, "the shop did not start")
        yield running, address
        running.kill()


def test_it_listens_where_it_is_told(process: tuple[subprocess.Popen[str], str]) -> None:
    """On a desk on 127.0.0.1 alone; a listener on every address would also answer at another one of this machine."""
    port = urlsplit(process[1]).port
    with socket.socket() as wire:
        wire.settimeout(1)
        assert wire.connect_ex(("127.0.0.2", port)) != 0


def test_in_its_container_it_listens_on_every_address(environment: dict[str, str]) -> None:
    assert Settings.from_environment(environment).host == "127.0.0.1"
    del environment["SHOP_HOST"]
    assert Settings.from_environment(environment).host == "0.0.0.0"  # noqa: S104  (the value that is meant)


def test_it_serves_and_ends_at_once_when_told_even_while_somebody_waits(
    process: tuple[subprocess.Popen[str], str],
) -> None:
    running, address = process
    guest = Browser(address)
    order = guest.order()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(guest.get, f"/api/orders/{order['id']}?wait=20&version={order['version']}")
        time.sleep(0.5)
        begun = time.monotonic()
        running.send_signal(signal.SIGTERM)
        assert waiting.result(10) == order
    running.wait(10)
    assert time.monotonic() - begun < 8
    assert running.stdout
    lines = [json.loads(line) for line in running.stdout.read().splitlines()]
    assert any(line["message"].startswith("POST /api/orders") for line in lines)
    assert len([line for line in lines if "GET /api/session" in line["message"]]) == 1


def test_the_clients_of_later_phases_are_not_even_imported(environment: dict[str, str]) -> None:
    program = (
        "import sys, shop.wiring, shop.app; sys.exit(bool({'psycopg', 'psycopg_pool', 'valkey'} & {*sys.modules}))"
    )
    assert subprocess.run([sys.executable, "-c", program], cwd=STOREFRONT, env=environment, check=False).returncode == 0


def test_the_image_has_the_certificates_that_functions_have() -> None:
    copy = STOREFRONT / "certs" / "rds-global-bundle.pem"
    assert copy.read_bytes() == (STOREFRONT.parent / "certs" / copy.name).read_bytes()
    instructions = (STOREFRONT / "Dockerfile").read_text()
    assert "COPY certs ./certs\n" in instructions
    assert f"ENV PGSSLROOTCERT=/app/certs/{copy.name}\n" in instructions


@pytest.fixture
def later(environment: dict[str, str], logins: None, postgres: Postgres, valkey: Valkey) -> Iterator[str]:
    """The environment of a task in phase 2; answers the URL of its queue."""
    postgres.empty({"croissant": 5})
    queue: str = boto3.client("sqs").create_queue(QueueName="orders-of-a-process")["QueueUrl"]
    environment |= {name: os.environ[name] for name in ("PGSSLROOTCERT", "SSL_CERT_FILE")}
    environment["SHOP_CONFIG_PARAMETER"] = "/shop/process"
    places = {"postgresql": postgres.place, "valkey": valkey.place}
    say("/shop/process", orders="postgresql", sessions="valkey", menu_cache="valkey", order_queue_url=queue, **places)
    yield queue
    boto3.client("ssm").delete_parameter(Name="/shop/process")
    boto3.client("sqs").delete_queue(QueueUrl=queue)


def test_in_phase_2_it_sends_what_is_left_and_ends(
    later: str, process: tuple[subprocess.Popen[str], str], postgres: Postgres
) -> None:
    running, address = process
    ready = requests.get(f"{address}/ready", timeout=10).json()
    assert ready["checks"] == {"table": "ok", "session secret": "ok", "orders": "ok", "cache": "ok"}
    order = Browser(address).paid_order()
    assert postgres.sql("select id, status from orders") == [(order["id"], "new")]
    begun = time.monotonic()
    running.send_signal(signal.SIGTERM)
    assert running.wait(15) == -signal.SIGTERM or running.returncode == 0
    assert time.monotonic() - begun < 8
    assert postgres.sql("select type, sent_at is not null from outbox order by created_at") == [
        ("order.placed", True),
        ("order.paid", True),
    ]
    assert postgres.sql("select count(*) from pg_stat_activity where application_name = 'brew-haven-shop'") == [(0,)]
    messages = boto3.client("sqs").receive_message(QueueUrl=later, MaxNumberOfMessages=10)["Messages"]
    assert len(messages) == 2
    assert running.stdout
    lines = [json.loads(line) for line in running.stdout.read().splitlines()]
    assert "orders now live in PostgreSQL at localhost" in [line["message"] for line in lines]
    [carried] = [line for line in lines if line["message"] == "carried over to PostgreSQL"]
    assert (carried["orders"], carried["stock"]) == (0, 1)
    assert not [line for line in lines if line["level"] in {"warning", "error"}]


def test_without_its_environment_it_says_what_is_missing(environment: dict[str, str]) -> None:
    for name in ("CATALOG_TABLE", "SESSION_SECRET_ARN"):
        del environment[name]
    done = subprocess.run(
        [sys.executable, "-m", "shop"], cwd=STOREFRONT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    message = json.loads(done.stdout)["message"]
    assert "CATALOG_TABLE is not set" in message and "SESSION_SECRET_ARN is not set" in message
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../../etc/passwd", "Europe"])
def test_a_zone_that_is_none_is_named(zone: str) -> None:
    with pytest.raises(SettingsError, match="SHOP_TIME_ZONE"):
        Settings.from_environment(
            {"CATALOG_TABLE": "t", "ASSET_BUCKET": "b", "SESSION_SECRET_ARN": "s", "SHOP_TIME_ZONE": zone}
        )


def test_staff_is_created_listed_and_signs_in(admin: Callable[..., str], guest: Browser) -> None:
    new = ["create-staff", "--email", "Grace@Example.org", "--role", "manager", "--name", "Grace", "--password-stdin"]
    assert "grace@example.org is now manager" in admin(new, PASSWORD)
    assert "already an account" in admin(new, PASSWORD, expect=1)
    assert "left as it is" in admin([*new, "--if-missing"], PASSWORD)
    [person] = json.loads(admin(["list-staff", "--json"]))
    assert (person["email"], person["role"], person["name"]) == ("grace@example.org", "manager", "Grace")
    assert "manager" in admin(["list-staff"])
    signed_in = guest.post("/api/session", {"email": "grace@example.org", "password": PASSWORD})
    assert signed_in["customer"]["role"] == "manager"


def test_a_weak_password_and_a_wrong_role_are_refused(admin: Callable[..., str]) -> None:
    new = ["create-staff", "--email", "a@example.org", "--password-stdin", "--role"]
    assert "characters" in admin([*new, "barista"], "short", expect=1)
    assert "invalid choice" in admin([*new, "customer"], PASSWORD, expect=2)


@pytest.fixture
def admin(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """Runs `python -m shop.admin` inside this process; answers what it printed."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    def run(arguments: list[str], typed: str = "", expect: int = 0) -> str:
        monkeypatch.setattr("sys.stdin", io.StringIO(typed + "\n"))
        try:
            code = main(arguments)
        except SystemExit as end:
            code = int(end.code or 0)
        printed = "".join(capsys.readouterr())
        assert code == expect, printed
        assert PASSWORD not in printed
        return printed

    return run


def _lives(address: str) -> bool:
    try:
        return requests.get(f"{address}/health", timeout=1).status_code == 200
    except requests.ConnectionError:
        return False
