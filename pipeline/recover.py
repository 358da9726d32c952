"""What opening a log mends: segments that a crash left in staging, a journal that is lost, damaged or older than its log.

Decides how the journal and the files are brought to agree. The log is the truth: a segment that the journal does not know is adopted,
and then everything that the journal says of calls is made anew from the segments, under a new epoch. Cursors start again; what is read
twice the keys absorb.

`log.head` in the store says "machine epoch seq made" of what was published last; `made` counts the times that segments were made, because
sealing gives rows no new numbers. It costs one small read to see that a journal is not older than its log.
"""

import os
import sqlite3
import time
from collections.abc import Iterable

import msgspec

from pipeline import durable, journal, placement
from pipeline.errors import Damaged
from pipeline.placement import SegmentInfo, published_names, published_path, staged_names, staged_path

HEAD = "log.head"

_decode_sums = msgspec.msgpack.Decoder(dict[str, int]).decode


def write_head(home: str, connection: sqlite3.Connection) -> None:
    """`log.head` says how far the journal has come.

    Call it inside the transaction, before any file of that transaction shows in `events/`: were it to come later, an older journal that is
    put back in between would not be told from the present one, and would take the same records again. A head too high costs one listing.
    """
    about = journal.meta(connection)
    durable.write_over(os.path.join(home, HEAD), f"{about['machine']} {about['epoch']} {about['seq']} {about.get('made', 0)}\n".encode())


def read_head(home: str) -> tuple[str, str, int, int] | None:
    """(machine, epoch, seq, made) of what was published last; None where nothing says."""
    try:
        with open(os.path.join(home, HEAD), encoding="ascii") as file:
            machine, epoch, seq, made = file.read().split()
            return machine, epoch, int(seq), int(made)
    except (FileNotFoundError, ValueError, UnicodeDecodeError):
        return None


def settle(home: str, path: str, connection: sqlite3.Connection) -> list[str]:
    """The journal and the log agree; what was mended, in sentences. Costs two small reads where nothing is to do."""
    notes = []
    due = unpublished(connection)
    if due:
        publish_committed(home, path, connection, due)
    about = journal.meta(connection)
    head = read_head(home)
    if head is None or head[:2] != (about["machine"], about["epoch"]) or head[2] > int(about["seq"]) or head[3] > int(about.get("made", 0)):
        notes += _agree(home, path, connection, head)
    return notes


def unpublished(connection: sqlite3.Connection) -> list[str]:
    """Names of committed segments that may not have reached `events/`, in the order in which they go there: retractions first."""
    rows = connection.execute("SELECT name, sums FROM segments WHERE NOT published").fetchall()
    return [name for name, sums in sorted(rows, key=lambda row: (_decode_sums(row[1])["requests"] >= 0, row[0]))]


def publish_committed(home: str, path: str, connection: sqlite3.Connection, names: Iterable[str]) -> None:
    """Segments that a commit named lie in the log, and the journal knows it. A missing file is left for `pipeline.check` to report."""
    names = list(names)
    with journal.translated(path):
        publish_files(home, names)
    with journal.transaction(connection, path):
        connection.executemany("UPDATE segments SET published = 1 WHERE name = ?", [(name,) for name in names])
    durable.step("publish_noted")


def publish_files(home: str, names: Iterable[str]) -> None:
    """The named segments lie in the log, as far as their files are anywhere."""
    present = [name for name in names if os.path.lexists(staged_path(home, name)) or os.path.lexists(published_path(home, name))]
    placement.publish(home, present)


def clear_staging(home: str, connection: sqlite3.Connection) -> int:
    """Files in staging that no segment names are gone; how many they were. Call it holding the journal's write lock."""
    wanted = {name.replace("/", ",") for (name,) in connection.execute("SELECT name FROM segments WHERE NOT published")}
    wanted |= {staged for (staged,) in connection.execute("SELECT staged FROM compactions")}
    stray = [name for name in staged_names(home) if name not in wanted]
    for name in stray:
        full = os.path.join(home, "staging", name)
        if os.path.isdir(full) and not os.path.islink(full):
            durable.remove_tree(full)
        else:
            durable.fs.unlink(full)
    return len(stray)


def _agree(home: str, path: str, connection: sqlite3.Connection, head: tuple[str, str, int, int] | None) -> list[str]:
    notes = []
    with journal.transaction(connection, path):
        about = journal.meta(connection)
        machine = _machine(home, str(about["machine"]), head)
        if machine != about["machine"]:
            connection.execute("UPDATE meta SET value = ? WHERE name = 'machine'", (machine,))
        known = {name for (name,) in connection.execute("SELECT name FROM segments")}
        unknown = [name for name in published_names(home, machine) if name not in known]
        if unknown:
            notes = adopt(home, connection, machine)
            notes.insert(
                0, f"{len(unknown)} segment{' was' if len(unknown) == 1 else 's were'} unknown to the journal; it was rebuilt from the log"
            )
        write_head(home, connection)
    return notes


def _machine(home: str, own: str, head: tuple[str, str, int, int] | None) -> str:
    """This machine's name in the log: a lost journal takes it with it, the log still tells it."""
    if head is not None:
        return head[0]
    found = {name.split("/")[1].removeprefix("machine=") for name in published_names(home)}
    return own if own in found or len(found) != 1 else found.pop()


