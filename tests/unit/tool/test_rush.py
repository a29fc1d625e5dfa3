"""The books after a rush hour: every way in which they can be wrong is seen (brewhaven/bench/rush.py)."""

from __future__ import annotations

from brewhaven.bench.rush import Log, reconcile


def _log(**accepted: str) -> Log:
    return Log(accepted=accepted, croissants=dict.fromkeys(accepted.values(), 1))


def test_books_that_balance() -> None:
    books = reconcile(_log(a="1", b="2"), 5, 3, {"old"}, ["old", "1", "2"])
    assert (books.missing, books.doubled, books.stock_is_right) == (0, 0, True)


def test_an_accepted_order_that_is_not_in_the_table_is_missing() -> None:
    assert reconcile(_log(a="1", b="2"), 5, 3, set(), ["1"]).missing == 1


def test_an_order_that_nobody_was_told_of_is_a_double() -> None:
    assert reconcile(_log(a="1"), 5, 4, set(), ["1", "shadow"]).doubled == 1


def test_two_keys_with_one_order_are_wrong() -> None:
    assert reconcile(_log(a="1", b="1"), 5, 4, set(), ["1"]).doubled == 1


def test_croissants_sold_twice_lost_or_below_none_are_seen() -> None:
    assert not reconcile(_log(a="1", b="2"), 5, 4, set(), ["1", "2"]).stock_is_right
    assert not reconcile(_log(a="1", b="2"), 5, 2, set(), ["1", "2"]).stock_is_right
    assert not reconcile(_log(a="1", b="2"), 1, -1, set(), ["1", "2"]).stock_is_right
