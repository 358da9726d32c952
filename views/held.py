"""What a daemon holds in memory: all usage per local day, session and dimension, small enough to be gone through in a millisecond.

Decides what is held, how it is laid out, and what becomes of it when the log grows. How a question is answered from it is decided by
`views.held_answers`; where single calls come from by `views.held_records`. What is held never changes: a log that has grown gives another
`Held`, which shares with the old one all that is the same, so several threads may ask at once.

Three layouts of the same rows: the table `days` for any grouping; `columns`, sums over time per cell (a cell is a number for profile,
agent, provider, model, initiator and project), of which any range of days is a difference; and `shared` for the sessions that no sum tells.
A *steady* session has all its calls in one cell and on consecutive days. What it adds to sessions and runtime adds up: each of its days
counts one session and its own time; each day that follows another of the range takes the session back and adds the time between the two.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from operator import add, sub
from threading import Lock
from typing import Any, NamedTuple

import polars as pl

from views.columns import CELL, COSTS, NAME, SESSIONS, TOKENS, attodollars

NUMBERS = ("requests", *TOKENS, "reasoning", "web_searches", *COSTS, "unpriced_requests", "unbilled_requests")
"""The numbers of a row that add up; costs are attodollars."""

Cell = tuple[str, str, str | None, str | None, str | None, str | None]
"""Profile, agent, provider, model, initiator, project."""

_SPAN = ("first", "last")
_STEADY = ("sessions", "runtime", "joined", "between")
_ZERO = (0,) * (len(NUMBERS) + len(_STEADY))
_COUNT = len(NUMBERS)


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
        self.name_of_session: list[int] = []
        """Number in `session_names` by number in `sessions`: two agents may use the same id."""

    def numbered(self, rows: pl.DataFrame) -> pl.DataFrame:
        """`rows` with `cell` and `sid` in place of `CELL` and session."""
        with self._lock:
            found = _numbered(rows, CELL, "cell", self._cell)
            found = _numbered(
                found, ("agent", "session"), "sid", lambda told: None if told[1] is None else self._session(told[0] or "", told[1])
            )
        return found.drop(*CELL, "session")

    def named_sessions(self) -> pl.Series:
        """`name_of_session` as a column."""
        if self._named.len() < len(self.name_of_session):
            self._named = pl.Series(self.name_of_session, dtype=pl.UInt32)
        return self._named

    def number_of(self, session: tuple[str, str]) -> int | None:
        """The number of a session; None where it has none."""
        return self._sessions.get(session)

    def _cell(self, cell: Cell) -> int:
        number = self._cells.setdefault(cell, len(self.cells))
        if number == len(self.cells):
            self.cells.append(cell)
        return number

    def _session(self, agent: str, session: str) -> int:
        number = self._sessions.setdefault((agent, session), len(self.sessions))
        if number == len(self.sessions):
            name = self._session_names.setdefault(session, len(self.session_names))
            if name == len(self.session_names):
                self.session_names.append(session)
            self.sessions.append((agent, session))
            self.name_of_session.append(name)
        return number


class Column(NamedTuple):
    """One cell over time, so that any range of days is the difference of two of its sums."""

    days: list[int]
    """Local days with a call, rising."""
    firsts: list[int]
    lasts: list[int]
    """Time of the first and last call of each of these days, in microseconds."""
    sums: list[tuple[int, ...]]
    """`NUMBERS` and `_STEADY`: the sums of all days before each of them, and of all."""

    def between(self, first: int | None, last: int | None) -> "Share | None":
        """What the days of a range add up to; None where none of them has a call."""
        low = 0 if first is None else bisect_left(self.days, first)
        high = len(self.days) if last is None else bisect_right(self.days, last)
        if low >= high:
            return None
        before, after = self.sums[low], self.sums[high]
        numbers = list(map(sub, after, before))
        if self.days[low] == first:
            # What joins the first day to the day before it is outside of the range.
            before = self.sums[low + 1]
        joined, between = after[_COUNT + 2] - before[_COUNT + 2], after[_COUNT + 3] - before[_COUNT + 3]
        sessions, runtime = numbers[_COUNT] - joined, numbers[_COUNT + 1] + between
        return Share(numbers[:_COUNT], sessions, runtime, self.firsts[low], self.lasts[high - 1])


class Share(NamedTuple):
    """What some calls add up to."""

    numbers: list[int]
    """`NUMBERS`."""
    sessions: int
    """Steady ones only, and so the runtime."""
    runtime_us: int
    first_us: int
    last_us: int


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
    of its session, `alone_on_day`: of its session on that day."""
    starts: "Starts"
    """Of `days`."""
    shared: pl.DataFrame
    """day, cell, sid, first, last of sessions that are not steady; by day."""
    shared_starts: "Starts"
    columns: dict[int, Column]
    """By cell."""

    def ranged(self, first: int | None, last: int | None) -> pl.DataFrame:
        """The rows of some local days."""
        return self.starts.part(self.days, first, last)

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
    return _laid_out(zone, known, days, None, None)


