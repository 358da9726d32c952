"""Replies as they come over the wire, for tests: recorded ones, and how they are fed."""

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from ingest.wire.capture import Capture, Head
from ingest.wire.event import Ending, Exchange
from ingest.wire.recognise import Kind
from pipeline.events import Event, Status, UsageEvent

RECORDED = Path(__file__).resolve().parents[3] / "shared" / "fixtures" / "real" / "wire"
AT = datetime(2026, 10, 1, 12, 0, tzinfo=UTC)
SSE = "text/event-stream; charset=utf-8"
JSON = "application/json"


def exchange(kind: Kind, **said: object) -> Exchange:
    """An exchange of a kind, of profile `work`."""
    words: dict[str, object] = {"name": "x1", "kind": kind.value, "profile": "work", "agent": "claude", "provider": "here"}
    return Exchange(**{**words, **said})  # type: ignore[arg-type]


def sse(records: Iterable[object], *, done: bool = False) -> bytes:
    """Records as server-sent events."""
    texts = [record if isinstance(record, str) else json.dumps(record) for record in records]
    return b"".join(b"data: " + text.encode() + b"\n\n" for text in [*texts, *["[DONE]"] * done])


def records(name: str) -> list[str]:
    """The lines of a recording."""
    return [line for line in (RECORDED / name).read_text().split("\n") if line.strip()]


def fed(kind: Kind, pieces: Iterable[bytes], *, type: str = SSE, coding: str = "", status: int = 200, ended: Status = "ok") -> list[Event]:
    """What a reply in these pieces proves."""
    capture = Capture(kind, Head(status=status, content_type=type, content_encoding=coding))
    for piece in pieces:
        capture.feed(piece)
    return capture.end(exchange(kind), Ending(at=AT, duration_ms=1000, status=ended))


def pieces_of(body: bytes, cuts: Sequence[int]) -> Iterator[bytes]:
    """`body` cut at these places."""
    places = [0, *sorted(cut % (len(body) + 1) for cut in cuts), len(body)]
    return (body[start:end] for start, end in pairwise(places))


def counts(events: Iterable[Event]) -> list[tuple[str | None, int, int, int, int, int, int | None]]:
    """(model, input, output, cache read, written for 5 m, for 1 h, reasoning) of each call."""
    return [
        (
            event.model,
            event.tokens.input,
            event.tokens.output,
            event.tokens.cache_read,
            event.tokens.cache_write_5m,
            event.tokens.cache_write_1h,
            event.reasoning,
        )
        for event in events
        if isinstance(event, UsageEvent)
    ]


def start(**usage: Any) -> dict[str, Any]:
    """The first event of a reply."""
    return {"type": "message_start", "message": {"id": "msg_1", "model": "claude-sonnet-5", "usage": usage}}


def delta(stop: str | None = "end_turn", **usage: Any) -> dict[str, Any]:
    """A later event of a reply."""
    return {"type": "message_delta", "delta": {"stop_reason": stop}, "usage": usage}


def chunk(**said: Any) -> dict[str, Any]:
    """A chunk of a chat."""
    return {"id": "c1", "object": "chat.completion.chunk", "model": "m", "choices": [], **said}


def one(events: list[Any]) -> UsageEvent:
    """The only call."""
    (event,) = events
    assert isinstance(event, UsageEvent), event
    return event
