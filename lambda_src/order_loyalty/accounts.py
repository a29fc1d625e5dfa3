"""The loyalty accounts in the follow-up table: one item with the points, and one for each event that was counted."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

REMEMBERED = timedelta(days=30)
ALREADY_THERE = "ConditionalCheckFailed"


class Accounts:
    """Adds points, once for each event, with nothing but DynamoDB.

    A queue delivers at least once, so the points and the note that this event has had its points are written in one
    transaction: both, or neither when the note is there already. This needs no library and no lock. It works because
    everything that happens is in one place; a function that sends an e-mail cannot do it.
    """

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def add(self, customer_id: str, points: int, event_id: str, at: datetime) -> bool:
        """Add points to a customer's account. False when this event has been counted before."""
        account = f"LOYALTY#{customer_id}"
        try:
            self._client.transact_write_items(
                TransactItems=[
                    {
                        "Put": {
                            "TableName": self._table,
                            "Item": {
                                "pk": {"S": account},
                                "sk": {"S": f"EVENT#{event_id}"},
                                "type": {"S": "counted event"},
                                "points": {"N": str(points)},
                                "expires_at": {"N": str(int((at + REMEMBERED).timestamp()))},
                            },
                            "ConditionExpression": "attribute_not_exists(pk)",
                        }
                    },
                    {
                        "Update": {
                            "TableName": self._table,
                            "Key": {"pk": {"S": account}, "sk": {"S": "POINTS"}},
                            "UpdateExpression": "ADD points :points SET #type = :type",
                            "ExpressionAttributeNames": {"#type": "type"},
                            "ExpressionAttributeValues": {":points": {"N": str(points)}, ":type": {"S": "points"}},
                        }
                    },
                ]
            )
        except self._client.exceptions.TransactionCanceledException as error:
            reasons = error.response.get("CancellationReasons", [])
            if reasons and reasons[0].get("Code") == ALREADY_THERE:
                return False
            raise
        return True
