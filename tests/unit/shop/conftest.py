"""A cloud of its own for the shop's tests: the emulator on a free port, without TLS and IAM, with the one table.

The whole shop on the real local cloud (TLS, IAM, load balancer) is the business of `tests/local`.
"""

import contextlib
import functools
import json
import os
import subprocess
import sys
import threading
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.error import URLError

import boto3
import pytest
import uvicorn
from fastapi import FastAPI

from shop.adapters import keys, quick_parser
from shop.adapters.people import Argon2Hasher
from shop.adapters.table import Table, to_wire
from shop.adapters.valkey_store import SETTLED
from shop.app import create_app
from shop.domain.customers import Role
from shop.domain.ids import now
from shop.services import Services
from shop.settings import Settings
from shop.wiring import build
from tests.plugins import engines
from tests.plugins.engines import free_port
from tests.unit.shop.browser import Browser

PASSWORD = "a long enough password"
COFFEE = {
    "id": "latte",
    "category": "coffee",
    "name": "Caffè latte",
    "description": "Espresso and warm milk.",
    "sizes": [
        {"id": "regular", "name": "Regular", "detail": "240 ml", "price_cents": 420},
        {"id": "large", "name": "Large", "detail": "360 ml", "price_cents": 490},
    ],
    "extras": [
        {"id": "oat-milk", "name": "Oat milk", "price_cents": 60, "allergens": ["gluten"], "vegan": True},
        {"id": "extra-shot", "name": "Extra shot", "price_cents": 90, "allergens": [], "vegan": True},
    ],
    "allergens": ["milk"],
    "vegan": False,
    "picture": "latte.webp",
    "picture_alt": "A glass of latte",
    "sort": 20,
}
ESPRESSO = {
    **COFFEE,
    "id": "espresso",
    "name": "Espresso",
    "description": "Short and dark.",
    "sizes": [{"id": "single", "name": "Single", "detail": "30 ml", "price_cents": 260}],
    "extras": [],
    "allergens": [],
    "vegan": True,
    "sort": 10,
}
CROISSANT = {
    **COFFEE,
    "id": "croissant",
    "category": "bakery",
    "name": "Croissant",
    "description": "Butter, flour, patience.",
    "sizes": [{"id": "piece", "name": "Piece", "detail": "", "price_cents": 310}],
    "extras": [],
    "allergens": ["gluten", "milk"],
    "stock": 5,
    "sort": 10,
}
BOARD = {
    "pk": "MENU",
    "sk": "CATEGORIES",
    "type": "menu",
    "categories": [
        {"id": "coffee", "name": "Coffee", "description": "", "sort": 10},
        {"id": "bakery", "name": "From the oven", "description": "", "sort": 20},
    ],
    "allergens": [{"id": "gluten", "name": "Gluten"}, {"id": "milk", "name": "Milk"}],
}


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The emulator's address; the SDK's environment points at it for the session."""
    home = tmp_path_factory.mktemp("cloud")
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "TMPDIR": str(home),
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "LOG_LEVEL": "WARNING",
        "IOT_MTLS_ENABLED": "0",  # or it opens port 8883 to everybody
        "S3_DATA_DIR": str(home / "s3"),
        "SERVICES": "dynamodb,s3,ssm,secretsmanager,sqs,sts",
    }
    with (home / "cloud.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "ministack"], env=environment, cwd=home, stdout=log, stderr=subprocess.STDOUT
        )
    patch = pytest.MonkeyPatch()
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        patch.delenv(name)
    patch.setenv("AWS_ENDPOINT_URL", address)
    patch.setenv("AWS_ACCESS_KEY_ID", "test")
    patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    patch.setenv("AWS_REGION", "us-east-1")
    patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    try:
        until(lambda: _answers(f"{address}/_ministack/health"), 20, f"the emulator did not start, see {home}/cloud.log")
        yield address
    finally:
        patch.undo()
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="session")
def _sessions() -> Iterator[None]:
    """All shops here share the SDK's sessions: reading what AWS offers takes a third of a second each time."""
    remembered = SimpleNamespace(Session=functools.cache(boto3.Session))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shop.wiring.boto3", remembered)
        patch.setattr("shop.wiring.quick_parser", SimpleNamespace(session=functools.cache(quick_parser.session)))
        yield


