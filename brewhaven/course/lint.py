"""The rules that every lesson keeps; a broken one is an error with its file and line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from brewhaven.course import glossary as glossary_file
from brewhaven.course.catalogue import Course, Lesson
from brewhaven.course.document import Document, Line, Question, read
from brewhaven.course.expectation import says_something
from brewhaven.course.glossary import Entry
from brewhaven.course.problems import Problem

SECTIONS = (
    "Why",
    "New words",
    "Predict",
    "Steps",
    "In the console",
    "What it costs",
    "Exercise",
    "Recap",
    "Self-test",
)
LEAST_QUESTIONS = 3
LEAST_ANSWERS = 3
LEAST_WORDS = 6
_FLAG = re.compile(r"aws-only|local-only|timeout=\d+")
_NUMBERED = re.compile(r"^### +(\d+)\. ")
_LINK = re.compile(r"\]\((?P<target>[^)\s]+)\)")
_NOT_PROSE = re.compile(r"`[^`]*`|\]\([^)]*\)|<[^>]+>|https?://\S+")
_SHORT = re.compile(r"\b[A-Z][A-Z0-9]{1,5}\b")
# Known to everyone who has a terminal; all other abbreviations are in the glossary.
_EVERYDAY = re.compile(
    "AWS|CI|CLI|CPU|CSS|DELETE|EUR|GB|GET|HTML|HTTPS?|ID|IP|ISO|JPEG|JSON|KB|MB|OK|OS|PATH|PDF|PNG|POST|PUT|RAM|SQL|"
    "SVG|TCP|TOML|URL|USD|UTC"
)


def course_problems(
    course: Course, *, glossary: Path | None = None, checked: Iterable[str] | None = None
) -> list[Problem]:
    """Every broken rule of every lesson.

    Args:
        glossary: The glossary's file; by default the course's own.
        checked: Ids of the objectives that a check proves. When omitted, objectives are not compared with checks.
    """
    path = glossary or glossary_file.GLOSSARY_FILE
    words = glossary_file.read(path)
    documents = [(lesson, read(lesson.path)) for lesson in course.lessons if lesson.path.exists()]
    problems = [problem for lesson, document in documents for problem in lesson_problems(lesson, document)]
    if missing := _missing_texts(course):
        problems += missing  # which words are new can only be said of a whole course
    else:
        problems += _word_problems(documents, words, path)
    if checked is not None:
        problems += _objective_problems(course, set(checked))
    return sorted(problems)


def _missing_texts(course: Course) -> list[Problem]:
    """Lessons that phase.toml declares and nobody has written."""
    return [
        Problem(
            phase.folder / "phase.toml",
            _line_of(phase.folder / "phase.toml", lesson.id),
            f"lesson {lesson.id} has no text: there is no lessons/{lesson.path.name}",
        )
        for phase in course.phases
        for lesson in phase.lessons
        if not lesson.path.exists()
    ]


def lesson_problems(lesson: Lesson, document: Document) -> list[Problem]:
    """Every rule that one lesson breaks by itself."""
    rules = (_frame, _prediction, _steps, _self_test, _links)
    return [Problem(document.path, line, message) for rule in rules for line, message in rule(lesson, document)]


Found = Iterator[tuple[int, str]]


def _frame(lesson: Lesson, document: Document) -> Found:
    if document.unclosed_fence:
        yield document.unclosed_fence, "this fenced block is never closed"
    if document.title != f"{lesson.id} {lesson.title}":
        yield 1, f"the title must be '# {lesson.id} {lesson.title}' as in phase.toml, got '# {document.title}'"
    times = (lesson.minutes_local, lesson.minutes_aws)
    if document.minutes is None:
        yield 1, f"the time is missing: **Time**: {times[0]} minutes on the local cloud, {times[1]} on AWS"
    elif document.minutes != times:
        yield 1, f"the time given here is {document.minutes}, in phase.toml it is {times} (local, AWS)"
    found = [section.title for section in document.sections]
    for title in SECTIONS:
        section = document.section(title)
        if section is None:
            yield 1, f"the section '## {title}' is missing"
        elif not section.text.strip() and title != "Steps":
            yield section.line, f"the section '## {title}' is empty"
    order = [title for name in found for title in SECTIONS if name.lower().startswith(title.lower())]
    if order != [title for title in SECTIONS if title in order]:
        yield 1, f"the sections must come in the order {', '.join(SECTIONS)}; here it is {', '.join(order)}"


def _prediction(_: Lesson, document: Document) -> Found:
    section = document.section("Predict")
    if section and "?" not in section.text:
        yield section.line, "the prediction asks nothing: put a question that the steps then answer"


def _steps(_: Lesson, document: Document) -> Found:
    if not document.steps:
        yield 1, "there is no step: a lesson has at least one fenced bash block"
    for step in document.steps:
        if step.expected is None:
            yield (
                step.line,
                "this step has no outcome: after the block write a sentence with 'You see' and a fenced text block",
            )
        elif not says_something(step.expected):
            yield step.line, "the outcome of this step is met by any output: name something that must be printed"
        if len(step.lead.split()) < LEAST_WORDS:
            yield step.line, "a step says why it is done before it is done: write a sentence before the block"
    for block in document.blocks:
        unknown = [flag for flag in block.flags if block.language == "bash" and not _FLAG.fullmatch(flag)]
        if unknown:
            yield block.line, f"'{unknown[0]}' is no mark of a step: use aws-only, local-only or timeout=<seconds>"
    section = document.section("Steps")
    headings = [(line, _NUMBERED.match(line.text)) for line in (section.lines if section else [])]
    numbers = [(line.number, int(found[1])) for line, found in headings if found]
    for expected, (line, number) in enumerate(numbers, 1):
        if number != expected:
            yield line, f"this heading is number {number}, but {expected} is next: a step is missing or misnumbered"
            break


def _self_test(_: Lesson, document: Document) -> Found:
    section = document.section("Self-test")
    if section is None:
        return
    if len(document.questions) < LEAST_QUESTIONS:
        yield section.line, f"a self-test has at least {LEAST_QUESTIONS} questions, here are {len(document.questions)}"
    for question in document.questions:
        yield from _question(question)


def _question(question: Question) -> Found:
    if len(question.answers) < LEAST_ANSWERS:
        yield question.line, f"a question has at least {LEAST_ANSWERS} answers, here are {len(question.answers)}"
    right = [answer for answer in question.answers if answer.right]
    if len(right) != 1:
        yield question.line, f"a question has exactly one right answer, here are {len(right)}"
    for answer in question.answers:
        if len(answer.explanation.split()) < LEAST_WORDS:
            yield (
                answer.line,
                f"the answer {answer.letter} is not explained: '- **{answer.letter}** is wrong: because...'",
            )


def _links(_: Lesson, document: Document) -> Found:
    for line in document.prose:
        for found in _LINK.finditer(line.text):
            target = found["target"].partition("#")[0]
            if target and "://" not in target and not (document.path.parent / target).exists():
                yield line.number, f"the link to {target} leads nowhere"


def _word_problems(documents: list[tuple[Lesson, Document]], words: dict[str, Entry], path: Path) -> list[Problem]:
    problems: list[Problem] = []
    introduced: dict[str, Lesson] = {}
    for lesson, document in documents:
        section = document.section("New words")
        lines = {line.number for line in section.lines} if section else set()
        for term in document.terms:
            if term.anchor not in words:
                message = f"'{term.word}' is not in the glossary: add a heading with the anchor #{term.anchor}"
                problems.append(Problem(document.path, term.line, message))
            elif term.line in lines and introduced.setdefault(term.anchor, lesson) is not lesson:
                message = f"'{term.word}' is no new word: lesson {introduced[term.anchor].id} explains it"
                problems.append(Problem(document.path, term.line, message))
        for line in section.lines if section else []:
            if line.text.startswith("- ") and "GLOSSARY.md#" not in line.text:
                problems.append(Problem(document.path, line.number, "a new word links to its entry in GLOSSARY.md"))
    for anchor, entry in words.items():
        if not entry.text.strip():
            problems.append(Problem(path, entry.line, f"'{entry.word}' has no explanation"))
        if anchor not in introduced:
            problems.append(Problem(path, entry.line, f"no lesson introduces '{entry.word}' under its New words"))
    problems += _early_words(documents, words, introduced)
    return problems


def _early_words(
    documents: list[tuple[Lesson, Document]], words: dict[str, Entry], introduced: dict[str, Lesson]
) -> list[Problem]:
    """Abbreviations that nobody explained, and words used before the lesson that explains them."""
    explained = {short for entry in words.values() for short in entry.short_forms}
    problems: list[Problem] = []
    for lesson, document in documents:
        later = {
            name: introduced[anchor]
            for anchor, entry in words.items()
            if anchor in introduced and introduced[anchor].number > lesson.number
            for name in entry.names
        }
        reported: set[str] = set()
        for line in document.prose:
            for message, name in _early_in(line, explained, later):
                if name not in reported:
                    reported.add(name)
                    problems.append(Problem(document.path, line.number, message))
    return problems


def _early_in(line: Line, explained: set[str], later: dict[str, Lesson]) -> Iterator[tuple[str, str]]:
    text = _NOT_PROSE.sub(" ", line.text)
    for short in _SHORT.findall(text):
        if short not in explained and not _EVERYDAY.fullmatch(short):
            yield f"'{short}' is explained nowhere: add it to the glossary or write it out", short
    for name, lesson in later.items():
        if re.search(rf"\b{re.escape(name)}s?\b", text) and "GLOSSARY.md#" not in line.text:
            yield f"'{name}' is used before lesson {lesson.id} explains it: link it to the glossary here", name


def _objective_problems(course: Course, checked: set[str]) -> list[Problem]:
    problems = []
    for phase in course.phases:
        path = phase.folder / "phase.toml"
        for objective in phase.objectives:
            if objective.id not in checked:
                line = _line_of(path, objective.id)
                problems.append(Problem(path, line, f"no check proves the objective '{objective.id}'"))
    return problems


def _line_of(path: Path, id_: str) -> int:
    """The first line of a file that has an id in quotation marks."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return next((number for number, text in enumerate(lines, 1) if f'"{id_}"' in text), 1)
