"""Small frames for tests of views: rows of the log, with every column that a test does not name at a plain value."""

from datetime import UTC, date, datetime
from typing import Any

import polars as pl

from views.columns import INSTANT, LOG, MONEY, NAME, TOKENS

NOON = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)

_PLAIN: dict[str, Any] = {
    **dict.fromkeys(LOG),
    "key": b"k" * 16,
    "kind": "call",
    "rank": b"\x80" + bytes(15),
    "owner_rank": 1,
    "at": NOON,
    "agent": "claude",
    "provider": "anthropic",
    "model": "claude-sonnet-4-5",
    "session": "s1",
    "project": "/src/shop",
    "root": "/home/u/.claude",
    "initiator": "main",
    "granularity": "call",
    "requests": 1,
    **dict.fromkeys(TOKENS, 0),
    "ttl_known": True,
    "web_searches": 0,
    "status": "ok",
    "partial_output": False,
    "origin": "transcript",
    "machine": "m1",
}
_TYPES: dict[str, Any] = {
    **dict.fromkeys([*LOG, "machine"], NAME),
    **dict.fromkeys(("key", "rank"), pl.Binary),
    **dict.fromkeys(("owner_rank", "requests", *TOKENS, "reasoning", "web_searches", "duration_ms"), pl.Int64),
    **dict.fromkeys(("ttl_known", "partial_output"), pl.Boolean),
    "at": INSTANT,
    "logged_cost_usd": MONEY,
    "date": pl.Date,
}


def row(**facts: Any) -> dict[str, Any]:
    """One row of the log; `key` may be given as a short text."""
    key = facts.get("key", "k")
    made = {**_PLAIN, **facts, "key": key if isinstance(key, bytes) else str(key).encode().ljust(16, b"\0")}
    at = made["at"]
    return {**made, "date": facts.get("date", date(at.year, at.month, at.day))}


def rows(*made: dict[str, Any]) -> pl.DataFrame:
    """Rows of the log as the frame that `views.calls` reads."""
    return pl.DataFrame(list(made), schema={name: _TYPES[name] for name in (*LOG, "date", "machine")})
