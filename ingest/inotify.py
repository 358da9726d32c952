"""Notices on Linux: watchdog's reader of inotify(7), read by the thread that waits for them.

Decides which folders are watched there and which notices an event becomes. watchdog's observer hands every event through three threads of
its own, which takes as much as the durable commit that follows; where there is no inotify, `ingest.observed` has it do so.

A folder that comes below a deeply followed one is watched before it is listed, so that a file in it is told at least once. Of a file that
is moved the kernel tells in two events with one cookie.
"""

import errno
import logging
import os
import select
import warnings
from abc import ABC, abstractmethod
from collections.abc import Container
from contextlib import suppress

from watchdog.observers.inotify_c import CallbackId, InotifyConstants, InotifyEvent, InotifyFD, Mask, WatchDescriptor

from ingest.notices import LOST, Notice

_MOVED_FROM, _MOVED_TO, _IS_FOLDER = InotifyConstants.IN_MOVED_FROM, InotifyConstants.IN_MOVED_TO, InotifyConstants.IN_ISDIR
_CAME = InotifyConstants.IN_CREATE | _MOVED_TO
_CAME_OR_WENT = _CAME | _MOVED_FROM | InotifyConstants.IN_DELETE
_WRITTEN = InotifyConstants.IN_MODIFY | _CAME
_MASK = Mask(_CAME_OR_WENT | InotifyConstants.IN_MODIFY | InotifyConstants.IN_ONLYDIR)
"""The same for every folder: of two that ask for one folder, the kernel heeds the later. Opening and closing are left out: each look of
ours would be told."""
_NO_ROOM = (errno.ENOSPC, errno.EMFILE, errno.ENOMEM)
_MOVES = 1024
"""What is moved to where nobody looks leaves its first half behind: that many at most."""

logging.getLogger("watchdog").addHandler(logging.NullHandler())
# A folder that is watched once more, because perhaps it was not, is nothing to warn of.
warnings.filterwarnings("ignore", category=RuntimeWarning, module="watchdog")


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


class _Reader(InotifyFD):
    """Is never started: whoever waits reads."""

    def __init__(self) -> None:
        super().__init__()
        self._is_reading = False
        self._ready = select.poll()
        self._ready.register(self._inotify_fd, select.POLLIN)

    def read(self, timeout_s: float) -> None:
        """Handle the events that are there, after waiting so long for a first one."""
        if self._ready.poll(timeout_s * 1000):
            for event in self.read_events():
                self.handle_event(event)


class _Watched(ABC):
    """Folders that are watched together."""

    def __init__(self, reader: InotifyFD, told: set[Notice]) -> None:
        self.told = told
        self.paths: dict[WatchDescriptor, str] = {}
        """The folders by the kernel's number."""
        self._reader = reader
        self._id = CallbackId(id(self))

    def watch(self, folder: str) -> None:
        """Events of a folder are heard from now on. Raises OSError where they cannot be had."""
        number = self._reader.add_callback(os.fsencode(folder), _MASK, self, self._id)
        if number == -1:
            raise OSError(errno.EACCES, os.strerror(errno.EACCES), folder)
        self.paths[number] = folder

    def leave(self, top: str = "") -> None:
        """No folder at `top` or below it is watched any more."""
        below = top + os.sep if top else ""
        numbers = [number for number, path in self.paths.items() if path == top or path.startswith(below)]
        self._reader.remove_callbacks([(number, self._id) for number in numbers])
        for number in numbers:
            del self.paths[number]

    def on_event(self, event: InotifyEvent) -> None:
        folder = self.paths.get(event.wd)
        if folder is not None and event.name:
            self.heard(f"{folder}/{os.fsdecode(event.name)}", event)

    @abstractmethod
    def heard(self, path: str, event: InotifyEvent) -> None:
        """Something happened to what lies at `path`."""

    def on_watch_deleted(self, wd: WatchDescriptor) -> None:
        self.paths.pop(wd, None)

    def on_queue_overflow(self) -> None:
        self.told.add(LOST)


class _Guarded(_Watched):
    def __init__(self, reader: InotifyFD, told: set[Notice], paths: Container[str]) -> None:
        super().__init__(reader, told)
        self._guarded = paths

    def heard(self, path: str, event: InotifyEvent) -> None:
        if event.mask & _CAME_OR_WENT and path in self._guarded:
            self.told.add(("", path))


class _Followed(_Watched):
    def __init__(self, reader: InotifyFD, told: set[Notice], top: str, *, deep: bool) -> None:
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

    def heard(self, path: str, event: InotifyEvent) -> None:
        mask, cookie = event.mask, event.cookie
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

    def on_queue_overflow(self) -> None:
        super().on_queue_overflow()
        self._moved.clear()
        # Folders that came meanwhile are followed from now on; where none are left, the sweep says so.
        with suppress(OSError):
            self.enter(self._top)
