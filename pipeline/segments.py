"""Segments: the immutable Parquet files of the log, one per UTC date and commit.

Decides how a segment is encoded, proved and read. Which rows make one is decided by `pipeline.staging` and `pipeline.compact`; how a
file becomes durable by `pipeline.durable`.

A segment's name is `date=YYYY-MM-DD/machine=<id>/<epoch>-<lo>-<hi>.parquet`: it holds rows that were given the sequence numbers lo to
hi in that epoch of the journal; one that a compaction made bears a number of its own, and its ranges tell which rows it holds. A name is
never used twice. In staging the slashes are commas, so that one folder holds all of them.
"""

import json
import os
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.digests import blake2b
from pipeline.errors import Damaged
from pipeline.placement import SegmentInfo, day_of, segment_name
from pipeline.record import SUMMED
from pipeline.schema import SCHEMA, VERSION

_GROUP_ROWS = 65_536
_REPEATING = [field.name for field in SCHEMA if field.type == pa.string() and field.name not in ("message_id", "request_id")]
"""Columns whose texts repeat from row to row: each text stands once in a dictionary, which readers take over as it is."""
_FEW_VALUES = ("owner_rank", "requests", "web_searches", "source", "ingested_at")
"""Numbers that are nearly all the same."""
_TOKENS = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h", "reasoning")
_PACKED = {
    **dict.fromkeys((*_TOKENS, "at", "duration_ms", "offset", "length"), "DELTA_BINARY_PACKED"),
    **dict.fromkeys(("key", "aliases.list.element"), "DELTA_LENGTH_BYTE_ARRAY"),
}
"""Columns with nearly as many values as rows, each in as few bits as it needs: hardly larger than compressed, and much faster."""
_COMPRESSED = {
    **{name: [name] for name in ("rank", "message_id", "request_id", "logged_cost_usd")},
    "extra": ["extra.key_value.key", "extra.key_value.value"],
}
"""Columns that a compressor makes smaller, with their leaves. To make one takes longer than to write a column."""
_OPTIONS: dict[str, Any] = {
    "use_dictionary": [*_REPEATING, *_FEW_VALUES],
    "column_encoding": _PACKED,
    "write_statistics": ["at"],
    "write_page_checksum": True,
    "store_schema": False,
}


def encoded(
    part: pa.Table,
    *,
    sums: Mapping[str, int],
    day: int,
    epoch: str,
    machine: str,
    lo: int,
    hi: int,
    ranges: Sequence[tuple[str, int, int]] = (),
) -> tuple[SegmentInfo, memoryview]:
    """A segment's description and its bytes. `ranges` are the (epoch, lo, hi) of the segments that it replaces, where it does.

    `sums` are those of its summed columns. Texts that repeat may be dictionaries; in the file they look the same.
    """
    about = {
        "ringlet.version": str(VERSION),
        "ringlet.machine": machine,
        "ringlet.epoch": epoch,
        "ringlet.lo": str(lo),
        "ringlet.hi": str(hi),
        "ringlet.rows": str(part.num_rows),
        "ringlet.sums": json.dumps(dict(sums)),
        "ringlet.ranges": json.dumps(list(ranges) or [(epoch, lo, hi)]),
    }
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, part.schema, compression=_compression(part), **_OPTIONS) as writer:
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
        sums=dict(sums),
    )
    return info, content


def _compression(part: pa.Table) -> dict[str, str]:
    # Many agents never fill some columns, and a compressor takes as long to make for nothing at all.
    filled = [leaves for name, leaves in _COMPRESSED.items() if part[name].null_count < part.num_rows]
    return dict.fromkeys(chain.from_iterable(filled), "zstd")


def sums_of(part: pa.Table) -> dict[str, int]:
    """Sums of the summed columns."""
    # Whoever only writes has them already, and this takes as long to load as all the rest of Arrow.
    import pyarrow.compute as pc

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
        raise _damaged(f"not a whole segment ({error})", path) from error
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
        raise _damaged(f"cannot be read ({error})", path) from error
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
            raise _damaged(f"cannot be read ({error})", path) from error
    return pa.concat_tables(tables)


def _damaged(what: str, path: str) -> Damaged:
    return Damaged(what, where=path, mend="ringlet doctor --repair moves it aside and reads its sources again")
