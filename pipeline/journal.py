"""The journal: one SQLite database that knows every call, every source and every segment, and holds the rows that are not in a segment
yet.

Decides the tables, how a connection is opened and what SQLite's errors mean. What a transaction holds is decided by `pipeline.log` and
its siblings.

A call's row number is (UTC day number << 24) | n, so a day is one range. `h` and `rest` are the two halves of its key, and `h`, the
handle, is what it is found by; `identities` leads from the halves of any further identity that does not follow from key and counts to 2
* call + claimed. A call that became part of another, or went to another date, is found through `moved`. Calls keep their time as
microseconds since midnight of their day.

`requests` in `meta` is 1 once some record knew its reply by the request alone: until then nobody looks for one.
"""

import errno
import os
import sqlite3
import sys
import time
from _thread import allocate_lock
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from struct import Struct
from typing import Any

import msgspec

from pipeline import durable
from pipeline.batch import Dims
from pipeline.digests import blake2b
from pipeline.errors import Damaged, Held, PartlyDone, RingletError

VERSION = 2
DAY_BITS = 24
_HALVES = Struct(">qq")
halves = _HALVES.unpack
"""The two halves of an identity, as the journal keeps them."""
key_of = _HALVES.pack
"""The identity with these halves."""

CALL_COLUMNS = (
    "id", "h", "rest", "rank", "owner_rank", "dim", "at", "input", "output", "cache_read", "cache_write_5m", "cache_write_1h",
    "web_searches", "reasoning", "duration_ms", "logged_cost",
)  # fmt: skip
"""The columns of `calls` in their order."""
_AT_ONCE = 60
"""Calls that one statement inserts: each by a statement of its own takes a quarter longer, and every SQLite takes 999 values in one."""
_SPARSE: dict[str, Any] = {"reasoning": -1, "duration_ms": -1, "logged_cost": ""}
"""Columns that may be null, each with a value that no call has."""
INSERT_IDENTITY = "INSERT OR IGNORE INTO identities VALUES(?, ?, ?)"
NEXT_SOURCE = "1 + max((SELECT coalesce(max(id), 0) FROM sources), coalesce((SELECT value FROM meta WHERE name = 'sources'), 0))"
"""The number of a further source: none that a row of the log bears, also of a journal that is lost."""
CALLS_INDEX = "CREATE INDEX calls_h ON calls(h)"
DROP_CALLS_INDEX = "DROP INDEX calls_h"

_DDL = f"""
CREATE TABLE meta(name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE sources(id INTEGER PRIMARY KEY, path BLOB NOT NULL UNIQUE, agent TEXT NOT NULL, root TEXT NOT NULL, kind TEXT NOT NULL,
    cursor BLOB, counts BLOB, seen BLOB, gone INTEGER NOT NULL DEFAULT 0);
CREATE TABLE dims(id INTEGER PRIMARY KEY, h INTEGER NOT NULL, dims BLOB NOT NULL);
CREATE INDEX dims_h ON dims(h);
CREATE TABLE calls(id INTEGER PRIMARY KEY, h INTEGER NOT NULL, rest INTEGER NOT NULL, rank BLOB NOT NULL, owner_rank INTEGER NOT NULL,
    dim INTEGER NOT NULL, at INTEGER NOT NULL, input INTEGER NOT NULL, output INTEGER NOT NULL, cache_read INTEGER NOT NULL,
    cache_write_5m INTEGER NOT NULL, cache_write_1h INTEGER NOT NULL, web_searches INTEGER NOT NULL, reasoning INTEGER,
    duration_ms INTEGER, logged_cost TEXT);
{CALLS_INDEX};
CREATE TABLE identities(h INTEGER NOT NULL, call INTEGER NOT NULL, rest INTEGER NOT NULL, PRIMARY KEY(h, call, rest)) WITHOUT ROWID;
CREATE TABLE moved(id INTEGER PRIMARY KEY, call INTEGER NOT NULL);
CREATE TABLE hot(seq INTEGER PRIMARY KEY, day INTEGER NOT NULL, row BLOB NOT NULL);
CREATE TABLE segments(name TEXT PRIMARY KEY, day INTEGER NOT NULL, epoch TEXT NOT NULL, lo INTEGER NOT NULL, hi INTEGER NOT NULL,
    rows INTEGER NOT NULL, size INTEGER NOT NULL, digest BLOB NOT NULL, sums BLOB NOT NULL, published INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX segments_unpublished ON segments(name) WHERE NOT published;
CREATE TABLE compactions(leaf TEXT PRIMARY KEY, staged TEXT NOT NULL, name TEXT NOT NULL, plan BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE quarantine(source INTEGER NOT NULL, offset INTEGER NOT NULL, digest BLOB NOT NULL, length INTEGER NOT NULL,
    reason TEXT NOT NULL, tokens INTEGER, at_us INTEGER NOT NULL, PRIMARY KEY(source, offset, digest)) WITHOUT ROWID;
CREATE TABLE sessions(agent TEXT NOT NULL, session TEXT NOT NULL, title TEXT, parent TEXT, PRIMARY KEY(agent, session)) WITHOUT ROWID;
"""

