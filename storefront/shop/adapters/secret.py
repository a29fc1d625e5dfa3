"""What the shop keeps in Secrets Manager: the key for signed cookies, and the logins of database and cache."""

import json
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
_REREAD_SECONDS = 5.0


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


class Login:
    """User name and password of a database or cache: read when first needed, and again when they were refused.

    `what` is whose login it is, for errors.  When Secrets Manager does not answer, the last known login stays good.
    """

    def __init__(self, client: "SecretsManagerClient", arn: str, what: str) -> None:
        self._client = client
        self._arn = arn
        self._what = what
        self._known: tuple[str, str] | None = None
        self._read_at = 0.0
        self._lock = threading.Lock()

    def __call__(self) -> tuple[str, str]:
        """User name and password.  Raises `Unavailable` when there has never been a good answer."""
        with self._lock:
            return self._known or self._read()

    def refused(self) -> bool:
        """Read it again, though not more often than every five seconds.  Answers whether it has changed."""
        with self._lock:
            before = self._known
            if time.monotonic() - self._read_at >= _REREAD_SECONDS:
                self._read()
            return self._known != before

    def _read(self) -> tuple[str, str]:
        try:
            secret = json.loads(self._client.get_secret_value(SecretId=self._arn)["SecretString"])
            self._known = str(secret["username"]), str(secret["password"])
        except (ClientError, BotoCoreError, KeyError, TypeError, ValueError) as error:
            # An error of json or of a missing key may quote the secret, so only its kind is written down.
            why = error if isinstance(error, ClientError | BotoCoreError) else type(error).__name__
            logger.error("the login of %s cannot be read from %s: %s", self._what, self._arn, why)
            if self._known is None:
                raise Unavailable(f"The shop cannot reach {self._what} right now. Please try again soon.") from None
        self._read_at = time.monotonic()
        return self._known
