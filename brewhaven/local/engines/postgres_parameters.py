"""Parameters of RDS parameter groups: which there are, when they take effect, and what they mean for this server.

https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Appendix.PostgreSQL.CommonDBATasks.Parameters.html
"""

from __future__ import annotations

import functools
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from brewhaven.local.engines.postgres_programs import as_database_user, server_programs

FORCE_TLS = "rds.force_ssl"
# What RDS sets where a group leaves it open. Connections by the formula of RDS, the rest as PostgreSQL has it.
_DEFAULTS = {
    FORCE_TLS: "1",
    "max_connections": "LEAST({DBInstanceClassMemory/9531392},5000)",
    "shared_preload_libraries": "pg_stat_statements",
}
# Parameters of RDS itself that mean something for PostgreSQL here; others beginning with ``rds.`` are only recorded.
_LOGICAL = "rds.logical_replication"
_STATIC_OF_RDS = (_LOGICAL, "rds.rds_superuser_reserved_connections")
# What is RDS's own business and not in its groups, or not to be changed.
_NOT_IN_GROUPS = frozenset(
    (
        "archive_cleanup_command", "archive_command", "archive_library", "archive_mode", "cluster_name", "config_file",
        "data_directory", "external_pid_file", "hba_file", "hot_standby", "ident_file", "listen_addresses",
        "log_destination", "log_directory", "logging_collector", "port", "primary_conninfo", "primary_slot_name",
        "restore_command", "ssl", "ssl_cert_file", "ssl_key_file", "ssl_library", "unix_socket_directories",
        "unix_socket_group", "unix_socket_permissions", "wal_level",
    )
)  # fmt: skip
_FORMULA_NAMES = re.compile(r"\{([A-Za-z]+)(?:([*/])(\d+))?\}")
# GiB of memory; what is not listed has that of its size in the general-purpose families.
_MEMORY = {"micro": 1, "small": 2, "medium": 4, "large": 8, "xlarge": 16}
_GIBIBYTE = 1024**3


class ParameterError(Exception):
    """A parameter that does not exist, cannot be changed, or has an impossible value."""


@dataclass(frozen=True)
class Parameter:
    """One parameter of the server.

    Attributes:
        is_static: It takes effect with the next start.
    """

    name: str
    is_static: bool
    kind: str
    default: str
    description: str


@functools.cache
def known() -> dict[str, Parameter]:
    """Every parameter that a group may hold, by name."""
    listing = subprocess.run(
        [*as_database_user(), server_programs() / "postgres", "--describe-config"],
        capture_output=True,
        text=True,
        check=True,
        cwd="/",
    ).stdout
    found = {}
    for line in listing.splitlines():
        name, context, _group, kind, default, _low, _high, description = line.split("\t")[:8]
        if name not in _NOT_IN_GROUPS:
            found[name] = Parameter(name, context == "postmaster", kind.lower(), default, description)
    return found


def check(name: str, value: str) -> bool:
    """Check a parameter's name and value as a group's are checked; return whether it is static.

    Raises:
        ParameterError: In the words of RDS.
    """
    if name.startswith("rds."):
        if name == FORCE_TLS and value not in ("0", "1"):
            raise ParameterError(f"Invalid parameter value: {value} for: {name} allowed values are: 0,1")
        return name in _STATIC_OF_RDS
    if name in _NOT_IN_GROUPS:
        raise ParameterError(f"The parameter {name} cannot be modified.")
    parameter = known().get(name)
    if parameter is None and "." not in name:
        raise ParameterError(f"Could not find parameter with name: {name}")
    if name == "shared_preload_libraries":
        missing = [library for library in _words(value) if not (_libraries() / f"{library}.so").exists()]
        if missing:
            raise ParameterError(f"Invalid parameter value: {value} for: {name}: there is no {', '.join(missing)} here")
    elif parameter is not None:
        _try(name, evaluated(value, "db.t4g.micro"))
    return parameter.is_static if parameter else False


def _libraries() -> Path:
    return server_programs().parent / "lib" / "postgresql"


def _words(value: str) -> list[str]:
    return [word.strip() for word in value.split(",") if word.strip()]


def _try(name: str, value: str) -> None:
    """Let PostgreSQL itself look at a value."""
    done = subprocess.run(
        [*as_database_user(), server_programs() / "postgres", "-C", name, "-c", "config_file=/dev/null",
         "-c", "data_directory=/", "-c", f"{name}={value}"],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
    )  # fmt: skip
    said = done.stderr
    if f'parameter "{name}"' in said or "is outside the valid range" in said:
        sentence = said.split("FATAL:", 1)[-1].strip().splitlines()[0].strip()
        raise ParameterError(f"Invalid parameter value: {value} for: {name}: {sentence}")


def memory_of(instance_class: str) -> int:
    """Bytes of memory of an instance class such as ``db.t4g.micro``; AWS takes some of it for itself."""
    family, size = [*instance_class.split("."), "", ""][1:3]
    factor = 1
    multiple = re.fullmatch(r"(\d+)xlarge", size)
    gibibytes = 16 * int(multiple[1]) if multiple else _MEMORY.get(size, 1)
    if family[:1] == "r":
        factor = 2
    return gibibytes * factor * _GIBIBYTE


def evaluated(value: str, instance_class: str) -> str:
    """Compute a value that is a formula, such as ``LEAST({DBInstanceClassMemory/9531392},5000)``.

    https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_ParamValuesRef.html
    """
    names = {"DBInstanceClassMemory": memory_of(instance_class), "AllocatedStorage": 20 * _GIBIBYTE, "EndPointPort": 0}

    def number(match: re.Match[str]) -> str:
        amount = names.get(match[1])
        if amount is None:
            raise ParameterError(f"Unknown variable {match[1]} in {value}")
        if match[2] == "/":
            amount //= int(match[3])
        elif match[2] == "*":
            amount *= int(match[3])
        return str(amount)

    text = _FORMULA_NAMES.sub(number, value)
    while call := re.search(r"(LEAST|GREATEST|SUM)\(([\d\s,]+)\)", text):
        numbers = [int(word) for word in call[2].split(",")]
        result = {"LEAST": min, "GREATEST": max, "SUM": sum}[call[1]](numbers)
        text = text[: call.start()] + str(result) + text[call.end() :]
    return text


def settings(values: Mapping[str, str], instance_class: str) -> tuple[dict[str, str], bool]:
    """What a group's values mean for the server: PostgreSQL's own settings, and whether TLS is forced."""
    wanted = {**_DEFAULTS, **values}
    force_tls = wanted.pop(FORCE_TLS) == "1"
    ours = {"wal_level": "logical"} if wanted.get(_LOGICAL) == "1" else {}
    return {
        **{name: evaluated(value, instance_class) for name, value in wanted.items() if not name.startswith("rds.")},
        **ours,
    }, force_tls
