"""Segments: the immutable Parquet files of the log, one per UTC date and commit.

Decides how a segment is named, written, proved and read. When it is written is decided by `pipeline.log` and `pipeline.compact`; how a
file becomes durable by `pipeline.durable`.

A segment's name is `date=YYYY-MM-DD/machine=<id>/<epoch>-<lo>-<hi>.parquet`: it holds rows that were given the sequence numbers lo to
hi in that epoch of the journal. A name is never used twice. In staging the slashes are commas, so that one folder holds all of them.
"""

import json
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from itertools import groupby, pairwise
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline import durable
from pipeline.batch import Dims
from pipeline.errors import Damaged
from pipeline.placement import SegmentInfo, day_of, segment_name, staged_path
from pipeline.record import CALL, DAY_US, RETRACTION, Rows
from pipeline.schema import SCHEMA, VERSION, Columns

SUMMED = ("requests", "input", "output", "cache_read", "cache_write_5m", "cache_write_1h", "web_searches")
"""Columns whose sums a segment's footer and the journal hold."""

_GROUP_ROWS = 65_536
_FEW = 8
_REPEATING = [field.name for field in SCHEMA if field.type == pa.string() and field.name not in ("message_id", "request_id")]
"""Columns whose texts repeat from row to row: each text stands once in a dictionary, which readers take over as it is."""
_OPTIONS: dict[str, Any] = {
    "compression": "zstd",
    "use_dictionary": _REPEATING,
    "write_statistics": ["at"],
    "write_page_checksum": True,
    "store_schema": False,
}


class Staging:
    """Rows on their way into staging as segments of one date each. Use as a context manager, holding the journal's write lock: nobody
    else may write to staging meanwhile.

    Many segments are written by threads of their own, so that the journal's rows can be written at the same time. `seqs` gives each row's
    sequence number.
    """

    def __init__(self, home: str, rows: Rows, seqs: Sequence[int], dims: Mapping[int, Dims], *, epoch: str, machine: str) -> None:
        self._home = home
        self._epoch = epoch
        self._machine = machine
        self._pool: ThreadPoolExecutor | None = None
        days = [at_us // DAY_US for at_us in rows.at_us]
        part_of = _parts(rows, days)
        order: Sequence[int] = range(len(days))
        if any(one > next_one for one, next_one in pairwise(part_of)):
            order = sorted(order, key=part_of.__getitem__)
        self._columns = Columns(rows, dims, order)
        self._jobs: list[tuple[int, int, int, int, int]] = []
        start = 0
        for part, places in groupby(order, key=part_of.__getitem__):
            numbers = [seqs[place] for place in places]
            self._jobs.append((part[1], start, len(numbers), min(numbers), max(numbers)))
            start += len(numbers)

    def __enter__(self) -> "Staging":
        durable.make_dirs(os.path.join(self._home, "staging"))
        durable.step("staging_made")
        if len(self._jobs) > _FEW:
            self._pool = ThreadPoolExecutor(2)
            self._made = self._pool.map(self._write, self._jobs)
        else:
            self._made = map(self._write, self._jobs)
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def finish(self) -> list[SegmentInfo]:
        """The segments, complete and durable in staging, in the order in which they must be published."""
        made = list(self._made)
        durable.fs.fsync_dir(os.path.join(self._home, "staging"))
        durable.step("staged_synced")
        return made

    def _write(self, job: tuple[int, int, int, int, int]) -> SegmentInfo:
        day, start, count, low, high = job
        part = self._columns.part(start, count)
        info, content = encoded(part, day=day, epoch=self._epoch, machine=self._machine, lo=low, hi=high)
        durable.write_new(staged_path(self._home, info.name), content)
        durable.step("staged_written")
        return info


def _parts(rows: Rows, days: Sequence[int]) -> list[tuple[bool, int]]:
    """For each row the part that it is published with, and in this order: retractions of rows published earlier, then all else, by date.

    Segments of one commit reach `events/` one by one. A call that moves to another date is gone from the old one before it is on the
    new one, so that whoever reads in between, or after a crash in between, never counts it twice.
    """
    if RETRACTION not in rows.kind:
        shared = {day: (True, day) for day in set(days)}
        return [shared[day] for day in days]
    here = {(key, day) for kind, key, day in zip(rows.kind, rows.key, days, strict=True) if kind == CALL}
    return [(kind != RETRACTION or (key, day) in here, day) for kind, key, day in zip(rows.kind, rows.key, days, strict=True)]


def encoded(
    part: pa.Table, *, day: int, epoch: str, machine: str, lo: int, hi: int, ranges: Sequence[tuple[str, int, int]] = ()
) -> tuple[SegmentInfo, memoryview]:
    """A segment's description and its bytes. `ranges` are the (epoch, lo, hi) of the segments that it replaces, where it does."""
    sums = sums_of(part)
    about = {
        "ringlet.version": str(VERSION),
        "ringlet.machine": machine,
        "ringlet.epoch": epoch,
        "ringlet.lo": str(lo),
        "ringlet.hi": str(hi),
        "ringlet.rows": str(part.num_rows),
        "ringlet.sums": json.dumps(sums),
        "ringlet.ranges": json.dumps(list(ranges) or [(epoch, lo, hi)]),
    }
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, SCHEMA, **_OPTIONS) as writer:
        writer.write_table(part, row_group_size=_GROUP_ROWS)
        writer.add_key_value_metadata(about)
    content = memoryview(sink.getvalue())
    info = SegmentInfo(
        name=segment_name(day, machine, epoch, lo, hi),
        day=day,
        epoch=epoch,
        lo=lo,
        hi=hi,
        rows=part.num_rows,
        size=len(content),
        digest=blake2b(content, digest_size=16).digest(),
        sums=sums,
    )
    return info, content