def renewed(before: Held, fine: pl.LazyFrame, utc_days: Iterable[int]) -> Held:
    """What is held after some UTC dates have changed; `fine` are all rows of these dates."""
    again = list(utc_days)
    old, new = before.days.filter(pl.col("utc").is_in(again)), _by_day(fine, before.zone, before.names)
    kept = before.days.filter(~pl.col("utc").is_in(again)).select(new.columns)
    days = pl.concat([kept, new]).sort("day", maintain_order=True)
    # A session that goes on, or ends, may be steady no longer, or again: then its earlier days say something else.
    touched = pl.concat([old.select("day", "sid"), new.select("day", "sid")])
    others = days.filter(pl.col("sid").is_in(touched["sid"].drop_nulls().unique().implode()))["day"]
    since = min((day for day in (touched["day"].min(), others.min()) if isinstance(day, int)), default=None)
    return before if since is None else _laid_out(before.zone, before.names, days, before, since)


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
    return names.numbered(made.collect())


def _by_day(fine: pl.LazyFrame, zone: str, names: Names) -> pl.DataFrame:
    slot = pl.col("slot")
    rows = (
        fine.select(*SESSIONS)
        .with_columns(*(pl.col(name).cast(NAME) for name in (*CELL, "session")))
        .group_by(
            slot.dt.date().to_physical().alias("utc"),
            slot.dt.convert_time_zone(zone).dt.date().to_physical().alias("day"),
            "session",
            *CELL,
        )
        .agg(
            pl.col("first_at").min().dt.epoch("us").alias("first"),
            pl.col("last_at").max().dt.epoch("us").alias("last"),
            *(attodollars(pl.col(name)).sum() if name in COSTS else pl.col(name).sum() for name in NUMBERS),
        )
        .collect(engine="streaming")
    )
    return names.numbered(rows).select("utc", "day", "cell", "sid", *_SPAN, *NUMBERS).sort("day", "cell")


def _laid_out(zone: str, names: Names, rows: pl.DataFrame, before: Held | None, since: int | None) -> Held:
    """The rows, and all that follows from them; columns of `before` are good for days before `since`."""
    owned = pl.col("sid").is_not_null()
    days = rows.with_columns(
        (owned & (pl.len().over("sid") == 1)).alias("alone"),
        (owned & (pl.len().over("sid", "day") == 1)).alias("alone_on_day"),
    )
    steady, shared = _divided(days)
    columns = _columns(days, steady, {} if before is None else before.columns, since)
    return Held(zone, names, days, Starts.of(days), shared, Starts.of(shared), columns)


def _divided(days: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What steady sessions add to each cell and day, and the rows of the others."""
    day = pl.col("day")
    steady = (pl.col("cell").n_unique() == 1) & (day.max() - day.min() + 1 == pl.len())
    rows = (
        days.filter(pl.col("sid").is_not_null())
        .group_by("sid", "day", "cell")
        .agg(pl.col("first").min(), pl.col("last").max())
        .sort("sid", "day")
        .with_columns(steady.over("sid").alias("steady"), (day == day.shift(1).over("sid") + 1).fill_null(value=False).alias("joins"))
    )
    between = pl.when("joins").then(pl.col("first") - pl.col("last").shift(1)).otherwise(0)
    sums = (
        rows.with_columns(between.alias("between"))
        .filter("steady")
        .group_by("cell", "day")
        .agg(
            pl.len().cast(pl.Int64).alias("sessions"),
            (pl.col("last") - pl.col("first")).sum().alias("runtime"),
            pl.col("joins").sum().cast(pl.Int64).alias("joined"),
            pl.col("between").sum(),
        )
    )
    return sums, rows.filter(~pl.col("steady")).select("day", "cell", "sid", *_SPAN).sort("day")


def _columns(days: pl.DataFrame, steady: pl.DataFrame, before: dict[int, Column], since: int | None) -> dict[int, Column]:
    """Sums by cell; those of `before` are good for the days before `since`."""
    sums = (
        days.filter(True if since is None else pl.col("day") >= since)
        .group_by("cell", "day")
        .agg(pl.col("first").min(), pl.col("last").max(), *(pl.col(name).sum() for name in NUMBERS))
        .join(steady, on=["cell", "day"], how="left")
        .with_columns(pl.col(_STEADY).fill_null(0))
        .sort("cell", "day")
        .select("cell", "day", *_SPAN, *NUMBERS, *_STEADY)
    )
    made: dict[int, Column] = {}
    for cell, column in before.items():
        end = len(column.days) if since is None else bisect_left(column.days, since)
        if end:
            made[cell] = Column(column.days[:end], column.firsts[:end], column.lasts[:end], column.sums[: end + 1])
    for cell, day, first, last, *numbers in sums.iter_rows():
        if cell not in made:
            made[cell] = Column([], [], [], [_ZERO])
        column = made[cell]
        column.days.append(day)
        column.firsts.append(first)
        column.lasts.append(last)
        column.sums.append(tuple(map(add, column.sums[-1], numbers)))
    return made


def _numbered(rows: pl.DataFrame, by: Sequence[str], name: str, number: Callable[[tuple[Any, ...]], int | None]) -> pl.DataFrame:
    distinct = rows.select(by).unique()
    numbers = pl.Series(name, [number(values) for values in distinct.select(pl.all().cast(pl.String)).iter_rows()], dtype=pl.UInt32)
    # Names are compared by their number: both sides come from one set of names.
    keys = pl.col(by).to_physical()
    asked, answers = rows.select(keys), distinct.select(keys).with_columns(numbers)
    found = asked.join(answers, on=list(by), how="left", nulls_equal=True, maintain_order="left")[name]
    return rows.with_columns(found)
