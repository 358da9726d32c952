"""The views, kept up to date: which dates are out of date, and the order in which all is made.

Decides when a view is old. What is in the views is decided by `calls`, `sessions`, `cube` and `catalog`; `logged` reads the log, `shelf`
keeps the files.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple, TypeVar

import polars as pl

from pipeline.errors import Held
from pipeline.log import Log
from views import logged, shelf
from views.calls import costed, folded, listed, owned, rated
from views.catalog import VIEWS, Frames
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
        known = None if full else shelf.mark(views)
        content, stale, keep = _look(views, log, terms, known)
        mark = shelf.Mark(content.position, terms.stamp, terms.zone)
        if keep and not stale and known == mark:
            return Made(0, 0, whole=False)
        with shelf.Writer(views, mark) as writer:
            calls = _make(views, writer, content, stale, terms, keep=keep, progress=progress)
            standing = {_month(day) for day in content.days()} if keep else set()
            tables = []
            for view in (_SESSIONS, _CUBE):
                months = {name: path for name, path in shelf.partitions(views, view).items() if name in standing} | writer.staged(view)
                tables.append(shelf.scan([path for _, folder in sorted(months.items()) for path in shelf.in_folder(folder)], view))
            frames = Frames(shelf.scan([], _CALLS), *tables)
            rolled = [view for view in VIEWS if view.roll_up is not None]
            rows = pl.collect_all([view.roll_up(frames, terms.zone) for view in rolled if view.roll_up], engine="streaming")
            for view, found in zip(rolled, rows, strict=True):
                writer.write(view, None, found)
            writer.publish(whole=not keep)
    return Made(len(stale), calls, whole=not keep)


def asked(views: str, log: Log, terms: Terms, question: Callable[[Frames], T]) -> T:
    """What `question` makes of the three views as of the log's position; put again when files are replaced while it reads them."""
    for _ in range(3):
        # Another process may publish newer files while these are being read.
        with suppress(FileNotFoundError):
            return question(current(views, log, terms))
    return question(current(views, log, terms))


def current(views: str, log: Log, terms: Terms) -> Frames:
    """The three views as of the log's position, refreshed; while another process makes them, what is old is made in memory instead."""
    try:
        refresh(views, log, terms)
    except Held:
        return read(views, log, terms)
    return _standing(views)


def read(views: str, log: Log, terms: Terms) -> Frames:
    """The three views as of the log's position, without writing: dates that are out of date are made in memory."""
    content, stale, _ = _look(views, log, terms, shelf.mark(views))
    if not stale:
        return _standing(views)
    good = [date_of(day) for day in sorted(content.days() - stale)]
    folders = shelf.partitions(views, _CALLS)
    calls = [shelf.scan([path for day in good for path in shelf.in_folder(folders[f"date={day}"])], _CALLS)]
    wanted = pl.col("slot").dt.date().is_in(good)
    tables, cubes = ([shelf.scan(shelf.files(views, view), view).filter(wanted)] for view in (_SESSIONS, _CUBE))
    lost = logged.lost(content)
    for _, rows in logged.ahead(content, stale):
        made = _calls(rows, terms, lost)
        calls.append(listed(made).lazy())
        tables.append(sessions(measured(made.lazy())).collect().lazy())
        cubes.append(cube(tables[-1]))
    return Frames(pl.concat(calls), pl.concat(tables), pl.concat(cubes))


def _standing(views: str) -> Frames:
    return Frames(*(shelf.scan(shelf.files(views, view), view) for view in (_CALLS, _SESSIONS, _CUBE)))


def _look(views: str, log: Log, terms: Terms, known: shelf.Mark | None) -> tuple[Content, set[int], bool]:
    """The log, the UTC days whose views are out of date, and whether the views of all other days still hold."""
    content = logged.look(log, None if known is None else known.position)
    # Calls of several machines hang together across dates, so one more row may change any date.
    if known is None or content.changed is None or known.stamp != terms.stamp or len(content.machines()) > 1:
        return content, content.days(), False
    dates, *months = (shelf.partitions(views, view) for view in (_CALLS, _SESSIONS, _CUBE))
    missing = {day for day in content.days() if f"date={date_of(day)}" not in dates or any(_month(day) not in there for there in months)}
    return content, set(content.changed) | missing, True


def _make(
    views: str, writer: shelf.Writer, content: Content, stale: set[int], terms: Terms, *, keep: bool, progress: Callable[[int], None] | None
) -> int:
    """Write the stale dates of the three views, month by month so that memory stays bounded; how many calls they hold."""
    lost = logged.lost(content)
    standing = shelf.partitions(views, _SESSIONS) if keep else {}
    months: dict[str, set[int]] = {}
    for day in sorted(stale):
        months.setdefault(_month(day), set()).add(day)
    done = counted = 0
    for month, days in months.items():
        tables = []
        for batch, rows in logged.ahead(content, days):
            calls = _calls(rows, terms, lost)
            tables.append(sessions(measured(calls.lazy())).collect(engine="streaming"))
            by_time = listed(calls)
            dates = by_time["at"].dt.date()
            for day in sorted(batch):
                start, end = (int(dates.search_sorted(date_of(day), side)) for side in ("left", "right"))
                writer.write(_CALLS, f"date={date_of(day)}", by_time[start:end])
            counted, done = counted + by_time.height, done + rows.height
            if progress is not None:
                progress(done)
        if month in standing:
            kept = ~pl.col("slot").dt.date().is_in([date_of(day) for day in sorted(days)])
            tables.append(shelf.scan(shelf.in_folder(standing[month]), _SESSIONS).filter(kept).collect())
        table = pl.concat(tables).sort("slot")
        writer.write(_SESSIONS, month, table)
        writer.write(_CUBE, month, cube(table.lazy()).collect(engine="streaming"))
    return counted


def _calls(rows: pl.DataFrame, terms: Terms, lost: pl.DataFrame | None) -> pl.DataFrame:
    """The calls of whole UTC days, owned and priced, by time."""
    calls = owned(folded(rows, lost=lost), terms.attribution)
    return costed(rated(calls, terms.rates, steps=terms.steps, is_timed=terms.is_timed).lazy()).collect()


def _month(day: int) -> str:
    return f"month={date_of(day):%Y-%m}"
