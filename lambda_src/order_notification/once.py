"""A channel that sends each notice once, however often it is asked: Powertools keeps what was sent in DynamoDB."""

from typing import TYPE_CHECKING

from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)

from order_notification.channels import Channel
from order_notification.notice import Notice

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext
    from mypy_boto3_dynamodb import DynamoDBClient


class Once:
    """Puts a memory before channels that cannot take back what they sent.

    Each channel remembers by itself, so that a second try serves the one that failed and not its neighbour.
    """

    def __init__(self, table: str, client: "DynamoDBClient") -> None:
        self._seen = DynamoDBPersistenceLayer(table_name=table, boto3_client=client)
        self._config = IdempotencyConfig(event_key_jmespath="id", raise_on_no_idempotency_key=True)

    def register(self, context: "LambdaContext") -> None:
        """Tell how long this invocation may take: a record of one that was killed ends with its time."""
        self._config.register_lambda_context(context)

    def each(self, channel: Channel) -> Channel:
        """`channel`, with the memory before it."""
        return _Remembering(channel, self._seen, self._config)


class _Remembering:
    def __init__(self, channel: Channel, seen: DynamoDBPersistenceLayer, config: IdempotencyConfig) -> None:
        self.name = channel.name

        @idempotent_function(  # type: ignore[untyped-decorator]  # Powertools' own type says nothing
            data_keyword_argument="message", persistence_store=seen, config=config, key_prefix=f"notice.{channel.name}"
        )
        def send(*, message: dict[str, str], notice: Notice) -> int:
            return channel.send(notice)

        self._send = send

    def send(self, notice: Notice) -> int:
        sent: int | None = self._send(message={"id": notice.event_id}, notice=notice)
        return sent or 0  # of a 0 that it remembers, Powertools answers None
