"""Whose history a Codex rollout holds, and since which line it is its own.

Decides what a rollout says about itself and where the history ends that a fork copied from its parent. What lines of usage mean is
`codex_usage`'s business.

A fork's file begins with its parent's lines under new times. Where its own part begins shows in a turn that is not older than the file
(older ones were copied), its own header repeated, a record of its own usage, the message that woke a subagent, or an ordinal named in its
header. Where nothing shows it, the copy is *unresolved*: its calls are named as the parent's, so that parent, siblings and copies count
once.
Evidence: 635 files audited in farion1231/cc-switch PR #5235; the two recorded families of steipete/CodexBar issue 2037.
"""

from typing import Literal

import msgspec

from ingest import decode
from ingest.adapters.codex_line import ZERO, Line, Payload, Vector, lines_of
from ingest.decode import BadRecord
from pipeline import providers
from pipeline.events import Initiator
from pipeline.keys import microseconds

MAX_ANCESTORS = 8

_COPIES = (b'"forked_from_id"', b'"subagent_history_start_ordinal"')
_TASKS = ("review", "compact")
_PLAIN_TIERS = (None, "default", "auto", "standard")


class Thread(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What is remembered of one rollout between two lines: the adapter's fold state."""

    label: str | None = None
    """The session's name where the file has no header: from the file's name."""
    proof: bool = False
    """The head of the file shows where copied history ends, should there be any."""
    id: str | None = None
    """Thread id of the first header."""
    parent: str | None = None
    began_us: int = 0
    initiator: Initiator = "main"
    version: str | None = None
    provider: str | None = None
    branch: str | None = None
    cwd: str | None = None
    model: str | None = None
    tier: str | None = None
    """Service tier that was asked for, unless it is the usual one."""
    ancestors: tuple[str, ...] = ()
    """Threads that copied history may come from, the nearest first; empty where nothing is copied."""
    replay: Literal["none", "unresolved", "proven"] = "none"
    """Whether the lines at hand are copied history."""
    woken: bool = False
    """Copied history ended with the message that woke a subagent: that message may itself be a copy."""
    own_from_ordinal: int | None = None
    total: Vector = ZERO
    """The running total as last seen."""
    counted: bool = False
    """A running total or a call was seen."""
    epoch: int = 0
    """How often the running total fell."""
    first_us: int | None = None
    """Time of the first line of usage."""
    recorded: bool = False
    """The file has records of single responses: running totals no longer make calls."""
    unexplained: Vector | None = None
    """What the running total last grew by in this turn, while no record has accounted for it."""
    predicted: Vector | None = None
    """The running total that follows from the last record."""
    aside: tuple[str, Vector, int] | None = None
    """Response id, usage and time in microseconds of the last record, while no running total holds it."""
    turns: Vector = ZERO
    """Sum over the turns that `codex exec --json` reported."""
    dated: bool = False
    """The file says when its turns started, so that their ids need not tell."""


def marked(thread: Thread, line: Line) -> Thread:
    """`thread` after what a line says about the thread itself, calls apart."""
    payload = line.payload or Payload()
    thread = _by_ordinal(thread, line.ordinal)
    if line.type == "session_meta":
        return _header(thread, line, payload)
    if line.type == "turn_context":
        thread = msgspec.structs.replace(
            thread,
            model=decode.text(payload.model) or thread.model,
            cwd=decode.text(payload.cwd) or thread.cwd,
            provider=providers.meant(decode.text(payload.model_provider)) or thread.provider,
            unexplained=None,
        )
        # A fork may give the turns that it copies new ids, but it keeps when they started.
        return thread if thread.dated else _by_turn(thread, uuid_us(payload.turn_id))
    if line.type == "event_msg":
        if payload.type == "task_started":
            started_us = _moment_us(payload.started_at)
            if started_us is not None and not thread.dated:
                thread = msgspec.structs.replace(thread, dated=True)
            # An older turn is a copied one; its rows come after it.
            return _by_turn(thread, started_us or uuid_us(payload.turn_id))
        if payload.type == "thread_settings_applied" and isinstance(payload.thread_settings, dict):
            tier = decode.text(payload.thread_settings.get("service_tier"))
            return msgspec.structs.replace(thread, tier=None if tier in _PLAIN_TIERS else tier)
        return thread
    if line.type == "token_usage_record" and thread.id is not None and payload.thread_id == thread.id:
        # Records are not copied into forks.
        return _own(thread)
    if isinstance(line.type, str) and line.type.startswith("inter_agent_communication"):
        if payload.trigger_turn is not True or thread.initiator != "subagent" or thread.replay == "none":
            return thread
        return msgspec.structs.replace(thread, replay="none", woken=True)
    if line.type == "thread.started" and thread.id is None:
        id = decode.text(line.thread_id)
        return msgspec.structs.replace(thread, id=id, began_us=uuid_us(id) or 0)
    return thread


def proves_replay(head: bytes) -> bool:
    """Whether the first lines of a file show where copied history in it ends, or that its lines are copied."""
    if not any(sign in head for sign in _COPIES) and head.count(b'"session_meta"') < 2:
        return False
    thread = Thread()
    for record in head.split(b"\n")[:-1]:
        try:
            lines = lines_of(record)
        except BadRecord:
            continue
        for line in lines:
            before, thread = thread, marked(thread, line)
            if before.replay == "unresolved" and thread.replay != "unresolved":
                return True
    return False


def _header(thread: Thread, line: Line, payload: Payload) -> Thread:
    id = decode.text(payload.id) or decode.text(payload.session_id)
    if id is None:
        return thread
    forked_from = decode.text(payload.forked_from_id)
    if thread.id is None:
        parent = decode.text(payload.parent_thread_id) or _spawned_by(payload.source) or forked_from
        start = payload.subagent_history_start_ordinal
        own_from = start if type(start) is int and start > 0 else None
        copies = forked_from is not None or own_from is not None
        ancestors = forked_from or parent
        return msgspec.structs.replace(
            thread,
            id=id,
            parent=parent,
            began_us=_moment_us(payload.timestamp) or _moment_us(line.timestamp) or 0,
            initiator=_initiator(payload.source),
            version=decode.text(payload.cli_version),
            provider=providers.meant(decode.text(payload.model_provider)),
            branch=decode.text(payload.git.get("branch")) if isinstance(payload.git, dict) else None,
            cwd=decode.text(payload.cwd),
            ancestors=(ancestors,) if copies and ancestors else (),
            replay=_copying(thread) if copies else "none",
            own_from_ordinal=own_from,
        )
    if id == thread.id:
        return _own(thread)
    if thread.replay == "none" and thread.counted:
        return thread
    # A header of another thread was copied with that thread's lines.
    known = [*thread.ancestors, *(each for each in (id, forked_from) if each and each not in thread.ancestors and each != thread.id)]
    replay = _copying(thread) if thread.replay == "none" else thread.replay
    return msgspec.structs.replace(thread, ancestors=tuple(known[:MAX_ANCESTORS]), replay=replay)


def _copying(thread: Thread) -> Literal["unresolved", "proven"]:
    return "proven" if thread.proof else "unresolved"


def _own(thread: Thread) -> Thread:
    return thread if thread.replay == "none" else msgspec.structs.replace(thread, replay="none")


def _by_turn(thread: Thread, turn_us: int | None) -> Thread:
    if (thread.replay == "none" and not thread.woken) or turn_us is None:
        return thread
    # Turns are stamped in whole seconds.
    own = turn_us >= thread.began_us // 1_000_000 * 1_000_000
    return msgspec.structs.replace(thread, replay="none" if own else "proven", woken=False)


def _by_ordinal(thread: Thread, ordinal: object) -> Thread:
    if thread.own_from_ordinal is None or thread.replay == "none" or type(ordinal) is not int:
        return thread
    return _own(thread) if ordinal >= thread.own_from_ordinal else msgspec.structs.replace(thread, replay="proven")


def _spawned_by(source: object) -> str | None:
    subagent = source.get("subagent") if isinstance(source, dict) else None
    spawn = subagent.get("thread_spawn") if isinstance(subagent, dict) else None
    return decode.text(spawn.get("parent_thread_id")) if isinstance(spawn, dict) else None


def _initiator(source: object) -> Initiator:
    """`cli`, `vscode`, `exec`, `mcp` are a person's; what Codex starts by itself is written as an object."""
    if not isinstance(source, dict):
        return "task" if source in _TASKS else "main"
    kind = source.get("subagent")
    if kind == "memory_consolidation":
        return "memory"
    if kind is None:
        return "main"
    return "subagent" if isinstance(kind, dict) and "thread_spawn" in kind else "task"


def _moment_us(value: object) -> int | None:
    try:
        return microseconds(decode.instant(value))
    except BadRecord:
        return None


def uuid_us(id: object) -> int | None:
    """The time in a UUID of version 7, in microseconds; None for anything else."""
    if not isinstance(id, str) or len(id) != 36 or id[14] != "7":
        return None
    try:
        return int(id[:8] + id[9:13], 16) * 1000
    except ValueError:
        return None