@pytest.fixture(scope="session")
def settings(cloud: str, _sessions: None) -> Settings:
    """A table, a bucket and a secret as the stack makes them."""
    dynamodb = boto3.client("dynamodb")
    names = ["pk", "sk", "gsi1pk", "gsi1sk", "gsi2pk", "gsi2sk"]
    dynamodb.create_table(
        TableName="catalog",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in names],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": index,
                "KeySchema": [{"AttributeName": pk, "KeyType": "HASH"}, {"AttributeName": sk, "KeyType": "RANGE"}],
                "Projection": {"ProjectionType": "ALL"},
            }
            for index, pk, sk in (keys.BY_CATEGORY, keys.OPEN_ORDERS)
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    boto3.client("s3").create_bucket(Bucket="assets")
    secret = boto3.client("secretsmanager").create_secret(Name="session", SecretString="k" * 40)
    return Settings.from_environment(
        {
            "CATALOG_TABLE": "catalog",
            "ASSET_BUCKET": "assets",
            "SESSION_SECRET_ARN": secret["ARN"],
            "SHOP_CONFIG_PARAMETER": "/shop/config",
            "AWS_REGION": "us-east-1",
        }
    )


@pytest.fixture(scope="session")
def _trusted(engine_certificates: tuple[Path, Path, Path]) -> Iterator[None]:
    """The shop trusts the authority of the doors."""
    authority = str(engine_certificates[0])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PGSSLROOTCERT", authority)
        patch.setenv("SSL_CERT_FILE", authority)
        yield


@pytest.fixture(scope="session")
def postgres(postgres_engine: engines.Postgres, _trusted: None) -> engines.Postgres:
    """PostgreSQL with empty tables of orders."""
    postgres_engine.create()
    return postgres_engine


@pytest.fixture(scope="session")
def valkey(valkey_engine: engines.Valkey, _trusted: None) -> engines.Valkey:
    """Valkey, where the shop's user may what it may on AWS."""
    return valkey_engine


@pytest.fixture(scope="session")
def way(request: pytest.FixtureRequest) -> str:
    """Where the shop's orders live, or its sessions; a test that holds for several has one of the marks below."""
    return getattr(request, "param", "dynamodb")


EVERY_WAY = pytest.mark.parametrize("way", ["dynamodb", "postgresql", "valkey"], indirect=True, scope="session")
IN_VALKEY_TOO = pytest.mark.parametrize("way", ["dynamodb", "valkey"], indirect=True, scope="session")
BOTH_WAYS = pytest.mark.parametrize("way", ["dynamodb", "postgresql"], indirect=True, scope="session")


@pytest.fixture(scope="session")
def logins(settings: Settings) -> None:
    """The secrets of PostgreSQL and Valkey, under the names in the places of `engines`."""
    vault = boto3.client("secretsmanager")
    for name, user in (("postgresql", engines.USER), ("valkey", "shop")):
        secret = {"username": user, "password": engines.PASSWORD}
        vault.create_secret(Name=name, SecretString=json.dumps(secret))


@pytest.fixture
def path(settings: Settings) -> Iterator[str]:
    """Of a parameter of this test's own."""
    name = f"/shop/{uuid.uuid4()}"
    yield name
    forget(name)


def forget(path: str | None) -> None:
    """Delete the parameter, if it is there."""
    ssm = boto3.client("ssm")
    with contextlib.suppress(ssm.exceptions.ParameterNotFound):
        ssm.delete_parameter(Name=str(path))


def say(path: str | None, **switches: Any) -> None:
    """Write the parameter of the seam; places are those of `engines`."""
    places = {name: asdict(value) if hasattr(value, "host") else value for name, value in switches.items()}
    boto3.client("ssm").put_parameter(Name=str(path), Value=json.dumps(places), Type="String", Overwrite=True)


def settle(services: Services) -> None:
    """Let Valkey answer at once, as if the parameter was not written just now."""
    services.sessions._store._clock = lambda: now() + SETTLED  # type: ignore[attr-defined]


