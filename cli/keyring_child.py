"""The system's keyring, asked by another process.

Decides which keyrings are one (the ones that the library itself recommends: the systems' own), and how long is waited for. A keyring may be
locked, ask its user or wait for a service that never comes; whoever waits for it here can end that.
"""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from importlib.util import find_spec

import typer

SERVICE = "ringlet"
"""Under which name the keys stand there."""
SOON_S = 2.0
"""So long is waited without a word."""
GLIMPSE_S = 6.0
"""So long it may take to tell what is only shown."""
PATIENCE_S = 20.0
"""So long its user may take to open it."""
_PROGRAM = """
import sys
import keyring
what, service, name = sys.argv[1:]
if keyring.get_keyring().priority < 1:
    sys.exit(3)
if what == "keep":
    secret = sys.stdin.read()
    keyring.set_password(service, name, secret)
    sys.exit(0 if keyring.get_password(service, name) == secret else 1)
elif what == "forget":
    keyring.delete_password(service, name)
else:
    sys.stdout.write(keyring.get_password(service, name) or "")
"""


def keep(name: str, secret: str) -> bool:
    """Whether the keyring keeps `secret` now, under `name`; False where there is none, or it does not answer."""
    return find_spec("keyring") is not None and _asked("keep", name, secret, PATIENCE_S) is not None


def secret_of(name: str, *, shown: bool = False) -> str | None:
    """What the keyring keeps under `name`; None where it has no such secret, there is none, or it does not answer.

    What is only `shown` is not worth waiting for long.
    """
    return (_asked("tell", name, "", GLIMPSE_S if shown else PATIENCE_S) or None) if find_spec("keyring") is not None else None


def forget(name: str) -> bool:
    """Whether the keyring has let go of what it kept under `name`."""
    return find_spec("keyring") is not None and _asked("forget", name, "", PATIENCE_S) is not None


def _asked(what: str, name: str, secret: str, patience_s: float) -> str | None:
    """What it says; None where it fails or takes too long."""
    pipe, null = subprocess.PIPE, subprocess.DEVNULL
    # -P: nothing of the current folder is run in its name.
    command = [sys.executable, "-P", "-c", _PROGRAM, what, SERVICE, name]
    child = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=null, text=True, start_new_session=True)
    try:
        try:
            said, _ = child.communicate(secret, timeout=min(SOON_S, patience_s))
        except subprocess.TimeoutExpired:
            if patience_s > GLIMPSE_S:
                typer.echo("! Waiting for the keyring: perhaps it asks you to open it", err=True)
            said, _ = child.communicate(timeout=max(patience_s - SOON_S, 0.0))
    except subprocess.TimeoutExpired:
        return None
    finally:
        if child.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.communicate()
    return said if child.returncode == 0 else None
