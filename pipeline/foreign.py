"""Another program's SQLite database, opened without disturbing it.

Decides how it is opened and when a copy is read instead. What is read is `pipeline.rows`' business.

It is opened read-only and never as immutable: its newest rows may stand in the `-wal` alone. Where it can't be read in place (locked for
good, a folder that may not be written to), a private copy is.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

BUSY_S = 5.0
"""How long to wait for a lock."""
COPY_ATTEMPTS = 3

_ELSEWHERE = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR}
_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_./~")


def opened(path: str) -> sqlite3.Connection:
    """A read-only connection; bytes that are no UTF-8 come as U+FFFD."""
    location = "".join(chr(byte) if byte in _SAFE else f"%{byte:02X}" for byte in os.fsencode(os.path.abspath(path)))
    db = sqlite3.connect(f"file:{location}?mode=ro", uri=True, timeout=BUSY_S, isolation_level=None)
    db.text_factory = _text
    return db


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")


def worth_a_copy(error: sqlite3.Error) -> bool:
    """Whether the trouble may lie in where the file is rather than in what it holds."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in _ELSEWHERE


@contextmanager
def copied(path: str) -> Iterator[str]:
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