def sums_of(part: pa.Table) -> dict[str, int]:
    """Sums of the summed columns."""
    return {name: pc.sum(part[name]).as_py() or 0 for name in SUMMED}


def described(home: str, name: str) -> SegmentInfo:
    """What the published segment `name` says of itself, its digest taken from its bytes. Raises Damaged where it is no whole segment."""
    path = os.path.join(home, "events", name)
    with open(path, "rb") as file:
        content = file.read()
    try:
        footer = pq.read_metadata(pa.BufferReader(content))
        about = {key.decode(): value.decode() for key, value in (footer.metadata or {}).items()}
        info = SegmentInfo(
            name=name,
            day=day_of(name),
            epoch=about["ringlet.epoch"],
            lo=int(about["ringlet.lo"]),
            hi=int(about["ringlet.hi"]),
            rows=int(about["ringlet.rows"]),
            size=len(content),
            digest=blake2b(content, digest_size=16).digest(),
            sums=json.loads(about["ringlet.sums"]),
        )
        if footer.num_rows != info.rows or int(about["ringlet.version"]) > VERSION:
            raise ValueError(f"{footer.num_rows} rows of version {about['ringlet.version']}")
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise Damaged(
            f"not a whole segment ({error})", where=path, mend="ringlet doctor --repair moves it aside and reads its sources again"
        ) from error
    return info


def ranges(path: str) -> list[tuple[str, int, int]]:
    """(epoch, lo, hi) of the commits and seals whose rows of that date the segment holds."""
    footer = pq.read_metadata(path).metadata
    return [(epoch, low, high) for epoch, low, high in json.loads(footer[b"ringlet.ranges"])]


def read(path: str, columns: Sequence[str] | None = None) -> pa.Table:
    """The rows of one segment; page checksums are verified. Raises Damaged."""
    try:
        found = pq.ParquetFile(path, page_checksum_verification=True).read(columns=columns)
    except (pa.ArrowException, OSError) as error:
        raise Damaged(
            f"cannot be read ({error})", where=path, mend="ringlet doctor --repair moves it aside and reads its sources again"
        ) from error
    wanted = SCHEMA if columns is None else pa.schema([SCHEMA.field(name) for name in columns])
    return found.cast(wanted)


def read_interned(paths: Sequence[str], columns: Sequence[str]) -> pa.Table:
    """Some columns of some segments, text that repeats as a number a row; page checksums are verified.

    Raises Damaged, and FileNotFoundError for a segment that a compaction has replaced.
    """
    tables = []
    for path in paths:
        try:
            # Small files on a local disk gain nothing from reading ahead, nor from a thread for each column.
            with pq.ParquetFile(path, read_dictionary=_REPEATING, page_checksum_verification=True, pre_buffer=False) as file:
                tables.append(file.read(columns=list(columns), use_threads=False))
        except FileNotFoundError:
            raise
        except (pa.ArrowException, OSError) as error:
            raise Damaged(
                f"cannot be read ({error})", where=path, mend="ringlet doctor --repair moves it aside and reads its sources again"
            ) from error
    return pa.concat_tables(tables)
