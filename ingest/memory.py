"""The look that a sweep took, remembered, so that the next one need not list a single folder.

Decides what is written down of a sweep and when it may be used again. Looking at known files takes half as long as listing the folders
that they lie in. A folder whose inode and change time are what they were holds the names that it held: every name that comes or goes sets
the change time, and nobody can set it back. That is sure only

- on the store's own file system, which is a local one: elsewhere folders may have no times worth the name;
- for a folder that had rested for a while when it was listed: two changes within a tick of the clock bear the same time.

Where anything of this is in doubt nothing is remembered, and where a folder differs nothing is used. Every file is looked at every time:
the memory also holds how each one was, and the name that the asker gave to that state, so that a look at thousands that are as they were
ends with that name.
Light commands come here first, so it imports nothing that the bare interpreter has not loaded already.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

    from ingest.sweep import Look, Trail

try:
    from posix import O_CLOEXEC, O_DIRECTORY, O_RDONLY, close, lstat, stat
    from posix import open as opened

    _CERTAIN = True
except ImportError:  # Windows, where no time of a folder tells what happened in it: `text` remembers nothing
    _CERTAIN = False

NAME = "looked"
"""The file's name in the folder `views`."""

_FIRST_LINE = b"ringlet looked 2"
_REST_NS = 3_000_000_000


class Memory:
    """How all files were, and which of them are not so any more."""

    __slots__ = ("_body", "_files", "_head", "_numbers", "changed", "proof")

    def __init__(self, head: "list[bytes]", body: "list[bytes]", files: "list[bytes]", numbers: bytes) -> None:
        self._head = head
        self._body = body
        self._files = files
        self._numbers = numbers
        self.proof = head[2].decode()
        """The name of that state."""
        self.changed: dict[bytes, tuple[int, int, int]] = {}
        """(inode, size in bytes, mtime in ns) of each file that differs."""

    def looks(self) -> "list[Look]":
        """What `ingest.sweep.sweep` would find now."""
        values = iter(self._now().tolist())
        return list(zip(self._paths(self._files), values, values, values, strict=True))

    def news(self) -> "list[Look]":
        """Those of `looks` that differ."""
        return [(path, *values) for path, values in zip(self._paths([*self.changed]), self.changed.values(), strict=True)]

    def renewed(self, proof: str) -> bytes:
        """The memory of the files as they are now, under this name."""
        folders = self._numbers[: -24 * len(self._files)] if self._files else self._numbers
        return _written([*self._head[:2], proof.encode(), *self._head[3:]], folders + bytes(self._now()), self._body)

    def _now(self) -> "memoryview":
        values = memoryview(bytearray(self._numbers)).cast("Q")[len(self._numbers) // 8 - 3 * len(self._files) :]
        if self.changed:
            for at, name in enumerate(self._files):
                if name in self.changed:
                    values[3 * at], values[3 * at + 1], values[3 * at + 2] = self.changed[name]
        return values

    def _paths(self, names: "list[bytes]") -> "list[str]":
        from os import fsdecode  # only after something changed

        return [fsdecode(self._body[0] + name) for name in names]


def recall(path: str, key: str) -> "Memory | None":
    """What the file `path` remembers, held against the disk; None where only a sweep can tell. `key` says where the sweep looked."""
    try:
        with open(path, "rb") as file:
            return recalled(file, key)
    except OSError:
        return None


def recalled(file: "BinaryIO", key: str) -> "Memory | None":
    """As `recall`, for what `text` gave, wherever it was kept."""
    try:
        head = file.readline().rstrip(b"\n").split(b"\t")
        first, known, _, *counts = head
        if first != _FIRST_LINE or known != key.encode():
            return None
        folders, absent, plain, files = map(int, counts)
        size = 8 * (2 * folders + 3 * files)
        numbers, body = file.read(size), file.read().split(b"\0")
        if len(numbers) != size or len(body) != 1 + folders + absent + files + 1:
            return None
        memory = Memory(head, body, body[1 + folders + absent : -1], numbers)
        top = opened(body[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        try:
            return memory if _held_against_disk(memory, top, folders, absent, plain) else None
        finally:
            close(top)
    except (OSError, ValueError):
        # A file that is gone is as much a change as a folder that is.
        return None


def _held_against_disk(memory: Memory, top: int, folders: int, absent: int, plain: int) -> bool:
    """Whether the names are what they were; fills `memory.changed`."""
    # Relative to a folder that is open: the way to it is the longest part of each path.
    known = iter(memoryview(memory._numbers).cast("Q").tolist())
    body, files, changed = memory._body, memory._files, memory.changed
    for name, inode, time in zip(body[1 : 1 + folders], known, known, strict=False):
        status = stat(name, dir_fd=top)
        if status.st_ctime_ns != time or status.st_ino != inode:
            return False
    if any(_exists(name, top) for name in body[1 + folders : 1 + folders + absent]):
        return False
    for name, inode, size, time in zip(files[:plain], known, known, known, strict=False):
        status = lstat(name, dir_fd=top)
        if status.st_mtime_ns != time or status.st_size != size or status.st_ino != inode:
            changed[name] = status.st_ino, status.st_size, status.st_mtime_ns
    if plain < len(files):
        from os import fsdecode  # not everybody has databases

        from ingest.wal import with_wal

        for name, then in zip(files[plain:], zip(known, known, known, strict=True), strict=True):
            status = lstat(name, dir_fd=top)
            path = fsdecode(body[0] + name)
            now = with_wal((path, status.st_ino, status.st_size, status.st_mtime_ns))[1:]
            if now != then:
                changed[name] = now
    return True


def text(key: str, looks: "list[Look]", trail: "Trail", *, proof: str, device: int, now_ns: int) -> "bytes | None":
    """What `recall` reads, for a sweep of `key` that began at `now_ns` and went by `trail`; None where it must not be remembered.

    `device` is the store's file system, `proof` the asker's name for what the sweep found.
    """
    if not _CERTAIN or not trail.certain or trail.devices - {device}:
        return None
    if any(changed > now_ns - _REST_NS for _, changed in trail.folders.values()):
        return None
    from os import fsencode  # the sweep that came before took longer

    # Those last whose times take in what lies beside them.
    looks = sorted(looks, key=lambda look: (look[0] in trail.databases, look[0]))
    paths = [fsencode(path) for path in (*trail.folders, *trail.absent, *(look[0] for look in looks))]
    if not all(path.startswith(b"/") for path in paths) or not paths:
        return None
    top, high = min(paths), max(paths)
    while not high.startswith(top) or not top.endswith(b"/"):
        top = top[:-1]
    counts = (len(trail.folders), len(trail.absent), len(looks) - len(trail.databases), len(looks))
    values = [number for folder in trail.folders.values() for number in folder] + [number for look in looks for number in look[1:]]
    head = [_FIRST_LINE, key.encode(), proof.encode(), *(str(count).encode() for count in counts)]
    numbers = memoryview(bytearray(8 * len(values))).cast("Q")
    for at, value in enumerate(values):
        numbers[at] = value
    return _written(head, bytes(numbers), [top, *(path[len(top) :] for path in paths), b""])


def _written(head: "list[bytes]", numbers: bytes, body: "list[bytes]") -> bytes:
    return b"\t".join(head) + b"\n" + numbers + b"\0".join(body)


def _exists(name: bytes, top: int) -> bool:
    try:
        lstat(name, dir_fd=top)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True
