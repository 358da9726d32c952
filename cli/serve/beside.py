"""Whether another machine's segments have come to the log, or gone, while it is open.

Decides how often that is looked at: nobody announces a folder that is copied in, and to look at each question would take longer than the
answer. What the segments do to an answer is the views' business.
"""

import time

from pipeline import log_folders, placement
from pipeline.log import Log

EVERY_S = 1.0
"""At least so long between two looks."""


class Beside:
    """The other machines of one log. Any thread may ask."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._due = 0.0
        self._folders = ""
        self._shared = False
        self._mark = ""

    def mark(self) -> str:
        """Differs with every file of another machine, as of a moment ago; empty where there is none."""
        from views import logged  # loads the frame library, which a daemon that only watches does without

        now = time.monotonic()
        if now >= self._due:
            self._due = now + EVERY_S
            folders = log_folders.mark(self._log.home)
            # Into a folder that is there, be it still empty, more files come without a sign.
            if folders != self._folders or self._shared:
                self._folders, self._shared = folders, placement.has_others(self._log.home, self._log.machine)
                self._mark = logged.foreign(self._log) if self._shared else ""
        return self._mark
