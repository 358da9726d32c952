"""Files that outlive a crash: the only place that creates, fsyncs, renames and locks files of the store.

Decides how a file becomes durable and which modes the store's files have. What is written, and in which order, is its callers'
business.

Two seams serve the fault tests, and nothing else: `fs`, through which every change of a file goes, so that a test can record the
operations or let the n-th one fail; and `step`, which marks the points at which a crash can be seen from outside. With
RINGLET_FAULT="name:n" in the environment the n-th passage of the step `name` ends the process with SIGKILL, and the one it works for.
"""

import errno
import fcntl
import os
import stat
import sys
import time
from _thread import get_ident
from collections.abc import Iterable
from contextlib import suppress

from pipeline.errors import Held, RingletError

STEPS = (
    "begun",  # a commit, seal or compaction holds the journal's write lock; nothing is written
    "staging_made",  # the staging folder exists
    "staged_written",  # one segment lies in staging; neither its name nor, in a child, its bytes need last
    "staged_synced",  # all segments lie in staging, their bytes and names fsynced
    "journal_written",  # every row of the transaction is in place, COMMIT not yet called
    "committed",  # COMMIT returned
    "leaf_made",  # the folders of all dates exist and their parents are fsynced
    "published_one",  # one segment was renamed into events/, its folder not yet fsynced
    "published",  # all segments lie in events/, the folders fsynced; the journal does not know it yet
    "publish_noted",  # the journal knows that they are published
    "intent",  # compaction: the intent is committed
    "compact_staged",  # the new leaf lies in staging, fsynced and compared
    "exchanged",  # the leaf and the staged folder have changed places, parents not yet fsynced
    "exchange_synced",  # both parents fsynced
    "compact_committed",  # the journal names the new segment; the old folder still lies in staging
    "old_removed",  # the old folder is gone
    "adopting",  # a rebuild is about to replace the journal's tables
    "adopted",  # the rebuild is committed
)

_RENAME_NOREPLACE = 1
_RENAME_EXCHANGE = 2
_AT_FDCWD = -100
_FEW = 8
_ASKED_S = 10.0
"""Whoever asks for the holder of a lock is in its way for some microseconds, or for as long as a busy machine lets it stand there."""
NETWORK = frozenset(("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "fuse.sshfs", "fuse.glusterfs", "lustre", "gpfs"))
"""Types of file systems that are shared between machines."""


class Fs:
    """The operations that change files of the store. Paths are absolute."""

    def create(self, path: str) -> int:
        """File descriptor of a new file, mode 0600; FileExistsError where there is one."""
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0), 0o600)

    def write(self, fd: int, content: bytes | memoryview) -> None:
        """All of `content`."""
        view = memoryview(content)
        while view:
            view = view[os.write(fd, view) :]

    def fsync(self, fd: int) -> None:
        """The file's bytes are on the disk, not in its cache (macOS: F_FULLFSYNC)."""
        if sys.platform == "darwin":
            try:
                fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
            except OSError:
                os.fsync(fd)
        else:
            os.fsync(fd)

    def close(self, fd: int) -> None:
        """Give the descriptor back."""
        os.close(fd)

    def fsync_dir(self, path: str) -> None:
        """The names in the folder are on the disk."""
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self.fsync(fd)
        finally:
            os.close(fd)

    def mkdir(self, path: str) -> None:
        """Make a folder, mode 0700; FileExistsError where there is something."""
        os.mkdir(path, 0o700)

    def rename_new(self, source: str, target: str) -> None:
        """Rename, FileExistsError where `target` exists."""
        if not _renameat2(source, target, _RENAME_NOREPLACE):
            os.link(source, target, follow_symlinks=False)
            os.unlink(source)

    def replace(self, source: str, target: str) -> None:
        """Rename, in the place of `target` where there is one."""
        os.replace(source, target)

    def exchange(self, one: str, other: str) -> bool:
        """The two folders have changed places in one step; False where the system cannot do that."""
        return _renameat2(one, other, _RENAME_EXCHANGE)

    def unlink(self, path: str) -> None:
        """Take a file away."""
        os.unlink(path)

    def rmdir(self, path: str) -> None:
        """Take an empty folder away."""
        os.rmdir(path)


fs = Fs()
_passed: dict[str, int] = {}
_parent: int | None = None
_fault = os.environ.get("RINGLET_FAULT")


