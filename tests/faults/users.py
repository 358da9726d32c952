"""Command lines run as a user would run them: in processes of their own, with a home of their own, and without the superuser's power."""

import ctypes
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_DROP = 24
"""prctl's PR_CAPBSET_DROP."""
_OVER_MODES = (1, 2)
"""CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH: what lets the superuser pass over modes."""


def environ(home: Path, **more: str) -> dict[str, str]:
    """A user's environment, all of whose files lie below `home`."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG")}
    return {**kept, "HOME": str(home), "RINGLET_HOME": str(home / "store"), "TZ": "UTC", "PYTHONUNBUFFERED": "1", **more}


def started(env: dict[str, str], *argv: str, **options: object) -> "subprocess.Popen[str]":
    """`ringlet argv` under way, its words as pipes."""
    pipes: dict[str, object] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    command = [sys.executable, "-m", "ringlet", *argv]
    return subprocess.Popen(command, cwd=ROOT, env=env, text=True, errors="surrogateescape", **pipes)  # type: ignore[call-overload,no-any-return]


def ringlet(env: dict[str, str], *argv: str, **options: object) -> tuple[int, str]:
    """Exit code of `ringlet argv` and everything it said."""
    with started(env, *argv, stderr=subprocess.STDOUT, **options) as running:
        said, _ = running.communicate(timeout=300)
    return running.returncode, said


def each(env: dict[str, str], commands: Sequence[Sequence[str]], **options: object) -> list[tuple[int, str]]:
    """What `ringlet` does for each of several command lines, one after the other in one process: exit code, and all it says.

    What goes to standard error comes after the rest.
    """
    command = [sys.executable, "-c", _EACH, *(json.dumps(list(argv)) for argv in commands)]
    pipes: dict[str, object] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, **options}
    run = subprocess.run(command, cwd=ROOT, env=env, timeout=300, check=True, **pipes)  # type: ignore[call-overload]
    return [(code, said) for code, said in json.loads(run.stdout)]


_EACH = """
import json, sys
from cli import gate
from tests.cli.homes import run
outcomes = [run(gate.main, json.loads(argv)) for argv in sys.argv[1:]]
print(json.dumps([(code, out + err) for code, out, err in outcomes]))
"""


def bound_by_modes() -> None:
    """For `preexec_fn`: whoever runs the tests, the process may do with files only what their modes let their owner do."""
    if os.geteuid() != 0:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    for power in _OVER_MODES:
        if libc.prctl(_DROP, power, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "the superuser's power cannot be dropped here")
