"""Rows compared by one number each."""

from datetime import UTC, datetime, timedelta

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sizes import times
from views.columns import INSTANT, NAME
from views.numbers import distinct, numbered

START = datetime(2026, 5, 1, tzinfo=UTC)


def frame(*rows: tuple[str | None, int | None, bool | None]) -> pl.DataFrame:
    columns = {"name": NAME, "count": pl.Int64(), "flag": pl.Boolean()}
    return pl.DataFrame(list(rows), schema=columns, orient="row")


ROW = st.tuples(
    st.sampled_from([None, "a", "b", ""]), st.sampled_from([None, 0, 1, -1, 2**63 - 1, -(2**63)]), st.sampled_from([None, True, False])
)


@settings(max_examples=times(60), deadline=None)
@given(rows=st.lists(ROW, max_size=12))
def test_numbers_are_equal_where_rows_are(rows: list[tuple[str | None, int | None, bool | None]]) -> None:
    """Two rows have the same number just when they are equal in every column, null being equal to null, however far values lie apart."""
    numbers = numbered(frame(*rows), ("name", "count", "flag")).to_list()

    assert [[one == other for other in numbers] for one in numbers] == [[one == other for other in rows] for one in rows]


@settings(max_examples=times(60), deadline=None)
@given(rows=st.lists(ROW, max_size=12))
def test_each_row_finds_its_like(rows: list[tuple[str | None, int | None, bool | None]]) -> None:
    """Of each number one row is picked, and every row is told the place of the one that equals it."""
    given_rows = frame(*rows)
    first, which = distinct(numbered(given_rows, ("name", "count", "flag")))

    assert first.len() == len(set(rows))
    assert given_rows[first][which].rows() == rows


def test_many_wide_columns_still_have_room() -> None:
    """Ten columns of far apart values have more combinations than 64 bits; the rows are told apart all the same."""
    wide = pl.DataFrame({f"c{number}": [0, 2**31 - number, 0, 5] for number in range(10)})

    first, which = distinct(numbered(wide, wide.columns))

    assert (first.to_list(), which.to_list()) == ([0, 1, 3], [0, 1, 0, 2])


def test_times_and_dates_count() -> None:
    """Moments and dates are compared as they are: a microsecond or a day makes another row."""
    moments = [START, START + timedelta(microseconds=1), START]
    rows = pl.DataFrame({"at": moments, "date": [moment.date() for moment in moments]}, schema={"at": INSTANT, "date": pl.Date()})

    assert distinct(numbered(rows, ("at", "date")))[1].to_list() == [0, 1, 0]
