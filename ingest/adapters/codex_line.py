"""One line of a Codex rollout as a struct, and its counters.

Decides how a line is decoded and which counters make a vector. Format: Codex CLI 0.44 to 0.159 (2025 to October 2026); the names are
those of openai/codex, `codex-rs/protocol/src/protocol.rs`.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from ingest import decode
from ingest.decode import BadRecord

Vector = tuple[int, int, int, int, int]
"""Prompt tokens, those of them read from the cache, those written to it, completion tokens, those of them for reasoning."""

ZERO: Vector = (0, 0, 0, 0, 0)

COUNTERS = ("input_tokens", "cached_input_tokens", "cache_write_input_tokens", "output_tokens", "reasoning_output_tokens")

_CLAIMS = (b'"token_count"', b'"token_usage_record"', b'"turn.completed"')
_CONVERSATION = b'"type":"response_item"'
_CONVERSATION_WITHIN = 160


class Payload(msgspec.Struct):
    """What ringlet keeps of a payload; the rest, all text above all, is skipped while decoding."""

    type: Any = None
    id: Any = None
    session_id: Any = None
    timestamp: Any = None
    forked_from_id: Any = None
    parent_thread_id: Any = None
    subagent_history_start_ordinal: Any = None
    source: Any = None
    cwd: Any = None
    cli_version: Any = None
    model_provider: Any = None
    git: Any = None
    model: Any = None
    turn_id: Any = None
    started_at: Any = None
    trigger_turn: Any = None
    info: Any = None
    thread_id: Any = None
    thread_name: Any = None
    thread_settings: Any = None
    response_id: Any = None
    usage: Any = None
    thread_token_usage: Any = None


class Line(msgspec.Struct):
    """A line; `thread_id` and `usage` stand at the top in what `codex exec --json` prints."""

    timestamp: Any = None
    ordinal: Any = None
    type: Any = None
    payload: Payload | None = None
    thread_id: Any = None
    usage: Any = None


_DECODER = msgspec.json.Decoder(Line)


def lines_of(record: bytes) -> list[Line]:
    """The line in `record`: nothing where it can't matter, several where two were written into one.

    Raises `BadRecord` for a line that claims usage and can't be read.
    """
    if record.find(_CONVERSATION, 0, _CONVERSATION_WITHIN) >= 0:
        return []
    try:
        return [_DECODER.decode(record)]
    except (msgspec.MsgspecError, ValueError, RecursionError, OverflowError):
        if not any(claim in record for claim in _CLAIMS) and b'"session_meta"' not in record and b'"turn_context"' not in record:
            return []
    try:
        return [_line(found) for found in decode.objects(record)]
    except BadRecord:
        if any(claim in record for claim in _CLAIMS):
            raise
        return []


def vector(counters: object) -> Vector | None:
    """The five counters; None where nothing is written. Raises `BadRecord` where one is not to be believed."""
    if counters is None:
        return None
    if not isinstance(counters, dict):
        raise BadRecord("not_an_object")
    prompt, cached, written, completion, reasoning = (decode.count(counters.get(name)) for name in COUNTERS)
    return prompt, cached, written, completion, reasoning


def with_parts(total: Vector, counters: Mapping[str, object], before: Vector) -> Vector:
    """`total`, written as `counters`, with the parts that it does not tell as they were in the total `before`: they have not fallen.

    An older build that goes on with a thread knows no cache writes. A total that fell in what it tells takes over nothing.
    """
    if total[0] < before[0] or total[3] < before[3]:
        return total
    prompt, cached, written, completion, reasoning = (
        before[at] if counters.get(name) is None else total[at] for at, name in enumerate(COUNTERS)
    )
    return prompt, cached, written, completion, reasoning


def claimed(counters: object) -> int | None:
    """What counters that are not believed say was used in all."""
    return decode.believable((counters.get(COUNTERS[0]), counters.get(COUNTERS[3]))) if isinstance(counters, dict) else None


def _line(found: dict[str, object]) -> Line:
    payload = found.get("payload")
    return decode.struct_of(Line, {**found, "payload": decode.struct_of(Payload, payload) if isinstance(payload, dict) else None})
