"""What the views answer to each question."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sizes import times
from tests.views.frames import row, views
from views import calendar
from views.answers import answer
from views.calls import recosted
from views.catalog import Frames
from views.cube import measured
from views.query import ATTO, GROUPINGS, Answer, Query

MAY = calendar.day_of(2026, 5, 1)
UTC_US = 86_400_000_000


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def query(**facts: Any) -> Query:
    made = {"now_us": (MAY + 30) * UTC_US, "today": MAY + 30, "tz": "UTC", **facts}
    return Query(**made)


def keys(found: Answer) -> list[str | None]:
    return [line.key for line in found.rows]


def test_empty_store_adds_up_to_zero() -> None:
    """Without any call every sum is 0, the cost too, and there is no last day."""
    found = answer(query(by="model"), views())

    assert (found.totals.requests, found.totals.cost, found.rows, found.last_day) == (0, 0, [], None)


def test_sums_per_model() -> None:
    """Rows hold the sums of their group, the dearest first; a group without any price has no cost and counts its calls."""

    def rates(*shape: Any) -> Any:
        return None if shape[1] == "new" else (10**12,) * 7

    made = [row(key="a", model="m", input=5, output=1), row(key="b", model="m", input=7), row(key="c", model="new", input=1)]
    found = answer(query(by="model"), views(*made, rates=rates))

    assert [(line.key, line.requests, line.input, line.output, line.cost) for line in found.rows] == [
        ("m", 2, 12, 1, 13 * 10**12),
        ("new", 1, 1, 0, None),
    ]
    assert (found.totals.cost, found.totals.unpriced_requests, found.unpriced_models) == (13 * 10**12, 1, ["new"])


def test_local_models_are_unbilled() -> None:
    """A call of a local provider counts its tokens, has no cost and is not called unpriced."""
    found = answer(query(by="provider"), views(row(provider="ollama", input=5)))

    assert (found.totals.input, found.totals.cost, found.totals.unbilled_requests, found.totals.unpriced_requests) == (5, None, 1, 0)


def test_every_day_of_the_range_has_a_row() -> None:
    """Days without a call stand between the others with zeros and a cost of zero."""
    made = views(row(key="a", at=at("2026-05-01T10:00"), input=5), row(key="b", at=at("2026-05-03T10:00")))
    found = answer(query(by="day", first_day=MAY, last_day=MAY + 3), made)

    assert [(line.key, line.requests, line.cost) for line in found.rows][:2] == [("2026-05-01", 1, 15 * 10**12), ("2026-05-02", 0, 0)]
    assert keys(found) == ["2026-05-01", "2026-05-02", "2026-05-03", "2026-05-04"]


def test_days_are_those_of_the_zone() -> None:
    """A call at 23:50 UTC on 1 May is on 2 May in Kolkata (+05:30) and outside of a range that ends on 1 May there."""
    made = views(row(at=at("2026-05-01T18:30"), key="a"), row(at=at("2026-05-01T18:29:59"), key="b"))

    found = answer(query(by="day", first_day=MAY, last_day=MAY, tz="Asia/Kolkata"), made)

    assert [(line.key, line.requests) for line in found.rows] == [("2026-05-01", 1)]


def test_empty_range_names_the_last_day_with_data() -> None:
    """Where the range holds no call, the answer names the last local day that has one under the filters."""
    made = views(row(at=at("2026-05-01T18:30"), model="m"), row(at=at("2026-05-09T18:30"), model="n", key="b"))

    found = answer(query(first_day=MAY + 20, last_day=MAY + 20, model="m", tz="Asia/Kolkata"), made)

    assert (found.totals.requests, found.last_day) == (0, MAY + 1)


def test_hours_of_a_clock_change_stay_apart() -> None:
    """When clocks go back, the hour that comes twice has two rows with two offsets."""
    made = views(row(at=at("2026-10-25T00:30"), key="a"), row(at=at("2026-10-25T01:30"), key="b"))

    assert keys(answer(query(by="hour", tz="Europe/Berlin", today=MAY + 200), made)) == ["2026-10-25T02:00+02:00", "2026-10-25T02:00+01:00"]


@pytest.mark.parametrize(("week_start", "key"), [(0, "2026-04-27"), (6, "2026-04-26"), (4, "2026-05-01")])
def test_weeks_begin_on_the_day_that_is_asked_for(week_start: int, key: str) -> None:
    """1 May 2026 is a Friday: its week begins on Monday 27 April, Sunday 26 April or on that Friday."""
    made = views(row(at=at("2026-05-01T10:00")))

    assert keys(answer(query(by="week", week_start=week_start, first_day=MAY, last_day=MAY), made)) == [key]


def test_months() -> None:
    """A month's row holds the days of that month in the zone."""
    made = views(row(at=at("2026-04-30T23:00"), key="a", input=1), row(at=at("2026-05-01T10:00"), key="b", input=2))

    found = answer(query(by="month", tz="Europe/Berlin"), made)

    assert [(line.key, line.input) for line in found.rows] == [("2026-05", 3)]


