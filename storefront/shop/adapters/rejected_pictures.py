"""The list of rejected pictures, as the picture check of a later phase writes it into the one table."""

from shop.adapters import keys
from shop.adapters.table import ConditionFailed, Item, Table
from shop.domain.errors import NotFound
from shop.domain.ids import from_text
from shop.domain.pictures import RejectedPicture


class DynamoRejectedPictures:
    """Implements `shop.domain.ports.RejectedPictures`.

    A picture's item is in the index as long as a manager has not dismissed it, as an order is in OpenOrders.
    """

    def __init__(self, table: Table) -> None:
        self._table = table

    def all(self) -> list[RejectedPicture]:
        items = self._table.query(keys.REJECTED_PICTURE, index=keys.BY_CATEGORY, newest_first=True)
        return [to_rejected(item) for item in items]

    def dismiss(self, picture_id: str) -> None:
        try:
            self._table.update(
                keys.picture(picture_id), "REMOVE #gsi1pk, #gsi1sk", {}, condition="attribute_exists(pk)"
            )
        except ConditionFailed:
            raise NotFound("There is no such picture.") from None


def to_rejected(item: Item) -> RejectedPicture:
    """A picture's item as the manager sees it."""
    return RejectedPicture(
        id=keys.picture_id(item["pk"]),
        reasons=tuple(item["reasons"]),
        rejected_at=from_text(item["checked_at"]),
    )
