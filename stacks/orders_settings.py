"""What can be chosen about the orders' database and what comes after it: switches of phase 2."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

OnDestroy = Literal["delete", "snapshot"]

ORDER_VARIANTS = (
    "database_multi_az",
    "database_replica",
    "database_proxy",
    "database_snapshot",
    "database_on_destroy",
    "worker_reserved_concurrency",
    "alarm_email",
    "email_sender",
)
LEAST_RESERVED = 5
MOST_RESERVED = 900
"""The worker's event source starts up to five at a time; an account keeps at least 100 of its 1,000 unreserved."""
_SNAPSHOT = re.compile(r"(arn:aws[a-z-]*:rds:[a-z0-9-]+:[0-9]{12}:snapshot:)?(rds:)?[A-Za-z][A-Za-z0-9-]{0,254}")
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s.]+(\.[^@\s.]+)+")


@dataclass(frozen=True, kw_only=True)
class OrdersSettings:
    """The defaults are the cheapest arrangement that is sound; a lesson turns each switch on and off."""

    database_multi_az: bool = False
    """A standby in a second zone, which takes over by itself within two minutes. Doubles the price of the instance."""
    database_replica: bool = False
    """A read replica. Costs as much as the instance again."""
    database_proxy: bool = False
    """RDS Proxy in front of the database, which shares connections. About twice the price of the instance."""
    database_snapshot: str | None = None
    """Build the database from this snapshot. Another value replaces the database that is there."""
    database_on_destroy: OnDestroy = "delete"
    """`snapshot` keeps a last snapshot, which is billed until somebody deletes it."""
    worker_reserved_concurrency: int | None = None
    """Concurrency that belongs to the worker alone. A new account may have so little that nothing can be reserved."""
    alarm_email: str | None = None
    """Who hears of alarms. AWS asks this address to confirm."""
    email_sender: str | None = None
    """The address from which customers get e-mail. SES asks it to confirm; without one no e-mail is sent."""

    @classmethod
    def read(cls, text: Callable[[str], str | None], problems: list[str]) -> "OrdersSettings":
        """Read the switches.

        :param text: the value of a switch, or None.
        :param problems: takes a sentence for each switch that cannot be used.
        """

        def flag(name: str) -> bool:
            value = text(name)
            if value is not None and value.lower() not in {"true", "false"}:
                problems.append(f"{name} must be true or false, got '{value}'")
            return value is not None and value.lower() == "true"

        def email(name: str) -> str | None:
            value = text(name)
            if value is not None and not _EMAIL.fullmatch(value):
                problems.append(f"{name} must be an e-mail address, got '{value}'")
            return value

        snapshot = text("database_snapshot")
        if snapshot is not None and not _SNAPSHOT.fullmatch(snapshot):
            problems.append(f"database_snapshot must be the identifier or the ARN of a DB snapshot, got '{snapshot}'")
        on_destroy = text("database_on_destroy") or "delete"
        if on_destroy not in {"delete", "snapshot"}:
            problems.append(f"database_on_destroy must be delete or snapshot, got '{on_destroy}'")
        return cls(
            database_multi_az=flag("database_multi_az"),
            database_replica=flag("database_replica"),
            database_proxy=flag("database_proxy"),
            database_snapshot=snapshot,
            database_on_destroy=on_destroy,  # type: ignore[arg-type]  # checked just above
            worker_reserved_concurrency=_reserved(text("worker_reserved_concurrency"), problems),
            alarm_email=email("alarm_email"),
            email_sender=email("email_sender"),
        )


def _reserved(value: str | None, problems: list[str]) -> int | None:
    if value is None:
        return None
    if not value.isascii() or not value.isdigit() or not LEAST_RESERVED <= int(value) <= MOST_RESERVED:
        problems.append(f"worker_reserved_concurrency must be {LEAST_RESERVED} to {MOST_RESERVED}, got '{value}'")
        return None
    return int(value)
