"""A bar on standard error while logs are read.

Decides when there is one and how often it moves.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Told = Callable[[int, int], None]

_EVERY_S = 0.1


@contextmanager
def bar(*, wanted: bool = True) -> Iterator[Told | None]:
    """A function to tell (bytes read, bytes in all); None where standard error is no terminal or no bar is wanted."""
    if not wanted or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console  # 36 ms that only a long import should pay
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("Reading logs"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    # Moved by hand: a thread of rich's own would forbid the import its second process.
    with Progress(*columns, console=Console(stderr=True), transient=True, auto_refresh=False) as shown:
        task = shown.add_task("", total=None)
        last = 0.0

        def told(done: int, total: int) -> None:
            nonlocal last
            now = time.monotonic()
            if now - last >= _EVERY_S:
                last = now
                shown.update(task, completed=done, total=total, refresh=True)

        yield told