@pytest.fixture(scope="session")
def services(settings: Settings, way: str, request: pytest.FixtureRequest) -> Iterator[Services]:
    """The shop as it is built everywhere, but for passwords that cost less to hash: many tests sign somebody up."""
    here = replace(settings, config_parameter=f"/shop/{way}")
    if way != "dynamodb":
        request.getfixturevalue("logins")
        place = request.getfixturevalue("postgres" if way == "postgresql" else way).place
        what = {"orders": way} if way == "postgresql" else {"sessions": way, "menu_cache": way}
        say(here.config_parameter, **what, **{way: place})
    built = replace(build(here), hasher=Argon2Hasher(memory_kib=64))
    built.seam.refresh()
    settle(built)
    yield built
    built.seam.close()


@pytest.fixture(scope="session")
def dynamodb(settings: Settings) -> Any:
    return boto3.client("dynamodb")


@pytest.fixture(scope="session")
def table(settings: Settings, dynamodb: Any) -> Table:
    return Table(dynamodb, settings.catalog_table)


def stored(product: dict[str, Any]) -> dict[str, Any]:
    """A product as the seeder puts it into the table."""
    return {
        "pk": f"PRODUCT#{product['id']}",
        "sk": "PRODUCT",
        "type": "product",
        "retired": False,
        "version": 1,
        **product,
        "gsi1pk": "MENU",
        "gsi1sk": f"{product['category']}#{product['sort']:06d}#{product['id']}",
    }


MENU_ITEMS = [BOARD, *(stored(product) for product in (COFFEE, ESPRESSO, CROISSANT))]


@pytest.fixture(autouse=True)
def _menu(request: pytest.FixtureRequest) -> None:
    """Every test that uses the cloud begins with the same menu and nothing else."""
    if "settings" not in request.fixturenames:
        return
    if request.getfixturevalue("way") == "postgresql":
        request.getfixturevalue("postgres").empty({"croissant": CROISSANT["stock"]})
    if "valkey" in (*request.fixturenames, request.getfixturevalue("way")):
        request.getfixturevalue("valkey").empty()
    client = request.getfixturevalue("dynamodb")
    menu = {(item["pk"], item["sk"]) for item in MENU_ITEMS}
    keys_there = client.scan(TableName="catalog", ProjectionExpression="pk, sk")["Items"]
    writes: list[Any] = [
        {"DeleteRequest": {"Key": key}} for key in keys_there if (key["pk"]["S"], key["sk"]["S"]) not in menu
    ]
    writes += [{"PutRequest": {"Item": to_wire(item)}} for item in MENU_ITEMS]
    for start in range(0, len(writes), 25):
        client.batch_write_item(RequestItems={"catalog": writes[start : start + 25]})


@contextlib.contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """Serve the app on a free port: real HTTP, real threads."""
    port = free_port()
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None, access_log=False, proxy_headers=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until(lambda: server.started, 20, "the shop did not start")
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(10)


@pytest.fixture(scope="session")
def shop(services: Services) -> Iterator[str]:
    """The running shop's address."""
    with serving(create_app(services)) as address:
        yield address


@pytest.fixture
def guest(shop: str) -> Browser:
    return Browser(shop)


@pytest.fixture
def new_browser(shop: str) -> Callable[[], Browser]:
    return lambda: Browser(shop)


@pytest.fixture
def customer(shop: str) -> Browser:
    return _signed_up(shop, "ada@example.org")


@pytest.fixture
def other_customer(shop: str) -> Browser:
    return _signed_up(shop, "grace@example.org")


@pytest.fixture
def barista(shop: str, services: Services) -> Browser:
    return _staff(shop, services, Role.BARISTA)


@pytest.fixture
def manager(shop: str, services: Services) -> Browser:
    return _staff(shop, services, Role.MANAGER)


def _signed_up(shop: str, email: str) -> Browser:
    browser = Browser(shop)
    body = {"name": "Ada", "email": email, "password": PASSWORD}
    browser.use_session(browser.post("/api/customers", body, expect=201))
    return browser


def _staff(shop: str, services: Services, role: Role) -> Browser:
    email = f"{role.value}@example.org"
    services.accounts.register(name=role.value.title(), email=email, password=PASSWORD, role=role)
    browser = Browser(shop)
    browser.use_session(browser.post("/api/session", {"email": email, "password": PASSWORD}, expect=200))
    return browser


def until(holds: Callable[[], bool], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            pytest.fail(what)
        time.sleep(0.05)


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=1) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False
