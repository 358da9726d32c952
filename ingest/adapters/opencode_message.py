"""One assistant message of OpenCode as a struct, and what its counters mean.

Decides how a message is decoded and how its reasoning stands to its output. Format: OpenCode 0.x to 2.x (2025 to October 2026);
anomalyco/opencode, `packages/opencode/src/session/session.ts` (`getUsage`).
"""

from typing import Any

import msgspec

from ingest import decode
from ingest.decode import BadRecord
from pipeline.events import Tokens

ADDITIVE_SINCE_US = 1_777_593_600_000_000
"""2026-05-01. Since the release of anomalyco/opencode PR #21047 (spring 2026) reasoning is never part of output; this date is on the safe
side."""

_SEPARATE = ("anthropic", "google")
"""Providers that reported reasoning apart from output before that release too."""


class Message(msgspec.Struct):
    """What ringlet keeps of a message; anything may stand in any field of a damaged one."""

    id: Any = None
    sessionID: Any = None
    role: Any = None
    modelID: Any = None
    providerID: Any = None
    model: Any = None
    mode: Any = None
    agent: Any = None
    summary: Any = None
    path: Any = None
    time: Any = None
    tokens: Any = None
    cost: Any = None
    error: Any = None
    finish: Any = None


class Counted(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The counters of one message in ringlet's classes."""

    tokens: Tokens
    reasoning: int | None
    soft: bool
    """Whether reasoning stands inside output was guessed from provider and date."""


_DECODER = msgspec.json.Decoder(Message)


def messages_of(record: bytes | str) -> list[Message]:
    """The message in a document or a column. Raises `BadRecord` where it can't be read."""
    try:
        return [_DECODER.decode(record)]
    except (msgspec.MsgspecError, ValueError, RecursionError, OverflowError):
        raw = record if isinstance(record, bytes) else record.encode("utf-8", "surrogatepass")
        return [decode.struct_of(Message, found) for found in decode.objects(raw)]


def model_of(message: Message) -> tuple[str | None, str | None]:
    """(model, provider), from wherever this version writes them."""
    nested = message.model if isinstance(message.model, dict) else {}
    model = decode.text(message.modelID) or decode.text(nested.get("modelID")) or decode.text(nested.get("id"))
    return model, decode.text(message.providerID) or decode.text(nested.get("providerID"))


def counted(message: Message, provider: str | None, created_us: int, *, second: bool) -> Counted | None:
    """The counters; None where the message has none or nothing but zeros. `second`: it is stored as OpenCode 2 does.

    Raises `BadRecord` where a counter is not to be believed.
    """
    if message.tokens is None:
        return None
    if not isinstance(message.tokens, dict):
        raise BadRecord("not_an_object")
    written = message.tokens
    cache = written.get("cache")
    if cache is not None and not isinstance(cache, dict):
        raise BadRecord("not_an_object")
    cache = cache or {}
    prompt, output = decode.count(written.get("input")), decode.count(written.get("output"))
    read, write = decode.count(cache.get("read")), decode.count(cache.get("write"))
    reasoning = decode.reported_count(written.get("reasoning"))
    if not (prompt or output or read or write or reasoning):
        return None
    total = decode.reported_count(written.get("total"))
    inside, soft = _reasoning_is_inside(prompt + output + read + write, output, reasoning or 0, total, provider, created_us, second=second)
    output = decode.count(output if inside else output + (reasoning or 0))
    tokens = Tokens(input=prompt, output=output, cache_read=read, cache_write_5m=write)
    return Counted(tokens=tokens, reasoning=reasoning, soft=soft)


def claimed(message: Message) -> int | None:
    """What counters that are not believed say was used in all."""
    if not isinstance(message.tokens, dict):
        return None
    cache = message.tokens.get("cache")
    parts = [message.tokens.get("input"), message.tokens.get("output")]
    return decode.believable([*parts, *(cache.get("read"), cache.get("write"))] if isinstance(cache, dict) else parts)


def _reasoning_is_inside(
    others: int, output: int, reasoning: int, total: int | None, provider: str | None, created_us: int, *, second: bool
) -> tuple[bool, bool]:
    """(whether reasoning is part of output, whether that is a guess)."""
    if not reasoning:
        return True, False
    if total == others:
        return True, False
    if total == others + reasoning:
        return False, False
    if reasoning > output:
        # More than the whole can't be a part: the reply was cut off or is still being written.
        return False, output > 0
    separate = second or created_us >= ADDITIVE_SINCE_US or (provider or "").startswith(_SEPARATE)
    return not separate, not second
