"""From the proxy into the log: what is kept, what is dropped, and that no fault reaches the wire."""

import json
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ingest import tap as taps
from ingest.adapter import Place
from ingest.adapters.claude import ADAPTER
from ingest.passed import SOURCE, Record
from ingest.tap import Tap
from ingest.wire.capture import Capture, Head
from ingest.wire.event import Ending
from ingest.wire.recognise import Kind
from pipeline.batch import Batch
from pipeline.errors import Held
from pipeline.events import Seen, UsageEvent
from pipeline.log import Log
from pipeline.sources import Cursor, Reading, Source
from tests.ingest.wired import AT, JSON, SSE, exchange, sse

HEAD = Head(status=200, content_type=SSE)
ENDING = Ending(at=AT, duration_ms=1000)


def reply(name: str = "msg_1", output: int = 5) -> bytes:
    """A reply of Anthropic's, streamed."""
    usage = {"input_tokens": 10, "output_tokens": 1, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
    return sse(
        [
            {"type": "message_start", "message": {"id": name, "model": "claude-sonnet-5", "usage": usage}},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": output}},
        ]
    )


def pass_by(tap: Tap, body: bytes, kind: Kind = Kind.ANTHROPIC, head: Head = HEAD, **said: Any) -> None:
    """One reply passes."""
    tapped = tap.begin(kind, head)
    tapped.feed(body)
    tapped.end(exchange(kind, **said), ENDING)


def until(true: Callable[[], bool]) -> None:
    """Wait for it."""
    end = time.monotonic() + 90
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def calls(home: Path) -> list[Any]:
    """All calls of the store."""
    with Log.open(home) as log:
        found = list(log.calls(*(log.span() or (0, 0))))
        dims = log.dims(call.dim for call in found)
        return [(dims[call.dim].origin, dims[call.dim].profile, dims[call.dim].session, call.input, call.output) for call in found]


def test_what_passed_is_in_the_log(tmp_path: Path) -> None:
    """A captured call is a row of origin `capture`, of the profile that the way in named; the account of the source adds up."""
    tap = Tap(lambda: Log.open(tmp_path))
    tap.start()
    pass_by(tap, reply())
    pass_by(tap, b"{}", Kind.NOT_COUNTED, Head(status=200, content_type=JSON))
    pass_by(tap, b"x", head=Head(status=200, content_type=SSE, content_encoding="br"))
    tap.stop()

    assert calls(tmp_path) == [("capture", "work", None, 10, 5)]
    with Log.open(tmp_path) as log:
        (known,) = log.sources([SOURCE.path])
        assert (known.counts.lines, known.counts.new, known.counts.ignored) == (3, 1, 2)
        assert known.seen == {"not_counted": 1, "uncaptured_coding": 1}
        assert log.hot_count() == 0
    assert (tap.tally.captured, tap.tally.without_usage, tap.tally.uncaptured, tap.tally.dropped) == (1, 1, 1, 0)


def test_it_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """Another tap over the same store counts on: every reply has a place of its own."""
    for name in ("msg_1", "msg_2"):
        tap = Tap(lambda: Log.open(tmp_path))
        tap.start()
        pass_by(tap, reply(name))
        tap.stop()

    with Log.open(tmp_path) as log:
        (known,) = log.sources([SOURCE.path])
        assert known.cursor == Cursor(offset=2)
    assert len(calls(tmp_path)) == 2


def test_it_goes_on_in_the_journal_that_takes_the_place_of_another(tmp_path: Path) -> None:
    """A repair puts a damaged journal aside while the tap has it open: what passes from then on is in the new one, and is sealed."""
    tap = Tap(lambda: Log.open(tmp_path))
    tap.start()
    pass_by(tap, reply("msg_1"))
    until(lambda: tap.tally.captured == 1 and len(calls(tmp_path)) == 1)
    for journal in tmp_path.glob("journal.db*"):
        journal.rename(tmp_path / f"aside-{journal.name}")
    Log.open(tmp_path).close()
    pass_by(tap, reply("msg_2", output=7))
    tap.stop()

    assert calls(tmp_path) == [("capture", "work", None, 10, 7)]
    with Log.open(tmp_path) as log:
        assert (log.hot_count(), sum(segment.rows for segment in log.segments())) == (0, 1)


def line(**said: Any) -> bytes:
    """The line that Claude Code writes of the same reply."""
    usage = {"input_tokens": 10, "output_tokens": 5, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
    message = {"id": "msg_1", "model": "claude-sonnet-5", "stop_reason": "end_turn", "usage": usage}
    words = {"type": "assistant", "timestamp": "2026-10-01T12:00:01Z", "sessionId": "s1", "cwd": "/p", "requestId": "req_1", "uuid": "u1"}
    return json.dumps({**words, "message": message, **said}).encode()


def logged(home: Path) -> None:
    """A transcript with that line is imported."""
    state = ADAPTER.start(Place(path="projects/p/s1.jsonl", root="/home/.claude"))
    _, events = ADAPTER.step(state, line())
    with Log.open(home) as log:
        number = log.register([Source(path="/t", agent="claude", root="/home/.claude")])["/t"]
        batch = Batch()
        batch.add([event for event in events if isinstance(event, UsageEvent)], root="/home/.claude", source=number, offset=0, length=9)
        log.commit(batch, [Reading(source_id=number, before=None, after=Cursor(offset=9))], ingested_at_us=0)


@pytest.mark.parametrize("first", ["log", "capture"])
def test_a_call_that_is_logged_and_captured_is_one(tmp_path: Path, first: str) -> None:
    """The agent's line and the wire are one call, in either order: the wire says what was used and by whom, the log in which session."""
    if first == "log":
        logged(tmp_path)
    tap = Tap(lambda: Log.open(tmp_path))
    tap.start()
    pass_by(tap, reply(), request_id="req_1")
    tap.stop()
    if first == "capture":
        logged(tmp_path)

    assert calls(tmp_path) == [("capture", "work", "s1", 10, 5)]


# Faults


def test_a_fault_of_the_parser_costs_one_capture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever goes wrong while a reply is read, nobody on the wire hears of it, and it is counted."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    tap = Tap(lambda: Log.open(tmp_path))
    tap.start()
    tapped = tap.begin(Kind.ANTHROPIC, HEAD)
    with monkeypatch.context() as broke:
        broke.setattr(Capture, "feed", broken)
        tapped.feed(reply())
        tapped.feed(reply())
        tapped.end(exchange(Kind.ANTHROPIC), ENDING)
    pass_by(tap, reply("msg_2"))
    tap.stop()

    assert (tap.tally.dropped, tap.tally.captured) == (1, 1)


def test_more_than_may_wait_is_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While nothing is committed, so many replies wait; the others are counted as dropped."""
    monkeypatch.setattr(taps, "WAITING", 3)
    tap = Tap(lambda: Log.open(tmp_path))
    for number in range(5):
        pass_by(tap, reply(f"msg_{number}"))
    tap.start()
    tap.stop()

    assert (tap.tally.captured, tap.tally.dropped, len(calls(tmp_path))) == (3, 2, 3)


def test_a_log_that_cannot_be_written_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While another process holds the journal, captures wait; nothing is lost when it lets go."""
    monkeypatch.setattr(taps, "RETRY_S", 0.05)
    held = threading.Event()

    def opened() -> Log:
        if not held.is_set():
            raise Held("another process has been writing for 30 s")
        return Log.open(tmp_path)

    tap = Tap(opened)
    tap.start()
    for number in range(20):
        pass_by(tap, reply(f"msg_{number}"))
    time.sleep(0.2)
    held.set()
    until(lambda: not tap._waiting)
    tap.stop()

    assert (tap.tally.dropped, len(calls(tmp_path))) == (0, 20)


def test_a_locked_journal_blocks_no_reply(tmp_path: Path) -> None:
    """While a writer holds the journal's lock, replies pass and wait; they are in the log once it is free."""
    Log.open(tmp_path).close()
    tap = Tap(lambda: Log.open(tmp_path))
    other = sqlite3.connect(tmp_path / "journal.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    tap.start()
    for number in range(50):
        pass_by(tap, reply(f"msg_{number}"))
    assert len(tap._waiting) == 50
    other.execute("ROLLBACK")
    other.close()
    tap.stop()

    assert (tap.tally.dropped, len(calls(tmp_path))) == (0, 50)


def test_replies_that_end_soon_after_one_another_are_committed_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first goes into the log at once; those of the moment after it gather for one more commit."""
    monkeypatch.setattr(taps, "GATHER_S", 3600.0)
    commits: list[int] = []
    tap = Tap(lambda: Log.open(tmp_path), on_commit=lambda commit: commits.append(commit.new))
    tap.start()
    pass_by(tap, reply("msg_first"))
    until(lambda: commits == [1])
    for number in range(10):
        pass_by(tap, reply(f"msg_{number}"))
    # The moment lasts until the end here, however long it takes the ten to come.
    tap.stop()

    assert commits == [1, 10]


def test_large_replies_share_one_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept of all unfinished replies together is bounded; a reply beyond it passes unread."""
    monkeypatch.setattr(taps, "HELD_BYTES", 1000)
    tap = Tap(lambda: Log.open(tmp_path))
    whole = Head(status=200, content_type=JSON)
    one, other = tap.begin(Kind.CHAT, whole), tap.begin(Kind.CHAT, whole)
    one.feed(b"x" * 800)
    other.feed(b"x" * 800)

    assert (one.reads, other.reads, tap.held) == (True, False, 800)


def test_what_only_counts_waits_for_something_to_commit(tmp_path: Path) -> None:
    """Lists of models and refusals cost no write of their own."""
    tap = Tap(lambda: Log.open(tmp_path))
    tap.keep(Record([Seen(what="not_counted")], 5))

    assert not tap._news.is_set()
