"""Child processes made by forking: when one may be had, and how it lives and ends.

Decides nothing about the work. What a child leaves behind is its caller's business.
"""

import os
import signal
import sys
from collections.abc import Callable

_HEAVY = ("polars", "pyarrow", "watchdog")


def possible() -> bool:
    """Whether this process may have children: forking is safe only before there are threads, its own or a library's."""
    if not hasattr(os, "fork") or sys.platform == "darwin":
        return False
    threading = sys.modules.get("threading")
    return (threading is None or threading.active_count() == 1) and not any(name in sys.modules for name in _HEAVY)


def fork(work: Callable[[], None]) -> int:
    """The process id of a child that does `work` and ends: with code 0 once it is done, else with 1."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        obey()
        work()
        code = 0
    finally:
        # Nothing of the parent's may run here: no exit handlers, no second flush of its output.
        os._exit(code)


def obey() -> None:
    """In a child: an interrupt from the terminal reaches the whole group, and the parent decides what it means."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
