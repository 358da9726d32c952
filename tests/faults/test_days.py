"""Days of 23 and of 25 hours, and clocks that go back between two commands: every call is on one day, and the days add up to the total."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.cli.homes import reply, ringlet, transcript

ZONES = {
    # zone: the day of 23 hours and the day of 25 hours in 2026, by the zone's own rules
    "Europe/Berlin": ("2026-03-29", "2026-10-25"),
    "America/New_York": ("2026-03-08", "2026-11-01"),
    "Australia/Sydney": ("2026-10-04", "2026-04-05"),
    # Here the change is at midnight: one day has no 0 o'clock, another has 23 o'clock twice.
    "America/Santiago": ("2026-09-06", "2026-04-04"),
}
NOW = "2027-01-03T12:00:00+00:00"
YEAR = ("--since", "2026-01-01", "--until", "2026-12-31")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user who made one call at half past every hour of 2026, wherever on earth that year is."""
    home = tmp_path_factory.mktemp("year")
    first = datetime(2025, 12, 30, 0, 30, tzinfo=UTC)
    hours = (first + timedelta(hours=number) for number in range(24 * 369))
    lines = [reply(number, f"{at:%Y-%m-%dT%H:%M:%SZ}", session=f"s{number % 50}") for number, at in enumerate(hours)]
    transcript(home, "year", *lines)
    return home


@pytest.mark.parametrize("asked", ["as the machine's zone", "as an option"])
@pytest.mark.parametrize("zone", ZONES)
def test_days_of_other_lengths_add_up(zone: str, asked: str, home: Path) -> None:
    """In a zone with summer time one day has 23 calls, one has 25, all others 24; the sum of the days is the year's total, 365 x 24."""
    option = () if asked.startswith("as the") else ("--tz", zone)
    machine = zone if not option else "UTC"

    answer = json.loads(ringlet(home, "usage", "daily", *YEAR, *option, "--json", now=NOW, zone=machine).out)

    days = {row["date"]: row["requests"] for row in answer["rows"]}
    short, long = ZONES[zone]
    assert {day: count for day, count in days.items() if count != 24} == {short: 23, long: 25}
    assert len(days) == 365
    assert sum(days.values()) == answer["total_requests"] == 365 * 24


def test_a_clock_that_goes_back_takes_nothing_back(tmp_path: Path) -> None:
    """Commands run while the clock jumps a day or an hour back and forth: what was recorded stays, and what is new is added once."""
    lines = []
    for number, now in enumerate(("13T12:00", "14T12:00", "13T11:00", "13T12:30", "12T12:00", "13T12:00")):
        lines.append(reply(number, "2026-05-10T09:00:00Z"))
        transcript(tmp_path, "one", *lines)
        answer = json.loads(ringlet(tmp_path, "usage", "--period", "all", "--json", now=f"2026-05-{now}:00+00:00").out)
        assert answer["total_requests"] == number + 1
    assert ringlet(tmp_path, "doctor", now="2026-05-13T12:00:00+00:00").code in (0, 1)
