"""A request that tells somebody something: once it is out, it is not made again."""

from collections.abc import Callable
from traceback import walk_tb

from botocore.config import Config
from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ReadTimeoutError,
)

UNREPEATED = Config(connect_timeout=4, read_timeout=8, retries={"mode": "standard", "total_max_attempts": 1})
"""For clients that send. The SDK would repeat a request that it waited for in vain, and the customer be told twice. So
it waits for longer, and does not repeat."""
NO_CONNECTION = (ConnectTimeoutError, EndpointConnectionError, ConnectionClosedError)


def unrepeated(request: Callable[[], object]) -> None:
    """Send something.

    Without an answer in time nobody knows whether it was sent. The request is out, so that is the likelier, and it
    counts as sent: the notice is in the inbox in any case, and a phone need not ring twice. A connection that did not
    come about, or is found broken after a while without use, has carried nothing, so the request is made once more.

    :raises botocore.exceptions.BotoCoreError: when there was no connection the second time, either.
    :raises botocore.exceptions.ClientError: when it was refused.
    """
    if not _is_out(request):
        _is_out(request, last=True)


def _is_out(request: Callable[[], object], *, last: bool = False) -> bool:
    try:
        request()
    except NO_CONNECTION:
        if last:
            raise
        return False
    except ReadTimeoutError as error:
        if _waited_for_answer(error):
            return True
        if last:
            raise
        return False
    return True


def _waited_for_answer(error: BaseException) -> bool:
    """Whether a read timed out after the request was written. The SDK says the same of a TLS handshake that did."""
    cause: BaseException | None = error
    while cause is not None:
        if any(frame.f_code.co_name == "getresponse" for frame, _ in walk_tb(cause.__traceback__)):
            return True
        cause = cause.__cause__ or cause.__context__
    return False
