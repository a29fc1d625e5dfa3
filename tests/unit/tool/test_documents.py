"""What people read is true: links lead somewhere, commands exist, and every decision is in the index."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

from brewhaven.cli import app
from brewhaven.local.settings import REPOSITORY

DOCUMENTS = [REPOSITORY / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
DOCUMENTS += sorted((REPOSITORY / "docs").rglob("*.md"))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_links_to_files_lead_somewhere(document: Path) -> None:
    for link in re.findall(r"\]\(([^)#\s]+)", document.read_text(encoding="utf-8")):
        if "://" not in link:
            assert (document.parent / link).exists(), link


def test_every_decision_is_in_the_index() -> None:
    folder = REPOSITORY / "docs" / "decisions"
    index = (folder / "README.md").read_text(encoding="utf-8")
    for path in folder.glob("*.md"):
        assert path.name == "README.md" or f"({path.name})" in index, f"{path.name} is not in the index"


def _commands() -> set[str]:
    """Every command, and every group with its commands: `deploy`, `local`, `local up`."""

    def names(of: typer.Typer) -> set[str]:
        return {command.name or command.callback.__name__ for command in of.registered_commands if command.callback}

    found = names(app)
    for group in app.registered_groups:
        assert group.typer_instance is not None
        found |= {str(group.name)}
        found |= {f"{group.name} {name}" for name in names(group.typer_instance)}
    return found


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_commands_in_documents_exist(document: Path) -> None:
    known = _commands()
    for command in re.findall(r"`brewhaven ([a-z][a-z-]*(?: [a-z][a-z-]*)?)", document.read_text(encoding="utf-8")):
        group = command.split()[0]
        inside_a_group = any(name.startswith(f"{group} ") for name in known)
        assert command in known or (group in known and not inside_a_group), command


def test_make_targets_in_documents_exist() -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^(\w+):", makefile, re.MULTILINE))
    for document in DOCUMENTS:
        for target in re.findall(r"`make (\w+)", document.read_text(encoding="utf-8")):
            assert target in targets, f"{document.name}: make {target}"
