"""Another ringlet, run to its end: what would take the daemon too much memory or all processors.

Decides how it is begun, how it tells how far it has come, and how long it has once the daemon ends. Which command that is, and what its
end means, is for whoever runs it.
"""

import os
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TextIO

from cli import itself, progress

_LOOK_S = 0.5
_END_S = 20.0
"""For its batch, after it was asked to stop."""
_NICE = 10


def run(
    argv: Sequence[str],
    environ: Mapping[str, str],
    ending: threading.Event,
    *,
    told: progress.Told | None = None,
    gently: bool = False,
) -> tuple[int, str]:
    """Exit code, and what it said on standard error. Once `ending` is set it is asked to stop after its batch, and later made to.

    `told` hears, in a thread of its own and until this returns, how many bytes of logs it has read; with `gently` the processors are
    others' first.
    """
    null, pipe = subprocess.DEVNULL, subprocess.PIPE
    out, env = (null, dict(environ)) if told is None else (pipe, {**environ, progress.TOLD_TO: "1"})
    asked_at: float | None = None
    with subprocess.Popen(itself.command(*argv), env=env, stdin=null, stdout=out, stderr=pipe, text=True) as child:
        hearing = threading.Thread(target=_hear, args=(child.stdout, told), name="progress")
        # `communicate` would keep to itself what comes until the end.
        child.stdout = None
        if told is not None:
            hearing.start()
        if gently:
            with suppress(ProcessLookupError):
                os.setpriority(os.PRIO_PROCESS, child.pid, _NICE)
        while True:
            with suppress(subprocess.TimeoutExpired):
                _, said = child.communicate(timeout=_LOOK_S)
                if told is not None:
                    hearing.join()
                return child.returncode, said
            if asked_at is None and ending.is_set():
                asked_at = time.monotonic()
                child.terminate()
            elif asked_at is not None and time.monotonic() - asked_at > _END_S:
                child.kill()


def _hear(out: TextIO, told: progress.Told) -> None:
    with out:
        for line in out:
            if (far := progress.read(line)) is not None:
                told(*far)
