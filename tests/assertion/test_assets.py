"""The built assets: each holds what it needs to run, and nothing else."""

import importlib.metadata
import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from tests.phases import WHOLE

ROOT = Path(__file__).resolve().parents[2]
CERTIFICATES = ROOT / "certs" / "rds-global-bundle.pem"
STACK = "BrewHaven-Phase1-Foundation"
BOTO3 = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six.py", "urllib3")


@pytest.fixture(scope="module")
def asset(assembly: Callable[..., Path]) -> Callable[[str], Path]:
    """`asset("menu_seeder")`: the folder of the asset that holds an entry of this name."""

    def find(entry: str) -> Path:
        folder = assembly(**WHOLE)
        manifests = [json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*.assets.json")]
        assets = [
            one for said in manifests for one in (*said["files"].values(), *said.get("dockerImages", {}).values())
        ]
        folders = {folder / (one["source"].get("path") or one["source"]["directory"]) for one in assets}
        (found,) = [folder for folder in folders if (folder / entry).exists()]
        return found

    return find


def contents(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What Lambda's own Python has beside the standard library: boto3."""
    folder = tmp_path_factory.mktemp("runtime")
    installed = Path(str(importlib.metadata.distribution("boto3").locate_file("")))
    for name in BOTO3:
        (folder / name).symlink_to(installed / name)
    return folder


def alone(program: str, *folders: Path, **environment: str) -> str:
    """What a program prints that sees these folders and nothing else.

    No environment, no site-packages (and nothing written), so that a forgotten dependency is missing here too.
    """
    program = f"import sys; sys.path[:0] = sys.argv[1:]; {program}"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", program, *map(str, folders)],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"], **environment},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_seeder_runs_with_nothing_but_its_asset_and_boto3(asset: Callable[[str], Path], runtime: Path) -> None:
    program = "from menu_seeder.handler import lambda_handler, MENU_FILE; "
    program += "import json; print(len(json.loads(MENU_FILE.read_text())['products']))"
    assert int(alone(program, asset("menu_seeder"), runtime)) >= 24


