"""Columns of a batch and the rows picked from them."""

from array import array

from hypothesis import given
from hypothesis import strategies as st

from pipeline.batch import Pick, picked

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
