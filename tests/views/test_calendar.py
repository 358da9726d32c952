"""Calendar days, periods and zones."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import available_timezones

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from views import calendar

DAYS = st.dates(min_value=date(1, 1, 1), max_value=date(9999, 12, 31))


def day(text: str) -> int:
    found = calendar.parse_day(text)
    assert found is not None
    return found


def us(text: str) -> int:
    return (datetime.fromisoformat(text).astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


@given(DAYS)
def test_days_are_those_of_the_gregorian_calendar(at: date) -> None:
    """Every date is its distance from 1970-01-01, reads and writes as ISO 8601, and knows its weekday."""
    number = (at - date(1970, 1, 1)).days

    assert calendar.day_of(at.year, at.month, at.day) == number
    assert calendar.civil(number) == (at.year, at.month, at.day)
    assert (calendar.iso_day(number), calendar.parse_day(at.isoformat())) == (at.isoformat(), number)
    assert calendar.weekday(number) == at.weekday()


@pytest.mark.parametrize(
    "text", ["2026-02-29", "2026-13-01", "2026-00-10", "2026-1-01", "26-01-01", "today", "", "2026-01-32", "٢٠٢٦-01-01"]
)
def test_what_is_no_date_is_no_day(text: str) -> None:
    """Only a whole, existing ISO date names a day."""
    assert calendar.parse_day(text) is None


@pytest.mark.parametrize(
    ("period", "first", "last"),
    [
        ("today", "2026-05-13", "2026-05-13"),
        ("yesterday", "2026-05-12", "2026-05-12"),
        ("week", "2026-05-11", "2026-05-13"),
        ("last-week", "2026-05-04", "2026-05-10"),
        ("month", "2026-05-01", "2026-05-13"),
        ("last-month", "2026-04-01", "2026-04-30"),
        ("7d", "2026-05-07", "2026-05-13"),
        ("30d", "2026-04-14", "2026-05-13"),
        ("1d", "2026-05-13", "2026-05-13"),
        ("year", "2026-01-01", "2026-05-13"),
        ("24h", "2026-05-12", "2026-05-13"),
    ],
)
def test_periods_are_calendar_days_that_include_today(period: str, first: str, last: str) -> None:
    """On Wednesday 2026-05-13 each period covers exactly these days."""
    assert calendar.days(period, day("2026-05-13"), week_start=0) == (day(first), day(last))


def test_week_begins_where_the_user_says() -> None:
    """With weeks from Sunday, the week of Wednesday 2026-05-13 begins on the 10th."""
    assert calendar.days("week", day("2026-05-13"), week_start=6) == (day("2026-05-10"), day("2026-05-13"))


@pytest.mark.parametrize("period", ["fortnight", "0d", "d", "-3d", "7 d", "", "1234567d", "7D"])
def test_unknown_period_is_refused(period: str) -> None:
    """What is no period raises instead of meaning something near it."""
    with pytest.raises(ValueError, match="no period"):
        calendar.days(period, 20_000, week_start=0)


def test_a_day_begins_at_local_midnight() -> None:
    """Berlin's 2026-03-29 begins at 23:00Z and lasts 23 hours, 2026-10-25 lasts 25."""
    spring = calendar.midnights("Europe/Berlin", day("2026-03-29"), day("2026-03-30"))
    autumn = calendar.midnights("Europe/Berlin", day("2026-10-25"), day("2026-10-26"))

    assert spring == [us("2026-03-28T23:00:00+00:00"), us("2026-03-29T22:00:00+00:00")]
    assert autumn[1] - autumn[0] == 25 * calendar.HOUR_US


def test_a_day_without_midnight_begins_with_the_clock_change() -> None:
    """In Santiago the clock goes from 24:00 to 01:00 on 2026-09-06: the day begins at 04:00Z."""
    assert calendar.midnights("America/Santiago", day("2026-09-06"), day("2026-09-06")) == [us("2026-09-06T04:00:00+00:00")]


@given(
    st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2035, 1, 1)),  # noqa: DTZ001 (hypothesis takes naive bounds)
    st.sampled_from(["UTC", "Asia/Kathmandu", "America/St_Johns"]),
)
def test_an_instant_falls_on_its_local_day(at: datetime, zone: str) -> None:
    """The day of an instant is the date that a clock of the zone shows."""
    instant = at.replace(tzinfo=UTC)
    at_us = us(instant.isoformat())
    local = instant.astimezone(calendar.zone(zone)).date()

    assert calendar.day_at(zone, at_us) == (local - date(1970, 1, 1)).days


def test_midnights_tell_the_day_without_a_zone_database() -> None:
    """With the midnights of three days at hand, instants inside them have a day and all others have none."""
    starts = calendar.midnights("Europe/Berlin", 20_000, 20_003)

    assert [
        calendar.day_under(starts, 20_000, at) for at in (starts[0] - 1, starts[0], starts[1] - 1, starts[1], starts[3] - 1, starts[3])
    ] == [
        None,
        20_000,
        20_000,
        20_001,
        20_002,
        None,
    ]


def test_unknown_zone_is_refused() -> None:
    """A zone that does not exist raises ValueError, also where its name would be a path."""
    for name in ("Mars/Olympus", "../etc/passwd", "", "localtime", "Factory", "posixrules", "posix/UTC", "right/Europe/Berlin"):
        with pytest.raises(ValueError, match="no time zone"):
            calendar.zone(name)


def test_whatever_is_a_zone_here_is_one_for_frames() -> None:
    """Days by the calendar and days by the frame library are of the same zones: a name that only one of them knows fails a question."""
    names = sorted(available_timezones() - {"Factory", "localtime", "posixrules"})

    for name in names:
        calendar.zone(name)
        pl.Series([0]).cast(pl.Datetime("us", "UTC")).dt.convert_time_zone(name)
    assert len(names) > 400


def test_times_are_rfc_3339() -> None:
    """Instants are written in UTC to the second."""
    assert calendar.iso_time(us("2026-01-20T11:30:00.999999+01:00")) == "2026-01-20T10:30:00Z"


def test_an_instant_stands_on_a_zones_clock() -> None:
    """The hour of the zone at that instant, which may be of another day than UTC's, and before 1970 as well."""
    assert f"{calendar.at('Asia/Tokyo', 1_778_711_400_000_000):%Y-%m-%d %H:%M}" == "2026-05-14 07:30"
    assert f"{calendar.at('UTC', -1):%Y-%m-%d %H:%M:%S.%f}" == "1969-12-31 23:59:59.999999"


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/New_York"])
def test_an_instant_at_the_edge_of_time_stands_on_every_clock(zone: str) -> None:
    """The first and the last day that can be written begin or end beyond it in some zones: the nearest that can be written stands there."""
    first, last = calendar.FIRST_DAY * calendar.DAY_US, (calendar.LAST_DAY + 2) * calendar.DAY_US
    assert (calendar.at(zone, first).year, calendar.at(zone, last).year) == (1, 9999)
