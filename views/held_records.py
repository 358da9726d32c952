"""Single calls, page by page, the latest first.

Decides what a call is called, and which dates' calls must be read for a page: the days that are held say how many calls each has, so only
those on the page are looked at.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import polars as pl

from views import calendar
from views.columns import attodollars
from views.held import Cell, Held, Names
from views.held_answers import cells, flags, sessions, within
from views.held_rows import Titles
from views.matching import folder
from views.query import Query

Calls = Callable[[int], pl.DataFrame]
"""The calls of a UTC day by time and key, as `Holding.records` gives them."""


class Record(NamedTuple):
    """One call. Times are microseconds, the cost attodollars."""

    key: bytes
    at_us: int
    name: str
    cell: Cell
    session: str | None
    input: int
    output: int
    cache_read: int
    cache_write: int
    cost: int | None
    cost_status: str
    duration_ms: int | None
    status: str | None


class Page(NamedTuple):
    """Some calls of many."""

    total: int
    """Calls on all pages."""
    unpriced_requests: int
    """Of all of them."""
    first_at_us: int | None
    records: list[Record]


def page(query: Query, held: Held, calls: Calls, *, titles: Titles, search: str | None, skip: int, count: int) -> Page:
    """The calls from number `skip` on, `count` of them at most, that are in the query's range and filters and whose name holds `search`."""
    meant = _Meant(query, held, titles, search)
    if query.since_us is None:
        rows = meant.of((held.days_between if meant.alike else held.ranged)(query.first_day, query.last_day))
        total, unpriced, first = _told([rows])
        if skip >= total:
            return Page(total, unpriced, first, [])
        per_day = rows.group_by("day").agg(pl.col("requests").sum()).sort("day", descending=True)
        days, skip = _days(per_day.rows(), skip, count)
        utc = sorted({day for one in days for day in _utc_days(query.tz, one)}, reverse=True)
        bounds = [calendar.bounds(query.tz, one, one) for one in days]
        found = _taken((meant.of(_during(calls(day), day, bounds)) for day in utc), skip, count)
    else:
        utc = list(range(query.now_us // calendar.DAY_US, query.since_us // calendar.DAY_US - 1, -1))
        parts = [meant.of(_during(calls(day), day, [(query.since_us, query.now_us + 1)])) for day in utc]
        total, unpriced, first = _told(parts)
        found = _taken(parts, skip, count)
    cost = attodollars(pl.col("cost_usd")).alias("cost")
    records = [meant.record(row) for part in found for row in part.with_columns(cost).iter_rows(named=True)]
    return Page(total, unpriced, first, records)


def _told(parts: Sequence[pl.DataFrame]) -> tuple[int, int, int | None]:
    """Requests, unpriced ones, and the time of the first."""
    sums = [part.select(pl.col("requests").sum(), pl.col("unpriced_requests").sum(), pl.col("first").min()).row(0) for part in parts]
    return sum(line[0] for line in sums), sum(line[1] for line in sums), min((line[2] for line in sums if line[0]), default=None)


def _taken(parts: Iterable[pl.DataFrame], skip: int, count: int) -> list[pl.DataFrame]:
    """Some rows from number `skip` on, counted from the end of the first part; no more parts are made than that takes."""
    found = []
    for part in parts:
        end = part.height - skip
        if end > 0 and count > 0:
            found.append(part.slice(max(end - count, 0), min(end, count)).reverse())
            count -= found[-1].height
        skip = max(-end, 0)
        if not count:
            break
    return found


class _Meant:
    """What a question leaves of all calls."""

    def __init__(self, query: Query, held: Held, titles: Titles, search: str | None) -> None:
        self._held = held
        self._titles = titles
        self._cells = cells(query, held)
        self._sessions = sessions(query, held)
        self._by_title: list[pl.Series] = []
        """Sessions that have a title, and those whose title is searched for."""
        if search is None:
            return
        search = search.casefold()
        titled = {sid: title for session, title in titles.items() if (sid := held.names.number_of(session)) is not None}
        found = [sid for sid, title in titled.items() if search in title.casefold()]
        self._named = [cell for cell in self._cells if search in _name(held.names.cells[cell]).casefold()]
        if titled:
            self._by_title = [pl.Series(sids, dtype=pl.UInt32).implode() for sids in (list(titled), found)]
        else:
            self._cells = self._named

    @property
    def alike(self) -> bool:
        """Whether all calls of a cell are meant, or none."""
        return self._sessions is None and not self._by_title

    def of(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Those rows that are meant."""
        rows = within(rows, self._held, self._cells, self._sessions)
        if not self._by_title:
            return rows
        titled, found = (pl.col("sid").is_in(sids).fill_null(value=False) for sids in self._by_title)
        by_cell = flags(self._held, self._named).gather(rows["cell"])
        return rows.filter(pl.when(titled).then(found).otherwise(by_cell))

    def record(self, row: Mapping[str, Any]) -> Record:
        """A call as it is shown."""
        names: Names = self._held.names
        cell, sid = names.cells[row["cell"]], row["sid"]
        session = None if sid is None else names.sessions[sid]
        return Record(
            row["key"],
            row["first"],
            (None if session is None else self._titles.get(session)) or _name(cell),
            cell,
            None if session is None else session[1],
            row["input"],
            row["output"],
            row["cache_read"],
            row["cache_write_5m"] + row["cache_write_1h"],
            row["cost"],
            row["cost_status"],
            row["duration_ms"],
            row["status"],
        )


def _name(cell: Cell) -> str:
    """What a call is called whose session has no title: its project's folder, else its agent."""
    return folder(cell[5]) or cell[1]


def _days(per_day: Sequence[tuple[int, int]], skip: int, count: int) -> tuple[list[int], int]:
    """The days, latest first, that hold the calls from `skip` on, and how many calls of them to leave out."""
    days: list[int] = []
    left_out = 0
    for day, requests in per_day:
        if skip >= requests and not days:
            skip -= requests
            continue
        days.append(day)
        left_out += requests
        if left_out >= skip + count:
            break
    return days, skip


def _utc_days(tz: str, day: int) -> range:
    start, end = calendar.bounds(tz, day, day)
    first, last = (start or 0) // calendar.DAY_US, ((end or 0) - 1) // calendar.DAY_US
    # A clock that was very wrong wrote a call into the last day there is; what would come after it has no name.
    return range(max(first, calendar.FIRST_DAY), min(last, calendar.LAST_DAY) + 1)


def _during(rows: pl.DataFrame, day: int, spans: Sequence[tuple[int | None, int | None]]) -> pl.DataFrame:
    """The rows of a UTC date that are within any of some spans of time."""
    low, high = day * calendar.DAY_US, (day + 1) * calendar.DAY_US
    if any(start is not None and end is not None and start <= low and high <= end for start, end in spans):
        return rows
    at = pl.col("first")
    return rows.filter(pl.any_horizontal((at >= start) & (at < end) for start, end in spans)) if spans else rows.clear()
