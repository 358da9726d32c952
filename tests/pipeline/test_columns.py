"""Columns of values and the rows picked from them."""

from array import array
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.batch import Batch
from pipeline.columns import Digests, Pick, Texts, as_column, as_plain, picked

RUNS = st.lists(st.tuples(st.integers(0, 150), st.integers(1, 50)), max_size=12)
"""(first row, how many) of runs among two hundred rows, in any order, and some of them more than once."""


@given(runs=RUNS)
def test_rows_are_picked_alike_one_by_one_and_in_runs(runs: list[tuple[int, int]]) -> None:
    """Whether rows lie scattered or in runs decides how they are copied, not which; the column stays as it was."""
    rows = [row for first, count in runs for row in range(first, first + count)]
    pick = Pick(rows)

    for column in (list(range(0, 2000, 10)), array("q", range(0, 2000, 10))):
        found = pick(column)

        assert list(found) == [10 * row for row in rows] == list(picked(column, rows))
        assert (type(found), list(column)) == (type(column), list(range(0, 2000, 10)))


DIGEST = st.binary(min_size=16, max_size=16)
TEXT = st.none() | st.text(st.characters(codec="utf-8"), max_size=8)
KINDS = ((Digests, DIGEST), (Texts, TEXT))


@given(data=st.data(), kind=st.sampled_from(KINDS))
def test_digests_and_texts_read_as_the_list_of_them(data: st.DataObject, kind: tuple[Any, st.SearchStrategy[Any]]) -> None:
    """However values come into a column, it says what a list of them says: by row, by slice, in order, and of any rows picked."""
    made, value = kind
    column, values = made(), []
    for part in data.draw(st.lists(st.lists(value, max_size=5), max_size=5)):
        if len(part) == 1:
            column.append(part[0])
        elif data.draw(st.booleans()):
            column.extend(part)
        else:
            other = made()
            other.extend(part)
            column += other
        values += part

    assert (list(column), len(column)) == (values, len(values))
    assert [column[row] for row in range(-len(values), len(values))] == values + values
    if isinstance(column, Texts):
        assert (None in column) == (None in values)
        assert list(column.missing()) == [row for row, value in enumerate(values) if value is None]
    start, stop = data.draw(st.integers(-3, 30)), data.draw(st.integers(-3, 30))
    assert list(column[start:stop]) == values[start:stop]
    rows = data.draw(st.lists(st.integers(0, len(values) - 1), max_size=9)) if values else []
    assert list(picked(column, rows)) == [values[row] for row in rows] == list(Pick(rows)(column))
    assert column == picked(column, range(len(values)))


@given(digests=st.lists(DIGEST), texts=st.lists(TEXT), numbers=st.lists(st.integers(-(2**63), 2**63 - 1)))
def test_columns_go_to_another_process_as_they_are(digests: list[bytes], texts: list[str | None], numbers: list[int]) -> None:
    """What is encoded with `as_plain` and decoded with `as_column` is the same column."""
    batch = Batch()
    batch.key.extend(digests)
    batch.message_id.extend(texts)
    batch.input.extend(numbers)

    there = msgspec.msgpack.decode(msgspec.msgpack.encode(batch, enc_hook=as_plain), type=Batch, dec_hook=as_column)

    assert (list(there.key), list(there.message_id), list(there.input)) == (digests, texts, numbers)
    assert there == batch


def test_a_digest_of_another_length_is_refused() -> None:
    """A value of fifteen bytes would move all that follow; nothing is added."""
    column = Digests(bytes(16))

    with pytest.raises(ValueError, match="16 bytes"):
        column.extend([bytes(16), bytes(15)])
    with pytest.raises(ValueError, match="16 bytes"):
        column.append(bytes(15))
    assert len(column) == 1


def test_what_is_no_text_is_refused() -> None:
    """A lone surrogate has no UTF-8; nothing of what comes with it is added."""
    column = Texts(b"a", array("i", [1]), b"\1")

    with pytest.raises(UnicodeEncodeError):
        column.extend(["b", "\ud800"])
    with pytest.raises(UnicodeEncodeError):
        column.append("\ud800")
    assert list(column) == ["a"]


def test_a_row_beyond_the_end_is_an_error() -> None:
    """As of a list."""
    for column in (Digests(bytes(16)), Texts(b"a", array("i", [1]), b"\1")):
        with pytest.raises(IndexError):
            column[1]


def test_halves_are_signed_numbers() -> None:
    """Eight bytes each, the greatest first, as SQLite keeps whole numbers."""
    column = Digests(bytes([0] * 7 + [1] + [255] * 8))

    assert [list(half) for half in column.halves()] == [[1], [-1]]
