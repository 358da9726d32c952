"""Small frames for tests of views: rows of the log, with every column that a test does not name at a plain value."""

from datetime import UTC, date, datetime
from typing import Any

import polars as pl

from views.calls import costed, folded, listed, owned, rated
from views.catalog import Frames
from views.columns import INSTANT, LOG, MONEY, NAME, TOKENS
from views.cube import cube, measured
from views.sessions import sessions

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


def views(*made: dict[str, Any], rates: Any = None) -> Frames:
    """The three views of some rows; `rates` gives a shape's rates, three and fifteen dollars per million by default."""
    million = 10**12
    sonnet = (3 * million, 15 * million, 15 * million, million, 4 * million, 6 * million, 0)
    calls = owned(folded(rows(*made)), lambda *f: (f[3] or "default", f[4], f[4] != "ollama"))
    kept = costed(rated(calls, rates or (lambda *_: sonnet), steps=(), is_timed=lambda *_: False).lazy()).collect()
    table = sessions(measured(kept.lazy())).collect()
    return Frames(listed(kept).lazy(), table.lazy(), cube(table.lazy()).collect().lazy())
