"""The self-test of a lesson as a conversation: ask, and explain every answer that was wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from brewhaven.course.document import Answer, Document, Question
from brewhaven.errors import UsageError


@dataclass(frozen=True)
class Judged:
    """One question with the answer that was given."""

    question: Question
    given: Answer
    right: Answer

    @property
    def passed(self) -> bool:
        return self.given.letter == self.right.letter

    def as_json(self) -> dict[str, Any]:
        return {
            "question": self.question.title,
            "given": self.given.letter,
            "right": self.right.letter,
            "passed": self.passed,
            "explanation": self.given.explanation,
            "explanation_of_right": self.right.explanation,
        }


def judge(question: Question, letter: str) -> Judged:
    """Compare one answer with the right one.

    Raises:
        UsageError: The question has no such answer.
    """
    given = next((answer for answer in question.answers if answer.letter == letter.strip().upper()), None)
    if given is None:
        letters = ", ".join(answer.letter for answer in question.answers)
        raise UsageError(f"{letter!r} is no answer to '{question.title}'.", f"Answer with one of {letters}.")
    return Judged(question, given, next(answer for answer in question.answers if answer.right))


def judge_all(document: Document, letters: Sequence[str]) -> list[Judged]:
    """Judge the answers to all questions, one letter each.

    Raises:
        UsageError: There are more or fewer answers than questions, or one is no answer.
    """
    questions = document.questions
    if len(letters) != len(questions):
        raise UsageError(
            f"There are {len(questions)} questions and {len(letters)} answers.",
            f"Give one letter for each question, like {'BAC'[: len(questions)].ljust(len(questions), 'A')}.",
        )
    return [judge(question, letter) for question, letter in zip(questions, letters, strict=True)]


def ask_all(
    document: Document, ask: Callable[[Question], str], tell: Callable[[Judged | UsageError], None]
) -> list[Judged]:
    """Ask question after question until each has got an answer that exists.

    Args:
        ask: Shows a question and returns what was typed.
        tell: Shows what became of an answer.
    """
    results = []
    for question in document.questions:
        while True:
            try:
                result = judge(question, ask(question))
            except UsageError as error:
                tell(error)
                continue
            tell(result)
            results.append(result)
            break
    return results


def as_json(document: Document) -> list[dict[str, Any]]:
    """The questions with every answer and its explanation, for a program that asks them itself."""
    return [
        {
            "question": question.title,
            "text": question.text,
            "answers": [
                {"letter": a.letter, "text": a.text, "right": a.right, "explanation": a.explanation}
                for a in question.answers
            ],
        }
        for question in document.questions
    ]
