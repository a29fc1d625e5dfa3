"""Rules that anybody's template is held to: cfn-lint and cdk-nag, loaded once and asked about many templates."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cfnlint.config import ConfigMixIn
from cfnlint.decode.decode import decode_str
from cfnlint.runner import Runner

from brewhaven.mutate.references import all_needed, needs
from brewhaven.mutate.stack import Stack

# W3005 asks to leave out a DependsOn that a reference implies. The CDK writes both, and CloudFormation minds neither.
DEPENDS_ON_TWICE = "W3005"
LINT_REGION = "us-east-1"


def lint_config(templates: list[Path]) -> ConfigMixIn:
    """How templates of the course are linted, warnings included."""
    return ConfigMixIn(
        [], templates=[str(path) for path in templates], ignore_checks=[DEPENDS_ON_TWICE], regions=[LINT_REGION]
    )


class Lint:
    """cfn-lint with its rules loaded, which takes seconds."""

    def __init__(self) -> None:
        self._runner = Runner(lint_config([]))

    def findings(self, body: dict[str, Any], around: str = "") -> list[str]:
        """Ids of the rules that complain: E is an error that CloudFormation would refuse, W a warning.

        Args:
            around: A logical id: look at this resource, at those that refer to it and at what all of them need, which
                is quicker by far. By default at everything.
        """
        if around:
            body = {**body, "Resources": _surroundings(body["Resources"], around), "Outputs": {}}
        template, errors = decode_str(json.dumps(body))
        if template is None or errors:
            return [error.rule.id for error in errors]
        return sorted({match.rule.id for match in self._runner.validate_template(template)})


def _surroundings(resources: dict[str, Any], logical_id: str) -> dict[str, Any]:
    near = {logical_id, *(name for name, resource in resources.items() if logical_id in needs(resource))}
    kept = all_needed(resources, near)
    return {name: resource for name, resource in resources.items() if name in kept}


class Nag:
    """cdk-nag on a template: it judges constructs, so the template is made into constructs again.

    Args:
        folder: Where templates may be written.
    """

    def __init__(self, folder: Path) -> None:
        import aws_cdk as cdk  # noqa: PLC0415  (takes most of a second)
        from cdk_nag import AwsSolutionsChecks, ServerlessChecks  # noqa: PLC0415

        self._folder = folder
        self._app = cdk.App(outdir=str(folder / "nag"), builtin_cloud_formation_validation=False)
        self._packs = [AwsSolutionsChecks(), ServerlessChecks()]

    def findings(self, stack: Stack, body: dict[str, Any]) -> set[tuple[str, str]]:
        """Findings that nobody has accepted, each with the logical id where it is.

        What the CDK cannot even read is no finding of cdk-nag. The CDK's own helpers are plain resources where it makes
        them, at which cdk-nag does not look; made anew they have a type, so their findings are left out here.
        """
        import aws_cdk as cdk  # noqa: PLC0415  (as above)
        from aws_cdk.cloudformation_include import CfnInclude  # noqa: PLC0415

        file = self._folder / "nag.template.json"
        file.write_text(json.dumps(body), encoding="utf-8")
        scope = cdk.Stack(self._app, "Looked-At")
        try:
            CfnInclude(scope, "Template", template_file=str(file))
            reports = [pack.validate_scope(scope) for pack in self._packs]
        except RuntimeError:  # what jsii makes of any error of the CDK
            return set()
        finally:
            self._app.node.try_remove_child("Looked-At")
        found = {
            (violation.rule_name, str(resource.construct_path).rpartition("/")[2])
            for report in reports
            for violation in report.violations
            for resource in violation.violating_resources
        }
        return {
            (rule, place)
            for rule, place in found
            if place not in stack.helpers and rule not in stack.accepted.get(place, [])
        }
