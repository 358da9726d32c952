"""What a row of grok-cli's database says about a model call.

Decides which columns are read and what they mean. Each row of `usage_events` is one call and never changes. The prompt count has the cache
inside, and does not say how much of it; where the row's total is larger than its two counts, the rest was reasoning, which xAI reports
apart and bills as output.
"""

from decimal import Decimal
from typing import Any

import msgspec

from ingest import decode
from ingest.adapters.grok_turn import AGENT, PROVIDER
from ingest.decode import BadRecord
from pipeline import keys
from pipeline.events import Event, Tokens, UsageEvent
from pipeline.rows import Join, RowQuery
from pipeline.sources import SessionInfo

USAGE = RowQuery(
    table="usage_events",
    columns=(
        "id",
        "session_id",
        "message_seq",
        "source",
        "model",
        "input_tokens",
        "output_tokens",
        "total_tokens",
        "cost_micros",
        "created_at",
    ),
    updated=None,
    joins=(Join(name="session", table="sessions", on="session_id", columns=("cwd_at_start", "created_at", "title")),),
    sessions=True,
)

_MICROS_PER_USD = Decimal(10**6)


class _Session(msgspec.Struct):
    cwd_at_start: Any = None
    created_at: Any = None
    title: Any = None


class _Row(msgspec.Struct):
    id: Any = None
    session_id: Any = None
    message_seq: Any = None
    source: Any = None
    model: Any = None
    input_tokens: Any = None
    output_tokens: Any = None
    total_tokens: Any = None
    cost_micros: Any = None
    created_at: Any = None


class _Record(msgspec.Struct):
    row: _Row
    session: _Session | None = None


_RECORD = msgspec.json.Decoder(_Record)


def events_of(record: bytes) -> list[Event]:
    """The call of one row; nothing where it used nothing. Raises `BadRecord`."""
    found = _decoded(record)
    if found is None:
        raise BadRecord("unreadable")
    row = found.row
    claimed = decode.believable((row.input_tokens, row.output_tokens))
    try:
        prompt, output, total = (decode.count(each) for each in (row.input_tokens, row.output_tokens, row.total_tokens))
        if not (prompt or output or total):
            return []
        at = decode.instant(row.created_at)
        if row.id is None:
            raise BadRecord("no_identity")
        return [
            _event(row, found.session or _Session(), at, prompt, max(output, total - prompt), reasoning=max(0, total - prompt - output))
        ]
    except BadRecord as error:
        raise BadRecord(error.reason, tokens=claimed) from None


def session_of(record: bytes) -> list[SessionInfo]:
    """The title that grok-cli gave the row's session."""
    found = _decoded(record)
    if found is None or found.session is None:
        return []
    session, title = decode.text(found.row.session_id), decode.text(found.session.title)
    return [SessionInfo(agent=AGENT, session=session, title=title)] if session and title else []


def _event(row: _Row, about: _Session, at: Any, prompt: int, output: int, *, reasoning: int) -> UsageEvent:
    session, model, project = decode.text(row.session_id), decode.text(row.model), decode.text(about.cwd_at_start)
    at_us = keys.microseconds(at)
    cost = decode.usd(Decimal(row.cost_micros) / _MICROS_PER_USD) if type(row.cost_micros) is int and row.cost_micros > 0 else None
    try:
        began_us = keys.microseconds(decode.instant(about.created_at))
    except BadRecord:
        began_us = at_us
    return UsageEvent(
        # Numbers of rows begin anew in every database; with the session and the time they name one call wherever the file is moved.
        key=keys.identity("grok.row", session, str(row.id), str(row.message_seq), str(row.created_at)),
        at=at,
        agent=AGENT,
        provider=PROVIDER,
        model=model,
        session=session,
        project=project,
        initiator="main" if row.source in (None, "message") else "task",
        tokens=Tokens(input=prompt, output=output),
        reasoning=reasoning or None,
        logged_cost_usd=cost,
        logged_cost_basis=None if cost is None else "agent",
        rank=keys.rank(complete=True, output=output, at_us=at_us, facts=f"{model}|{prompt}|{cost}|{row.source}"),
        owner_rank=keys.owner_rank(
            copied=False, sidechain=False, depth=0, session_start_us=began_us, session=session, rest=f"{project}|{row.source}"
        ),
        extra={"reasoning": "soft"} if reasoning else {},
    )


def _decoded(record: bytes) -> _Record | None:
    try:
        return _RECORD.decode(record)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
