"""Real daemons for tests: processes in a home of their own, on a port that is free."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple

from cli.paths import paths
from cli.serve import knock, launch, tokens
from pipeline import durable
from pipeline.errors import NothingFound, RingletError

ROOT = Path(__file__).resolve().parents[2]


class Done(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


class Home:
    """A user's home, and ringlet run in it by processes of its own."""

    def __init__(self, folder: Path, **environ: str) -> None:
        self.folder = folder
        self.store = folder / "rl"
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "RINGLET_HOME": str(self.store),
            "TZ": "UTC",
            "PYTHONPATH": str(ROOT),
            **environ,
        }

    def run(self, *argv: str) -> Done:
        done = subprocess.run(self.command(*argv), env=self.env, capture_output=True, text=True, check=False, cwd=ROOT, timeout=300)
        return Done(done.returncode, done.stdout, done.stderr)

    def command(self, *argv: str) -> list[str]:
        return [sys.executable, "-m", "ringlet", *argv]

    def foreground(self, *argv: str) -> "subprocess.Popen[bytes]":
        """A daemon that is a child of this process; it need not answer yet."""
        null = subprocess.DEVNULL
        command = self.command("daemon", "start", "--foreground", "--port", "0", *argv)
        return subprocess.Popen(command, env=self.env, cwd=ROOT, stdin=null, stdout=null, stderr=null)

    def status(self) -> dict[str, Any]:
        """What `ringlet daemon status --json` tells, asked from here; `{"running": False}` where none runs or answers."""
        where = paths(self.env)
        try:
            running = launch.find(where)
            told: dict[str, Any] = json.loads(knock.ask(running.url, where, "/api/daemon"))
        except (RingletError, OSError):
            return {"running": False}
        return {"running": True, "url": running.url, **told}

    def usage(self) -> dict[str, Any]:
        """The answer to `ringlet usage --period all`, without the time it was given."""
        told: dict[str, Any] = json.loads(self.run("usage", "--period", "all", "--json").out)
        del told["as_of"]
        return told

    def token(self) -> str:
        """What `ringlet daemon token` prints."""
        durable.prepare_home(str(self.store), create=True)
        return tokens.token(paths(self.env), "admin")


@contextmanager
def daemon(home: Home, *argv: str) -> Iterator[dict[str, Any]]:
    """A daemon in the background, as `start` leaves it, and its status; ended afterwards if it still runs."""
    done = home.run("daemon", "start", "--port", "0", *argv)
    assert done.code == 0, done
    status: dict[str, Any] = {}

    def answers() -> bool:
        status.update(home.status())
        return bool(status["running"])

    try:
        until(answers)
        yield status
    finally:
        with suppress(NothingFound):
            launch.stop(paths(home.env))


NOTICED_S = 13.0
"""A daemon looks every ten seconds whether it is still needed: after so long it has ended, or it is needed by somebody else."""


def needed(home: Home) -> Callable[[], None]:
    """From now on a daemon is needed, by a hook on spend; call what is given back once it shall be needed by somebody else alone."""
    done = home.run("hooks", "add", "default", "--on", "daily-rollup", "--shell", "true", "--json")
    assert done.code == 0, done

    def no_more() -> None:
        assert home.run("hooks", "remove", json.loads(done.out)["id"]).code == 0

    return no_more


def get(port: int, path: str, token: str) -> tuple[int, Any]:
    """Status and decoded answer of one request."""
    connection = HTTPConnection("127.0.0.1", port, timeout=90)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def until(true: Callable[[], bool], *, every: float = 0.02) -> None:
    """Wait for it; the bound is for a test that would wait for ever, and says nothing of how soon it happens."""
    end = time.monotonic() + 90
    while not true():
        assert time.monotonic() < end
        time.sleep(every)
