"""Many sources at once, on every processor, in bounded memory.

Decides how reading is shared out and when a batch is full. What one source says is `ingest.reader`'s business; nothing is kept here.
Processes belong to `ingest.crew`.
"""

import gc
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from ingest.adapter import Adapter
from ingest.discover import Trouble
from ingest.reader import Fold, Manner, Work, fold, read
from pipeline.batch import Batch
from pipeline.columns import as_column, as_plain
from pipeline.sources import Reading

BATCH_ROWS = 150_000
"""Sightings after which a batch is handed on: with all that a commit makes of it, it takes 300 MB."""
ROUND_BYTES = 3 << 30
"""Bytes of sources that are read before what the children found is handed on: it bounds their memory."""
PIECE_ROWS = 16_000
"""Sightings after which a child hands on what it has: at the end nobody waits long for it to pack the rest."""
PARALLEL_BYTES = 48 << 20
"""Below this a second process costs more than it gives."""
COLUMNS_BYTES = 1 << 20
"""From here on a columnar fold is worth its import."""
MAX_WORKERS = 8

Progress = Callable[[int], None]
"""Told how many bytes of sources have been dealt with in all."""


class Harvest(msgspec.Struct, kw_only=True, gc=False):
    """What some sources gave: sightings, and for each source a reading, or the reason why there is none by its id."""

    batch: Batch = msgspec.field(default_factory=Batch)
    readings: list[Reading] = msgspec.field(default_factory=list)
    troubles: dict[int, str] = msgspec.field(default_factory=dict)

    def extend(self, other: "Harvest") -> None:
        """Take in what further sources gave."""
        self.batch.extend(other.batch)
        self.readings.extend(other.readings)
        self.troubles.update(other.troubles)


