"""Notices that files have changed.

Decides what is told of a change. Who tells it is `ingest.inotify`, or `ingest.observed` on other systems. Notices are hints and may
be lost; what follows from one is decided by `ingest.watch`.
"""

from collections.abc import Container
from queue import Empty, SimpleQueue
from typing import Protocol

Notice = tuple[str, str]
"""(path of a file that was written or came, ""), (path, where it was moved to), ("", path that came or went), or `LOST`."""
LOST: Notice = ("", "")
"""Notices were lost, or may have been: only a look at everything tells."""


class Notices(Protocol):
    """What tells of changes. For one thread."""

    def follow(self, folder: str, *, deep: bool) -> None:
        """Tell of files in `folder`, and below it if `deep`, that are written, come or are moved.

        Raises OSError where that cannot be had.
        """

    def guard(self, folder: str, paths: Container[str]) -> None:
        """Tell which of `paths`, as far as they lie in `folder`, come or go. Raises OSError where that cannot be had."""

    def leave(self, folder: str) -> None:
        """Nothing that lies at `folder` or below it is followed or guarded any more."""

    def note(self, notice: Notice) -> None:
        """The next `wait` gives this one too."""

    def wait(self, timeout_s: float) -> set[Notice]:
        """All that was told since the last time; waits up to so long for something to happen."""

    def close(self) -> None:
        """Tell nothing any more."""


class Queued:
    """What a queue adds to `Notices`: any thread may tell, one waits."""

    def __init__(self) -> None:
        self._told: SimpleQueue[Notice] = SimpleQueue()

    def note(self, notice: Notice) -> None:
        """The next `wait` gives this one too."""
        self._told.put(notice)

    def wait(self, timeout_s: float) -> set[Notice]:
        """All that was told since the last time; waits up to so long for a first one."""
        notices: set[Notice] = set()
        try:
            notices.add(self._told.get(timeout=timeout_s))
            while True:
                notices.add(self._told.get_nowait())
        except Empty:
            return notices
