"""What a daemon holds in memory: all usage per local day, session and dimension, small enough to be gone through in a millisecond.

Decides what is held, how it is laid out, and what becomes of it when the log grows. How a question is answered from it is decided by
`views.held_answers`; where single calls come from by `views.held_records`. What is held never changes: a log that has grown gives another
`Held`, which shares with the old one all that is the same, so several threads may ask at once.

Four layouts of the same rows, three of them by day: `sessions`; `daily`, which adds them up by cell (a cell is a number for profile, agent,
provider, model, initiator and project), and as `whole` over all cells; `shared` for the sessions that no sum tells. The fourth, `columns`,
has sums over time per cell.
A *steady* session has all its calls in one cell and on consecutive days. What it adds to sessions and runtime adds up: each of its days
counts one session and its own time; each day that follows another of the range takes the session back and adds the time between the two.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from threading import Lock
from typing import Any, NamedTuple

import polars as pl

from views.calendar import DAY_US
from views.columns import CELL, COSTS, NAME, SESSIONS, attodollars
from views.held_columns import NUMBERS, SPAN, STEADY, WEIGHTS, Column, columns
from views.numbers import distinct, numbered

Cell = tuple[str, str, str | None, str | None, str | None, str | None]
"""Profile, agent, provider, model, initiator, project."""

_PIECES = 8


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


class Dated(NamedTuple):
    """Rows with a column `day`, by that."""

    rows: pl.DataFrame
    days: list[int]
    """The days that have rows, rising."""
    offsets: list[int]
    """Where each of them begins, and where the last one ends."""

    @classmethod
    def of(cls, rows: pl.DataFrame) -> "Dated":
        """Rows that stand in the order of days."""
        runs = rows["day"].rle().struct.unnest()
        return cls(rows, runs["value"].to_list(), [0, *accumulate(runs["len"].to_list())])

    def between(self, first: int | None, last: int | None) -> pl.DataFrame:
        """The rows of some days."""
        low = 0 if first is None else bisect_left(self.days, first)
        high = len(self.days) if last is None else bisect_right(self.days, last)
        return self.rows.slice(self.offsets[low], self.offsets[high] - self.offsets[low]) if low < high else self.rows.clear()


class Held(NamedTuple):
    """All usage, by the days of one zone."""

    zone: str
    names: Names
    sessions: Dated
    """utc, day, cell, sid (null: no session), first, last (microseconds), `NUMBERS`, `WEIGHTS`; `alone`: whether the row is all that
    there is of its session, `steady`: whether its session is."""
    daily: Dated
    """day, cell, first, last, `NUMBERS`, `STEADY`."""
    whole: Dated
    """`daily` of all cells together."""
    shared: Dated
    """day, cell, sid, first, last of sessions that are not steady."""
    columns: dict[int, Column]
    """By cell."""
    total: Column | None
    """Of all cells together; None where there is no call."""

    def days_of(self, cells: Sequence[int], first: int | None, last: int | None) -> pl.DataFrame:
        """The rows of `daily` on some days that are of some cells, all of them together where all are meant."""
        all_meant = len(cells) == len(self.columns)
        return self.whole.between(first, last) if all_meant else self.chosen(self.daily.between(first, last), cells)

    def chosen(self, rows: pl.DataFrame, cells: Sequence[int]) -> pl.DataFrame:
        """Those rows that are of some cells."""
        return rows if len(cells) == len(self.columns) else rows.filter(self.flags(cells)[rows["cell"]])

    def flags(self, cells: Iterable[int]) -> pl.Series:
        """Of each cell, whether it is one of these."""
        found = [False] * len(self.names.cells)
        for cell in cells:
            found[cell] = True
        return pl.Series(found, dtype=pl.Boolean)

    def named(self, field: str) -> set[str]:
        """The names of a field of `CELL` that occur."""
        place = CELL.index(field)
        return {name for number in self.columns if (name := self.names.cells[number][place]) is not None}


def held(parts: Iterable[pl.DataFrame], zone: str, names: Names) -> Held:
    """What is held of all usage. One part is in memory at a time; all rows of a UTC date are in the same one.

    In:  rows as `fine`, in any order
    """
    made = [_by_day(part, zone) for part in parts]
    days = pl.concat(made).sort("day", "cell") if made else _by_day(fine(pl.LazyFrame(schema=SESSIONS), names), zone)
    return _laid_out(zone, names, _marked(days), None)


def renewed(before: Held, rows: pl.DataFrame, utc_days: Iterable[int]) -> Held:
    """What is held after some UTC dates have changed; `rows`, as `fine`, are all of these dates."""
    again = pl.col("utc").is_in(list(utc_days))
    standing = before.sessions.rows
    old, new = standing.filter(again), _by_day(rows, before.zone)
    # A session that goes on, or ends, may be steady no longer, or again: then its earlier days say something else.
    touched = pl.concat([old["sid"], new["sid"]]).drop_nulls().unique()
    is_touched = pl.col("sid").is_in(touched.implode()).fill_null(value=False)
    others = standing.filter(is_touched)["day"]
    since = min((day for day in (old["day"].min(), new["day"].min(), others.min()) if isinstance(day, int)), default=None)
    if since is None:
        return before
    standing = before.sessions.between(since, None).filter(~again)
    made = _marked(pl.concat([standing.filter(is_touched).select(new.columns), new]))
    return _laid_out(before.zone, before.names, pl.concat([standing.filter(~is_touched), made]).sort("day", "cell"), (before, since))


def fine(rows: pl.LazyFrame, names: Names, numbers: pl.DataFrame | None = None) -> pl.DataFrame:
    """Rows finer than days: slot, first, last, `NUMBERS`, cell, sid; `numbers` are the last two of the same rows, where they are known.

    In:  rows as `columns.SESSIONS`, or measured calls (`cube.measured`)
    """
    told = [pl.col(name).cast(NAME) for name in (*CELL, "session")] if numbers is None else []
    made = rows.select(
        "slot",
        *told,
        pl.col("first_at").dt.epoch("us").alias("first"),
        pl.col("last_at").dt.epoch("us").alias("last"),
        *(attodollars(pl.col(name)).fill_null(0) if name in COSTS else pl.col(name) for name in NUMBERS),
    )
    # One thread for one file: what would divide the work costs more than it saves.
    found = made.collect(engine="in-memory")
    return names.numbered(found) if numbers is None else found.hstack(numbers)


def _by_day(rows: pl.DataFrame, zone: str) -> pl.DataFrame:
    slots = rows["slot"]
    # Slots repeat one after the other, and to ask the zone's clock takes longer than everything else: it is asked once for each run.
    runs = slots.rle().struct.field("value")
    day = runs.dt.convert_time_zone(zone).dt.date().to_physical()[slots.rle_id()]
    utc = (slots.to_physical() // DAY_US).cast(pl.Int32)
    return (
        rows.with_columns(utc.alias("utc"), day.alias("day"))
        .group_by("utc", "day", "cell", "sid")
        .agg(pl.col("first").min(), pl.col("last").max(), pl.col(NUMBERS).sum())
        .sort("day", "cell")
    )


def _marked(rows: pl.DataFrame) -> pl.DataFrame:
    """`rows`, which are all of their sessions, with `WEIGHTS`, `alone` and `steady`."""
    day = pl.col("day")
    told = rows.group_by("sid").agg(
        (pl.len() == 1).alias("alone"),
        ((pl.col("cell").n_unique() == 1) & (day.max() - day.min() + 1 == day.n_unique())).alias("steady"),
    )
    marks = [(pl.col("sid").is_not_null() & pl.col(name)).alias(name) for name in ("alone", "steady")]
    return rows.join(told, on="sid", how="left", nulls_equal=True, maintain_order="left").with_columns(*WEIGHTS, *marks)


def _laid_out(zone: str, names: Names, rows: pl.DataFrame, before: tuple[Held, int] | None) -> Held:
    """The rows, and all that follows from them; what was held `before` is good for all days before a day, from which `rows` are."""
    if before is None:
        sessions, daily, shared = rows, _daily(rows, rows), _shared(rows)
        made = columns(daily, {}, None)
    else:
        known, since = before
        # What joins the first of these days to the one before it is part of its sums.
        new = _daily(rows, pl.concat([known.sessions.between(since - 1, since - 1), rows]))
        sessions = _appended(known.sessions.between(None, since - 1), rows)
        daily = _appended(known.daily.between(None, since - 1), new)
        shared = _appended(known.shared.between(None, since - 1), _shared(rows))
        made = columns(new, known.columns, since)
    whole = daily.group_by("day").agg(pl.col("first").min(), pl.col("last").max(), pl.col(*NUMBERS, *STEADY).sum()).sort("day")
    total = columns(whole.with_columns(cell=0), {}, None).get(0)
    return Held(zone, names, Dated.of(sessions), Dated.of(daily), Dated.of(whole), Dated.of(shared), made, total)


def _appended(rows: pl.DataFrame, more: pl.DataFrame) -> pl.DataFrame:
    """Both, in one piece where many had been appended: each keeps all that it was cut from in memory."""
    both = pl.concat([rows, more])
    return both.rechunk() if both.n_chunks() > _PIECES else both


def _spans(rows: pl.DataFrame) -> pl.DataFrame:
    """First and last by session, day and cell: a day of a zone can be of two UTC dates."""
    return rows.group_by("sid", "day", "cell").agg(pl.col("first").min(), pl.col("last").max())


def _shared(rows: pl.DataFrame) -> pl.DataFrame:
    """The sessions that are not steady."""
    return _spans(rows.filter(~pl.col("steady") & pl.col("sid").is_not_null())).select("day", "cell", "sid", *SPAN).sort("day")


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
        .select("day", "cell", *SPAN, *NUMBERS, *(pl.col(name).fill_null(0) for name in STEADY))
        .sort("day", "cell")
    )
