"""Compaction: the segments of one closed UTC date become one.

Decides which dates are compacted and in which order it happens, so that a reader of `events/` sees each row once at every moment and
every step can be done again. Where two folders cannot change places in one step, nothing is compacted.

Intent in the journal, new leaf complete in staging, sums compared, folders exchanged, both parents fsynced, journal updated, old folder
removed. A crash after the intent is settled by which of the two folders holds the new file.
"""

import os
import sqlite3
from collections.abc import Sequence

import msgspec
import pyarrow as pa

from pipeline import durable, journal, recover, segments
from pipeline.digests import blake2b
from pipeline.errors import Damaged
from pipeline.placement import SegmentInfo, leaf_of
from pipeline.record import SUMMED

MANY = 256
"""From this many segments on even today's date is compacted."""


class Plan(msgspec.Struct, frozen=True):
    """What one compaction replaces by what."""

    old: list[str]
    """Names of the segments that it replaces."""
    new: SegmentInfo


_encode_plan = msgspec.msgpack.Encoder().encode
_decode_plan = msgspec.msgpack.Decoder(Plan).decode


def due(found: Sequence[SegmentInfo], today: int) -> list[list[SegmentInfo]]:
    """Segments that should become one, date by date: of closed dates all, of today's only when there are very many."""
    by_day: dict[int, list[SegmentInfo]] = {}
    for info in found:
        by_day.setdefault(info.day, []).append(info)
    return [many for day, many in sorted(by_day.items()) if len(many) > 1 and (day < today or len(many) > MANY)]


def compact(home: str, path: str, connection: sqlite3.Connection, found: Sequence[SegmentInfo], machine: str) -> SegmentInfo | None:
    """The segments `found`, all of one date and machine, are one; None where folders cannot be exchanged or another process was faster.

    Raises Damaged, and changes nothing, if one of them is not what was written. Call it under the compaction lock.
    """
    leaf = leaf_of(found[0].name)
    staged = f"compact-{leaf.replace('/', ',')}"
    content = _verified(found)
    with journal.transaction(connection, path):
        (seq,) = connection.execute("SELECT value FROM meta WHERE name = 'seq'").fetchone()
        (epoch,) = connection.execute("SELECT value FROM meta WHERE name = 'epoch'").fetchone()
        now = {name for (name,) in connection.execute("SELECT name FROM segments WHERE day = ?", (found[0].day,))}
        if now != {info.name for info in found}:
            return None
        # A sequence number of its own makes a name that was never used; which rows the file holds is told by its ranges.
        connection.execute("UPDATE meta SET value = ? WHERE name = 'seq'", (seq + 1,))
        part = pa.concat_tables(content).sort_by([("session", "ascending"), ("at", "ascending")])
        ranges = sorted({one for info in found for one in segments.ranges(info.path)})
        number = int(seq) + 1
        info, encoded = segments.encoded(
            part,
            sums=segments.sums_of(part),
            day=found[0].day,
            epoch=str(epoch),
            machine=machine,
            lo=number,
            hi=number,
            ranges=ranges,
        )
        plan = Plan(old=sorted(now), new=info)
        connection.execute("INSERT OR REPLACE INTO compactions VALUES(?, ?, ?, ?)", (leaf, staged, info.name, _encode_plan(plan)))
        recover.write_head(home, connection)
    durable.step("intent")
    folder = os.path.join(home, "staging", staged)
    durable.remove_tree(folder)
    durable.make_dirs(os.path.dirname(folder))
    durable.fs.mkdir(folder)
    durable.write_new(os.path.join(folder, os.path.basename(info.name)), encoded)
    # Its own name need not last: without it the compaction is undone, and after the exchange it has another.
    durable.fs.fsync_dir(folder)
    _compare(plan, found)
    durable.step("compact_staged")
    return info if finish(home, path, connection, leaf) else None


def finish(home: str, path: str, connection: sqlite3.Connection, leaf: str) -> bool:
    """The compaction that the journal intends for `leaf` is done, or undone where it cannot be; True if the new segment is in place.

    Every step may have happened before. While a writer adds a segment to the leaf nothing is exchanged.
    """
    row = connection.execute("SELECT staged, plan FROM compactions WHERE leaf = ?", (leaf,)).fetchone()
    if row is None:
        return False
    folder, plan = os.path.join(home, "staging", row[0]), _decode_plan(row[1])
    target = os.path.join(home, "events", leaf)
    file = os.path.basename(plan.new.name)
    with journal.transaction(connection, path):
        if os.path.lexists(os.path.join(target, file)):
            done = True
        else:
            # Nobody can commit to the leaf now; what is committed but not yet published would be exchanged away.
            recover.publish_files(home, recover.unpublished(connection))
            same = sorted(os.listdir(target)) == sorted(os.path.basename(name) for name in plan.old)
            done = same and _whole(os.path.join(folder, file), plan.new) and durable.fs.exchange(folder, target)
            durable.step("exchanged")
        if done:
            # Both: a file system that keeps the halves of an exchange apart would else remove the new leaf with the old one's name.
            durable.fsync_dirs((os.path.dirname(folder), os.path.dirname(target)))
            durable.step("exchange_synced")
            connection.executemany("DELETE FROM segments WHERE name = ?", [(name,) for name in plan.old])
            connection.execute("DELETE FROM segments WHERE name = ?", (plan.new.name,))
            recover.record(connection, plan.new, published=True)
        connection.execute("DELETE FROM compactions WHERE leaf = ?", (leaf,))
    durable.step("compact_committed")
    durable.remove_tree(folder)
    durable.step("old_removed")
    return done


def _verified(found: Sequence[SegmentInfo]) -> list[pa.Table]:
    """The segments' rows; raises Damaged for a file whose bytes are not those that were written."""
    tables = []
    for info in found:
        with open(info.path, "rb") as file:
            content = file.read()
        if blake2b(content, digest_size=16).digest() != info.digest:
            raise Damaged("its bytes have changed", where=info.path, mend="ringlet doctor --repair")
        tables.append(segments.read(info.path))
    return tables


def _compare(plan: Plan, found: Sequence[SegmentInfo]) -> None:
    sums = {name: sum(info.sums[name] for info in found) for name in SUMMED}
    if plan.new.sums != sums or plan.new.rows != sum(info.rows for info in found):
        raise Damaged("compaction would change its sums", where=plan.new.name, mend="ringlet doctor --deep")


def _whole(path: str, info: SegmentInfo) -> bool:
    try:
        with open(path, "rb") as file:
            return blake2b(file.read(), digest_size=16).digest() == info.digest
    except FileNotFoundError:
        return False
