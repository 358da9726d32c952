"""Linux's own notices of changed files, inotify(7), read by the thread that waits for them.

Decides which folders are watched for what, and which notices an event becomes. A general library hands each event through three threads of
its own, which costs a quarter of a millisecond: as much as a durable commit.

A folder that comes below a deeply followed one is followed before it is listed, so that a file in it is told at least once. Of a file that
is moved, the kernel tells in two events with one cookie.
"""

import ctypes
import errno
import os
import select
from collections.abc import Container
from contextlib import suppress
from struct import Struct

import msgspec

from ingest.notices import LOST, Notice

_MODIFY, _ATTRIB, _MOVED_FROM, _MOVED_TO, _CREATE, _DELETE = 0x2, 0x4, 0x40, 0x80, 0x100, 0x200
_OVERFLOW, _IGNORED, _IS_FOLDER = 0x4000, 0x8000, 0x40000000
_ONLY_FOLDERS, _AND_WHAT_WAS = 0x01000000, 0x20000000
_COMES_OR_GOES = _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE
_FOLLOWED = _MODIFY | _ATTRIB | _MOVED_FROM | _MOVED_TO | _CREATE
"""Opening and closing are left out: each look at a folder, our own sweeps included, would be told as two events."""
_EVENT = Struct("iIII")
_BUFFER = 1 << 16
_MOVES = 1024
"""Files that were moved to where nobody looks leave their first half behind: that many at most."""

_libc = ctypes.CDLL(None, use_errno=True)


class _Folder(msgspec.Struct, gc=False):
    path: str
    followed: bool = False
    deep: bool = False
    guarded: Container[str] = ()


class Inotify:
    """`ingest.notices.Notices` from the kernel."""

    def __init__(self) -> None:
        self._fd = -1
        self._poll = select.poll()
        self._folders: dict[int, dict[str, _Folder]] = {}
        """What is watched, by the kernel's number: a folder can be known under several paths."""
        self._numbers: dict[str, int] = {}
        self._told: set[Notice] = set()
        self._moved: dict[int, str] = {}
        """Where a file was, by the cookie of its move."""

    def follow(self, folder: str, *, deep: bool) -> None:
        try:
            if deep:
                self._below(folder)
            else:
                self._added(folder, _FOLLOWED).followed = True
        except OSError:
            self.leave(folder)
            raise

    def guard(self, folder: str, paths: Container[str]) -> None:
        self._added(folder, _COMES_OR_GOES).guarded = paths

    def leave(self, folder: str) -> None:
        below = folder + os.sep
        for path in [path for path in self._numbers if path == folder or path.startswith(below)]:
            number = self._numbers.pop(path)
            names = self._folders.get(number, {})
            names.pop(path, None)
            if not names:
                # Where the folder is gone, so is the watch.
                _libc.inotify_rm_watch(self._fd, number)
                self._folders.pop(number, None)

    def note(self, notice: Notice) -> None:
        self._told.add(notice)

    def wait(self, timeout_s: float) -> set[Notice]:
        if self._poll.poll(0 if self._told else timeout_s * 1000):
            self._read()
        told, self._told = self._told, set()
        return told

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _added(self, path: str, mask: int) -> _Folder:
        if self._fd < 0:
            fd = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
            if fd < 0:
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), path)
            self._fd = fd
            self._poll.register(fd, select.POLLIN)
        number = _libc.inotify_add_watch(self._fd, os.fsencode(path), mask | _ONLY_FOLDERS | _AND_WHAT_WAS)
        if number < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), path)
        self._numbers[path] = number
        return self._folders.setdefault(number, {}).setdefault(path, _Folder(path))

    def _below(self, top: str, *, new: bool = False) -> None:
        """Follow a folder and all in it; of a new one, tell what lies there already."""
        folders = [top]
        while folders:
            path = folders.pop()
            try:
                folder = self._added(path, _FOLLOWED)
                folder.followed = folder.deep = True
                with os.scandir(path) as entries:
                    for entry in entries:
                        if entry.is_dir(follow_symlinks=False):
                            folders.append(entry.path)
                        elif new:
                            self._told.add((entry.path, ""))
            except OSError as error:
                # One that has gone meanwhile, or that nobody may look into, is the sweep's.
                if path == top or error.errno in (errno.ENOSPC, errno.EMFILE, errno.ENOMEM):
                    raise

    def _read(self) -> None:
        events = b""
        with suppress(BlockingIOError):
            events = os.read(self._fd, _BUFFER)
        at = 0
        while at < len(events):
            number, mask, cookie, length = _EVENT.unpack_from(events, at)
            at += _EVENT.size + length
            if mask & _OVERFLOW:
                self._lost()
            elif mask & _IGNORED:
                for path in self._folders.pop(number, ()):
                    if self._numbers.get(path) == number:
                        del self._numbers[path]
            elif number in self._folders:
                name = os.fsdecode(events[at - length : at].rstrip(b"\0"))
                for folder in tuple(self._folders[number].values()):
                    self._heard(folder, name, mask, cookie)

    def _heard(self, folder: _Folder, name: str, mask: int, cookie: int) -> None:
        path = f"{folder.path}/{name}" if name else folder.path
        if mask & _COMES_OR_GOES and path in folder.guarded:
            self._told.add(("", path))
        if not folder.followed:
            return
        if mask & _IS_FOLDER:
            if folder.deep and name:
                self._folder_moved(path, mask)
        elif mask & _MOVED_FROM:
            if len(self._moved) >= _MOVES:
                self._moved.clear()
            self._moved[cookie] = path
        elif mask & _MOVED_TO and cookie in self._moved:
            self._told.add((self._moved.pop(cookie), path))
        elif mask & _FOLLOWED:
            self._told.add((path, ""))

    def _folder_moved(self, path: str, mask: int) -> None:
        if mask & _MOVED_FROM:
            self.leave(path)
        elif mask & (_CREATE | _MOVED_TO):
            try:
                self._below(path, new=True)
            except OSError:
                self._told.add(LOST)

    def _lost(self) -> None:
        """What came or went in the meantime is followed or not from now on; all the rest is the sweep's."""
        self._told.add(LOST)
        self._moved.clear()
        for path in [path for names in self._folders.values() for path, folder in names.items() if folder.deep]:
            with suppress(OSError):
                self._below(path)
