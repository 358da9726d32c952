"""What `stats-cache.json` remembers, and how much of it is certainly lost."""

import json
from datetime import date
from typing import Any

import pytest

from ingest.adapters.claude_stats import Lost, ModelSums, lost_by_day, lost_by_model, parse
from ingest.decode import BadRecord

MONDAY, TUESDAY = date(2026, 8, 31), date(2026, 9, 1)


def document(**changes: Any) -> bytes:
    """The file as Claude Code writes it."""
    return json.dumps(
        {
            "version": 2,
            "lastComputedDate": "2026-09-01",
            "dailyActivity": [{"date": "2026-08-31", "messageCount": 40, "sessionCount": 2, "toolCallCount": 9}],
            "dailyModelTokens": [
                {"date": "2026-08-31", "tokensByModel": {"claude-opus-5": 900, "claude-haiku-5": 20}},
                {"date": "2026-09-01", "tokensByModel": {"claude-opus-5": 500}},
            ],
            "modelUsage": {
                "claude-opus-5": {
                    "inputTokens": 100,
                    "outputTokens": 1300,
                    "cacheReadInputTokens": 5000,
                    "cacheCreationInputTokens": 700,
                    "webSearchRequests": 0,
                    "costUSD": 0,
                    "contextWindow": 0,
                }
            },
            "totalSessions": 2,
            "totalMessages": 40,
            "firstSessionDate": "2026-08-30T22:15:00.000Z",
            "hourCounts": {"9": 3},
        }
        | changes
    ).encode()


def test_the_file_is_read() -> None:
    """Days, models and the first day come out as written."""
    stats = parse(document())

    assert stats.days == {MONDAY: {"claude-opus-5": 900, "claude-haiku-5": 20}, TUESDAY: {"claude-opus-5": 500}}
    assert stats.models == {"claude-opus-5": ModelSums(input=100, output=1300, cache_read=5000, cache_write=700)}
    assert (stats.first_day, stats.unreadable) == (date(2026, 8, 30), 0)


def test_what_cannot_be_believed_is_left_out_and_counted() -> None:
    """A bad day, a bad number and a bad model each count as unreadable; the rest is read."""
    days = [{"date": "today", "tokensByModel": {}}, {"date": "2026-09-01", "tokensByModel": {"a": -1, "b": "7", "c": 3}}, 5]
    stats = parse(document(dailyModelTokens=days, modelUsage={"a": {"inputTokens": True}, "b": None, "c": {}}))

    assert stats.days == {TUESDAY: {"c": 3}}
    assert stats.models == {"c": ModelSums()}
    assert stats.unreadable == 6


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"nothing"])
def test_a_file_that_is_no_object_is_refused(content: bytes) -> None:
    """A damaged file has a reason, no sums."""
    with pytest.raises(BadRecord):
        parse(content)


def test_older_versions_lack_parts() -> None:
    """A file without some of its parts says nothing about them."""
    stats = parse(b'{"version": 1, "dailyModelTokens": null, "modelUsage": []}')

    assert (stats.days, stats.models, stats.first_day, stats.unreadable) == ({}, {}, None, 0)


def test_a_day_has_lost_what_exceeds_all_that_is_known_of_it() -> None:
    """900 said and 250 known: at least 650 are lost; a day that knows more than was said has lost nothing for certain."""
    lost = lost_by_day(parse(document()), {(MONDAY, "claude-opus-5"): 250, (TUESDAY, "claude-opus-5"): 501})

    assert lost == [Lost(model="claude-haiku-5", day=MONDAY, tokens=20), Lost(model="claude-opus-5", day=MONDAY, tokens=650)]


def test_a_model_has_lost_what_exceeds_the_known_sum_of_each_class() -> None:
    """Class by class: 300 of 1,300 output tokens and all cache writes are gone, more cache reads are known than were said."""
    known = {"claude-opus-5": ModelSums(input=100, output=1000, cache_read=9000)}

    assert lost_by_model(parse(document()), known) == [("claude-opus-5", ModelSums(output=300, cache_write=700))]
    assert lost_by_model(parse(document()), {"claude-opus-5": ModelSums(input=100, output=1300, cache_read=5000, cache_write=700)}) == []
