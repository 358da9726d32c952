"""Rows of another program's SQLite database, read without disturbing it.

Decides how such a database is opened, which of its rows are due since the last look and how a row is written down. Which tables matter and
what their rows mean is an adapter's business.

The database is opened read-only and never as immutable: its newest rows may stand in the `-wal` alone. Where it can't be read in place
(locked for good, a folder that may not be written to), a private copy is read instead.
"""

import os
import sqlite3
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from typing import Any

import msgspec

from pipeline.errors import RingletError

PAGE_ROWS = 500
"""Rows read in one go: between two pages the other program may write and checkpoint."""
BUSY_S = 5.0
COPY_ATTEMPTS = 3

_ELSEWHERE = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR}
_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_./~")

Scalar = str | int | float | None


class RowsUnavailable(RingletError):
    """A database that can't be read now; what it holds is unknown, not nothing."""


class Join(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One row of another table, or of the same one, that belongs to each row of a query."""

    name: str
    """What it is called in the record."""
    table: str
    on: str
    """Column of the query's table, or `name.column` of an earlier join."""
    key: str = "id"
    """The column of `table` that equals it."""
    columns: tuple[str, ...]


class RowQuery(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Which rows of one table an adapter wants.

    A record is canonical JSON, `{"table": …, "row": {column: value}, <join>: {column: value} | null}`. A column that the database lacks is
    left out, a table that it lacks has no rows: another version of the program wrote it.
    """

    table: str
    columns: tuple[str, ...]
    id: str = "id"
    """Column that names a row."""
    updated: str | None = "time_updated"
    """Column that grows whenever a row changes; where the database lacks it every look reads all rows. None: rows never change."""
    overlap: int = 60_000
    """How far below the last look's greatest `updated` the next one begins, in its unit: transactions commit out of order."""
    only: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """(column, values), one of which a row must have, `*` standing for any text; a column that is missing asks nothing."""
    joins: tuple[Join, ...] = ()
    sessions: bool = False
    """Its records tell of sessions too: `Adapter.sessions` is given them as `head`."""


class Mark(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """How far one query has come: rows up to `updated` and `rowid` are read, and of the pass under way those up to `id`."""

    updated: Scalar = None
    rowid: int = 0
    id: Scalar = None
    """None between two passes."""
    next_updated: Scalar = None
    next_rowid: int = 0
    """What `updated` and `rowid` become when the pass is over."""


def dump(marks: dict[str, Mark]) -> bytes:
    """Marks by table, as bytes for a cursor."""
    return msgspec.msgpack.encode(marks)


def load(dumped: bytes) -> dict[str, Mark]:
    """What `dump` wrote; nothing for nothing."""
    return msgspec.msgpack.decode(dumped, type=dict[str, Mark]) if dumped else {}


def read_rows(path: str, query: RowQuery, mark: Mark | None = None) -> Generator[tuple[Mark, bytes], None, None]:
    """(mark, record) of every row due since `mark`, by `query.id`; a row may come again, and does within the overlap.

    Each mark can be kept: it stands behind its row, in the middle of a pass too. Raises `RowsUnavailable` where the database can't be read
    now, then from the copy as well.
    """
    try:
        for reached, record in _read(path, query, mark):
            mark = reached
            yield reached, record
        return
    except sqlite3.Error as error:
        if not _worth_a_copy(error):
            raise _unavailable(path, error) from error
    try:
        with _copied(path) as copy:
            yield from _read(copy, query, mark)
    except (sqlite3.Error, OSError) as error:
        raise _unavailable(path, error) from error


def _read(path: str, query: RowQuery, mark: Mark | None) -> Iterator[tuple[Mark, bytes]]:
    with closing(_opened(path)) as db:
        plan = _Plan(db, query)
        if not plan.possible:
            return
        mark = mark or Mark()
        if mark.id is None:
            mark = plan.pass_from(mark)
        last: tuple[Mark, bytes] | None = None
        while True:
            page = db.execute(plan.sql(mark), plan.values(mark)).fetchall()
            for row in page:
                if last is not None:
                    yield last
                mark = msgspec.structs.replace(mark, id=row[0])
                last = mark, plan.record(row)
            if len(page) < PAGE_ROWS:
                break
        if last is not None:
            yield Mark(updated=mark.next_updated, rowid=mark.next_rowid), last[1]


class _Plan:
    """The SQL of one query against one database as it is."""

    def __init__(self, db: sqlite3.Connection, query: RowQuery) -> None:
        self._db = db
        self._query = query
        known = {table: _columns(db, table) for table in {query.table, *(join.table for join in query.joins)}}
        own = known[query.table]
        self.possible = query.id in own
        self._updated = query.updated if query.updated in own else None
        self._rowid = _has_rowid(db, query.table)
        self._by_number = query.updated is None and self._rowid
        self._parts: list[tuple[str, list[str]]] = [("row", [column for column in query.columns if column in own])]
        selected = [f"t.{_name(query.id)}", *(f"t.{_name(column)}" for column in self._parts[0][1])]
        joined = ""
        sources = {"": ("t", own)}
        for number, join in enumerate(query.joins):
            place, _, column = join.on.rpartition(".")
            left, there = sources.get(place, ("", set()))
            if join.key not in known[join.table] or column not in there:
                continue
            alias = f"j{number}"
            sources[join.name] = (alias, known[join.table])
            columns = [each for each in join.columns if each in known[join.table]]
            joined += f" LEFT JOIN {_name(join.table)} {alias} ON {alias}.{_name(join.key)} = {left}.{_name(column)}"
            self._parts.append((join.name, [join.key, *columns]))
            selected += [f"{alias}.{_name(each)}" for each in (join.key, *columns)]
        self._only = [(column, values) for column, values in query.only if column in own]
        self._select = f"SELECT {', '.join(selected)} FROM {_name(query.table)} t{joined}"

    def pass_from(self, mark: Mark) -> Mark:
        """The mark of a pass that begins now; what is written while it runs belongs to the next one."""
        updated = f"max({_name(self._updated)})" if self._updated else "NULL"
        rowid = "max(rowid)" if self._rowid else "NULL"
        next_updated, next_rowid = self._db.execute(f"SELECT {updated}, {rowid} FROM {_name(self._query.table)}").fetchone()
        # Fewer rows than before: VACUUM has numbered them anew, and numbers say nothing of which are known.
        since = mark if mark.rowid <= (next_rowid or 0) else Mark()
        return Mark(updated=since.updated, rowid=since.rowid, next_updated=next_updated, next_rowid=next_rowid or 0)

    def sql(self, mark: Mark) -> str:
        """The statement for the next page after `mark`."""
        conditions = [f"({' OR '.join([f't.{_name(column)} GLOB ?'] * len(values))})" for column, values in self._only]
        if mark.id is not None:
            conditions.append(f"t.{_name(self._query.id)} > ?")
        if self._since(mark) is not None:
            # A row written late with an old time (a session that was imported) has at least a new number.
            late = " OR t.rowid > ?" if self._rowid else ""
            conditions.append(f"(t.{_name(self._updated or '')} >= ?{late})")
        if self._by_number:
            conditions.append("t.rowid > ?")
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        return f"{self._select}{where} ORDER BY t.{_name(self._query.id)} LIMIT {PAGE_ROWS}"

    def values(self, mark: Mark) -> list[Scalar]:
        """The values of that statement."""
        values: list[Scalar] = [value for _, wanted in self._only for value in wanted]
        if mark.id is not None:
            values.append(mark.id)
        since = self._since(mark)
        if since is not None:
            values += [since, mark.rowid] if self._rowid else [since]
        if self._by_number:
            values.append(mark.rowid)
        return values

    def record(self, row: tuple[Any, ...]) -> bytes:
        """A row and what was joined to it, as canonical JSON."""
        document: dict[str, object] = {"table": self._query.table}
        document.update((join.name, None) for join in self._query.joins)
        at = 1
        for name, columns in self._parts:
            values = row[at : at + len(columns)]
            at += len(columns)
            # The key of a joined row stands first: where it is null there was none.
            document[name] = dict(zip(columns, values, strict=True)) if name == "row" or values[0] is not None else None
        return msgspec.json.encode(document, order="deterministic")

    def _since(self, mark: Mark) -> int | float | None:
        if self._updated is None or not isinstance(mark.updated, int | float):
            return None
        return mark.updated - self._query.overlap


def _opened(path: str) -> sqlite3.Connection:
    location = "".join(chr(byte) if byte in _SAFE else f"%{byte:02X}" for byte in os.fsencode(os.path.abspath(path)))
    db = sqlite3.connect(f"file:{location}?mode=ro", uri=True, timeout=BUSY_S, isolation_level=None)
    db.text_factory = _text
    return db


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")


def _columns(db: sqlite3.Connection, table: str) -> set[str]:
    return {row[1] for row in db.execute(f"PRAGMA table_info({_name(table)})")}


def _has_rowid(db: sqlite3.Connection, table: str) -> bool:
    try:
        db.execute(f"SELECT rowid FROM {_name(table)} LIMIT 0")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_ERROR:
            raise
        return False
    return True


def _name(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'


def _worth_a_copy(error: sqlite3.Error) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in _ELSEWHERE


def _unavailable(path: str, error: Exception) -> RowsUnavailable:
    return RowsUnavailable(f"can't be read now ({error})", where=path, mend="it is read again at the next look")


@contextmanager
def _copied(path: str) -> Iterator[str]:
    """A private copy of a database and its `-wal`, taken while both stood still.

    The `-shm` stays behind: it is an index of the `-wal` that SQLite builds anew, and one of another moment would hide rows.
    """
    # Copying is rare and these two are slow to import.
    import shutil
    import tempfile

    with tempfile.TemporaryDirectory(prefix="ringlet-") as folder:
        copy = os.path.join(folder, "copy.db")
        for _ in range(COPY_ATTEMPTS):
            before = _stood(path)
            for suffix in ("", "-wal"):
                if os.path.exists(path + suffix):
                    shutil.copyfile(path + suffix, copy + suffix)
                elif os.path.exists(copy + suffix):
                    os.unlink(copy + suffix)
            if _stood(path) == before:
                yield copy
                return
    raise sqlite3.OperationalError("it changed while it was copied")


def _stood(path: str) -> list[tuple[int, int] | None]:
    found: list[tuple[int, int] | None] = []
    for each in (path, path + "-wal"):
        try:
            status = os.stat(each)
        except FileNotFoundError:
            found.append(None)
        else:
            found.append((status.st_size, status.st_mtime_ns))
    return found
