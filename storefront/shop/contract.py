"""The OpenAPI document, with what FastAPI cannot know: how callers prove who they are.

`python -m shop.contract` writes `openapi.json`; a test holds that file equal to what the app would write.
"""

import json
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from shop.routes import schemas

FILE = Path(__file__).resolve().parent.parent / "openapi.json"


def openapi(app: FastAPI) -> dict[str, Any]:
    """The contract that this back end and later ones keep."""
    if app.openapi_schema:
        return app.openapi_schema
    document = get_openapi(
        title="Brew Haven",
        version="1.0.0",
        summary="The coffee shop's HTTP contract",
        description=(
            "One contract, several back ends: the monolith of phase 1 proves who is calling with a session cookie and "
            "a CSRF token, later ones with a bearer token. `GET /api/config` says which. Money is integer cents, "
            "times are UTC, and every error is a `Problem`."
        ),
        routes=app.routes,
    )
    components = document.setdefault("components", {})
    components["securitySchemes"] = {
        "session": {
            "type": "apiKey",
            "in": "cookie",
            "name": "session",
            "description": "Set by GET /api/session; over TLS its name is `__Host-session`.",
        },
        "csrf": {
            "type": "apiKey",
            "in": "header",
            "name": "X-CSRF-Token",
            "description": "The `csrf_token` of GET /api/session, with every write in session mode.",
        },
        "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
    }
    found = schemas.Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    components["schemas"].update(found.pop("$defs", {}))
    components["schemas"]["Problem"] = found
    for unused in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(unused, None)
    for path in document["paths"].values():
        for operation in path.values():
            answer = operation["responses"].get("422", {})
            if "application/json" in answer.get("content", {}):
                answer["content"] = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
                answer["description"] = "Please check what you entered"
    app.openapi_schema = document
    return document


def as_text(app: FastAPI) -> str:
    """The contract as it is checked in."""
    return json.dumps(openapi(app), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    from shop.app import create_app

    FILE.write_text(as_text(create_app(None)), encoding="utf-8")
