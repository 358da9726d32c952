"""Replies of Anthropic's Messages API, streamed or not.

Decides which of a reply's numbers count while it streams. How a usage block divides into token classes and further billed calls is
decided for transcripts in `adapters.claude_call`, which write the same block down: so a captured call and its line say the same.
Format: API of October 2026 and servers that imitate it.

The last value of each field wins, up or down: server tools raise the prompt side during a reply, compaction lowers it. Only what
`message_delta` leaves out stands as `message_start` said it.
"""

from typing import Any

import msgspec

from ingest import decode
from ingest.adapters.claude_call import Split, hops_of, model_of, split_of, split_of_hop
from ingest.adapters.claude_line import Message, Usage, usage_of
from ingest.wire.reply import Reply, member, read
from pipeline.events import Status


class _Event(msgspec.Struct, gc=False):
    type: Any = None
    message: Any = None
    usage: Any = None
    id: Any = None
    model: Any = None
    content_block: Any = None


class _Told(msgspec.Struct, gc=False):
    """One reply so far; a proxy in between may splice several into one stream."""

    id: str | None
    model: str | None
    usage: dict[str, Any]
    finished: bool = False
    """Its last usage has come."""
    failed: bool = False


class Messages:
    """One response of `/v1/messages`."""

    def __init__(self) -> None:
        self._told: list[_Told] = []

    def take(self, record: bytes) -> None:
        """See `Format`."""
        event = read(record, _Event)
        match event.type:
            case "message_start":
                self._start(event.message)
            case "message_delta" if self._told:
                told = self._told[-1]
                if isinstance(event.usage, dict):
                    told.usage.update({name: value for name, value in event.usage.items() if value is not None})
                    told.finished = True
            case "content_block_start" if self._told and member(event.content_block, "type") == "fallback":
                told = self._told[-1]
                told.model = decode.text(member(event.content_block, "to", "model")) or told.model
            case "error" if self._told:
                self._told[-1].failed = True
            case "message" if isinstance(event.usage, dict):
                # A whole reply instead of a stream.
                self._told.append(_Told(decode.text(event.id), decode.text(event.model), event.usage, finished=True))

    def replies(self) -> list[Reply]:
        """See `Format`. A reply that was cut before its last usage has an output that is not known."""
        return [reply for told in self._told if told.usage for reply in _replies(told)]

    def _start(self, message: Any) -> None:
        if not isinstance(message, dict):
            return
        name, usage = decode.text(message.get("id")), message.get("usage")
        if self._told and self._told[-1].id == name:
            return  # said twice
        self._told.append(_Told(name, decode.text(message.get("model")), dict(usage) if isinstance(usage, dict) else {}))


def _replies(told: _Told) -> list[Reply]:
    usage = usage_of(told.usage)
    assert usage is not None
    message = Message(id=told.id, model=told.model, usage=usage)
    split = _split(usage)
    status: Status = "error" if told.failed or not told.finished else "ok"
    details, tools = usage.output_tokens_details, usage.server_tool_use
    if not told.finished and not (split.input or split.cache_read or split.cache_write_5m or split.cache_write_1h):
        return []  # Translating servers begin with zeros: nothing is known of what was used.
    tier, speed, geo = usage.service_tier, usage.speed, usage.inference_geo
    found = [
        Reply(
            model=model_of(message, usage),
            tokens=split.tokens,
            ttl_known=split.ttl_known,
            reasoning=None if details is None else details.thinking_tokens,
            web_searches=0 if tools is None else tools.web_search_requests or 0,
            tier=tier,
            speed=speed,
            geo=geo,
            status=status,
            complete=told.finished,
            partial_output=not told.finished,
            id=told.id,
        )
    ]
    for position, hop, model in hops_of(message, usage):
        part = split_of_hop(hop)
        found.append(
            Reply(
                model=model,
                tokens=part.tokens,
                ttl_known=part.ttl_known,
                tier=tier,
                speed=speed,
                geo=geo,
                status=status,
                id=told.id,
                part=f"it{position}",
                initiator="task" if hop.type == "compaction" else None,
            )
        )
    return found


def _split(usage: Usage) -> Split:
    """As in a transcript; but the breakdown is that of the writes which the reply began with.

    What was added to them lives as long as they do, where all of them live alike; else it counts as 5m, and theirs stay as they are.
    """
    split, parts = split_of(usage), usage.cache_creation
    if split.ttl_known or parts is None:
        return split
    written = split.cache_write_5m
    short, long = parts.ephemeral_5m_input_tokens or 0, parts.ephemeral_1h_input_tokens or 0
    if long and not short:
        long = written
    elif short + long > written:
        long = 0
    return Split(split.input, split.output, split.cache_read, written - long, long, False)
