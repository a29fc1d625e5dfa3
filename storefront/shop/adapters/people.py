"""Customers and staff in the one table, and their passwords."""

import threading

import argon2

from shop.adapters import keys
from shop.adapters.table import ConditionFailed, Item, Table, put
from shop.domain.customers import STAFF, Customer, Role
from shop.domain.errors import Conflict
from shop.domain.ids import from_text, to_text


class DynamoPeople:
    """Implements `shop.domain.ports.People`."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def add(self, customer: Customer) -> None:
        name_pk, name_sk = keys.email(customer.email)
        name = {"pk": name_pk, "sk": name_sk, "type": "sign-in-name", "customer_id": customer.id}
        writes = [
            put(self._table.name, name, "attribute_not_exists(pk)"),
            put(self._table.name, _to_item(customer), "attribute_not_exists(pk)"),
        ]
        if customer.role in STAFF:
            member = {"pk": keys.STAFF, "sk": customer.email, "type": "staff", "customer_id": customer.id}
            writes.append(put(self._table.name, member))
        try:
            self._table.transact(writes)
        except ConditionFailed:
            raise Conflict(f"There is already an account for {customer.email}.") from None

    def by_email(self, email: str) -> Customer | None:
        name = self._table.get(keys.email(email))
        item = self._table.get(keys.customer(name["customer_id"])) if name else None
        return _to_customer(item) if item else None

    def by_id(self, customer_id: str) -> Customer | None:
        item = self._table.get(keys.customer(customer_id))
        return _to_customer(item) if item else None

    def staff(self) -> list[Customer]:
        members = self._table.query(keys.STAFF)
        items = self._table.get_many([keys.customer(member["customer_id"]) for member in members])
        return [_to_customer(item) for item in items]


def _to_item(customer: Customer) -> Item:
    pk, sk = keys.customer(customer.id)
    return {
        "pk": pk,
        "sk": sk,
        "type": "customer",
        "id": customer.id,
        "email": customer.email,
        "name": customer.name,
        "role": customer.role.value,
        "password_hash": customer.password_hash,
        "created_at": to_text(customer.created_at),
    }


def _to_customer(item: Item) -> Customer:
    return Customer(
        id=item["id"],
        email=item["email"],
        name=item["name"],
        role=Role(item["role"]),
        password_hash=item["password_hash"],
        created_at=from_text(item["created_at"]),
    )


class Argon2Hasher:
    """Implements `shop.domain.ports.Hasher` with argon2id, 19 MiB and two passes (OWASP's minimum).

    At most two are computed at once, so that a rush of sign-ins cannot exhaust a small task's memory.
    """

    def __init__(self, *, memory_kib: int = 19_456) -> None:
        self._argon2 = argon2.PasswordHasher(time_cost=2, memory_cost=memory_kib, parallelism=1)
        self._turns = threading.BoundedSemaphore(2)
        self._nobody = self._argon2.hash("nobody has this password")

    def hash(self, password: str) -> str:
        with self._turns:
            return self._argon2.hash(password)

    def verify(self, password_hash: str | None, password: str) -> bool:
        with self._turns:
            try:
                return self._argon2.verify(password_hash or self._nobody, password) and password_hash is not None
            except argon2.exceptions.VerificationError:
                return False
