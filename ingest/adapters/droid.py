"""Droid's sessions as events.

Decides what a session's settings file says it used. Format: Factory's Droid CLI 0.8 to 0.17x (2025 to October 2026),
`~/.factory/sessions/[<cwd>/]<session>.settings.json`; the transcript beside it holds no counters.

`tokenUsage` is a running total of the session without the sessions that it started, which have files of their own; `inclusiveTokenUsage`
has those in it and is never read. The file is written anew as the total grows, so all its versions are records of one call, known by the
session, and the greatest total counts: whether every version was seen, in which order, or only the last, the sum is the same. It is dated
when the session's first call was made. A total that fell is taken for an older copy of the file, never for something new to add.

The model is the one of the session's last call: where it was changed in between, nothing says which part was whose.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from ingest import decode
from ingest.adapter import Home, Pattern, Place
from ingest.decode import BadRecord
from pipeline import keys
from pipeline.events import MAX_TOKENS, Event, Rejected, Tokens, UsageEvent
from pipeline.sources import SessionInfo

AGENT = "droid"

_SETTINGS, _TRANSCRIPT = ".settings.json", ".jsonl"
_USAGE = b'"tokenUsage"'
_COUNTERS = ("inputTokens", "outputTokens", "cacheReadTokens", "cacheCreationTokens", "thinkingTokens")
_CUSTOM = re.compile(r"custom:(?P<name>.+?)(?:[- ]?\[[^\]]*\])?(?:-\d+)?")
"""A model of the user's own: its display name, perhaps its provider in brackets, and its number in the list."""


class _Settings(msgspec.Struct):
    model: Any = None
    effectiveFactoryRouterModel: Any = None
    providerLock: Any = None
    providerLockTimestamp: Any = None
    tokenUsage: Any = None
    tags: Any = None


class _Said(msgspec.Struct):
    """A line of the transcript."""

    type: Any = None
    cwd: Any = None
    version: Any = None
    sessionTitle: Any = None
    timestamp: Any = None


