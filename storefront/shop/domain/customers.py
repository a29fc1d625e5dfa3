"""People: customers and staff, what they may be called, and what their role allows."""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from shop.domain.errors import Forbidden, Invalid, SignInNeeded
from shop.domain.texts import is_blank, problem_of

MAX_PERSON_NAME = 60
MAX_EMAIL = 254
PASSWORD_LENGTH = (10, 128)
_EMAIL = re.compile(r"[^@\s\x00-\x1f]{1,64}@[^@\s\x00-\x1f.]+(\.[^@\s\x00-\x1f.]+)+")


class Role(StrEnum):
    CUSTOMER = "customer"
    BARISTA = "barista"
    MANAGER = "manager"


STAFF = frozenset({Role.BARISTA, Role.MANAGER})


@dataclass(frozen=True, slots=True)
class Customer:
    id: str
    email: str
    name: str
    role: Role
    password_hash: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is asking.  Everybody has a guest id, so that a guest's orders are theirs; signing in keeps it."""

    guest_id: str
    customer_id: str | None = None
    name: str = ""
    email: str = ""
    role: Role | None = None

    @property
    def owner(self) -> str:
        """Whose new orders these are."""
        return self.customer_id or self.guest_id

    @property
    def owners(self) -> tuple[str, ...]:
        """Whose orders this caller may see: their own, and those of the guest they were before they signed in."""
        return (self.customer_id, self.guest_id) if self.customer_id else (self.guest_id,)

    @property
    def is_staff(self) -> bool:
        return self.role in STAFF

    def expect(self, *roles: Role) -> None:
        """Raises `SignInNeeded` when nobody is signed in, `Forbidden` when the role is another one."""
        if self.role is None:
            raise SignInNeeded("Please sign in first.")
        if self.role not in roles:
            raise Forbidden(f"This needs the role {' or '.join(roles)}; you are signed in as {self.role.value}.")


def checked_email(email: str) -> str:
    """The e-mail address as it is stored and compared: trimmed, lower case.  Raises `Invalid`."""
    tidy = email.strip().lower()
    if len(tidy) > MAX_EMAIL or not _EMAIL.fullmatch(tidy) or problem_of(tidy):
        raise Invalid([("email", "That does not look like an e-mail address, such as ada@example.org.")])
    return tidy


def check_new_person(name: str, email: str, password: str) -> None:
    """Raises `Invalid` with every problem at once."""
    problems: list[tuple[str, str]] = []
    if is_blank(name) or len(name.strip()) > MAX_PERSON_NAME:
        problems.append(("name", f"A name has 1 to {MAX_PERSON_NAME} characters on one line."))
    elif strange := problem_of(name):
        problems.append(("name", strange))
    try:
        checked_email(email)
    except Invalid as invalid:
        problems += invalid.problems
    shortest, longest = PASSWORD_LENGTH
    if not shortest <= len(password) <= longest:
        problems.append(("password", f"A password has {shortest} to {longest} characters; a few words are good."))
    elif password.casefold() == email.strip().casefold():
        problems.append(("password", "Choose a password that is not your e-mail address."))
    if problems:
        raise Invalid(problems)
