"""What a daemon holds in memory: all usage per local day, session and dimension, small enough to be gone through in a millisecond.

Decides what is held, how it is laid out, and what becomes of it when the log grows. How a question is answered from it is decided by
`views.held_answers`; where single calls come from by `views.held_records`. What is held never changes: a log that has grown gives another
`Held`, which shares with the old one all that is the same, so several threads may ask at once.

Four layouts of the same rows: the table `days` by session; `daily`, which adds them up by day and cell (a cell is a number for profile,
agent, provider, model, initiator and project); `columns`, sums over time per cell, of which any range of days is a difference; and `shared`
for the sessions that no sum tells.
A *steady* session has all its calls in one cell and on consecutive days. What it adds to sessions and runtime adds up: each of its days
counts one session and its own time; each day that follows another of the range takes the session back and adds the time between the two.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate, chain
from operator import sub
from threading import Lock
from typing import Any, NamedTuple

import polars as pl

from views.calendar import DAY_US
from views.columns import CELL, COSTS, NAME, SESSIONS, SLOT_US, TOKENS, attodollars
from views.numbers import distinct, numbered

NUMBERS = ("requests", *TOKENS, "reasoning", "web_searches", *COSTS, "unpriced_requests", "unbilled_requests")
"""The numbers of a row that add up; costs are attodollars."""

Cell = tuple[str, str, str | None, str | None, str | None, str | None]
"""Profile, agent, provider, model, initiator, project."""

_SPAN = ("first", "last")
STEADY = ("sessions", "runtime", "joined", "between")
"""What steady sessions add to a day and cell: how many there are, their time on that day, how many of them were there the day before, and
the time between the two days."""
_COUNT = len(NUMBERS)
_FIRST_COST = NUMBERS.index(COSTS[0])
_LOW_BITS = 62
_LOW = (1 << _LOW_BITS) - 1
"""Sums of attodollars take more than 64 bits: they are kept as two numbers, so many bits in the lower one."""
_WIDTH = _COUNT + len(STEADY) + len(COSTS)
_PIECES = 8
_AT_ONCE = 1 << 16


class Names:
    """Numbers for cells and sessions. They only grow, and a number once given stays; several threads may ask."""

    def __init__(self) -> None:
        self._lock = Lock()
        self.cells: list[Cell] = []
        self.sessions: list[tuple[str, str]] = []
        """(agent, session)."""
        self.session_names: list[str] = []
        self._cells: dict[Cell, int] = {}
        self._sessions: dict[tuple[str, str], int] = {}
        self._session_names: dict[str, int] = {}
        self._named = pl.Series(dtype=pl.UInt32)
        self._ranked = pl.Series(dtype=pl.UInt32)
        self.name_of_session: list[int] = []
        """Number in `session_names` by number in `sessions`: two agents may use the same id."""

    def numbered(self, rows: pl.DataFrame) -> pl.DataFrame:
        """`rows` with `cell` and `sid` in place of `CELL` and session."""
        cell = self._places(rows, CELL, self._cells, self._cell).alias("cell")
        sid = self._places(rows, ("agent", "session"), self._sessions, self._session).alias("sid")
        return rows.drop(*CELL, "session").hstack([cell, sid])

    def named_sessions(self) -> pl.Series:
        """`name_of_session` as a column."""
        if self._named.len() < len(self.name_of_session):
            self._named = pl.Series(self.name_of_session, dtype=pl.UInt32)
        return self._named

    @property
    def shared_names(self) -> bool:
        """Whether several agents use one name for a session of theirs."""
        return len(self.session_names) < len(self.sessions)

    def ranked_sessions(self) -> pl.Series:
        """The place of each of `session_names` among them, a to z."""
        if self._ranked.len() < len(self.session_names):
            known = self.session_names[:]
            self._ranked = pl.Series(known, dtype=pl.String).rank("ordinal")
        return self._ranked

    def number_of(self, session: tuple[str, str]) -> int | None:
        """The number of a session; None where it has none."""
        return self._sessions.get(session)

    def _cell(self, cell: Cell) -> int:
        number = self._cells.setdefault(cell, len(self.cells))
        if number == len(self.cells):
            self.cells.append(cell)
        return number

    def _session(self, told: tuple[str | None, str | None]) -> int | None:
        agent, session = told
        if session is None:
            return None
        key = agent or "", session
        number = self._sessions.setdefault(key, len(self.sessions))
        if number == len(self.sessions):
            name = self._session_names.setdefault(session, len(self.session_names))
            if name == len(self.session_names):
                self.session_names.append(session)
            self.sessions.append(key)
            self.name_of_session.append(name)
        return number

    def _places(self, rows: pl.DataFrame, by: Sequence[str], known: dict[Any, int], number: Callable[[Any], int | None]) -> pl.Series:
        """The number of each row's names; `number` gives one to names that have none yet."""
        first, which = distinct(numbered(rows, by))
        told = rows.select(by)[first].cast(pl.String).rows()
        with self._lock:
            # Of tens of thousands of names nearly all are known when a second zone is asked for.
            found = [known[each] if each in known else number(each) for each in told]
        return pl.Series(found, dtype=pl.UInt32).gather(which)


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


