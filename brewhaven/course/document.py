"""A lesson's Markdown as the engine sees it: sections, lab steps with their outcomes, new words, questions.

The file is read by people on GitHub first, so it needs no marker that they would stumble over:

* each fenced ``bash`` block is a step of the lab, and the fenced ``text`` block after it, introduced by a sentence with
  'You see', is its outcome: what is read is what is checked;
* 'You see it refused' or 'You see it fail' says that the command ends with an error;
* ``bash aws-only`` marks a step that needs a real account, ``bash local-only`` one that needs the local cloud, and
  ``bash timeout=900`` one that takes long (seconds);
* a link into ``GLOSSARY.md`` is a word that the lesson explains;
* below ``## Self-test`` each ``###`` is a question, each ``- **A.**`` an answer, each ``- **A** is right:`` or
  ``is wrong:`` its explanation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from brewhaven.errors import BrewHavenError
from brewhaven.local.settings import REPOSITORY

OUTCOME_LANGUAGES = ("text", "json", "console")
_FENCE = re.compile(r"^(?P<indent> *)(?P<ticks>`{3,})(?P<info>[^`]*)$")
_HEADING = re.compile(r"^(?P<marks>#{1,4}) +(?P<title>.+?) *$")
_OUTCOME = re.compile(r"\byou (?:now |still |again )?see\b(?P<refused> (?:it|them) (?:refused|fail)\b)?", re.IGNORECASE)
_ANSWER = re.compile(r"^- \*\*(?P<letter>[A-H])\.\*\* +(?P<text>.+)$")
_EXPLANATION = re.compile(r"^- \*\*(?P<letter>[A-H])\*\* is (?P<verdict>right|wrong): +(?P<text>.+)$")
_TIMES = re.compile(r"\*\*Time:?\*\*:? *(?P<local>\d+) minutes .*?(?P<aws>\d+) (?:minutes )?on AWS")
_TERM_LINK = re.compile(r"\[(?P<word>[^\]]+)\]\((?P<path>[^)#]*GLOSSARY\.md)#(?P<anchor>[^)]+)\)")


@dataclass(frozen=True)
class Line:
    """One line of text outside of fenced blocks, with its number in the file."""

    number: int
    text: str


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the words after it, and what it holds."""

    line: int
    language: str
    flags: tuple[str, ...]
    text: str
    heading: str
    lead: str
    """The text between the former block or heading and this one."""


@dataclass(frozen=True)
class Step:
    """A command of a lab with its outcome.

    Attributes:
        expected: What the text says is printed; None is a mistake that lint reports.
        refused: The text says that the command fails.
        only: ``aws`` or ``local`` where the step runs on one of them alone.
        timeout: Seconds, or None for the target's usual patience.
    """

    number: int
    heading: str
    lead: str
    command: str
    line: int
    expected: str | None
    refused: bool
    only: str | None
    timeout: int | None


@dataclass(frozen=True)
class Answer:
    """One answer of a question, whether it is right, and why."""

    letter: str
    text: str
    line: int
    right: bool | None = None
    explanation: str = ""


@dataclass(frozen=True)
class Question:
    """A self-test question."""

    title: str
    text: str
    line: int
    answers: tuple[Answer, ...]


@dataclass
class Section:
    """What stands below one ``##`` heading, fenced blocks left out."""

    title: str
    line: int
    lines: list[Line] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "\n".join(line.text for line in self.lines)


@dataclass(frozen=True)
class Term:
    """A word of the glossary that a lesson links to."""

    word: str
    anchor: str
    line: int


@dataclass
class Document:
    """A lesson's file, parsed; mistakes in it are reported by :mod:`brewhaven.course.lint`."""

    path: Path
    source: str
    title: str = ""
    sections: list[Section] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    unclosed_fence: int | None = None

    def section(self, title: str) -> Section | None:
        """The section whose heading begins with this title."""
        return next((section for section in self.sections if section.title.lower().startswith(title.lower())), None)

    @cached_property
    def prose(self) -> list[Line]:
        """Every line outside of fenced blocks."""
        return [line for section in self.sections for line in section.lines]

    @cached_property
    def terms(self) -> list[Term]:
        """Every link into the glossary."""
        return [
            Term(found["word"], found["anchor"], line.number)
            for line in self.prose
            for found in _TERM_LINK.finditer(line.text)
        ]

    @cached_property
    def minutes(self) -> tuple[int, int] | None:
        """The times that the text gives (local, AWS), from the line that begins with **Time**."""
        for line in self.prose:
            found = _TIMES.search(line.text)
            if found:
                return int(found["local"]), int(found["aws"])
        return None

    @cached_property
    def steps(self) -> list[Step]:
        """The lab: every ``bash`` block in order, with the outcome that follows it."""
        steps: list[Step] = []
        shell = [block for block in self.blocks if block.language == "bash"]
        for place, block in enumerate(self.blocks):
            if block.language != "bash":
                continue
            after = self.blocks[place + 1] if place + 1 < len(self.blocks) else None
            said = _OUTCOME.search(after.lead) if after and after.language in OUTCOME_LANGUAGES else None
            only = next((flag.removesuffix("-only") for flag in block.flags if flag.endswith("-only")), None)
            timeout = next((flag.partition("=")[2] for flag in block.flags if flag.startswith("timeout=")), "")
            steps.append(
                Step(
                    number=len(steps) + 1,
                    heading=_with_part(block, shell),
                    lead=block.lead,
                    command=block.text,
                    line=block.line,
                    expected=after.text if after and said else None,
                    refused=bool(said and said["refused"]),
                    only=only,
                    timeout=int(timeout) if timeout.isdecimal() else None,
                )
            )
        return steps

    @cached_property
    def questions(self) -> list[Question]:
        section = self.section("Self-test")
        return _questions(section.lines) if section else []


