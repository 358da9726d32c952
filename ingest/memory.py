"""The names that a sweep found, remembered, so that the next look at the same files need not list a single folder.

Decides what is written down of a sweep and when it may be used again. Looking at known files takes half as long as listing the folders
that they lie in. A folder whose inode and change time are what they were holds the names that it held: every name that comes or goes sets
the change time, and nobody can set it back. That is sure only

- on the store's own file system, which is a local one: elsewhere folders may have no times worth the name;
- for a folder that had rested for a while when it was listed: two changes within a tick of the clock bear the same time.

Where anything of this is in doubt nothing is remembered, and where anything differs nothing is used. Every file is looked at every time.
Light commands come here first, so it imports nothing that the bare interpreter has not loaded already.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ingest.sweep import Look, Trail

try:
    from posix import lstat, stat
except ImportError:  # Windows, where no time of a folder tells what happened in it: `text` remembers nothing
    from os import lstat, stat

NAME = "looked"
"""The file's name in the folder `views`."""

_FIRST_LINE = "ringlet looked 1"
_REST_NS = 3_000_000_000


def recall(path: str, key: str) -> "list[Look] | None":
    """What `ingest.sweep.sweep` would find, by the memory in the file `path`; None where only a sweep can tell.

    `key` says where the sweep looked.
    """
    try:
        with open(path, "rb") as file:
            head, _, body = file.read().partition(b"\n")
        first, known, folders, absent, plain, total = head.decode().split("\t")
        if (first, known) != (_FIRST_LINE, key):
            return None
        fields = body.decode("utf-8", "surrogateescape").split("\0")
        if len(fields) != int(total):
            return None
        end = 3 * int(folders)
        for folder, inode, changed in zip(fields[:end:3], fields[1:end:3], fields[2:end:3], strict=True):
            status = stat(folder)
            if status.st_ino != int(inode) or status.st_ctime_ns != int(changed):
                return None
        start, end = end, end + int(absent)
        if any(map(_exists, fields[start:end])):
            return None
        names = fields[end:-1]
        looks = [(name, status.st_ino, status.st_size, status.st_mtime_ns) for name, status in zip(names, map(lstat, names), strict=True)]
        if len(looks) > int(plain):
            from ingest.sweep import with_wal  # not everybody has databases

            looks[int(plain) :] = map(with_wal, looks[int(plain) :])
    except (OSError, ValueError):
        # A file that is gone is as much a change as a folder that is.
        return None
    return looks


def text(key: str, looks: "list[Look]", trail: "Trail", *, device: int, now_ns: int) -> "bytes | None":
    """What `recall` reads, for a sweep of `key` that began at `now_ns` and went by `trail`; None where it must not be remembered.

    `device` is the store's file system.
    """
    if lstat.__module__ != "posix" or not trail.certain or trail.devices - {device}:
        return None
    if any(changed > now_ns - _REST_NS for _, changed in trail.folders.values()):
        return None
    fields: list[str] = []
    for folder, (inode, changed) in trail.folders.items():
        fields += [folder, str(inode), str(changed)]
    fields += trail.absent
    # In order: whoever compares looks sorts them, which is quickest where they are sorted.
    plain = sorted(path for path, *_ in looks if path not in trail.databases)
    fields += plain
    fields += sorted(trail.databases)
    counts = (len(trail.folders), len(trail.absent), len(plain), len(fields) + 1)
    head = "\t".join([_FIRST_LINE, key, *map(str, counts)])
    return (head + "\n" + "\0".join([*fields, ""])).encode("utf-8", "surrogateescape")


def _exists(path: str) -> bool:
    try:
        lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True
