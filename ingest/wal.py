"""A database and the rows that lie beside it.

Decides what a look at a database takes in. Light commands look at databases every time, so it imports nothing.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    Look = tuple[str, int, int, int]

try:
    from posix import stat
except ImportError:  # Windows
    from os import stat


def with_wal(look: "Look") -> "Look":
    """A look at a database with the `-wal` beside it taken in."""
    path, inode, size, mtime_ns = look
    try:
        wal = stat(path + "-wal")
    except OSError:
        return look
    return path, inode, size + wal.st_size, max(mtime_ns, wal.st_mtime_ns)
