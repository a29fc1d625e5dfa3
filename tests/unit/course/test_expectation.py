import doctest

import pytest

from brewhaven.course import expectation
from brewhaven.course.expectation import differs, says_something


def test_the_examples_in_the_module_hold() -> None:
    assert doctest.testmod(expectation).failed == 0


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("a\nb\n", "a\nb"),
        ("a\n\nb\n", "a\nb"),
        ("a   b\tc\n", "a b c"),
        ("\x1b[32mok\x1b[0m\n", "ok"),
        ("10%\r20%\rdone\n", "...\ndone"),
        ("a\nx\ny\nb\n", "a\n...\nb"),
        ("a\nb\n", "a\n...\nb"),
        ("id 17 made at 08:15\n", "id ... made at ..."),
        ("b\nb\nc\n", "...\nb\nc"),
        ('{"a.b": 1}', '{"a.b": 1}'),
    ],
)
def test_same(output: str, expected: str) -> None:
    assert differs(output, expected) is None


@pytest.mark.parametrize(
    ("output", "expected", "problem"),
    [
        ("", "a", "the line 'a' was not printed; nothing was"),
        ("b", "a", "the line 'a' was not printed, but 'b'"),
        ("a", "a\nb", "the line 'b' was not printed: the output ended before it"),
        ("a\nb\nc", "a", "more was printed than expected, from the line 'b' on"),
        ("a\nx\nb", "a\nb", "the line 'b' was not printed, but 'x'"),
        ("x\ny", "...\nb\n...", "the line 'b' was not printed where it is expected"),
        ("axb", "a.b", "the line 'a.b' was not printed, but 'axb'"),
    ],
)
def test_different(output: str, expected: str, problem: str) -> None:
    assert differs(output, expected) == problem


@pytest.mark.parametrize(("expected", "says"), [("...", False), ("", False), ("...\n ... \n", False), ("... x", True)])
def test_an_expectation_of_wildcards_says_nothing(expected: str, says: bool) -> None:
    assert says_something(expected) is says
