"""What a Codex rollout says about model calls.

Decides which lines are calls, how a running total becomes calls, and the identity and owner of each.

A call is known by its thread and the thread's running total after it. Prompt, cached and completion tokens name a total: cache writes and
reasoning are parts of these three, and `codex exec --json` leaves them out. A call in an unresolved copy is named as the parent's; a call
with a record of its own is known by the provider's response id and also answers to its total.
"""

from datetime import datetime

import msgspec

from ingest import decode
from ingest.adapters.codex_line import ZERO, Line, Payload, Vector, claimed, vector, with_parts
from ingest.adapters.codex_thread import Thread, uuid_us
from ingest.decode import BadRecord
from pipeline import keys
from pipeline.events import Event, Granularity, Rejected, Seen, Tokens, UsageEvent

AGENT = "codex"

Step = tuple[Thread, list[Event]]


def counted(thread: Thread, line: Line) -> Step:
    """`thread` after a line, and the call in it, if any."""
    payload = line.payload or Payload()
    if line.type == "event_msg":
        if payload.type == "token_count":
            return _running_total(thread, line, payload)
        if payload.type == "turn.completed":
            return _turn(thread, line, payload.usage)
        if payload.type == "error" and thread.replay == "none":
            return thread, [Seen(what="api_error")]
    elif line.type == "token_usage_record":
        return _response(thread, line, payload)
    elif line.type == "compacted":
        return _compacted(thread)
    elif line.type == "turn.completed":
        return _turn(thread, line, line.usage)
    elif line.type == "turn.failed":
        return thread, [Seen(what="api_error")]
    return thread, []


def _running_total(thread: Thread, line: Line, payload: Payload) -> Step:
    """The call by which a running total grew. One that did not grow is the same again; one that fell has begun anew."""
    info = payload.info
    if info is None:
        return thread, []
    if not isinstance(info, dict):
        return thread, [Rejected(reason="not_an_object")]
    try:
        total, last = vector(info.get("total_token_usage")), vector(info.get("last_token_usage"))
    except BadRecord as error:
        wanted = claimed(info.get("last_token_usage"))
        return thread, [Rejected(reason=error.reason, tokens=claimed(info.get("total_token_usage")) if wanted is None else wanted)]
    base, epoch = thread.total, thread.epoch
    if total is not None and total != last:
        # One that is its last response alone has begun anew.
        total = with_parts(total, info["total_token_usage"], base)
    if total is None:
        if last is None:
            return thread, []
        total = _plus(base, last)
    elif any(now < before for now, before in zip(total, base, strict=True)):
        base, epoch = ZERO, epoch + 1
    elif not thread.counted and last is not None and all(a <= b for a, b in zip(last, total, strict=True)):
        # A total may go on from another file: of a parent that is referred to and not copied, of the same thread before it was reverted.
        base = _minus(total, last)
    grown = _minus(total, base)
    if grown == ZERO:
        return _replace(thread, total=total, epoch=epoch, counted=thread.counted or total != ZERO), []
    explained = total == thread.predicted
    aside = None if explained else thread.aside
    thread = _replace(thread, total=total, epoch=epoch, counted=True, unexplained=None if explained else grown, predicted=None, aside=aside)
    if thread.replay == "proven" or thread.recorded or not (grown[0] or grown[3]):
        return thread, []
    model = decode.text(info.get("model"))
    try:
        at = decode.instant(line.timestamp)
        thread = _begun(thread, at)
        key, aliases, offers, copied = _names(thread, line, total)
        return thread, [_event(thread, grown, at, key, aliases, offers, copied=copied, model=model)]
    except BadRecord as error:
        return thread, [Rejected(reason=error.reason, tokens=grown[0] + grown[3])]


def _response(thread: Thread, line: Line, payload: Payload) -> Step:
    """The call that a record of one response tells of. From the first one on, running totals only say which records they hold."""
    try:
        usage = vector(payload.usage)
        if usage is None or not (usage[0] or usage[3]):
            return thread, []
        response = decode.text(payload.response_id)
        at = decode.instant(line.timestamp)
        before = _is_in_total(thread, usage, payload.thread_token_usage)
        total = thread.total if before else _plus(thread.total, usage)
        if response is None:
            return thread, [Rejected(reason="no_identity", tokens=usage[0] + usage[3])]
        key = keys.identity("openai.response", response)
        if thread.id is not None and payload.thread_id not in (None, thread.id):
            return thread, [_event(thread, usage, at, key, copied=True, response=response)]
        offers = (_name(thread.id, thread.epoch, total),) if thread.id is not None else ()
        event = _event(thread, usage, at, key, offers=offers, response=response)
        aside = None if before else (response, usage, keys.microseconds(at))
        predicted = None if before else total
        return _replace(_begun(thread, at), recorded=True, unexplained=None, predicted=predicted, aside=aside), [event]
    except BadRecord as error:
        return thread, [Rejected(reason=error.reason, tokens=claimed(payload.usage))]


def _compacted(thread: Thread) -> Step:
    """A compaction is a call that no running total holds: the record before it is told again, as a task."""
    if thread.aside is None:
        return thread, []
    response, usage, at_us = thread.aside
    key = keys.identity("openai.response", response)
    event = _event(thread, usage, decode.instant(at_us), key, response=response, compaction=True)
    return _replace(thread, aside=None, predicted=None), [event]


