"""The last few things that somebody asked for, kept for the next.

Decides that each is made once, however many threads ask, and which goes when there are too many. What is worth keeping, and how much of it,
is decided where it is made.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from threading import Lock
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class Kept(Generic[K, T]):
    """The last few things that were asked for; each is made once."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._things: OrderedDict[K, T] = OrderedDict()
        self._lock = Lock()
        self._making: dict[K, Lock] = {}

    def get(self, key: K, make: Callable[[], T]) -> T:
        """The thing of that name, made where it is missing."""
        found = self._got(key)
        if found is not None:
            return found
        # One thing waits for no other: to make one may take a hundred times as long.
        with self._lock:
            making = self._making.setdefault(key, Lock())
        with making:
            found = self._got(key)
            if found is None:
                found = make()
                self.take({key: found})
            with self._lock:
                self._making.pop(key, None)
            return found

    def take(self, things: Mapping[K, T]) -> None:
        """Keep these too."""
        with self._lock:
            self._things.update(things)
            while len(self._things) > self._most:
                self._things.popitem(last=False)

    def forget(self) -> None:
        """Keep nothing."""
        with self._lock:
            self._things.clear()

    def kept(self) -> dict[K, T]:
        """All that is kept."""
        with self._lock:
            return dict(self._things)

    def _got(self, key: K) -> T | None:
        with self._lock:
            found = self._things.get(key)
            if found is not None:
                self._things.move_to_end(key)
            return found
