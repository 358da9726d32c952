"""Calls in the journal: as they are inserted, and as they are read back."""

import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import journal

COUNT = st.integers(0, 2**40)


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    path = str(tmp_path_factory.mktemp("journal") / "journal.db")
    opened = journal.connect(path)
    journal.prepare(opened, path)
    yield opened
    opened.close()


def calls_of(sparse: list[tuple[int | None, int | None, str | None]]) -> list[tuple[Any, ...]]:
    """A row of `calls` for each (reasoning, duration_ms, logged_cost)."""
    return [
        (number, number * 7, -number, bytes([number % 256]) * 16, number, 1, number, 1, 2, 3, 4, 5, 0, *rest)
        for number, rest in enumerate(sparse, 1)
    ]


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.none() | COUNT, st.sampled_from([None, None, 0, 1200]), st.sampled_from([None, None, None, "0", "0.25"])),
        min_size=1,
        max_size=200,
    )
)
def test_calls_are_read_back_as_they_were_inserted(
    connection: sqlite3.Connection, sparse: list[tuple[int | None, int | None, str | None]]
) -> None:
    """Whatever is null in some, in all or in none of them, and however many they are."""
    connection.execute("DELETE FROM calls")
    rows = calls_of(sparse)

    journal.insert_calls(connection, journal.call_columns(rows))

    assert connection.execute(f"SELECT {', '.join(journal.CALL_COLUMNS)} FROM calls ORDER BY id").fetchall() == rows


def test_a_column_that_is_left_out_is_null(connection: sqlite3.Connection) -> None:
    """A hundred calls of which nothing is known but what must be."""
    connection.execute("DELETE FROM calls")
    columns = journal.call_columns(calls_of([(None, None, None)] * 100))
    for name in ("reasoning", "duration_ms", "logged_cost"):
        del columns[name]

    journal.insert_calls(connection, columns)

    counts = connection.execute("SELECT count(*), count(reasoning), count(duration_ms), count(logged_cost) FROM calls").fetchone()
    assert counts == (100, 0, 0, 0)
