"""The comparison as JSON, for programs: nothing is shortened and nothing is left out."""

from __future__ import annotations

import json
from typing import Any

from brewhaven.diff.model import CodeLine, Comparison, Edge, FactChange, Resource, ResourceChange
from brewhaven.diff.names import service_of
from brewhaven.diff.prices import SOURCE
from brewhaven.diff.story import Story

FORMAT = 1


def render(comparison: Comparison, story: Story) -> str:
    """A JSON document; `format` grows when a field changes its meaning."""
    document = {
        "format": FORMAT,
        "before": _side(comparison.before.label, comparison.before.stacks),
        "after": _side(comparison.after.label, comparison.after.stacks),
        "differs": comparison.differs,
        "summary": list(story.summary),
        "look_twice": [{"text": item.text, "why": item.warning, "details": item.details} for item in story.care],
        "resources": [_resource(change) for change in comparison.resources],
        "facts": [_fact(change) for change in comparison.facts],
        "template": [
            {
                "stack": change.stack,
                "section": change.section,
                "name": change.name,
                "change": change.kind,
                "before": change.before,
                "after": change.after,
            }
            for change in comparison.sections
        ],
        "data_paths": {"before": _edges(comparison.edges_before), "after": _edges(comparison.edges_after)},
        "prices": SOURCE,
        "notes": list(comparison.notes),
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


def _side(label: str, stacks: dict[str, Any]) -> dict[str, Any]:
    return {"label": label, "stacks": list(stacks)}


def _resource(change: ResourceChange) -> dict[str, Any]:
    return {
        "change": change.kind,
        "stack": change.resource.stack,
        "construct": change.resource.component,
        "path": change.resource.path,
        "type": change.resource.type,
        "service": service_of(change.resource.type),
        "logical_id": change.resource.logical_id,
        "was": _identity(change.before) if change.kind == "renamed" and change.before else None,
        "properties": [
            {
                "path": one.path,
                "change": one.kind,
                "before": one.before,
                "after": one.after,
                "replacement": one.replacement,
            }
            for one in change.properties
        ],
        "replacement": change.replacement,
        "because": list(change.because),
        "holds": change.holds,
        "old_one": change.fate,
        "code": _code(change.code),
        "cdk_helper": change.helper,
    }


def _identity(resource: Resource) -> dict[str, str]:
    return {"path": resource.path, "logical_id": resource.logical_id}


def _fact(change: FactChange) -> dict[str, Any]:
    fact = change.fact
    return {
        "topic": fact.topic,
        "change": change.kind,
        "text": fact.text,
        "before": change.before.text if change.kind == "changed" and change.before else None,
        "detail": fact.detail,
        "warning": fact.warning,
        "about": [f"{stack}/{logical_id}" for stack, logical_id in fact.about],
        "dollars_per_hour": round(fact.amount, 6) if fact.topic == "cost" else None,
        "code": _code(change.code),
        "cdk_helper": fact.helper,
    }


def _code(lines: tuple[CodeLine, ...]) -> list[dict[str, Any]]:
    return [{"file": line.file, "line": line.line, "text": line.text, "exact": line.exact} for line in lines]


def _edges(edges: tuple[Edge, ...]) -> list[dict[str, Any]]:
    return [{"from": edge.source, "to": edge.target, "ways": list(edge.ways)} for edge in edges]
