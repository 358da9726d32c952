"""Whether the store is what was written: the facts that `ringlet doctor` reports of journal and log.

Decides what is damage, what is worth a warning, and how a damaged store is repaired. Accounting of sources, prices and views are not
looked at here.
"""

import os
import sqlite3
import stat
from collections import Counter
from collections.abc import Iterator
from hashlib import blake2b
from typing import Literal

import msgspec

from pipeline import durable, journal, placement, recover, segments
from pipeline.errors import RingletError
from pipeline.log import Log
from pipeline.placement import SegmentInfo, published_path
from pipeline.profiles import HOMES
from pipeline.record import SUMS, unpacked

_MEND = "ringlet doctor --repair"


class Finding(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One thing that is not as it should be."""

    level: Literal["warning", "damage"]
    code: str
    """Stable name of the kind of finding, for scripts."""
    what: str
    where: str
    mend: str | None = None
    """Command or change that mends it."""


def check(log: Log, *, deep: bool = False) -> list[Finding]:
    """What is wrong with the store, damage first. `deep` reads every byte of every segment, else names, sizes and sums are compared."""
    connection = sqlite3.connect(journal.path_of(log.home), isolation_level=None)
    try:
        found = [*_journal(connection, log.home), *_sums(connection, log.home)]
    finally:
        connection.close()
    kept = log.segments()
    found += [*_files(log.home, log.machine, kept), *_strays(log.home), *_modes(log.home)]
    if deep:
        found += _bytes(log.home, log.machine, kept)
    return sorted(found, key=lambda one: (one.level, one.code, one.where))


def repair(home: str) -> list[str]:
    """The store is whole again as far as its files allow: what was done, in sentences.

    A journal that cannot be read and segments whose bytes have changed are set aside, the journal is made anew from the rest of the log,
    and all sources will be read again.
    """
    done = recover.lay_journal_aside(home)
    with Log.open(home) as log:
        done += log.mended
        damaged = [one for one in check(log, deep=True) if one.level == "damage"]
        if not damaged:
            return done
        for one in damaged:
            if one.code in ("segment_changed", "segment_unreadable"):
                name = os.path.relpath(one.where, os.path.join(home, "events"))
                done.append(f"{one.where}: {one.what}; set aside as {recover.set_aside(home, name)}")
            else:
                done.append(f"{one.where}: {one.what}")
        done += log.rebuild()
        done.append("the journal was made anew from the log; what the agents' files still hold was read again")
    return done


def _journal(connection: sqlite3.Connection, home: str) -> Iterator[Finding]:
    path = journal.path_of(home)
    try:
        (answer,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        answer = str(error)
    if answer != "ok":
        yield Finding(level="damage", code="journal_damaged", what=str(answer), where=path, mend=_MEND)


def _sums(connection: sqlite3.Connection, home: str) -> Iterator[Finding]:
    """The calls that the journal knows add up to the rows of segments and journal together."""
    connection.execute("BEGIN")
    try:
        columns = ", ".join(f"coalesce(sum({name}), 0)" for name in SUMS)
        calls = Counter(
            dict(zip(("requests", *SUMS), connection.execute(f"SELECT count(*), {columns} FROM calls").fetchone(), strict=True))
        )
        rows: Counter[str] = Counter()
        for (sums,) in connection.execute("SELECT sums FROM segments"):
            rows.update(msgspec.msgpack.decode(sums, type=dict[str, int]))
        hot = unpacked(blob for (blob,) in connection.execute("SELECT row FROM hot"))
    except sqlite3.DatabaseError:
        return  # Reported as a damaged journal.
    finally:
        connection.rollback()
    for name in ("requests", *SUMS):
        rows[name] += sum(getattr(hot, name))
        if calls[name] != rows[name]:
            what = f"{name}: calls add up to {calls[name]}, rows to {rows[name]}"
            yield Finding(level="damage", code="sums_differ", what=what, where=journal.path_of(home), mend=_MEND)


def _files(home: str, machine: str, kept: list[SegmentInfo]) -> Iterator[Finding]:
    for info in kept:
        try:
            size = os.stat(info.path).st_size
        except FileNotFoundError:
            yield Finding(level="damage", code="segment_missing", what=f"{info.rows} rows are gone", where=info.path, mend=_MEND)
            continue
        if size != info.size:
            what = f"{size} bytes instead of {info.size}"
            yield Finding(level="damage", code="segment_changed", what=what, where=info.path, mend=_MEND)
    known = {info.name for info in kept}
    for name in placement.published_names(home, machine):
        if name not in known:
            where = published_path(home, name)
            yield Finding(level="damage", code="segment_unknown", what="the journal does not know it", where=where, mend=_MEND)


def _bytes(home: str, machine: str, kept: list[SegmentInfo]) -> Iterator[Finding]:
    for info in kept:
        try:
            with open(info.path, "rb") as file:
                content = file.read()
        except FileNotFoundError:
            continue  # Reported as missing.
        if len(content) == info.size and blake2b(content, digest_size=16).digest() != info.digest:
            yield Finding(level="damage", code="segment_changed", what="its bytes have changed", where=info.path, mend=_MEND)
    for name in placement.published_names(home):
        if f"/machine={machine}/" not in name:
            try:
                segments.read(published_path(home, name))
            except RingletError as error:
                mend = "copy it again from its machine"
                yield Finding(level="damage", code="segment_of_other_machine", what=error.what, where=published_path(home, name), mend=mend)


def _strays(home: str) -> Iterator[Finding]:
    """Whatever lies under `events/` and is no segment: other programs count it or stumble over it."""
    known = set(placement.published_names(home))
    events = os.path.join(home, "events")
    for folder, _, files in os.walk(events):
        for file in files:
            where = os.path.join(folder, file)
            if os.path.relpath(where, events) not in known:
                yield Finding(level="warning", code="stray_file", what="is no segment", where=where, mend="move it away")
    aside = os.path.join(home, "quarantine")
    if os.path.isdir(aside) and os.listdir(aside):
        number = len(os.listdir(aside))
        what = f"{number} damaged file{' was' if number == 1 else 's were'} set aside"
        yield Finding(level="warning", code="set_aside", what=what, where=aside, mend="delete them when nobody needs them")


def _modes(home: str) -> Iterator[Finding]:
    for folder, folders, files in os.walk(home):
        if os.path.dirname(folder) == os.path.join(home, HOMES):
            # What an agent writes is the agent's own, and nobody else comes past the store's folder.
            folders.clear()
            continue
        for name in (*folders, *files):
            where = os.path.join(folder, name)
            try:
                found = os.lstat(where)
            except FileNotFoundError:
                continue  # Another process has just removed it.
            if found.st_mode & 0o077 and not stat.S_ISLNK(found.st_mode):
                yield Finding(
                    level="warning", code="open_to_others", what=stat.filemode(found.st_mode), where=where, mend=f"chmod go= {where}"
                )
    kind = durable.file_system(home)
    if kind in durable.NETWORK:
        yield Finding(level="warning", code="network_store", what=f"lies on {kind}", where=home, mend="set RINGLET_HOME to a local folder")
