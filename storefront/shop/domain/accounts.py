"""Signing up, in and out."""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shop.domain import ids
from shop.domain.customers import Caller, Customer, Role, check_new_person, checked_email
from shop.domain.errors import Conflict, Invalid, SignInNeeded
from shop.domain.orders import Choice
from shop.domain.ports import Hasher, Limiter, People, Sessions
from shop.domain.sessions import Session, lifetime

WINDOW = timedelta(minutes=15)
TRIES_PER_PERSON_AND_PLACE = 5
TRIES_PER_PERSON = 30
TRIES_PER_PLACE = 100
SIGN_UPS_PER_PLACE = 60


@dataclass(frozen=True, slots=True)
class Accounts:
    """People and their sessions.  A session id changes whenever somebody signs in or out, so none can be planted."""

    people: People
    sessions: Sessions
    limiter: Limiter
    hasher: Hasher
    clock: Callable[[], datetime] = ids.now

    def visit(self, session_id: str) -> Session:
        """The session of this id; an id that the server does not know (any more) is a fresh guest.

        Raises:
            SignInNeeded: the id was signed out; the browser needs a new one.
        """
        session = self.sessions.load(session_id)
        if session and session.revoked:
            raise SignInNeeded("This session has ended. Please reload the page.")
        if session and session.alive(self.clock()):
            return session
        return self.fresh(session_id)

    def fresh(self, session_id: str) -> Session:
        """A guest's session.  It costs nothing until something is stored in it."""
        return Session(session_id, Caller(guest_id=guest_id(session_id)), self.clock() + lifetime(None))

    def sign_up(self, visit: Session, *, name: str, email: str, password: str, place: str) -> Session:
        """A new customer, signed in at once.  The same sign-up again (same password) signs in.

        Raises:
            Invalid: the name, e-mail address or password breaks a rule.
            Conflict: the e-mail address belongs to somebody.
        """
        check_new_person(name, email, password)
        self.limiter.count("sign-up", place, limit=SIGN_UPS_PER_PLACE, window=WINDOW)
        try:
            customer = self.register(name=name, email=email, password=password, role=Role.CUSTOMER)
        except Conflict:
            try:
                return self.sign_in(visit, email=email, password=password, place=place)
            except SignInNeeded:
                raise Conflict(
                    "There is already an account with this e-mail address. Please sign in instead."
                ) from None
        return self._signed_in(visit, customer)

    def register(self, *, name: str, email: str, password: str, role: Role) -> Customer:
        """A new person with a role.  Raises `Invalid` and `Conflict` as `sign_up` does."""
        check_new_person(name, email, password)
        customer = Customer(
            id=ids.new_id(),
            email=checked_email(email),
            name=name.strip(),
            role=role,
            password_hash=self.hasher.hash(password),
            created_at=self.clock(),
        )
        self.people.add(customer)
        return customer

    def sign_in(self, visit: Session, *, email: str, password: str, place: str) -> Session:
        """Sign in.  `place` is where the request comes from; both person and place are limited.

        Raises:
            SignInNeeded: e-mail address or password are wrong; which of them is not said.
            TooMany: too many tries in a quarter of an hour.
        """
        try:
            who = checked_email(email)
        except Invalid:
            who = "nobody"
        self.limiter.count("sign-in", f"{who}@{place}", limit=TRIES_PER_PERSON_AND_PLACE, window=WINDOW)
        self.limiter.count("sign-in-person", who, limit=TRIES_PER_PERSON, window=WINDOW)
        self.limiter.count("sign-in-place", place, limit=TRIES_PER_PLACE, window=WINDOW)
        customer = self.people.by_email(who)
        if not self.hasher.verify(customer.password_hash if customer else None, password) or customer is None:
            raise SignInNeeded("The e-mail address or the password is not right.")
        self.limiter.forget("sign-in", f"{who}@{place}", window=WINDOW)
        return self._signed_in(visit, customer)

    def sign_out(self, visit: Session, *, everywhere: bool = False) -> None:
        """End this session, or all of this person's."""
        if everywhere and visit.caller.customer_id:
            self.sessions.revoke_all(visit.caller.customer_id)
        self.sessions.revoke(visit.id)

    def keep_cart(self, visit: Session, cart: tuple[Choice, ...]) -> None:
        """Remember the cart with the visit."""
        self.sessions.save(replace(visit, cart=cart))

    def prolong(self, visit: Session) -> Session:
        """A visit that goes on lasts longer: past the middle of its life it gets a new one."""
        span = lifetime(visit.caller.role)
        if visit.expires_at - self.clock() > span / 2:
            return visit
        longer = replace(visit, expires_at=self.clock() + span)
        self.sessions.save(longer)
        return longer

    def _signed_in(self, visit: Session, customer: Customer) -> Session:
        caller = replace(
            visit.caller, customer_id=customer.id, name=customer.name, email=customer.email, role=customer.role
        )
        session = Session(new_session_id(), caller, self.clock() + lifetime(customer.role), visit.cart)
        self.sessions.save(session)
        self.sessions.revoke(visit.id)
        return session


def new_session_id() -> str:
    """256 random bits."""
    return secrets.token_urlsafe(32)


def guest_id(session_id: str) -> str:
    """Whose orders a guest's are: as secret as needed to name them, and no way back to the session id."""
    return "guest-" + hashlib.sha256(f"guest {session_id}".encode()).hexdigest()[:32]
