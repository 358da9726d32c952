"""A daemon begun and ended from outside.

Decides how it is detached from the terminal, how long is waited for its first answer and for its end, and what counts as its failure.
"""

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress

from cli import itself
from cli.paths import Paths
from cli.serve import knock, state
from cli.serve.logfile import opened
from cli.serve.state import Running
from pipeline import durable
from pipeline.errors import NothingFound, RingletError

START_S = 60.0
"""A busy machine takes long to begin one; of one that fails is known at once."""
STOP_S = 60.0
"""It finishes its batch and seals first."""
_LOOK_S = 0.02
_ASK_S = 0.2


class Failed(RingletError):
    """It ended before it answered; `code` is its exit code."""

    def __init__(self, what: str, *, code: int, where: str | None = None, mend: str | None = None) -> None:
        super().__init__(what, where=where, mend=mend)
        self.code = code


def start(paths: Paths, argv: Sequence[str]) -> Running:
    """Begin a daemon that outlives this terminal, and wait until it answers.

    Raises Held where somebody watches already, Failed with what it said where it does not come to answer.
    """
    durable.prepare_home(paths.data, create=True)
    # Told here at once what the daemon would find out for itself.
    state.lock(paths.data).release()
    path = os.path.join(paths.data, state.LOG)
    log = opened(path)
    try:
        before = os.fstat(log).st_size
        null = subprocess.DEVNULL
        command = itself.command("daemon", "start", "--foreground", *argv)
        child = subprocess.Popen(command, stdin=null, stdout=null, stderr=log, start_new_session=True)
    finally:
        os.close(log)
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        code = child.poll()
        if code is not None:
            said = _said(path, before)
            if said:
                raise Failed(said, code=code)
            raise Failed("the daemon ended before it answered", code=code or 1, where=path, mend="ringlet daemon logs shows why")
        found = state.running(paths.data)
        there = found is not None and found.pid == child.pid
        if found is not None and there and answers(found, paths):
            return found
        time.sleep(_ASK_S if there else _LOOK_S)
    child.terminate()
    raise Failed(f"the daemon did not answer within {START_S:.0f} s", code=1, where=path, mend="ringlet daemon logs shows why")


def answers(found: Running, paths: Paths) -> bool:
    """Whether this daemon, and no one else, answers there."""
    with suppress(OSError, RingletError):
        knock.prove(found.url, paths)
        return True
    return False


def find(paths: Paths) -> Running:
    """The daemon of this data home. Raises NothingFound where none runs."""
    found = state.running(paths.data)
    if found is not None:
        return found
    pid = state.holder(paths.data) if os.path.isdir(paths.data) else None
    if pid is not None:
        who = f"process {pid}" if pid else "another process"
        raise NothingFound(f"no daemon runs; {who} watches the agents' logs", mend="ringlet daemon start works once it has ended")
    raise NothingFound("no daemon runs", mend="ringlet daemon start")


def stop(paths: Paths) -> Running:
    """Ask the daemon to end and wait until all is sealed; who it was. Raises NothingFound where none runs."""
    found = find(paths)
    with suppress(ProcessLookupError):
        os.kill(found.pid, signal.SIGTERM)
    end = time.monotonic() + STOP_S
    while time.monotonic() < end:
        if state.holder(paths.data) != found.pid:
            return found
        time.sleep(_LOOK_S)
    raise RingletError(
        f"the daemon (pid {found.pid}) has been asked to end, but has not within {STOP_S:.0f} s",
        mend=f"kill -9 {found.pid} ends it at once; nothing that is committed is lost",
    )


def _said(path: str, before: int) -> str:
    """The last line that was added to the log, without the program's name."""
    with open(path, encoding="utf-8", errors="replace") as file:
        file.seek(before)
        lines = [line for line in file.read().splitlines() if line.startswith("ringlet: ")]
    return lines[-1].removeprefix("ringlet: ") if lines else ""