_SPACE = "free some space and run the command again; nothing is lost"
_OURS = "make the folder writable for you or set RINGLET_HOME"
PATIENCE_S = 30.0
"""How long to wait for other writers."""

_REPAIR = "ringlet doctor --repair rebuilds it from the log, safely"

_encode = msgspec.msgpack.Encoder().encode
_decode_dims = msgspec.msgpack.Decoder(Dims).decode


_making = allocate_lock()
"""Held while the file may be made: two threads of one process may come first at once."""


def path_of(home: str) -> str:
    """The journal of the store `home`; it need not be there."""
    return os.path.join(home, "journal.db")


def connect(path: str) -> sqlite3.Connection:
    """A connection with autocommit and the settings that make COMMIT durable. The database need not exist or hold a journal yet."""
    with _making:
        _make(path)
    connection = sqlite3.connect(path, timeout=PATIENCE_S, isolation_level=None, cached_statements=256)
    try:
        if not os.path.getsize(path):
            # Only an empty file can be told so. Hot rows leave as much room behind as a large store takes in all.
            connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
        _keep_a_log(connection)
        connection.execute("PRAGMA synchronous=FULL")
        # Memory is taken as pages are touched: a small commit uses a few, a large one is spared reading each page many times.
        connection.execute("PRAGMA cache_size=-65536")
        if sys.platform == "darwin":
            connection.execute("PRAGMA fullfsync=1")
            connection.execute("PRAGMA checkpoint_fullfsync=1")
    except BaseException:
        connection.close()
        raise
    return connection


