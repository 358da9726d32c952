"""Rows as columns of a segment: each row has its own values, whichever it shares with others."""

import io
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline import segments
from pipeline.batch import Dims
from pipeline.layout import laid_out
from pipeline.record import Rows
from pipeline.schema import SCHEMA, Columns, table

ROOT = Path(__file__).resolve().parents[2]
ABOUT: dict[str, Any] = {"sums": {}, "day": 20_000, "epoch": "e", "machine": "m", "lo": 1, "hi": 2}


def rows_of(dims: list[int], *, aliases: Any = None, cost: Any = None, extra: Any = None) -> Rows:
    """A row for each of `dims`, the other values taken from lists as long or left out."""
    rows = Rows()
    for at, dim in enumerate(dims):
        own = [None if column is None else column[at] for column in (aliases, cost, extra)]
        rows.add(
            (
                0,
                bytes([at % 256]) * 16,
                own[0],
                b"r" * 16,
                5,
                at,
                dim,
                1,
                1,
                at,
                0,
                0,
                0,
                None,
                0,
                None,
                own[1],
                None,
                None,
                1,
                0,
                9,
                3,
                own[2],
            )
        )
    return rows


def dictionary(part: pa.Table, name: str) -> list[str]:
    """The texts that stand in the dictionary of a column of the part's segment."""
    content = io.BytesIO(segments.encoded(part, **ABOUT)[1])
    column = pq.ParquetFile(content, read_dictionary=[name]).read([name])[name]
    texts: list[str] = column.chunk(0).dictionary.to_pylist()
    return texts


@pytest.mark.parametrize("sessions", [1, 3, 256, 257, 600])
def test_each_row_has_what_its_dimensions_say(sessions: int) -> None:
    """However many dimensions there are, a row's texts and flags are those of its own, and None where they say nothing."""
    dims = {n: Dims(agent="a", model=None if n % 3 else "m", session=f"s{n}", ttl_known=n % 2 == 0) for n in range(sessions)}
    of_rows = [n * 7 % sessions for n in range(2 * sessions)]

    made = table(rows_of(of_rows), dims)

    assert made.schema.equals(SCHEMA)
    assert made["session"].to_pylist() == [f"s{n}" for n in of_rows]
    assert made["model"].to_pylist() == [None if n % 3 else "m" for n in of_rows]
    assert made["ttl_known"].to_pylist() == [n % 2 == 0 for n in of_rows]
    assert set(made["agent"].to_pylist()) == {"a"}


def test_a_segment_knows_no_text_of_another() -> None:
    """The dictionaries of a part hold its own texts alone, in the order in which they come."""
    dims = {n: Dims(agent="a", model=f"m{n % 2}", session=f"s{n}") for n in range(6)}
    columns = Columns(laid_out(rows_of([0, 0, 1, 2, 3, 4])), dims, range(6))

    assert dictionary(columns.part(0, 2), "session") == ["s0"]
    assert dictionary(columns.part(2, 4), "session") == ["s1", "s2", "s3", "s4"]
    assert dictionary(columns.part(2, 4), "model") == ["m1", "m0"]


@pytest.mark.parametrize(("start", "count"), [(0, 2), (2, 4), (0, 6)])
def test_a_file_does_not_tell_how_its_texts_were_given(start: int, count: int) -> None:
    """The segment of a part is that of the same rows with every text spelt out, byte for byte."""
    dims = {n: Dims(agent="a", model=f"m{n % 2}" if n else None, session=f"s{n}") for n in range(6)}
    part = Columns(laid_out(rows_of([0, 0, 1, 2, 3, 0])), dims, range(6)).part(start, count)

    assert bytes(segments.encoded(part, **ABOUT)[1]) == bytes(segments.encoded(part.cast(SCHEMA), **ABOUT)[1])


def test_rows_out_of_order_keep_their_values_together() -> None:
    """In the order that is asked for, each row brings its own dimensions along."""
    dims = {n: Dims(agent="a", model="m", session=f"s{n}") for n in range(3)}

    part = Columns(laid_out(rows_of([0, 1, 2])), dims, [2, 0, 1]).part(1, 2)

    assert (part["session"].to_pylist(), part["output"].to_pylist()) == (["s0", "s1"], [0, 1])


def test_lists_maps_and_money_stand_in_their_rows() -> None:
    """Rows that have none have None; a list may have several entries, and money may be less than nothing."""
    aliases = [None, [b"a" * 16, b"b" * 17], None, [b"c" * 16]]
    extra = [{"x": "1", "y": "2"}, None, {"z": "3"}, None]

    made = table(rows_of([0] * 4, aliases=aliases, cost=[None, "-0.25", "7", None], extra=extra), {0: Dims(agent="a", model="m")})

    assert made["aliases"].to_pylist() == aliases
    assert made["extra"].to_pylist() == [[("x", "1"), ("y", "2")], None, [("z", "3")], None]
    assert made["logged_cost_usd"].to_pylist() == [None, Decimal("-0.25"), Decimal(7), None]


def test_writing_loads_none_of_arrows_functions() -> None:
    """They take half as long to load as Parquet itself, and a commit calls none."""
    code = """
import sys
from tests.pipeline.test_schema import *
dims = {n: Dims(agent="a", model=None if n else "m", session=f"s{n}", ttl_known=n == 1) for n in range(3)}
part = Columns(laid_out(rows_of([0, 1, 2], aliases=[None, [b"a" * 16], None], cost=["1", None, "2"])), dims, range(3)).part(0, 3)
segments.encoded(part, **ABOUT)
print("pyarrow.compute" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert done.stdout == "False\n"
