"""How synthesized templates come to the tests: through two hooks, so that `make mutate` can put a mistake into them.

By themselves the hooks read what was synthesized.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import aws_cdk as cdk
    from aws_cdk.assertions import Template


class Hooks:
    """Declared for pytest; the first plugin that answers is believed."""

    @pytest.hookspec(firstresult=True)
    def pytest_template_of_course(
        self, stack: str, switches: Mapping[str, str], assembly: Callable[..., Path]
    ) -> dict[str, Any]:
        """A test asks for the template of a stack of the course, synthesized with these context switches."""
        raise NotImplementedError

    @pytest.hookspec(firstresult=True)
    def pytest_template_alone(self, build: Callable[[], cdk.Stack]) -> Template:
        """A test asks for the template of a stack that it builds itself."""
        raise NotImplementedError


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    pluginmanager.add_hookspecs(Hooks)


@pytest.hookimpl(trylast=True)
def pytest_template_of_course(stack: str, switches: Mapping[str, str], assembly: Callable[..., Path]) -> dict[str, Any]:
    return _read(assembly(**switches) / f"{stack}.template.json")


@pytest.hookimpl(trylast=True)
def pytest_template_alone(build: Callable[[], cdk.Stack]) -> Template:
    from aws_cdk.assertions import Template  # noqa: PLC0415  (takes most of a second)

    return Template.from_stack(build())


@cache
def _read(path: Path) -> dict[str, Any]:
    template: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return template