def read_all(
    work: Sequence[Work],
    adapters: Mapping[str, Adapter[Any]],
    manner: Manner,
    *,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Iterator[Harvest]:
    """Everything that `work` says beyond its cursors, in batches, the largest sources first; every source stands in exactly one harvest.

    When the manner asks to stop, what has been read is handed on and the rest is left out.
    """
    ordered = sorted(work, key=due, reverse=True)
    workers = min(os.cpu_count() or 1, MAX_WORKERS) if workers is None else workers
    total = sum(map(due, ordered))
    if total < PARALLEL_BYTES or os.name != "posix":
        workers = 1
    folds = _columnar() if total >= COLUMNS_BYTES else {}
    before = 0
    collecting = gc.isenabled()
    # Columns of plain values hold no cycles, and looking for some among millions of objects takes longer than reading them.
    gc.disable()
    try:
        for part in _rounds(ordered):
            told = None if progress is None else _from(progress, before)
            if workers > 1 and len(part) > 1:
                yield from _gathered(_shared(part, adapters, manner, folds, min(workers, len(part)) - 1, told))
            else:
                yield from reap(part, adapters, manner, told, folds)
            before += sum(map(due, part))
            if manner.stop is not None and manner.stop():
                return
    finally:
        if collecting:
            gc.enable()


def _columnar() -> dict[str, Fold]:
    # A light command that reads a few new lines of another agent must not pay for this one.
    from ingest import claude_columns

    return {"claude": claude_columns.fold}


def due(work: Work) -> int:
    """Bytes of a source that are probably news."""
    if work.cursor is None or work.cursor.offset > work.found.size:
        return work.found.size
    return work.found.size - work.cursor.offset


def reap(
    work: Iterable[Work],
    adapters: Mapping[str, Adapter[Any]],
    manner: Manner,
    progress: Progress | None = None,
    folds: Mapping[str, Fold] = {},
    rows: int | None = None,
) -> Iterator[Harvest]:
    """`work` in its order, in this process; lines are run through the fold of their agent in `folds`, or step by step.

    A harvest is full with `rows` sightings, or with as many as a batch takes.
    """
    full = BATCH_ROWS if rows is None else rows
    harvest = Harvest()
    dealt = 0
    for each in work:
        adapter = adapters[each.found.source.agent]
        result = read(adapter, each, harvest.batch, manner, folds.get(adapter.agent, fold))
        if isinstance(result, Trouble):
            harvest.troubles[each.source_id] = result.reason
        else:
            harvest.readings.append(result)
        dealt += due(each)
        if progress is not None:
            progress(dealt)
        if len(harvest.batch) >= full:
            yield harvest
            harvest = Harvest()
        if manner.stop is not None and manner.stop():
            break
    if harvest.readings or harvest.troubles:
        yield harvest


def _gathered(harvests: Iterable[Harvest]) -> Iterator[Harvest]:
    """The harvests, as few as full batches allow: what one commit holds need not be matched with what another has just written."""
    held: Harvest | None = None
    for harvest in harvests:
        if held is None:
            held = harvest
        elif len(held.batch) + len(harvest.batch) <= BATCH_ROWS:
            held.extend(harvest)
        else:
            yield held
            held = harvest
        # Tens of megabytes, which the next one needs.
        del harvest
    if held is not None:
        yield held


def _rounds(work: Sequence[Work]) -> Iterator[Sequence[Work]]:
    begin = size = 0
    for end, each in enumerate(work):
        if size and size + due(each) > ROUND_BYTES:
            yield work[begin:end]
            begin, size = end, 0
        size += due(each)
    if begin < len(work):
        yield work[begin:]


def _from(progress: Progress, before: int) -> Progress:
    return lambda dealt: progress(before + dealt)


def _shared(
    work: Sequence[Work],
    adapters: Mapping[str, Adapter[Any]],
    manner: Manner,
    folds: Mapping[str, Fold],
    children: int,
    progress: Progress | None,
) -> Iterator[Harvest]:
    """One round, with `children` further processes."""
    # What these import is too much for a few new lines.
    from ingest.crew import Crew, Queue
    from pipeline import forking

    queue = Queue(len(work))
    crew = Crew()
    try:
        rows = min(PIECE_ROWS, BATCH_ROWS)
        task = Gather(
            work, adapters, rows, now_ns=manner.now_ns, prefilter=manner.prefilter, take_tail=manner.take_tail, titles=manner.titles
        )
        begin = crew.fork if forking.possible() else crew.start
        for _ in range(children):
            begin(queue, task)
        missing = {each.source_id for each in work}
        sizes = [0]
        for each in work:
            sizes.append(sizes[-1] + due(each))
        told = None if progress is None else lambda _: progress(sizes[queue.position()])
        for harvest in reap((work[number] for number in queue), adapters, manner, told, folds):
            _found(harvest, missing)
            yield harvest
            # Tens of megabytes, which the next one needs.
            del harvest
        stopped = manner.stop is not None and manner.stop()
        if stopped:
            queue.end()
        decode = msgspec.msgpack.Decoder(Harvest, dec_hook=as_column).decode
        for written in crew.left():
            harvest = decode(written)
            del written
            _found(harvest, missing)
            yield harvest
            del harvest
        if told is not None:
            told(0)
        if missing and not stopped:
            # A child died: what it had not left behind is read again.
            yield from reap((each for each in work if each.source_id in missing), adapters, manner)
    finally:
        # Children of a run that failed here stop at their next source.
        queue.end()
        queue.close()
        crew.close()


class Gather:
    """What a child does: it reads those of `work` whose numbers it gets. Whether to stop is decided by its parent, who ends the queue."""

    def __init__(self, work: Sequence[Work], adapters: Mapping[str, Adapter[Any]], rows: int, **manner: Any) -> None:
        self._work = work
        self._adapters = adapters
        self._rows = rows
        self._manner = manner

    def __call__(self, taken: Iterable[int], leave: Callable[[bytes], None]) -> None:
        gc.disable()
        encode = msgspec.msgpack.Encoder(enc_hook=as_plain).encode
        mine = (self._work[number] for number in taken)
        for harvest in reap(mine, self._adapters, Manner(**self._manner), folds=_columnar(), rows=self._rows):
            leave(encode(harvest))


def _found(harvest: Harvest, missing: set[int]) -> None:
    missing.difference_update(reading.source_id for reading in harvest.readings)
    missing.difference_update(harvest.troubles)
