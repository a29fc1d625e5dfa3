"""The catalog table, as far as the seeder needs it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table


class CatalogTable:
    """Puts items into the table."""

    def __init__(self, table: "Table", conflict: type[Exception]) -> None:
        """:param conflict: the client's exception for a condition that does not hold."""
        self._table = table
        self._conflict = conflict

    def put(self, item: Mapping[str, Any]) -> None:
        """Put an item, over whatever is there."""
        self._table.put_item(Item=dict(item))

    def add(self, item: Mapping[str, Any]) -> bool:
        """Put an item unless one with its key is there. Answers whether it was put."""
        try:
            self._table.put_item(Item=dict(item), ConditionExpression="attribute_not_exists(pk)")
        except self._conflict:
            return False
        return True
