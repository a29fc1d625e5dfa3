"""A tiny phase on which the engine is tested; no cloud is needed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from brewhaven.course import document
from brewhaven.course.catalogue import Course, load
from brewhaven.course.document import Document

SAMPLE = Path(__file__).parent / "sample"
PHASE = "phase9_sample"
LESSON = f"{PHASE}/lessons/9.1-cups.md"


@pytest.fixture
def phases(tmp_path: Path) -> Path:
    """A copy of the sample's folder, to be changed by a test."""
    return Path(shutil.copytree(SAMPLE, tmp_path / "phases"))


@pytest.fixture
def course(phases: Path) -> Course:
    return load(phases)


@pytest.fixture
def text(phases: Path) -> Document:
    """The sample's lesson."""
    return document.read(phases / LESSON)


Edit = Callable[[str, str], Document]


@pytest.fixture
def edited(phases: Path) -> Edit:
    """Returns a function that replaces one text of the sample's lesson by another and parses it again."""

    def edit(old: str, new: str) -> Document:
        path = phases / LESSON
        source = path.read_text()
        assert old in source
        path.write_text(source.replace(old, new))
        return document.read(path)

    return edit
