"""Whole lines out of a stream of bytes, in flat memory.

Decides where a line begins and ends, which lines are handed on and when a line is too long to be held. What a line says is an adapter's
business.

A line is handed on only when it is complete. What is searched for is searched for in the buffer: a line that is not handed on is never
copied, and one that says early that it is of the wrong kind is not read through.
"""

from collections.abc import Callable, Iterator
from typing import Protocol

from pipeline.digests import blake2b
from pipeline.sources import Quarantined

CHUNK_BYTES = 1 << 20
MAX_LINE_BYTES = 128 << 20
_BOM = b"\xef\xbb\xbf"
_BRACE = ord("{")
_EARLY_BYTES = 512
"""How far into a line it may say that it is of another kind."""
_LATE_BYTES = 1024
"""How far from the end of such a line a needle still counts: a crash may have left two records on one line."""


class Readable(Protocol):
    """A stream of bytes that fills what it is given."""

    def readinto(self, buffer: memoryview, /) -> int | None:
        """How many bytes were put into `buffer`; 0 at the end."""


class Lines:
    """One pass over a stream that stands just past a newline, `start` bytes in.

    Iterate once; then `consumed` says where the last whole line ended, `tail` holds the unfinished line after it, and `too_long` the
    lines that were skipped. With a `needle` only lines that `may_hold` it are handed on. `stop` is asked once per chunk.
    `buffer` holds a chunk; passes over many files share one, because a fresh one costs more than reading into it.
    """

    def __init__(
        self,
        stream: Readable,
        needle: bytes | None,
        *,
        other_kind: bytes | None = None,
        start: int = 0,
        stop: Callable[[], bool] | None = None,
        buffer: bytearray | None = None,
        max_line_bytes: int = MAX_LINE_BYTES,
    ) -> None:
        self.consumed = start
        self.tail = b""
        self.too_long: list[Quarantined] = []
        self.stopped = False
        self.damage: str | None = None
        """Why the pass ended before the stream did: `io_error`, `damaged_compression`, `too_large`. What was given is good."""
        self.before = b""
        """The last bytes before `consumed` of this pass, as far as they were still in the buffer (at most 256)."""
        self._stream = stream
        self._pushed = b""
        self._needle = needle
        self._other_kind = other_kind
        self._stop = stop
        self._buffer = bytearray(CHUNK_BYTES) if buffer is None else buffer
        self._max_line_bytes = max_line_bytes

    def __iter__(self) -> Iterator[tuple[int, int, bytes]]:
        """(offset, length, line) of each line handed on; `line` is without newline, byte-order mark and leading NULs, `length` with."""
        for part in self.parts():
            for offset, length, line in part:
                yield offset, length, bytes(line)

    def parts(self) -> Iterator[list[tuple[int, int, bytes | memoryview]]]:
        """The same, many lines at a time and without a copy: a line may lie in the buffer, so it holds until the next part is asked for."""
        buffer = self._buffer
        room = len(buffer)
        view = memoryview(buffer)
        filled = 0
        while True:
            if self._stop is not None and self._stop():
                self.stopped = True
                break
            got = self._more(view[filled:])
            if not got:
                break
            end = filled + got
            last = buffer.rfind(b"\n", filled, end) + 1
            if not last:
                filled = end
                if filled == room:
                    if room >= self._max_line_bytes:
                        filled = 0
                        if not self._skip(view):
                            break
                    else:
                        room = min(room * 4, self._max_line_bytes)
                        longer = bytearray(room)
                        longer[:filled] = view
                        view.release()
                        buffer, view = longer, memoryview(longer)
                continue
            yield self._given(buffer, view, last)
            base = self.consumed
            self.before = bytes(view[max(0, last - 256) : last])
            self.consumed = base + last
            filled = end - last
            if filled:
                view[:filled] = view[last:end]
        self.tail = bytes(view[:filled])

    def _given(self, buffer: bytearray, view: memoryview, last: int) -> list[tuple[int, int, bytes | memoryview]]:
        """The lines that are handed on of those in the buffer before `last`, where one ends."""
        needle, other_kind = self._needle, self._other_kind
        find, rfind = buffer.find, buffer.rfind
        base = self.consumed
        given: list[tuple[int, int, bytes | memoryview]] = []
        add = given.append
        at = 0
        while at < last:
            stop = find(b"\n", at)
            # A needle stands near the end of its line: before it comes what was written. Most bytes lie in lines without one, which say at
            # once what they are. So hardly any line is read through.
            late = stop - _LATE_BYTES
            if needle is None or rfind(needle, late if late > at else at, stop) >= 0:
                holds = True
            elif late <= at:
                holds = False
            else:
                said = -1 if other_kind is None else find(other_kind, at, at + _EARLY_BYTES)
                holds = (said < 0 or find(b"{", at + 1, said) >= 0) and rfind(needle, at, late + len(needle)) >= 0
            if holds:
                if buffer[at] == _BRACE:
                    add((base + at, stop - at, view[at:stop]))
                else:
                    line = cleaned(bytes(view[at:stop]))
                    if line:
                        add((base + at, stop - at, line))
            at = stop + 1
        return given

    def _more(self, room: memoryview) -> int:
        if self._pushed:
            got = min(len(room), len(self._pushed))
            room[:got] = self._pushed[:got]
            self._pushed = self._pushed[got:]
            return got
        try:
            return self._stream.readinto(room) or 0
        except OSError:
            self.damage = "io_error"
        except ValueError as error:
            self.damage = str(error)
        return 0

    def _skip(self, view: memoryview) -> bool:
        """Pass over a line that fills the whole buffer and goes on; what follows its newline comes next.

        False for a line that has no end yet: nothing of it is consumed or counted.
        """
        length = len(view)
        digest = blake2b(view, digest_size=16)
        claims = self._needle is None or self._holds_needle(view)
        kept = len(self._needle or b"") - 1
        seam = bytes(view[-kept:]) if kept > 0 else b""
        chunk = bytearray(CHUNK_BYTES)
        part = memoryview(chunk)
        while got := self._more(part):
            stop = chunk.find(b"\n", 0, got)
            whole = stop if stop >= 0 else got
            digest.update(part[:whole])
            length += whole
            if not claims and self._needle is not None:
                joined = seam + chunk[:whole]
                claims = self._needle in joined
                seam = joined[-kept:] if kept > 0 else b""
            if stop >= 0:
                if claims:
                    self.too_long.append(Quarantined(offset=self.consumed, length=length, reason="too_long", digest=digest.digest()))
                self.consumed += length + 1
                self.before = b""
                self._pushed = bytes(part[stop + 1 : got]) + self._pushed
                return True
        return False

    def _holds_needle(self, view: memoryview) -> bool:
        needle = self._needle or b""
        step = CHUNK_BYTES
        return any(needle in bytes(view[at : at + step + len(needle)]) for at in range(0, len(view), step))


def may_hold(needle: bytes, other_kind: bytes | None, line: bytes) -> bool:
    """Whether a line has the needle, near its end if it is of the other kind.

    It is of that kind if it has these bytes early, before any object inside it begins; no text can hold them there, since a quote in a
    text is escaped.
    """
    begin = 0
    if other_kind is not None:
        said = line.find(other_kind, 0, _EARLY_BYTES)
        if said >= 0 and line.find(b"{", 1, said) < 0:
            begin = max(0, len(line) - _LATE_BYTES)
    return line.rfind(needle, begin) >= 0


def cleaned(line: bytes) -> bytes:
    """A line without what stands before its text by accident: a byte-order mark, and the NULs that a truncated or crashed file leaves."""
    return line.lstrip(b"\x00").removeprefix(_BOM).lstrip(b"\x00 \t").rstrip(b"\r")
