"""All that a daemon holds of one state of the log, and how it follows the log.

Decides what is loaded when: the days of a zone, quarter-hours of months and calls of dates, each when somebody first asks for it, and how
much of that is kept. A `Holding` stands for one position of the log; the one that follows it shares what has not changed. Files under
`views/` may be replaced while they are read: then FileNotFoundError is raised, and whoever asked asks again.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import date
from itertools import chain
from time import sleep

import polars as pl

from pipeline import placement
from pipeline.errors import Held as HeldElsewhere
from pipeline.log import Log
from pipeline.questions import Position
from views import calendar, current, logged, materialize, shelf
from views.calls import recosted
from views.catalog import VIEWS
from views.columns import CALLS
from views.cube import measured
from views.held import Held, Names, fine, held, renewed
from views.held_records import TOLD
from views.kept import Kept
from views.logged import date_of
from views.query import Query
from views.sessions import sessions
from views.terms import Terms

FRESH_DAYS = 4
"""With more UTC dates than these made in memory, all is loaded anew from the views."""

_ZONES, _MONTHS, _DATES, _RECORDS = 4, 3, 4, 16
_PATIENCE = 300
_ATTEMPTS = 2
_CALLS, _SESSIONS = VIEWS[0], VIEWS[1]


class Holding:
    """One state of the log. Any thread may ask it."""

    def __init__(self, views: str, position: Position, names: Names, fresh: Mapping[int, pl.DataFrame], *, shared: bool = False) -> None:
        self.position = position
        self.shared = shared
        """Whether other machines' logs lie beside this one's."""
        self.names = names
        self._views = views
        self._fresh = fresh
        self._numbers: dict[str, pl.DataFrame] = {}
        """Cell and session of each row, by path of a file of the session table."""
        self._tables: Kept[tuple[str, str], Held] = Kept(_ZONES)
        self._before: dict[tuple[str, str], tuple[Held, set[int]]] = {}
        self._months: Kept[tuple[str, str], pl.DataFrame] = Kept(_MONTHS)
        self._dates: Kept[tuple[int, str], pl.DataFrame] = Kept(_DATES)
        self._records: Kept[tuple[int, str], pl.DataFrame] = Kept(_RECORDS)

    def table(self, zone: str, mode: str) -> Held:
        """All usage by the days of a zone, at the costs of a mode."""
        return self._tables.get((zone, mode), lambda: self._table(zone, mode))

    def is_held(self, zone: str, mode: str) -> bool:
        """Whether `table` gives it within milliseconds, because nothing is to be read for it."""
        return (zone, mode) in self._before or (zone, mode) in self._tables.kept()

    def fine(self, query: Query) -> pl.DataFrame:
        """The rows of a query's range, as `held.fine` gives them and with their day: calls where 24 hours roll, else quarter-hours."""
        low: int | None
        high: int | None
        if query.since_us is not None:
            low, high = query.since_us, query.now_us + 1
            parts = [self.calls(day, query.cost_mode) for day in range(low // calendar.DAY_US, query.now_us // calendar.DAY_US + 1)]
        else:
            low, high = calendar.bounds(query.tz, query.first_day, query.last_day)
            first, last = "" if low is None else _month_at(low), "~" if high is None else _month_at(high)
            # Years before 1000 have fewer digits in the names of folders.
            months = [month for month in self._held_months() if first <= month.zfill(7) <= last]
            parts = [self._month(month, query.cost_mode) for month in months]
        if not parts:
            parts = [fine(sessions(measured(recosted(shelf.scan([], _CALLS), "auto"))), self.names)]
        at = pl.col("first")
        inside = [] if low is None else [at >= low]
        inside += [] if high is None else [at < high]
        day = pl.col("slot").dt.convert_time_zone(query.tz).dt.date().to_physical().alias("day")
        return pl.concat(part.filter(inside) if inside else part for part in parts).with_columns(day)

    def calls(self, day: int, mode: str) -> pl.DataFrame:
        """The calls of a UTC date, as `held.fine` gives them."""
        return self._dates.get((day, mode), lambda: fine(measured(recosted(self._date(day), mode)), self.names))

    def records(self, day: int, mode: str) -> pl.DataFrame:
        """The calls of a UTC date by time and key, with `held_records.TOLD`."""

        def read() -> pl.DataFrame:
            calls = self._date(day, TOLD) if mode == "auto" else recosted(self._date(day), mode).select(TOLD)
            found = calls.collect()
            # A file is in this order.
            return found if day not in self._fresh and found["at"].is_sorted() else found.sort("at", "key")

        return self._records.get((day, mode), read)

    def following(self, position: Position, made: Mapping[int, pl.DataFrame]) -> "Holding":
        """What is held at a later position, given the calls of all UTC dates that have changed since this one."""
        after = Holding(self._views, position, self.names, {**self._fresh, **made}, shared=self.shared)
        after._numbers = self._numbers
        changed = set(made)
        after._before = {key: (table, days | changed) for key, (table, days) in self._before.items()}
        after._before |= {key: (table, set(changed)) for key, table in self._tables.kept().items()}
        changed_months = {f"{date_of(day):%Y-%m}" for day in changed}
        after._months.take({key: rows for key, rows in self._months.kept().items() if key[0] not in changed_months})
        for kept, before in ((after._dates, self._dates), (after._records, self._records)):
            kept.take({key: rows for key, rows in before.kept().items() if key[0] not in changed})
        return after

    def fresh(self, day: int) -> pl.DataFrame | None:
        """The calls of a UTC date that is held beside the views."""
        return self._fresh.get(day)

    def rest(self) -> None:
        """Let go of what can be read again in milliseconds."""
        for kept in (self._months, self._dates, self._records):
            kept.forget()
        self._numbers.clear()

    def fresh_days(self) -> set[int]:
        """UTC dates that are held beside the views."""
        return set(self._fresh)

    def _table(self, zone: str, mode: str) -> Held:
        before = self._before.pop((zone, mode), None)
        if before is not None:
            table, days = before
            if not days:
                return table
            rows = pl.concat(measured(recosted(self._fresh[day].lazy(), mode)) for day in sorted(days))
            return renewed(table, fine(rows, self.names), days)
        if mode != "auto":
            dates = (fine(measured(recosted(self._date(day), mode)), self.names) for day in sorted(self._known_days()))
            return held(dates, zone, self.names)
        months = (self._standing(path) for path in shelf.files(self._views, _SESSIONS))
        return held(chain(months, map(self._added, self._fresh.values())), zone, self.names)

    def _month(self, month: str, mode: str) -> pl.DataFrame:
        return self._months.get((month, mode), lambda: self._read_month(month, mode))

    def _read_month(self, month: str, mode: str) -> pl.DataFrame:
        if mode != "auto":
            days = [day for day in self._known_days() if f"{date_of(day):%Y-%m}" == month]
            return pl.concat(fine(sessions(measured(recosted(self._date(day), mode))), self.names) for day in days)
        fresh = [self._added(calls) for day, calls in self._fresh.items() if f"{date_of(day):%Y-%m}" == month]
        return pl.concat([*map(self._standing, shelf.in_partition(self._views, _SESSIONS, f"month={month}")), *fresh])

    def _standing(self, path: str) -> pl.DataFrame:
        """The rows of a file of the session table but for dates that are fresh."""
        numbers = self._numbers.get(path)
        rows = fine(shelf.scan([path], _SESSIONS), self.names, numbers)
        if numbers is None:
            # Of a file that was read for another zone only numbers are read again: names take as long as all the rest.
            self._numbers[path] = rows.select("cell", "sid")
        fresh = [date_of(day) for day in self._fresh]
        return rows.filter(~rows["slot"].dt.date().is_in(fresh)) if fresh else rows

    def _added(self, calls: pl.DataFrame) -> pl.DataFrame:
        return fine(sessions(measured(recosted(calls.lazy(), "auto"))), self.names)

    def _date(self, day: int, columns: Sequence[str] = tuple(CALLS)) -> pl.LazyFrame:
        if day in self._fresh:
            return self._fresh[day].lazy().select(columns)
        paths = shelf.in_partition(self._views, _CALLS, f"date={date_of(day)}")
        if len(paths) == 1:
            # One small file is read at once in half the time that it takes to plan how.
            found = pl.read_parquet(paths[0], columns=list(columns), hive_partitioning=False)
            others = [pl.col(name).cast(CALLS[name]) for name, kind in found.schema.items() if kind != CALLS[name]]
            return (found.with_columns(others) if others else found).lazy()
        return shelf.scan(paths, _CALLS).select(columns)

    def _known_days(self) -> set[int]:
        dates = (date.fromisoformat(name.removeprefix("date=")) for name in shelf.partitions(self._views, _CALLS))
        return {each.toordinal() - date(1970, 1, 1).toordinal() for each in dates} | set(self._fresh)

    def _held_months(self) -> list[str]:
        there = {name.removeprefix("month=") for name in shelf.partitions(self._views, _SESSIONS)}
        return sorted(there | {f"{date_of(day):%Y-%m}" for day in self._fresh})


def _month_at(at_us: int) -> str:
    """The UTC month of an instant, of the first or last that can be written where it lies beyond."""
    return calendar.iso_month(min(max(at_us // calendar.DAY_US, calendar.FIRST_DAY), calendar.LAST_DAY))


def loaded(views: str, log: Log, terms: Terms, make: Callable[[], None] | None = None) -> Holding:
    """What is held of the log as it is. Views that are old are made by `make`, else here; what only a few dates lack is made in memory.

    Does not load anything yet.
    """
    for attempt in range(_PATIENCE):
        found = _standing(views, log, terms)
        if found is not None:
            return found
        if make is not None and attempt < _ATTEMPTS:
            make()
            continue
        position = log.position()
        with suppress(HeldElsewhere):
            materialize.refresh(views, log, terms)
            return Holding(views, position, Names(), {}, shared=bool(logged.foreign(log)))
        # Somebody else is making the views, of a log that may be a little older or, under the same terms, all that is asked for.
        sleep(0.1)
    raise HeldElsewhere("the views are being made by somebody else", where=views, mend="ask again in a moment")


def _standing(views: str, log: Log, terms: Terms) -> Holding | None:
    """What is held where the views lack no more than a few dates; None where they must be made."""
    mark, foreign = shelf.mark(views), logged.foreign(log)
    if mark is None or (mark.stamp, mark.zone) != (terms.stamp + foreign, terms.zone):
        return None
    changed = log.changed_days(mark.position)
    if changed is None or len(changed) > FRESH_DAYS:
        return None
    dates, months = (shelf.partitions(views, view) for view in (_CALLS, _SESSIONS))
    known = {date_of(day) for day in set(log.days()) - changed}
    if any(f"date={day}" not in dates or f"month={day:%Y-%m}" not in months for day in known):
        return None
    return followed(Holding(views, mark.position, Names(), {}, shared=bool(foreign)), views, log, terms)


def followed(before: Holding, views: str, log: Log, terms: Terms, make: Callable[[], None] | None = None) -> Holding:
    """What is held of the log as it is now, under the same terms: `before` itself where nothing has changed."""
    made = None
    with log.snapshot():
        position = log.position()
        if position == before.position:
            return before
        changed = log.changed_days(before.position)
        if changed is None or len(before.fresh_days() | changed) > FRESH_DAYS:
            changed = None
        elif not before.shared and all(placement.machines(log.home, date_of(day)) <= {log.machine} for day in changed):
            made = _made(before, changed, log, terms)
    if changed is None:
        return loaded(views, log, terms, make)
    return before.following(position, _made_elsewhere(changed, log, terms) if made is None else made)


def _made_elsewhere(changed: set[int], log: Log, terms: Terms) -> dict[int, pl.DataFrame]:
    """The calls of UTC dates that have changed, where some of them are on other machines too."""
    calls = materialize.calls_of(log, terms, changed)
    dates = calls["at"].dt.date()
    return {day: calls.filter(dates == date_of(day)) for day in changed}


def _made(before: Holding, changed: set[int], log: Log, terms: Terms) -> dict[int, pl.DataFrame]:
    """The calls of UTC dates that have changed; of those that are held only the calls that were touched are read."""
    touched = log.touched(before.position)
    made = {}
    for day in changed:
        held = before.fresh(day)
        if held is None or touched is None:
            made[day] = current.calls(log, terms, day)
        else:
            keys = touched.get(day, set())
            kept = held.filter(~pl.col("key").is_in(list(keys)))
            made[day] = pl.concat([kept, current.calls(log, terms, day, keys)], rechunk=True)
    return made
