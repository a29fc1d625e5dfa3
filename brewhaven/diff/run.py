"""Compares what two words name and writes the result where it was asked for."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from pathlib import Path

from rich.console import Console

from brewhaven.diff.compare import compare
from brewhaven.diff.errors import DiffError
from brewhaven.diff.model import Comparison
from brewhaven.diff.render import data, markdown, page, projector, terminal
from brewhaven.diff.sources import load, parse
from brewhaven.diff.sources.place import Place
from brewhaven.diff.story import Story, tell
from brewhaven.local.settings import REPOSITORY, CloudSettings

DIFFERENT = 1
PRINTED_WIDTH = 120

_DOCUMENTS: dict[str, Callable[[Comparison, Story], str]] = {
    "markdown": lambda _, story: markdown.render(story),
    "html": page.render,
    "json": data.render,
    "present": projector.render,
}
_PAGES = {"html": "diff.html", "present": "present.html"}


def diff(before: str, after: str, *, form: str, output: Path | None, full: bool) -> bool:
    """Compare two sides, print or write the result, and say whether they differ.

    Args:
        form: `text`, `markdown`, `html`, `json` or `present`.
        output: The file to write; pages without one go to a new folder, and their path is printed.
        full: Text with every detail.

    Raises:
        DiffError: A side cannot be read, or the file cannot be written.
    """
    comparison = compare_named(before, after, REPOSITORY, CloudSettings.from_environment())
    story = tell(comparison)
    if form == "text" and output is None:
        terminal.show(story, Console(highlight=False, emoji=False), full=full)
        return comparison.differs
    words = _text(story, full) if form == "text" else _DOCUMENTS[form](comparison, story)
    if output is None and form not in _PAGES:
        sys.stdout.write(words)
        return comparison.differs
    path = output or Path(tempfile.mkdtemp(prefix="brewhaven-diff-")) / _PAGES[form]
    try:
        path.write_text(words, encoding="utf-8")
    except OSError as error:
        raise DiffError(f"The file cannot be written: {path} ({error.strerror}).") from None
    print(path.resolve())
    return comparison.differs


def compare_named(before: str, after: str, root: Path, settings: CloudSettings) -> Comparison:
    """Read two sides by name, at the same time when both must be built, and compare them.

    What is built is built for the account and region of the deployed stacks it is compared with.
    """
    specs = parse(before, root), parse(after, root)
    place = Place.of_target(settings) if any(spec.kind == "deployed" for spec in specs) else Place.of_environment()
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(lambda spec: load(spec, root, settings.home / "diff", place), specs)
    return compare(one, other, root)


def _text(story: Story, full: bool) -> str:
    words = StringIO()
    terminal.show(story, Console(file=words, width=PRINTED_WIDTH, highlight=False, emoji=False), full=full)
    return words.getvalue()
