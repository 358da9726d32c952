"""Rows of another program's SQLite database, read without disturbing it.

Decides which rows are due since the last look and how a row is written down. How the database is opened is `pipeline.foreign`'s business;
which tables matter and what their rows mean is an adapter's.
"""

import sqlite3
from collections.abc import Generator, Iterator
from contextlib import closing
from typing import Any

import msgspec

from pipeline import foreign
from pipeline.errors import RingletError

PAGE_ROWS = 500
"""Rows read in one go: between two pages the other program may write and checkpoint."""
NUMBERS_AGAIN = 500
"""Row numbers of a growing table that are read again: those of deleted rows are given to new ones."""

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
    """How far below the last look's greatest `updated` the next one begins, in its unit: transactions commit out of order, and clocks are
    set back a little."""
    only: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """(column, values), one of which a row must have, `*` standing for any text; a column that is missing asks nothing."""
    joins: tuple[Join, ...] = ()
    sessions: bool = False
    """Its records tell of sessions too: `Adapter.sessions` is given them as `head`."""


class Mark(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """How far one query has come: rows up to `updated` and `rowid` are read, and of the pass under way those up to `position`."""

    updated: Scalar = None
    rowid: int = 0
    schema: int = 0
    """SQLite's count of changes to the schema. VACUUM raises it too, and then row numbers mean nothing any more."""
    position: Scalar = None
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


def read_rows(
    path: str, query: RowQuery, mark: Mark | None = None, *, now_ms: int | None = None
) -> Generator[tuple[Mark, bytes], None, None]:
    """(mark, record) of every row due since `mark`; a row may come again, and does within the overlap.

    With `now_ms`, milliseconds since 1970, an `updated` of a time to come hides no row that changes before it, and a mark that was left
    under a clock set back since is the beginning.

    Each mark can be kept: it stands behind its row, in the middle of a pass too. Raises `RowsUnavailable` where the database can't be read
    now, then from the copy as well.
    """
    try:
        for reached, record in _read(path, query, mark, now_ms):
            mark = reached
            yield reached, record
        return
    except sqlite3.Error as error:
        if not foreign.worth_a_copy(error):
            raise _unavailable(path, error) from error
    try:
        with foreign.copied(path) as copy:
            yield from _read(copy, query, mark, now_ms)
    except (sqlite3.Error, OSError) as error:
        raise _unavailable(path, error) from error


def _read(path: str, query: RowQuery, mark: Mark | None, now_ms: int | None) -> Iterator[tuple[Mark, bytes]]:
    with closing(foreign.opened(path)) as db:
        plan = _Plan(db, query, now_ms)
        if not plan.possible:
            return
        mark = plan.valid(mark)
        if mark.position is None:
            few = plan.few(mark)
            if few is not None:
                after, rows = few
                for number, row in enumerate(rows, 1):
                    yield (after if number == len(rows) else mark), plan.record(row)
                return
            mark = plan.begun(mark)
        last: tuple[Mark, bytes] | None = None
        while True:
            page = plan.page(mark)
            for row in page:
                if last is not None:
                    yield last
                mark = msgspec.structs.replace(mark, position=row[0])
                last = mark, plan.record(row)
            if len(page) < PAGE_ROWS:
                break
        if last is not None:
            yield Mark(updated=mark.next_updated, rowid=mark.next_rowid, schema=mark.schema), last[1]


class _Plan:
    """The SQL of one query against one database as it is."""

    def __init__(self, db: sqlite3.Connection, query: RowQuery, now_ms: int | None) -> None:
        self._db = db
        self._query = query
        self._now_ms = now_ms
        known = {table: _columns(db, table) for table in {query.table, *(join.table for join in query.joins)}}
        own = known[query.table]
        self.possible = query.id in own
        if not self.possible:
            return
        self._schema: int = db.execute("PRAGMA schema_version").fetchone()[0]
        self._numbered = _has_rowid(db, query.table)
        self._grows = query.updated is None and self._numbered
        self._updated = f"t.{_name(query.updated)}" if query.updated in own else "NULL"
        self._at = "t.rowid" if self._numbered else f"t.{_name(query.id)}"
        self._only = [(column, values) for column, values in query.only if column in own]
        self._parts: list[tuple[str, list[str]]] = [("row", [column for column in query.columns if column in own])]
        selected = [self._at, self._updated, *(f"t.{_name(column)}" for column in self._parts[0][1])]
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
        self._select = f"SELECT {', '.join(selected)} FROM {_name(query.table)} t{joined}"

    def valid(self, mark: Mark | None) -> Mark:
        """`mark`, or the beginning where it speaks of another shape of the database, or of a time to come."""
        if mark is None or mark.schema != self._schema:
            return Mark(schema=self._schema)
        since = self._since(mark)
        return mark if since is None or self._now_ms is None or since <= self._now_ms else Mark(schema=self._schema)

    def few(self, mark: Mark) -> tuple[Mark, list[tuple[Any, ...]]] | None:
        """The rows due and the mark behind them, where one page holds them all; None otherwise.

        One statement sees one moment: the greatest `updated` among its rows is that of the whole table.
        """
        first = not mark.rowid if self._numbered else mark.updated is None
        if first or (not self._grows and self._since(mark) is None):
            return None
        rowid = self._greatest("rowid") if self._numbered else 0
        rows = self.page(mark)
        if len(rows) >= PAGE_ROWS:
            return None
        times = [row[1] for row in rows if isinstance(row[1], int | float)]
        updated = max([*times, mark.updated] if isinstance(mark.updated, int | float) else times, default=None)
        return Mark(updated=self._by_now(updated), rowid=rowid or 0, schema=self._schema), rows

    def begun(self, mark: Mark) -> Mark:
        """The mark of a pass over many pages that begins now; what is written while it runs belongs to the next one."""
        updated = self._greatest(self._updated.removeprefix("t."))
        rowid = self._greatest("rowid") if self._numbered else 0
        return msgspec.structs.replace(mark, next_updated=self._by_now(updated), next_rowid=rowid or 0)

    def page(self, mark: Mark) -> list[tuple[Any, ...]]:
        """The next rows after `mark`: position, `updated`, and the columns."""
        conditions = [f"({' OR '.join([f't.{_name(column)} GLOB ?'] * len(values))})" for column, values in self._only]
        values: list[Scalar] = [value for _, wanted in self._only for value in wanted]
        if mark.position is not None:
            conditions.append(f"{self._at} > ?")
            values.append(mark.position)
        since = self._since(mark)
        if self._grows:
            conditions.append("t.rowid > ?")
            values.append(mark.rowid - NUMBERS_AGAIN)
        elif since is not None:
            # A row written late with an old time (a session that was imported) has at least a new number.
            conditions.append(f"({self._updated} >= ?{' OR t.rowid > ?' if self._numbered else ''})")
            values += [since, mark.rowid] if self._numbered else [since]
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        return self._db.execute(f"{self._select}{where} ORDER BY {self._at} LIMIT {PAGE_ROWS}", values).fetchall()

    def record(self, row: tuple[Any, ...]) -> bytes:
        """A row and what was joined to it, as canonical JSON."""
        document: dict[str, object] = {"table": self._query.table}
        document.update((join.name, None) for join in self._query.joins)
        at = 2
        for name, columns in self._parts:
            values = row[at : at + len(columns)]
            at += len(columns)
            # The key of a joined row stands first: where it is null there was none.
            document[name] = dict(zip(columns, values, strict=True)) if name == "row" or values[0] is not None else None
        return msgspec.json.encode(document, order="deterministic")

    def _since(self, mark: Mark) -> int | float | None:
        if self._updated == "NULL" or not isinstance(mark.updated, int | float):
            return None
        return mark.updated - self._query.overlap

    def _by_now(self, updated: Scalar) -> Scalar:
        return updated if self._now_ms is None or not isinstance(updated, int | float) else min(updated, self._now_ms)

    def _greatest(self, column: str) -> Any:
        return self._db.execute(f"SELECT max({column}) FROM {_name(self._query.table)}").fetchone()[0]


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


def _unavailable(path: str, error: Exception) -> RowsUnavailable:
    return RowsUnavailable(f"can't be read now ({error})", where=path, mend="it is read again at the next look")
