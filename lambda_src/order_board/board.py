"""The tickets in the follow-up table: one item an order, for a day."""

from datetime import timedelta
from typing import TYPE_CHECKING

from order_board.ticket import Ticket

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEPT = timedelta(days=1)


class Board:
    """Pins tickets. Order ids begin with their time, so a Query of `pk=BOARD` reads them in the order they came."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def pin(self, ticket: Ticket) -> bool:
        """Pin a ticket, unless one that is further is there already. False when it stayed as it was.

        Messages can arrive twice, and the payment before the order. The condition makes either harmless: a stage only
        grows.
        """
        try:
            self._client.update_item(
                TableName=self._table,
                Key={"pk": {"S": "BOARD"}, "sk": {"S": f"TICKET#{ticket.order_id}"}},
                UpdateExpression="SET #type = :type, stage = :stage, says = :says, #number = :number, #name = :name, "
                "#lines = :lines, #at = :at, expires_at = :expires_at",
                ConditionExpression="attribute_not_exists(stage) OR stage < :stage",
                ExpressionAttributeNames={
                    "#type": "type",
                    "#number": "number",
                    "#name": "name",
                    "#lines": "lines",
                    "#at": "at",
                },
                ExpressionAttributeValues={
                    ":type": {"S": "ticket"},
                    ":stage": {"N": str(ticket.stage)},
                    ":says": {"S": ticket.says},
                    ":number": {"S": ticket.number},
                    ":name": {"S": ticket.name},
                    ":lines": {"L": [{"S": line} for line in ticket.lines]},
                    ":at": {"S": ticket.at.isoformat(timespec="milliseconds")},
                    ":expires_at": {"N": str(int((ticket.at + KEPT).timestamp()))},
                },
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True
