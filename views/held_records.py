"""Single calls, page by page, the latest first.

Decides what a call is called, and which dates' calls must be read for a page: the days that are held say how many calls each has, so only
those on the page are looked at.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

import polars as pl

from views import calendar
from views.columns import CELL, TOKENS, attodollars
from views.held import Cell, Held
from views.held_answers import cells, sessions, within
from views.held_rows import Titles
from views.matching import folder, session_matches
from views.query import Query

Calls = Callable[[int], pl.DataFrame]
"""The calls of a UTC day by time and key, with `TOLD`, as `Holding.records` gives them."""

TOLD = (*CELL, "session", "at", *TOKENS, "cost_usd", "cost_status", "key", "duration_ms", "status")
"""The columns of `columns.CALLS` that records are made of."""


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
        rows = meant.days(query.first_day, query.last_day)
        total, unpriced, first = int(rows["requests"].sum()), int(rows["unpriced_requests"].sum()), rows["first"].min()
        days, skip = _days(zip(rows["day"].to_list(), rows["requests"].to_list(), strict=True), skip, count) if skip < total else ([], 0)
        utc = sorted({day for one in days for day in _utc_days(query.tz, one)}, reverse=True)
        bounds = [calendar.bounds(query.tz, one, one) for one in days]
        parts: Iterable[pl.DataFrame] = (meant.calls(_during(calls(day), day, bounds)) for day in utc)
    else:
        utc = list(range(query.now_us // calendar.DAY_US, query.since_us // calendar.DAY_US - 1, -1))
        parts = [meant.calls(_during(calls(day), day, [(query.since_us, query.now_us + 1)])) for day in utc]
        every = pl.concat(part.select("at", "cost_status") for part in parts)
        total, unpriced, first = every.height, int((every["cost_status"] == "unpriced").sum()), every["at"].to_physical().min()
    found = [meant.record(call) for part in _taken(parts, skip, count) for call in reversed(part.select(_SHOWN).rows(named=True))]
    return Page(total, unpriced, first if isinstance(first, int) else None, found)


_SHOWN = (pl.exclude("at", "cost_usd"), pl.col("at").to_physical(), attodollars(pl.col("cost_usd")).alias("cost"))
"""`TOLD` with whole numbers for time and cost."""


def _taken(parts: Iterable[pl.DataFrame], skip: int, count: int) -> list[pl.DataFrame]:
    """Some rows from number `skip` on, counted from the end of the first part; no more parts are made than that takes."""
    found = []
    for part in parts:
        end = part.height - skip
        if end > 0 and count > 0:
            found.append(part.slice(max(end - count, 0), min(end, count)))
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
        self._said = _said(query, held, self._cells)
        self._search = None if search is None else search.casefold()
        self._by_title: list[pl.Series] = []
        """Sessions that have a title, and those whose title is searched for."""
        if self._search is None:
            return
        titled = {sid: title for session, title in titles.items() if (sid := held.names.number_of(session)) is not None}
        found = [sid for sid, title in titled.items() if self._search in title.casefold()]
        self._named = [cell for cell in self._cells if self._search in _name(held.names.cells[cell]).casefold()]
        if titled:
            self._by_title = [pl.Series(sids, dtype=pl.UInt32).implode() for sids in (list(titled), found)]
        else:
            self._cells = self._named

    def days(self, first: int | None, last: int | None) -> pl.DataFrame:
        """Rows of some days, which tell how many calls are meant."""
        alike = self._sessions is None and not self._by_title
        if alike:
            return self._held.days_of(self._cells, first, last)
        rows = within(self._held.sessions.between(first, last), self._held, self._cells, self._sessions)
        if not self._by_title:
            return rows
        titled, found = (pl.col("sid").is_in(sids).fill_null(value=False) for sids in self._by_title)
        by_cell = self._held.flags(self._named)[rows["cell"]]
        return rows.filter(pl.when(titled).then(found).otherwise(by_cell))

    def calls(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Those calls that are meant."""
        # They are told by their names: to number all calls of a date takes longer than to read them.
        said = self._said if self._search is None else [*self._said, self._is_searched(rows)]
        return rows.filter(said) if said else rows

    def record(self, call: Mapping[str, Any]) -> Record:
        """A call as it is shown, from `_SHOWN`."""
        cell = (call["profile"], call["agent"], call["provider"], call["model"], call["initiator"], call["project"])
        session = call["session"]
        return Record(
            call["key"],
            call["at"],
            (None if session is None else self._titles.get((call["agent"], session))) or _name(cell),
            cell,
            session,
            call["input"],
            call["output"],
            call["cache_read"],
            call["cache_write_5m"] + call["cache_write_1h"],
            call["cost"],
            call["cost_status"],
            call["duration_ms"],
            call["status"],
        )

    def _is_searched(self, rows: pl.DataFrame) -> pl.Expr:
        """Whether a call's name holds what is searched for: the title of its session, else its project's folder, else its agent."""
        named = [self._held.names.cells[cell] for cell in self._named]
        project, agent = pl.col("project"), pl.col("agent")
        by_folder = project.is_in([cell[5] for cell in named if folder(cell[5])]).fill_null(value=False)
        by_agent = agent.is_in([cell[1] for cell in named if not folder(cell[5])]) & (project.is_null() | (project == ""))
        if not self._by_title:
            return by_folder | by_agent
        # Tens of thousands of sessions may have a title; a date has calls of some dozens.
        here = {session: self._titles.get(session) for session in rows.select("agent", "session").unique().rows()}
        titled = [session for session, title in here.items() if title is not None]
        found = [session for session in titled if (self._search or "") in (here[session] or "").casefold()]
        return pl.when(_of(titled)).then(_of(found)).otherwise(by_folder | by_agent)


def _said(query: Query, held: Held, meant: Sequence[int]) -> list[pl.Expr]:
    """What a question's filters ask of the names of a call whose cell is one of `meant`."""
    found = []
    for name, value in query.filters().items():
        if name == "session":
            known = {session for _, session in held.names.sessions if session_matches(value, session)}
        else:
            name = "initiator" if name == "source" else name
            known = {each for cell in meant if (each := held.names.cells[cell][CELL.index(name)]) is not None}
        found.append(pl.col(name).is_in(list(known)))
    return found


def _of(sessions: Sequence[tuple[str, str]]) -> pl.Expr:
    """Whether a call is of one of some sessions."""
    by_agent: dict[str, list[str]] = {}
    for agent, session in sessions:
        by_agent.setdefault(agent, []).append(session)
    each = [(pl.col("agent") == agent) & pl.col("session").is_in(those).fill_null(value=False) for agent, those in by_agent.items()]
    return pl.any_horizontal(each) if each else pl.lit(value=False)


def _name(cell: Cell) -> str:
    """What a call is called whose session has no title: its project's folder, else its agent."""
    return folder(cell[5]) or cell[1]


def _days(rows: Iterable[tuple[int, int]], skip: int, count: int) -> tuple[list[int], int]:
    """The days, latest first, that hold the calls from `skip` on, and how many calls of them to leave out.

    In:  (day, calls), by day; a day may have several
    """
    days: list[int] = []
    left_out = 0
    for day, lines in groupby(reversed(list(rows)), itemgetter(0)):
        requests = sum(line[1] for line in lines)
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
    at = pl.col("at").to_physical()
    return rows.filter(pl.any_horizontal((at >= start) & (at < end) for start, end in spans)) if spans else rows.clear()
