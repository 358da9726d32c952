"""What Codex's own database says about threads: names, and totals of threads whose rollout is gone.

Decides which of its columns are believed. `tokens_used` is one number for prompt, cache and completion together: no token class can be
given it, so it never becomes an event. `lost` says what no known call accounts for, to be shown beside the totals.
Format: table `threads` of `state_<n>.sqlite`, openai/codex, `codex-rs/state/migrations` (2026).
"""

from collections.abc import Container, Iterable
from datetime import datetime
from typing import Any

import msgspec

from ingest import decode
from ingest.decode import BadRecord
from pipeline import providers
from pipeline.rows import RowQuery
from pipeline.sources import SessionInfo

THREADS = RowQuery(
    table="threads",
    columns=("id", "created_at", "updated_at", "model_provider", "cwd", "tokens_used", "name"),
    updated="updated_at",
    overlap=600_000,
    sessions=True,
)

SEEN = "thread_total"
"""A thread with a total, counted by name."""


class ThreadTotal(msgspec.Struct, frozen=True, kw_only=True):
    """All that a thread used by Codex's own count, not divided into classes."""

    session: str
    tokens: int
    at: datetime
    """When the thread began, UTC."""
    provider: str | None = None
    project: str | None = None


class _Record(msgspec.Struct):
    table: str | None = None
    row: dict[str, Any] = {}


_DECODER = msgspec.json.Decoder(_Record)


def is_row(record: bytes) -> bool:
    """Whether a record is a row of this database rather than a line of a rollout."""
    return record.startswith(b'{"row":')


def thread_total(record: bytes) -> ThreadTotal | None:
    """The total in a row of `threads`; None where there is none to believe."""
    row = _row(record)
    session = decode.text(row.get("id"))
    try:
        tokens, at = decode.count(row.get("tokens_used")), decode.instant(row.get("created_at"))
    except BadRecord:
        return None
    if session is None or not tokens:
        return None
    provider, project = providers.meant(decode.text(row.get("model_provider"))), decode.text(row.get("cwd"))
    return ThreadTotal(session=session, tokens=tokens, at=at, provider=provider, project=project)


def lost(records: Iterable[bytes], known: Container[str]) -> list[ThreadTotal]:
    """Threads in rows of `threads` of which no session in `known` tells: their rollouts are gone, their usage is in no total."""
    found = (thread_total(record) for record in records)
    return [each for each in found if each is not None and each.session not in known]


def named(record: bytes) -> list[SessionInfo]:
    """The name that a person or Codex gave a thread. Its `title` is the first prompt and stays where it is."""
    row = _row(record)
    session, name = decode.text(row.get("id")), decode.text(row.get("name"))
    return [SessionInfo(agent="codex", session=session, title=name)] if session and name else []


def _row(record: bytes) -> dict[str, Any]:
    try:
        return _DECODER.decode(record).row
    except (msgspec.MsgspecError, ValueError):
        return {}
