"""What an OpenCode message says about a model call.

Decides which messages are calls, and the identity and owner of each.

A message is known by its id, which a row and an older JSON file share. A fork copies messages under new ids and keeps what they say, so
each call also claims the times, model and counters that a copy repeats. Where the store says what was copied (OpenCode 2), a copy claims
the place of the original in its session too.

OpenCode 2 logs the usage of titles and compactions as an event, and that of a compaction in its message as well: the session and the
counters show that they are one.
"""

from datetime import datetime
from typing import Any

import msgspec

from ingest import decode
from ingest.adapters.opencode_message import Counted, Message, claimed, counted, model_of
from ingest.decode import BadRecord
from pipeline import keys
from pipeline.events import Event, Initiator, Rejected, Seen, Status, UsageEvent

AGENT = "opencode"

_ABORTED = "MessageAbortedError"
_TASKS = ("compaction", "title", "summary")
_ID_DIGITS = 12
_ID_PERIOD_MS = 1 << 36
"""After this time the digits of an id begin anew."""


class Around(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a message from beside it: its row and its session's row, or its file's place."""

    message: str | None = None
    session: str | None = None
    parent: str | None = None
    forked_from: str | None = None
    began: Any = None
    """When the session was created, in milliseconds."""
    directory: str | None = None
    version: str | None = None
    seq: int | None = None
    """Place in the session; a copy keeps it."""
    copied: bool = False
    """The store says that a fork copied it."""
    aside: bool = False
    """The call served the session itself: a title, a compaction."""
    from_row: bool = False
    """It stands in a database; its older JSON file owns nothing."""
    second: bool = False
    """Stored as OpenCode 2 does."""
    written: Any = None
    """When the row was created, in milliseconds."""


def events_of(message: Message, around: Around) -> list[Event]:
    """The call that a message tells of, if any."""
    time = message.time if isinstance(message.time, dict) else {}
    created = next((each for each in (time.get("created"), around.written, _written_us(around)) if each is not None), None)
    try:
        began_at = decode.instant(created) if created is not None else None
        model, provider = model_of(message)
        counters = counted(message, provider, keys.microseconds(began_at) if began_at else 0, second=around.second)
        if counters is None:
            return _without_usage(message)
        if began_at is None:
            raise BadRecord("bad_timestamp")
        at = decode.instant(time["completed"]) if time.get("completed") is not None else began_at
        return [_event(message, around, counters, model, provider, began_at, at, complete=time.get("completed") is not None)]
    except BadRecord as error:
        return [Rejected(reason=error.reason, tokens=claimed(message))]


def _without_usage(message: Message) -> list[Event]:
    if message.error is None:
        return []
    return [Seen(what="aborted" if _status(message) == "aborted" else "api_error")]


def _event(
    message: Message,
    around: Around,
    counters: Counted,
    model: str | None,
    provider: str | None,
    began_at: datetime,
    at: datetime,
    *,
    complete: bool,
) -> UsageEvent:
    tokens = counters.tokens
    id = decode.text(message.id) or around.message
    session = decode.text(message.sessionID) or around.session
    began_us, at_us = keys.microseconds(began_at), keys.microseconds(at)
    said = (
        began_us,
        at_us if complete else None,
        provider,
        model,
        tokens.input,
        tokens.output,
        counters.reasoning,
        tokens.cache_read,
        tokens.cache_write_5m,
    )
    said_by_copies = keys.identity("opencode.copy", *said)
    claims, offers = _places(around)
    if around.aside and not around.copied:
        claims += (keys.identity("opencode.aside", session, *said[4:]),)
    cost = decode.usd(message.cost)
    extra = {"reasoning": "soft"} if counters.soft else {}
    if cost == 0:
        # A subscription pays: OpenCode knows no price per token then.
        extra["billing"] = "not_per_token"
    status = _status(message)
    key = keys.identity("opencode.message", id) if id else said_by_copies
    # Copies say all the same of a call, but their ids: the original's names it where the store says which that is, else one of them does,
    # whichever was read first.
    facts = keys.informed(keys.digest_of(f"{said}|{cost}|{status}|{around.version}|{key.hex()}"), around.from_row and not around.copied)
    return UsageEvent(
        key=key,
        aliases=(said_by_copies, *claims) if id else claims,
        offers=offers,
        at=at,
        agent=AGENT,
        agent_version=around.version,
        provider=provider,
        model=model,
        session=session,
        parent_session=around.parent or around.forked_from,
        project=_project(message) or around.directory,
        initiator=_initiator(message, around),
        tokens=tokens,
        ttl_known=tokens.cache_write_5m == 0,
        reasoning=None if counters.reasoning is None else min(counters.reasoning, tokens.output),
        status=status,
        duration_ms=(at_us - began_us) // 1000 if complete and at_us >= began_us else None,
        logged_cost_usd=cost,
        logged_cost_basis=None if cost is None else "agent",
        message_id=id,
        rank=keys.rank_of(complete, tokens.output, at_us, facts),
        owner_rank=keys.owner_rank(
            copied=around.copied,
            sidechain=False,
            depth=0 if around.from_row else 1,
            session_start_us=session_began_us(session, around.began, began_us),
            session=session,
        ),
        extra=extra,
    )


def _places(around: Around) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """(claims, offers) by place in the session: a copy claims that of the original."""
    if not around.second or not around.seq or not around.session:
        return (), ()
    own = keys.identity("opencode.place", around.session, around.seq)
    return ((keys.identity("opencode.place", around.forked_from, around.seq),) if around.copied else (), (own,))


def _written_us(around: Around) -> int | None:
    """When a logged event was written that has no time: its id counts up in the way that a session's counts down."""
    digits = (around.message or "").removeprefix("evt_")[:_ID_DIGITS]
    try:
        began_us = keys.microseconds(decode.instant(around.began))
        return _near((int(digits, 16) >> 12), began_us // 1000) * 1000 if len(digits) == _ID_DIGITS else None
    except (BadRecord, ValueError):
        return None


def _near(low_ms: int, ms: int) -> int:
    """The time nearest to `ms` of which an id holds the low bits."""
    ahead = (low_ms - ms) % _ID_PERIOD_MS
    return ms + (ahead if ahead < _ID_PERIOD_MS // 2 else ahead - _ID_PERIOD_MS)


def session_began_us(session: str | None, began: object, message_us: int) -> int:
    """When a session began: as its row says, else by its id, else not after the message.

    A session id counts down: its first twelve digits are the low 48 bits of the complement of milliseconds times 4096, which repeat every
    two years; the time nearest to the message is meant.
    """
    try:
        return keys.microseconds(decode.instant(began))
    except BadRecord:
        pass
    digits = (session or "").removeprefix("ses_")[:_ID_DIGITS]
    try:
        low_ms = (int(digits, 16) ^ ((1 << 48) - 1)) >> 12
    except ValueError:
        return message_us
    if len(digits) < _ID_DIGITS:
        return message_us
    return _near(low_ms, message_us // 1000) * 1000


def _status(message: Message) -> Status:
    if message.error is None:
        return "ok"
    name = message.error.get("name") or message.error.get("type") if isinstance(message.error, dict) else message.error
    return "aborted" if name == _ABORTED or name == "aborted" else "error"


def _initiator(message: Message, around: Around) -> Initiator:
    if around.aside or message.summary is True or message.agent in _TASKS or message.mode in _TASKS:
        return "task"
    return "subagent" if around.parent else "main"


def _project(message: Message) -> str | None:
    """The working directory; damaged and old messages hold a text in place of the pair."""
    if isinstance(message.path, dict):
        return decode.text(message.path.get("cwd")) or decode.text(message.path.get("root"))
    return decode.text(message.path)
