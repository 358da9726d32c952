"""What lies on disk right now: the look that proves an answer fresh.

Decides which files of which folders are looked at, from plain tuples, so that it needs no adapter. Reads no file.
Light commands run it every time, so it imports nothing that the bare interpreter has not loaded already.
"""

from ingest.wal import with_wal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Walk = tuple[str, tuple[str, ...], tuple[str, ...], bool]
    Look = tuple[str, int, int, int]
    Trouble = tuple[str, str]

try:
    from posix import lstat, scandir, stat
except ImportError:  # Windows
    from os import lstat, scandir, stat

MAX_FILES = 1_000_000
"""Files looked at under one folder; more is a misplaced home rather than an agent's log."""

_KIND = 0o170000
_REGULAR = 0o100000
_FOLDER = 0o040000
_LINK = 0o120000


class Trail:
    """What a sweep went by, for `ingest.memory`: had all of this been the same, it would have found the same names."""

    __slots__ = ("absent", "certain", "databases", "devices", "folders")

    def __init__(self) -> None:
        self.folders: dict[str, tuple[int, int]] = {}
        """(inode, change time in ns) of every folder, taken before it was listed."""
        self.absent: dict[str, None] = {}
        """Paths where there was nothing."""
        self.devices: set[int] = set()
        """The file systems of the folders."""
        self.databases: set[str] = set()
        """The files found whose size and time take in a `-wal`."""
        self.certain = True
        """Whether the rest tells everything: not where there were links or troubles."""

    def lacks(self, root: str) -> bool:
        """Whether there is nothing at all at the root of a place: that it is absent tells all of what would lie below it."""
        if root not in self.absent:
            try:
                lstat(root)
            except (FileNotFoundError, NotADirectoryError):
                self.absent[root] = None
            except OSError:
                pass
        return root in self.absent

    def at(self, folder: str) -> None:
        """The sweep is about to list this folder."""
        try:
            status = stat(folder)
        except (FileNotFoundError, NotADirectoryError):
            self.absent[folder] = None
        except OSError:
            self.certain = False
        else:
            self.folders[folder] = status.st_ino, status.st_ctime_ns
            self.devices.add(status.st_dev)


def place(root: str, glob: str, *, journalled: bool = False) -> "Walk":
    """Where to look, as plain tuples and strings: (root, folders on the way, names, journalled).

    `glob` is relative to `root`: folder names, `*` for one folder, `**` for any depth, and last a file name with at most one `*`.
    `journalled` says that the files are databases whose newest rows may lie beside them, in a `-wal`.
    """
    *folders, name = glob.split("/")
    if name.count("*") > 1 or any("*" in folder and folder not in ("*", "**") for folder in folders) or "**" in folders[:-1]:
        raise ValueError(f"{glob}: a pattern has whole folders, `*` or a last `**` between them, and one `*` in the file name")
    return root, tuple(folders), (name,), journalled


def merged(places: "Iterable[Walk]") -> "tuple[Walk, ...]":
    """The same places with those joined that walk the same folders."""
    walks: dict[tuple[str, tuple[str, ...], bool], list[str]] = {}
    for root, folders, names, journalled in places:
        known = walks.setdefault((root, folders, journalled), [])
        known.extend(name for name in names if name not in known)
    return tuple((root, folders, tuple(names), journalled) for (root, folders, journalled), names in walks.items())


def sweep(places: "Iterable[Walk]", troubles: "list[Trouble] | None" = None, trail: "Trail | None" = None) -> "list[Look]":
    """(path, inode, size in bytes, mtime in ns) of every regular file at `places`, each path once, in the file system's order.

    The folder that a place names is resolved once; below it, links are followed only to what lies in the place's root and is not walked
    anyway. A missing folder or vanished file gives nothing. What cannot be looked at is added to `troubles` as (path, reason).
    A database's size and time take in its `-wal`. What the sweep went by is added to `trail`.
    """
    found: list[Look] = []
    troubles = [] if troubles is None else troubles
    before = len(troubles)
    for root, folders, names, journalled in places:
        if trail is not None and trail.lacks(root):
            continue
        first = len(found)
        deep = folders[-1:] == ("**",)
        tops = [root]
        for folder in folders[:-1] if deep else folders:
            if folder == "*":
                tops = [below for top in tops for below in _folders(top, troubles, trail)]
            else:
                tops = [f"{top}/{folder}" for top in tops]
        matches = _matcher(names)
        links: list[str] = []
        if not deep and not any("*" in name for name in names):
            for top in tops:
                _named(top, names, found, links, troubles, trail)
        else:
            for top in tops:
                _walk(top, matches, deep, found, links, troubles, first + MAX_FILES, trail)
        if links:
            if trail is not None:
                trail.certain = False
            _follow(root, tops, links, matches, deep, found, troubles)
        if journalled:
            if trail is not None:
                trail.databases.update([look[0] for look in found[first:]])
            found[first:] = [with_wal(look) for look in found[first:]]
    if trail is not None and len(troubles) > before:
        trail.certain = False
    return found


