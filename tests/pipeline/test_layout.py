"""Columns laid out without Arrow: every value can be found again in the buffers."""

from array import array
from typing import Any

import pytest

from pipeline.layout import Column, Constant, column, laid_out
from pipeline.record import Rows


def test_texts_lie_one_behind_the_other_in_utf8() -> None:
    """A text begins where the one before it ends, counted in bytes; one that is not known takes no room."""
    assert column(["a", None, "§b"]) == Column(3, "a§b".encode(), array("i", [0, 1, 1, 4]), b"\1\0\1")


def test_numbers_that_are_not_known_leave_their_place() -> None:
    """Whole numbers have eight bytes each, known or not."""
    assert column([7, None, -1]) == Column(3, array("q", [7, 0, -1]), None, b"\1\0\1")


@pytest.mark.parametrize(("values", "content"), [([True, False], b"\1\0"), ([b"xy", b"z"], b"xyz"), ([], b"")])
def test_values_that_are_all_known_need_no_marks(values: list[Any], content: bytes) -> None:
    """Where nothing is missing, nothing says what is there."""
    made = column(values)

    assert (made.length, made.content, made.present) == (len(values), content, None)


def test_a_column_with_one_value_is_that_value() -> None:
    """Numbers that stand in all rows are kept once, and so is None; digests, texts and lists never are."""
    rows = Rows()
    for output in (1, 2):
        rows.add((0, b"k" * 16, [b"x"], b"r" * 16, 5, 6, 7, 1, 1, output, 0, 0, 0, None, 0, None, None, "m", None, 1, 0, 9, 3, None))

    laid = laid_out(rows)

    assert {name for name, one in laid.items() if not isinstance(one, Constant)} == {"key", "rank", "output", "message_id", "aliases"}
    assert (laid["requests"], laid["request_id"], laid["reasoning"]) == (Constant(1), Constant(None), Constant(None))
    assert column(laid["key"]) == Column(2, b"k" * 32, array("i", [0, 16, 32]))
    assert column(laid["message_id"]) == Column(2, b"mm", array("i", [0, 1, 2]))
