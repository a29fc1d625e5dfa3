"""What routes share: the shop's services, and who is asking."""

import hmac
from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Request

from shop.domain.accounts import new_session_id
from shop.domain.customers import Role
from shop.domain.errors import Forbidden, SignInNeeded
from shop.domain.sessions import Session
from shop.services import Services

COOKIE = "session"
SECURE_COOKIE = "__Host-session"
PUBLIC: dict[str, object] = {"security": []}
READS: dict[str, object] = {"security": [{"session": []}, {"bearer": []}]}
GUEST_READS: dict[str, object] = {"security": [{}, {"session": []}, {"bearer": []}]}
WRITES: dict[str, object] = {"security": [{"session": [], "csrf": []}, {"bearer": []}]}


async def get_services(request: Request) -> Services:
    """Built once by `create_app`; kept beside the app so that tests can bring their own."""
    services: Services = request.app.state.services
    return services


Shop = Annotated[Services, Depends(get_services)]


def is_secure(request: Request) -> bool:
    """Whether the browser's side of this request is TLS (the load balancer's word, see `shop.web`)."""
    return request.url.scheme == "https"


def session_id(request: Request, services: Services) -> str | None:
    """The id in the browser's cookie; None without one, and for one that this shop did not sign."""
    signed = request.cookies.get(SECURE_COOKIE if is_secure(request) else COOKIE)
    return services.signer.read(signed) if signed else None


def visit(request: Request, services: Shop) -> Session:
    """The caller's session; a stranger's is a guest's that nothing is stored of."""
    if "authorization" in request.headers:
        raise SignInNeeded("This shop signs in with a session cookie, not with a bearer token. See /api/config.")
    known = session_id(request, services)
    return services.accounts.visit(known) if known else services.accounts.fresh(new_session_id())


def check_csrf(request: Request, services: Services) -> None:
    """Refuse a write that another site's page made the browser send.

    Such a page can make the browser send the cookie, but it cannot read the token that belongs to it.
    """
    if request.headers.get("sec-fetch-site") == "cross-site":
        raise Forbidden("Another site sent this request. Please use the shop's own pages.")
    known = session_id(request, services)
    sent = request.headers.get("x-csrf-token", "")
    if known is None or not any(hmac.compare_digest(sent.encode(), t.encode()) for t in services.signer.tokens(known)):
        raise Forbidden(
            "This request lacks the session's token. Ask GET /api/session for it and send it as X-CSRF-Token."
        )


def guest_writes(request: Request, services: Shop) -> Session:
    """A write that everybody may make, guests too."""
    check_csrf(request, services)
    return visit(request, services)


def _allowed(*roles: Role, writes: bool) -> Callable[[Request, Services], Session]:
    def dependency(request: Request, services: Shop) -> Session:
        session = visit(request, services)
        session.caller.expect(*roles)
        if writes:
            check_csrf(request, services)
        return session

    return dependency


Guest = Annotated[Session, Depends(visit)]
GuestWrites = Annotated[Session, Depends(guest_writes)]
StaffReads = Annotated[Session, Depends(_allowed(Role.BARISTA, Role.MANAGER, writes=False))]
StaffWrites = Annotated[Session, Depends(_allowed(Role.BARISTA, Role.MANAGER, writes=True))]
ManagerReads = Annotated[Session, Depends(_allowed(Role.MANAGER, writes=False))]
ManagerWrites = Annotated[Session, Depends(_allowed(Role.MANAGER, writes=True))]
