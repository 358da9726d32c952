"""Alerts that were decided, and what became of them: the journal's table `alerts`.

Decides that one window of one hook is decided once, by whoever comes first, and that what is decided stays to be told until it was told or
given up, over restarts and crashes. When a hook is due, what is said and how it is sent is decided elsewhere: a message is bytes here.

`alerts.head` in the store repeats what must not be forgotten with a lost journal: what still waits, and the last windows of each hook. It
is written inside the transaction, before COMMIT, so it is never behind the journal; where it is ahead, the journal decides, unless that is
another one than it was (`restored`).
"""

import os
import sqlite3
from collections.abc import Iterable, Iterator

import msgspec

from pipeline import durable, journal

HEAD = "alerts.head"
_LAST = 3
"""So many windows of each hook stand in the head: the present one, the one before, and one for a clock that was set back."""

DELIVERED, GIVEN_UP, DROPPED = "delivered", "given up", "dropped"

_COLUMNS = "hook, window, decided_at_us, message, attempts, next_at_us, settled_at_us, outcome, said"
_DDL = (
    "CREATE TABLE IF NOT EXISTS alerts(hook TEXT NOT NULL, window TEXT NOT NULL, decided_at_us INTEGER NOT NULL, message BLOB NOT NULL,"
    " attempts INTEGER NOT NULL, next_at_us INTEGER, settled_at_us INTEGER, outcome TEXT, said TEXT,"
    " PRIMARY KEY(hook, window)) WITHOUT ROWID"
)
"""Made with the first hook: a store without hooks has no such table."""


class Alert(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One decided alert."""

    hook: str
    window: str
    decided_at_us: int
    message: bytes
    attempts: int = 0
    """How often telling it was begun."""
    next_at_us: int | None = None
    """When it is tried next; None: it is settled."""
    settled_at_us: int | None = None
    outcome: str | None = None
    """`DELIVERED`, `GIVEN_UP` or `DROPPED`; None: it waits."""
    said: str | None = None
    """What the last attempt ended with."""


_head = msgspec.json.Decoder(list[Alert])


class Outbox:
    """The alerts of one store. Not for use by several threads at once; any number of processes may have it open."""

    def __init__(self, home: str, connection: sqlite3.Connection) -> None:
        self._home = home
        self._path = journal.path_of(home)
        self._connection = connection

    @classmethod
    def open(cls, home: str) -> "Outbox":
        """The alerts of the store `home`, whose journal is there. Raises RingletError as `Log.open` does."""
        path = journal.path_of(home)
        with journal.translated(path):
            connection = journal.connect(path)
            try:
                journal.prepare(connection, path)
                if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alerts'").fetchone() is None:
                    connection.execute(_DDL)
            except BaseException:
                connection.close()
                raise
        return cls(home, connection)

    def close(self) -> None:
        """Let go of the journal."""
        self._connection.close()

    def __enter__(self) -> "Outbox":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def restored(self) -> int:
        """Take over what the head knows and this journal does not, because it is a new one or an older copy; how many alerts that were.

        Call it before anything is decided with this journal.
        """
        known = self._read_head()
        if not known:
            return 0
        missing = [one for one in known if self._one(one.hook, one.window) is None]
        if missing:
            with journal.transaction(self._connection, self._path):
                for one in missing:
                    self._insert(one)
        return len(missing)

    def decided(self, keys: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
        """Those of the (hook, window) that are decided."""
        return {key for key in keys if self._one(*key) is not None}

    def decide(self, hook: str, window: str, message: bytes, now_us: int) -> bool:
        """Have that window of the hook decided, and the message wait to be told; False where it was decided before, and nothing changes."""
        with journal.transaction(self._connection, self._path):
            if self._one(hook, window) is not None:
                return False
            self._insert(Alert(hook=hook, window=window, decided_at_us=now_us, message=message, next_at_us=now_us))
            self._write_head()
        return True

    def waiting(self) -> list[Alert]:
        """What is not settled, the next to be tried first."""
        return list(self._alerts("WHERE next_at_us IS NOT NULL ORDER BY next_at_us, decided_at_us, hook"))

    def attempt(self, alert: Alert, next_at_us: int) -> bool:
        """Note that it is tried now, and when again unless it is settled before; False where another has begun or settled it meanwhile."""
        with journal.transaction(self._connection, self._path):
            changed = self._connection.execute(
                "UPDATE alerts SET attempts = attempts + 1, next_at_us = ? WHERE hook = ? AND window = ? AND attempts = ?"
                " AND next_at_us IS NOT NULL",
                (next_at_us, alert.hook, alert.window, alert.attempts),
            )
            return changed.rowcount == 1

    def failed(self, alert: Alert, said: str) -> None:
        """The attempt ended so; it stays to be tried again."""
        with journal.transaction(self._connection, self._path):
            self._connection.execute("UPDATE alerts SET said = ? WHERE hook = ? AND window = ?", (said, alert.hook, alert.window))

    def settle(self, alert: Alert, outcome: str, said: str, now_us: int) -> None:
        """It is not tried again."""
        with journal.transaction(self._connection, self._path):
            self._connection.execute(
                "UPDATE alerts SET next_at_us = NULL, settled_at_us = ?, outcome = ?, said = ? WHERE hook = ? AND window = ?",
                (now_us, outcome, said, alert.hook, alert.window),
            )
            self._write_head()

    def latest(self) -> Iterator[Alert]:
        """All alerts, the one that was decided last first, read as they are asked for."""
        return self._alerts("ORDER BY decided_at_us DESC, hook, window")

    def _one(self, hook: str, window: str) -> object:
        return self._connection.execute("SELECT 1 FROM alerts WHERE hook = ? AND window = ?", (hook, window)).fetchone()

    def _insert(self, alert: Alert) -> None:
        self._connection.execute(f"INSERT INTO alerts({_COLUMNS}) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)", msgspec.structs.astuple(alert))

    def _alerts(self, rest: str, table: str = "alerts") -> Iterator[Alert]:
        rows = self._connection.execute(f"SELECT {_COLUMNS} FROM {table} {rest}")
        return (Alert(**dict(zip(Alert.__struct_fields__, row, strict=True))) for row in rows)

    def _write_head(self) -> None:
        last = f"SELECT {_COLUMNS}, row_number() OVER (PARTITION BY hook ORDER BY decided_at_us DESC, window DESC) AS place FROM alerts"
        alerts = self._alerts(f"WHERE next_at_us IS NOT NULL OR place <= {_LAST}", f"({last})")
        durable.write_over(os.path.join(self._home, HEAD), msgspec.json.encode(list(alerts)))

    def _read_head(self) -> list[Alert]:
        try:
            with open(os.path.join(self._home, HEAD), "rb") as file:
                return _head.decode(file.read())
        except (FileNotFoundError, msgspec.MsgspecError, UnicodeDecodeError):
            return []
