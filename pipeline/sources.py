"""Where events come from and how far each source has been read.

Decides what is remembered of a source. How a source is read belongs to `ingest`.
"""

from typing import Literal

import msgspec

SourceKind = Literal["lines", "document", "rows", "capture"]
"""A capture is no file: replies of providers as they passed, which nobody can read again."""


class Cursor(msgspec.Struct, frozen=True, kw_only=True, gc=False, array_like=True):
    """How far one source has been read, and what its adapter must remember."""

    device: int = 0
    inode: int = 0
    head: bytes = b""
    """blake2b-128 of the first `head_length` bytes: tells another file from a longer one."""
    head_length: int = 0
    offset: int = 0
    """Bytes consumed, always just past a newline; for a compressed source of its decompressed text, for a capture its replies so far."""
    tail: bytes = b""
    """blake2b-128 of the up to 256 bytes before `offset`."""
    size: int = 0
    mtime_ns: int = 0
    """Size and modification time at the last look: the same again means nothing to do."""
    state: bytes = b""
    """The adapter's fold state, as its `dump` wrote it; for rows, also the (updated, id) mark."""


class Counts(msgspec.Struct, kw_only=True, gc=False):
    """What became of a source's records; see the law of accounting in `docs/accounting.md`.

    `events` = new + updated + duplicate is what the log decided; the reader knows the rest.
    """

    lines: int = 0
    """Records that could hold usage."""
    events: int = 0
    """Sightings handed to the log."""
    new: int = 0
    updated: int = 0
    duplicate: int = 0
    ignored: int = 0
    """Records read whole that hold no call by rule."""
    quarantined: int = 0
    bytes: int = 0
    """Bytes consumed."""
    resets: int = 0
    """How often the source had shrunk or changed and was read again from its start."""


class Quarantined(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Where a rejected record stands and why; its text is never kept."""

    offset: int
    length: int
    reason: str
    digest: bytes
    """blake2b-128 of the record."""
    tokens: int | None = None


class Source(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One log file, document tree or database of an agent, or the proxy's captures."""

    path: str
    """As the file system gives it, undecodable bytes as surrogate escapes."""
    agent: str
    root: str
    """The agent home that it lies in; empty for a capture."""
    kind: SourceKind = "lines"


class SessionInfo(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What an agent's log says about a session beyond its calls."""

    agent: str
    session: str
    title: str | None = None
    parent: str | None = None


class Reading(msgspec.Struct, kw_only=True, gc=False):
    """What one look at one source gave; its events stand in the batch that is committed with it."""

    source_id: int
    before: Cursor | None
    """The cursor that the look began from: the log takes the reading only if it still stands there."""
    after: Cursor
    counts: Counts = msgspec.field(default_factory=Counts)
    quarantined: list[Quarantined] = msgspec.field(default_factory=list)
    seen: dict[str, int] = msgspec.field(default_factory=dict)
    """Counters by name (`api_error` …)."""
    sessions: list[SessionInfo] = msgspec.field(default_factory=list)

    def then(self, later: "Reading") -> "Reading":
        """This look and the next one at the same source, which began where this one ended, as one look."""
        counts = [getattr(self.counts, name) + getattr(later.counts, name) for name in COUNTS]
        return Reading(
            source_id=self.source_id,
            before=self.before,
            after=later.after,
            counts=Counts(**dict(zip(COUNTS, counts, strict=True))),
            quarantined=self.quarantined + later.quarantined,
            seen={name: self.seen.get(name, 0) + later.seen.get(name, 0) for name in {**self.seen, **later.seen}},
            sessions=self.sessions + later.sessions,
        )


COUNTS = Counts.__struct_fields__
"""What the journal's packed counts of a source stand for, in this order."""
decode_cursor = msgspec.msgpack.Decoder(Cursor).decode
decode_counts = msgspec.msgpack.Decoder(list[int]).decode
decode_seen = msgspec.msgpack.Decoder(dict[str, int]).decode
