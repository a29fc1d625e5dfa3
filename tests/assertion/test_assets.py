"""The built assets: each holds what it needs to run, and nothing else."""

import importlib.metadata
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
STACK = "BrewHaven-Phase1-Foundation"
BOTO3 = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six.py", "urllib3")


@pytest.fixture(scope="module")
def asset(assembly: Callable[..., Path]) -> Callable[[str], Path]:
    """`asset("menu_seeder")`: the folder of the asset that holds an entry of this name."""

    def find(entry: str) -> Path:
        manifest = json.loads((assembly() / f"{STACK}.assets.json").read_text(encoding="utf-8"))
        assets = [*manifest["files"].values(), *manifest.get("dockerImages", {}).values()]
        folders = {assembly() / (one["source"].get("path") or one["source"]["directory"]) for one in assets}
        (found,) = [folder for folder in folders if (folder / entry).exists()]
        return found

    return find


def contents(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def test_the_seeder_runs_with_nothing_but_its_asset_and_boto3(asset: Callable[[str], Path], tmp_path: Path) -> None:
    installed = Path(str(importlib.metadata.distribution("boto3").locate_file("")))
    for name in BOTO3:
        (tmp_path / name).symlink_to(installed / name)
    program = "import sys; sys.path[:0] = sys.argv[1:]; from menu_seeder.handler import lambda_handler, MENU_FILE; "
    program += "import json; print(len(json.loads(MENU_FILE.read_text())['products']))"
    # No environment, no site-packages (and nothing written), so that a forgotten dependency is missing here too.
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", program, str(asset("menu_seeder")), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"]},
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 24


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
