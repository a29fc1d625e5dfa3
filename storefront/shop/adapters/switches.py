"""The seam to later phases: one JSON parameter that says where orders and sessions live.

    {"orders": "dynamodb", "sessions": "dynamodb"}

No parameter means phase 1's way, which is what stands above.  A later stack creates the parameter last, after grants,
network and migration, and removes it first.
"""

import json
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient

logger = logging.getLogger(__name__)
DEFAULTS = {"orders": "dynamodb", "sessions": "dynamodb"}


class ParameterSwitches:
    """Implements `shop.services.Switches`.

    A parameter that cannot be read, or says something unknown, changes nothing and is logged as an error: a typing
    mistake must not move anybody's orders.
    """

    def __init__(self, client: "SSMClient", path: str | None, known: Mapping[str, frozenset[str]]) -> None:
        self._client = client
        self._path = path
        self._known = known
        self._now = dict(DEFAULTS)

    @property
    def orders(self) -> str:
        return self._now["orders"]

    @property
    def sessions(self) -> str:
        return self._now["sessions"]

    def refresh(self) -> None:
        """Read the parameter again; called every 30 seconds."""
        if self._path is None:
            return
        try:
            text = self._client.get_parameter(Name=self._path, WithDecryption=True)["Parameter"]["Value"]
        except self._client.exceptions.ParameterNotFound:
            text = "{}"
        except (ClientError, BotoCoreError) as error:
            logger.error("%s cannot be read and nothing is switched: %s", self._path, error)
            return
        problem, wanted = self._read(text)
        if problem:
            logger.error("%s is wrong and nothing is switched: %s", self._path, problem)
        elif wanted != self._now:
            logger.info("switched from %s to %s", self._now, wanted)
            self._now = wanted

    def _read(self, text: str) -> tuple[str | None, dict[str, str]]:
        try:
            said = json.loads(text)
        except ValueError:
            return "it is not JSON", {}
        if not isinstance(said, dict):
            return f"it must be a JSON object, got {type(said).__name__}", {}
        wanted = DEFAULTS | said
        for name, value in wanted.items():
            if not isinstance(value, str) or value not in self._known.get(name, frozenset()):
                choices = ", ".join(sorted(self._known.get(name, ()))) or f"no such key; keys are {sorted(DEFAULTS)}"
                return f"{name} = {value!r} ({choices})", {}
        return None, wanted
