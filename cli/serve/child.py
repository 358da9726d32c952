"""Another ringlet, run to its end: what would take the daemon too much memory or all processors.

Decides how it is begun and how long it has once the daemon ends. Which command that is, and what its end means, is for whoever runs it.
"""

import os
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from cli import itself

_LOOK_S = 0.5
_END_S = 20.0
"""For its batch, after it was asked to stop."""
_NICE = 10


def run(
    argv: Sequence[str],
    environ: Mapping[str, str],
    ending: threading.Event,
    *,
    meanwhile: Callable[[], None] = lambda: None,
    gently: bool = False,
) -> tuple[int, str]:
    """Exit code, and what it said on standard error. Once `ending` is set it is asked to stop after its batch, and later made to.

    `meanwhile` is called now and then until it has ended; with `gently` the processors are others' first.
    """
    null = subprocess.DEVNULL
    asked_at: float | None = None
    with subprocess.Popen(itself.command(*argv), env=dict(environ), stdin=null, stdout=null, stderr=subprocess.PIPE, text=True) as child:
        if gently:
            with suppress(ProcessLookupError):
                os.setpriority(os.PRIO_PROCESS, child.pid, _NICE)
        while True:
            with suppress(subprocess.TimeoutExpired):
                _, said = child.communicate(timeout=_LOOK_S)
                return child.returncode, said
            meanwhile()
            if asked_at is None and ending.is_set():
                asked_at = time.monotonic()
                child.terminate()
            elif asked_at is not None and time.monotonic() - asked_at > _END_S:
                child.kill()
