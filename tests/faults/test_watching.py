"""What may go wrong while a watcher runs: lost events, failing disks, jumping clocks, files that cannot be read, homes that come late."""

import errno
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread, current_thread

import pytest

from ingest import watch
from ingest.adapters.claude import ADAPTER
from ingest.watch import Settings, Watcher
from pipeline import durable
from pipeline.log import Log
from tests.cli.homes import reply
from tests.faults.test_failing_operations import Failing
from tests.faults.users import ROOT
from tests.ingest.deaf import Deaf

AT = "2026-05-13T09:00:00Z"


class Following:
    """A watcher in a thread of its own, over the Claude Code home `home`."""

    def __init__(self, home: Path, store: Path, clock: Callable[[], int] = time.time_ns) -> None:
        self.warnings: list[str] = []
        self.store = store
        self._end = Event()
        self._settings = Settings(
            adapters=[ADAPTER],
            environ={"CLAUDE_CONFIG_DIR": str(home)},
            home="/nowhere",
            stop=self._end.is_set,
            warn=self.warnings.append,
            on_arrival=lambda _: None,
            on_quiet=lambda: None,
            clock=clock,
        )
        self.trouble: BaseException | None = None
        self._thread = Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            with Log.open(self.store) as log:
                Watcher(log, self._settings).run()
        except BaseException as error:  # noqa: BLE001 - raised by whoever stops it
            self.trouble = error

    def is_here(self) -> bool:
        """Whether the watcher's thread is the one that asks."""
        return current_thread() is self._thread

    def stop(self) -> None:
        self._end.set()
        self._thread.join(120)
        if self.trouble is not None:
            raise self.trouble

    def until(self, due: list[int]) -> None:
        """Wait until the log holds calls of these outputs; the bound is for a test that would wait for ever."""
        end = time.monotonic() + 120
        while outputs(self.store) != due:
            assert self.trouble is None, self.trouble
            assert time.monotonic() < end, f"{outputs(self.store)} is not {due}"
            time.sleep(0.02)


@contextmanager
def following(tmp_path: Path, clock: Callable[[], int] = time.time_ns) -> Iterator[tuple[Following, Path]]:
    """A watcher over a home with one transcript of one call, which it has read; and the transcripts' folder."""
    folder = tmp_path / "claude/projects/p"
    folder.mkdir(parents=True)
    append(folder / "a.jsonl", 1)
    watcher = Following(tmp_path / "claude", tmp_path / "store", clock)
    try:
        watcher.until([1])
        yield watcher, folder
    finally:
        watcher.stop()


def append(path: Path, *calls: int) -> None:
    """Calls with as many tokens out as their number says."""
    with path.open("a") as file:
        file.write("".join(reply(number, AT, output=number) for number in calls))


def outputs(store: Path) -> list[int]:
    if not (store / "journal.db").exists():
        return []
    with Log.open(store) as log:
        return sorted(call.output for call in log.calls(0, 2**23))


FOLLOW = """
import sys
from ingest import watch
from ingest.adapters.claude import ADAPTER
from pipeline.log import Log
watch.SWEEP_S = 3600.0
with Log.open(sys.argv[2]) as log:
    watch.Watcher(log, watch.Settings(adapters=[ADAPTER], environ={"CLAUDE_CONFIG_DIR": sys.argv[1]}, home="/nowhere", stop=lambda: False,
        warn=print, on_arrival=lambda _: None, on_quiet=lambda: None)).run()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")
def test_a_real_overflow_of_inotify_loses_nothing(tmp_path: Path) -> None:
    """The watcher is stopped while more happens than the kernel's queue holds: it sweeps at once, not an hour later."""
    folder = tmp_path / "claude/projects/p"
    folder.mkdir(parents=True)
    append(folder / "a.jsonl", 1)
    append(folder / "b.jsonl", 2)
    store = tmp_path / "store"
    queue = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    if queue > 100_000:
        pytest.skip(f"the queue holds {queue} events here")
    watcher = subprocess.Popen([sys.executable, "-c", FOLLOW, str(folder.parents[1]), str(store)], cwd=ROOT)
    try:
        wait_for(watcher, store, [1, 2])
        append(folder / "a.jsonl", 3)
        wait_for(watcher, store, [1, 2, 3])
        watcher.send_signal(signal.SIGSTOP)
        for number in range(queue + 5_000):
            # Two files in turn, for equal events that follow each other are one.
            os.utime(folder / ("a.jsonl", "b.jsonl")[number % 2])
        append(folder / "late.jsonl", 4)
        append(folder / "b.jsonl", 5)
        watcher.send_signal(signal.SIGCONT)
        wait_for(watcher, store, [1, 2, 3, 4, 5])
    finally:
        watcher.kill()
        watcher.wait()


def wait_for(watcher: "subprocess.Popen[bytes]", store: Path, due: list[int]) -> None:
    end = time.monotonic() + 120
    while outputs(store) != due:
        assert watcher.poll() is None
        assert time.monotonic() < end, f"{outputs(store)} is not {due}"
        time.sleep(0.05)


