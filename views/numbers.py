"""Rows by number: one whole number for each distinct combination of some columns.

Decides how rows are compared when many of them say the same: by one number a row, where comparing the columns themselves would cost several
times as much. What the combinations mean is the caller's business. Pure functions from frame to series.
"""

from collections.abc import Sequence

import polars as pl

_FEW = 4
"""A table by number may be this many times as long as there are rows."""
_ROOM = 2**62
"""Numbers stay below this: they are 64 bits wide and signed."""
_WIDE = 2**32


def numbered(rows: pl.DataFrame, by: Sequence[str]) -> pl.Series:
    """A number for each row: equal where rows are equal in `by`, different where they differ; null is equal to null.

    `by` are names, dates, times, whole numbers and flags. Only within one frame do the numbers mean anything.
    """
    number: pl.Series | None = None
    taken = 1
    # To plan a step takes as long as to go through thousands of rows: all columns take the first one together, sums of columns need none.
    for codes in rows.select(pl.col(name).to_physical().cast(pl.Int64) for name in by).get_columns():
        low, high = _bounds(codes)
        unknown = codes.null_count()
        if low == high and unknown in (0, rows.height):
            continue
        if high - low >= _WIDE:
            codes, low, high = _dense(codes), 0, rows.height
        width = high - low + 1 + bool(unknown)
        if number is not None and taken * width >= _ROOM:
            number, taken = _dense(number), rows.height
        codes = codes - low
        codes = codes.fill_null(width - 1) if unknown else codes
        number = codes if number is None else number * width + codes
        taken *= width
    return pl.repeat(0, rows.height, dtype=pl.Int64, eager=True) if number is None else number


def distinct(number: pl.Series) -> tuple[pl.Series, pl.Series]:
    """(one row of each number, which of these each row equals): what is worked out once for each is handed to all rows by the second."""
    if number.is_empty():
        return number, number
    low, high = _bounds(number)
    number = number - low
    if high - low >= _FEW * number.len():
        number = _dense(number)
        high = low + number.len()
    first = number.arg_unique()
    places = pl.Series([0], dtype=pl.UInt32).new_from_index(0, high - low + 1)
    places[number[first]] = pl.Series(range(first.len()), dtype=pl.UInt32)
    return first, places.gather(number)


def _bounds(codes: pl.Series) -> tuple[int, int]:
    low, high = codes.min(), codes.max()
    return (low, high) if isinstance(low, int) and isinstance(high, int) else (0, 0)


def _dense(codes: pl.Series) -> pl.Series:
    """The same distinctions in numbers below the number of rows."""
    return codes.rank("dense").cast(pl.Int64) - 1
