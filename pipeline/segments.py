"""Segments: the immutable Parquet files of the log, one per UTC date and commit.

Decides how a segment is named, written, proved and read. When it is written is decided by `pipeline.log` and `pipeline.compact`; how a file
becomes durable by `pipeline.durable`.

A segment's name is `date=YYYY-MM-DD/machine=<id>/<epoch>-<lo>-<hi>.parquet`: it holds rows that were given the sequence numbers lo to hi in
that epoch of the journal. A name is never used twice. In staging the slashes are commas, so that one folder holds all of them.
"""

import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from itertools import groupby
from typing import Any, TypeVar

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline import durable
from pipeline.batch import Dims
from pipeline.errors import Damaged
from pipeline.placement import SegmentInfo, day_of, segment_name, staged_path
from pipeline.record import CALL, DAY_US, RETRACTION, Rows
from pipeline.schema import SCHEMA, VERSION, table

SUMMED = ("requests", "input", "output", "cache_read", "cache_write_5m", "cache_write_1h", "web_searches")
"""Columns whose sums a segment's footer and the journal hold."""

A = TypeVar("A")
B = TypeVar("B")

_GROUP_ROWS = 65_536
_FEW = 8
_DICTIONARY = [field.name for field in SCHEMA if field.type == pa.string() and field.name not in ("message_id", "request_id")]
_OPTIONS: dict[str, Any] = {
    "compression": "zstd",
    "use_dictionary": _DICTIONARY,
    "write_statistics": ["at"],
    "write_page_checksum": True,
    "store_schema": False,
}


def stage(home: str, rows: Rows, seqs: Sequence[int], dims: Mapping[int, Dims], *, epoch: str, machine: str) -> list[SegmentInfo]:
    """The rows as segments of one date each, complete in staging and durable there, in the order in which they must be published.

    `seqs` gives each row's sequence number. Call it holding the journal's write lock: nobody else may write to staging meanwhile.
    """
    days = [at_us // DAY_US for at_us in rows.at_us]
    whole = table(rows, dims)
    part_of = _parts(rows, days)
    order = sorted(range(len(days)), key=part_of.__getitem__)
    if order != list(range(len(days))):
        whole = whole.take(pa.array(order))
    staging = os.path.join(home, "staging")
    durable.make_dirs(staging)
    durable.step("staging_made")
    jobs = []
    start = 0
    for part, places in groupby(order, key=part_of.__getitem__):
        numbers = [seqs[place] for place in places]
        jobs.append((part[1], whole.slice(start, len(numbers)), min(numbers), max(numbers)))
        start += len(numbers)

    def make(job: tuple[int, pa.Table, int, int]) -> SegmentInfo:
        day, part, low, high = job
        info, content = encoded(part, day=day, epoch=epoch, machine=machine, lo=low, hi=high)
        durable.write_new(staged_path(home, info.name), content, sync=False)
        durable.step("staged_written")
        return info

    made = _each(make, jobs)
    sync_staged(home, made)
    durable.step("staged_synced")
    return made


def _parts(rows: Rows, days: Sequence[int]) -> list[tuple[bool, int]]:
    """For each row the part that it is published with, and in this order: retractions of rows published earlier, then all else, by date.

    Segments of one commit reach `events/` one by one. A call that moves to another date is gone from the old one before it is on the
    new one, so that whoever reads in between, or after a crash in between, never counts it twice.
    """
    if RETRACTION not in rows.kind:
        return [(True, day) for day in days]
    here = {(key, day) for kind, key, day in zip(rows.kind, rows.key, days, strict=True) if kind == CALL}
    return [(kind != RETRACTION or (key, day) in here, day) for kind, key, day in zip(rows.kind, rows.key, days, strict=True)]


def sync_staged(home: str, made: Iterable[SegmentInfo]) -> None:
    """The staged files' bytes and names are on the disk."""

    def sync(info: SegmentInfo) -> None:
        fd = os.open(staged_path(home, info.name), os.O_RDONLY | os.O_CLOEXEC)
        try:
            durable.fs.fsync(fd)
        finally:
            os.close(fd)

    _each(sync, list(made))
    durable.fs.fsync_dir(os.path.join(home, "staging"))


def encoded(part: pa.Table, *, day: int, epoch: str, machine: str, lo: int, hi: int) -> tuple[SegmentInfo, memoryview]:
    """A segment's description and its bytes."""
    sums = sums_of(part)
    about = {
        "ringlet.version": str(VERSION),
        "ringlet.machine": machine,
        "ringlet.epoch": epoch,
        "ringlet.lo": str(lo),
        "ringlet.hi": str(hi),
        "ringlet.rows": str(part.num_rows),
        "ringlet.sums": json.dumps(sums),
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
    """What the published segment `name` says of itself, its digest taken from its bytes. Raises Damaged for a file that is no whole segment."""
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
        raise Damaged(f"not a whole segment ({error})", where=path, mend="ringlet doctor --repair moves it aside and reads its sources again") from error
    return info


def read(path: str, columns: Sequence[str] | None = None) -> pa.Table:
    """The rows of one segment; page checksums are verified. Raises Damaged."""
    try:
        found = pq.ParquetFile(path, page_checksum_verification=True).read(columns=columns)
    except (pa.ArrowException, OSError) as error:
        raise Damaged(f"cannot be read ({error})", where=path, mend="ringlet doctor --repair moves it aside and reads its sources again") from error
    wanted = SCHEMA if columns is None else pa.schema([SCHEMA.field(name) for name in columns])
    return found.cast(wanted)


def record(connection: sqlite3.Connection, info: SegmentInfo, *, published: bool) -> None:
    """The journal names the segment."""
    row = (info.name, info.day, info.epoch, info.lo, info.hi, info.rows, info.size, info.digest, msgspec.msgpack.encode(info.sums), published)
    connection.execute("INSERT INTO segments VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)


def _each(work: Callable[[A], B], jobs: Sequence[A]) -> list[B]:
    """The work done for each job; many jobs share two threads, for most of it happens outside the interpreter's lock."""
    if len(jobs) <= _FEW:
        return [work(job) for job in jobs]
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(work, jobs))
