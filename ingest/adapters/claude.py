"""Claude Code's transcripts as events.

Decides which folders and files hold transcripts, which lines are calls, and which are counted by name or rejected. What a line says
about a call is decided in `claude_call`, and the event it becomes in `claude_event`. Format: Claude Code 0.2 to 2.1 (2025 to October
2026), `projects/**/*.jsonl` under its configuration folder, and the same below Claude Desktop's local agent mode.
"""

import os
from collections.abc import Iterator, Mapping, Sequence

import msgspec
from msgspec import UNSET

from ingest import decode
from ingest.adapter import Home, Pattern, Place
from ingest.adapters.claude_call import (
    ASSISTANT,
    SYNTHETIC,
    File,
    copied,
    hops_of,
    model_of,
    split_of,
    split_of_hop,
)
from ingest.adapters.claude_event import Call
from ingest.adapters.claude_flat import flat_line
from ingest.adapters.claude_line import Line, Message, Usage, lines_of
from ingest.adapters.claude_titles import sessions_of, telling
from pipeline import keys
from pipeline.events import Event, Initiator, Rejected, Seen, Status
from pipeline.sources import SessionInfo

NEEDLE = b'"output_tokens"'
"""No line without these bytes is a call: inside a text of a JSON document the quotes would be escaped."""

_USER = b'"type":"user"'
"""What a prompt or a tool's result says of itself; most bytes of a transcript are such."""

DECODER = msgspec.json.Decoder(Line)

_FLAT = "usage.jsonl"
_DESKTOP = "local-agent-mode-sessions"
_WINDOWS_STORE = "Packages/Claude_pzs8sxrjxfjjc/LocalCache/Roaming/Claude"
_FILE = msgspec.msgpack.Decoder(File)
_NOTHING: list[Event] = []
_LONGEST_VALUE = 128


class Claude:
    """The adapter of Claude Code."""

    agent = "claude"
    title = "Claude Code"
    patterns: Sequence[Pattern] = (
        Pattern(glob="projects/**/*.jsonl", kind="lines", needle=NEEDLE, other_kind=_USER),
        Pattern(glob=f"{_DESKTOP}/**/*.jsonl", kind="lines", needle=NEEDLE, other_kind=_USER),
        Pattern(glob=_FLAT, kind="lines"),
    )

    def homes(self, environ: Mapping[str, str], home: str) -> Sequence[Home]:
        """CLAUDE_CONFIG_DIR if it names anything, else both of Claude Code's own folders; and Claude Desktop's in any case."""
        config = environ.get("XDG_CONFIG_HOME") or f"{home}/.config"
        named = [entry for entry in environ.get("CLAUDE_CONFIG_DIR", "").split(",") if entry.strip()]
        found = [home_of(entry, home) for entry in named] or [Home(path=f"{config}/claude"), Home(path=f"{home}/.claude")]
        found += [Home(path=f"{config}/Claude"), Home(path=f"{home}/Library/Application Support/Claude")]
        for name, below in (("APPDATA", "Claude"), ("LOCALAPPDATA", _WINDOWS_STORE)):
            if environ.get(name):
                found.append(Home(path=f"{environ[name]}/{below}"))
        return [each for place, each in enumerate(found) if each not in found[:place]]

    def start(self, place: Place) -> File:
        """What the path and the first lines say about all the rest."""
        return file_of(place)

    def load(self, dumped: bytes) -> File:
        """The state that `dump` wrote."""
        return _FILE.decode(dumped)

    def dump(self, state: File) -> bytes:
        """The state as bytes; empty until the file has named a time, because the first one says when its session began."""
        return b"" if state.start_us is None else msgspec.msgpack.encode(state)

    def step(self, state: File, record: bytes) -> tuple[File, list[Event]]:
        """The calls of one line: one as a rule, none for most, several where a reply had advisors or compactions."""
        if state.flat:
            return state, _flat_events(state, record)
        if not state.transcript:
            return state, _NOTHING
        try:
            line = DECODER.decode(record)
        except (ValueError, RecursionError, OverflowError):
            return _damaged(state, record)
        return line_events(state, line)

    def sessions(self, place: Place, head: bytes, tail: bytes) -> list[SessionInfo]:
        """Titles and the parents of forks. A line that names no session means that of the first line which does."""
        lines = telling(head, tail)
        if not lines:
            return []
        named = next(_values(head, b'"sessionId"'), b"").decode("utf-8", "replace")
        return sessions_of(self.agent, named or file_of(Place(path=place.path, root=place.root)).session, lines, head, tail)


ADAPTER = Claude()


def home_of(entry: str, home: str) -> Home:
    """The home that a user means by a folder: `~` is the user's home, and a `projects` folder stands for the one it lies in."""
    path = entry.strip()
    if path == "~" or path.startswith("~/"):
        path = home + path[1:]
    path = path.rstrip("/") or "/"
    return Home(path=os.path.dirname(path) if os.path.basename(path) == "projects" else path, named=True)


