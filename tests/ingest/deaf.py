"""Notices that only a test gives."""

from collections.abc import Container
from queue import Empty, SimpleQueue

from ingest.notices import Notice


class Deaf:
    """Tells what was noted, and nothing that happens; `note` may be called from any thread."""

    def __init__(self) -> None:
        self._told: SimpleQueue[Notice] = SimpleQueue()

    def follow(self, folder: str, *, deep: bool) -> None:
        pass

    def guard(self, folder: str, paths: Container[str]) -> None:
        pass

    def leave(self, folder: str) -> None:
        pass

    def note(self, notice: Notice) -> None:
        self._told.put(notice)

    def wait(self, timeout_s: float) -> set[Notice]:
        notices: set[Notice] = set()
        try:
            notices.add(self._told.get(timeout=timeout_s))
            while True:
                notices.add(self._told.get_nowait())
        except Empty:
            return notices

    def close(self) -> None:
        pass


class Full(Deaf):
    """The kernel has no room for one more watch."""

    def follow(self, folder: str, *, deep: bool) -> None:
        raise OSError(28, "No space left on device")

    def guard(self, folder: str, paths: Container[str]) -> None:
        raise OSError(28, "No space left on device")
