"""One look at one source: from where its cursor stands to where it ends now.

Decides what of a source is new, what is consumed and what is only counted. What a record means is its adapter's business; keeping is the
log's. Every record that could hold usage ends in exactly one of: a sighting, ignored by rule, quarantined (`docs/accounting.md`).
"""

import os
from collections.abc import Callable, Iterable
from typing import Any, cast

import msgspec

from ingest import identity, streams
from ingest.adapter import Adapter, Place
from ingest.discover import Found, Trouble
from ingest.lines import CHUNK_BYTES, MAX_LINE_BYTES, Lines, Readable, may_hold
from pipeline.batch import Batch
from pipeline.events import Event, Rejected, Seen, UsageEvent
from pipeline.sources import Cursor, Quarantined, Reading

EDGE_BYTES = 64 << 10
"""How much of the start and of the end of a file an adapter may look at for what belongs to the whole session."""
QUIET_NS = 30_000_000_000
"""After so long without a write, an unfinished document or last line is taken for what it is."""
SHOWN_NS = 2_000_000_000
"""After so long without a write, all that was committed to a database shows to whoever reads it. A writer brings it into the `-wal` first
and shows it afterwards, by no write that a look at the files could see; in between lies at least the time that an fsync takes."""
_AHEAD_NS = 60_000_000_000
"""A time of a file that lies further ahead than this is no time of its last write."""
LOOK_AGAIN = -1
"""As the size in a cursor: whatever the next look sees is news."""