def step(name: str) -> None:
    """A crash here can be told from a crash elsewhere; see `STEPS`."""
    if _fault is None:
        return
    wanted, _, occurrence = _fault.partition(":")
    if wanted == name:
        _passed[name] = _passed.get(name, 0) + 1
        if _passed[name] == int(occurrence or 1):
            if _parent is not None:
                os.kill(_parent, 9)
            os.kill(os.getpid(), 9)


def dies_with(parent: int) -> None:
    """In a child that works for the process `parent`: a crash at a step ends both, as one program."""
    global _parent
    _parent = parent


def write_new(path: str, content: bytes | memoryview) -> None:
    """A new file with `content`, its bytes fsynced; its name is durable once the folder is fsynced."""
    _write(path, content, synced=True)


def write_over(path: str, content: bytes) -> None:
    """`path` holds either its old content or all of the new one, whatever happens."""
    _replace(path, content, synced=True)
    fs.fsync_dir(os.path.dirname(path))


def write_hint(path: str, content: bytes) -> None:
    """As `write_over`, but after a power cut `path` may hold anything: for what is checked wherever it is read."""
    _replace(path, content, synced=False)


def _write(path: str, content: bytes | memoryview, *, synced: bool) -> None:
    fd = fs.create(path)
    try:
        fs.write(fd, content)
        if synced:
            fs.fsync(fd)
    finally:
        fs.close(fd)


def _replace(path: str, content: bytes, *, synced: bool) -> None:
    # Two threads of one process may write the same file at once, as two processes may.
    temporary = f"{path}.{os.getpid()}.{get_ident()}.new"
    if os.path.lexists(temporary):
        fs.unlink(temporary)
    try:
        _write(temporary, content, synced=synced)
        fs.replace(temporary, path)
    except OSError:
        # On a full disk half a file would keep the room that its owner is asked to make.
        with suppress(OSError):
            fs.unlink(temporary)
        raise


def make_dirs(path: str) -> None:
    """The folder and its parents exist, 0700, and their names are fsynced."""
    if os.path.isdir(path):
        return
    parent = os.path.dirname(path)
    make_dirs(parent)
    try:
        fs.mkdir(path)
    except FileExistsError:
        if not os.path.isdir(path):
            raise
    fs.fsync_dir(parent)


def make_dirs_of(base: str, paths: Iterable[str]) -> None:
    """The relative `paths` of folders exist under `base`, and all new names are fsynced: each parent once, however many are new in it."""
    make_dirs(base)
    grown: dict[str, None] = {}
    for path in paths:
        parent = base
        for part in path.split("/"):
            child = f"{parent}/{part}"
            if not os.path.isdir(child):
                try:
                    fs.mkdir(child)
                except FileExistsError:
                    if not os.path.isdir(child):
                        raise
                grown[parent] = None
            parent = child
    fsync_dirs(grown)


def remove_tree(path: str) -> None:
    """The folder and all in it are gone; nothing happens where there is none. Links are removed, not followed.

    Another process may be removing the same folder: whatever is gone already is passed over.
    """
    with suppress(FileNotFoundError):
        for entry in list(os.scandir(path)):
            if entry.is_dir(follow_symlinks=False):
                remove_tree(entry.path)
            else:
                with suppress(FileNotFoundError):
                    fs.unlink(entry.path)
        fs.rmdir(path)


def fsync_dirs(paths: Iterable[str]) -> None:
    """The names in each of the folders are on the disk. Many are waited for at once."""
    distinct = sorted(set(paths))
    if len(distinct) <= _FEW:
        for path in distinct:
            fs.fsync_dir(path)
        return
    # Only a large commit has that many, and the pool costs more to import than a small commit takes.
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(fs.fsync_dir, distinct))


class Lock:
    """A lock that is held by this process until `release` or its end; use as a context manager."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def release(self) -> None:
        """Let another one have it; more than once is once."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> "Lock":
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def lock(path: str) -> Lock:
    """The lock that the file `path` stands for; raises Held with the holder's pid. The file stays: only the lock on it means anything."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _flock(fd)
    except OSError as error:
        text = os.read(fd, 32).split(b"\n")[0]
        os.close(fd)
        if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
            raise
        pid = int(text) if text.isdigit() else None
        who = f"process {pid}" if pid else "another process"
        raise Held(f"held by {who}", where=path, pid=pid, mend="wait for it or end it") from None
    os.ftruncate(fd, 0)
    os.pwrite(fd, b"%d\n" % os.getpid(), 0)
    return Lock(fd)


def _flock(fd: int) -> None:
    until, tries = time.monotonic() + _ASKED_S, 3
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            tries -= not _is_only_asked_for(fd)
            if tries == 0 or time.monotonic() > until:
                raise
        time.sleep(0.01)


def _is_only_asked_for(fd: int) -> bool:
    """Whether nobody is in the way of the lock but who asks for its holder."""
    with suppress(BlockingIOError):
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        fcntl.flock(fd, fcntl.LOCK_UN)
        return True
    return False


def holder(path: str) -> int | None:
    """Process id of whoever holds the lock `path`, 0 where it cannot be told; None where nobody does. Takes and changes nothing."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        # Shared, so that two who ask are not each other's holder.
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return None
    except OSError as error:
        if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
            raise
        text = os.read(fd, 32).split(b"\n")[0]
        return int(text) if text.isdigit() else 0
    finally:
        os.close(fd)


