"""News from the daemon, heard by another ringlet.

Decides when a daemon is listened to and what counts as news; what is done about it is whoever's who listens. A daemon may start and end as
it likes: while none can be heard, one is looked for every few seconds, and whoever listens is told of both.
"""

import threading
from collections.abc import Callable
from contextlib import suppress

from cli.paths import Paths
from cli.serve import state
from pipeline.errors import RingletError

RETRY_S = 2.0
"""Between two looks for a daemon."""
_NEWS = b"event: usage\n"


class Channel:
    """Listens in a thread of its own from `start` on; the thread ends with the process."""

    def __init__(self, paths: Paths, tell: Callable[[], None]) -> None:
        self._paths = paths
        self._tell = tell
        self._ended = threading.Event()
        self.url: str | None = None
        """Where the daemon answers that is being heard; None while none is."""

    def start(self) -> None:
        """Begin to listen."""
        threading.Thread(target=self._listen, name="channel", daemon=True).start()

    def stop(self) -> None:
        """Tell nothing any more."""
        self._ended.set()

    def _listen(self) -> None:
        while not self._ended.is_set():
            found = state.running(self._paths.data)
            if found is not None:
                # It may be ending, just beginning, or not to be heard: nothing of that is for whoever only wants to know of news.
                with suppress(RingletError, OSError):
                    self._hear(found.url)
            if self.url is not None:
                self.url = None
                self._told()
            self._ended.wait(RETRY_S)

    def _hear(self, url: str) -> None:
        from cli.serve import knock  # 30 ms, only where a daemon runs

        for line in knock.listen(url, self._paths, "/api/events"):
            if self._ended.is_set():
                return
            if self.url is None or line == _NEWS:
                # What came before anybody listened is news too.
                self.url = url
                self._told()

    def _told(self) -> None:
        if not self._ended.is_set():
            self._tell()
