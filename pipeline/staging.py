"""Rows on their way into staging, as segments of one date each.

Decides which rows make a segment, in which order segments are published, and which process writes them. How a segment looks is decided by
`pipeline.segments`, which is loaded only where segments are written: it costs far more than a small commit takes.

Many segments are written by a child process where there may be one, so that the journal's rows can be written at the same time. The child
makes no file, only the folders that its segments will be published into: it is handed files that this process has made while it held the
journal's write lock. So a child that outlives its parent writes into files that whoever comes next has removed or will remove, and never
into one of theirs.
"""

import os
import signal
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from pipeline import durable, forking
from pipeline.batch import Dims
from pipeline.columns import Integers, integers
from pipeline.layout import laid_out
from pipeline.placement import SegmentInfo, make_leaves, segment_name, staged_path
from pipeline.record import CALL, RETRACTION, SUMMED, Rows, days_of

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

_LATER = 2**40
"""More days than there are."""
_FEW = 8
_MOST_FILES = 500
_UNWRITTEN = 8
"""How many segments may wait for the disk in memory."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[SegmentInfo]).decode


class Part(NamedTuple):
    """The rows of one segment: `rows` of them from `start` on, in the order of the plan."""

    name: str
    day: int
    start: int
    rows: int
    lo: int
    hi: int


class Staging:
    """Use as a context manager, holding the journal's write lock: nobody else may write to staging meanwhile.

    `seqs` gives each row's sequence number. With `child` a child process writes, if this process may have one.
    """

    def __init__(
        self, home: str, rows: Rows, seqs: Sequence[int], dims: Mapping[int, Dims], *, epoch: str, machine: str, child: bool
    ) -> None:
        self._home = home
        self._epoch = epoch
        self._machine = machine
        self._rows = rows
        self._laid = laid_out(rows)
        self._dims = dims
        self._order, self._parts = _planned(rows, seqs, epoch=epoch, machine=machine)
        self._wanted = child
        self._child: int | None = None
        self._files: list[int] = []
        self._said = -1
        self._pool: ThreadPoolExecutor | None = None
        self._made: Future[list[SegmentInfo]] | None = None

    def __enter__(self) -> "Staging":
        durable.make_dirs(os.path.join(self._home, "staging"))
        durable.step("staging_made")
        try:
            # A file system that a test put in the place of the real one sees this process only.
            if self._wanted and type(durable.fs) is durable.Fs and forking.possible() and len(self._parts) <= _openable():
                self._fork()
            elif len(self._parts) > _FEW:
                self._made = self._threads().submit(self._write)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def finish(self) -> list[SegmentInfo]:
        """The segments, complete and durable in staging, in the order in which they must be published."""
        if self._child is not None:
            made = self._left()
        elif self._made is not None:
            made = self._made.result()
        else:
            made = self._write()
        durable.fs.fsync_dir(os.path.join(self._home, "staging"))
        durable.step("staged_synced")
        return made

    def _fork(self) -> None:
        for part in self._parts:
            self._files.append(durable.fs.create(staged_path(self._home, part.name)))
        self._said, told = os.pipe()
        parent = os.getpid()

        def work() -> None:
            durable.dies_with(parent)
            os.close(self._said)
            said = memoryview(_encode(self._write_into(self._files)))
            while said:
                said = said[os.write(told, said) :]

        try:
            self._child = forking.fork(work)
        except OSError:
            # There are as many processes as there may be.
            self._unlink()
        finally:
            os.close(told)

    def _left(self) -> list[SegmentInfo]:
        """What the child has made; where it died, what is made here instead."""
        assert self._child is not None
        said = bytearray()
        while piece := os.read(self._said, 1 << 16):
            said += piece
        child, self._child = self._child, None
        if os.waitpid(child, 0)[1] == 0:
            return _decode(said)
        self._unlink()
        return self._write()

    def _unlink(self) -> None:
        for part in self._parts:
            durable.fs.unlink(staged_path(self._home, part.name))

    def _end(self) -> None:
        if self._child is not None:
            child, self._child = self._child, None
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        if self._said >= 0:
            os.close(self._said)
            self._said = -1
        while self._files:
            durable.fs.close(self._files.pop())
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def _threads(self) -> "ThreadPoolExecutor":
        from concurrent.futures import ThreadPoolExecutor

        if self._pool is None:
            self._pool = ThreadPoolExecutor(_UNWRITTEN)
        return self._pool

    def _write_into(self, files: Sequence[int]) -> list[SegmentInfo]:
        """The segments, complete and durable, each in its file."""
        made = []
        for file, (_, info, content) in zip(files, self._encoded(), strict=True):
            durable.fs.write(file, content)
            durable.step("staged_written")
            made.append(info)
        # Last of all: whoever comes back from the disk would take the interpreter from whoever encodes.
        synced = self._threads().map(durable.fs.fsync, files)
        # Whoever publishes them finds their folders made: the commit waits for the rows of the journal, this process for the disk.
        make_leaves(self._home, [part.name for part in self._parts])
        list(synced)
        return made

    def _write(self) -> list[SegmentInfo]:
        """The segments, complete and durable, each in a file made for it."""
        made = []
        waiting: deque[Future[None]] = deque()
        for part, info, content in self._encoded():
            made.append(info)
            if len(self._parts) <= _FEW:
                self._store(part, content)
                continue
            waiting.append(self._threads().submit(self._store, part, content))
            if len(waiting) >= _UNWRITTEN:
                waiting.popleft().result()
        for one in waiting:
            one.result()
        return made

    def _store(self, part: Part, content: memoryview) -> None:
        durable.write_new(staged_path(self._home, part.name), content)
        durable.step("staged_written")

    def _encoded(self) -> Iterator[tuple[Part, SegmentInfo, memoryview]]:
        """The segments one after the other. To encode several at once is no quicker: most of it is Python's."""
        # Arrow's other pools keep what has been given back.
        os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
        from pipeline import segments
        from pipeline.schema import Columns

        columns = Columns(self._laid, self._dims, self._order)
        for part in self._parts:
            rows, sums = columns.part(part.start, part.rows), self._sums(part)
            info, content = segments.encoded(
                rows, sums=sums, day=part.day, epoch=self._epoch, machine=self._machine, lo=part.lo, hi=part.hi
            )
            yield part, info, content

    def _sums(self, part: Part) -> dict[str, int]:
        places = self._order[part.start : part.start + part.rows]
        columns = {name: getattr(self._rows, name) for name in SUMMED}
        if isinstance(places, range):
            return {name: sum(column[places.start : places.stop]) for name, column in columns.items()}
        return {name: sum([column[place] for place in places]) for name, column in columns.items()}


