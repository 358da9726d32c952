"""Which views there are, how each is made, and how it lies on disk.

Decides names, partitions and definitions of the views. Who writes them, and when, is `materialize`'s business.
"""

from collections.abc import Callable
from typing import NamedTuple

import polars as pl

from views.columns import CALLS, COSTS, COUNTS, CUBE, INSTANT, MEASURES, NAME, SESSIONS
from views.cube import rolled_up
from views.sessions import presence


class Frames(NamedTuple):
    """The three views that all questions are answered from."""

    calls: pl.LazyFrame
    sessions: pl.LazyFrame
    cube: pl.LazyFrame


class View(NamedTuple):
    """One view: a folder under `views/` with Parquet files."""

    name: str
    what: str
    """One line for people."""
    columns: dict[str, pl.DataType]
    partition: str | None
    """`date` or `month`: one folder of files each; None: one file."""
    roll_up: Callable[[Frames, str], pl.LazyFrame] | None = None
    """How the view follows from the three, given the zone of calendar days; None: it is one of the three."""


_SPAN = {"sessions": pl.Int64(), "runtime_s": pl.Float64(), "first_at": INSTANT, "last_at": INSTANT}


def _roll_up(*by: str) -> Callable[[Frames, str], pl.LazyFrame]:
    def roll_up(frames: Frames, zone: str) -> pl.LazyFrame:  # noqa: ARG001
        return _joined(frames.cube, frames.sessions, by)

    return roll_up


def _by_time(name: str, key: Callable[[pl.Expr], pl.Expr]) -> Callable[[Frames, str], pl.LazyFrame]:
    def roll_up(frames: Frames, zone: str) -> pl.LazyFrame:
        local = key(pl.col("slot").dt.convert_time_zone(zone)).alias(name)
        return _joined(frames.cube.with_columns(local), frames.sessions.with_columns(local), (name,))

    return roll_up


def _by_session(frames: Frames, zone: str) -> pl.LazyFrame:  # noqa: ARG001
    by = ("agent", "session")
    # Calls without a session are in the sums of a row without one, and of nobody's project or profile.
    owned = frames.sessions.filter(pl.col("session").is_not_null())
    told = owned.group_by(by).agg(
        pl.col("parent_session").drop_nulls().min(),
        # A session may move between projects and profiles; it is shown under the last of each.
        *(pl.col(name).sort_by("last_at", "slot").last() for name in ("profile", "project")),
    )
    return _joined(frames.sessions, frames.sessions, by).join(told, on=by, how="left", maintain_order="left").select(*_BY_SESSION)


def _joined(sums: pl.LazyFrame, spans: pl.LazyFrame, by: tuple[str, ...]) -> pl.LazyFrame:
    seconds = (pl.col("runtime_us") / 1_000_000).alias("runtime_s")
    return (
        rolled_up(sums, by)
        .join(presence(spans, by).with_columns(seconds), on=by, how="left", nulls_equal=True)
        .sort(by, nulls_last=True)
        .select(*by, *COUNTS, *COSTS, "cost_usd", *_SPAN)
    )


_BY_SESSION = {
    **dict.fromkeys(("agent", "session", "parent_session", "profile", "project"), NAME),
    **MEASURES,
    **{name: kind for name, kind in _SPAN.items() if name != "sessions"},
}


def _named(name: str, what: str, *by: str) -> View:
    return View(name, what, {**dict.fromkeys(by, NAME), **MEASURES, **_SPAN}, None, _roll_up(*by))


VIEWS = (
    View("calls", "each call once, with its owner and its price", CALLS, "date"),
    View("sessions", "usage per quarter-hour, session and dimension", SESSIONS, "month"),
    View("cube", "usage per quarter-hour and dimension", CUBE, "month"),
    _named("by_profile", "usage per profile", "profile"),
    _named("by_model", "usage per provider and model", "provider", "model"),
    _named("by_provider", "usage per provider", "provider"),
    _named("by_agent", "usage per agent", "agent"),
    _named("by_project", "usage per project", "project"),
    View("by_day", "usage per calendar day", {"day": pl.Date(), **MEASURES, **_SPAN}, None, _by_time("day", lambda at: at.dt.date())),
    View(
        "by_hour",
        "usage per hour of the clock",
        {"hour": INSTANT, **MEASURES, **_SPAN},
        None,
        _by_time("hour", lambda at: at.dt.truncate("1h").dt.convert_time_zone("UTC")),
    ),
    View("by_session", "usage per session", _BY_SESSION, None, _by_session),
)
"""All views, in the order in which they are made."""
