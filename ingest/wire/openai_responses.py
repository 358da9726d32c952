"""Replies in the shape of OpenAI's Responses, streamed or not, whoever sends them.

Decides on which events usage is read: on each of the three that end a reply, also where it was cut short or failed. The reply's id is the
last event's: some gateways change it on the way. Format of October 2026.
"""

from typing import Any

import msgspec

from ingest import decode
from ingest.wire.openai_chat import cost_of, divided, within
from ingest.wire.reply import Reply, count, member, read, reported
from pipeline.events import Status

_ENDS = ("response.completed", "response.incomplete", "response.failed")
_OBJECTS = ("response", "response.compaction")


class _Event(msgspec.Struct, gc=False):
    type: Any = None
    response: Any = None
    object: Any = None
    id: Any = None
    model: Any = None
    status: Any = None
    service_tier: Any = None
    usage: Any = None


class Responses:
    """One response of `/responses` or `/responses/compact`."""

    def __init__(self) -> None:
        self._last: dict[str, Any] | None = None

    def take(self, record: bytes) -> None:
        """See `Format`."""
        if record == b"[DONE]":
            return
        event = read(record, _Event)
        if event.type in _ENDS and isinstance(event.response, dict):
            self._last = event.response
        elif event.object in _OBJECTS:
            self._last = msgspec.structs.asdict(event)

    def replies(self) -> list[Reply]:
        """See `Format`."""
        told = self._last
        usage = member(told, "usage")
        if told is None or not isinstance(usage, dict):
            return []
        prompt, output = count(usage, "input_tokens"), count(usage, "output_tokens")
        if not prompt and not output:
            return []
        reasoning = reported(usage, "output_tokens_details", "reasoning_tokens")
        cached = count(usage, "input_tokens_details", "cached_tokens")
        written = count(usage, "input_tokens_details", "cache_write_tokens")
        tokens = divided(prompt, output, cached, written, reasoning or 0, reported(usage, "total_tokens"))
        status: Status = "error" if told.get("status") == "failed" else "ok"
        return [
            Reply(
                model=decode.text(told.get("model")),
                tokens=tokens,
                ttl_known=not tokens.cache_write_5m,
                reasoning=within(tokens, reasoning),
                tier=decode.text(told.get("service_tier")),
                status=status,
                cost_usd=cost_of(usage),
                id=decode.text(told.get("id")),
                initiator="task" if told.get("object") == "response.compaction" else None,
            )
        ]