LIBRARIES = "python/pg8000"
"""What only the layer of the libraries has; that of the pictures has Python packages too."""
FUNCTIONS = {
    "order_schema": {"shop_database"},
    "order_worker": {"order_events", "shop_database"},
    "order_notification": {"order_events"},
    "order_loyalty": {"order_events"},
    "order_board": {"order_events"},
}
TOLD = {
    "AWS_DEFAULT_REGION": "us-east-1",
    "POWERTOOLS_SERVICE_NAME": "test",
    "POWERTOOLS_METRICS_NAMESPACE": "test",
    "PGHOST": "db.example",
    "PGPORT": "5432",
    "PGDATABASE": "brewhaven",
    "PGSSLROOTCERT": "/opt/certs/rds-global-bundle.pem",
    "DATABASE_SECRET_ARN": "arn",
    "IDEMPOTENCY_TABLE": "seen",
    "FOLLOW_UP_TABLE": "follow-ups",
    "ORDER_TOPIC_ARN": "arn",
    "EMAIL_SENDER": "shop@example.com",
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_starts_with_nothing_but_its_asset_the_layer_and_boto3(
    asset: Callable[[str], Path], runtime: Path, name: str
) -> None:
    program = f"import {name}.handler as it; print(callable(it.lambda_handler))"
    layer = asset(LIBRARIES) / "python"
    assert alone(program, asset(name), layer, runtime, **TOLD) == "True\n"


@pytest.mark.parametrize(("name", "shares"), FUNCTIONS.items())
def test_a_functions_package_holds_it_and_what_it_shares_and_is_small(
    asset: Callable[[str], Path], name: str, shares: set[str]
) -> None:
    folder = asset(name)
    assert {path.name for path in folder.iterdir()} == {name, *shares}
    assert not any("__pycache__" in entry for entry in contents(folder))
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 5_000_000


def test_the_layer_is_plain_python_and_carries_the_certificates(asset: Callable[[str], Path]) -> None:
    layer = asset(LIBRARIES)
    assert (layer / "certs" / "rds-global-bundle.pem").read_bytes() == CERTIFICATES.read_bytes()
    machine_code = [name for name in contents(layer) if name.endswith((".so", ".pyd", ".dylib"))]
    assert machine_code == [], "one layer runs on every architecture"
    packages = {path.name for path in (layer / "python").iterdir()}
    assert {"pg8000", "aws_lambda_powertools"} <= packages
    assert not packages & {"boto3", "botocore"}, "Lambda brings its own"


def test_the_migrations_are_part_of_the_schemas_package(asset: Callable[[str], Path]) -> None:
    packaged = asset("order_schema") / "order_schema" / "migrations"
    ours = ROOT / "lambda_src" / "order_schema" / "migrations"
    assert [path.read_bytes() for path in sorted(packaged.iterdir())] == [
        path.read_bytes() for path in sorted(ours.glob("*.sql"))
    ]


def test_the_shop_has_the_same_authorities_as_the_functions() -> None:
    """Two copies, since an image is built from its own folder alone."""
    assert (ROOT / "storefront" / "certs" / CERTIFICATES.name).read_bytes() == CERTIFICATES.read_bytes()


def test_every_certificate_of_the_bundle_can_be_read_and_is_valid() -> None:
    found = x509.load_pem_x509_certificates(CERTIFICATES.read_bytes())
    assert len(found) >= 90
    soon = datetime.now(UTC) + timedelta(days=180)
    expired = [one.subject.rfc4514_string() for one in found if one.not_valid_after_utc < soon]
    assert expired == [], "renew it as certs/README.md says"
    names = {part for one in found for part in one.subject.rfc4514_string().split(",")}
    assert "CN=Amazon RDS us-east-1 Root CA RSA2048 G1" in names, "for databases"
    assert "CN=Amazon Root CA 1" in names, "for the proxy"


def test_the_seeder_carries_the_menu_of_the_shop_and_no_other_function(asset: Callable[[str], Path]) -> None:
    folder = asset("menu_seeder")
    assert {path.name for path in folder.iterdir()} == {"menu_seeder"}
    assert (folder / "menu_seeder" / "menu.json").read_bytes() == (ROOT / "storefront/menu/menu.json").read_bytes()
    assert not any("__pycache__" in name for name in contents(folder))


def test_the_instance_and_the_image_get_the_same_code(assembly: Callable[..., Path]) -> None:
    manifest: dict[str, Any] = json.loads((assembly() / f"{STACK}.assets.json").read_text(encoding="utf-8"))
    (image,) = (assembly() / one["source"]["directory"] for one in manifest["dockerImages"].values())
    folders = [assembly() / one["source"]["path"] for one in manifest["files"].values()]
    (code,) = [folder for folder in folders if (folder / "shop").is_dir()]
    assert {path.name for path in code.iterdir()} == {"certs", "requirements.txt", "shop", "web"}
    assert contents(code) == contents(image) - {"Dockerfile", ".dockerignore"}
    assert not any("__pycache__" in name for name in contents(code))


def test_everything_that_the_dockerfile_copies_is_in_the_image_asset(asset: Callable[[str], Path]) -> None:
    folder = asset("Dockerfile")
    copied = [line.split()[1] for line in (folder / "Dockerfile").read_text().splitlines() if line.startswith("COPY ")]
    assert copied
    for name in copied:
        assert (folder / name).exists(), name


def test_every_picture_of_the_menu_is_deployed(asset: Callable[[str], Path]) -> None:
    menu = json.loads((ROOT / "storefront/menu/menu.json").read_text(encoding="utf-8"))
    deployed = contents(asset("espresso.webp"))
    assert {product["picture"] for product in menu["products"]} <= deployed
