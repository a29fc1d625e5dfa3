"""Which caches run on the local cloud, where they answer, and ``brewhaven local valkey-cli`` with their secret."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any

from brewhaven import toolchain
from brewhaven.errors import BrewHavenError
from brewhaven.target import Target


class NoCacheError(BrewHavenError):
    """There is no such cache on the local cloud, or it is not clear which is meant."""


def caches(cloud: Target) -> list[dict[str, Any]]:
    """Every replication group: identifier, status, host, the ports of primary and reader, whether it speaks TLS."""
    found = []
    for page in cloud.client("elasticache").get_paginator("describe_replication_groups").paginate():
        for group in page["ReplicationGroups"]:
            shard = group["NodeGroups"][0]
            found.append(
                {
                    "identifier": group["ReplicationGroupId"],
                    "status": group["Status"],
                    "host": shard["PrimaryEndpoint"]["Address"],
                    "port": shard["PrimaryEndpoint"]["Port"],
                    "reader_port": shard["ReaderEndpoint"]["Port"],
                    "tls": group["TransitEncryptionEnabled"],
                    "nodes": len(shard["NodeGroupMembers"]),
                }
            )
    return found


def command(cloud: Target, identifier: str | None) -> tuple[list[str], dict[str, str]]:
    """The program with its options, and the variables that connect it.

    Args:
        identifier: The replication group; None if there is only one.

    Raises:
        NoCacheError: None or several are meant, or no secret names one of its users.
    """
    known = caches(cloud)
    wanted = [one for one in known if identifier in (None, one["identifier"])]
    if len(wanted) != 1:
        names = ", ".join(one["identifier"] for one in known) or "none"
        raise NoCacheError(
            f"The local cloud has these caches: {names}.", "Name one: `brewhaven local valkey-cli --group NAME`."
        )
    [one] = wanted
    secret = _secret(cloud, one["identifier"])
    options = ["--tls"] if one["tls"] else []
    options += ["-h", one["host"], "-p", str(one["port"]), "--user", secret["username"], "--no-auth-warning"]
    return (
        [str(toolchain.python_bin() / "valkey-cli"), *options],
        {**cloud.environment, "REDISCLI_AUTH": secret["password"]},
    )


def _secret(cloud: Target, identifier: str) -> dict[str, str]:
    """The secret with the name and the password of a user of the group.

    Raises:
        NoCacheError: There is none.
    """
    elasticache, secrets = cloud.client("elasticache"), cloud.client("secretsmanager")
    [group] = elasticache.describe_replication_groups(ReplicationGroupId=identifier)["ReplicationGroups"]
    groups = [
        found
        for name in group.get("UserGroupIds", [])
        for found in elasticache.describe_user_groups(UserGroupId=name)["UserGroups"]
    ]
    ids = {user for found in groups for user in found["UserIds"]}
    names = {user["UserName"] for user in elasticache.describe_users()["Users"] if user["UserId"] in ids}
    for page in secrets.get_paginator("list_secrets").paginate():
        for entry in page["SecretList"]:
            if entry.get("DeletedDate"):
                continue
            try:
                value = json.loads(secrets.get_secret_value(SecretId=entry["ARN"]).get("SecretString", ""))
            except ValueError:
                continue
            if isinstance(value, dict) and value.get("username") in names and "password" in value:
                return value
    raise NoCacheError(
        f"No secret has the password of a user of {identifier} ({', '.join(sorted(names)) or 'it has none'}).",
        "With a password of your own: `valkey-cli --tls -p PORT --user NAME`.",
    )


def run(cloud: Target, identifier: str | None, arguments: Sequence[str]) -> None:
    """Become valkey-cli; does not return."""
    program, environment = command(cloud, identifier)
    os.execve(program[0], [*program, *arguments], {**os.environ, **environment})  # noqa: S606