def test_runtime_counts_only_the_range() -> None:
    """Runtime is the time from a session's first to its last call inside the range, summed over sessions; a single call lasts no time."""
    made = views(
        row(key="a", session="s1", at=at("2026-04-30T23:00")),
        row(key="b", session="s1", at=at("2026-05-01T00:10")),
        row(key="c", session="s1", at=at("2026-05-01T00:40:30")),
        row(key="d", session="s2", at=at("2026-05-01T05:00")),
        row(key="e", session=None, at=at("2026-05-01T06:00")),
    )
    totals = answer(query(first_day=MAY, last_day=MAY), made).totals

    assert (totals.sessions, totals.runtime_us, totals.requests) == (2, 1830 * 1_000_000, 4)
    assert totals.last_at_us == MAY * UTC_US + 6 * 3_600_000_000


def test_one_session_id_of_two_agents_is_two_sessions() -> None:
    """Sessions are told apart by agent and id."""
    made = views(row(key="a", agent="claude", session="1"), row(key="b", agent="codex", session="1"))

    assert answer(query(), made).totals.sessions == 2


def test_session_rows_have_title_and_project() -> None:
    """A session's row names the title that its agent's log gives and the project it worked in last."""
    made = views(row(key="a", at=at("2026-05-01T10:00"), project="/a"), row(key="b", at=at("2026-05-01T10:01"), project="/b"))
    line = answer(query(by="session"), made, titles={("claude", "s1"): "Shop"}).rows[0]

    assert (line.key, line.title, line.project, line.agents, line.requests) == ("s1", "Shop", "/b", ("claude",), 2)


def test_filters_hold_together() -> None:
    """Of several filters all must hold; a model's id also means the same id with a date."""
    made = views(
        row(key="a", model="m-20250929", profile="work"),
        row(key="b", model="m", profile="home"),
        row(key="c", model="m-mini", profile="work"),
    )

    assert keys(answer(query(by="model", model="m", profile="work"), made)) == ["m-20250929"]


def test_last_24_hours_roll() -> None:
    """`24h` counts calls from exactly that instant on, not whole quarter-hours or days."""
    made = views(row(key="a", at=at("2026-05-01T10:07:00")), row(key="b", at=at("2026-05-01T10:07:01")))
    since = calendar.day_of(2026, 5, 1) * UTC_US + (10 * 3600 + 7 * 60 + 1) * 1_000_000

    assert answer(query(first_day=MAY, last_day=MAY + 1, since_us=since, now_us=since + UTC_US), made).totals.requests == 1


def test_limit_leaves_totals_whole() -> None:
    """`limit` cuts rows; the totals stay those of all calls, and the profile rows are all there."""
    made = views(row(key="a", model="x", profile="p", input=5), row(key="b", model="y", profile="q", input=7))
    found = answer(query(by="model", limit=1), made)

    assert (keys(found), found.totals.input, [line.key for line in found.profiles]) == (["y"], 12, ["q", "p"])


