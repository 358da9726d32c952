"""What ends a wait: a signal, or news from another thread.

Decides nothing about what either means. A signal is noted by its handler; that it came must end the waiting too, and at once.
"""

import os
import select
import signal
import sys
from contextlib import suppress

NEWS = b"n"
"""What `wait` gives for news; no signal has this number."""


class Waker:
    """What a loop waits for: signals and news, whichever comes first. For the main thread."""

    _SIGNALS = (signal.SIGWINCH, signal.SIGTSTP)

    def __init__(self) -> None:
        self._ends: tuple[int, int] = (-1, -1)
        self._before: list[tuple[int, object]] = []
        self._wakeup = -1

    def __enter__(self) -> "Waker":
        self._ends = os.pipe()
        for end in self._ends:
            os.set_blocking(end, False)
        self._wakeup = signal.set_wakeup_fd(self._ends[1], warn_on_full_buffer=False)
        if sys.stdout.isatty():
            self._before = [(each, signal.signal(each, lambda *_: None)) for each in self._SIGNALS]
        return self

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(self._wakeup)
        for each, handler in self._before:
            signal.signal(each, handler)  # type: ignore[arg-type]
        reading, writing = self._ends
        self._ends = (-1, -1)
        os.close(writing)
        os.close(reading)

    def news(self) -> None:
        """There are news. From any thread."""
        with suppress(OSError):
            os.write(self._ends[1], NEWS)

    def wait(self, seconds: float) -> bytes:
        """What came within so many seconds: a byte for each, `NEWS` or the number of a signal; empty where nothing did."""
        select.select([self._ends[0]], [], [], seconds)
        try:
            return os.read(self._ends[0], 4096)
        except BlockingIOError:
            return b""
