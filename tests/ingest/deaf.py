"""Notices that only a test gives."""

from collections.abc import Container

from ingest.notices import Queued


class Deaf(Queued):
    """Tells what was noted, and nothing that happens; `note` may be called from any thread."""

    def follow(self, folder: str, *, deep: bool) -> None:
        pass

    def guard(self, folder: str, paths: Container[str]) -> None:
        pass

    def leave(self, folder: str) -> None:
        pass

    def close(self) -> None:
        pass


class Full(Deaf):
    """The kernel has no room for one more watch."""

    def follow(self, folder: str, *, deep: bool) -> None:
        raise OSError(28, "No space left on device")

    def guard(self, folder: str, paths: Container[str]) -> None:
        raise OSError(28, "No space left on device")
