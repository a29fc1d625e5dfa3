"""Synthesized stacks as the checks look at them: plain CloudFormation, no cloud and no credentials."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from brewhaven import toolchain
from brewhaven.errors import BrewHavenError
from brewhaven.local.settings import REPOSITORY


@dataclass(frozen=True)
class Resource:
    """One resource of a template."""

    logical_id: str
    type: str
    body: dict[str, Any]

    @property
    def properties(self) -> dict[str, Any]:
        found: dict[str, Any] = self.body.get("Properties", {})
        return found


@dataclass(frozen=True)
class Template:
    """One stack's template.

    Attributes:
        beside: The templates of the stacks that were synthesized with it, by stack id: what crosses stacks is there.
    """

    stack: str
    body: dict[str, Any]
    beside: Mapping[str, dict[str, Any]] = field(default_factory=dict, repr=False, compare=False)

    @property
    def description(self) -> str:
        return str(self.body.get("Description", ""))

    def resources(self, type_: str, *, of: str = "") -> list[Resource]:
        """Resources of a CloudFormation type, in the order of the template.

        Args:
            of: The construct that must have made them, for example ``CatalogTable``: a logical id begins with the names
                of the constructs around the resource.
        """
        return [
            Resource(logical_id, body["Type"], body)
            for logical_id, body in self.body.get("Resources", {}).items()
            if body["Type"] == type_ and logical_id.startswith(of)
        ]

    def mentions(self, logical_id: str, part: Any) -> bool:
        """Whether a part of the template refers to a resource by Ref or GetAtt."""
        text = json.dumps(part)
        return f'"Ref": "{logical_id}"' in text or f'["{logical_id}", ' in text or f"${{{logical_id}" in text


class SynthError(BrewHavenError):
    """The CDK app did not synthesize."""


def synthesize(context: Mapping[str, str], *, account: str, region: str) -> dict[str, Template]:
    """Build the CDK app in this process and return its stacks' templates by stack id.

    Args:
        context: Switches like ``lesson``; those of cdk.json are added.

    Raises:
        SynthError: The app refused its settings, or a construct raised an error.
    """
    os.environ.setdefault("JSII_NODE", str(toolchain.node_bin() / "node"))
    import aws_cdk as cdk  # noqa: PLC0415  (takes most of a second, which other commands need not pay)

    settings = json.loads((REPOSITORY / "cdk.json").read_text(encoding="utf-8"))["context"]
    spec = importlib.util.spec_from_file_location("brew_haven_app", REPOSITORY / "app.py")
    if spec is None or spec.loader is None:
        raise SynthError(f"There is no {REPOSITORY / 'app.py'}.")
    module = importlib.util.module_from_spec(spec)
    with tempfile.TemporaryDirectory(prefix="brewhaven-synth-") as folder, contextlib.redirect_stdout(io.StringIO()):
        app = cdk.App(
            outdir=folder,
            context={**settings, "account": account, "region": region, **context},
            analytics_reporting=False,
            builtin_cloud_formation_validation=False,
        )
        try:
            spec.loader.exec_module(module)
            module.build(app)
            assembly = app.synth()
        except Exception as error:
            raise SynthError(
                f"The stacks do not synthesize: {error}",
                "`cdk synth` shows the whole error with its place in the code.",
            ) from error
        bodies = {
            artifact.stack_name: json.loads(Path(artifact.template_full_path).read_text())
            for artifact in assembly.stacks
        }
    return {name: Template(name, body, bodies) for name, body in bodies.items()}