def _with_part(block: Block, among: list[Block]) -> str:
    """The heading of a step, with the number of the step below it where there are several."""
    same = [other for other in among if other.heading == block.heading]
    return block.heading if len(same) == 1 else f"{block.heading} ({same.index(block) + 1} of {len(same)})"


def read(path: Path) -> Document:
    """Parse a lesson's file.

    Raises:
        BrewHavenError: There is none.
    """
    if not path.exists():
        shown = path.relative_to(REPOSITORY) if path.is_relative_to(REPOSITORY) else path
        raise BrewHavenError(
            f"The lesson's text is missing: there is no {shown}.",
            "Write it, or take the lesson out of phase.toml. `brewhaven lab lint` names all that are missing.",
        )
    return parse(path.read_text(encoding="utf-8"), path)


def parse(source: str, path: Path = Path("lesson.md")) -> Document:
    """Parse a lesson's text; ``path`` is for messages."""
    document = Document(path, source)
    document.sections.append(Section("", 1))
    heading = ""
    lead: list[str] = []
    fence: tuple[int, re.Match[str]] | None = None
    body: list[str] = []
    for number, text in enumerate(source.splitlines(), 1):
        mark = _FENCE.match(text)
        if fence:
            opened, opening = fence
            if mark and len(mark["ticks"]) >= len(opening["ticks"]) and not mark["info"].strip():
                words = opening["info"].split()
                document.blocks.append(
                    Block(
                        line=opened,
                        language=words[0].lower() if words else "",
                        flags=tuple(words[1:]),
                        text="\n".join(body),
                        heading=heading,
                        lead="\n".join(lead).strip(),
                    )
                )
                fence, body, lead = None, [], []
            else:
                indent = len(opening["indent"])
                body.append(text[indent:] if not text[:indent].strip() else text)
            continue
        if mark:
            fence = (number, mark)
            continue
        title = _HEADING.match(text)
        if title and title["marks"] == "#" and not document.title:
            document.title = title["title"]
        elif title and title["marks"] == "##":
            document.sections.append(Section(title["title"], number))
            heading, lead = title["title"], []
            continue
        elif title:
            heading, lead = title["title"], []
        else:
            lead.append(text)
        document.sections[-1].lines.append(Line(number, text))
    document.unclosed_fence = fence[0] if fence else None
    return document


def _questions(lines: list[Line]) -> list[Question]:
    """Split the self-test at its headings."""
    starts = [place for place, line in enumerate(lines) if _HEADING.match(line.text)]
    return [_question(lines[start:end]) for start, end in zip(starts, [*starts[1:], len(lines)], strict=True)]


def _question(lines: list[Line]) -> Question:
    """Read one question: its text, its answers, and below them why each is right or wrong."""
    text: list[str] = []
    answers: dict[str, tuple[int, str]] = {}
    verdicts: dict[str, tuple[bool, str]] = {}
    for number, entry in _joined(lines[1:]):
        answer, verdict = _ANSWER.match(entry), _EXPLANATION.match(entry)
        if answer:
            answers[answer["letter"]] = (number, answer["text"])
        elif verdict:
            verdicts[verdict["letter"]] = (verdict["verdict"] == "right", verdict["text"])
        elif not answers and not entry.startswith("<"):
            text.append(entry)
    heading = _HEADING.match(lines[0].text)
    return Question(
        title=heading["title"] if heading else "",
        text=" ".join(text),
        line=lines[0].number,
        answers=tuple(
            Answer(letter, words, number, *verdicts.get(letter, (None, "")))
            for letter, (number, words) in answers.items()
        ),
    )


def _joined(lines: list[Line]) -> Iterator[tuple[int, str]]:
    """The paragraphs and list entries of some lines, each on one line with the number of its first."""
    number, words = 0, ""
    for line in lines:
        text = line.text.strip()
        if words and (not text or text.startswith(("- ", "<"))):
            yield number, words
            words = ""
        if text:
            number, words = (number, f"{words} {text}") if words else (line.number, text)
    if words:
        yield number, words
