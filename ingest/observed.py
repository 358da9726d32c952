"""Notices by watchdog's observer, for systems that have no inotify.

Decides which of its events are notices.
"""

import logging
import os
import warnings
from collections.abc import Container
from contextlib import suppress
from queue import SimpleQueue

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

from ingest.notices import LOST, Notice, Queued

_EVENTS: list[type[FileSystemEvent]] = [
    DirCreatedEvent, DirDeletedEvent, DirMovedEvent, FileCreatedEvent, FileDeletedEvent, FileModifiedEvent, FileMovedEvent
]  # fmt: skip
"""The same for every folder: of two that ask for one folder, some systems heed the later."""
_END_S = 2.0

# A folder that appears while its parent's watch is being set up is met twice; watchdog says so to standard error, for nobody.
warnings.filterwarnings("ignore", category=RuntimeWarning, module="watchdog")


class Observed(Queued):
    """`ingest.notices.Notices` from watchdog's observer."""

    def __init__(self) -> None:
        super().__init__()
        self._watches: dict[tuple[str, bool], ObservedWatch] = {}
        """By folder and whether it is guarded."""
        self._lost = _Lost(self._told)
        logging.getLogger("watchdog").addHandler(self._lost)
        self._observer = Observer()
        self._observer.start()

    def follow(self, folder: str, *, deep: bool) -> None:
        self._watches[folder, False] = self._observer.schedule(_Written(self._told), folder, recursive=deep, event_filter=_EVENTS)

    def guard(self, folder: str, paths: Container[str]) -> None:
        self._watches[folder, True] = self._observer.schedule(_Comings(self._told, paths), folder, event_filter=_EVENTS)

    def leave(self, folder: str) -> None:
        for place in [place for place in self._watches if place[0] == folder or place[0].startswith(folder + os.sep)]:
            with suppress(KeyError):
                self._observer.unschedule(self._watches.pop(place))

    def close(self) -> None:
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
        if event.event_type not in ("created", "deleted", "moved"):
            return
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
