"""SIGTERM, SIGINT, a closed terminal and SIGKILL, at any moment: what was read is kept whole, and the next run goes on from there."""

import os
import pty
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.log import Log
from tests.cli.homes import reply
from tests.faults.users import environ, ringlet, started
from tests.sizes import times

FILES, CALLS = 60, 150
ENDS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 143}


def written(home: Path) -> None:
    """9,000 calls of 100 tokens out each, in 60 transcripts: enough for a signal to arrive while they are read and kept."""
    folder = home / ".claude/projects/-src"
    folder.mkdir(parents=True)
    for file in range(FILES):
        lines = [reply(file * CALLS + number, "2026-05-13T09:00:00Z", session=f"s{file}") for number in range(CALLS)]
        (folder / f"{file}.jsonl").write_text("".join(lines))


def outputs(store: Path) -> list[int]:
    with Log.open(store) as log:
        return [call.output for call in log.calls(0, 2**23)]


def until(true: Callable[[], bool]) -> None:
    """Wait for it; the bound is for a test that would wait for ever."""
    end = time.monotonic() + 120
    while not true():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.01)


def test_a_signal_at_any_time_leaves_whole_batches(tmp_path: Path) -> None:
    """Whenever an import is asked to end, it does, with the code of the signal or done; every call is there in the end, once."""
    written(tmp_path)
    env = environ(tmp_path)
    rng = random.Random(44)
    began = time.monotonic()
    assert ringlet({**env, "RINGLET_HOME": str(tmp_path / "first")}, "ingest")[0] == 0
    typical_s = time.monotonic() - began
    codes = []
    for number in range(times(20)):
        store = tmp_path / "store" if number % 4 else tmp_path / f"store-{number}"
        env["RINGLET_HOME"] = str(store)
        asked = rng.choice([signal.SIGINT, signal.SIGTERM])
        # Not before the interpreter has begun: what it does with a signal then is its own business.
        began = time.monotonic()
        with started(env, "ingest") as running:
            time.sleep(rng.uniform(0.15, 1.0) * typical_s)
            running.send_signal(asked)
            _, error = running.communicate(timeout=120)
        codes.append(running.returncode)
        if running.returncode == 0:
            # The signal came too late: the machine has more time for it now than it had at first.
            typical_s = min(typical_s, time.monotonic() - began)
        assert running.returncode in (0, ENDS[asked], -asked), error
        assert "Traceback" not in error or running.returncode == -signal.SIGINT
        if (store / "journal.db").exists():
            held = outputs(store)
            assert set(held) <= {100}
            assert len(held) <= FILES * CALLS
    for store in tmp_path.glob("store*"):
        env["RINGLET_HOME"] = str(store)
        assert ringlet(env, "ingest")[0] == 0
        assert outputs(store) == [100] * (FILES * CALLS)
    assert set(codes) & {130, 143}


@pytest.mark.parametrize("argv", [("ingest",), ("ingest", "--watch")], ids=" ".join)
def test_a_closed_terminal_ends_a_command_as_a_signal_does(tmp_path: Path, argv: tuple[str, ...]) -> None:
    """The terminal goes, and with it whoever would read: the command keeps and seals what it has, and ends with 143 or done."""
    written(tmp_path)
    env = environ(tmp_path, TERM="xterm")
    controller, terminal = pty.openpty()
    running = started(env, *argv, stdin=terminal, stdout=terminal, stderr=terminal, preexec_fn=_own_terminal)
    os.close(terminal)
    journal = tmp_path / "store/journal.db"
    until(journal.exists)
    if "--watch" in argv:
        until(lambda: len(outputs(tmp_path / "store")) == FILES * CALLS)
        with (tmp_path / ".claude/projects/-src/0.jsonl").open("a") as file:
            file.write(reply(99_999, "2026-05-13T09:00:00Z"))
        until(lambda: len(outputs(tmp_path / "store")) == FILES * CALLS + 1)
    os.close(controller)
    code = running.wait(120)

    assert code in ((143,) if "--watch" in argv else (0, 143))
    with Log.open(tmp_path / "store") as log:
        assert "--watch" not in argv or log.hot_count() == 0
    env["RINGLET_HOME"] = str(tmp_path / "store")
    assert ringlet(env, "ingest")[0] == 0
    assert len(outputs(tmp_path / "store")) == FILES * CALLS + ("--watch" in argv)


def _own_terminal() -> None:
    """For `preexec_fn`: the process leads a session whose terminal is its standard input, as a shell's first command does."""
    import fcntl
    import termios

    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def test_what_was_started_to_outlive_its_terminal_does(tmp_path: Path) -> None:
    """A watcher under nohup ignores SIGHUP, as nohup asks; SIGTERM still ends it."""
    written(tmp_path)
    env = environ(tmp_path)
    with started(env, "ingest", "--watch", preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)) as watcher:
        assert watcher.stdout is not None
        assert watcher.stdout.readline().startswith("Watching 60 files")
        watcher.send_signal(signal.SIGHUP)
        until(lambda: len(outputs(tmp_path / "store")) == FILES * CALLS)
        assert watcher.poll() is None
        watcher.terminate()
        assert watcher.wait(120) == 143


def test_a_watcher_that_was_killed_stands_in_nobodys_way(tmp_path: Path) -> None:
    """While one watches, a second is told its pid and ends with 4; after kill -9 its file still names it, and the next one watches."""
    written(tmp_path)
    env = environ(tmp_path)

    def watching() -> "subprocess.Popen[str]":
        watcher = started(env, "ingest", "--watch")
        assert watcher.stdout is not None
        assert watcher.stdout.readline().startswith("Watching 60 files")
        return watcher

    with watching() as first:
        second = ringlet(env, "ingest", "--watch")
        first.kill()
    left = (tmp_path / "store/watch.lock").read_text()
    with watching() as third:
        owner = (tmp_path / "store/watch.lock").read_text()
        until(lambda: len(outputs(tmp_path / "store")) == FILES * CALLS)
        third.terminate()
        code = third.wait(120)

    assert second[0] == 4
    assert f"held by process {first.pid}; wait for it or end it" in second[1]
    assert (left, owner) == (f"{first.pid}\n", f"{third.pid}\n")
    assert code == 143
    assert len(outputs(tmp_path / "store")) == FILES * CALLS
