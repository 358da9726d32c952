"""When a hook on spend is due: the law of windows and thresholds, and the moment of a daily report."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sizes import times
from views import alerts, calendar
from views.alerts import GRACE_US, Spend, Watch, Window
from views.query import ATTO
from views.snapshot_text import Day
from views.tally import NUMBERS

EPOCH = date(1970, 1, 1)
WEDNESDAY = (date(2026, 5, 13) - EPOCH).days


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1_000_000)


def names(watch: Watch, now: str, *, tz: str = "UTC", week_start: int = 0) -> list[str]:
    return [window.name for window in alerts.windows(watch, at(now), tz=tz, week_start=week_start)]


def due(watch: Watch, spent: dict[int, int], now: str, *, decided: set[tuple[str, str]] | None = None, tz: str = "UTC") -> list[str]:
    """Names of the windows that are due; `spent` is dollars by day of the profile `work`."""
    days = {day: {"work": Spend(requests=1, cost=dollars * ATTO)} for day, dollars in spent.items()}
    return [each.window.name for each in alerts.due([watch], days, decided or set(), at(now), tz=tz, week_start=0)]


def threshold(period: alerts.Period, dollars: int = 10) -> Watch:
    return Watch(hook="h", profile="work", period=period, threshold=dollars * ATTO)


def test_a_window_is_the_day_week_or_month_of_now() -> None:
    """A day, a week that begins as the calendar says, and a month, each with a name of its own and both ends included."""
    now = at("2026-05-13T12:00:00Z")
    periods: tuple[alerts.Period, ...] = ("day", "week", "month")
    found = {period: alerts.windows(threshold(period), now, tz="UTC", week_start=0) for period in periods}
    sunday = alerts.windows(threshold("week"), now, tz="UTC", week_start=6)

    assert found == {
        "day": [Window("day 2026-05-13", WEDNESDAY, WEDNESDAY)],
        "week": [Window("week 2026-05-11", WEDNESDAY - 2, WEDNESDAY + 4)],
        "month": [Window("month 2026-05", WEDNESDAY - 12, WEDNESDAY + 18)],
    }
    assert sunday == [Window("week 2026-05-10", WEDNESDAY - 3, WEDNESDAY + 3)]


def test_days_are_those_of_the_zone() -> None:
    """What is Wednesday noon in London is Thursday in Kiritimati, fourteen hours ahead."""
    assert names(threshold("day"), "2026-05-13T12:00:00Z", tz="Pacific/Kiritimati") == ["day 2026-05-14"]


def test_a_threshold_is_due_once_reached() -> None:
    """Not a cent below it, and from exactly it on; once decided it is not due again, however much more is spent."""
    watch, noon = threshold("day"), "2026-05-13T12:00:00Z"

    assert due(watch, {WEDNESDAY: 9}, noon) == []
    assert due(watch, {WEDNESDAY: 10}, noon) == ["day 2026-05-13"]
    assert due(watch, {WEDNESDAY: 900}, noon, decided={("h", "day 2026-05-13")}) == []
    assert due(watch, {WEDNESDAY: 10}, noon, decided={("other", "day 2026-05-13")}) == ["day 2026-05-13"]


def test_other_windows_are_never_due() -> None:
    """What was spent yesterday, last month or, by a clock that is wrong, tomorrow, is no reason to tell anybody."""
    noon = "2026-05-13T12:00:00Z"

    assert due(threshold("day"), {WEDNESDAY - 1: 500, WEDNESDAY + 1: 500}, noon) == []
    assert due(threshold("month"), {WEDNESDAY - 13: 500, WEDNESDAY + 19: 500}, noon) == []
    assert due(threshold("month"), {WEDNESDAY - 12: 4, WEDNESDAY: 6}, noon) == ["month 2026-05"]


def test_the_last_moments_of_a_window_are_not_passed_over() -> None:
    """For a minute after midnight the day before is still looked at, beside the new one; then no more."""
    assert names(threshold("day"), "2026-05-14T00:00:59Z") == ["day 2026-05-13", "day 2026-05-14"]
    assert names(threshold("day"), "2026-05-14T00:01:00Z") == ["day 2026-05-14"]
    assert names(threshold("month"), "2026-06-01T00:00:10Z") == ["month 2026-05", "month 2026-06"]
    assert names(threshold("month"), "2026-05-14T00:00:10Z") == ["month 2026-05"]


def test_another_profiles_spend_does_not_count() -> None:
    """A hook looks at its own profile."""
    days = {WEDNESDAY: {"other": Spend(requests=1, cost=900 * ATTO)}}

    assert alerts.due([threshold("day")], days, set(), at("2026-05-13T12:00:00Z"), tz="UTC", week_start=0) == []


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-05-13T08:59:59Z", []),
        ("2026-05-13T09:00:00Z", ["report 2026-05-12"]),
        ("2026-05-13T23:59:59Z", ["report 2026-05-12"]),
        ("2026-05-14T00:00:00Z", []),
    ],
)
def test_a_report_is_due_from_its_time_to_the_end_of_the_day(now: str, expected: list[str]) -> None:
    """From its minute on, and later on the same day where nobody was watching then; it is about the day before, spent or not."""
    assert due(Watch(hook="h", profile="work", at_minute=540), {}, now) == expected


def test_a_report_begins_with_the_first_time_after_its_hook_was_made() -> None:
    """A hook made in the afternoon does not report in the afternoon because its time was in the morning."""
    watch = Watch(hook="h", profile="work", at_minute=540, since_us=at("2026-05-13T15:00:00Z"))

    assert (names(watch, "2026-05-13T15:00:01Z"), names(watch, "2026-05-14T09:00:00Z")) == ([], ["report 2026-05-13"])


def test_a_time_of_day_is_that_of_the_zones_clock() -> None:
    """09:00 in Berlin is 07:00 UTC in summer and 08:00 in winter; 02:30 on the day that has none comes at 03:30 (01:30 UTC)."""
    days = [(date(2026, month, day) - EPOCH).days for month, day in ((7, 1), (12, 1), (3, 29))]

    assert alerts.moment("Europe/Berlin", days[0], 540) == at("2026-07-01T07:00:00Z")
    assert alerts.moment("Europe/Berlin", days[1], 540) == at("2026-12-01T08:00:00Z")
    assert alerts.moment("Europe/Berlin", days[2], 150) == at("2026-03-29T01:30:00Z")


def test_only_the_days_of_windows_are_counted() -> None:
    """A month is counted up to today, a report's day is yesterday, and before its time it needs no day at all."""
    now = at("2026-05-13T10:00:00Z")
    month = alerts.days_of([threshold("month")], now, tz="UTC", week_start=0)
    report = alerts.days_of([Watch(hook="h", profile="work", at_minute=540)], now, tz="UTC", week_start=0)
    early = alerts.days_of([Watch(hook="h", profile="work", at_minute=700)], now, tz="UTC", week_start=0)

    assert (month, report, early) == (set(range(WEDNESDAY - 12, WEDNESDAY + 1)), {WEDNESDAY - 1}, set())


