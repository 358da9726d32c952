"""How a long command ends when it is asked to: after the batch at hand, with everything kept.

Decides which signals ask and which exit code says so. A terminal that is closed asks as SIGTERM does; whoever started the command so
that it outlives its terminal (nohup) is not asked.
"""

import os
import signal
import sys
from types import FrameType

from cli.outcomes import INTERRUPTED, TERMINATED

_CLOSED = None if sys.platform == "win32" else signal.SIGHUP
_CODES = {signal.SIGINT: INTERRUPTED, signal.SIGTERM: TERMINATED}
if _CLOSED is not None:
    _CODES[_CLOSED] = TERMINATED


class Stopping:
    """While entered, the first signal is only noted; a second SIGINT or SIGTERM ends the process as usual. Call it: has one come?"""

    def __init__(self) -> None:
        self.code = 0
        """Exit code of the signal that came; 0 while none has."""
        self._before: dict[signal.Signals, object] = {}
        self._terminals: list[int] = []

    def __call__(self) -> bool:
        return self.code != 0

    def __enter__(self) -> "Stopping":
        # A terminal that has gone no longer says that it was one.
        self._terminals = [fd for fd in (1, 2) if os.isatty(fd)]
        for each in _CODES:
            if each == _CLOSED and signal.getsignal(each) == signal.SIG_IGN:
                continue
            self._before[each] = signal.signal(each, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for each, handler in self._before.items():
            signal.signal(each, handler)  # type: ignore[arg-type]
        self._before.clear()

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.code = _CODES[signal.Signals(number)]
        if number == _CLOSED:
            _hush(self._terminals)
        for each, handler in self._before.items():
            # A terminal that closes says so twice: the kernel, then the shell.
            if each != _CLOSED:
                signal.signal(each, handler)  # type: ignore[arg-type]


def _hush(terminals: list[int]) -> None:
    """What is still said has nobody left to hear it, and must not fail for that."""
    null = os.open(os.devnull, os.O_WRONLY)
    for fd in terminals:
        os.dup2(null, fd)
    os.close(null)
