"""The views, kept up to date: which dates are out of date, and the order in which all is made.

Decides when a view is old. What is in the views is decided by `calls`, `sessions`, `cube` and `catalog`; `logged` reads the log, `shelf`
keeps the files.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import date
from functools import partial
from typing import NamedTuple, TypeVar

import polars as pl

from pipeline.errors import Damaged, Held
from pipeline.log import Log
from pipeline.questions import Position
from views import logged, shelf
from views.calls import costed, counted, folded, listed, owned, rated, recosted
from views.catalog import VIEWS, Frames
from views.columns import CALLS
from views.cube import cube, measured
from views.logged import Content, date_of
from views.sessions import sessions
from views.terms import Terms

T = TypeVar("T")

_CALLS, _SESSIONS, _CUBE = VIEWS[:3]


class Made(NamedTuple):
    """What a refresh did."""

    dates: int
    """UTC dates made anew."""
    calls: int
    """Calls on those dates."""
    whole: bool
    """Whether nothing of the old views was kept."""


def refresh(views: str, log: Log, terms: Terms, *, full: bool = False, progress: Callable[[int], None] | None = None) -> Made:
    """Bring all views up to the log's position; `full` makes all of them anew.

    Only dates that changed since are made again, unless rules, prices, settings or the log's epoch have changed. `progress` is told the
    rows done. Raises Held while another process makes the views.
    """
    with shelf.locked(views):
        for _ in range(3):
            # A compaction may put another file in the place of some while they are being read; then the log is looked at again.
            with suppress(FileNotFoundError):
                return _refreshed(views, log, terms, None if full else shelf.mark(views), progress)
        with _whole(log):
            return _refreshed(views, log, terms, None, progress)


def _refreshed(views: str, log: Log, terms: Terms, known: shelf.Mark | None, progress: Callable[[int], None] | None) -> Made:
    due = _due(views, log, terms, known)
    if due.keep and known == due.mark and not due.days and not due.lacking and shelf.has_roll_ups(views):
        return Made(0, 0, whole=False)
    with shelf.Writer(views, due.mark) as writer:
        calls = _make(views, writer, due, terms, progress)
        _roll_up(views, writer, due, terms)
        writer.publish(whole=not due.keep)
    return Made(len(due.days), calls, whole=not due.keep)


def stand(views: str, log: Log, terms: Terms) -> bool:
    """Whether the views are of the log as it is, other machines' segments included, and of these terms."""
    return shelf.mark(views) == _mark(log.position(), logged.foreign(log), terms)


def asked(views: str, log: Log, terms: Terms, question: Callable[[Frames], T]) -> T:
    """What `question` makes of the three views as of the log's position; put again when files are replaced while it reads them, and
    after all views were made anew where one cannot be read."""
    try:
        for _ in range(3):
            # Another process may publish newer files while these are being read.
            with suppress(FileNotFoundError):
                return question(current(views, log, terms))
        with _whole(log):
            return question(current(views, log, terms))
    except pl.exceptions.ComputeError:
        refresh(views, log, terms, full=True)
        return question(_standing(views))


@contextmanager
def _whole(log: Log) -> Iterator[None]:
    """A file that is not there, however often it is looked for, is damage if the journal names it."""
    try:
        yield
    except FileNotFoundError:
        missing = [segment.path for segment in log.segments() if not os.path.exists(segment.path)]
        if not missing:
            raise
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise Damaged(f"the segment is not there{more}", where=missing[0], mend="ringlet doctor --repair") from None


def current(views: str, log: Log, terms: Terms) -> Frames:
    """The three views as of the log's position, refreshed; while another process makes them, what is old is made in memory instead."""
    try:
        refresh(views, log, terms)
    except Held:
        return read(views, log, terms)
    return _standing(views)


def read(views: str, log: Log, terms: Terms) -> Frames:
    """The three views as of the log's position, without writing: dates that are out of date are made in memory."""
    due = _due(views, log, terms, shelf.mark(views))
    again = due.days | {day for day in due.content.days() if _month(day) in due.lacking}
    if not again:
        return _standing(views)
    good = [date_of(day) for day in sorted(due.content.days() - again)]
    folders = shelf.partitions(views, _CALLS)
    calls = [shelf.scan([path for day in good for path in shelf.in_folder(folders[f"date={day}"])], _CALLS)]
    wanted = pl.col("slot").dt.date().is_in(good)
    tables, cubes = ([shelf.scan(shelf.files(views, view), view).filter(wanted)] for view in (_SESSIONS, _CUBE))
    lost = logged.lost(due.content)
    for _, part in logged.ahead(due.content, again, partial(_part, terms=terms, lost=lost)):
        calls.append(part.calls.lazy())
        tables.append(part.sessions.lazy())
        cubes.append(cube(tables[-1]))
    return Frames(pl.concat(calls), pl.concat(tables), pl.concat(cubes))


def calls_of(log: Log, terms: Terms, days: set[int]) -> pl.DataFrame:
    """The calls (`columns.CALLS`) of some UTC days as of the log's position, by time; nothing is written."""
    content = logged.look(log)
    there = days & content.days()
    if not there:
        return pl.DataFrame(schema=CALLS)
    return listed(_priced(logged.rows(content, there), terms, logged.lost(content)))


def _standing(views: str) -> Frames:
    return Frames(*(shelf.scan(shelf.files(views, view), view) for view in (_CALLS, _SESSIONS, _CUBE)))


