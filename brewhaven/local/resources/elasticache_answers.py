"""Answers of the ElastiCache API in the emulator's form."""

from __future__ import annotations

from typing import Any

from brewhaven.local.emulator import Response

Record = dict[str, Any]
Refusal = tuple[str, str]


def refused(refusal: Refusal) -> Response:
    """An error of a code and a sentence."""
    from ministack.services import elasticache

    code, sentence = refusal
    answer: Response = elasticache._error(code, sentence, 404 if "NotFound" in code else 400)
    return answer


def replication_group(action: str, record: Record) -> Response:
    """A replication group as it is now."""
    from ministack.services import elasticache

    inner = f"<{action}Result><ReplicationGroup>{elasticache._rg_xml(record)}</ReplicationGroup></{action}Result>"
    answer: Response = elasticache._xml(200, f"{action}Response", inner)
    return answer


def user(action: str, record: Record) -> Response:
    """A user as it is now."""
    from ministack.services import elasticache

    inner = f"<{action}Result>{elasticache._user_xml(record)}</{action}Result>"
    answer: Response = elasticache._xml(200, f"{action}Response", inner)
    return answer


def given(parameters: Record, name: str) -> str:
    """A parameter of a request, empty if it is not there; booleans are ``true`` and ``false``."""
    from ministack.services import elasticache

    return str(elasticache._p(parameters, name))


def listed(parameters: Record, name: str, *item_names: str) -> list[str]:
    """A list in the parameters of a request."""
    from ministack.services import elasticache

    return [str(value) for value in elasticache._extract_configs(parameters, name, (*item_names, "member"))]
