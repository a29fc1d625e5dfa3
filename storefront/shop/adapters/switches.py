"""The seam to later phases: one JSON parameter that says where orders, sessions and the menu's copies live.

    {"orders": "postgresql", "sessions": "valkey", "menu_cache": "valkey",
     "postgresql": {"host": "...", "port": 5432, "database": "brewhaven", "secret_arn": "..."},
     "valkey": {"host": "...", "port": 6379, "secret_arn": "..."},
     "order_queue_url": "https://sqs.eu-central-1.amazonaws.com/111122223333/orders"}

Each of the first three may be left out, which means phase 1's way: `dynamodb`, `dynamodb`, `none`.  No parameter means
phase 1's way in everything.  A later stack creates the parameter last, after grants, network and migration, and
removes it first.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient

logger = logging.getLogger(__name__)
_WAYS = {
    "orders": ("dynamodb", "postgresql"),
    "sessions": ("dynamodb", "valkey"),
    "menu_cache": ("none", "valkey"),
}
_PLACES: dict[str, dict[str, type]] = {
    "postgresql": {"host": str, "port": int, "database": str, "secret_arn": str},
    "valkey": {"host": str, "port": int, "secret_arn": str},
}


@dataclass(frozen=True, slots=True)
class PostgresPlace:
    """Where PostgreSQL is.  The secret is the JSON that RDS generates, with `username` and `password`."""

    host: str
    port: int
    database: str
    secret_arn: str


@dataclass(frozen=True, slots=True)
class ValkeyPlace:
    """Where Valkey is.  The secret is JSON with `username` and `password`."""

    host: str
    port: int
    secret_arn: str


@dataclass(frozen=True, slots=True)
class Switches:
    """What the parameter says.  `since` is when it was last written, None without a parameter."""

    orders: str = "dynamodb"
    sessions: str = "dynamodb"
    menu_cache: str = "none"
    postgresql: PostgresPlace | None = None
    valkey: ValkeyPlace | None = None
    order_queue_url: str | None = None
    since: datetime | None = None


class SwitchesError(ValueError):
    """The parameter is no use; the message names everything that is wrong with it."""


class Parameter:
    """The parameter in Systems Manager.

    One that cannot be read, or that is wrong, changes nothing and is logged as an error: a typing mistake must not move
    anybody's orders.  `problem` says what is wrong with it; while there is one, `now` may be out of date.
    """

    def __init__(self, client: "SSMClient", path: str | None) -> None:
        self._client = client
        self._path = path
        self.now = Switches()
        self.problem: str | None = None

    def read(self) -> Switches:
        """Ask for it again, and answer what holds from now on."""
        if self._path is None:
            return self.now
        try:
            wanted = self._ask(self._path)
        except (ClientError, BotoCoreError) as error:
            self._complain("cannot be read", error)
        except SwitchesError as error:
            self._complain("is wrong", error)
        else:
            self.problem = None
            if wanted != self.now:
                logger.info("%s now says: %s", self._path, _ways(wanted))
                self.now = wanted
        return self.now

    def _ask(self, path: str) -> Switches:
        try:
            parameter = self._client.get_parameter(Name=path, WithDecryption=True)["Parameter"]
        except self._client.exceptions.ParameterNotFound:
            return Switches()
        return parse(parameter["Value"], parameter.get("LastModifiedDate"))

    def _complain(self, what: str, error: Exception) -> None:
        problem = f"{self._path} {what} and nothing is switched: {error}"
        if problem != self.problem:
            logger.error("%s", problem)
        self.problem = problem


def parse(text: str, since: datetime | None = None) -> Switches:
    """The switches in the parameter's text.  Raises `SwitchesError` with every problem at once."""
    try:
        said = json.loads(text)
    except ValueError:
        raise SwitchesError("it is not JSON.") from None
    if not isinstance(said, dict):
        raise SwitchesError(f"it must be a JSON object, got {type(said).__name__}.")
    problems = [
        f"there is no key {key!r}; keys are {', '.join((*_WAYS, *_PLACES, 'order_queue_url'))}."
        for key in said
        if key not in {*_WAYS, *_PLACES, "order_queue_url"}
    ]
    ways = {name: said.get(name, choices[0]) for name, choices in _WAYS.items()}
    problems += [
        f"{name} is {value!r}, and must be one of {', '.join(_WAYS[name])}."
        for name, value in ways.items()
        if value not in _WAYS[name]
    ]
    needed = {place for place in _PLACES if place in said or place in [v for v in ways.values() if isinstance(v, str)]}
    for place in sorted(needed):
        problems += _wrong_with(place, said.get(place))
    queue = said.get("order_queue_url")
    if queue is not None and not (isinstance(queue, str) and queue.startswith(("https://", "http://"))):
        problems.append(f"order_queue_url is {queue!r}, and must be the URL of an SQS queue.")
    if problems:
        raise SwitchesError(" ".join(problems))
    return Switches(
        orders=ways["orders"],
        sessions=ways["sessions"],
        menu_cache=ways["menu_cache"],
        postgresql=PostgresPlace(**_known("postgresql", said)) if "postgresql" in needed else None,
        valkey=ValkeyPlace(**_known("valkey", said)) if "valkey" in needed else None,
        order_queue_url=queue,
        since=since.astimezone(UTC) if since else None,
    )


def _wrong_with(place: str, said: Any) -> list[str]:
    if not isinstance(said, dict):
        return [f"{place} must say where it is, as an object with {', '.join(_PLACES[place])}."]
    problems = []
    for name, kind in _PLACES[place].items():
        value: Any = said.get(name)
        if type(value) is not kind or value == "":
            problems.append(f"{place}.{name} is {value!r}, and must be a {'text' if kind is str else 'whole number'}.")
        elif isinstance(value, int) and not 1 <= value <= 65_535:
            problems.append(f"{place}.{name} is {value!r}, and must be a port.")
    return problems + [f"there is no key {place}.{key}." for key in said if key not in _PLACES[place]]


def _known(place: str, said: Mapping[str, Any]) -> dict[str, Any]:
    return {name: said[place][name] for name in _PLACES[place]}


def _ways(switches: Switches) -> str:
    return ", ".join(f"{name} {getattr(switches, name)}" for name in _WAYS)
