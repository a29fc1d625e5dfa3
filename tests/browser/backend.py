"""A shop for the browser tests when nobody gave one: the emulator on a free port and the shop beside it.

It has the whole menu and its pictures, but neither TLS nor IAM nor a load balancer: the shop on the real local cloud is
what `SHOP_URL` or the local cloud's own fixture names.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import boto3
import pytest
import uvicorn

from menu_seeder.handler import seed
from menu_seeder.table import CatalogTable
from shop.adapters import keys
from shop.app import create_app
from shop.domain.customers import Role
from shop.services import Services
from shop.settings import Settings
from shop.wiring import build

MENU = Path(__file__).resolve().parents[2] / "storefront" / "menu"
HOST = "127.0.0.1"
REGION = "us-east-1"
PASSWORD = "a long enough password"


@dataclass(frozen=True)
class Account:
    """Who may sign in at the shop under test."""

    email: str
    password: str


@dataclass(frozen=True)
class RunningShop:
    url: str
    staff: dict[str, Account]


@contextmanager
def running_shop(folder: Path) -> Iterator[RunningShop]:
    """The shop with its menu, its pictures, a barista and a manager; gone afterwards."""
    with _emulator(folder):
        services, staff = _open(folder)
        port = _free_port()
        config = uvicorn.Config(create_app(services), host=HOST, port=port, log_config=None, access_log=False)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        _until(lambda: server.started, "the shop did not start")
        try:
            yield RunningShop(f"http://{HOST}:{port}", staff)
        finally:
            services.live.stop()
            server.should_exit = True
            thread.join(10)


def _open(folder: Path) -> tuple[Services, dict[str, Account]]:
    """Build the shop and hire its staff.  The SDK's environment is changed only here: clients keep what they read."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        for name, value in _sdk_environment(folder).items():
            patch.setenv(name, value)
        boto3.setup_default_session()
        services = build(_furnish())
        staff = {role.value: Account(f"{role.value}@example.org", PASSWORD) for role in (Role.BARISTA, Role.MANAGER)}
        for role, account in staff.items():
            services.accounts.register(
                name=role.title(), email=account.email, password=account.password, role=Role(role)
            )
    boto3.setup_default_session()
    return services, staff


def _sdk_environment(folder: Path) -> dict[str, str]:
    port = (folder / "port").read_text()
    return {
        "AWS_ENDPOINT_URL": f"http://{HOST}:{port}",
        "AWS_ACCESS_KEY_ID": "test",  # the emulator's own root: presigned requests need a key that it knows
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


@contextmanager
def _emulator(folder: Path) -> Iterator[None]:
    port = _free_port()
    (folder / "port").write_text(str(port))
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "GATEWAY_PORT": str(port),
        "BIND_HOST": HOST,
        "MINISTACK_HOST": HOST,
        "LOG_LEVEL": "WARNING",
        "S3_DATA_DIR": str(folder / "s3"),
        "SERVICES": "dynamodb,s3,ssm,secretsmanager,sts",
    }
    with (folder / "emulator.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "ministack"], env=environment, cwd=folder, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        _until(lambda: _answers(f"http://{HOST}:{port}/_ministack/health"), f"no emulator, see {folder}/emulator.log")
        yield
    finally:
        process.terminate()
        process.wait(10)


def _furnish() -> Settings:
    """Table, bucket and secret as the stack makes them, with the menu and its pictures in place."""
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
    table = boto3.resource("dynamodb").Table("catalog")
    seed(json.loads((MENU / "menu.json").read_text()), CatalogTable(table, _refused(table)))
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="assets")
    s3.put_bucket_cors(
        Bucket="assets",
        CORSConfiguration={
            "CORSRules": [{"AllowedMethods": ["GET", "POST", "PUT"], "AllowedOrigins": ["*"], "AllowedHeaders": ["*"]}]
        },
    )
    for picture in (MENU / "pictures").iterdir():
        s3.put_object(
            Bucket="assets", Key=f"media/menu/{picture.name}", Body=picture.read_bytes(), ContentType="image/webp"
        )
    secret = boto3.client("secretsmanager").create_secret(Name="session", SecretString="k" * 40)
    return Settings.from_environment(
        {
            "CATALOG_TABLE": "catalog",
            "ASSET_BUCKET": "assets",
            "SESSION_SECRET_ARN": secret["ARN"],
            "AWS_REGION": REGION,
        }
    )


def _refused(table: object) -> type[Exception]:
    exception: type[Exception] = table.meta.client.exceptions.ConditionalCheckFailedException  # type: ignore[attr-defined]
    return exception


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _until(holds: Callable[[], bool], what: str, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        time.sleep(0.05)


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