class FailingThere(Failing):
    """Fails the watcher alone: whoever looks on would otherwise be the one whose operation fails."""

    def __init__(self, nth: int, code: int, watcher: Following) -> None:
        super().__init__(nth, code)
        self._watcher = watcher

    def _operate(self) -> None:
        if self._watcher.is_here():
            super()._operate()


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC], ids=["bad sector", "disk full"])
def test_a_watcher_outlives_a_failing_disk(code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever operation of its seals fails, a watcher says so and goes on; all that was written meanwhile is sealed in the end."""
    monkeypatch.setattr(watch, "SEAL_S", 0.0)
    monkeypatch.setattr(watch, "SWEEP_S", 0.1)
    monkeypatch.setattr(watch, "WAKE_S", 0.05)
    warned = 0
    for nth in (1, 2, 3, 4, 5, 6, 8, 10):
        with following(tmp_path / str(nth)) as (watcher, folder):
            failing = FailingThere(nth, code, watcher)
            with monkeypatch.context() as broken:
                broken.setattr(durable, "fs", failing)
                append(folder / "a.jsonl", 2)
                end = time.monotonic() + 120
                while failing.count < nth and not sealed(watcher.store, 2):
                    assert watcher.trouble is None, watcher.trouble
                    assert time.monotonic() < end
                    time.sleep(0.02)
                append(folder / "a.jsonl", 3)
                watcher.until([1, 2, 3])
            append(folder / "a.jsonl", 4)
            watcher.until([1, 2, 3, 4])
        warned += bool(watcher.warnings)
        assert len(watcher.warnings) <= 3, watcher.warnings
        assert sealed(watcher.store, 4)
    assert warned > 3


def sealed(store: Path, rows: int) -> bool:
    with Log.open(store) as log:
        return log.hot_count() == 0 and sum(segment.rows for segment in log.segments()) == rows


def test_a_jumping_clock_changes_nothing(tmp_path: Path) -> None:
    """The wall clock goes a day or an hour back or forth while lines arrive: each is taken once, whatever the clock says."""
    rng = random.Random(14)
    jumps = [3_600, -3_600, 86_400, -86_400]
    ahead_s = [0]
    with following(tmp_path, lambda: time.time_ns() + ahead_s[0] * 10**9) as (watcher, folder):
        for number in range(2, 14):
            ahead_s[0] += rng.choice(jumps)
            append(folder / f"{number % 3}.jsonl", number)
            watcher.until(list(range(1, number + 1)))
    with Log.open(watcher.store) as log:
        assert sum(segment.rows for segment in log.segments()) == 13


def test_a_file_is_read_once_it_may_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be opened is told once and tried at every sweep, though nothing about the file changes when it is mended."""
    monkeypatch.setattr(watch, "SWEEP_S", 0.1)
    monkeypatch.setattr(watch, "WAKE_S", 0.05)
    monkeypatch.setattr(watch, "begun", Deaf)
    shut = Event()
    opened = os.open

    def refusing(path: str, *arguments: int, **options: int) -> int:
        if shut.is_set() and str(path).endswith("shut.jsonl"):
            raise PermissionError(errno.EACCES, "Permission denied")
        return opened(path, *arguments, **options)

    monkeypatch.setattr(os, "open", refusing)
    with following(tmp_path) as (watcher, folder):
        shut.set()
        append(folder / "shut.jsonl", 2)
        append(folder / "a.jsonl", 3)
        watcher.until([1, 3])
        end = time.monotonic() + 120
        while not watcher.warnings:
            assert time.monotonic() < end
            time.sleep(0.02)
        shut.clear()
        watcher.until([1, 2, 3])
    assert watcher.warnings == [f"{folder}/shut.jsonl: Permission denied"]


def test_a_home_that_is_not_there_yet_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A named home that is missing is told once and is no end; once it is there, it is read and followed. So is one that was made anew."""
    monkeypatch.setattr(watch, "SWEEP_S", 0.1)
    home = tmp_path / "claude"
    watcher = Following(home, tmp_path / "store")
    try:
        end = time.monotonic() + 120
        while not watcher.warnings:
            assert time.monotonic() < end
            time.sleep(0.02)
        (home / "projects/p").mkdir(parents=True)
        append(home / "projects/p/a.jsonl", 1)
        watcher.until([1])
        home.rename(tmp_path / "away")
        (home / "projects/p").mkdir(parents=True)
        append(home / "projects/p/b.jsonl", 2)
        watcher.until([1, 2])
    finally:
        watcher.stop()
    assert watcher.warnings == [f"{home}: is not there yet; it is read once it is"]


def test_a_rotation_seen_at_one_glance_loses_no_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a line written just before a rename, the rename and the new file, all hinted at together, the old file's line is read first."""
    told = Deaf()
    monkeypatch.setattr(watch, "begun", lambda: told)
    monkeypatch.setattr(watch, "SWEEP_S", 3_600.0)
    with following(tmp_path) as (watcher, folder):
        path = folder / "a.jsonl"
        for number in range(2, 18, 2):
            append(path, number)
            old = path.rename(folder / f"a.{number}")
            append(path, number + 1)
            for hint in ((str(path), ""), (str(path), str(old))):
                told.note(hint)
            watcher.until(list(range(1, number + 2)))
