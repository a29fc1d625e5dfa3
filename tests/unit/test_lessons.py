"""The mechanism that makes chapters of a stack's methods."""

from stacks.lessons import Lesson, lesson, lesson_methods


class Story:
    @lesson("2.1", "The beginning")
    def first(self) -> None: ...

    def between(self) -> None: ...

    @lesson("2.10", "Much later")
    def last(self) -> None: ...


def test_marked_methods_are_lessons_in_the_order_written() -> None:
    assert lesson_methods(Story) == {Lesson("2.1", "The beginning"): "first", Lesson("2.10", "Much later"): "last"}


def test_lessons_compare_as_numbers() -> None:
    assert Lesson("2.10", "").number > Lesson("2.9", "").number
    assert Lesson("2.10", "").phase == 2