class _Due(NamedTuple):
    """What must be made."""

    content: Content
    mark: shelf.Mark
    """What the views say of themselves afterwards."""
    days: set[int]
    """UTC days whose calls are out of date."""
    lacking: set[str]
    """Months without their part of the session table or the cube."""
    keep: bool
    """Whether the views of all other days still hold."""


def _due(views: str, log: Log, terms: Terms, known: shelf.Mark | None) -> _Due:
    content = logged.look(log, None if known is None else known.position)
    mark = _mark(content.position, content.foreign, terms)
    days = content.days()
    everything = _Due(content, mark, days, set(), keep=False)
    if known is None or content.changed is None or known.stamp != mark.stamp:
        return everything
    dates, *tables = (shelf.partitions(views, view) for view in (_CALLS, _SESSIONS, _CUBE))
    due = set(content.changed) | {day for day in days if f"date={date_of(day)}" not in dates}
    # Calls of several machines hang together across dates, so one more row may change any date.
    if due and content.foreign:
        return everything
    lacking = {_month(day) for day in days if any(_month(day) not in table for table in tables)}
    return _Due(content, mark, due, lacking, keep=True)


def _mark(position: Position, foreign: str, terms: Terms) -> shelf.Mark:
    return shelf.Mark(position, terms.stamp + foreign, terms.zone)


def _make(views: str, writer: shelf.Writer, due: _Due, terms: Terms, progress: Callable[[int], None] | None) -> int:
    """Write what is due of the three views; how many calls the days hold. A month is summed up once it is whole: memory stays bounded."""
    tables: dict[str, list[pl.DataFrame]] = {month: [] for month in sorted({_month(day) for day in due.days} | due.lacking)}

    def sum_up(month: str) -> None:
        if due.keep:
            others = [date_of(day) for day in due.content.days() - due.days if _month(day) == month]
            tables[month].append(_kept(views, month, others))
        table = pl.concat(tables.pop(month)).sort("slot")
        writer.write(_SESSIONS, month, table)
        writer.write(_CUBE, month, cube(table.lazy()))

    make = partial(_part, terms=terms, lost=logged.lost(due.content))
    done = counted = 0
    # One run over all months: the next one is begun while one is summed up.
    for batch, part in logged.ahead(due.content, due.days, make, apart=_month):
        for month in [month for month in tables if month < _month(batch[0])]:
            sum_up(month)
        tables[_month(batch[0])].append(part.sessions)
        dates = part.calls["at"].dt.date()
        for day in batch:
            start, end = (int(dates.search_sorted(date_of(day), side)) for side in ("left", "right"))
            writer.write(_CALLS, f"date={date_of(day)}", part.calls[start:end])
        counted, done = counted + part.calls.height, done + part.rows
        if progress is not None:
            progress(done)
    for month in list(tables):
        sum_up(month)
    return counted


def _kept(views: str, month: str, dates: list[date]) -> pl.DataFrame:
    """The session table of some dates of one month as it stands, or, where that is gone, from their calls."""
    folder = shelf.partitions(views, _SESSIONS).get(month)
    if folder is not None:
        return shelf.scan(shelf.in_folder(folder), _SESSIONS).filter(pl.col("slot").dt.date().is_in(dates)).collect()
    folders = shelf.partitions(views, _CALLS)
    calls = shelf.scan([path for day in sorted(dates) for path in shelf.in_folder(folders[f"date={day}"])], _CALLS)
    return sessions(measured(recosted(calls, "auto"))).collect(engine="streaming")


def _roll_up(views: str, writer: shelf.Writer, due: _Due, terms: Terms) -> None:
    """Write the views that follow from the session table and the cube, which are staged or, for months that are not due, stand."""
    wanted = {_month(day) for day in due.content.days()}
    tables = []
    for view in (_SESSIONS, _CUBE):
        months = {**shelf.partitions(views, view), **writer.staged(view)}
        tables.append(shelf.scan([path for month in sorted(wanted) for path in shelf.in_folder(months[month])], view))
    frames = Frames(shelf.scan([], _CALLS), *tables)
    roll_ups = [(view, view.roll_up(frames, terms.zone)) for view in VIEWS if view.roll_up is not None]
    # Collected together they read the two tables once.
    for (view, _), rows in zip(roll_ups, pl.collect_all([made for _, made in roll_ups], engine="streaming"), strict=True):
        writer.write(view, None, rows)


class _Part(NamedTuple):
    """What the rows of some whole UTC days come to."""

    rows: int
    calls: pl.DataFrame
    """`columns.CALLS`, by time."""
    sessions: pl.DataFrame


def _part(rows: pl.DataFrame, *, terms: Terms, lost: pl.DataFrame | None) -> _Part:
    priced = _priced(rows, terms, lost)
    return _Part(rows.height, listed(priced), sessions(measured(priced.lazy())).collect())


def _priced(rows: pl.DataFrame, terms: Terms, lost: pl.DataFrame | None) -> pl.DataFrame:
    """The calls of whole UTC days, owned and priced, by time."""
    calls = counted(owned(folded(rows, lost=lost), terms.attribution), terms.attribution.captured_from)
    return costed(rated(calls, terms.rates, steps=terms.steps, is_timed=terms.is_timed).lazy()).collect()


def _month(day: int) -> str:
    return f"month={date_of(day):%Y-%m}"
