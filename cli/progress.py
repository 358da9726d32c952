"""How far reading logs has come: a bar on standard error, or numbers for another ringlet that shows them in its own way.

Decides when either is told, how often, and how the numbers are written and read.
"""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Told = Callable[[int, int], None]

TOLD_TO = "RINGLET_PROGRESS"
"""Set in the environment by another ringlet that runs this one: standard output then says, line by line, bytes read and bytes in all."""
_EVERY_S = 0.1


@contextmanager
def bar(*, wanted: bool = True) -> Iterator[Told | None]:
    """A function to tell (bytes read, bytes in all); None where standard error is no terminal or no bar is wanted."""
    if TOLD_TO in os.environ:
        yield seldom(lambda done, total: print(done, total, flush=True))
        return
    if not wanted or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console  # 36 ms that only a long import should pay
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("Reading logs"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    # Moved by hand: a thread of rich's own would forbid the import its second process.
    with Progress(*columns, console=Console(stderr=True), transient=True, auto_refresh=False) as shown:
        task = shown.add_task("", total=None)
        yield seldom(lambda done, total: shown.update(task, completed=done, total=total, refresh=True))


def read(line: str) -> tuple[int, int] | None:
    """What a line of such a standard output tells; None where it tells anything else."""
    done, _, total = line.strip().partition(" ")
    return (int(done), int(total)) if done.isdecimal() and total.isdecimal() else None


def seldom(told: Told, every_s: float = _EVERY_S) -> Told:
    """`told`, called at once and then no more often than that."""
    last = -every_s

    def now_and_then(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= every_s:
            last = now
            told(done, total)

    return now_and_then
