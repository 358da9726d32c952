"""Notices on Linux: inotify(7) through watchdog's calls, read by the thread that waits for them.

Decides which folders are watched there and which notices an event becomes. watchdog's observer hands every event through three threads of
its own, which takes as much as the durable commit that follows, and its reader makes an object of each under several locks; where there
is no inotify, `ingest.observed` has it do so.

A folder that comes below a deeply followed one is watched before it is listed, so that a file in it is told at least once. Of a file that
is moved the kernel tells in two events with one cookie.
"""

import errno
import os
import select
from abc import ABC, abstractmethod
from collections.abc import Container
from contextlib import suppress
from struct import Struct
from typing import NoReturn

from watchdog.observers.inotify_c import (
    InotifyConstants,
    InotifyFD,
    Mask,
    WatchDescriptor,
    inotify_add_watch,
    inotify_init,
    inotify_rm_watch,
)

from ingest.notices import LOST, Notice

_MOVED_FROM, _MOVED_TO, _IS_FOLDER = InotifyConstants.IN_MOVED_FROM, InotifyConstants.IN_MOVED_TO, InotifyConstants.IN_ISDIR
_OVERFLOW, _NO_LONGER = InotifyConstants.IN_Q_OVERFLOW, InotifyConstants.IN_IGNORED
_CAME = InotifyConstants.IN_CREATE | _MOVED_TO
_CAME_OR_WENT = _CAME | _MOVED_FROM | InotifyConstants.IN_DELETE
_WRITTEN = InotifyConstants.IN_MODIFY | _CAME
_MASK = Mask(_CAME_OR_WENT | InotifyConstants.IN_MODIFY | InotifyConstants.IN_ONLYDIR)
"""The same for every folder: of two that ask for one folder, the kernel heeds the later. Opening and closing are left out: each look of
ours would be told."""
_NO_ROOM = (errno.ENOSPC, errno.EMFILE, errno.ENOMEM)
_MOVES = 1024
"""What is moved to where nobody looks leaves its first half behind: that many at most."""
_EVENT = Struct("iIII")
"""Watch, mask, cookie and the length of the name that follows, with the NULs behind it."""
_PART_BYTES = 1 << 16
"""Read at once; what is left is there for the next read. The longest event takes 272."""


class Inotify:
    """`ingest.notices.Notices` from the kernel."""

    def __init__(self) -> None:
        self._reader = _Reader()
        self._told: set[Notice] = set()
        self._followed: dict[str, _Followed] = {}
        self._guarded: dict[str, _Guarded] = {}

    def follow(self, folder: str, *, deep: bool) -> None:
        followed = self._followed[folder] = _Followed(self._reader, self._told, folder, deep=deep)
        try:
            followed.enter(folder)
        except OSError:
            self._followed.pop(folder).leave()
            raise

    def guard(self, folder: str, paths: Container[str]) -> None:
        guarded = _Guarded(self._reader, self._told, paths)
        guarded.watch(folder)
        self._guarded[folder] = guarded

    def leave(self, folder: str) -> None:
        below = folder + os.sep
        for watched in (self._followed, self._guarded):
            for path in [path for path in watched if path == folder or path.startswith(below)]:
                watched.pop(path).leave()

    def note(self, notice: Notice) -> None:
        self._told.add(notice)

    def wait(self, timeout_s: float) -> set[Notice]:
        self._reader.read(0 if self._told else timeout_s)
        told = set(self._told)
        self._told.clear()
        return told

    def close(self) -> None:
        self._reader.close()


class _Reader:
    """The kernel's queue of events, and who hears of which folder."""

    def __init__(self) -> None:
        self._fd = inotify_init()
        if self._fd == -1:
            _failed("")
        os.set_inheritable(self._fd, False)
        self._hearing: dict[WatchDescriptor, tuple[_Watched, ...]] = {}
        self._ready = select.poll()
        self._ready.register(self._fd, select.POLLIN)

    def read(self, timeout_s: float) -> None:
        """Pass on the events that are there, after waiting so long for a first one."""
        if not self._ready.poll(timeout_s * 1000):
            return
        content = os.read(self._fd, _PART_BYTES)
        at = 0
        while at < len(content):
            number, mask, cookie, length = _EVENT.unpack_from(content, at)
            begin = at + _EVENT.size
            at = begin + length
            if mask & _OVERFLOW:
                for each in {each for hearing in self._hearing.values() for each in hearing}:
                    each.overflowed()
            elif mask & _NO_LONGER:
                for each in self._hearing.pop(number, ()):
                    each.lost(number)
            elif length:
                for each in self._hearing.get(number, ()):
                    each.told_of(number, content[begin:at].rstrip(b"\0"), mask, cookie)

    def add(self, folder: str, watched: "_Watched") -> WatchDescriptor:
        """The kernel's number of a folder whose events `watched` hears from now on. Raises OSError where they cannot be had."""
        number = inotify_add_watch(self._fd, os.fsencode(folder), _MASK)
        if number == -1:
            _failed(folder)
        hearing = self._hearing.get(number, ())
        if watched not in hearing:
            self._hearing[number] = (*hearing, watched)
        return number

    def remove(self, number: WatchDescriptor, watched: "_Watched") -> None:
        """`watched` hears no more of that folder."""
        hearing = tuple(each for each in self._hearing.pop(number, ()) if each is not watched)
        if hearing:
            self._hearing[number] = hearing
        else:
            # It may have gone by itself.
            inotify_rm_watch(self._fd, number)

    def close(self) -> None:
        os.close(self._fd)