def prepare_home(home: str, *, create: bool) -> bool:
    """The store's folder exists, is ours and closed to others; True if it was made now.

    Raises RingletError for a folder that belongs to someone else or is open to them (never silently changed), that cannot be written or
    whose path is no UTF-8, and where it would have to be made on a network file system: whoever wants it there makes it. FileNotFoundError
    where there is none and `create` is False.
    """
    if not os.path.isabs(home):
        raise RingletError("the store needs an absolute path", where=home, mend="set HOME or RINGLET_HOME")
    try:
        found = os.stat(home)
    except FileNotFoundError:
        if not create:
            raise
        refuse_network(home)
        _refuse_no_text(home)
        make_dirs(home)
        return True
    if not stat.S_ISDIR(found.st_mode):
        raise RingletError("not a folder", where=home, mend="move it away or set RINGLET_HOME")
    if found.st_uid != os.geteuid():
        raise RingletError(f"the store belongs to user {found.st_uid}", where=home, mend="run as that user or set RINGLET_HOME")
    if found.st_mode & 0o077:
        raise RingletError("the store is open to other users", where=home, mend=f"chmod 700 {_quoted(home)}")
    if not os.access(home, os.R_OK | os.W_OK | os.X_OK):
        raise RingletError("the store cannot be written", where=home, mend="make the folder writable for you or set RINGLET_HOME")
    _refuse_no_text(home)
    return False


def _refuse_no_text(home: str) -> None:
    # Parquet's libraries name files in UTF-8 and in nothing else.
    try:
        home.encode()
    except UnicodeEncodeError:
        raise RingletError("the store's path is no text", where=home, mend="set RINGLET_HOME to a folder with a UTF-8 name") from None


def _quoted(path: str) -> str:
    from shlex import quote  # 5 ms that only a failure should pay

    return quote(path)


def refuse_network(path: str) -> None:
    """Raises RingletError if `path` lies, or would lie, on a network file system: SQLite's log needs shared memory and honest locks."""
    kind = file_system(path)
    if kind in NETWORK:
        raise RingletError(
            f"the store would lie on a network file system ({kind})",
            where=path,
            mend=f"set RINGLET_HOME to a local folder, or, if only this machine will ever use it: mkdir -p -m 700 {_quoted(path)}",
        )


def file_system(path: str, mounts: str = "/proc/self/mounts") -> str | None:
    """Type of the file system that `path` lies on, as the kernel names it; None where that cannot be told."""
    best, kind = "", None
    real = os.path.realpath(path)
    try:
        with open(mounts, encoding="utf-8", errors="surrogateescape") as table:
            lines = table.read().splitlines()
    except OSError:
        return None
    for line in lines:
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = fields[1].replace("\\040", " ")
        under = real == point or real.startswith(point.rstrip("/") + "/")
        if under and len(point) >= len(best):
            best, kind = point, fields[2]
    return kind


def _renameat2(source: str, target: str, flags: int) -> bool:
    if sys.platform == "win32":
        return False
    # Only whoever publishes files needs it, and it costs as much to import as a small commit.
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    one, other = os.fsencode(source), os.fsencode(target)
    if sys.platform == "darwin":
        # renamex_np: RENAME_SWAP = 2, RENAME_EXCL = 4.
        failed = libc.renamex_np(one, other, 4 if flags == _RENAME_NOREPLACE else 2)
    elif hasattr(libc, "renameat2"):
        failed = libc.renameat2(_AT_FDCWD, one, _AT_FDCWD, other, flags)
    else:
        return False
    if not failed:
        return True
    code = ctypes.get_errno()
    if code in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
        return False
    raise OSError(code, os.strerror(code), source, None, target)
