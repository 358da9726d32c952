"""Notices that files have changed.

Decides which of watchdog's events are notices. Notices are hints and may be lost; what follows from one is decided by `ingest.watch`.
"""

import logging
import os
import warnings
from collections.abc import Container
from contextlib import suppress
from queue import Empty, SimpleQueue

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import ObservedWatch

Notice = tuple[str, str]
"""(path of a file that was written or came, ""), (path, where it was moved to), ("", path that came or went), or `LOST`."""
LOST: Notice = ("", "")
"""Notices were lost, or may have been: only a look at everything tells."""
_WRITING: list[type[FileSystemEvent]] = [DirCreatedEvent, DirMovedEvent, FileCreatedEvent, FileModifiedEvent, FileMovedEvent]
_COMING_AND_GOING: list[type[FileSystemEvent]] = [
    DirCreatedEvent, DirDeletedEvent, DirMovedEvent, FileCreatedEvent, FileDeletedEvent, FileMovedEvent
]  # fmt: skip
_END_S = 2.0

# A folder that appears while its parent's watch is being set up is met twice; watchdog says so to standard error, for nobody.
warnings.filterwarnings("ignore", category=RuntimeWarning, module="watchdog")


class Notices:
    """What tells of changes. For one thread."""

    def __init__(self) -> None:
        self._told: SimpleQueue[Notice] = SimpleQueue()
        self._watches: dict[tuple[str, bool], ObservedWatch] = {}
        """By folder and whether it is guarded."""
        self._lost = _Lost(self._told)
        logging.getLogger("watchdog").addHandler(self._lost)
        self._observer = Observer()
        self._observer.start()

    def follow(self, folder: str, *, deep: bool) -> None:
        """Tell of files in `folder`, and below it if `deep`, that are written, come or are moved.

        Raises OSError where that cannot be had.
        """
        handler = _Written(self._told)
        self._watches[folder, False] = self._observer.schedule(handler, folder, recursive=deep, event_filter=_WRITING)

    def guard(self, folder: str, paths: Container[str]) -> None:
        """Tell which of `paths`, as far as they lie in `folder`, come or go. Raises OSError where that cannot be had."""
        handler = _Comings(self._told, paths)
        self._watches[folder, True] = self._observer.schedule(handler, folder, event_filter=_COMING_AND_GOING)

    def leave(self, folder: str) -> None:
        """Nothing that lies at `folder` or below it is followed or guarded any more."""
        for place in [place for place in self._watches if place[0] == folder or place[0].startswith(folder + os.sep)]:
            with suppress(KeyError):
                self._observer.unschedule(self._watches.pop(place))

    def note(self, notice: Notice) -> None:
        """The next `wait` gives this one too."""
        self._told.put(notice)

    def wait(self, timeout_s: float) -> set[Notice]:
        """All that was told since the last time; waits for a first one, but no longer than this."""
        notices: set[Notice] = set()
        try:
            notices.add(self._told.get(timeout=timeout_s))
            while True:
                notices.add(self._told.get_nowait())
        except Empty:
            return notices

    def close(self) -> None:
        """Tell nothing any more."""
        logging.getLogger("watchdog").removeHandler(self._lost)
        self._observer.stop()
        self._observer.join(timeout=_END_S)


class _Written(FileSystemEventHandler):
    """Passes on which paths something happened to."""

    def __init__(self, told: "SimpleQueue[Notice]") -> None:
        self._told = told

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.event_type in ("created", "modified", "moved"):
            self._told.put((os.fsdecode(event.src_path), os.fsdecode(event.dest_path) if event.event_type == "moved" else ""))


class _Comings(FileSystemEventHandler):
    """Passes on which of some paths came or went."""

    def __init__(self, told: "SimpleQueue[Notice]", paths: Container[str]) -> None:
        self._told = told
        self._paths = paths

    def on_any_event(self, event: FileSystemEvent) -> None:
        for path in {os.fsdecode(event.src_path), os.fsdecode(event.dest_path)}:
            if path in self._paths:
                self._told.put(("", path))


class _Lost(logging.Handler):
    """Hears watchdog say that it lost events, which it says in no other way."""

    def __init__(self, told: "SimpleQueue[Notice]") -> None:
        super().__init__(logging.WARNING)
        self._told = told

    def emit(self, record: logging.LogRecord) -> None:
        if "overflow" in record.getMessage().lower() or "lost" in record.getMessage().lower():
            self._told.put(LOST)
