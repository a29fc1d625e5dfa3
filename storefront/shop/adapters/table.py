"""The one table: reading, writing and querying it with plain Python values.

Thin on purpose.  It exists for three things: converting values quickly, saying in the shop's words what went wrong,
and trying again, but not for ever, when DynamoDB asks for it.
See https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html
"""

import contextlib
import logging
import random
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from shop.domain.errors import Unavailable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

logger = logging.getLogger(__name__)

Item = dict[str, Any]
Key = tuple[str, str]
T = TypeVar("T")
_TRIES = 9
_WORTH_ANOTHER_TRY = {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded", "None"}
_CONTENDED = {"TransactionConflictException", "TransactionInProgressException"}


class ConditionFailed(Exception):  # noqa: N818  (what happened, not a mistake)
    """A condition did not hold.  `places` are the positions in the transaction, (0,) for a single write."""

    def __init__(self, places: tuple[int, ...] = (0,)) -> None:
        super().__init__(f"conditions failed at {places}")
        self.places = places


class Table:
    """A DynamoDB table whose items have `pk` and `sk`.  Numbers are integers: money is cents."""

    def __init__(self, client: "DynamoDBClient", name: str) -> None:
        self._client = client
        self.name = name

    def get(self, key: Key, *, consistent: bool = True) -> Item | None:
        """One item, or None."""
        with speaking():
            answer = self._client.get_item(TableName=self.name, Key=wire_key(key), ConsistentRead=consistent)
        item = answer.get("Item")
        return from_wire(item) if item else None

    def get_many(self, keys: Sequence[Key]) -> list[Item]:
        """The items that exist, in the order of the keys, in as few requests as DynamoDB allows."""
        found: dict[Key, Item] = {}
        for start in range(0, len(keys), 100):
            left: Any = {self.name: {"Keys": [wire_key(key) for key in keys[start : start + 100]]}}
            left[self.name]["ConsistentRead"] = True
            for attempt in range(_TRIES):
                with speaking():
                    answer = self._client.batch_get_item(RequestItems=left)
                for item in map(from_wire, answer["Responses"].get(self.name, [])):
                    found[item["pk"], item["sk"]] = item
                left = answer.get("UnprocessedKeys")
                if not left:
                    break
                _pause(attempt)
            else:
                raise Unavailable("The shop is very busy. Please try again in a moment.")
        return [found[key] for key in keys if key in found]

    def query(
        self,
        pk: str,
        *,
        begins: str | None = None,
        index: tuple[str, str, str] | None = None,
        newest_first: bool = False,
        limit: int | None = None,
    ) -> list[Item]:
        """The items of one partition, in the order of the sort key.

        `begins` is what the sort key begins with; `index` is (name, partition attribute, sort attribute) of an index;
        without `limit` all pages are read.
        """
        name, pk_name, sk_name = index or (None, "pk", "sk")
        request: dict[str, Any] = {
            "TableName": self.name,
            "KeyConditionExpression": "#pk = :pk",
            "ExpressionAttributeNames": {"#pk": pk_name},
            "ExpressionAttributeValues": {":pk": {"S": pk}},
            "ScanIndexForward": not newest_first,
        }
        if begins is not None:
            request["KeyConditionExpression"] += " AND begins_with(#sk, :sk)"
            request["ExpressionAttributeNames"]["#sk"] = sk_name
            request["ExpressionAttributeValues"][":sk"] = {"S": begins}
        if name:
            request["IndexName"] = name
        if limit:
            request["Limit"] = limit
        items: list[Item] = []
        while True:
            with speaking():
                answer = self._client.query(**request)
            items += map(from_wire, answer["Items"])
            last = answer.get("LastEvaluatedKey")
            if not last or (limit and len(items) >= limit):
                return items
            request["ExclusiveStartKey"] = last

    def put(self, item: Item, *, condition: str | None = None, values: Mapping[str, Any] | None = None) -> None:
        """Write one item.  Raises `ConditionFailed`."""
        write = put(self.name, item, condition, values)["Put"]
        again(lambda: self._client.put_item(**write))

    def update(self, key: Key, update: str, values: Mapping[str, Any], **more: Any) -> Item:
        """Change one item and answer it as it is then.

        `more` may hold `condition` and `names`.  Raises `ConditionFailed`.
        """
        write = change(self.name, key, update, values, **more)["Update"]
        answer = again(lambda: self._client.update_item(**write, ReturnValues="ALL_NEW"))
        return from_wire(answer["Attributes"])

    def delete(self, key: Key) -> None:
        with speaking():
            self._client.delete_item(TableName=self.name, Key=wire_key(key))

    def delete_if(self, key: Key, condition: str, values: Mapping[str, Any]) -> None:
        """Delete an item if the condition holds, and leave it otherwise."""
        request: dict[str, Any] = {"TableName": self.name, "Key": wire_key(key), "ConditionExpression": condition}
        request["ExpressionAttributeValues"] = to_wire(values)
        _name(request, condition)
        with contextlib.suppress(ConditionFailed):
            again(lambda: self._client.delete_item(**request))

    def scan(self, types: Collection[str]) -> Iterator[list[Item]]:
        """Every item of these types, a page at a time.

        Reads the whole table: for moving house, not for questions; phase 1's role may not.
        """
        names = {f":type{number}": name for number, name in enumerate(sorted(types))}
        request: dict[str, Any] = {
            "TableName": self.name,
            "ConsistentRead": True,
            "FilterExpression": f"#type IN ({', '.join(names)})",
            "ExpressionAttributeNames": {"#type": "type"},
            "ExpressionAttributeValues": to_wire(names),
        }
        while True:
            with speaking():
                answer = self._client.scan(**request)
            yield [from_wire(item) for item in answer["Items"]]
            if not answer.get("LastEvaluatedKey"):
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def transact(self, writes: Sequence[Item]) -> None:
        """All of these writes or none.  Raises `ConditionFailed` with the places whose condition did not hold."""
        items: Any = list(writes)
        again(lambda: self._client.transact_write_items(TransactItems=items))


def again(call: Callable[[], T]) -> T:
    """Make a write; once more, up to nine times in about two seconds, when others hold the same items.

    Raises `ConditionFailed` when a condition failed and `Unavailable` when it stayed contended.
    """
    for attempt in range(_TRIES):
        try:
            with speaking():
                return call()
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "ConditionalCheckFailedException":
                raise ConditionFailed from None
            reasons: Any = error.response.get("CancellationReasons", [])
            codes = [reason.get("Code", "None") for reason in reasons]
            failed = tuple(place for place, why in enumerate(codes) if why == "ConditionalCheckFailed")
            if failed:
                raise ConditionFailed(failed) from None
            if code not in _CONTENDED and not (codes and set(codes) <= _WORTH_ANOTHER_TRY):
                raise Unavailable(f"The shop could not write that down ({', '.join(codes) or code}).") from error
            _pause(attempt)
    raise Unavailable("Many people want the same thing at this very moment. Please try again.")


@contextlib.contextmanager
def speaking() -> Iterator[None]:
    """Turn what AWS answers into the shop's words; failed conditions and contention pass through to `again`."""
    try:
        yield
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in {"ConditionalCheckFailedException", "TransactionCanceledException", *_CONTENDED}:
            raise
        logger.error("AWS refused %s: %s", error.operation_name, error)
        raise Unavailable(f"The shop cannot do that right now ({error.operation_name}: {code}).") from error
    except BotoCoreError as error:
        logger.error("AWS does not answer: %s", error)
        raise Unavailable(f"The shop cannot reach what it needs right now ({type(error).__name__}).") from error


def put(table: str, item: Item, condition: str | None = None, values: Mapping[str, Any] | None = None) -> Item:
    """A Put for a transaction.  In conditions, `#x` means the attribute `x`."""
    write: Item = {"TableName": table, "Item": to_wire(item)}
    if condition:
        write["ConditionExpression"] = condition
        _name(write, condition)
    if values:
        write["ExpressionAttributeValues"] = to_wire(values)
    return {"Put": write}


def change(
    table: str,
    key: Key,
    update: str,
    values: Mapping[str, Any],
    *,
    condition: str | None = None,
    names: Mapping[str, str] | None = None,
) -> Item:
    """An Update for a transaction.  In expressions, `#x` means the attribute `x` unless `names` says otherwise."""
    write: Item = {"TableName": table, "Key": wire_key(key), "UpdateExpression": update}
    if values:
        write["ExpressionAttributeValues"] = to_wire(values)
    if condition:
        write["ConditionExpression"] = condition
    _name(write, f"{update} {condition or ''}", names)
    return {"Update": write}


def delete(table: str, key: Key) -> Item:
    """A Delete for a transaction."""
    return {"Delete": {"TableName": table, "Key": wire_key(key)}}


def check(table: str, key: Key, condition: str) -> Item:
    """A ConditionCheck for a transaction, of an item that the transaction leaves as it is."""
    write: Item = {"TableName": table, "Key": wire_key(key), "ConditionExpression": condition}
    _name(write, condition)
    return {"ConditionCheck": write}


def _name(write: Item, expression: str, names: Mapping[str, str] | None = None) -> None:
    used = {word.strip("(),=<>") for word in expression.replace("(", " ").replace(",", " ").split() if "#" in word}
    if used:
        write["ExpressionAttributeNames"] = {name: (names or {}).get(name, name[1:]) for name in sorted(used)}


def _pause(attempt: int) -> None:
    time.sleep(random.uniform(0.2, 1) * min(0.02 * 2**attempt, 0.5))  # noqa: S311  (jitter, not a secret)


# -- values ---------------------------------------------------------------------------------------------------------


def wire_key(key: Key) -> dict[str, Any]:
    return {"pk": {"S": key[0]}, "sk": {"S": key[1]}}


def to_wire(item: Mapping[str, Any]) -> dict[str, Any]:
    """An item as DynamoDB writes it.  None is left out: an attribute that is not there costs nothing."""
    return {name: _wire(value) for name, value in item.items() if value is not None}


def from_wire(item: Mapping[str, Any]) -> Item:
    """An item in plain values.  Written for speed: the menu passes through here with every request."""
    return {name: _plain(value) for name, value in item.items()}


def _wire(value: Any) -> Any:
    if isinstance(value, str):
        return {"S": str(value)}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, int):
        return {"N": str(value)}
    if value is None:
        return {"NULL": True}
    if isinstance(value, Mapping):
        return {"M": to_wire(value)}
    return {"L": [_wire(each) for each in value]}


def _plain(value: Any) -> Any:
    for kind, inner in value.items():
        if kind in {"S", "BOOL"}:
            return inner
        if kind == "N":
            return int(inner)
        if kind == "M":
            return {name: _plain(each) for name, each in inner.items()}
        if kind == "L":
            return [_plain(each) for each in inner]
        if kind == "NULL":
            return None
    raise ValueError(f"the shop writes no attribute of this kind: {sorted(value)}")
