"""The look that a watcher takes every few seconds, as cheap as it can be had.

Decides whether known files are looked at or folders are listed: the memory that light commands keep in a file (`ingest.memory`) is kept
here between two looks. What a file that differs leads to is `ingest.watch`'s business.
"""

from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING

from ingest.memory import recalled, text
from ingest.sweep import Trail, sweep

if TYPE_CHECKING:
    from ingest.sweep import Look, Walk


class Glance:
    """What lies at some places, looked at again and again."""

    def __init__(self, places: "Sequence[Walk]", device: int) -> None:
        """`device` is the store's file system, as for `ingest.memory.text`."""
        self._places = places
        self._device = device
        self._memory: bytes | None = None
        self.certain = False
        """Whether the last `whole` look met neither links nor troubles."""

    def whole(self, now_ns: int) -> "list[Look]":
        """What `ingest.sweep.sweep` finds."""
        trail = Trail()
        looks = sweep(self._places, trail=trail)
        self.certain = trail.certain
        self._memory = text("", looks, trail, proof="", device=self._device, now_ns=now_ns)
        return looks

    def news(self) -> "list[Look] | None":
        """Of the files of the last `whole` look those that differ from it; None where names may have come or gone."""
        memory = None if self._memory is None else recalled(BytesIO(self._memory), "")
        return None if memory is None else memory.news()