class Work(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One source to look at."""

    found: Found
    source_id: int
    cursor: Cursor | None = None


class Manner(msgspec.Struct, kw_only=True, gc=False):
    """How sources are looked at."""

    now_ns: int
    prefilter: bool = True
    """False: every line goes to the adapter, and nothing rests on the needle."""
    take_tail: bool = False
    """Whether a last line without newline is taken if it can be read; it is not consumed, so it will be read again."""
    titles: bool = True
    stop: Callable[[], bool] | None = None
    """Asked now and then; true ends the look at the next line boundary."""
    buffer: bytearray = msgspec.field(default_factory=lambda: bytearray(CHUNK_BYTES))


Fold = Callable[["Adapter[Any]", Any, Lines, "Tally"], Any]
"""A way to run an adapter over lines: it tallies every one of them and gives the state after the last."""


def fold(adapter: Adapter[Any], state: Any, lines: Lines, tally: "Tally") -> Any:
    """Step by step, the way that needs nothing but the adapter."""
    step = adapter.step
    for offset, length, line in lines:
        state, events = step(state, line)
        tally.record(events, offset, length, line)
    return state


def read(adapter: Adapter[Any], work: Work, batch: Batch, manner: Manner, fold: Fold = fold) -> Reading | Trouble:
    """What the source says beyond its cursor; its sightings are added to `batch`. A `Trouble` where it cannot be read now: nothing is lost.

    Events of a source that cannot be read to its end are kept up to there, and the cursor stands there. Lines are run through `fold`.
    """
    found, source_id, cursor = work.found, work.source_id, work.cursor
    if found.source.kind == "rows":
        return _rows(adapter, found, source_id, cursor, batch, manner)
    try:
        fd, status = streams.opened(found.source.path)
    except FileNotFoundError:
        return Trouble(path=found.source.path, reason="vanished")
    except OSError as error:
        return Trouble(path=found.source.path, reason=error.strerror or "not a regular file")
    try:
        if found.source.kind == "document":
            return _document(adapter, found, source_id, cursor, batch, manner, fd, status)
        return _lines(adapter, found, source_id, cursor, batch, manner, fd, status, fold)
    except OSError as error:
        return Trouble(path=found.source.path, reason=error.strerror or "cannot be read")
    finally:
        os.close(fd)


class Tally:
    """Turns what an adapter makes of records into a batch and a reading, so that the law of accounting holds for each."""

    def __init__(self, found: Found, source_id: int, before: Cursor | None, batch: Batch) -> None:
        self.reading = Reading(source_id=source_id, before=before, after=Cursor())
        self.batch = batch
        self.root = said(found.source.root)
        self.source_id = source_id

    def record(self, events: Iterable[Event], offset: int, length: int, record: bytes) -> None:
        """Count one record that could hold usage. One that tells of several calls counts once for each."""
        reading = self.reading
        counts = reading.counts
        sightings = 0
        refused = 0
        for event in events:
            if type(event) is UsageEvent:
                self.batch.add((event,), root=self.root, source=self.source_id, offset=offset, length=length)
                sightings += 1
            elif type(event) is Rejected:
                refused += 1
                reading.quarantined.append(
                    Quarantined(offset=offset, length=length, reason=event.reason, digest=identity.digest(record), tokens=event.tokens)
                )
            else:
                what = cast(Seen, event).what
                reading.seen[what] = reading.seen.get(what, 0) + 1
        counts.events += sightings
        counts.quarantined += refused
        if sightings or refused:
            counts.lines += sightings + refused
        else:
            counts.lines += 1
            counts.ignored += 1

    def too_long(self, lines: Iterable[Quarantined]) -> None:
        """Count lines that were not held."""
        for line in lines:
            self.reading.quarantined.append(line)
            self.reading.counts.quarantined += 1
            self.reading.counts.lines += 1


def unchanged(found: Found, cursor: Cursor | None) -> bool:
    """Whether the sweep saw the file just as it was at the last look."""
    return cursor is not None and cursor.size == found.size and cursor.mtime_ns == found.mtime_ns and cursor.inode == found.inode


def place_of(found: Found, head: bytes) -> Place:
    """What the adapter may know of where the source lies."""
    path, root = found.source.path, found.source.root
    # Nearly always the one begins with the other, and there are thousands.
    inside = path.startswith(root + os.sep)
    path = (path[len(root) + 1 :] if inside else os.path.relpath(path, root)).replace(os.sep, "/")
    return Place(path=said(path), root=said(found.source.root), head=head, beside=beside_of(found))


def beside_of(found: Found) -> bytes:
    """The first bytes of the file that stands beside a source to explain it; nothing where it cannot be read."""
    if found.pattern.beside is None:
        return b""
    ending, other = found.pattern.beside
    try:
        fd, _ = streams.opened(found.source.path.removesuffix(ending) + other)
    except OSError:
        return b""
    try:
        return identity.at(fd, 0, EDGE_BYTES)
    except OSError:
        return b""
    finally:
        os.close(fd)


def said(path: str) -> str:
    """A path as text for people and for the log: bytes that are no text become U+FFFD."""
    return path if path.isascii() else os.fsencode(path).decode("utf-8", "replace")


class Standing(msgspec.Struct, kw_only=True, gc=False):
    """Where a look at a line source begins."""

    stream: Readable
    plain: bool
    head: bytes
    """The first 64 KiB of its text; empty where a cursor's state holds already what they say."""
    offset: int = 0
    reset: bool = False
    """The cursor no longer holds: the source is read again from its start."""


def stand(fd: int, size: int, cursor: Cursor | None) -> Standing:
    """Stream and offset to go on from. Raises `OSError`, and `ValueError` for a compressed file that is damaged before the cursor."""
    if cursor is not None and cursor.offset and cursor.state:
        # As a rule a few lines have come to a plain file, many times a second at worst.
        first = identity.at(fd, 0, identity.HEAD_BYTES)
        if streams.is_plain(first) and identity.holds(fd, size, first, cursor):
            return Standing(stream=streams.rest_of(fd, cursor.offset, size), plain=True, head=b"", offset=cursor.offset)
    first = identity.at(fd, 0, EDGE_BYTES)
    plain = streams.is_plain(first)
    head = first if plain else _filled(streams.text_of(fd, first), EDGE_BYTES)
    begun = cursor is not None and cursor.offset > 0
    standing = Standing(stream=streams.text_of(fd, first), plain=plain, head=head, reset=begun)
    if cursor is None or not begun or not identity.holds(fd, size, first, cursor, plain=plain):
        return standing
    if plain:
        os.lseek(fd, cursor.offset, os.SEEK_SET)
    elif _passed(standing.stream, cursor.offset) != cursor.tail:
        standing.stream = streams.text_of(fd, first)
        return standing
    standing.offset = cursor.offset
    standing.reset = False
    return standing


def reached(
    fd: int, status: os.stat_result, standing: Standing, lines: Lines, before: Cursor | None, state: bytes, *, again: bool
) -> Cursor:
    """The cursor after a pass over `lines`; with `again` the next look goes on at once, whatever it sees."""
    if before is not None and standing.offset and before.head_length == identity.HEAD_BYTES:
        head, head_length = before.head, before.head_length
    else:
        head, head_length = identity.head(fd, status.st_size)
    if len(lines.before) == identity.TAIL_BYTES:
        tail = identity.digest(lines.before)
    elif standing.plain:
        tail = identity.tail(fd, lines.consumed)
    elif lines.consumed == standing.offset and before is not None and not standing.reset:
        tail = before.tail
    else:
        tail = identity.digest(lines.before)
    return Cursor(
        device=status.st_dev,
        inode=status.st_ino,
        head=head,
        head_length=head_length,
        offset=lines.consumed,
        tail=tail,
        # The status from before the pass: what was written meanwhile differs from it, so the next look sees news.
        size=LOOK_AGAIN if again else status.st_size,
        mtime_ns=status.st_mtime_ns,
        state=state,
    )


def _lines(
    adapter: Adapter[Any],
    found: Found,
    source_id: int,
    cursor: Cursor | None,
    batch: Batch,
    manner: Manner,
    fd: int,
    status: os.stat_result,
    fold: Fold,
) -> Reading | Trouble:
    try:
        standing = stand(fd, status.st_size, cursor)
    except ValueError as error:
        return Trouble(path=found.source.path, reason=str(error))
    place = place_of(found, standing.head)
    state = adapter.load(cursor.state) if cursor is not None and standing.offset and cursor.state else adapter.start(place)
    tally = Tally(found, source_id, cursor, batch)
    needle, other_kind = found.pattern.needle, found.pattern.other_kind
    begin = standing.offset
    if manner.prefilter:
        lines = Lines(standing.stream, needle, other_kind=other_kind, start=begin, stop=manner.stop, buffer=manner.buffer)
        state = fold(adapter, state, lines, tally)
    else:
        lines = Lines(standing.stream, None, start=begin, stop=manner.stop, buffer=manner.buffer)
        for offset, length, line in lines:
            state, events = adapter.step(state, line)
            if events or needle is None or may_hold(needle, other_kind, line):
                tally.record(events, offset, length, line)
    tally.too_long(lines.too_long)
    dumped = adapter.dump(state)
    if manner.take_tail and lines.tail and lines.damage is None and (needle is None or needle in lines.tail):
        _, events = adapter.step(adapter.load(dumped) if dumped else adapter.start(place), lines.tail)
        if any(type(event) is UsageEvent for event in events):
            tally.record([event for event in events if type(event) is UsageEvent], lines.consumed, len(lines.tail), lines.tail)
    reading = tally.reading
    reading.counts.bytes = lines.consumed - standing.offset
    reading.counts.resets = int(standing.reset)
    reading.after = reached(fd, status, standing, lines, cursor, dumped, again=lines.stopped or lines.damage == "io_error")
    if lines.damage is not None:
        reading.seen[lines.damage] = 1
    if manner.titles and (reading.counts.bytes or lines.tail):
        # On a further look only what is new: the rest has told all it knows.
        head = b"" if standing.offset else standing.head
        reading.sessions = adapter.sessions(place, head, _ending(fd, status.st_size, standing, lines))
    return reading


def _document(
    adapter: Adapter[Any],
    found: Found,
    source_id: int,
    cursor: Cursor | None,
    batch: Batch,
    manner: Manner,
    fd: int,
    status: os.stat_result,
) -> Reading | Trouble:
    tally = Tally(found, source_id, cursor, batch)
    reading = tally.reading
    size = status.st_size
    first = identity.at(fd, 0, EDGE_BYTES)
    try:
        content = _filled(streams.text_of(fd, first), MAX_LINE_BYTES + 1)
    except ValueError as error:
        return Trouble(path=found.source.path, reason=str(error))
    if len(content) > MAX_LINE_BYTES:
        tally.too_long([Quarantined(offset=0, length=size, reason="too_long", digest=identity.digest(content))])
    else:
        place = place_of(found, content[:EDGE_BYTES])
        _, events = adapter.step(adapter.start(place), content)
        if any(type(event) is Rejected for event in events) and manner.now_ns - status.st_mtime_ns < QUIET_NS:
            # Perhaps it is being written just now: neither believed nor blamed before it is quiet.
            size = LOOK_AGAIN
        else:
            tally.record(events, 0, len(content), content)
            if manner.titles:
                reading.sessions = adapter.sessions(place, content[:EDGE_BYTES], content[-EDGE_BYTES:])
    if size != LOOK_AGAIN:
        reading.counts.bytes = len(content)
    head, head_length = identity.head(fd, status.st_size)
    reading.after = Cursor(
        device=status.st_dev,
        inode=status.st_ino,
        head=head,
        head_length=head_length,
        offset=status.st_size,
        size=size,
        mtime_ns=status.st_mtime_ns,
    )
    return reading


def _rows(adapter: Adapter[Any], found: Found, source_id: int, cursor: Cursor | None, batch: Batch, manner: Manner) -> Reading | Trouble:
    # Only agents with a database pay for SQLite here.
    from pipeline import rows

    tally = Tally(found, source_id, cursor, batch)
    reading = tally.reading
    marks = rows.load(cursor.state) if cursor is not None else {}
    place = place_of(found, b"")
    state = adapter.start(place)
    complete = True
    try:
        for query in found.pattern.queries:
            for mark, record in rows.read_rows(found.source.path, query, marks.get(query.table), now_ms=manner.now_ns // 10**6):
                state, events = adapter.step(state, record)
                tally.record(events, 0, len(record), record)
                reading.counts.bytes += len(record)
                if manner.titles and query.sessions:
                    reading.sessions.extend(adapter.sessions(place, record, b""))
                marks[query.table] = mark
                if manner.stop is not None and manner.stop():
                    complete = False
                    break
    except rows.RowsUnavailable as error:
        if not reading.counts.lines:
            return Trouble(path=found.source.path, reason=error.what)
        complete = False
    # Size and time are the sweep's, which knows what stands beside the database.
    shown = not -_AHEAD_NS < manner.now_ns - found.mtime_ns < SHOWN_NS
    size = found.size if complete and shown else LOOK_AGAIN
    reading.after = Cursor(inode=found.inode, size=size, mtime_ns=found.mtime_ns, state=rows.dump(marks))
    return reading


def _filled(stream: Readable, length: int) -> bytes:
    """Up to `length` bytes of a stream."""
    parts = []
    while length > 0:
        part = bytearray(min(length, CHUNK_BYTES))
        got = stream.readinto(memoryview(part)) or 0
        if not got:
            break
        parts.append(bytes(part[:got]))
        length -= got
    return b"".join(parts)


def _passed(stream: Readable, length: int) -> bytes:
    """Move `length` bytes on; the digest of the last 256 of them."""
    last = b""
    while length > 0:
        part = _filled(stream, min(length, CHUNK_BYTES))
        if not part:
            break
        last = (last + part)[-identity.TAIL_BYTES :]
        length -= len(part)
    return identity.digest(last)


def _ending(fd: int, size: int, standing: Standing, lines: Lines) -> bytes:
    """The last 64 KiB of what is new in the text; of a compressed one what the pass still holds."""
    if standing.plain:
        return identity.at(fd, max(standing.offset, size - EDGE_BYTES), EDGE_BYTES)
    return (lines.before + lines.tail)[-EDGE_BYTES:]