def test_a_counted_day_is_summed_by_profile() -> None:
    """Prompts are input and all of the cache; costs are the five parts; calls without a price or a bill are counted beside them."""
    day = Day()
    numbers = dict.fromkeys(NUMBERS, 0) | {"requests": 3, "input": 1, "cache_read": 20, "cache_write_5m": 300, "cache_write_1h": 4000}
    numbers |= {"output": 7, "cost_input": 1, "cost_output": 2, "cost_cache_write": 3, "cost_cache_read": 4, "cost_other": 5}
    numbers |= {"unpriced_requests": 1, "unbilled_requests": 1}
    for model in ("a", "b"):
        day.cells["work", "claude", "anthropic", model, "main"] = [*numbers.values(), 0, 0]
    day.cells["home", "claude", "anthropic", "a", "main"] = [1, *[0] * (len(NUMBERS) - 1), 0, 0]

    assert alerts.by_profile(day) == {
        "work": Spend(requests=6, prompt=8642, output=14, cost=30, unpriced=2, unbilled=2),
        "home": Spend(requests=1),
    }


ZONES = ("UTC", "Europe/Berlin", "America/St_Johns", "Pacific/Apia")
START = datetime(2026, 3, 27, 21, tzinfo=UTC)
"""Before a change of the clock in Europe and the end of a month."""
STEPS = st.lists(st.tuples(st.integers(0, 40 * 3600), st.integers(-3 * 86400, 3600), st.integers(0, 8)), max_size=40)


@settings(max_examples=times(60), deadline=None)
@given(st.sampled_from(ZONES), st.integers(0, 6), st.sampled_from(("day", "week", "month")), st.integers(1, 25), STEPS)
def test_the_law(zone: str, week_start: int, period: alerts.Period, limit: int, steps: list[tuple[int, int, int]]) -> None:
    """However time passes, calls arrive late and watchers look: a window is due at the first look that finds it reached while it lasts, or
    within the grace after its end, and never again."""
    watch = threshold(period, limit)
    place = ZoneInfo(zone)
    decided: set[tuple[str, str]] = set()
    calls: list[tuple[date, int]] = []
    told: set[tuple[date, date]] = set()
    now = START
    for passes, offset, dollars in steps:
        now += timedelta(seconds=passes)
        calls.append(((now + timedelta(seconds=offset)).astimezone(place).date(), dollars))
        today = now.astimezone(place).date()
        expected = set()
        for moment in (now, now - timedelta(microseconds=GRACE_US)):
            first, last = span(moment.astimezone(place).date(), period, week_start)
            if (first, last) not in told and sum(usd for day, usd in calls if first <= day <= min(last, today)) >= limit:
                expected.add((first, last))
        days: dict[int, dict[str, Spend]] = {}
        for day, usd in calls:
            days.setdefault((day - EPOCH).days, {}).setdefault("work", Spend()).add(Spend(requests=1, cost=usd * ATTO))
        now_us = int(now.timestamp()) * 1_000_000
        wanted = alerts.days_of([watch], now_us, tz=zone, week_start=week_start)
        found = alerts.due([watch], {day: days[day] for day in wanted if day in days}, decided, now_us, tz=zone, week_start=week_start)

        reached = {(EPOCH + timedelta(each.window.first_day), EPOCH + timedelta(each.window.last_day)) for each in found}
        assert reached == expected
        told |= reached
        decided |= {("h", each.window.name) for each in found}
        assert len(decided) == len(told), "two windows share a name"


def span(day: date, period: str, week_start: int) -> tuple[date, date]:
    """First and last day of the window of `day`, by the standard library's calendar."""
    if period == "day":
        return day, day
    if period == "week":
        first = day - timedelta((day.weekday() - week_start) % 7)
        return first, first + timedelta(6)
    following = (day.replace(day=1) + timedelta(32)).replace(day=1)
    return day.replace(day=1), following - timedelta(1)


def test_days_are_numbered_as_everywhere() -> None:
    """The day of a window is the calendar's day number."""
    assert calendar.iso_day(WEDNESDAY) == "2026-05-13"
