import pytest

from brewhaven.course import quiz, render
from brewhaven.course.catalogue import Lesson
from brewhaven.course.document import Document, Question
from brewhaven.errors import UsageError


def test_questions_are_read_with_answers_that_span_lines(text: Document) -> None:
    first = text.questions[0]
    assert first.title == "How does one count cups?"
    assert [answer.letter for answer in first.answers if answer.right] == ["B"]
    assert first.answers[1].text == "By lines, since each cup is one line"


def test_a_wrong_answer_is_explained_and_the_right_one_shown(text: Document) -> None:
    result = quiz.judge(text.questions[0], "a")
    assert not result.passed
    shown = render.to_text(render.judged(result))
    assert "A is wrong: two cups of one colour would count as one." in shown
    assert "B is right: the file has one line for each cup." in shown


def test_an_answer_that_does_not_exist_is_asked_again(text: Document) -> None:
    typed = iter(["x", "B", "a", "b"])
    told: list[object] = []
    results = quiz.ask_all(text, lambda question: next(typed), told.append)
    assert [result.passed for result in results] == [True, True, True]
    assert isinstance(told[0], UsageError)
    assert "Answer with one of A, B, C." in str(told[0])


def test_there_must_be_an_answer_to_each_question(text: Document) -> None:
    with pytest.raises(UsageError, match="There are 3 questions and 2 answers"):
        quiz.judge_all(text, "BA")


def test_the_terminal_does_not_show_the_answers_of_the_self_test(text: Document) -> None:
    item = Lesson("9.1", "Counting cups", (), (), (), 5, 7, text.path)
    shown = render.to_text(render.lesson(text, item))
    assert "How does one count cups?" in shown
    assert "the file has one line for each cup" not in shown


def test_the_json_holds_everything_a_program_needs_to_ask(text: Document) -> None:
    question = quiz.as_json(text)[1]
    assert question["question"] == "Where is the file?"
    assert [answer["right"] for answer in question["answers"]] == [True, False, False]


def test_a_question_shows_its_answers(text: Document) -> None:
    question: Question = text.questions[2]
    assert "That there is no such file" in render.to_text(render.question(question, 3, 3))
