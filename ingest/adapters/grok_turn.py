"""What a `turn_completed` of Grok Build says about model calls.

Decides which turns hold usage, what their counters mean and by what a turn is known. A turn is logged once, when it ends, with the sum of
its calls for each model: `granularity` is `turn`, and how many calls it were is kept in `extra`.

`inputTokens` holds cache reads and writes, `outputTokens` the reasoning. A fork writes its parent's turns again, under its own session and
new times, but keeps `prompt_id`: so that is what a turn is known by.

A turn of a session holds the calls of the subagents that it started, whose own sessions lie beside it and log them again: those
(`session_kind` = `subagent…` in their summary) are only counted by name. Builds up to the summer of 2026 are reported not to have
folded all of them in.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from ingest import decode
from ingest.decode import BadRecord
from pipeline import keys
from pipeline.events import Event, Seen, Status, Tokens, UsageEvent

AGENT = "grok"
PROVIDER = "xai"

_TICKS_PER_USD = Decimal(10**10)
_ABORTED = ("cancelled", "canceled", "aborted", "interrupted")
_COUNTERS = ("inputTokens", "outputTokens", "cachedReadTokens", "cacheCreationTokens", "reasoningTokens")


class Around(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What is known of a session from beside its turns."""

    session: str | None = None
    parent: str | None = None
    """The session that it was forked or restored from."""
    project: str | None = None
    began_us: int | None = None
    title: str | None = None
    subagent: bool = False


class _Info(msgspec.Struct):
    id: Any = None
    cwd: Any = None


class Summary(msgspec.Struct):
    """What ringlet keeps of a session's `summary.json`."""

    info: _Info | None = None
    created_at: Any = None
    parent_session_id: Any = None
    session_kind: Any = None
    generated_title: Any = None


class _Update(msgspec.Struct):
    sessionUpdate: Any = None
    prompt_id: Any = None
    stop_reason: Any = None
    elapsed_ms: Any = None
    usage: Any = None


class _Meta(msgspec.Struct):
    eventId: Any = None
    agentTimestampMs: Any = None


class _Params(msgspec.Struct):
    sessionId: Any = None
    update: _Update | None = None
    meta: _Meta | None = msgspec.field(default=None, name="_meta")


class _Line(msgspec.Struct):
    timestamp: Any = None
    params: _Params | None = None


_DECODER = msgspec.json.Decoder(_Line)
_SUMMARY = msgspec.json.Decoder(Summary)


def summary_of(text: bytes) -> Summary | None:
    """A session's summary; None where there is none, or none yet."""
    try:
        return _SUMMARY.decode(text)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def around(folder: str | None, summary: Summary | None) -> Around:
    """What the name of a session's folder and its summary say."""
    summary = summary or Summary()
    info = summary.info or _Info()
    try:
        began_us = keys.microseconds(decode.instant(summary.created_at))
    except BadRecord:
        began_us = None
    return Around(
        session=decode.text(info.id) or folder,
        parent=decode.text(summary.parent_session_id),
        project=decode.text(info.cwd),
        began_us=began_us,
        title=decode.text(summary.generated_title),
        subagent=(decode.text(summary.session_kind) or "").lower().startswith("subagent"),
    )


def events_of(record: bytes, known: Around) -> list[Event]:
    """The calls of one line, one event for each model. Raises `BadRecord`."""
    events: list[Event] = []
    for line in _lines(record):
        params = line.params or _Params()
        update = params.update or _Update()
        if update.sessionUpdate == "turn_completed":
            events += _turn(line, params, update, known)
    return events


def _lines(record: bytes) -> list[_Line]:
    try:
        return [_DECODER.decode(record)]
    except (msgspec.MsgspecError, ValueError, RecursionError, OverflowError):
        pass
    found = []
    for value in decode.objects(record):
        params = value.get("params")
        if not isinstance(params, dict):
            continue
        update, meta = params.get("update"), params.get("_meta")
        found.append(
            _Line(
                timestamp=value.get("timestamp"),
                params=_Params(
                    sessionId=params.get("sessionId"),
                    update=decode.struct_of(_Update, update) if isinstance(update, dict) else None,
                    meta=decode.struct_of(_Meta, meta) if isinstance(meta, dict) else None,
                ),
            )
        )
    return found