def _failed(folder: str) -> NoReturn:
    InotifyFD._raise_error()
    # The one error that watchdog passes over.
    raise OSError(errno.EACCES, os.strerror(errno.EACCES), folder)


class _Watched(ABC):
    """Folders that are watched together."""

    def __init__(self, reader: _Reader, told: set[Notice]) -> None:
        self.told = told
        self.paths: dict[WatchDescriptor, str] = {}
        """The folders by the kernel's number."""
        self._reader = reader

    def watch(self, folder: str) -> None:
        """Events of a folder are heard from now on. Raises OSError where they cannot be had."""
        self.paths[self._reader.add(folder, self)] = folder

    def leave(self, top: str = "") -> None:
        """No folder at `top` or below it is watched any more."""
        below = top + os.sep if top else ""
        for number in [number for number, path in self.paths.items() if path == top or path.startswith(below)]:
            self._reader.remove(number, self)
            del self.paths[number]

    def told_of(self, number: WatchDescriptor, name: bytes, mask: int, cookie: int) -> None:
        """Something happened to what has this name in the folder of that number."""
        folder = self.paths.get(number)
        if folder is not None:
            self.heard(f"{folder}/{os.fsdecode(name)}", mask, cookie)

    def lost(self, number: WatchDescriptor) -> None:
        """That folder is watched no longer: it has gone."""
        self.paths.pop(number, None)

    def overflowed(self) -> None:
        """Events were lost."""
        self.told.add(LOST)

    @abstractmethod
    def heard(self, path: str, mask: int, cookie: int) -> None:
        """Something happened to what lies at `path`."""


class _Guarded(_Watched):
    def __init__(self, reader: _Reader, told: set[Notice], paths: Container[str]) -> None:
        super().__init__(reader, told)
        self._guarded = paths

    def heard(self, path: str, mask: int, _: int) -> None:
        if mask & _CAME_OR_WENT and path in self._guarded:
            self.told.add(("", path))


class _Followed(_Watched):
    def __init__(self, reader: _Reader, told: set[Notice], top: str, *, deep: bool) -> None:
        super().__init__(reader, told)
        self._top = top
        self._deep = deep
        self._moved: dict[int, str] = {}
        """Where a file was, by the cookie of its move."""

    def enter(self, top: str, *, new: bool = False) -> None:
        """Watch a folder and, if deep, all in it; of a new one, tell what lies there already. Raises OSError where that cannot be had."""
        folders = [top]
        while folders:
            path = folders.pop()
            try:
                self.watch(path)
                if not self._deep:
                    return
                with os.scandir(path) as entries:
                    for entry in entries:
                        if entry.is_dir(follow_symlinks=False):
                            folders.append(entry.path)
                        elif new:
                            self.told.add((entry.path, ""))
            except OSError as error:
                # One that has gone meanwhile, or that nobody may look into, is the sweep's.
                if path == top or error.errno in _NO_ROOM:
                    raise

    def heard(self, path: str, mask: int, cookie: int) -> None:
        if mask & _IS_FOLDER:
            if self._deep:
                self._folder(path, mask)
        elif mask & _MOVED_FROM:
            if len(self._moved) >= _MOVES:
                self._moved.clear()
            self._moved[cookie] = path
        elif mask & _MOVED_TO and cookie in self._moved:
            self.told.add((self._moved.pop(cookie), path))
        elif mask & _WRITTEN:
            self.told.add((path, ""))

    def _folder(self, path: str, mask: int) -> None:
        if mask & _MOVED_FROM:
            # Its files have gone with it, and where to only a look at everything tells.
            self.leave(path)
            self.told.add(LOST)
        elif mask & _CAME:
            try:
                self.enter(path, new=True)
            except OSError:
                self.told.add(LOST)

    def overflowed(self) -> None:
        super().overflowed()
        self._moved.clear()
        # Folders that came meanwhile are followed from now on; where none are left, the sweep says so.
        with suppress(OSError):
            self.enter(self._top)
