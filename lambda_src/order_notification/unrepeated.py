"""A request that tells somebody something: once it is out, it is not made again."""

from collections.abc import Callable

from botocore.config import Config
from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ReadTimeoutError,
)

UNREPEATED = Config(connect_timeout=2, read_timeout=8, retries={"mode": "standard", "total_max_attempts": 1})
"""For clients that send. The SDK would repeat a request that it waited for in vain, and the customer be told twice. So
it waits for longer, and does not repeat."""
NEVER_ARRIVED = (ConnectTimeoutError, EndpointConnectionError, ConnectionClosedError)


def unrepeated(request: Callable[[], object]) -> None:
    """Send something.

    Without an answer in time nobody knows whether it was sent. The request is out, so that is the likelier, and it
    counts as sent: the notice is in the inbox in any case, and a phone need not ring twice. A connection that was
    never there, or is found broken after a while without use, has carried nothing, so the request is made once more.

    :raises botocore.exceptions.BotoCoreError: when there was no connection the second time, either.
    :raises botocore.exceptions.ClientError: when it was refused.
    """
    try:
        try:
            request()
        except NEVER_ARRIVED:
            request()
    except ReadTimeoutError:
        return
