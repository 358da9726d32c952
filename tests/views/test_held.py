"""What is held in memory answers as the views do."""

from datetime import date, timedelta
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sizes import times
from tests.views.frames import row, views
from tests.views.test_answers import ASKED, CALL, MAY, UTC_US, at, query
from views import answers
from views.calls import recosted
from views.catalog import Frames
from views.cube import measured
from views.held import Held, Names, fine, held, renewed
from views.held_answers import answer
from views.query import SORTS, TIME_GROUPINGS, Answer, Query, Row, Totals


def quarters(rows: pl.LazyFrame, tz: str, known: Held) -> pl.DataFrame:
    found = fine(rows, known.names)
    return found.with_columns(pl.col("slot").dt.convert_time_zone(tz).dt.date().to_physical().alias("day"))


def of(made: Frames, tz: str) -> Held:
    names = Names()
    return held([fine(made.sessions, names)], tz, names)


def answered(asked: Query, made: Frames, known: Held | None = None) -> Answer:
    found = known or of(made, asked.tz)
    rows = measured(recosted(made.calls, "auto")) if asked.since_us is not None else made.sessions
    return answer(asked, found, fine=lambda: quarters(answers.ranged(asked, rows), asked.tz, found))


def shown(found: Answer, *, named: bool) -> Any:
    """All that an answer says; without `named` but for the names that occur in a group."""
    names = ("profiles", "agents", "providers", "models")

    def numbers(line: Totals) -> dict[str, Any]:
        slots = {*Totals.__slots__, *(Row.__slots__ if isinstance(line, Row) else ())}
        return {name: getattr(line, name) for name in slots if named or name not in names}

    totals = {name: getattr(found.totals, name) for name in Totals.__slots__}
    rows, profiles = ([numbers(line) for line in lines] for lines in (found.rows, found.profiles))
    return totals, rows, profiles, found.last_day, list(found.unpriced_models)


EPOCH = date(1970, 1, 1).toordinal()
SORTED = st.none() | st.builds(lambda key, way: key + way, st.sampled_from(SORTS), st.sampled_from(["", ":asc", ":desc"]))


def timed(asked: Query) -> bool:
    return bool({asked.by, asked.split} & set(TIME_GROUPINGS))


@settings(max_examples=times(60), deadline=None)
@given(st.lists(CALL, max_size=12), ASKED, SORTED, st.none() | st.integers(1, 3))
def test_held_answers_are_the_views_answers(
    calls: list[dict[str, Any]], facts: dict[str, Any], sort: str | None, limit: int | None
) -> None:
    """Every grouping, pair of groupings, filter, range, zone, order and limit: all numbers, names and the order of rows are equal."""
    made = views(*(row(key=str(number), **call) for number, call in enumerate(calls)))
    asked = query(**facts, sort=sort, limit=limit)

    assert shown(answered(asked, made), named=not timed(asked)) == shown(answers.answer(asked, made), named=not timed(asked))


DENSE = st.fixed_dictionaries(
    {
        "at": st.integers(0, 4 * 24 * 4).map(lambda quarter: at("2026-03-27T00:00") + timedelta(minutes=15 * quarter)),
        "session": st.sampled_from(["s1", "s2", "s3", "s4", None]),
        "model": st.sampled_from(["m", "m", "m", "n"]),
    }
)
CLOSE = st.fixed_dictionaries(
    {
        "by": st.sampled_from(["model", "profile", "day", "week", "session"]),
        "tz": st.sampled_from(["UTC", "Europe/Berlin", "America/New_York"]),
        "first_day": st.integers(MAY - 37, MAY - 32),
        "last_day": st.integers(MAY - 37, MAY - 32),
        "model": st.sampled_from([None, "m"]),
    }
)


@settings(max_examples=times(80), deadline=None)
@given(st.lists(DENSE, max_size=30), CLOSE)
def test_sessions_over_several_days_count_once(calls: list[dict[str, Any]], facts: dict[str, Any]) -> None:
    """Sessions that go on over midnight, pause for days or change their model: distinct ones and their runtime are right in every range."""
    made = views(*(row(key=str(number), **call) for number, call in enumerate(calls)))
    asked = query(**facts)

    assert shown(answered(asked, made), named=False) == shown(answers.answer(asked, made), named=False)


@settings(max_examples=times(60), deadline=None)
@given(st.lists(DENSE, max_size=20), st.lists(DENSE, max_size=20), CLOSE)
def test_what_followed_the_log_is_what_is_made_anew(
    before: list[dict[str, Any]], after: list[dict[str, Any]], facts: dict[str, Any]
) -> None:
    """When dates change, calls come or go, and sessions are prolonged or cut, what is held says what it would say made from all calls."""
    changed = {call["at"].date() for call in after}
    kept = [call for call in before if call["at"].date() not in changed]
    old = views(*(row(key=f"a{number}", **call) for number, call in enumerate(before)))
    new = views(*(row(key=f"b{number}", **call) for number, call in enumerate([*kept, *after])))
    asked = query(**facts)
    days = {day.toordinal() - EPOCH for day in changed}
    rows = new.sessions.filter(pl.col("slot").dt.date().is_in(sorted(changed)))
    known = of(old, asked.tz)
    grown = renewed(known, fine(rows, known.names), days) if days else known

    assert shown(answered(asked, new, grown), named=False) == shown(answers.answer(asked, new), named=False)


def test_last_24_hours_are_single_calls() -> None:
    """`24h` counts calls from exactly that instant on, whatever quarter-hour or day they fall in."""
    made = views(row(key="a", at=at("2026-05-01T10:07:00")), row(key="b", at=at("2026-05-01T10:07:01")))
    since = (MAY * 24 + 10) * 3_600_000_000 + (7 * 60 + 1) * 1_000_000

    assert answered(query(first_day=MAY, last_day=MAY + 1, since_us=since, now_us=since + UTC_US), made).totals.requests == 1