class State(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What the file's name and the transcript beside it say."""

    session: str | None = None
    project: str | None = None
    version: str | None = None
    title: str | None = None
    first_at: datetime | None = None
    """Time of the first line that has one."""


_SETTINGS_OF = msgspec.json.Decoder(_Settings)
_SAID = msgspec.json.Decoder(_Said)


class Droid:
    """The adapter of Droid."""

    agent = AGENT
    title = "Droid"
    patterns: Sequence[Pattern] = (Pattern(glob=f"sessions/**/*{_SETTINGS}", kind="document", beside=(_SETTINGS, _TRANSCRIPT)),)

    def homes(self, environ: Mapping[str, str], home: str) -> Sequence[Home]:  # noqa: ARG002  # nothing moves it
        """`~/.factory`."""
        return [Home(path=f"{home}/.factory")]

    def start(self, place: Place) -> State:
        """The session, and what its transcript says of where and when it began."""
        name = place.path.rpartition("/")[2].removesuffix(_SETTINGS) or None
        project = version = title = first_at = None
        for line in place.beside.split(b"\n"):
            said = _said(line)
            if said is None:
                continue
            if said.type == "session_start":
                project, version, title = decode.text(said.cwd), decode.text(said.version), decode.text(said.sessionTitle)
            if first_at is None and said.timestamp is not None:
                first_at = _moment(said.timestamp)
        return State(session=name, project=project, version=version, title=title, first_at=first_at)

    def load(self, dumped: bytes) -> State:
        """The state that `dump` wrote."""
        return msgspec.msgpack.decode(dumped, type=State)

    def dump(self, state: State) -> bytes:
        """The state as bytes."""
        return msgspec.msgpack.encode(state)

    def step(self, state: State, record: bytes) -> tuple[State, list[Event]]:
        """What the session has used so far."""
        try:
            return state, [event for settings in _settings(record) for event in _events(settings, state)]
        except BadRecord as error:
            return state, [Rejected(reason=error.reason, tokens=error.tokens)] if _USAGE in record else []

    def sessions(self, place: Place, head: bytes, tail: bytes) -> list[SessionInfo]:  # noqa: ARG002  # a document has no tail
        """The session's title and the session that started it."""
        state = self.start(place)
        try:
            parent = next((_parent(settings) for settings in _settings(head)), None)
        except BadRecord:
            parent = None
        if state.session is None or not (state.title or parent):
            return []
        return [SessionInfo(agent=AGENT, session=state.session, title=state.title, parent=parent)]


def _settings(record: bytes) -> list[_Settings]:
    try:
        return [_SETTINGS_OF.decode(record)]
    except (msgspec.MsgspecError, ValueError, RecursionError, OverflowError):
        return [decode.struct_of(_Settings, found) for found in decode.objects(record)]


def _events(settings: _Settings, state: State) -> list[Event]:
    usage = settings.tokenUsage
    if usage is None:
        return []
    if not isinstance(usage, dict):
        raise BadRecord("not_an_object")
    claimed = decode.believable((usage.get("inputTokens"), usage.get("outputTokens")))
    try:
        prompt, output, read, written, thinking = (decode.count(usage.get(counter)) for counter in _COUNTERS)
        total = prompt + output + read + written + thinking
        if not total:
            return []
        if total > MAX_TOKENS:
            raise BadRecord("out_of_range")
        at = _moment(settings.providerLockTimestamp) or state.first_at
        if at is None:
            raise BadRecord("bad_timestamp")
        if state.session is None:
            raise BadRecord("no_identity")
    except BadRecord as error:
        raise BadRecord(error.reason, tokens=claimed) from None
    tokens = Tokens(input=prompt, output=output + thinking, cache_read=read, cache_write_5m=written)
    model, named = _model(settings)
    provider, parent = decode.text(settings.providerLock), _parent(settings)
    at_us = keys.microseconds(at)
    extra = {"model_raw": named} if named is not None and named != model else {}
    if thinking:
        # That Droid counts it apart from the output is how it looks, and written nowhere.
        extra["reasoning"] = "soft"
    return [
        UsageEvent(
            key=keys.identity("droid.session", state.session),
            at=at,
            agent=AGENT,
            agent_version=state.version,
            provider=provider,
            model=model,
            session=state.session,
            parent_session=parent,
            project=state.project,
            initiator="main" if parent is None else "subagent",
            granularity="session",
            tokens=tokens,
            ttl_known=written == 0,
            reasoning=decode.reported_count(usage.get("thinkingTokens")),
            # By the whole total: it may grow where the output does not.
            rank=keys.rank(
                complete=True,
                output=total,
                at_us=at_us,
                facts=f"{model}|{provider}|{tokens.input}|{tokens.output}|{read}|{written}",
                earliest=True,
            ),
            owner_rank=keys.owner_rank(
                copied=False,
                sidechain=parent is not None,
                depth=0,
                session_start_us=at_us,
                session=state.session,
                rest=f"{state.project}|{parent}",
            ),
            extra=extra,
        )
    ]


def _model(settings: _Settings) -> tuple[str | None, str | None]:
    """(model, as it stands there): the one that Droid's router chose, else the session's; one of the user's own without its wrapping."""
    routed = settings.effectiveFactoryRouterModel
    named = (decode.text(routed.get("modelId")) if isinstance(routed, dict) else None) or decode.text(settings.model)
    custom = _CUSTOM.fullmatch(named or "")
    return (custom["name"] if custom else named), named


def _parent(settings: _Settings) -> str | None:
    """The session that started this one."""
    for tag in settings.tags if isinstance(settings.tags, list) else ():
        about = tag.get("metadata") if isinstance(tag, dict) else None
        calling = decode.text(about.get("callingSessionId")) if isinstance(about, dict) else None
        if calling is not None:
            return calling
    return None


def _said(line: bytes) -> _Said | None:
    try:
        return _SAID.decode(line) if line else None
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def _moment(value: object) -> datetime | None:
    try:
        return decode.instant(value)
    except BadRecord:
        return None


ADAPTER = Droid()
