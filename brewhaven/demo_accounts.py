"""Demo staff of the shop on the local cloud: one account a role, with passwords that this machine made up.

Nothing that is deployed has an account to begin with, here as on AWS, where a person makes the first one with
``python -m shop.admin create-staff``. On the local cloud `brewhaven up` runs that very command, so that a student can
look behind the counter at once. It never does so on AWS.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from dataclasses import dataclass

from brewhaven.errors import BrewHavenError
from brewhaven.local.settings import REPOSITORY, CloudSettings
from brewhaven.target import Target

_NAMES = {"barista": "Bea Barista", "manager": "Mo Manager"}
_SECONDS = 60


class DemoAccountsError(BrewHavenError):
    """The demo accounts could not be made."""


@dataclass(frozen=True)
class DemoAccount:
    """Who can sign in at the shop: role, e-mail address and password."""

    role: str
    email: str
    password: str


def ensure(settings: CloudSettings, cloud: Target, outputs: dict[str, str]) -> list[DemoAccount]:
    """Make the demo accounts of the deployed shop where they are missing; none where the shop is not on Fargate yet.

    Args:
        outputs: The stack's outputs, by name.

    Raises:
        DemoAccountsError: The shop refused; the message carries its sentence.
    """
    service = outputs.get("StorefrontServiceName")
    if not cloud.is_local or service is None:
        return []
    accounts = _accounts(settings)
    marker = settings.folder / "state" / f"demo-accounts-{outputs['CatalogTableName']}"
    if not marker.exists():
        environment = _shop_environment(cloud, outputs["StorefrontClusterName"], service)
        for account in accounts:
            _create(account, {**os.environ, **cloud.environment, **environment})
        marker.parent.mkdir(parents=True, exist_ok=True)
        marker.touch()
    return accounts


def _accounts(settings: CloudSettings) -> list[DemoAccount]:
    """The accounts of this state folder, with passwords made on first use and kept in a file of the owner alone."""
    path = settings.home / "demo-accounts.json"
    if not path.exists():
        made = [
            {"role": role, "email": f"{role}@brewhaven.example", "password": secrets.token_urlsafe(9)}
            for role in _NAMES
        ]
        path.touch(mode=0o600)
        path.write_text(json.dumps(made, indent=2))
    return [DemoAccount(**account) for account in json.loads(path.read_text())]


def _shop_environment(cloud: Target, cluster: str, service: str) -> dict[str, str]:
    """What the shop's own task is told, read from its task definition."""
    ecs = cloud.client("ecs")
    task = ecs.describe_services(cluster=cluster, services=[service])["services"][0]["taskDefinition"]
    container = ecs.describe_task_definition(taskDefinition=task)["taskDefinition"]["containerDefinitions"][0]
    return {item["name"]: item["value"] for item in container["environment"]}


def _create(account: DemoAccount, environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "shop.admin", "create-staff", "--if-missing", "--password-stdin",
         "--email", account.email, "--role", account.role, "--name", _NAMES[account.role]],
        input=account.password + "\n",
        env={**environment, "PYTHONPATH": str(REPOSITORY / "storefront")},
        capture_output=True,
        text=True,
        check=False,
        timeout=_SECONDS,
    )  # fmt: skip
    if done.returncode:
        raise DemoAccountsError(
            f"The demo account {account.email} could not be made: {done.stderr.strip().splitlines()[-1:]}",
            "The shop works without it; `brewhaven up` tries again.",
        )
