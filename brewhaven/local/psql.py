"""``brewhaven local psql``: the pinned psql on a database of the local cloud, with the credentials of its secret.

On AWS nobody reaches a database in isolated subnets from a laptop; there a tunnel (Session Manager port forwarding)
goes before. Here its port is on this machine, so that the tunnel can be left out.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from typing import Any

from brewhaven.errors import BrewHavenError
from brewhaven.local.engines import postgres_programs
from brewhaven.local.settings import CloudSettings
from brewhaven.target import Target


class NoDatabaseError(BrewHavenError):
    """There is no such database on the local cloud, or it is not clear which is meant."""


def databases(cloud: Target) -> list[dict[str, Any]]:
    """Every DB instance: identifier, status, host, port, database and master user."""
    found = []
    for page in cloud.client("rds").get_paginator("describe_db_instances").paginate():
        for instance in page["DBInstances"]:
            found.append(
                {
                    "identifier": instance["DBInstanceIdentifier"],
                    "status": instance["DBInstanceStatus"],
                    "host": instance["Endpoint"]["Address"],
                    "port": instance["Endpoint"]["Port"],
                    "database": instance.get("DBName", "postgres"),
                    "user": instance["MasterUsername"],
                    "replica_of": instance.get("ReadReplicaSourceDBInstanceIdentifier"),
                }
            )
    return found


def command(settings: CloudSettings, cloud: Target, identifier: str | None) -> tuple[list[str], dict[str, str]]:
    """The program and the variables that connect it.

    Args:
        identifier: The DB instance; None if there is only one besides replicas.

    Raises:
        NoDatabaseError: None or several are meant.
    """
    known = databases(cloud)
    wanted = [one for one in known if one["identifier"] == identifier or (not identifier and not one["replica_of"])]
    if len(wanted) != 1:
        names = ", ".join(one["identifier"] for one in known) or "none"
        raise NoDatabaseError(
            f"The local cloud has these databases: {names}.", "Name one: `brewhaven local psql --instance NAME`."
        )
    [one] = wanted
    secret = _secret(cloud, one["replica_of"] or one["identifier"])
    environment = {
        "PGHOST": one["host"],
        "PGPORT": str(one["port"]),
        "PGDATABASE": str(secret.get("dbname") or one["database"]),
        "PGUSER": str(secret.get("username") or one["user"]),
        "PGSSLMODE": "verify-full",
        "PGSSLROOTCERT": str(settings.ca_file),
        **({"PGPASSWORD": str(secret["password"])} if "password" in secret else {}),
        **_tls_library(),
    }
    return [str(postgres_programs.client_programs() / "psql")], environment


def _secret(cloud: Target, identifier: str) -> dict[str, Any]:
    """What the secret says that is attached to an instance; empty where there is none, and psql asks."""
    secrets = cloud.client("secretsmanager")
    for page in secrets.get_paginator("list_secrets").paginate():
        for entry in page["SecretList"]:
            if entry.get("DeletedDate"):
                continue
            try:
                value = json.loads(secrets.get_secret_value(SecretId=entry["ARN"]).get("SecretString", ""))
            except ValueError:
                continue
            if isinstance(value, dict) and value.get("dbInstanceIdentifier") == identifier:
                return value
    return {}


def _tls_library() -> dict[str, str]:
    """The wheel's psql is built without TLS; with the server's libpq in the place of its own it has it."""
    folder = postgres_programs.tls_library()
    if sys.platform == "darwin":
        return {"DYLD_LIBRARY_PATH": str(folder)}
    return {"LD_PRELOAD": str(folder / "libpq.so.5")}


def run(settings: CloudSettings, cloud: Target, identifier: str | None, arguments: Sequence[str]) -> None:
    """Become psql; does not return."""
    program, environment = command(settings, cloud, identifier)
    os.execve(program[0], [*program, *arguments], {**os.environ, **environment})  # noqa: S606
