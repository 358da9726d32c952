"""Codex's rollouts as events.

Decides which files of a Codex home hold usage and in which order the rules apply to a line. Copied history is decided in
`codex_thread`, calls in `codex_usage`, the thread database in `codex_threads`. Format: Codex CLI, app and IDE, 2025 to October 2026.
"""

import os
from collections.abc import Mapping, Sequence

import msgspec

from ingest import decode
from ingest.adapter import Home, Pattern, Place
from ingest.adapters import codex_threads
from ingest.adapters.codex_line import Line, Payload, lines_of
from ingest.adapters.codex_thread import Thread, marked, proves_replay
from ingest.adapters.codex_usage import AGENT, counted
from ingest.decode import BadRecord
from pipeline.events import Event, Rejected, Seen
from pipeline.sources import SessionInfo

_INDEX = "session_index.jsonl"
_UUID_LENGTH = 36
_HYPHENS = (8, 13, 18, 23)


class Codex:
    """The adapter of Codex."""

    agent = AGENT
    title = "Codex"
    patterns: Sequence[Pattern] = (
        Pattern(glob="sessions/**/*.jsonl", kind="lines"),
        Pattern(glob="sessions/**/*.jsonl.zst", kind="lines"),
        Pattern(glob="archived_sessions/**/*.jsonl", kind="lines"),
        Pattern(glob="archived_sessions/**/*.jsonl.zst", kind="lines"),
        Pattern(glob="rollout-*.jsonl", kind="lines"),
        Pattern(glob="rollout-*.jsonl.zst", kind="lines"),
        Pattern(glob=_INDEX, kind="lines"),
        Pattern(glob="state_*.sqlite", kind="rows", queries=(codex_threads.THREADS,)),
    )

    def homes(self, environ: Mapping[str, str], home: str) -> Sequence[Home]:
        """The folders that CODEX_HOME lists, else `~/.codex`."""
        named = [entry.strip() for entry in environ.get("CODEX_HOME", "").split(",") if entry.strip()]
        return [Home(path=os.path.expanduser(entry), named=True) for entry in named] or [Home(path=f"{home}/.codex")]

    def start(self, place: Place) -> Thread:
        """What the file's name and first lines say about all the rest."""
        name = place.path.rpartition("/")[2].removesuffix(".zst").removesuffix(".jsonl")
        end = name[-_UUID_LENGTH:]
        is_uuid = len(end) == _UUID_LENGTH and [at for at, letter in enumerate(end) if letter == "-"] == [*_HYPHENS]
        return Thread(label=end if is_uuid else name or None, proof=proves_replay(place.head))

    def load(self, dumped: bytes) -> Thread:
        """The state that `dump` wrote."""
        return msgspec.msgpack.decode(dumped, type=Thread)

    def dump(self, state: Thread) -> bytes:
        """The state as bytes."""
        return msgspec.msgpack.encode(state)

    def step(self, state: Thread, record: bytes) -> tuple[Thread, list[Event]]:
        """The call in a line of a rollout; a row of the thread database is only counted by name."""
        if codex_threads.is_row(record):
            return state, [] if codex_threads.thread_total(record) is None else [Seen(what=codex_threads.SEEN)]
        try:
            lines = lines_of(record)
        except BadRecord as error:
            return state, [Rejected(reason=error.reason)]
        events: list[Event] = []
        for line in lines:
            state, found = counted(marked(state, line), line)
            events += found
        return state, events

    def sessions(self, place: Place, head: bytes, tail: bytes) -> list[SessionInfo]:
        """Thread names, the latest one of each, and the parents of threads."""
        if codex_threads.is_row(head):
            return codex_threads.named(head)
        known: dict[str, SessionInfo] = {}
        thread = Thread()
        for record in (head + b"\n" + tail).split(b"\n"):
            if b'"thread_name"' not in record and b'"session_meta"' not in record:
                continue
            try:
                lines = lines_of(record)
            except BadRecord:
                continue
            for line in lines:
                thread = marked(thread, line)
                for session, title in _names(place, thread, line, record):
                    parent = thread.parent if session == thread.id else None
                    known[session] = SessionInfo(agent=AGENT, session=session, title=title, parent=parent)
        if thread.id and thread.parent and thread.id not in known:
            known[thread.id] = SessionInfo(agent=AGENT, session=thread.id, parent=thread.parent)
        return list(known.values())


class _Index(msgspec.Struct):
    """A line of `session_index.jsonl`: the name that a thread got."""

    id: str | None = None
    thread_name: str | None = None


def _names(place: Place, thread: Thread, line: Line, record: bytes) -> list[tuple[str, str]]:
    payload = line.payload or Payload()
    if payload.type == "thread_name_updated":
        session, title = decode.text(payload.thread_id) or thread.id, decode.text(payload.thread_name)
        return [(session, title)] if session and title else []
    if place.path.rpartition("/")[2] == _INDEX:
        try:
            entry = msgspec.json.decode(record, type=_Index)
        except (msgspec.MsgspecError, ValueError):
            return []
        session, title = decode.text(entry.id), decode.text(entry.thread_name)
        return [(session, title)] if session and title else []
    return []


ADAPTER = Codex()
