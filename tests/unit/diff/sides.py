"""Sides made by hand: `side({...resources...})`."""

from __future__ import annotations

from typing import Any

from brewhaven.diff.model import Deployment
from brewhaven.diff.sources.assembly import make_stack


def resource(type_: str, path: str, properties: dict[str, Any] | None = None, **attributes: Any) -> dict[str, Any]:
    """A resource as the CDK writes it: its construct path is in its metadata."""
    return {
        "Type": type_,
        "Properties": properties or {},
        "Metadata": {"aws:cdk:path": f"Shop/{path}/Resource"},
        **attributes,
    }


def side(resources: dict[str, Any], *, name: str = "Shop", label: str = "a side", **sections: Any) -> Deployment:
    """A deployment of one stack."""
    stack = make_stack(name, {"Resources": resources, **sections}, region="us-east-1")
    return Deployment(label=label, stacks={name: stack})
