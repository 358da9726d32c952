"""How a long command ends when it is asked to: after the batch at hand, with everything kept.

Decides which signals ask and which exit code says so.
"""

import signal
from types import FrameType

from cli.outcomes import INTERRUPTED, TERMINATED

_CODES = {signal.SIGINT: INTERRUPTED, signal.SIGTERM: TERMINATED}


class Stopping:
    """While entered, the first SIGINT or SIGTERM is only noted; a second one ends the process as usual. Call it to ask whether one came."""

    def __init__(self) -> None:
        self.code = 0
        """Exit code of the signal that came; 0 while none has."""
        self._before: dict[signal.Signals, object] = {}

    def __call__(self) -> bool:
        return self.code != 0

    def __enter__(self) -> "Stopping":
        for each in _CODES:
            self._before[each] = signal.signal(each, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for each, handler in self._before.items():
            signal.signal(each, handler)  # type: ignore[arg-type]

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.code = _CODES[signal.Signals(number)]
        for each, handler in self._before.items():
            signal.signal(each, handler)  # type: ignore[arg-type]
