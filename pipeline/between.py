"""What a connection knows of the journal between two of its commits.

Decides when that still holds: while nobody has written since, neither another process (`PRAGMA data_version`) nor this connection
elsewhere (its count of changed rows, which a transaction raises also where it is undone). A watcher commits a line many times a second,
and is mostly the only one who writes.
"""

import sqlite3
from typing import NamedTuple

from pipeline import journal
from pipeline.sources import Cursor, decode_cursor

_MANY = 1_000
"""So many sources or dimensions are forgotten: they come from an import, which ends."""


class Standing(NamedTuple):
    """Where a source stands."""

    cursor: Cursor | None
    packed_counts: bytes | None
    packed_seen: bytes | None


class Between:
    """For transactions that write: `recall` when one has begun, and `keep` once it is committed."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._version = 0
        self._kept: tuple[int, int] | None = None
        self.about: dict[str, str | int] = {}
        """As `journal.meta` gives it."""
        self.sources: dict[int, Standing] = {}
        """Some sources by number."""
        self.dimensions = journal.Dimensions(connection)
        self.last_ids: dict[int, int] = {}
        """The greatest number that a call of a UTC day has or had, of some days."""

    def recall(self) -> None:
        """Forget what somebody may have changed since."""
        (self._version,) = self._connection.execute("PRAGMA data_version").fetchone()
        if (self._version, self._connection.total_changes) != self._kept:
            self.about = journal.meta(self._connection)
            self.sources = {}
            self.dimensions = journal.Dimensions(self._connection)
            self.last_ids = {}

    def source(self, number: int) -> Standing:
        """Where the source of this number stands. Raises ValueError where there is none."""
        known = self.sources.get(number)
        if known is None:
            row = self._connection.execute("SELECT cursor, counts, seen FROM sources WHERE id = ?", (number,)).fetchone()
            if row is None:
                raise ValueError(f"source {number} is not registered")
            known = Standing(None if row[0] is None else decode_cursor(row[0]), row[1], row[2])
        return known

    def keep(self) -> None:
        """All that stands here is committed."""
        if len(self.sources) < _MANY and len(self.dimensions) < _MANY:
            self._kept = self._version, self._connection.total_changes