class Sum(NamedTuple):
    """What the calls of some cells add up to."""

    numbers: list[int]
    """`NUMBERS`."""
    sessions: int
    """Steady ones only, and so the runtime."""
    runtime_us: int
    first_us: int
    last_us: int

    @classmethod
    def of(cls, shares: Sequence[Share]) -> "Sum":
        """The sum of at least one."""
        parts, firsts, lasts = zip(*shares, strict=True)
        numbers = _whole(parts[0] if len(parts) == 1 else list(map(sum, zip(*parts, strict=True))))
        sessions, runtime, joined, between = numbers[_COUNT:]
        return cls(numbers[:_COUNT], sessions - joined, runtime + between, min(firsts), max(lasts))


_NOTHING = Column(array("q"), array("q"), array("q"), array("q", [0] * _WIDTH))


class Starts(NamedTuple):
    """Where the days of a table begin that is sorted by day."""

    days: list[int]
    offsets: list[int]
    """And where the last one ends."""

    @classmethod
    def of(cls, rows: pl.DataFrame) -> "Starts":
        """Those of a table with a column `day`."""
        runs = rows.select(pl.col("day").rle()).unnest("day")
        return cls(runs["value"].to_list(), [0, *accumulate(runs["len"].to_list())])

    def part(self, rows: pl.DataFrame, first: int | None, last: int | None) -> pl.DataFrame:
        """The rows of some days."""
        low = 0 if first is None else bisect_left(self.days, first)
        high = len(self.days) if last is None else bisect_right(self.days, last)
        return rows.slice(self.offsets[low], self.offsets[high] - self.offsets[low]) if low < high else rows.clear()


class Held(NamedTuple):
    """All usage, by the days of one zone."""

    zone: str
    names: Names
    days: pl.DataFrame
    """By day: utc, day, cell, sid (null: no session), first, last (microseconds), `NUMBERS`; `alone`: whether the row is all that there is
    of its session, `steady`: whether its session is."""
    starts: "Starts"
    """Of `days`."""
    daily: pl.DataFrame
    """By day: day, cell, first, last, `NUMBERS`, `STEADY`."""
    daily_starts: "Starts"
    whole: pl.DataFrame
    """`daily` of all cells together."""
    whole_starts: "Starts"
    shared: pl.DataFrame
    """day, cell, sid, first, last of sessions that are not steady; by day."""
    shared_starts: "Starts"
    columns: dict[int, Column]
    """By cell."""

    def ranged(self, first: int | None, last: int | None) -> pl.DataFrame:
        """The rows of some local days."""
        return self.starts.part(self.days, first, last)

    def days_between(self, first: int | None, last: int | None, *, whole: bool = False) -> pl.DataFrame:
        """The rows of `daily`, or of `whole`, on some local days."""
        return self.whole_starts.part(self.whole, first, last) if whole else self.daily_starts.part(self.daily, first, last)

    def shared_between(self, first: int | None, last: int | None) -> pl.DataFrame:
        """The rows of `shared` on some local days."""
        return self.shared_starts.part(self.shared, first, last)

    def named(self, field: str) -> set[str]:
        """The names of a field of `CELL` that occur."""
        place = CELL.index(field)
        return {name for number in self.columns if (name := self.names.cells[number][place]) is not None}