def _turn(line: _Line, params: _Params, update: _Update, known: Around) -> list[Event]:
    status = _status(update.stop_reason)
    if update.usage is None:
        return [] if status == "ok" else [Seen(what="aborted" if status == "aborted" else "api_error")]
    if not isinstance(update.usage, dict):
        raise BadRecord("not_an_object")
    if known.subagent:
        return [Seen(what="counted_in_parent")]
    usage: dict[str, object] = update.usage
    by_model = usage.get("modelUsage")
    named = {decode.text(model): used for model, used in by_model.items()} if isinstance(by_model, dict) else {}
    parts = named or {None: usage}
    claimed = decode.believable((usage.get("inputTokens"), usage.get("outputTokens")))
    meta = params.meta or _Meta()
    try:
        at = decode.instant(meta.agentTimestampMs if meta.agentTimestampMs is not None else line.timestamp)
        name = decode.text(update.prompt_id) or decode.text(meta.eventId)
        if name is None:
            raise BadRecord("no_identity")
        events = []
        for model, used in parts.items():
            event = _event(usage, used, model, name, at, params, update, status, known, alone=len(parts) == 1)
            if event is not None:
                events.append(event)
    except BadRecord as error:
        raise BadRecord(error.reason, tokens=claimed) from None
    return list(events)


def _event(
    usage: dict[str, object],
    used: object,
    model: str | None,
    name: str,
    at: datetime,
    params: _Params,
    update: _Update,
    status: Status,
    known: Around,
    *,
    alone: bool,
) -> UsageEvent | None:
    if not isinstance(used, dict):
        raise BadRecord("not_an_object")
    prompt, completion, read, written, _ = (decode.count(used.get(counter)) for counter in _COUNTERS)
    reasoning = decode.reported_count(used.get("reasoningTokens"))
    if not (prompt or completion):
        return None
    if read + written > prompt:
        raise BadRecord("inconsistent")
    cost = _usd(used, usage if alone else {})
    complete = usage.get("usageIsIncomplete") is not True
    session = decode.text(params.sessionId) or known.session
    at_us = keys.microseconds(at)
    calls = used.get("modelCalls")
    elapsed_ms = update.elapsed_ms
    return UsageEvent(
        key=keys.identity("grok.turn", name, model),
        at=at,
        agent=AGENT,
        provider=PROVIDER,
        model=model,
        session=session,
        parent_session=known.parent,
        project=known.project,
        granularity="turn",
        tokens=Tokens(input=prompt - read - written, output=completion, cache_read=read, cache_write_5m=written),
        ttl_known=written == 0,
        reasoning=None if reasoning is None else min(reasoning, completion),
        status=status,
        partial_output=not complete,
        duration_ms=elapsed_ms if type(elapsed_ms) is int and 0 <= elapsed_ms < 1 << 53 else None,
        logged_cost_usd=cost,
        logged_cost_basis=None if cost is None else "provider",
        rank=keys.rank(
            complete=complete,
            output=completion,
            at_us=at_us,
            facts=f"{model}|{prompt}|{read}|{written}|{reasoning}|{cost}|{status}",
            earliest=True,
        ),
        owner_rank=keys.owner_rank(
            copied=known.parent is not None,
            sidechain=False,
            depth=0,
            session_start_us=at_us if known.began_us is None else known.began_us,
            session=session,
            rest=known.project or "",
        ),
        extra={"model_calls": str(calls)} if type(calls) is int and calls > 0 else {},
    )


def _usd(used: dict[str, object], usage: dict[str, object]) -> Decimal | None:
    """What xAI says it cost, in 10^10 ticks to the dollar; it leaves out what it does not know, and says where it knows a part only."""
    if usage.get("costIsPartial") is True or used.get("costIsPartial") is True:
        return None
    ticks = used.get("costUsdTicks", usage.get("costUsdTicks"))
    return decode.usd(Decimal(ticks) / _TICKS_PER_USD) if type(ticks) is int and ticks > 0 else None


def _status(reason: object) -> Status:
    if reason in (None, "end_turn", "stop", "max_tokens", "max_turn_requests", "tool_use"):
        return "ok"
    return "aborted" if reason in _ABORTED else "error"
