"""Accounts for the counter and the office of a shop on the local cloud, so that a student can look at every page.

Nothing deployed has a default password: these are made after the deployment, with random passwords that exist only in
the tool's state folder. On AWS nobody becomes staff without being named by a person (``python -m shop.admin --help``).
"""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from brewhaven import console, stacks
from brewhaven.deploy import Deployed
from brewhaven.errors import BrewHavenError
from brewhaven.local.settings import REPOSITORY, CloudSettings
from brewhaven.target import Target

ROLES = ("barista", "manager")


def demo_accounts(settings: CloudSettings, cloud: Target, stack_id: str, deployed: Deployed) -> list[dict[str, str]]:
    """Accounts of the shop in this stack, made on first use: role, email and password.

    Raises:
        BrewHavenError: The shop refused to make one.
    """
    if not deployed.shop_url:
        return []
    path = settings.home / "accounts.json"
    kept: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    creation = stacks.creation_id(cloud, stack_id)
    if kept.get("stack") != creation:
        with console.step("Making accounts for the barista and the manager"):
            environment = _shop_environment(cloud, stack_id, deployed.outputs)
            with ThreadPoolExecutor() as both:
                accounts = list(both.map(lambda role: _make(role, f"{role}@brew-haven.example", environment), ROLES))
        path.touch(mode=0o600)
        path.write_text(json.dumps({"stack": creation, "accounts": accounts}, indent=1) + "\n")
        return accounts
    return list(kept["accounts"])


def make(cloud: Target, stack_id: str, outputs: Mapping[str, str], role: str, email: str) -> dict[str, str]:
    """Make an account of the staff on either cloud, with the operator's own rights: role, email and password.

    Raises:
        BrewHavenError: The shop refused.
    """
    return _make(role, email, _shop_environment(cloud, stack_id, outputs))


def _shop_environment(cloud: Target, stack_id: str, outputs: Mapping[str, str]) -> dict[str, str]:
    """What the task definition tells the shop, for a process of the operator's."""
    return {
        **cloud.environment,
        "PYTHONPATH": str(REPOSITORY / "storefront"),
        "CATALOG_TABLE": outputs["CatalogTableName"],
        "ASSET_BUCKET": outputs["AssetBucketName"],
        "SESSION_SECRET_ARN": _session_secret(cloud, stack_id),
    }


def _make(role: str, email: str, environment: dict[str, str]) -> dict[str, str]:
    account = {"role": role, "email": email, "password": secrets.token_urlsafe(12)}
    done = subprocess.run(
        [sys.executable, "-m", "shop.admin", "create-staff", "--email", account["email"], "--role", role,
         "--password-stdin"],
        input=account["password"] + "\n", env=environment, cwd=Path(REPOSITORY), capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise BrewHavenError(
            f"The shop made no account for the {role}: {(done.stderr or done.stdout).strip()[-400:]}",
            "The shop itself works; see `python -m shop.admin --help` to make one by hand.",
        )
    return account


def _session_secret(cloud: Target, stack_id: str) -> str:
    return next(
        str(summary["PhysicalResourceId"])
        for summary in stacks.resources(cloud, stack_id)
        if summary["ResourceType"] == "AWS::SecretsManager::Secret"
    )
