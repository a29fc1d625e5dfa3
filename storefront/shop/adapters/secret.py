"""The key for signed cookies, from Secrets Manager."""

import logging
import threading
import time
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from shop.domain.errors import Unavailable

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

logger = logging.getLogger(__name__)
_KEPT_SECONDS = 300.0


class SecretKeys:
    """The secret's value, asked for again every five minutes: a rotated key signs, the ones before it still read.

    When Secrets Manager does not answer, the last known keys stay good.
    """

    def __init__(self, client: "SecretsManagerClient", arn: str) -> None:
        self._client = client
        self._arn = arn
        self._keys: list[str] = []
        self._until = 0.0
        self._lock = threading.Lock()

    def __call__(self) -> list[str]:
        """The keys, the newest first.  Raises `Unavailable` when there has never been an answer."""
        if time.monotonic() < self._until:
            return self._keys
        with self._lock:
            if time.monotonic() >= self._until:
                self._refresh()
        return self._keys

    def _refresh(self) -> None:
        try:
            value = self._client.get_secret_value(SecretId=self._arn)["SecretString"]
        except (ClientError, BotoCoreError) as error:
            logger.error("the session secret cannot be read: %s", error)
            if not self._keys:
                raise Unavailable("The shop cannot recognise its guests right now. Please try again soon.") from error
        else:
            self._keys = [value, *(key for key in self._keys if key != value)][:3]
        self._until = time.monotonic() + _KEPT_SECONDS