def _make(path: str) -> None:
    """The file exists, closed to others: SQLite gives its log the mode of the database, which it would itself make readable for all.

    A file that is there is not opened. To close it would let go of every lock that this process has on it, also those of other
    connections (POSIX), and the next process to leave would remove the log that they still write to.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _keep_a_log(connection: sqlite3.Connection) -> None:
    # Before a database that another process is just making, or recovering after a crash, SQLite gives up at once, whatever its timeout.
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if not _is_busy(error) or time.monotonic() > until:
                raise
            time.sleep(0.01)


def _is_busy(error: sqlite3.OperationalError) -> bool:
    text = str(error)
    return "locked" in text or "busy" in text


def prepare(connection: sqlite3.Connection, path: str) -> None:
    """The database holds the tables of this version; raises RingletError where it holds those of another."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == VERSION:
        return
    if version > VERSION:
        raise RingletError(f"the journal is of version {version}, newer than this ringlet", where=path, mend="install the newer ringlet")
    if version:
        raise RingletError(
            f"the journal is of version {version}, from before the first release", where=path, mend=f"rm {path}, which is rebuilt"
        )
    connection.execute("BEGIN IMMEDIATE")
    try:
        if connection.execute("PRAGMA user_version").fetchone() == (0,):
            for statement in _DDL.split(";\n"):
                if statement.strip():
                    connection.execute(statement)
            names = {"epoch": os.urandom(4).hex(), "machine": os.urandom(8).hex(), "seq": 0, "requests": 0}
            connection.executemany("INSERT INTO meta VALUES(?, ?)", names.items())
            connection.execute(f"PRAGMA user_version={VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    durable.fs.fsync_dir(os.path.dirname(path))


@contextmanager
def transaction(connection: sqlite3.Connection, path: str) -> Iterator[None]:
    """Everything inside happens, durably, or nothing does. Nobody else writes meanwhile; waits up to 30 s for its turn."""
    with translated(path):
        connection.execute("BEGIN IMMEDIATE")
        try:
            durable.step("begun")
            yield
            durable.step("journal_written")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        durable.step("committed")


@contextmanager
def translated(path: str) -> Iterator[None]:
    """The errors of SQLite, and of a disk that is full or not ours to write to, as errors that a person can act on."""
    try:
        yield
    except OSError as error:
        place = error.filename or path
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
            raise PartlyDone(_text(error), where=place, mend=_SPACE) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise RingletError(_text(error), where=place, mend=_OURS) from error
        raise
    except sqlite3.OperationalError as error:
        text = str(error)
        if _is_busy(error):
            raise Held("another process has been writing for 30 s", where=path, mend="wait for it or end it") from error
        if "full" in text or "disk I/O" in text:
            raise PartlyDone(text, where=path, mend=_SPACE) from error
        if "readonly" in text or "unable to open" in text:
            raise RingletError(text, where=path, mend=_OURS) from error
        raise Damaged(text, where=path, mend=_REPAIR) from error
    except sqlite3.DatabaseError as error:
        raise Damaged(str(error), where=path, mend=_REPAIR) from error


def _text(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


class Dimensions:
    """Dimensions by number. Numbers are given at once; `store` keeps those that were used."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._number: dict[bytes, int] = {}
        self._dims: dict[int, Dims] = {}
        self._pending: dict[int, tuple[int, bytes]] = {}
        self._next = 0

    def __len__(self) -> int:
        """How many are known here."""
        return len(self._dims)

    def number(self, dims: Dims) -> int:
        """The journal's number of these dimensions, an old one or a new one."""
        blob = _encode(dims)
        number = self._number.get(blob)
        if number is not None:
            return number
        h = int.from_bytes(blake2b(blob, digest_size=8).digest(), "big", signed=True)
        for candidate, stored in self._connection.execute("SELECT id, dims FROM dims WHERE h = ?", (h,)):
            if stored == blob:
                number = candidate
        if number is None:
            if not self._next:
                (last,) = self._connection.execute("SELECT coalesce(max(id), 0) FROM dims").fetchone()
                self._next = last + 1
            number, self._next = self._next, self._next + 1
            self._pending[number] = (h, blob)
        self._number[blob] = number
        self._dims[number] = dims
        return number

    def dims(self, number: int) -> Dims:
        """The dimensions with that number."""
        found = self._dims.get(number)
        if found is None:
            (blob,) = self._connection.execute("SELECT dims FROM dims WHERE id = ?", (number,)).fetchone()
            found = self._dims[number] = _decode_dims(blob)
        return found

    def store(self, used: Iterable[int]) -> None:
        """Keep those of `used` that the journal does not have yet."""
        rows = [(number, *self._pending[number]) for number in sorted(set(used)) if number in self._pending]
        if rows:
            self._connection.executemany("INSERT INTO dims VALUES(?, ?, ?)", rows)
            for number, *_ in rows:
                del self._pending[number]


def all_dims(connection: sqlite3.Connection, numbers: Iterable[int] | None = None) -> dict[int, Dims]:
    """Dimensions by number: those of `numbers`, or all."""
    if numbers is None:
        rows: Iterable[tuple[int, bytes]] = connection.execute("SELECT id, dims FROM dims")
    else:
        rows = connection.execute("SELECT id, dims FROM dims WHERE id IN (SELECT value FROM json_each(?))", (listed(numbers),))
    return {number: _decode_dims(blob) for number, blob in rows}


def insert_calls(connection: sqlite3.Connection, calls: Mapping[str, Sequence[Any]]) -> None:
    """Calls are in the table, as many as there are ids: `calls` gives columns of it, and any other column is null.

    A column that is null in all rows is better left out.
    """
    count, done = len(calls["id"]), 0
    for done in range(_AT_ONCE, count + 1, _AT_ONCE):
        _insert_some(connection, {name: column[done - _AT_ONCE : done] for name, column in calls.items()})
    connection.executemany(_insertion((*calls,), (), 1), zip(*(column[done:count] for column in calls.values()), strict=True))


def _insert_some(connection: sqlite3.Connection, calls: dict[str, Sequence[Any]]) -> None:
    """As many calls as one statement inserts."""
    gaps = []
    # A null is bound as slowly as five numbers.
    for name, nothing in _SPARSE.items():
        missing = calls[name].count(None) if name in calls else 0
        if missing == _AT_ONCE:
            del calls[name]
        elif missing:
            calls[name] = [nothing if value is None else value for value in calls[name]]
            gaps.append(name)
    # So are bytes, and these are not.
    calls["rank"] = [*map(bytearray, calls["rank"])]
    values: list[Any] = [None] * (len(calls) * _AT_ONCE)
    for at, column in enumerate(calls.values()):
        values[at :: len(calls)] = column
    connection.execute(_insertion((*calls,), (*gaps,), _AT_ONCE), values)


def call_columns(rows: Sequence[tuple[Any, ...]]) -> dict[str, Sequence[Any]]:
    """Rows of `calls` as `insert_calls` takes them; nothing where there are none."""
    return dict(zip(CALL_COLUMNS, zip(*rows, strict=True), strict=True)) if rows else {}


@lru_cache(maxsize=64)
def _insertion(columns: tuple[str, ...], gaps: tuple[str, ...], rows: int) -> str:
    """The statement for so many rows. In the columns `gaps` a value that no call has stands for null."""
    row = f"({', '.join(f'nullif(?, {_SPARSE[name]!r})' if name in gaps else '?' for name in columns)})"
    return f"INSERT INTO calls({', '.join(columns)}) VALUES{', '.join([row] * rows)}"


def index_rows(call: int, claimed: Iterable[bytes], offered: Iterable[bytes]) -> list[tuple[int, int, int]]:
    """Rows of `identities` for the call with that number: what it claims and what it offers beside that which follows from its row."""
    return [(h, call << 1 | claim, rest) for claim, names in ((1, claimed), (0, offered)) for h, rest in map(halves, names)]


def listed(numbers: Iterable[int]) -> str:
    """Whole numbers as the JSON array that `json_each` reads: one statement for any number of them."""
    return f"[{','.join(map(str, numbers))}]"


def meta(connection: sqlite3.Connection) -> dict[str, str | int]:
    """What the journal knows of itself: epoch, machine, seq, requests; made: how often segments were made, once there are any; once made
    from the log, sources: the greatest number there."""
    return dict(connection.execute("SELECT name, value FROM meta"))