CALL = st.fixed_dictionaries(
    {
        "at": st.integers(0, 40 * 24 * 3600 * 1000).map(lambda ms: at("2026-03-10T00:00") + timedelta(milliseconds=ms)),
        "session": st.sampled_from(["s1", "s2", None]),
        "initiator": st.sampled_from(["main", "subagent", "task", "heartbeat", "memory"]),
        "model": st.sampled_from(["m", "m-20250929", "n", None]),
        "agent": st.sampled_from(["claude", "codex"]),
        "profile": st.sampled_from(["work", None]),
        "project": st.sampled_from(["/a/shop", "/b", None]),
        "provider": st.sampled_from(["anthropic", "ollama", None]),
        "input": st.integers(0, 2**40),
        "output": st.integers(0, 10**6),
    }
)
ASKED = st.fixed_dictionaries(
    {
        "by": st.sampled_from(GROUPINGS),
        "tz": st.sampled_from(["UTC", "Asia/Kathmandu", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia"]),
        "first_day": st.sampled_from([None, MAY - 51, MAY - 40]),
        "last_day": st.sampled_from([None, MAY - 39, MAY - 20]),
        "week_start": st.integers(0, 6),
        "model": st.sampled_from([None, "m", "n*"]),
        "profile": st.sampled_from([None, "work"]),
        "project": st.sampled_from([None, "shop"]),
        "session": st.sampled_from([None, "s1"]),
        "initiator": st.sampled_from([None, None, "main", "task", "heartbeat"]),
        "source": st.sampled_from([None, None, "chat", "agent", "memory"]),
        "split": st.none() | st.sampled_from(GROUPINGS),
    }
)


def shown(found: Answer) -> Any:
    def numbers(totals: Any) -> dict[str, Any]:
        slots = {name for kind in type(totals).__mro__ for name in getattr(kind, "__slots__", ())}
        return {name: getattr(totals, name) for name in slots if name != "query"}

    return numbers(found.totals), [numbers(line) for line in found.rows], [numbers(line) for line in found.profiles], found.last_day


INITIATOR = {"main": "main", "subagent": "task", "task": "task", "memory": "task", "heartbeat": "heartbeat"}
SOURCE = {"main": "chat", "subagent": "agent", "task": "agent", "heartbeat": "agent", "memory": "memory"}


def by_hand(calls: list[dict[str, Any]], asked: Query) -> tuple[int, int, int, int]:
    """requests, input, sessions and runtime by a loop over calls."""
    begin = -(10**18) if asked.first_day is None else calendar.midnights(asked.tz, asked.first_day, asked.first_day)[0]
    end = 10**18 if asked.last_day is None else calendar.midnights(asked.tz, asked.last_day + 1, asked.last_day + 1)[0]
    wanted = {"profile": asked.profile, "project": asked.project and "/a/shop", "session": asked.session}
    spans: dict[tuple[str, str], list[int]] = {}
    count = tokens = 0
    for call in calls:
        us = (call["at"] - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
        named = all(value in (None, call[name]) for name, value in wanted.items())
        named = named and asked.initiator in (None, INITIATOR[call["initiator"]]) and asked.source in (None, SOURCE[call["initiator"]])
        if begin <= us < end and named and (call["model"] or ("-" if asked.model else "")).startswith((asked.model or "").rstrip("*")):
            count, tokens = count + 1, tokens + call["input"]
            if call["session"]:
                spans.setdefault((call["agent"], call["session"]), []).append(us)
    return count, tokens, len(spans), sum(max(times) - min(times) for times in spans.values())


@settings(max_examples=times(40), deadline=None)
@given(st.lists(CALL, max_size=12), ASKED)
def test_cube_and_calls_give_one_answer(calls: list[dict[str, Any]], facts: dict[str, Any]) -> None:
    """Every grouping, filter, range and zone has one answer, from the cube and the session table as from single calls, and it is right."""
    made = views(*(row(key=str(number), **call) for number, call in enumerate(calls)))
    single = measured(recosted(made.calls, "auto"))
    asked = query(**facts)
    found = answer(asked, made)

    assert shown(found) == shown(answer(asked, Frames(made.calls, single, single)))
    totals = found.totals
    assert (totals.requests, totals.input, totals.sessions, totals.runtime_us) == by_hand(calls, asked)
    assert sum(line.requests for line in found.rows) == totals.requests


def test_money_of_an_answer_is_exact() -> None:
    """Costs are attodollars to the last digit: 2^40 tokens at 3.000000000001 dollars per million."""
    made = views(row(input=2**40), rates=lambda *_: (3_000_000_000_001, *(0,) * 6))

    assert answer(query(), made).totals.cost == 2**40 * 3_000_000_000_001 > ATTO