def file_of(place: Place) -> File:
    """The fold state before the first line of a transcript."""
    folders = place.path.split("/")
    name = folders[-1].removesuffix(".jsonl")
    initiator: Initiator = "main"
    session: str | None = name
    if name.startswith("agent-") or "subagents" in folders:
        session = folders[folders.index("subagents") - 1] if "subagents" in folders[1:] else None
        label = name.removeprefix("agent-")
        initiator = "task" if label.startswith("acompact") else "memory" if "memor" in label else "subagent"
    return File(
        depth=len(folders),
        start_us=_first_time(place.head),
        copied_until_us=_copied_until(place.head),
        session=session,
        initiator=initiator,
        flat=folders == [_FLAT],
        transcript=folders[0] != _DESKTOP or "projects" in folders,
    )


def line_events(file: File, line: Line) -> tuple[File, list[Event]]:
    """As `Claude.step` for a line of a transcript that is decoded already."""
    message = line.message
    if message is not None and message.usage is not None and message.usage.output_tokens is not UNSET:
        if line.type in ASSISTANT:
            return _events(file, line, message, message.usage)
        return file, [Seen(what="usage_on_another_type_of_line")]
    if line.type == "progress" and line.data is not None:
        return file, _progress_events(file, line)
    return file, _NOTHING


def _progress_events(file: File, line: Line) -> list[Event]:
    """The subagent's record that a parent's line repeats: a copy, so it counts by itself only where nothing fuller is known."""
    assert line.data is not None
    copy = line.data.message
    if copy is None or copy.message is None or copy.message.usage is None or copy.message.usage.output_tokens is UNSET:
        return _NOTHING
    if line.data.type != "agent_progress" or copy.type not in ASSISTANT:
        return [Seen(what="usage_on_another_type_of_line")]
    line = msgspec.structs.replace(
        line, timestamp=copy.timestamp or line.timestamp, requestId=copy.requestId, uuid=copy.uuid, isSidechain=True
    )
    return _events(file, line, copy.message, copy.message.usage, repeated=True)[1]


def _events(file: File, line: Line, message: Message, usage: Usage, *, repeated: bool = False) -> tuple[File, list[Event]]:
    if message.model == SYNTHETIC:
        return file, [Seen(what="api_error" if line.isApiErrorMessage else "synthetic")]
    split = split_of(usage)
    total = split.input + split.output + split.cache_read + split.cache_write_5m + split.cache_write_1h
    status: Status = "ok"
    if line.isApiErrorMessage:
        if not total:
            return file, [Seen(what="api_error")]
        status = "error"
    try:
        at = decode.instant(line.timestamp)
    except decode.BadRecord as bad:
        return file, [Rejected(reason=bad.reason, tokens=total)]
    at_us = keys.microseconds(at)
    if line.forkedFrom is not None and at_us > file.copied_until_us:
        file = msgspec.structs.replace(file, copied_until_us=at_us)
    call = Call(file, line, message, usage, at, at_us, status, repeated or copied(line, file, at_us))
    events: list[Event] = [call.event(model_of(message, usage), split)]
    if usage.iterations:
        for position, hop, model in hops_of(message, usage):
            initiator: Initiator | None = "task" if hop.type == "compaction" else None
            events.append(call.event(model, split_of_hop(hop), part=f"it{position}", initiator=initiator))
    return file, events


def _flat_events(file: File, record: bytes) -> list[Event]:
    if not record.strip():
        return _NOTHING
    try:
        line = flat_line(record)
    except decode.BadRecord as bad:
        return [Rejected(reason=bad.reason, tokens=bad.tokens)]
    if line is None or line.message is None or line.message.usage is None:
        return [Seen(what="usage_jsonl_unusable")]
    return _events(file, line, line.message, line.message.usage)[1]


def _damaged(file: File, record: bytes) -> tuple[File, list[Event]]:
    """A line that the typed decoder refuses: read tolerantly, and rejected only if it claims usage."""
    try:
        lines = lines_of(record)
    except decode.BadRecord as bad:
        return file, [Rejected(reason=bad.reason, tokens=bad.tokens)] if NEEDLE in record else _NOTHING
    events: list[Event] = []
    for line in lines:
        file, found = line_events(file, line)
        events += found
    return file, events


def _first_time(head: bytes) -> int | None:
    """The first time that the first lines name, in microseconds since 1970."""
    for value in _values(head, b'"timestamp"'):
        try:
            return keys.microseconds(decode.instant(value.decode("ascii", "replace")))
        except decode.BadRecord:
            continue
    return None


def _values(head: bytes, name: bytes) -> Iterator[bytes]:
    """The texts that the first lines have under a name (given in its quotes), in order, without decoding the lines."""
    at = head.find(name)
    while at >= 0:
        at += len(name)
        value = head[at : at + _LONGEST_VALUE].lstrip(b" \t\r:")
        if value.startswith(b'"') and value.count(b'"') > 1:
            yield value.split(b'"')[1]
        at = head.find(name, at)


def _copied_until(head: bytes) -> int:
    """The latest time among those first lines that say they were copied; -1 if there are none."""
    latest = -1
    for record in head.split(b"\n") if b'"forkedFrom"' in head else ():
        if b'"forkedFrom"' in record:
            try:
                latest = max([latest, *(keys.microseconds(decode.instant(line.timestamp)) for line in _read(record) if line.forkedFrom)])
            except decode.BadRecord:
                continue
    return latest


def _read(record: bytes) -> list[Line]:
    """The lines of a record, also where damage elsewhere in it keeps the typed decoder from reading it. Raises `decode.BadRecord`."""
    try:
        return [DECODER.decode(record)]
    except (ValueError, RecursionError, OverflowError):
        return lines_of(record)
