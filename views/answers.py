"""Answers from the views: any question that `views.query` can put, whatever its grouping, filters, period and zone.

Decides which view a question is answered from. Whole quarter-hours at the usual prices come from the cube, with sessions and runtimes from
the session table; the rolling 24 hours and other cost modes need single calls. What a name matches and how rows stand is `views.query`'s.
"""

from collections.abc import Mapping
from typing import Any

import polars as pl

from views import calendar
from views.calls import recosted
from views.catalog import Frames
from views.columns import COSTS, TOKENS, attodollars
from views.cube import measured
from views.matching import INITIATORS, MATCHES, SOURCES
from views.query import Answer, Query, Row, Totals, arrange
from views.sessions import presence

_COARSE = {"initiator": INITIATORS, "source": SOURCES}
_COUNTS = ("requests", *TOKENS, "reasoning", "web_searches", "unpriced_requests", "unbilled_requests")
_COSTS = {part: f"cost_{part.removesuffix('_cost')}" for part in COSTS}
_KEYS = ("_key", "_part")
_NAMES = {"profile": "profiles", "agent": "agents", "provider": "providers", "model": "models"}


def answer(query: Query, views: Frames, *, titles: Mapping[tuple[str, str], str] | None = None) -> Answer:
    """What the calls in the query's range and filters add up to; `titles` names sessions by (agent, session)."""
    sums, spans = _sources(query, views)
    # When anything was last done the session table tells as well as ten million calls.
    every = filtered(query, views.sessions if sums is spans else sums)
    sums, spans = ranged(query, filtered(query, sums)), ranged(query, filtered(query, spans))
    asked = [
        *_grouped(query, (query.by, query.split), sums, spans),
        *_grouped(query, ("profile", None), sums, spans),
        *_grouped(query, (None, None), sums, spans),
        every.select(pl.col("slot").max()),
        sums.filter(pl.col("unpriced_requests") > 0).select(pl.col("model").cast(pl.String).fill_null("unknown").unique().sort()),
    ]
    rows, row_spans, profiles, profile_spans, total, total_span, last, unpriced = pl.collect_all(asked, engine="streaming")
    totals, last_slot = _totals(total, total_span), last.item()
    return Answer(
        query,
        totals,
        arrange(query, _rows(query, rows, row_spans, titles or {})),
        lambda: arrange(query.grouped("profile"), _rows(query.grouped("profile"), profiles, profile_spans, {})),
        last_day=None if totals.requests or last_slot is None else calendar.day_at(query.tz, int(last_slot.timestamp()) * 1_000_000),
        unpriced_models=unpriced.to_series().to_list(),
    )


def calls_of(query: Query, views: Frames) -> pl.LazyFrame:
    """The calls in the query's range and filters, with their parts of cost under its cost mode, as `cube.measured` leaves them; by time."""
    return ranged(query, filtered(query, measured(recosted(views.calls, query.cost_mode)))).sort("at", "key")


def _sources(query: Query, views: Frames) -> tuple[pl.LazyFrame, pl.LazyFrame]:
    """What sums and what sessions are taken from."""
    if query.since_us is not None or query.cost_mode != "auto":
        calls = measured(recosted(views.calls, query.cost_mode))
        return calls, calls
    by_session = "session" in (query.by, query.split) or query.session is not None
    return views.sessions if by_session else views.cube, views.sessions


def filtered(query: Query, rows: pl.LazyFrame) -> pl.LazyFrame:
    """The rows of a view that all filters of the query hold for."""
    for name, wanted in query.filters().items():
        if name in MATCHES:
            column = "initiator" if name in _COARSE else name
            known = rows.select(pl.col(column).unique().cast(pl.String)).collect().to_series()
            matching = [value for value in known if MATCHES[name](wanted, value)]
            rows = rows.filter(pl.col(column).cast(pl.String).is_in(matching))
        else:
            rows = rows.filter(pl.col(name) == wanted)
    return rows


