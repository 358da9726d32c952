"""Which folders are watched while the sources are followed.

Decides who tells of changes, what of a home is watched, deeply or not, how it is noticed that a folder comes or goes, and where no notices
can be had, so that it has to be looked at now and then. What a notice leads to is `ingest.watch`'s business.
"""

import errno
import os
import sys
from collections.abc import Callable
from contextlib import suppress

from ingest.adapter import Pattern
from ingest.notices import LOST, Notices
from pipeline.durable import file_system

REMOTE = ("nfs", "cifs", "smb", "9p", "sshfs", "fuse.sshfs", "drvfs", "vboxsf", "afs", "ncp")
"""File systems on which writes from elsewhere give no event."""

_CANNOT = {
    errno.ENOSPC: "no inotify watches are left: sudo sysctl fs.inotify.max_user_watches=524288 gives more",
    errno.EMFILE: "no inotify instances are left: sudo sysctl fs.inotify.max_user_instances=512 gives more",
}


def begun() -> Notices:
    """What tells of changes on this system; nothing is followed yet."""
    # What watchdog has for one system cannot be loaded on another.
    if sys.platform == "linux":
        from ingest.inotify import Inotify

        return Inotify()
    from ingest.observed import Observed

    return Observed()


class Watched:
    """The folders that `notices` tells of; for the thread that waits for them."""

    def __init__(self, notices: Notices, cannot: Callable[[str, str], None]) -> None:
        """`cannot` is told once of each folder that cannot be watched, and why."""
        self._notices = notices
        self._cannot = cannot
        self._followed: set[str] = set()
        self._guarded: set[str] = set()
        self._on_the_way: set[str] = set()
        """Paths whose coming and going is told, each by the folder that it lies in."""
        self._polled: set[str] = set()

    @property
    def polls(self) -> bool:
        """Whether a folder gives no events."""
        return bool(self._polled)

    def watch(self, home: str, pattern: Pattern) -> None:
        """Have the folder that holds, or may come to hold, a home's sources of one pattern watched."""
        folders = pattern.glob.split("/")[:-1]
        plain = folders[: next((place for place, folder in enumerate(folders) if "*" in folder), len(folders))]
        top = os.path.join(home, *plain)
        self._guard_way(top, home)
        if top not in self._followed and top not in self._polled and os.path.isdir(top):
            self._follow(top, deep=len(plain) < len(folders))

    def let_go(self, folder: str) -> None:
        """A folder came or went: whatever was watched there is not what lies there now."""
        self._notices.leave(folder)
        for watched in (self._followed, self._guarded):
            watched.difference_update([path for path in watched if path == folder or path.startswith(folder + os.sep)])

    def _follow(self, top: str, *, deep: bool) -> None:
        kind = file_system(top)
        if kind is not None and kind.startswith(REMOTE):
            self._polled.add(top)
            self._cannot(top, f"on {kind}, which tells of no changes")
            return
        try:
            self._notices.follow(top, deep=deep)
            self._followed.add(top)
            # What was written there before the watch stood is told by nobody.
            self._notices.note(LOST)
        except OSError as error:
            self._polled.add(top)
            self._cannot(top, _CANNOT.get(error.errno or 0, error.strerror or "cannot be watched"))

    def _guard_way(self, top: str, home: str) -> None:
        """Have the folders above `top` tell when it, or one on the way to it, comes or goes: up to the one that holds the agent's home."""
        path, reached = top, False
        while not reached:
            self._on_the_way.add(path)
            above = os.path.dirname(path)
            if above not in self._guarded and os.path.isdir(above):
                # Where this cannot be had, the sweep finds what came.
                with suppress(OSError):
                    self._notices.guard(above, self._on_the_way)
                    self._guarded.add(above)
                    self._notices.note(LOST)
            reached = above == path or (len(path) <= len(home) and above in self._guarded)
            path = above
