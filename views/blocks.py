"""Blocks: usage in windows of five hours, in which Anthropic's plans count what they allow.

Decides where a block begins and ends, which one is active, and what it comes to if it goes on like this. The rules, which are those that
ccusage made known:

- A block begins at the UTC hour of the first call that no earlier block holds, and holds all calls of the five hours from then on.
- Between two blocks there is a gap where more than five hours passed without a call: from five hours after the last call to the next one.
- The block that now lies in is active. What it burns per minute is its sum by the time from its first call to its last, at least one
  minute; what that gives for the time that is left is added to the sum.

Blocks begin on whole hours, so an hour's calls never lie in two of them, and the cube's quarter-hours tell everything. The range of a
question moves no block: one that it cuts counts the calls inside the range, so that all blocks add up to what `answers` says. What the
active one burns is taken from the whole of it.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import polars as pl

from views import answers
from views.calendar import HOUR_US, iso_time
from views.catalog import Frames
from views.query import Answer, Query, Row, Totals, arrange

BLOCK = "block"
"""The name of the grouping."""
HOURS = 5
LENGTH_US = HOURS * HOUR_US
MINUTE_US = 60_000_000


class Rate(NamedTuple):
    """What an active block burns, and what it comes to at its end; costs in attodollars, None where none of its calls has a price."""

    tokens_per_minute: int
    cost_per_minute: int | None
    left_us: int
    tokens: int
    cost: int | None


class Block(NamedTuple):
    """One block. `row` holds its calls inside the range; its key is when the block begins, in UTC."""

    row: Row
    start_us: int
    is_active: bool
    is_cut: bool
    """Whether calls of the block lie outside the range."""
    rate: Rate | None
    """Of the active block, where more than an instant passed between its calls."""

    @property
    def end_us(self) -> int:
        """When it ends."""
        return self.start_us + LENGTH_US


class Gap(NamedTuple):
    """A time without blocks."""

    start_us: int
    end_us: int


class Blocks(NamedTuple):
    """The blocks of a question, and its answer: sums of the range, and the blocks' rows."""

    answer: Answer
    blocks: list[Block]
    """In the order of time, or as the question sorts."""
    gaps: list[Gap]
    """Between blocks that stand in the order of time."""


def starts(hours: Iterable[int]) -> dict[int, int]:
    """The hour at which the block of each hour with calls begins; hours since 1970 UTC."""
    found: dict[int, int] = {}
    start = None
    for hour in sorted(hours):
        if start is None or hour >= start + HOURS:
            start = hour
        found[hour] = start
    return found


def burn(whole: Totals, *, start_us: int, now_us: int) -> Rate | None:
    """What a block that began at `start_us` burns per minute and comes to at its end, by all of its calls until now."""
    if whole.first_at_us is None or whole.last_at_us is None or whole.last_at_us <= whole.first_at_us:
        return None
    # A rate per minute takes a minute: two calls within a second say nothing of the next five hours.
    span_us, left_us = max(whole.last_at_us - whole.first_at_us, MINUTE_US), start_us + LENGTH_US - now_us
    cost = whole.cost
    return Rate(
        tokens_per_minute=_share(whole.tokens, MINUTE_US, span_us),
        cost_per_minute=None if cost is None else _share(cost, MINUTE_US, span_us),
        left_us=left_us,
        tokens=whole.tokens + _share(whole.tokens, left_us, span_us),
        cost=None if cost is None else cost + _share(cost, left_us, span_us),
    )


def blocks(query: Query, views: Frames, *, active: bool = False) -> Blocks:
    """The blocks of a question's range and filters; the `active` one alone, if so wanted and there is one."""
    windows = starts(_hours(query, views))
    now_hour = query.now_us // HOUR_US
    current = next((start for start in windows.values() if start <= now_hour < start + HOURS), None)
    frames = _assigned(views, windows)
    if active:
        frames = Frames(*(frame.filter(pl.col(BLOCK) == _key(-1 if current is None else current)) for frame in frames))
    asked = query.grouped(BLOCK)
    answer = answers.answer(asked, frames)
    is_ranged = (query.first_day, query.last_day, query.since_us) != (None, None, None)
    every = answers.answer(query.grouped(BLOCK, ranged=False), frames).rows if is_ranged else answer.rows
    whole = {row.key: row for row in every}
    begun = {_key(start): start * HOUR_US for start in windows.values()}
    rows = sorted(answer.rows, key=lambda row: row.key or "")
    if query.sort is not None:
        rows = arrange(query, rows)
    elif query.limit is not None:
        rows = rows[-query.limit :]
    found = [_block(row, whole[row.key], begun[row.key or ""], current, query.now_us) for row in rows]
    answer.rows = rows
    return Blocks(answer, found, [] if query.sort is not None else _gaps([whole[row.key] for row in rows]))


def _block(row: Row, whole: Row, start_us: int, current: int | None, now_us: int) -> Block:
    is_active = current is not None and start_us == current * HOUR_US
    rate = burn(whole, start_us=start_us, now_us=now_us) if is_active else None
    return Block(row, start_us, is_active, whole.requests != row.requests, rate)


def _gaps(rows: Sequence[Row]) -> list[Gap]:
    found = []
    for before, after in pairwise(rows):
        if before.last_at_us is not None and after.first_at_us is not None:
            gap = Gap(before.last_at_us + LENGTH_US, after.first_at_us)
            if gap.start_us < gap.end_us:
                found.append(gap)
    return found


def _hours(query: Query, views: Frames) -> list[int]:
    """The UTC hours with calls that the filters hold for, whatever their range."""
    rows = answers.filtered(query, views.cube if query.session is None else views.sessions)
    return rows.select((pl.col("slot").dt.epoch("s") // 3600).unique()).collect(engine="streaming").to_series().to_list()


def _assigned(views: Frames, windows: Mapping[int, int]) -> Frames:
    """The views with a column `block`: the key of the block of each row; null for those that the filters leave out anyway."""
    keys = {hour: _key(start) for hour, start in windows.items()}

    def key(instant: str) -> pl.Expr:
        if not keys:
            return pl.lit(None, pl.String).alias(BLOCK)
        hour = pl.col(instant).dt.epoch("s") // 3600
        return hour.replace_strict(list(keys), list(keys.values()), default=None, return_dtype=pl.String).alias(BLOCK)

    calls, sessions, cube = views
    return Frames(calls.with_columns(key("at")), sessions.with_columns(key("slot")), cube.with_columns(key("slot")))


def _key(hour: int) -> str:
    return iso_time(hour * HOUR_US)


def _share(amount: int, part: int, whole: int) -> int:
    """amount * part / whole, half up."""
    return (2 * amount * part + whole) // (2 * whole)
