"""Rows of a flat `usage.jsonl` in Claude's folder, which Claude Code itself never writes.

Decides which rows of such a file can be trusted: several unrelated tools use the name with different shapes, and only a row that names
the provider's ids beside Anthropic's usage names can be told to be a call of a transcript or a further one.
"""

import msgspec

from ingest.adapters.claude_line import Line, Message, usage_of
from ingest.decode import BadRecord, objects, text


def flat_line(record: bytes) -> Line | None:
    """The row as if a transcript had said it; None where it lacks an id or Anthropic's names of both token counts.

    Raises `ingest.decode.BadRecord` where its counters are no numbers.
    """
    row = _row(record)
    if row is None:
        return None
    message = row.get("message")
    inner = message if isinstance(message, dict) else {}
    counters = next(
        (each for each in (inner.get("usage"), row.get("usage"), row) if isinstance(each, dict) and "output_tokens" in each), {}
    )
    message_id = _first(inner, "id") or _first(row, "message_id", "messageId")
    request_id = _first(row, "requestId", "request_id")
    if not (message_id or request_id) or "input_tokens" not in counters or "input_tokens_details" in counters:
        return None
    stamp = next((row[name] for name in ("timestamp", "ts", "time") if row.get(name) is not None), None)
    return Line(
        timestamp=stamp if isinstance(stamp, str | int | float) and not isinstance(stamp, bool) else None,
        sessionId=_first(row, "sessionId", "session_id"),
        cwd=_first(row, "cwd"),
        requestId=request_id,
        message=Message(
            id=message_id,
            model=_first(inner, "model") or _first(row, "model"),
            stop_reason=_first(inner, "stop_reason") or _first(row, "stop_reason"),
            usage=usage_of(counters),
        ),
    )


def _row(record: bytes) -> dict[str, object] | None:
    try:
        value = msgspec.json.decode(record)
        return value if isinstance(value, dict) else None
    except (ValueError, RecursionError, OverflowError):
        pass
    try:
        return objects(record)[0]
    except BadRecord:
        return None


def _first(row: dict[str, object], *names: str) -> str | None:
    for name in names:
        found = text(row.get(name))
        if found is not None:
            return found
    return None
