"""Running a user's own command for a message.

Decides what the command gets and how long it has. The message reaches it in the environment and on standard input alone, never as part of
the command's text, so whatever a profile is called is no code. It gets no keys: of the environment only what a command needs to find
programs, files and the user's desktop. It runs in a process group of its own, which is ended whole when its time is over.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from io import FileIO

from cli.escaped import escaped
from cli.paths import MOVING
from cli.serve.logfile import redacted

TIME_S = 30.0
AFTER_S = 5.0
"""Between asking the group to end and making it."""
_TOLD = 300
_READ_BYTES = 64 << 10
_LOOK_S = 0.02
_KEPT = (
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TMPDIR",
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "XDG_RUNTIME_DIR",
    "DBUS_SESSION_BUS_ADDRESS",
    "SSL_CERT_FILE",
    *MOVING,
)


def environment(environ: Mapping[str, str], variables: Mapping[str, str]) -> dict[str, str]:
    """What a command sees."""
    kept = {name: value for name, value in environ.items() if name in _KEPT or name.startswith("LC_")}
    return {**kept, **variables}


def run(
    command: str,
    message: bytes,
    variables: Mapping[str, str],
    environ: Mapping[str, str],
    *,
    time_s: float = TIME_S,
    ending: Callable[[], bool] = lambda: False,
) -> tuple[bool, str]:
    """Whether the command ended with 0, and what it ended with, in words; the last of what it wrote to standard error, without secrets.

    Raises ValueError for a text that is no command.
    """
    env = environment(environ, variables)
    given, said = os.pipe(), os.pipe()
    try:
        # It is far shorter than what a pipe holds, so nobody need wait for a command that does not read.
        os.write(given[1], message)
        os.set_blocking(said[0], False)
        child = subprocess.Popen(
            ["/bin/sh", "-c", command],
            env=env,
            cwd=env.get("HOME") or "/",
            stdin=given[0],
            stdout=subprocess.DEVNULL,
            stderr=said[1],
            start_new_session=True,
        )
    except OSError as error:
        os.close(said[0])
        return False, f"could not be started ({error.strerror or type(error).__name__})"
    except BaseException:
        os.close(said[0])
        raise
    finally:
        for fd in (*given, said[1]):
            os.close(fd)
    with open(said[0], "rb", buffering=0) as pipe:
        heard = _Heard(pipe)
        try:
            end = _wait(child, time_s, ending, heard)
        except BaseException:
            _signal(child, signal.SIGKILL)
            raise
        heard.read()
    last = heard.last()
    return child.returncode == 0 and end is None, (end or f"exit code {child.returncode}") + (f": {last}" if last else "")


class _Heard:
    """The last of what a command writes, however much that is."""

    def __init__(self, pipe: FileIO) -> None:
        self._pipe = pipe
        self._kept = b""

    def read(self) -> None:
        """Take what is there now. What a command leaves running may write on for ever, so nobody waits for an end."""
        part = self._pipe.read(_READ_BYTES)
        if part:
            self._kept = (self._kept + part)[-_READ_BYTES:]

    def last(self) -> str:
        """Its end, without what looks like a secret, safe to show."""
        return escaped(redacted(self._kept.decode("utf-8", "replace")).strip()[-_TOLD:])


def _wait(child: "subprocess.Popen[bytes]", time_s: float, ending: Callable[[], bool], heard: _Heard) -> str | None:
    """Wait for the end; what cut it short, or None. Nothing of the group is left once it was cut short."""
    end = time.monotonic() + time_s
    why = None
    while child.poll() is None and why is None:
        heard.read()
        why = "interrupted" if ending() else f"not done after {time_s:.0f} s" if time.monotonic() > end else None
        time.sleep(_LOOK_S)
    if why is not None:
        _signal(child, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            child.wait(0.5 if why == "interrupted" else AFTER_S)
        _signal(child, signal.SIGKILL)
        child.wait()
    return why


def _signal(child: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, number)