def _is_in_total(thread: Thread, usage: Vector, of_thread: object) -> bool:
    """Whether the running total that holds a response stands before its record; else it follows.

    The record's own sum over the thread decides where it can: it lacks what an older version counted, and has compactions besides.
    """
    try:
        summed = vector(of_thread)
    except BadRecord:
        summed = None
    if summed is not None and summed != usage and summed in (thread.total, _plus(thread.total, usage)):
        return summed == thread.total
    return thread.unexplained == usage


def _turn(thread: Thread, line: Line, counters: object) -> Step:
    """A turn as `codex exec --json` prints it.

    It is named by the running total at its end: where the thread's rollout is known too, the turn is one with its last call there and gives
    way to it, because it is the less complete record.
    """
    try:
        usage = vector(counters)
        if usage is None or thread.counted or thread.recorded or thread.replay == "proven" or not (usage[0] or usage[3]):
            return thread, []
        turns = _plus(thread.turns, usage)
        thread = _replace(thread, turns=turns)
        at = decode.instant(line.timestamp if line.timestamp is not None else _thread_began(thread))
        key, aliases, offers, copied = _names(thread, line, turns)
        return thread, [_event(thread, usage, at, key, aliases, offers, copied=copied, granularity="turn")]
    except BadRecord as error:
        return thread, [Rejected(reason=error.reason, tokens=claimed(counters))]


def _thread_began(thread: Thread) -> object:
    """What is printed has no times of its own, but a thread's id holds when it began."""
    return uuid_us(thread.id)


def _names(thread: Thread, line: Line, total: Vector) -> tuple[bytes, tuple[bytes, ...], tuple[bytes, ...], bool]:
    """(key, claimed aliases, offers, copied) of the call after which the running total was `total`."""
    if thread.id is None:
        return keys.identity("codex.line", str(line.timestamp), *total), (), (), False
    own = _name(thread.id, thread.epoch, total)
    if thread.replay == "none" or not thread.ancestors:
        return own, (), (), False
    key, *aliases = (_name(ancestor, thread.epoch, total) for ancestor in thread.ancestors)
    return key, tuple(aliases), (own,), True


def _name(thread: str, epoch: int, total: Vector) -> bytes:
    prompt, cached, _, completion, _ = total
    return keys.identity("codex.call", thread, prompt, cached, completion, *([epoch] if epoch else []))


def _event(
    thread: Thread,
    usage: Vector,
    at: datetime,
    key: bytes,
    aliases: tuple[bytes, ...] = (),
    offers: tuple[bytes, ...] = (),
    *,
    copied: bool = False,
    model: str | None = None,
    response: str | None = None,
    granularity: Granularity = "call",
    compaction: bool = False,
) -> UsageEvent:
    prompt, cached, written, completion, reasoning = usage
    if cached + written > prompt:
        raise BadRecord("inconsistent")
    tokens = Tokens(input=prompt - cached - written, output=completion, cache_read=cached, cache_write_5m=written)
    at_us = keys.microseconds(at)
    model = model or thread.model
    extra = {"replay": "unresolved"} if copied else {}
    if thread.tier is not None:
        extra["asked_tier"] = thread.tier
    session = thread.id or thread.label
    began_us = thread.began_us or at_us
    if copied and thread.first_us is not None:
        # Forks made in one second are told apart by when they wrote the first line of their copy.
        began_us = max(began_us, thread.first_us)
    return UsageEvent(
        key=key,
        aliases=aliases,
        offers=offers,
        at=at,
        agent=AGENT,
        agent_version=thread.version,
        provider=thread.provider,
        model=model,
        session=session,
        parent_session=thread.parent,
        project=thread.cwd,
        git_branch=thread.branch,
        initiator="task" if compaction else thread.initiator,
        granularity=granularity,
        tokens=tokens,
        ttl_known=written == 0,
        reasoning=min(reasoning, completion),
        message_id=response,
        rank=keys.rank(
            complete=granularity == "call",
            output=completion,
            at_us=at_us,
            facts=f"{model}|{thread.provider}|{prompt}|{cached}|{written}|{reasoning}|{response}|{thread.version}",
            earliest=True,
        ),
        owner_rank=keys.owner_rank(
            copied=copied, sidechain=False, depth=_depth(granularity, compaction), session_start_us=began_us, session=session
        ),
        extra=extra,
    )


def _depth(granularity: Granularity, compaction: bool) -> int:
    """Among the sightings of one call in one thread: what knows most of whose it is comes first."""
    if compaction:
        return 0
    return 1 if granularity == "call" else 2


def _begun(thread: Thread, at: datetime) -> Thread:
    return thread if thread.first_us is not None else _replace(thread, first_us=keys.microseconds(at))


def _replace(thread: Thread, **changes: object) -> Thread:
    return msgspec.structs.replace(thread, **changes)


def _plus(a: Vector, b: Vector) -> Vector:
    return (a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3], a[4] + b[4])


def _minus(a: Vector, b: Vector) -> Vector:
    return (a[0] - b[0], a[1] - b[1], a[2] - b[2], a[3] - b[3], a[4] - b[4])
