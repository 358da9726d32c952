"""Blocks of five hours: where they begin and end, the gaps between them, and what the active one comes to."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sizes import times
from tests.views.frames import row, views
from views import calendar
from views.answers import answer
from views.blocks import Blocks, Gap, Rate, blocks, burn, starts
from views.query import Query, Totals

MAY = calendar.day_of(2026, 5, 1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
HOUR = 3_600_000_000


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def us(text: str) -> int:
    return (at(text) - EPOCH) // timedelta(microseconds=1)


def asked(*calls: str, now: str = "2026-05-31T00:00", active: bool = False, facts: dict[str, Any] | None = None, **query: Any) -> Blocks:
    """The blocks of calls at these times, of 100 input tokens each."""
    made = views(*(row(key=str(number), **{"at": at(time), "input": 100, **(facts or {})}) for number, time in enumerate(calls)))
    return blocks(Query(now_us=us(now), today=us(now) // (24 * HOUR), tz=query.pop("tz", "UTC"), **query), made, active=active)


def shown(found: Blocks) -> list[tuple[str | None, int]]:
    return [(block.row.key, block.row.requests) for block in found.blocks]


def test_a_block_begins_at_the_hour_of_its_first_call() -> None:
    """The hour is that of UTC, whatever zone the question is in."""
    assert shown(asked("2026-05-01T09:47", tz="Asia/Kathmandu")) == [("2026-05-01T09:00:00Z", 1)]


def test_a_block_holds_five_hours_and_not_an_instant_more() -> None:
    """The last instant before 14:00 is in the block of 09:00, 14:00 itself begins another."""
    found = asked("2026-05-01T09:47", "2026-05-01T13:59:59.999999", "2026-05-01T14:00")

    assert shown(found) == [("2026-05-01T09:00:00Z", 2), ("2026-05-01T14:00:00Z", 1)]


def test_a_block_begins_where_calls_do_and_not_where_the_last_one_ended() -> None:
    """After 14:00 nothing happens until 15:30: the next block is that of 15:00."""
    assert shown(asked("2026-05-01T09:47", "2026-05-01T15:30"))[1] == ("2026-05-01T15:00:00Z", 1)


def test_more_than_five_hours_without_a_call_are_a_gap() -> None:
    """It lasts from five hours after the last call to the next one; exactly five hours are none."""
    assert asked("2026-05-01T09:30", "2026-05-01T14:30").gaps == []
    assert asked("2026-05-01T09:30", "2026-05-01T14:31").gaps == [Gap(us("2026-05-01T14:30"), us("2026-05-01T14:31"))]


def test_only_the_block_that_lasts_is_active() -> None:
    """Until 14:00 the block of 09:00 lasts, then none."""
    calls = ["2026-05-01T03:00", "2026-05-01T09:47"]

    assert [block.is_active for block in asked(*calls, now="2026-05-01T13:59:59").blocks] == [False, True]
    assert [block.is_active for block in asked(*calls, now="2026-05-01T14:00").blocks] == [False, False]


def test_the_active_block_alone() -> None:
    """Its sums are the answer's then; where none is active there is nothing."""
    calls = ["2026-05-01T03:00", "2026-05-01T09:47", "2026-05-01T10:00"]
    found = asked(*calls, now="2026-05-01T12:00", active=True)

    assert (shown(found), found.answer.totals.requests) == ([("2026-05-01T09:00:00Z", 2)], 2)
    assert shown(asked(*calls, now="2026-05-01T15:00", active=True)) == []


def test_burn_and_projection_by_hand() -> None:
    """1,200 tokens for $0.60 in 60 minutes are 20 tokens and 1 cent a minute; with two hours left it comes to 3,600 tokens and $1.80."""
    whole = Totals(requests=3, input=1200, cost_input=6 * 10**17, first_at_us=us("2026-05-01T09:30"), last_at_us=us("2026-05-01T10:30"))

    assert burn(whole, start_us=us("2026-05-01T09:00"), now_us=us("2026-05-01T12:00")) == Rate(
        tokens_per_minute=20, cost_per_minute=10**16, left_us=2 * HOUR, tokens=3600, cost=18 * 10**17
    )


def test_a_rate_takes_a_minute() -> None:
    """Two calls a second apart, 600 tokens in all, are 600 tokens a minute and not 36,000; in the 100 minutes left it comes to 60,600."""
    whole = Totals(requests=2, input=600, first_at_us=us("2026-05-01T09:30"), last_at_us=us("2026-05-01T09:30") + 1_000_000)
    rate = burn(whole, start_us=us("2026-05-01T09:00"), now_us=us("2026-05-01T12:20"))

    assert rate is not None
    assert (rate.tokens_per_minute, rate.tokens) == (600, 60_600)