def held(parts: Iterable[pl.LazyFrame], zone: str, names: Names | None = None) -> Held:
    """What is held of all usage. One part is in memory at a time; all rows of a UTC date are in the same one.

    In:  rows as `columns.SESSIONS`, in any order
    """
    known = Names() if names is None else names
    made = [_by_day(part, zone, known) for part in parts]
    days = pl.concat(made).sort("day", "cell") if made else _by_day(pl.LazyFrame(schema=SESSIONS), zone, known)
    return _laid_out(zone, known, _marked(days), None)


def renewed(before: Held, rows: pl.LazyFrame, utc_days: Iterable[int]) -> Held:
    """What is held after some UTC dates have changed; `rows` are all of these dates."""
    again = pl.col("utc").is_in(list(utc_days))
    old, new = before.days.filter(again), _by_day(rows, before.zone, before.names)
    # A session that goes on, or ends, may be steady no longer, or again: then its earlier days say something else.
    touched = pl.concat([old["sid"], new["sid"]]).drop_nulls().unique()
    is_touched = pl.col("sid").is_in(touched.implode()).fill_null(value=False)
    others = before.days.filter(is_touched)["day"]
    since = min((day for day in (old["day"].min(), new["day"].min(), others.min()) if isinstance(day, int)), default=None)
    if since is None:
        return before
    standing = before.ranged(since, None).filter(~again)
    made = _marked(pl.concat([standing.filter(is_touched).select(new.columns), new]))
    return _laid_out(before.zone, before.names, pl.concat([standing.filter(~is_touched), made]).sort("day", "cell"), (before, since))


def fine(rows: pl.LazyFrame, names: Names, *more: str) -> pl.DataFrame:
    """Rows finer than days: slot, cell, sid, first, last, `NUMBERS`, and the columns of `rows` that `more` names.

    In:  rows as `columns.SESSIONS`, or measured calls (`cube.measured`)
    """
    made = rows.select(
        "slot",
        *(pl.col(name).cast(NAME) for name in (*CELL, "session")),
        pl.col("first_at").dt.epoch("us").alias("first"),
        pl.col("last_at").dt.epoch("us").alias("last"),
        *(attodollars(pl.col(name)).fill_null(0) if name in COSTS else pl.col(name) for name in NUMBERS),
        *more,
    )
    # One thread for one file: what would divide the work costs more than it saves.
    return names.numbered(made.collect(engine="in-memory"))


