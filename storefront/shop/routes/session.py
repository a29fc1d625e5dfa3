"""Signing up, in and out, with a session cookie."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from shop.domain.accounts import new_session_id
from shop.domain.errors import SignInNeeded
from shop.domain.sessions import LIFETIME, Session
from shop.routes import schemas
from shop.routes.deps import COOKIE, GUEST_READS, SECURE_COOKIE, WRITES, GuestWrites, Shop, is_secure, visit
from shop.routes.problems import documented
from shop.services import Services

router = APIRouter(tags=["people"])


@router.get(
    "/api/session",
    response_model=schemas.SessionView,
    responses=documented(401, 503),
    openapi_extra=GUEST_READS,
    operation_id="getSession",
    summary="Who is signed in, and the token for writes",
)
def get_session(request: Request, response: Response, shop: Shop) -> schemas.SessionView:
    try:
        session = visit(request, shop)
    except SignInNeeded:
        if "authorization" in request.headers:
            raise
        session = shop.accounts.fresh(new_session_id())
    if session.caller.customer_id:
        session = shop.accounts.prolong(session)
    return _hand_out(session, request, response, shop)


@router.post(
    "/api/customers",
    status_code=201,
    response_model=schemas.SessionView,
    responses=documented(400, 401, 403, 409, 413, 415, 422, 429, 503),
    openapi_extra=WRITES,
    operation_id="signUp",
    summary="Open an account and sign in",
)
def sign_up(
    body: schemas.SignUp, request: Request, response: Response, shop: Shop, session: GuestWrites
) -> schemas.SessionView:
    signed_in = shop.accounts.sign_up(
        session, name=body.name, email=body.email, password=body.password, place=_place(request)
    )
    return _hand_out(signed_in, request, response, shop)


@router.post(
    "/api/session",
    response_model=schemas.SessionView,
    responses=documented(400, 401, 403, 413, 415, 422, 429, 503),
    openapi_extra=WRITES,
    operation_id="signIn",
    summary="Sign in",
)
def sign_in(
    body: schemas.SignIn, request: Request, response: Response, shop: Shop, session: GuestWrites
) -> schemas.SessionView:
    signed_in = shop.accounts.sign_in(session, email=body.email, password=body.password, place=_place(request))
    return _hand_out(signed_in, request, response, shop)


@router.delete(
    "/api/session",
    response_model=schemas.SessionView,
    responses=documented(401, 403, 422, 503),
    openapi_extra=WRITES,
    operation_id="signOut",
    summary="Sign out; answers the guest's session that follows",
)
def sign_out(
    request: Request,
    response: Response,
    shop: Shop,
    session: GuestWrites,
    everywhere: Annotated[bool, Query(description="On all devices, when one was lost.")] = False,
) -> schemas.SessionView:
    shop.accounts.sign_out(session, everywhere=everywhere)
    return _hand_out(shop.accounts.fresh(new_session_id()), request, response, shop)


def _hand_out(session: Session, request: Request, response: Response, shop: Services) -> schemas.SessionView:
    """Give the browser its cookie.  `__Host-` binds it to this very host, which browsers accept only over TLS."""
    secure = is_secure(request)
    response.set_cookie(
        SECURE_COOKIE if secure else COOKIE,
        shop.signer.sign(session.id),
        max_age=int(LIFETIME.total_seconds()),
        path="/",
        secure=secure,
        httponly=True,
        samesite="lax",
    )
    caller = session.caller
    person = None
    if caller.customer_id and caller.role:
        person = schemas.Person(id=caller.customer_id, name=caller.name, email=caller.email, role=caller.role.value)
    return schemas.SessionView(
        customer=person, csrf_token=shop.signer.tokens(session.id)[0], expires_at=session.expires_at
    )


def _place(request: Request) -> str:
    return request.client.host if request.client else "unknown"
