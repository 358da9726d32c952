"""Each cell over time, as sums of which any range of days is a difference.

Decides how the sums are laid out, and how sessions are counted that go on over a range's first day. Which rows they are the sums of is
decided by `views.held`.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import accumulate, chain
from operator import sub
from typing import NamedTuple

import polars as pl

from views.columns import COSTS, PROMPT, TOKENS

NUMBERS = ("requests", *TOKENS, "reasoning", "web_searches", *COSTS, "unpriced_requests", "unbilled_requests")
"""The numbers of a row that add up; costs are attodollars."""

STEADY = ("sessions", "runtime", "joined", "between")
"""What steady sessions add to a day and cell: how many there are, their time on that day, how many of them were there the day before, and
the time between the two days."""

SPAN = ("first", "last")
"""Time of the first and the last call, in microseconds."""

WEIGHTS = (
    pl.sum_horizontal(COSTS).alias("cost"),
    pl.sum_horizontal(TOKENS).alias("tokens"),
    pl.sum_horizontal(PROMPT).alias("prompt"),
    (pl.col("requests") - pl.col("unpriced_requests") - pl.col("unbilled_requests")).alias("priced"),
)
"""Sums of a row's numbers, by which sessions are ranked; they add up too."""

_COUNT = len(NUMBERS)
_FIRST_COST = NUMBERS.index(COSTS[0])
_LOW_BITS = 62
_LOW = (1 << _LOW_BITS) - 1
"""Sums of attodollars take more than 64 bits: they are kept as two numbers, so many bits in the lower one."""
_WIDTH = _COUNT + len(STEADY) + len(COSTS)


class Column(NamedTuple):
    """One cell over time, so that any range of days is the difference of two of its sums."""

    days: "array[int]"
    """Local days with a call, rising."""
    firsts: "array[int]"
    lasts: "array[int]"
    """Time of the first and last call of each of these days, in microseconds."""
    sums: "array[int]"
    """The sums before each of them, and after the last: `NUMBERS` with the lower bits of costs, `STEADY`, the upper bits of costs.

    Where they begin is left open: only differences count."""

    def is_in(self, first: int | None, last: int | None) -> bool:
        """Whether any of the days of a range has a call."""
        low = 0 if first is None else bisect_left(self.days, first)
        return low < len(self.days) and (last is None or self.days[low] <= last)

    def between(self, first: int | None, last: int | None) -> "Share | None":
        """What the days of a range add up to; None where none of them has a call."""
        low = 0 if first is None else bisect_left(self.days, first)
        high = len(self.days) if last is None else bisect_right(self.days, last)
        if low >= high:
            return None
        sums, start, end = self.sums, low * _WIDTH, high * _WIDTH
        numbers = list(map(sub, sums[end : end + _WIDTH], sums[start : start + _WIDTH]))
        if self.days[low] == first:
            # What joins the first day to the day before it is outside of the range.
            joined = start + _COUNT + 2
            numbers[_COUNT + 2] -= sums[joined + _WIDTH] - sums[joined]
            numbers[_COUNT + 3] -= sums[joined + _WIDTH + 1] - sums[joined + 1]
        return Share(numbers, self.firsts[low], self.lasts[high - 1])


class Share(NamedTuple):
    """What the calls of one cell add up to."""

    parts: list[int]
    """As in `Column.sums`; they add up."""
    first_us: int
    last_us: int


Line = Sequence[int]
"""What some calls add up to: `NUMBERS`, sessions, their runtime, time of the first and the last call (both in microseconds)."""


def added_up(shares: Sequence[Share]) -> Line:
    """The sum of at least one, without sessions that are not steady."""
    parts, firsts, lasts = zip(*shares, strict=True)
    *numbers, sessions, runtime, joined, between = _whole(parts[0] if len(parts) == 1 else list(map(sum, zip(*parts, strict=True))))
    return (*numbers, sessions - joined, runtime + between, min(firsts), max(lasts))


_NOTHING = Column(array("q"), array("q"), array("q"), array("q", [0] * _WIDTH))


def columns(daily: pl.DataFrame, before: dict[int, Column], since: int | None) -> dict[int, Column]:
    """Columns by cell, of rows as of `Held.daily`; those of `before` are good for the days before `since`."""
    made: dict[int, Column] = {}
    for cell, column in before.items():
        end = len(column.days) if since is None else bisect_left(column.days, since)
        if end == len(column.days):
            made[cell] = column
        elif end:
            made[cell] = Column(column.days[:end], column.firsts[:end], column.lasts[:end], column.sums[: (end + 1) * _WIDTH])
    if before:
        for (cell,), rows in daily.group_by("cell", maintain_order=True):
            made[int(cell)] = _prolonged(made.get(int(cell)), rows)
        return made
    return _all_columns(daily)


def _all_columns(daily: pl.DataFrame) -> dict[int, Column]:
    """Sums by cell, made all at once: those of a cell begin with what the cells before it add up to, for only differences count."""
    rows = daily.sort("cell", "day")
    added = rows.select(pl.col(name).cum_sum() for name in (*NUMBERS, *STEADY))
    low = [pl.col(name) & _LOW if name in COSTS else pl.col(name) for name in added.columns]
    high = [(pl.col(name) // (_LOW + 1)).alias(f"{name}_high") for name in COSTS]
    sums = array("q", bytes(8 * _WIDTH * (rows.height + 1)))
    for place, numbers in enumerate(added.select(each.cast(pl.Int64) for each in (*low, *high)).get_columns(), _WIDTH):
        sums[place::_WIDTH] = array("q", numbers.to_list())
    days, firsts, lasts = (array("q", rows[name].to_list()) for name in ("day", *SPAN))
    made: dict[int, Column] = {}
    start = 0
    for run in rows.select(pl.col("cell").rle()).unnest("cell").iter_rows(named=True):
        end = start + run["len"]
        made[run["value"]] = Column(days[start:end], firsts[start:end], lasts[start:end], sums[start * _WIDTH : (end + 1) * _WIDTH])
        start = end
    return made


def _prolonged(column: Column | None, rows: pl.DataFrame) -> Column:
    """What a column has become: the days of `rows` come after it."""
    before = _NOTHING if column is None else column
    days, firsts, lasts = (array("q", rows[name].to_list()) for name in ("day", *SPAN))
    told = zip(_whole(before.sums[-_WIDTH:]), (*NUMBERS, *STEADY), strict=True)
    parts = [list(accumulate(rows[name].to_list(), initial=sum_before))[1:] for sum_before, name in told]
    for place in range(_FIRST_COST, _FIRST_COST + len(COSTS)):
        parts.append([cost >> _LOW_BITS for cost in parts[place]])
        parts[place] = [cost & _LOW for cost in parts[place]]
    sums = before.sums + array("q", chain.from_iterable(zip(*parts, strict=True)))
    return Column(before.days + days, before.firsts + firsts, before.lasts + lasts, sums)


def _whole(parts: "Sequence[int]") -> list[int]:
    """`NUMBERS` and `STEADY` of one line of `Column.sums`."""
    numbers = list(parts[: _COUNT + len(STEADY)])
    for place, high in enumerate(parts[_COUNT + len(STEADY) :], _FIRST_COST):
        numbers[place] += high << _LOW_BITS
    return numbers