def test_one_call_burns_nothing_that_can_be_told() -> None:
    """Without a span between calls there is no rate, and without a price no cost."""
    one = asked("2026-05-01T09:47", now="2026-05-01T12:00").blocks[0]
    unpriced = Totals(requests=2, unpriced_requests=2, input=10, first_at_us=0, last_at_us=60_000_000)
    rate = burn(unpriced, start_us=0, now_us=0)

    assert one.rate is None
    assert rate is not None
    assert (rate.cost_per_minute, rate.cost, rate.tokens_per_minute) == (None, None, 10)


def test_a_range_moves_no_block() -> None:
    """Midnight cuts the block of 22:00: 2 May counts one of its calls, burns by all of them, and begins no block of its own."""
    calls = ["2026-05-01T22:30", "2026-05-02T00:30", "2026-05-02T03:10"]
    found = asked(*calls, now="2026-05-02T01:30", first_day=MAY + 1, last_day=MAY + 1)

    assert shown(found) == [("2026-05-01T22:00:00Z", 1), ("2026-05-02T03:00:00Z", 1)]
    assert [block.is_cut for block in found.blocks] == [True, False]
    rate = found.blocks[0].rate
    assert rate is not None
    # 200 tokens in 120 minutes, with 90 minutes to go.
    assert (rate.tokens_per_minute, rate.left_us, rate.tokens) == (2, 90 * 60_000_000, 350)


def test_filters_make_blocks_of_their_own() -> None:
    """Another agent's calls begin no block of Claude Code's: its account counts by itself."""
    made = views(
        row(key="a", at=at("2026-05-01T08:10"), agent="codex", provider="openai"),
        row(key="b", at=at("2026-05-01T09:47")),
    )
    query = Query(now_us=us("2026-05-31T00:00"), today=MAY + 30, tz="UTC", agent="claude")

    assert shown(blocks(query, made)) == [("2026-05-01T09:00:00Z", 1)]


def test_a_limit_keeps_the_latest() -> None:
    """Unsorted, the newest blocks stay; sorted, the first of that order, without gaps between them."""
    calls = ["2026-05-01T00:00", "2026-05-02T00:00", "2026-05-02T01:00", "2026-05-03T00:00"]

    assert shown(asked(*calls, limit=2)) == [("2026-05-02T00:00:00Z", 2), ("2026-05-03T00:00:00Z", 1)]
    dearest = asked(*calls, limit=1, sort="requests")
    assert (shown(dearest), dearest.gaps, dearest.answer.totals.requests) == ([("2026-05-02T00:00:00Z", 2)], [], 4)


def test_nothing_has_no_blocks() -> None:
    """An empty log has neither blocks nor gaps."""
    assert (shown(asked()), asked().gaps) == ([], [])


@pytest.mark.parametrize(("hours", "begun"), [([3, 4, 7, 8, 12], [3, 3, 3, 8, 8]), ([-1, 4], [-1, 4]), ([], [])])
def test_hours_of_blocks(hours: list[int], begun: list[int]) -> None:
    """An hour belongs to the block that began less than five hours before."""
    assert list(starts(hours).values()) == begun


TIMES = st.lists(st.integers(0, 4 * 24 * 60).map(lambda minutes: at("2026-05-01T00:00") + timedelta(minutes=minutes)), max_size=25)
DAYS = st.none() | st.integers(MAY - 1, MAY + 4)


def by_hand(times: list[datetime]) -> dict[datetime, datetime]:
    """The block of each call by going through the calls one after the other."""
    found: dict[datetime, datetime] = {}
    start = None
    for time in sorted(times):
        if start is None or time >= start + timedelta(hours=5):
            start = time.replace(minute=0)
        found[time] = start
    return found


@settings(max_examples=times(40), deadline=None)
@given(
    times=TIMES, first=DAYS, last=DAYS, tz=st.sampled_from(["UTC", "Asia/Kathmandu", "America/New_York"]), session=st.none() | st.just("s1")
)
def test_blocks_add_up_to_the_answer(times: list[datetime], first: int | None, last: int | None, tz: str, session: str | None) -> None:
    """Whatever the range, zone and filter: blocks are those of the calls one after the other, and their sums are those of `usage`."""
    made = views(*(row(key=str(number), at=time, input=number + 1) for number, time in enumerate(times)))
    query = Query(now_us=us("2026-05-31T00:00"), today=MAY + 30, tz=tz, first_day=first, last_day=last, session=session)
    found, whole = blocks(query, made), answer(query, made).totals
    begin = at("2000-01-01") if first is None else EPOCH + timedelta(microseconds=calendar.midnights(tz, first, first)[0])
    end = at("2100-01-01") if last is None else EPOCH + timedelta(microseconds=calendar.midnights(tz, last + 1, last + 1)[0])
    due: dict[str, int] = {}
    for time, start in by_hand(times).items():
        if begin <= time < end:
            key = start.strftime("%Y-%m-%dT%H:%M:%SZ")
            due[key] = due.get(key, 0) + times.count(time)

    assert dict(shown(found)) == due
    assert (sum(block.row.input for block in found.blocks), found.answer.totals.requests) == (whole.input, whole.requests)
    assert sum(block.row.cost or 0 for block in found.blocks) == (whole.cost or 0)
