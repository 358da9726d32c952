"""Rows of an answer: what is held, grouped and named.

Decides how sessions and runtimes of a group are counted, and what a row tells beside its sums. Which rows are grouped is decided by
`views.held_answers`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from views.held import Cell, Names
from views.held_columns import NUMBERS, STEADY, WEIGHTS, Line
from views.held_keys import key_of
from views.query import TIME_GROUPINGS, Query, Row

Titles = Mapping[tuple[str, str], str]
"""Titles of sessions by (agent, session)."""

_KEYS = ("_key", "_part")
_NO_COST = pl.Series([None], dtype=pl.Int128)


_COUNT = len(NUMBERS)


def row_of(key: str | None, part: str | None, line: Line, cells: Sequence[Cell] = ()) -> Row:
    """A row of an answer."""
    # Everything is set here, so the values that a new row begins with would only cost time.
    row = Row.__new__(Row)
    row.key, row.part = key, part
    row.title = row.project = None
    row.initiators = row.profiles = row.agents = row.providers = row.models = ()
    # Written out, because a table of days does it for every day and `setattr` takes three times as long.
    (
        row.requests,
        row.input,
        row.output,
        row.cache_read,
        row.cache_write_5m,
        row.cache_write_1h,
        row.reasoning,
        row.web_searches,
        row.cost_input,
        row.cost_output,
        row.cost_cache_write,
        row.cost_cache_read,
        row.cost_other,
        row.unpriced_requests,
        row.unbilled_requests,
        row.sessions,
        row.runtime_us,
        row.first_at_us,
        row.last_at_us,
    ) = line
    if cells:
        columns = zip(*cells, strict=True)
        row.profiles, row.agents, row.providers, row.models = (_distinct(next(columns)) for _ in range(4))
    return row


def presence(rows: pl.DataFrame, by: list[str]) -> dict[tuple[Any, ...], tuple[int, int]]:
    """Sessions and their runtime per distinct `by`; all rows have a session."""
    if rows.is_empty():
        return {}
    spans = rows.group_by(*by, "sid").agg(pl.col("first").min(), pl.col("last").max())
    found = spans.group_by(by).agg(pl.len(), (pl.col("last") - pl.col("first")).sum())
    return {tuple(keys): (count, runtime) for *keys, count, runtime in found.iter_rows()}


def by_days(rows: pl.DataFrame, shared: pl.DataFrame | None, by: tuple[str | None, str | None], query: Query, names: Names) -> list[Row]:
    """Rows by days, weeks or months, alone or together with what a cell names; without `shared` they say nothing of sessions.

    In:  rows as `Held.daily`, or where no name is asked for as `Held.whole`; shared as `Held.shared`
    """
    depth = 1 if by[1] is None else 2
    key, part = (key_of(one, rows, names, query) for one in by)
    others = {}
    if shared is not None and not shared.is_empty():
        more = [key_of(one, shared, names, query).numbers.alias(name) for one, name in zip(by[:depth], _KEYS, strict=False)]
        others = presence(shared.with_columns(more), list(_KEYS[:depth]))
    if by == ("day", None) and "cell" not in rows.columns:
        # They are added up already.
        sums = rows.select("day", *NUMBERS, *STEADY[:2], "first", "last")
    else:
        keys = [each.numbers.alias(name) for each, name in zip((key, part)[:depth], _KEYS, strict=False)]
        sessions = [pl.lit(0).alias(name) for name in STEADY[:2]] if shared is None else _sessions(by, query)
        sums = rows.group_by(keys).agg(pl.col(NUMBERS).sum(), *sessions, pl.col("first").min(), pl.col("last").max())
    keys_named, parts_named = (
        {number: each.name(number) for number in set(sums.to_series(place))} for each, place in ((key, 0), (part, depth - 1))
    )
    found = []
    for line in sums.rows():
        row = row_of(keys_named[line[0]], parts_named[line[depth - 1]], line[depth:])
        if shared is None:
            row.sessions = row.runtime_us = 0
        elif others:
            count, runtime = others.get(line[:depth], (0, 0))
            row.sessions, row.runtime_us = row.sessions + count, row.runtime_us + runtime
        found.append(row)
    return found


def _sessions(by: tuple[str | None, str | None], query: Query) -> list[pl.Expr]:
    """Sessions and their runtime of each group of rows as of `Held.daily`."""
    began, lasted, joined, between = map(pl.col, STEADY)
    joins = _joins(by, query)
    return [began.sum() - (joined * joins).sum(), lasted.sum() + (between * joins).sum()]


def _joins(by: tuple[str | None, str | None], query: Query) -> pl.Expr:
    """Whether the day before is of the same group, and of the range."""
    day = pl.col("day")
    found = pl.lit(value=True) if query.first_day is None else day != query.first_day
    for one in by:
        if one == "day":
            return pl.lit(value=False)
        if one == "week":
            found &= (day + 3 - query.week_start) % 7 != 0
        elif one == "month":
            found &= day.cast(pl.Date).dt.day() != 1
    return found


def by_rows(
    rows: pl.DataFrame,
    by: tuple[str | None, str | None],
    query: Query,
    names: Names,
    titles: Titles,
    *,
    spans: bool,
    limited: bool,
) -> list[Row]:
    """Rows by anything; without `spans` those by time say nothing of sessions, `limited`: those that the query's limit cuts off may lack.

    In:  rows as `Held.sessions`, or finer ones
    """
    key, part = (key_of(one, rows, names, query) for one in by)
    timed = bool(set(by) & set(TIME_GROUPINGS))
    told = [pl.col("cell").unique()] if not timed or by[0] == "session" else []
    others = {}
    # One key is grouped in half the time that two take, the more so where rows stand in its order.
    depth = 1 if by[1] is None else 2
    keys = [each.numbers.alias(name) for each, name in zip((key, part)[:depth], _KEYS, strict=False)]
    # Where no two agents use one name a session is a group of its own: it is one, and lasts from its first call to its last.
    single = by == ("session", None) and not names.shared_names
    if spans or not timed or by[0] == "session":
        # What is a column already is put beside the others in no time.
        ready = [each for each in keys if isinstance(each, pl.Series)]
        rows = rows.hstack(ready) if len(ready) == depth else rows.with_columns(keys)
        keys = [pl.col(name) for name in _KEYS[:depth]]
        if limited and by == ("session", None):
            rows = _foremost(rows, query, names)
        if by[0] == "session":
            projects = pl.Series(
                "_project", [None if cell[5] is None else number for number, cell in enumerate(names.cells)], dtype=pl.UInt32
            )
            rows = rows.hstack([projects[rows["cell"]]])
            told.append(pl.col("_project").sort_by("last").drop_nulls().last())
        if not single:
            alone = pl.col("alone") if "alone" in rows.columns else pl.lit(value=False)
            told.append(alone.sum().cast(pl.Int64).alias("_sessions"))
            told.append((pl.col("last") - pl.col("first")).filter(alone).sum().alias("_runtime"))
            others = presence(rows.filter(~alone & pl.col("sid").is_not_null()), list(_KEYS[:depth]))
    sums = rows.group_by(keys).agg(pl.col(NUMBERS).sum(), pl.col("first").min(), pl.col("last").max(), *told)
    at = {name: place for place, name in enumerate(sums.columns)}
    end = depth + _COUNT
    found = []
    for line in sums.rows():
        sessions, runtime = (line[at["_sessions"]], line[at["_runtime"]]) if "_sessions" in at else (0, 0)
        if single and line[0] is not None:
            sessions, runtime = 1, line[end + 1] - line[end]
        if others:
            more, longer = others.get(line[:depth], (0, 0))
            sessions, runtime = sessions + more, runtime + longer
        cells = [names.cells[cell] for cell in line[at["cell"]]] if "cell" in at else ()
        row = row_of(key.name(line[0]), part.name(line[depth - 1]), (*line[depth:end], sessions, runtime, *line[end : end + 2]), cells)
        if by[0] == "session":
            project = line[at["_project"]]
            row.project = None if project is None else names.cells[project][5]
            row.title = next((titles[agent, row.key] for agent in row.agents if row.key is not None and (agent, row.key) in titles), None)
            row.initiators = _distinct([cell[4] for cell in cells])
        found.append(row)
    return found


def _foremost(rows: pl.DataFrame, query: Query, names: Names) -> pl.DataFrame:
    """The rows of those sessions that the query's limit leaves; of all, where that is not easily told.

    Of tens of thousands of sessions a page shows ten: only for these it is worth to work out everything.
    """
    key, _, direction = (query.sort or "cost").partition(":")
    values = _WEIGHTS.get(key)
    if query.limit is None or values is None:
        return rows
    sums = _by_session(rows, values, names)
    if query.limit >= sums.height:
        return rows
    downward = direction != "asc"
    # To sort all by five columns takes longer than everything else: those that cannot be among the first are left out before.
    if values and downward:
        value = sums["cost"].zip_with(sums["priced"] > 0, _NO_COST) if key == "cost" else sums[values[0]]
        least = value.top_k(query.limit).min() if value.len() - value.null_count() >= query.limit else None
        sums = sums if least is None else _filtered(sums, value >= least)
    if sums.height > query.limit:
        # A session without any price has no cost, which comes after every cost, be it 0.
        order = [pl.col(name) > 0 if name == "priced" else pl.col(name) for name in values]
        name = names.ranked_sessions().gather(sums["_key"])
        by_name = [key == "name" and direction == "desc"] * 2
        sums = sums.sort([*order, name.is_null(), name], descending=[downward] * len(order) + by_name).head(query.limit)
    return rows[rows["_key"].is_in(sums["_key"].implode(), nulls_equal=True).arg_true()]


_WEIGHTS: dict[str, tuple[str, ...]] = {
    "cost": ("priced", "cost", "tokens"),
    "tokens": ("tokens",),
    "input": ("prompt",),
    "output": ("output",),
    "requests": ("requests",),
    "last-used": ("last",),
    "name": (),
}
"""By sort key: the columns that decide which of two sessions comes first."""


def _by_session(rows: pl.DataFrame, values: Sequence[str], names: Names) -> pl.DataFrame:
    """`values` per `_key`, added up, but of `last` the last."""
    if not set(values).issubset(rows.columns):
        rows = rows.with_columns(WEIGHTS)
    told = rows.select("_key", *values)
    added = [pl.col(name).max() if name == "last" else pl.col(name).sum() for name in values]
    if "alone" not in rows.columns or names.shared_names:
        return told.group_by("_key").agg(added)
    # Most sessions have but one row: it is their sum.
    alone = rows["alone"]
    return _filtered(told, alone).vstack(_filtered(told, ~alone).group_by("_key").agg(added))


def _filtered(rows: pl.DataFrame, wanted: pl.Series) -> pl.DataFrame:
    """Some rows of few columns: one by one that takes a third of the time."""
    return pl.DataFrame([column.filter(wanted) for column in rows.get_columns()])


def _distinct(names: Sequence[str | None]) -> tuple[str, ...]:
    """The names that occur, a to z."""
    if len(names) == 1:
        return () if names[0] is None else (names[0],)
    return tuple(sorted({name for name in names if name is not None}))