def adopt(home: str, connection: sqlite3.Connection, machine: str) -> list[str]:
    """The journal's calls, index and segments are those of the log, under a new epoch; damaged segments are set aside.

    What happened, in sentences. Call it inside a transaction.
    """
    # Parquet costs far more to load than opening a log takes.
    from pipeline import rebuild, segments
    from pipeline.record import days_of, packed, unpacked

    durable.step("adopting")
    notes: list[str] = []
    about = journal.meta(connection)
    epoch = about["epoch"]
    # What is committed is part of the log, wherever its file is.
    publish_files(home, unpublished(connection))
    for table in ("calls", "identities", "moved", "segments", "compactions"):
        connection.execute(f"DELETE FROM {table}")
    dimensions = journal.Dimensions(connection)
    calls = rebuild.Rebuild(dimensions)
    held: dict[int, list[tuple[int, int]]] = {}
    highest = 0
    whole: list[str] = []
    for name in list(published_names(home, machine)):
        try:
            info = segments.described(home, name)
            table = segments.read(published_path(home, name), (*rebuild.COLUMNS, "source"))
            calls.add_segment(table)
            whole.append(name)
            highest = max(highest, *table["source"].unique().to_pylist())
        except (Damaged, OSError) as error:
            notes.append(f"{error}; set aside as {set_aside(home, name)}")
            continue
        for its_epoch, low, high in segments.ranges(published_path(home, name)):
            if its_epoch == epoch:
                held.setdefault(info.day, []).append((low, high))
        record(connection, info, published=True)
    hot = [
        (day, blob)
        for seq, day, blob in connection.execute("SELECT seq, day, row FROM hot ORDER BY seq").fetchall()
        if not any(low <= seq <= high for low, high in held.get(day, ()))
    ]
    rows = unpacked(blob for _, blob in hot)
    calls.add_rows(rows)
    astray = calls.astray()
    if astray:
        tables = (segments.read(published_path(home, name), rebuild.COLUMNS) for name in whole)
        back = calls.sort_out(astray, tables, rows, now_us=time.time_ns() // 1000)
        if back:
            notes.append(f"{len(back)} row{'' if len(back) == 1 else 's'} taken back of calls whose other rows are lost")
            hot += zip(days_of(back.at_us), packed(back), strict=True)
    connection.execute("DELETE FROM hot")
    connection.executemany("INSERT INTO hot VALUES(?, ?, ?)", [(seq, day, blob) for seq, (day, blob) in enumerate(hot, 1)])
    calls.store(connection)
    connection.execute("UPDATE meta SET value = ? WHERE name = 'epoch'", (os.urandom(4).hex(),))
    connection.execute("UPDATE meta SET value = ? WHERE name = 'seq'", (len(hot),))
    # A number that rows of a lost journal bear never means another source.
    connection.execute("INSERT INTO meta VALUES('sources', ?) ON CONFLICT DO UPDATE SET value = max(value, excluded.value)", (highest,))
    connection.execute("UPDATE sources SET cursor = NULL, counts = NULL, seen = NULL")
    durable.step("adopted")
    return notes


def record(connection: sqlite3.Connection, info: SegmentInfo, *, published: bool) -> None:
    """The journal names the segment."""
    row = (
        info.name,
        info.day,
        info.epoch,
        info.lo,
        info.hi,
        info.rows,
        info.size,
        info.digest,
        msgspec.msgpack.encode(info.sums),
        published,
    )
    connection.execute("INSERT INTO segments VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)


def set_aside(home: str, name: str) -> str:
    """A damaged segment lies under `quarantine/`; its path there."""
    folder = os.path.join(home, "quarantine")
    durable.make_dirs(folder)
    target = os.path.join(folder, f"{os.urandom(4).hex()}-{name.replace('/', ',')}")
    source = published_path(home, name)
    durable.fs.rename_new(source, target)
    durable.fsync_dirs((folder, os.path.dirname(source)))
    return target


def lay_journal_aside(home: str) -> list[str]:
    """A journal that cannot be read lies under `quarantine/`, so that the next one starts empty; what that means, in sentences."""
    with durable.lock(os.path.join(home, "repair.lock")):
        path = journal.path_of(home)
        if _readable(path):
            return []
        folder = os.path.join(home, "quarantine")
        durable.make_dirs(folder)
        stamp = os.urandom(4).hex()
        for suffix in ("-wal", "-shm", ""):
            if os.path.lexists(path + suffix):
                durable.fs.rename_new(path + suffix, os.path.join(folder, f"{stamp}-journal.db{suffix}"))
        durable.fsync_dirs((folder, home))
    return [f"the journal was damaged and lies in {folder}/{stamp}-journal.db; only rows not yet sealed whose source is gone are lost"]


def _readable(path: str) -> bool:
    try:
        with journal.translated(path):
            connection = journal.connect(path)
            try:
                return bool(connection.execute("PRAGMA quick_check(1)").fetchone() == ("ok",))
            finally:
                connection.close()
    except Damaged:
        return False
