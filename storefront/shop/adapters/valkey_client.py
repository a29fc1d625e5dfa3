"""A client of Valkey: TLS, the login from Secrets Manager, and a quarter of a second of patience."""

import valkey
from valkey.backoff import NoBackoff
from valkey.credentials import CredentialProvider
from valkey.exceptions import AuthenticationError, ValkeyError
from valkey.retry import Retry

from shop.adapters.secret import Login
from shop.adapters.switches import ValkeyPlace
from shop.domain.errors import Unavailable

_CONNECT_SECONDS = 0.5
_ANSWER_SECONDS = 0.25


class _Credentials(CredentialProvider):
    def __init__(self, login: Login) -> None:
        self._login = login

    def get_credentials(self) -> tuple[str, str]:
        return self._login()


class ValkeyClient:
    """Implements `shop.adapters.valkey_store.Connected`.

    Certificate and name of the server are verified against the system's authorities (or SSL_CERT_FILE).  It is not
    tried again here: the shop has what it asks for elsewhere.
    See https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/in-transit-encryption.html
    """

    failures: tuple[type[Exception], ...] = (ValkeyError, OSError, Unavailable)  # the last: its login cannot be read

    def __init__(self, place: ValkeyPlace, login: Login, *, connections: int) -> None:
        self._login = login
        self.client = valkey.Valkey(
            host=place.host,
            port=place.port,
            credential_provider=_Credentials(login),
            ssl=True,
            ssl_check_hostname=True,
            socket_connect_timeout=_CONNECT_SECONDS,
            socket_timeout=_ANSWER_SECONDS,
            socket_keepalive=True,
            retry=Retry(NoBackoff(), 0),
            max_connections=connections,
            client_name="brew-haven-shop",
        )

    def failed(self, error: Exception) -> None:
        if isinstance(error, AuthenticationError):
            self._login.refused()
