"""News for open pages: from whoever learns of something to everyone who listens.

Decides how much is kept for a slow listener, and when one is let go. What the news are is the publisher's business; who may listen is
`http`'s.
"""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncGenerator

import msgspec

HEARTBEAT_S = 15.0
"""Silence after which a listener is told that there is none: so both ends learn that the other has gone."""
BACKLOG = 32
"""News that may wait for one listener."""
LISTENERS = 64

FIRST = "usage"
"""The event whose last news a new listener is told at once, so that it knows whether it missed any."""
PING = b"event: ping\ndata: {}\n\n"


class Full(Exception):
    """There are as many listeners as there may be."""


class Push:
    """The channel. `publish` may be called from any thread; listeners live in one event loop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: set[_Listener] = set()
        self._first = _frame("hello", b"{}")
        self._closed = False

    @property
    def listening(self) -> int:
        """Listeners now."""
        return len(self._listeners)

    def publish(self, event: str, data: msgspec.Struct) -> None:
        """Tell everyone. A listener that has not taken its last `BACKLOG` news is let go; its browser asks again."""
        frame = _frame(event, msgspec.json.encode(data))
        with self._lock:
            if event == FIRST:
                self._first = frame
            listeners = list(self._listeners)
        for listener in listeners:
            listener.tell(frame)

    def close(self) -> None:
        """No more news: every listener's stream ends."""
        with self._lock:
            self._closed = True
            listeners = list(self._listeners)
        for listener in listeners:
            listener.end()

    async def subscribe(self) -> AsyncGenerator[bytes, None]:
        """Frames of an event stream: the last `FIRST` so far (`hello` where there is none), then what comes, and a ping after each silence.

        Ends when the listener was too slow or the channel closes. Raises Full.
        """
        listener = _Listener(asyncio.get_running_loop())
        with self._lock:
            if len(self._listeners) >= LISTENERS:
                raise Full
            self._listeners.add(listener)
            first = self._first
            if self._closed:
                listener.end()
        try:
            yield first
            while True:
                frame = await listener.next(HEARTBEAT_S)
                if frame is None:
                    return
                yield frame
        finally:
            with self._lock:
                self._listeners.discard(listener)


class _Listener:
    """What waits for one listener."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: deque[bytes] = deque()
        self._ended = False
        self._news = asyncio.Event()

    def tell(self, frame: bytes) -> None:
        if len(self._waiting) >= BACKLOG:
            self._ended = True
        else:
            self._waiting.append(frame)
        self._wake()

    def end(self) -> None:
        self._ended = True
        self._wake()

    async def next(self, wait_s: float) -> bytes | None:
        """The next frame, a ping after `wait_s` without one; None at the end."""
        while not self._waiting and not self._ended:
            self._news.clear()
            try:
                await asyncio.wait_for(self._news.wait(), wait_s)
            except TimeoutError:
                return PING
        return None if self._ended else self._waiting.popleft()

    def _wake(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._news.set)
        except RuntimeError:
            # The loop has ended, and the listener with it.
            self._ended = True


def _frame(event: str, data: bytes) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (event.encode(), data)