def among(looks: "Iterable[Look]", where: "Walk") -> "list[Look]":
    """Those of `looks` that a sweep of this place alone would give, where there are no links."""
    root, folders, names, _ = where
    deep = folders[-1:] == ("**",)
    way = folders[:-1] if deep else folders
    matches = _matcher(names)
    plain = way[: way.index("*")] if "*" in way else way
    start = "/".join((root, *plain, ""))
    chosen = []
    for look in looks:
        if look[0].startswith(start):
            *between, name = look[0][len(start) :].split("/")
            depth = len(between) + len(plain) - len(way)
            if (depth >= 0 if deep else depth == 0) and all(map(_passes, way[len(plain) :], between)) and matches(name):
                chosen.append(look)
    return chosen


def _passes(wanted: str, folder: str) -> bool:
    return wanted in ("*", folder)


def _matcher(names: "tuple[str, ...]") -> "Callable[[str], bool]":
    if all(name.startswith("*") for name in names):
        ends = tuple(name[1:] for name in names)
        return lambda name: name.endswith(ends)
    exact = [name for name in names if "*" not in name]
    parts = [(name[: name.index("*")], name[name.index("*") + 1 :]) for name in names if "*" in name]

    def matches(name: str) -> bool:
        return name in exact or any(len(name) >= len(a) + len(b) and name.startswith(a) and name.endswith(b) for a, b in parts)

    return matches


def _named(
    top: str, names: "tuple[str, ...]", found: "list[Look]", links: list[str], troubles: "list[Trouble]", trail: "Trail | None"
) -> None:
    """Files whose names are known: the folder, which may hold thousands of others, is not listed."""
    for name in names:
        path = f"{top}/{name}"
        try:
            status = lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            if trail is not None:
                trail.absent[path] = None
        except OSError as error:
            troubles.append((top, error.strerror or "cannot be listed"))
            return
        else:
            kind = status.st_mode & _KIND
            if kind == _REGULAR:
                found.append((path, status.st_ino, status.st_size, status.st_mtime_ns))
            elif kind == _LINK:
                links.append(path)
            elif trail is not None:
                trail.certain = False


def _walk(
    top: str,
    matches: "Callable[[str], bool]",
    deep: bool,
    found: "list[Look]",
    links: list[str],
    troubles: "list[Trouble]",
    limit: int,
    trail: "Trail | None" = None,
) -> None:
    folders = [top]
    while folders:
        folder = folders.pop()
        if trail is not None:
            trail.at(folder)
        try:
            with scandir(folder) as entries:
                for entry in entries:
                    if not matches(entry.name):
                        if entry.is_dir(follow_symlinks=False):
                            if deep:
                                folders.append(entry.path)
                        elif entry.is_symlink():
                            links.append(entry.path)
                        continue
                    try:
                        status = entry.stat(follow_symlinks=False)
                    except OSError:
                        continue
                    kind = status.st_mode & _KIND
                    if kind == _REGULAR:
                        found.append((entry.path, status.st_ino, status.st_size, status.st_mtime_ns))
                    elif kind == _LINK:
                        links.append(entry.path)
                    elif kind == _FOLDER and deep:
                        folders.append(entry.path)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            troubles.append((folder, error.strerror or "cannot be listed"))
        if len(found) > limit:
            troubles.append((top, f"more than {MAX_FILES} files: the rest is not looked at"))
            return


def _folders(top: str, troubles: "list[Trouble]", trail: "Trail | None") -> list[str]:
    if trail is not None:
        trail.at(top)
    try:
        with scandir(top) as entries:
            return [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        troubles.append((top, error.strerror or "cannot be listed"))
        return []


def _follow(
    root: str,
    tops: list[str],
    links: list[str],
    matches: "Callable[[str], bool]",
    deep: bool,
    found: "list[Look]",
    troubles: "list[Trouble]",
) -> None:
    # Links are rare: only they pay for the imports.
    from errno import ELOOP
    from os.path import basename, realpath

    home = realpath(root)
    walked = {realpath(top) for top in tops}
    while links:
        link = links.pop()
        try:
            target = realpath(link)
            status = stat(target)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            # A link to itself leads nowhere either; where any other leads is not to be had, or not open to us.
            if error.errno != ELOOP and (deep or matches(basename(link))):
                troubles.append((link, error.strerror or "cannot be followed"))
            continue
        is_file = status.st_mode & _KIND == _REGULAR
        if (is_file and not matches(basename(link))) or (not is_file and not deep):
            continue
        if not (target + "/").startswith(home + "/"):
            troubles.append((link, "is a link that leads out of its home: not followed"))
            continue
        if any((target + "/").startswith(top + "/") or (top + "/").startswith(target + "/") for top in walked):
            continue
        walked.add(target)
        if is_file:
            found.append((target, status.st_ino, status.st_size, status.st_mtime_ns))
        else:
            _walk(target, matches, deep, found, links, troubles, len(found) + MAX_FILES)