def _openable() -> int:
    """How many files may be held open for a child: half of what a process may have, and not without end."""
    import resource  # there is none on Windows, and no child either

    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MOST_FILES if allowed == resource.RLIM_INFINITY else min(_MOST_FILES, allowed // 2)


def _planned(rows: Rows, seqs: Sequence[int], *, epoch: str, machine: str) -> tuple[Sequence[int], list[Part]]:
    """(order of the rows, segments), as they are published."""
    days = days_of(rows.at_us)
    part_of = _parts(rows, days)
    order: Sequence[int] = range(len(days))
    in_order = integers()
    in_order.extend(sorted(part_of))
    if part_of != in_order:
        order = sorted(order, key=part_of.__getitem__)
        seqs = [seqs[place] for place in order]
    parts = []
    start = 0
    while start < len(in_order):
        end = bisect_right(in_order, in_order[start], start)
        day, numbers = days[order[start]], seqs[start:end]
        low, high = (numbers[0], numbers[-1]) if isinstance(numbers, range) else (min(numbers), max(numbers))
        parts.append(Part(segment_name(day, machine, epoch, low, high), day, start, end - start, low, high))
        start = end
    return order, parts


def _parts(rows: Rows, days: Integers) -> Integers:
    """For each row the number of the part that it is published with, and in this order: retractions of rows published earlier, then all
    else, by date.

    Segments of one commit reach `events/` one by one. A call that moves to another date is gone from the old one before it is on the
    new one, so that whoever reads in between, or after a crash in between, never counts it twice.
    """
    if RETRACTION not in rows.kind:
        return days
    here = {(key, day) for kind, key, day in zip(rows.kind, rows.key, days, strict=True) if kind == CALL}
    found = integers()
    for kind, key, day in zip(rows.kind, rows.key, days, strict=True):
        found.append(day if kind == RETRACTION and (key, day) not in here else day + _LATER)
    return found
