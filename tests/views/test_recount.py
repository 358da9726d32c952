"""How the journal's sums become priced local days."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pipeline.batch import Batch
from pipeline.events import Tokens, UsageEvent
from pipeline.keys import identity, rank
from pipeline.log import Log
from pipeline.profiles import Rules
from pipeline.sources import Cursor, Reading, Source
from tests.views.pricing_rows import book_file, one_model
from views import calendar
from views.attribution import Attribution
from views.pricing.book import Book
from views.recount import Prices, recount, runs, touched
from views.snapshot_text import Day
from views.tally import NUMBERS

MICRO = 10**12
"""Attodollars in a millionth of a dollar."""
FLAT = {"input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06}


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    with Log.open(tmp_path / "store") as opened:
        yield opened


def commit(log: Log, *calls: dict[str, Any]) -> None:
    """Calls of model m-1 by time; one input token each unless said otherwise."""
    path = f"/logs/{log.position().seq}"
    source = log.register([Source(path=path, agent="claude", root="/logs")])[path]
    batch = Batch()
    for number, call in enumerate(calls):
        key = identity("test", path, number)
        event = UsageEvent(
            **{
                "key": key,
                "agent": "claude",
                "provider": None,
                "model": "m-1",
                "session": "s",
                "tokens": Tokens(input=call.pop("input", 1), output=call.pop("output", 0)),
                "rank": rank(complete=True, output=0, at_us=0, facts=""),
                "owner_rank": 1,
                **call,
                "at": datetime.fromisoformat(call["at"]),
            }
        )
        batch.add([event], root="/logs", source=source, offset=number, length=1)
    log.commit(batch, [Reading(source_id=source, before=None, after=Cursor(offset=1))], ingested_at_us=0)


def counted(log: Log, book: Book, zone: str = "UTC", *, mode: str = "auto") -> dict[int, Day]:
    days = touched(zone, log.days())
    return recount(log, zone, days, attribution=Attribution(Rules()), prices=Prices(book, mode=mode))


def sums(days: dict[int, Day]) -> dict[str, dict[str, int]]:
    """By day, every number that is not zero."""
    found = {}
    for number, day in sorted(days.items()):
        added = [sum(column) for column in zip(*(cell[: len(NUMBERS)] for cell in day.cells.values()), strict=True)]
        found[calendar.iso_day(number)] = {name: value for name, value in zip(NUMBERS, added, strict=True) if value}
    return found


def test_a_call_pays_the_price_of_its_utc_day_and_counts_on_its_local_one(log: Log) -> None:
    """In Tokyo both calls are of 2 May; the price doubled at midnight UTC in between: one millionth of a dollar and two."""
    book = one_model({"2026-01-01": FLAT, "2026-05-02": {"input_cost_per_token": 2e-06, "output_cost_per_token": 2e-06}})
    commit(log, {"at": "2026-05-01T23:59:59+00:00"}, {"at": "2026-05-02T00:00:00+00:00"})

    assert sums(counted(log, book, "Asia/Tokyo")) == {"2026-05-02": {"requests": 2, "input": 2, "cost_input": 3 * MICRO}}


def test_a_long_prompt_pays_the_upper_tier_as_a_whole(log: Log) -> None:
    """200,000 tokens pay a millionth of a dollar each, 200,001 pay three each."""
    book = one_model({"2026-01-01": FLAT | {"input_cost_per_token_above_200k_tokens": 3e-06}})
    commit(log, {"at": "2026-05-01T10:00:00+00:00", "input": 200_000}, {"at": "2026-05-02T10:00:00+00:00", "input": 200_001})

    costs = {day: numbers["cost_input"] for day, numbers in sums(counted(log, book)).items()}
    assert costs == {"2026-05-01": 200_000 * MICRO, "2026-05-02": 600_003 * MICRO}


def test_sums_are_taken_apart_only_by_thresholds_of_models_that_were_used() -> None:
    """A threshold that any row of a model lists counts, whatever its day; those of other models would only make more sums. At xAI a prompt
    that reaches a threshold is beyond it."""
    dear = FLAT | {"input_cost_per_token_above_200k_tokens": 2e-06}
    listed = {("m-1", "acme"): {"2026-01-01": FLAT, "2026-02-01": dear}, ("grok-1", "xai"): {"2026-01-01": dear}}
    prices = Prices(Book(book_file(listed)), mode="auto")
    assert prices.steps([("acme", "m-1")]) == (200_000,)
    assert prices.steps([("xai", "grok-1"), ("acme", "m-1")]) == (199_999, 200_000)
    assert prices.steps([("acme", "unheard-of"), (None, None)]) == ()


def test_what_a_session_used_together_is_no_long_prompt(log: Log) -> None:
    """A session's million tokens pay the lower tier: nothing says that any one prompt was long."""
    book = one_model({"2026-01-01": FLAT | {"input_cost_per_token_above_200k_tokens": 3e-06}})
    commit(log, {"at": "2026-05-01T10:00:00+00:00", "input": 1_000_000, "granularity": "session"})

    assert sums(counted(log, book))["2026-05-01"]["cost_input"] == 1_000_000 * MICRO