def _by_day(rows: pl.LazyFrame, zone: str, names: Names) -> pl.DataFrame:
    told = fine(rows, names)
    # Slots repeat, and to ask the zone's clock takes longer than everything else: it is asked once for each.
    slot = told["slot"].to_physical() // SLOT_US
    first, which = distinct(slot)
    day = told["slot"].gather(first).dt.convert_time_zone(zone).dt.date().to_physical().gather(which)
    utc = (slot // (DAY_US // SLOT_US)).cast(pl.Int32)
    return (
        told.with_columns(utc.alias("utc"), day.alias("day"))
        .group_by("utc", "day", "cell", "sid")
        .agg(pl.col("first").min(), pl.col("last").max(), pl.col(NUMBERS).sum())
        .sort("day", "cell")
    )


def _marked(rows: pl.DataFrame) -> pl.DataFrame:
    """`rows`, which are all of their sessions, with `alone` and `steady`."""
    day = pl.col("day")
    told = rows.group_by("sid").agg(
        (pl.len() == 1).alias("alone"),
        ((pl.col("cell").n_unique() == 1) & (day.max() - day.min() + 1 == day.n_unique())).alias("steady"),
    )
    marks = [(pl.col("sid").is_not_null() & pl.col(name)).alias(name) for name in ("alone", "steady")]
    return rows.join(told, on="sid", how="left", nulls_equal=True, maintain_order="left").with_columns(marks)


def _laid_out(zone: str, names: Names, rows: pl.DataFrame, before: tuple[Held, int] | None) -> Held:
    """The rows, and all that follows from them; what was held `before` is good for all days before a day, from which `rows` are."""
    if before is None:
        days, daily, shared = rows, _daily(rows, rows), _shared(rows)
        columns = _columns(daily, {}, None)
    else:
        known, since = before
        # What joins the first of these days to the one before it is part of its sums.
        new = _daily(rows, pl.concat([known.ranged(since - 1, since - 1), rows]))
        days = _appended(known.ranged(None, since - 1), rows)
        daily = _appended(known.days_between(None, since - 1), new)
        shared = _appended(known.shared_between(None, since - 1), _shared(rows))
        columns = _columns(new, known.columns, since)
    whole = daily.group_by("day").agg(pl.col("first").min(), pl.col("last").max(), pl.col(*NUMBERS, *STEADY).sum()).sort("day")
    return Held(zone, names, days, Starts.of(days), daily, Starts.of(daily), whole, Starts.of(whole), shared, Starts.of(shared), columns)


def _appended(rows: pl.DataFrame, more: pl.DataFrame) -> pl.DataFrame:
    """Both, in one piece where many had been appended: each keeps all that it was cut from in memory."""
    both = pl.concat([rows, more])
    return both.rechunk() if both.n_chunks() > _PIECES else both


def _spans(rows: pl.DataFrame) -> pl.DataFrame:
    """First and last by session, day and cell: a day of a zone can be of two UTC dates."""
    return rows.group_by("sid", "day", "cell").agg(pl.col("first").min(), pl.col("last").max())


def _shared(rows: pl.DataFrame) -> pl.DataFrame:
    """The sessions that are not steady."""
    return _spans(rows.filter(~pl.col("steady") & pl.col("sid").is_not_null())).select("day", "cell", "sid", *_SPAN).sort("day")


def _daily(rows: pl.DataFrame, joining: pl.DataFrame) -> pl.DataFrame:
    """`rows` by day and cell; `joining` are the same and those of the day before."""
    day, sid = pl.col("day"), pl.col("sid")
    joins = ((sid == sid.shift(1)) & (day == day.shift(1) + 1)).fill_null(value=False)
    steady = (
        _spans(joining.filter("steady"))
        .sort("sid", "day")
        .with_columns(joins.alias("joins"), pl.when(joins).then(pl.col("first") - pl.col("last").shift(1)).otherwise(0).alias("between"))
        .group_by("cell", "day")
        .agg(
            pl.len().cast(pl.Int64).alias("sessions"),
            (pl.col("last") - pl.col("first")).sum().alias("runtime"),
            pl.col("joins").sum().cast(pl.Int64).alias("joined"),
            pl.col("between").sum(),
        )
    )
    return (
        rows.group_by("cell", "day")
        .agg(pl.col("first").min(), pl.col("last").max(), *(pl.col(name).sum() for name in NUMBERS))
        .join(steady, on=["cell", "day"], how="left")
        .select("day", "cell", *_SPAN, *NUMBERS, *(pl.col(name).fill_null(0) for name in STEADY))
        .sort("day", "cell")
    )


def _columns(daily: pl.DataFrame, before: dict[int, Column], since: int | None) -> dict[int, Column]:
    """Sums by cell; those of `before` are good for the days before `since`."""
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
    # One number after the other becomes one line after the other, some at a time: Python's integers take four times as much memory.
    numbers = pl.concat(added.select(each.cast(pl.Int64) for each in (*low, *high)).get_columns())
    sums = array("q", [0] * _WIDTH)
    for begin in range(0, numbers.len(), _AT_ONCE):
        at = pl.int_range(begin, min(begin + _AT_ONCE, numbers.len()), eager=True)
        sums.extend(numbers.gather(at % _WIDTH * rows.height + at // _WIDTH).to_list())
    days, firsts, lasts = (array("q", rows[name].to_list()) for name in ("day", *_SPAN))
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
    days, firsts, lasts = (array("q", rows[name].to_list()) for name in ("day", *_SPAN))
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
