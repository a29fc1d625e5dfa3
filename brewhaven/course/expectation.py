"""Comparing what a command printed with what the lesson says that the reader sees.

The lesson shows the output as it is, with ``...`` where it may differ from one reader to the next:

    >>> differs("3 orders\\n", "3 orders")
    >>> differs("made at 08:15\\n", "made at ...")
    >>> print(differs("2 orders\\n", "3 orders"))
    the line '3 orders' was not printed, but '2 orders'
"""

from __future__ import annotations

import re

ANYTHING = "..."
_SGR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def normal(text: str) -> list[str]:
    """The lines of a text without colours, outer blanks, empty lines and the width of columns.

    A terminal's columns and a trailing blank line mean nothing to a reader, so they must mean nothing here.
    """
    lines = [" ".join(line.split()) for line in _SGR.sub("", text).replace("\r", "\n").splitlines()]
    return [line for line in lines if line]


def says_something(expected: str) -> bool:
    """Whether an expectation holds a word that must be printed, so that it cannot be met by silence."""
    return any(line.replace(ANYTHING, "").strip() for line in normal(expected))


def differs(output: str, expected: str) -> str | None:
    """Return what is wrong with an output, or None when it is as expected.

    In ``expected``, ``...`` within a line stands for any text of that line, and a line that is only ``...`` for any
    number of lines. Everything else must be there, in this order, with nothing in between.
    """
    printed = normal(output)
    wanted = normal(expected)
    # possible[n]: the first n printed lines can be explained by the expected lines looked at so far
    possible = {0}
    for line in wanted:
        if line == ANYTHING:
            possible = set(range(min(possible), len(printed) + 1))
            continue
        pattern = re.compile(".*".join(re.escape(part) for part in line.split(ANYTHING)))
        matched = {n + 1 for n in possible if n < len(printed) and pattern.fullmatch(printed[n])}
        if not matched:
            return f"the line '{line}' was not printed" + _instead(printed, possible)
        possible = matched
    if len(printed) in possible:
        return None
    return f"more was printed than expected, from the line '{printed[max(possible)]}' on"


def _instead(printed: list[str], possible: set[int]) -> str:
    """Name what stood there, where there is only one place in which the line could have been."""
    if len(possible) != 1:
        return " where it is expected" if printed else "; nothing was"
    place = next(iter(possible))
    if place < len(printed):
        return f", but '{printed[place]}'"
    return ": the output ended before it" if printed else "; nothing was"
