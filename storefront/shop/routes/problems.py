"""Errors as RFC 9457 has them: a word for programs, a sentence for people, and the id that finds the log line."""

import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from shop.domain import errors
from shop.routes import schemas

logger = logging.getLogger(__name__)

_STATUS: dict[type[errors.ShopError], int] = {
    errors.Invalid: 422,
    errors.NotFound: 404,
    errors.OutOfStock: 409,
    errors.Conflict: 409,
    errors.KeyReused: 422,
    errors.PaymentDeclined: 402,
    errors.SignInNeeded: 401,
    errors.Forbidden: 403,
    errors.TooMany: 429,
    errors.Unavailable: 503,
}
_SPOKEN = {
    400: ("Malformed request", "The shop could not read this request. Please check its form."),
    404: ("Not found", "There is nothing at this address."),
    405: ("Method not allowed", "This address does not take that method."),
    413: ("Too large", "This request is larger than the shop reads."),
    415: ("Unsupported media type", "Send JSON, with the header Content-Type: application/json."),
}
_PATTERNS = {
    schemas.SLUG: "Small letters, digits and dashes, please.",
    schemas.PRODUCT_ID: "2 to 40 small letters, digits and dashes, please.",
    schemas.KEY: "Letters, digits and signs without spaces, please; a UUID is good.",
    schemas.DAY: "A day such as 2026-11-22, please.",
}
_ELSE = "This does not fit here; the contract (/api/openapi.json) says what does."


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route: these statuses answer a `Problem`."""
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    titles = {status: kind.title for kind, status in _STATUS.items()} | {s: title for s, (title, _) in _SPOKEN.items()}
    return {status: {"description": titles[status], "content": content} for status in sorted(statuses)}


def problem(
    request: Request,
    status: int,
    title: str,
    detail: str,
    *,
    problems: Sequence[tuple[str, str]] = (),
    facts: Mapping[str, object] | None = None,
    headers: Mapping[str, str] | None = None,
    kind: str | None = None,
) -> JSONResponse:
    """The answer for an error."""
    body = schemas.Problem(
        type=kind or re.sub(r"[^a-z]+", "-", title.lower()).strip("-"),
        title=title,
        status=status,
        detail=detail,
        request_id=request.scope.get("request_id", ""),
        errors=[schemas.FieldProblem(field=field, message=message) for field, message in problems],
        facts=dict(facts or {}),
    )
    return JSONResponse(
        body.model_dump(), status, media_type="application/problem+json", headers=dict(headers) if headers else None
    )


def install(app: FastAPI) -> None:
    """Turn every exception of the shop, of FastAPI and of nobody into a problem."""

    async def refused(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, errors.ShopError)
        status = next(_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS)
        headers = {}
        if isinstance(error, errors.TooMany):
            headers["Retry-After"] = str(error.retry_after)
        if isinstance(error, errors.Unavailable):
            headers["Retry-After"] = "2"
        if status == 401:
            headers["WWW-Authenticate"] = 'Session realm="Brew Haven"'
        return problem(
            request,
            status,
            error.title,
            error.detail,
            problems=error.problems if isinstance(error, errors.Invalid) else (),
            facts=error.facts,
            headers=headers,
            kind=re.sub(r"(?<!^)(?=[A-Z])", "-", type(error).__name__).lower(),
        )

    async def malformed(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        found = error.errors()
        if any(each["type"] == "json_invalid" for each in found):
            where = next(each["loc"][-1] for each in found if each["type"] == "json_invalid")
            return problem(request, 400, "Malformed request", f"This is not JSON: it breaks off at character {where}.")
        problems = [(".".join(str(part) for part in each["loc"][1:]) or "body", _sentence(each)) for each in found]
        detail = " ".join(f"{_place(each['loc'])}: {_sentence(each)}" for each in found[:5])
        return problem(request, 422, errors.Invalid.title, detail, problems=problems[:50], kind="invalid")

    async def http(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        title, detail = _SPOKEN.get(error.status_code, ("Refused", str(error.detail)))
        return problem(request, error.status_code, title, detail, headers=error.headers)

    app.add_exception_handler(errors.ShopError, refused)
    app.add_exception_handler(RequestValidationError, malformed)
    app.add_exception_handler(HTTPException, http)


def _sentence(error: Mapping[str, Any]) -> str:
    """What is wrong with one field.  Never repeats what was sent: it may be a password, or ten thousand characters."""
    context = error.get("ctx", {})
    if error["loc"] == ("body",):
        return "A JSON object with what this request needs, please."
    spoken = {
        "missing": "This is missing.",
        "extra_forbidden": "There is no such field.",
        "string_too_long": f"At most {context.get('max_length')} characters.",
        "string_too_short": f"At least {context.get('min_length')} characters.",
        "too_long": f"At most {context.get('max_length')} of them.",
        "too_short": f"At least {context.get('min_length')} of them.",
        "greater_than_equal": f"Not less than {context.get('ge')}.",
        "less_than_equal": f"Not more than {context.get('le')}.",
        "int_type": "A whole number, please.",
        "int_from_float": "A whole number, please.",
        "int_parsing": "A whole number, please.",
        "string_type": "Text, please.",
        "string_unicode": "This text holds broken characters.",
        "bool_parsing": "true or false, please.",
        "bool_type": "true or false, please.",
        "list_type": "A list, please.",
        "model_type": "A JSON object, please.",
        "model_attributes_type": "A JSON object, please.",
        "dict_type": "A JSON object, please.",
        "literal_error": f"One of these, please: {context.get('expected')}.",
        "enum": f"One of these, please: {context.get('expected')}.",
        "int_parsing_size": "This number is too large.",
        "string_pattern_mismatch": _PATTERNS.get(str(context.get("pattern")), _ELSE),
    }
    return spoken.get(str(error["type"]), _ELSE)


def _place(loc: Sequence[int | str]) -> str:
    """Where, for people, who count from one: `lines.0.price_cents` is "Line 1, price"."""
    words: list[str] = []
    for part in loc[1:]:
        if isinstance(part, int) and words:
            words[-1] = f"{words[-1].removesuffix('s')} {part + 1}"
        else:
            words.append(str(part).replace("_", " ").removesuffix(" cents"))
    text = ", ".join(words) or "the body"
    return text[0].upper() + text[1:]