def ranged(query: Query, rows: pl.LazyFrame) -> pl.LazyFrame:
    """The rows (with slot, or at where 24 hours roll) in the query's range."""
    if query.since_us is not None:
        return rows.filter(pl.col("at").is_between(_instant(query.since_us), _instant(query.now_us)))
    # Zones' midnights stand at whole quarter-hours, so a slot never lies on both sides of one.
    if query.first_day is not None:
        rows = rows.filter(pl.col("slot") >= _instant(calendar.midnights(query.tz, query.first_day, query.first_day)[0]))
    if query.last_day is not None:
        rows = rows.filter(pl.col("slot") < _instant(calendar.midnights(query.tz, query.last_day + 1, query.last_day + 1)[0]))
    return rows


def _instant(at_us: int) -> pl.Expr:
    return pl.lit(at_us).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


def _group_key(query: Query, by: str) -> pl.Expr:
    """The key of a row's group, as `query.Row` defines it."""
    if by in _COARSE:
        named = {fine: name for name, those in _COARSE[by].items() for fine in those}
        return pl.col("initiator").cast(pl.String).replace_strict(named, default=None, return_dtype=pl.String)
    if by not in ("day", "hour", "week", "month"):
        return pl.col(by).cast(pl.String)
    local = pl.col("slot").dt.convert_time_zone(query.tz)
    if by == "hour":
        return local.dt.strftime("%Y-%m-%dT%H:00%:z")
    if by == "month":
        return local.dt.strftime("%Y-%m")
    day = local.dt.date()
    if by == "week":
        day = day.dt.offset_by(pl.format("-{}d", (day.dt.weekday() + 6 - query.week_start) % 7))
    return day.dt.strftime("%Y-%m-%d")


def _grouped(query: Query, by: tuple[str | None, str | None], sums: pl.LazyFrame, spans: pl.LazyFrame) -> list[pl.LazyFrame]:
    """Sums per group, and sessions and runtime per group; one row for a grouping None."""
    keys = [(pl.lit("") if one is None else _group_key(query, one)).alias(name) for one, name in zip(by, _KEYS, strict=True)]
    numbers = [
        *(pl.col(name).sum() for name in _COUNTS),
        *(attodollars(pl.col(part)).sum().alias(name) for part, name in _COSTS.items()),
        *(pl.col(name).unique().cast(pl.String).drop_nulls().sort().alias(names) for name, names in _NAMES.items()),
    ]
    if by[0] == "session":
        numbers.append(pl.col("project").cast(pl.String).sort_by("last_at").drop_nulls().last())
        numbers.append(pl.col("initiator").unique().cast(pl.String).drop_nulls().sort().alias("_initiators"))
    return [sums.with_columns(keys).group_by(_KEYS).agg(numbers), presence(spans.with_columns(keys), _KEYS)]


def _numbers(sums: Mapping[str, Any], span: Mapping[str, Any]) -> dict[str, Any]:
    taken = {name: sums[name] or 0 for name in (*_COUNTS, *_COSTS.values())}
    return {**taken, **{name: span[name] for name in ("sessions", "runtime_us", "first_at_us", "last_at_us")}}


def _spans(spans: pl.DataFrame) -> dict[tuple[str | None, str | None], dict[str, Any]]:
    epoch = [pl.col(name).dt.epoch("us").alias(f"{name}_us") for name in ("first_at", "last_at")]
    return {(row["_key"], row["_part"]): row for row in spans.select(*_KEYS, "sessions", "runtime_us", *epoch).iter_rows(named=True)}


def _totals(sums: pl.DataFrame, spans: pl.DataFrame) -> Totals:
    found = _spans(spans)
    return Totals(**_numbers(sums.row(0, named=True), found["", ""])) if found else Totals()


def _rows(query: Query, sums: pl.DataFrame, spans: pl.DataFrame, titles: Mapping[tuple[str, str], str]) -> list[Row]:
    found = _spans(spans)
    rows = []
    for group in sums.iter_rows(named=True):
        row = Row(group["_key"], **_numbers(group, found[group["_key"], group["_part"]]))
        row.part = group["_part"] if query.split is not None else None
        for names in _NAMES.values():
            setattr(row, names, tuple(group[names]))
        if query.by == "session":
            row.project, row.initiators = group["project"], tuple(group["_initiators"])
            row.title = next((titles[agent, row.key] for agent in row.agents if row.key is not None and (agent, row.key) in titles), None)
        rows.append(row)
    return rows