def test_off_peak_hours_are_those_of_each_call(log: Log) -> None:
    """Off-peak begins at 16:30 UTC: of three calls on one day, two pay half and one pays all."""
    windows = {"input_cost_per_token": 5e-07, "windows": [{"hours_utc": ["16:30-00:30"], "weekdays": [1, 2, 3, 4, 5, 6, 7]}]}
    book = one_model({"2026-01-01": FLAT | {"off_peak_pricing": windows}})
    commit(log, *({"at": f"2026-05-01T{time}:00+00:00"} for time in ("16:29", "16:30", "23:00")))

    assert sums(counted(log, book))["2026-05-01"]["cost_input"] == 2 * MICRO


@pytest.mark.parametrize(
    ("mode", "basis", "logged", "listed", "cost", "unpriced"),
    [
        ("auto", "provider", "0.000007", True, {"cost_other": 7 * MICRO}, 0),
        ("auto", "provider", "0", True, {}, 0),
        ("auto", "agent", "0.000007", True, {"cost_input": MICRO}, 0),
        ("auto", "agent", "0.000007", False, {"cost_other": 7 * MICRO}, 0),
        ("auto", "agent", "0", False, {}, 1),
        ("auto", None, None, True, {"cost_input": MICRO}, 0),
        ("auto", None, None, False, {}, 1),
        ("calculate", "provider", "0.000007", True, {"cost_input": MICRO}, 0),
        ("calculate", "provider", "0.000007", False, {}, 1),
        ("logged", "agent", "0.000007", True, {"cost_other": 7 * MICRO}, 0),
        ("logged", None, None, True, {}, 1),
    ],
)
def test_the_cost_mode_says_whose_cost_counts(
    log: Log, mode: str, basis: str | None, logged: str | None, listed: bool, cost: dict[str, int], unpriced: int
) -> None:
    """`auto`: what the provider states, else the list price, else the agent's estimate; `calculate` and `logged` know one of the two."""
    book = one_model({"2026-01-01": FLAT}, name="m-1" if listed else "other")
    stated = None if logged is None else Decimal(logged)
    commit(log, {"at": "2026-05-01T10:00:00+00:00", "logged_cost_usd": stated, "logged_cost_basis": basis})

    expected = {"requests": 1, "input": 1, **cost, **({"unpriced_requests": 1} if unpriced else {})}
    assert sums(counted(log, book, mode=mode)) == {"2026-05-01": expected}


def test_unbilled_providers_have_tokens_and_no_cost(log: Log) -> None:
    """A local provider's calls are counted, and cost nothing that anybody bills."""
    commit(log, {"at": "2026-05-01T10:00:00+00:00", "provider": "ollama"})

    assert sums(counted(log, one_model({"2026-01-01": FLAT}))) == {"2026-05-01": {"requests": 1, "input": 1, "unbilled_requests": 1}}


@pytest.mark.parametrize(
    ("zone", "long", "short"), [("Europe/Berlin", "2026-10-25", "2026-03-29"), ("America/St_Johns", "2026-11-01", "2026-03-08")]
)
def test_every_hour_of_a_day_with_a_clock_change_is_on_that_day(log: Log, zone: str, long: str, short: str) -> None:
    """With a call in the middle of every hour, a long day holds 25 and a short one 23."""
    for text in (long, short):
        day = calendar.parse_day(text)
        assert day is not None
        start, end = calendar.midnights(zone, day - 1, day - 1)[0], calendar.midnights(zone, day + 2, day + 2)[0]
        hours = range(start + calendar.HOUR_US // 2, end, calendar.HOUR_US)
        commit(log, *({"at": calendar.iso_time(at)} for at in hours))
    found = {day: numbers["requests"] for day, numbers in sums(counted(log, one_model({"2026-01-01": FLAT}), zone)).items()}

    assert (found[long], found[short]) == (25, 23)
    assert sorted(found.values()) == [23, 24, 24, 24, 24, 25]


def test_runs_cover_every_instant_once() -> None:
    """The runs of two years of days join without gap or overlap."""
    first = calendar.day_of(2025, 1, 1)
    found = list(runs("Europe/Berlin", range(first, first + 730)))

    assert [run[0] for run in found[1:]] == [run[1] + 1 for run in found[:-1]]
    assert [run[2] for run in found[1:]] == [run[3] for run in found[:-1]]
    assert len(found) == 5


def test_times_at_the_ends_of_the_calendar_are_counted(log: Log) -> None:
    """The first and the last moment that a log can write are on the first and the last day, in every zone."""
    commit(log, {"at": "0001-01-01T00:00:00+00:00"}, {"at": "9999-12-31T23:59:59+00:00"})

    for zone in ("UTC", "America/St_Johns", "Pacific/Kiritimati"):
        found = sums(counted(log, one_model({"2026-01-01": FLAT}), zone))
        assert {day: numbers["requests"] for day, numbers in found.items()} == {"0001-01-01": 1, "9999-12-31": 1}
