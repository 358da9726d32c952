"""What a watcher notices, and how it ends."""

import errno
import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from ingest import postponed, reader, streams, watch, watched
from ingest.adapter import Adapter
from ingest.adapters.grok import ADAPTER as GROK
from ingest.arrived import Arrived
from ingest.notices import Notice
from ingest.reader import Manner
from ingest.run import refresh
from ingest.watch import Settings, Watcher
from pipeline.check import repair
from pipeline.errors import PartlyDone
from pipeline.log import Commit, Log
from tests.ingest import toy
from tests.ingest.deaf import Deaf, Full

FIXTURES = Path(__file__).parents[2] / "data-fixtures"


class Asked(dict[str, str]):
    """An environment that counts how often somebody asks it where logs are."""

    times = 0

    def get(self, *arguments: Any) -> Any:
        self.times += 1
        return super().get(*arguments)


class Counted(Deaf):
    """Counts how often it was waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.waits = 0

    def wait(self, timeout_s: float) -> set[Notice]:
        self.waits += 1
        return super().wait(timeout_s)


class Following:
    """A watcher in a thread of its own, and what it told."""

    def __init__(self, home: Path, store: Path, clock: Callable[[], int] = time.time_ns, adapter: Adapter[Any] = toy.ADAPTER) -> None:
        self.environ = Asked(TOY_HOME=str(home), GROK_HOME=str(home))
        self._adapter = adapter
        self.arrived: list[Arrived] = []
        self.warnings: list[str] = []
        self.quiet = 0
        self.commits: list[Commit] = []
        self._clock = clock
        self._store = store
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.trouble: BaseException | None = None
        self.standing: Callable[[], list[tuple[str, int, int, int]]] = list
        self.unreadable: Callable[[], int] = int

    def _run(self) -> None:
        def quiet() -> None:
            self.quiet += 1

        try:
            with Log.open(self._store) as log:
                watcher = Watcher(
                    log,
                    Settings(
                        adapters=[self._adapter],
                        environ=self.environ,
                        home="/nowhere",
                        stop=self._end.is_set,
                        warn=self.warnings.append,
                        on_arrival=self.arrived.append,
                        on_quiet=quiet,
                        on_commit=self.commits.append,
                        clock=self._clock,
                    ),
                )
                self.standing = watcher.standing
                self.unreadable = lambda: watcher.unreadable
                watcher.run()
        except BaseException as error:  # noqa: BLE001 - the test that started the thread raises it
            self.trouble = error

    def start(self) -> None:
        self._thread.start()
        self.until(lambda: self.quiet > 0)

    def start_without_home(self) -> None:
        self._thread.start()
        self.until(lambda: bool(self.warnings))
        time.sleep(0.3)

    def until(self, true: Callable[[], bool]) -> None:
        """Wait for it; the bound is for a test that would wait for ever, and says nothing of how soon it happens."""
        end = time.monotonic() + 120
        while not true():
            assert self.trouble is None, self.trouble
            assert time.monotonic() < end, "it never happened"
            time.sleep(0.02)

    def stop(self) -> None:
        self._end.set()
        self._thread.join(120)
        assert not self._thread.is_alive()
        if self.trouble is not None:
            raise self.trouble


@contextmanager
def following(tmp_path: Path, clock: Callable[[], int] = time.time_ns, more: bytes = b"") -> Iterator[tuple[Following, Path]]:
    """A running watcher over a home with one file of one call, and what comes after that."""
    log = tmp_path / "home/logs/a.jsonl"
    log.parent.mkdir(parents=True)
    log.write_bytes(toy.line("a", 1) + more)
    watcher = Following(tmp_path / "home", tmp_path / "store", clock)
    watcher.start()
    try:
        yield watcher, log
    finally:
        watcher.stop()


def no_room(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """While it is set, no commit finds room on the disk."""
    full = threading.Event()
    commit = Log.commit

    def refused(log: Log, *arguments: Any, **options: Any) -> Commit:
        if full.is_set():
            raise PartlyDone("no space is left", where=log.home)
        return commit(log, *arguments, **options)

    monkeypatch.setattr(Log, "commit", refused)
    return full


def outputs(tmp_path: Path) -> list[int]:
    with Log.open(tmp_path / "store") as log:
        return sorted(call.output for call in log.calls(0, 2**23))


def append(path: Path, content: bytes) -> None:
    with path.open("ab") as file:
        file.write(content)


def test_a_new_line_is_in_the_log_at_once(tmp_path: Path) -> None:
    """A line that is written is committed without waiting for a pause, and told with its sums."""
    with following(tmp_path) as (watcher, log):
        append(log, toy.line("b", 20))
        watcher.until(lambda: bool(watcher.arrived))

        assert outputs(tmp_path) == [1, 20]
    (arrived,) = watcher.arrived
    assert (arrived.agent, arrived.models, arrived.output, arrived.commit.new) == ("toy", ("toy-1",), 20, 1)


def read_up_to(watcher: Following, path: Path) -> bool:
    """Whether the watcher has read the file to its end, whatever the log knows of it."""
    return (str(path), path.stat().st_size) in [(name, size) for name, _, size, _ in watcher.standing()]


def accounted(tmp_path: Path, path: Path) -> tuple[int, int, int]:
    """(offset of the cursor, bytes consumed, calls) as the log knows them of one file."""
    with Log.open(tmp_path / "store") as log:
        (known,) = log.sources([str(path)])
        assert known.cursor is not None
        return known.cursor.offset, known.counts.bytes, known.counts.events


@pytest.mark.parametrize(("line", "ignored"), [(b'{"said": "nothing"}\n', 0), (b'{"id": "b", "out": null}\n', 3)])
def test_lines_without_a_call_are_committed_with_the_next_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: bytes, ignored: int
) -> None:
    """Most lines hold no call, whether that shows before they are decoded or after: however many come, they are one commit with the call
    after them, and every byte and every line is counted once."""
    monkeypatch.setattr(postponed, "AT_MOST_S", 3600.0)
    with following(tmp_path) as (watcher, log):
        before = len(watcher.commits)
        for _ in range(3):
            append(log, line)
            watcher.until(lambda: read_up_to(watcher, log))
        assert len(watcher.commits) == before
        append(log, toy.line("b", 20))
        watcher.until(lambda: bool(watcher.arrived))

        assert len(watcher.commits) == before + 1
        size = log.stat().st_size
        assert accounted(tmp_path, log) == (size, size, 2)
    with Log.open(tmp_path / "store") as opened:
        (known,) = opened.sources()
        assert (known.counts.lines, known.counts.new, known.counts.ignored) == (2 + ignored, 2, ignored)


def test_the_log_knows_soon_how_far_a_silent_agent_was_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a further call what was read is in the log a moment later."""
    monkeypatch.setattr(postponed, "AT_MOST_S", 0.1)
    with following(tmp_path) as (watcher, log):
        append(log, b'{"said": "nothing"}\n')
        size = log.stat().st_size
        watcher.until(lambda: accounted(tmp_path, log) == (size, size, 1))


def test_stopping_leaves_nothing_to_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked to stop, a watcher tells the log how far it read."""
    monkeypatch.setattr(postponed, "AT_MOST_S", 3600.0)
    with following(tmp_path) as (watcher, log):
        append(log, b'{"said": "nothing"}\n')
        watcher.until(lambda: read_up_to(watcher, log))

    assert accounted(tmp_path, log) == (log.stat().st_size, log.stat().st_size, 1)


def test_what_another_run_read_meanwhile_counts_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines that the watcher has read and not yet told the log of, another command reads too: bytes and calls are those of the file."""
    monkeypatch.setattr(postponed, "AT_MOST_S", 3600.0)
    with following(tmp_path) as (watcher, log):
        append(log, b'{"said": "nothing"}\n')
        watcher.until(lambda: read_up_to(watcher, log))
        with Log.open(tmp_path / "store") as other:
            refresh(other, [toy.ADAPTER], {"TOY_HOME": str(tmp_path / "home")}, "/nowhere", Manner(now_ns=time.time_ns()))
        append(log, toy.line("b", 20))
        watcher.until(lambda: bool(watcher.arrived))

        size = log.stat().st_size
        watcher.until(lambda: accounted(tmp_path, log) == (size, size, 2))
        assert outputs(tmp_path) == [1, 20]


def test_stopping_on_a_full_disk_loses_nothing_that_was_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """How far lines without a call were read is worth no error at the end: where there is no room for it, the next run reads them again."""
    monkeypatch.setattr(postponed, "AT_MOST_S", 3600.0)
    with following(tmp_path) as (watcher, log), monkeypatch.context() as full:
        append(log, b'{"said": "nothing"}\n')
        watcher.until(lambda: read_up_to(watcher, log))

        def no_room(log: Log, *_: Any, **__: Any) -> Commit:
            raise PartlyDone("no space is left", where=log.home)

        full.setattr(Log, "commit", no_room)
        watcher.stop()

    whole = log.stat().st_size
    assert accounted(tmp_path, log) == (len(toy.line("a", 1)), len(toy.line("a", 1)), 1)
    with Log.open(tmp_path / "store") as other:
        refresh(other, [toy.ADAPTER], {"TOY_HOME": str(tmp_path / "home")}, "/nowhere", Manner(now_ns=time.time_ns()))
    assert accounted(tmp_path, log) == (whole, whole, 1)


def test_what_ended_the_watching_is_what_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that ends a watcher is told as it is, also where its end does not succeed either."""
    log = tmp_path / "home/logs/a.jsonl"
    log.parent.mkdir(parents=True)
    log.write_bytes(toy.line("a", 1))

    def broken(_: Commit) -> None:
        raise RuntimeError("nobody listens")

    def no_room(log: Log) -> list[Any]:
        raise PartlyDone("no space is left", where=log.home)

    monkeypatch.setattr(Log, "seal", no_room)
    with Log.open(tmp_path / "store") as opened:
        settings = Settings(
            adapters=[toy.ADAPTER],
            environ={"TOY_HOME": str(tmp_path / "home")},
            home="/nowhere",
            stop=lambda: False,
            warn=print,
            on_arrival=print,
            on_quiet=print,
            on_commit=broken,
        )
        with pytest.raises(RuntimeError, match="nobody listens"):
            Watcher(opened, settings).run()


def test_a_journal_that_was_made_anew_reads_all_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A repair that sets a damaged segment aside forgets what was read; the watcher reads it again if nobody else does."""
    monkeypatch.setattr(watch, "SWEEP_S", 0.2)
    with following(tmp_path) as (watcher, log):
        append(log, toy.line("b", 20))
        watcher.until(lambda: bool(watcher.arrived))
        with Log.open(tmp_path / "store") as other:
            other.seal()
            (segment,) = other.segments()
            append(Path(segment.path), b"damage")
        repair(str(tmp_path / "store"))
        watcher.until(lambda: outputs(tmp_path) == [1, 20])
        size = log.stat().st_size
        assert accounted(tmp_path, log) == (size, size, 2)


def test_a_rejected_line_is_in_the_log_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes into quarantine waits for nothing."""
    monkeypatch.setattr(postponed, "AT_MOST_S", 3600.0)
    with following(tmp_path) as (watcher, log):
        append(log, b'{"id": "b", "out": 3}\n')
        watcher.until(lambda: rejected(tmp_path) == ["bad_timestamp"])


def test_a_file_that_failed_for_a_moment_counts_as_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that could not be read at one notice and was read at the next is none that cannot be read, from the next sweep on."""
    monkeypatch.setattr(watch, "SWEEP_S", 3600.0)
    with following(tmp_path) as (watcher, log):
        opened, failing = streams.opened, [True]

        def once(path: str) -> tuple[int, os.stat_result]:
            if failing and path == str(log):
                failing.pop()
                raise OSError(errno.EIO, os.strerror(errno.EIO), path)
            return opened(path)

        monkeypatch.setattr(streams, "opened", once)
        append(log, toy.line("b", 2))
        watcher.until(lambda: watcher.unreadable() == 1)
        append(log, toy.line("c", 3))
        watcher.until(lambda: outputs(tmp_path) == [1, 2, 3])
        monkeypatch.setattr(watch, "SWEEP_S", 0.1)
        watcher.until(lambda: watcher.unreadable() == 0)


def test_a_database_is_read_once_more_without_a_further_notice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row may show a moment after its last write: soon after, long before the next sweep, the watcher knows that it has all."""
    monkeypatch.setattr(watch, "SWEEP_S", 3600.0)
    # Time enough to be seen in between.
    monkeypatch.setattr(watch, "_SHOWN_S", 5.0)
    database = tmp_path / "home/grok.db"
    database.parent.mkdir()
    watcher = Following(tmp_path / "home", tmp_path / "store", adapter=GROK)
    with closing(sqlite3.connect(database)) as db:
        db.executescript((FIXTURES / "grok/database/grok.db.sql").read_text())
        os.utime(database, ns=(1, 10**18))
        watcher.start()
        try:
            db.execute("INSERT INTO usage_events VALUES (20, 'c-1', 9, 'message', 'grok-4.6', 5, 1, 6, 1, '2026-09-03T00:00:00Z')")
            db.commit()
            watcher.until(lambda: watcher.standing()[0][2] == reader.LOOK_AGAIN)
            status = database.stat()
            told = watcher.quiet
            watcher.until(lambda: watcher.standing() == [(str(database), status.st_ino, status.st_size, status.st_mtime_ns)])
            watcher.until(lambda: watcher.quiet > told)
        finally:
            watcher.stop()

    assert len(outputs(tmp_path)) == 7


def test_what_was_there_before_is_caught_up_with(tmp_path: Path) -> None:
    """A watcher begins with a sweep: what was written while none was running is read first."""
    with following(tmp_path):
        assert outputs(tmp_path) == [1]


def test_a_new_file_in_a_new_folder_is_followed(tmp_path: Path) -> None:
    """A session that begins in a folder made just now is read like any other."""
    with following(tmp_path) as (watcher, log):
        (log.parent / "new/deep").mkdir(parents=True)
        append(log.parent / "new/deep/b.jsonl", toy.line("b", 2))
        watcher.until(lambda: outputs(tmp_path) == [1, 2])
        append(log.parent / "new/deep/b.jsonl", toy.line("c", 3))
        watcher.until(lambda: outputs(tmp_path) == [1, 2, 3])


def test_the_first_calls_of_a_new_file_are_told(tmp_path: Path) -> None:
    """A session that begins while it is watched is told like one that goes on; what was there before the watching began is not."""
    with following(tmp_path) as (watcher, log):
        append(log.with_name("b.jsonl"), toy.line("b", 20))
        watcher.until(lambda: bool(watcher.arrived))

    (arrived,) = watcher.arrived
    assert (arrived.commit.new, arrived.output) == (1, 20)


@pytest.mark.parametrize("gone", ["home", "home/logs"])
@pytest.mark.parametrize("removed", [True, False])
def test_a_folder_that_was_made_again_is_followed_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gone: str, removed: bool
) -> None:
    """A home or a folder in it that is deleted, or moved away, and made again is followed by events as before, not by the sweep alone."""
    monkeypatch.setattr(watch, "SWEEP_S", 3_600.0)
    with following(tmp_path) as (watcher, log):
        if removed:
            shutil.rmtree(tmp_path / gone)
        else:
            (tmp_path / gone).rename(tmp_path / "away")
        time.sleep(0.3)
        log.parent.mkdir(parents=True)
        append(log.with_name("b.jsonl"), toy.line("b", 2))
        watcher.until(lambda: outputs(tmp_path) == [1, 2])
        append(log.with_name("b.jsonl"), toy.line("c", 3))
        watcher.until(lambda: outputs(tmp_path) == [1, 2, 3])
        (log.parent / "deep").mkdir()
        append(log.parent / "deep/d.jsonl", toy.line("d", 4))
        watcher.until(lambda: outputs(tmp_path) == [1, 2, 3, 4])


def test_a_home_that_comes_is_followed_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home that is not there yet, nor the folder that will hold it, is followed from the moment it is made."""
    monkeypatch.setattr(watch, "SWEEP_S", 3_600.0)
    watcher = Following(tmp_path / "not/yet/home", tmp_path / "store")
    watcher.start_without_home()
    try:
        logs = tmp_path / "not/yet/home/logs"
        logs.mkdir(parents=True)
        append(logs / "a.jsonl", toy.line("a", 1))
        watcher.until(lambda: outputs(tmp_path) == [1])
    finally:
        watcher.stop()


def test_a_burst_is_read_to_its_end(tmp_path: Path) -> None:
    """Ten thousand lines written as fast as they can be are all there: no notice follows what was already written."""
    with following(tmp_path) as (watcher, log):
        with log.open("ab") as file:
            for number in range(10_000):
                file.write(toy.line(f"burst-{number}", 2))
                if number % 100 == 0:
                    file.flush()
        watcher.until(lambda: sum(arrived.commit.new for arrived in watcher.arrived) == 10_000)

        assert len(outputs(tmp_path)) == 10_001


def test_a_rotated_file_is_read_to_its_end(tmp_path: Path) -> None:
    """Lines written just before a rename are taken from the old file, those of the new one from its start, none twice."""
    with following(tmp_path) as (watcher, log):
        append(log, toy.line("b", 2))
        log.rename(log.with_suffix(".1"))
        log.write_bytes(toy.line("c", 3))
        watcher.until(lambda: outputs(tmp_path) == [1, 2, 3])


def test_what_events_miss_a_sweep_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the queue of events overflowed, or none came, everything is swept again."""
    monkeypatch.setattr(watch, "begun", Deaf)
    monkeypatch.setattr(watch, "SWEEP_S", 0.2)
    with following(tmp_path) as (watcher, log):
        append(log, toy.line("b", 2))
        watcher.until(lambda: outputs(tmp_path) == [1, 2])


AHEAD_NS = pytest.mark.parametrize("ahead_ns", [0, 60_000_000_000], ids=["folders that change just now", "folders at rest"])


@AHEAD_NS
def test_a_sweep_that_finds_all_as_it_was_read_looks_no_further(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ahead_ns: int) -> None:
    """Whether nothing has moved, or files have grown and been read: nobody is asked where logs are. What is not read yet is found."""
    told = Counted()
    monkeypatch.setattr(watch, "begun", lambda: told)
    # With every turn a sweep.
    monkeypatch.setattr(watch, "SWEEP_S", 0.0)
    monkeypatch.setattr(watch, "WAKE_S", 0.01)

    def turns(number: int) -> None:
        due = told.waits + number
        watcher.until(lambda: told.waits >= due)

    with following(tmp_path, lambda: time.time_ns() + ahead_ns) as (watcher, log):
        turns(10)
        asked = watcher.environ.times
        turns(20)
        monkeypatch.setattr(watch, "SWEEP_S", 3_600.0)
        turns(2)
        append(log, toy.line("b", 2))
        told.note((str(log), ""))
        watcher.until(lambda: outputs(tmp_path) == [1, 2])
        monkeypatch.setattr(watch, "SWEEP_S", 0.0)
        turns(20)
        assert watcher.environ.times == asked > 0

        append(log, toy.line("c", 3))
        watcher.until(lambda: outputs(tmp_path) == [1, 2, 3])
        append(log.with_name("b.jsonl"), toy.line("d", 4))
        watcher.until(lambda: outputs(tmp_path) == [1, 2, 3, 4])


@AHEAD_NS
def test_sweeps_come_back_to_what_is_being_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ahead_ns: int) -> None:
    """A document that cannot be read yet is looked at again, though nothing touches it any more: quiet for long enough, it is rejected."""
    monkeypatch.setattr(reader, "QUIET_NS", ahead_ns + 1_000_000_000)
    monkeypatch.setattr(watch, "SWEEP_S", 0.1)
    with following(tmp_path, lambda: time.time_ns() + ahead_ns) as (watcher, log):
        folder = log.parents[1] / "docs/x"
        folder.mkdir(parents=True)
        append(folder / "a.json", b'{"out": 5')
        watcher.until(lambda: rejected(tmp_path) == ["unreadable"])


def rejected(tmp_path: Path) -> list[str]:
    with Log.open(tmp_path / "store") as log:
        return [each.record.reason for each in log.quarantine()]


def test_a_watcher_knows_how_the_files_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it says of the files is what a sweep sees once all is read: of those that grew, that came, and no more of one that went."""
    monkeypatch.setattr(watch, "SWEEP_S", 0.2)
    with following(tmp_path) as (watcher, log):
        (log.parent / "b.jsonl").write_bytes(toy.line("b", 2))
        (log.parent / "c.jsonl").write_bytes(toy.line("c", 3))
        append(log, toy.line("a2", 4))
        watcher.until(lambda: outputs(tmp_path) == [1, 2, 3, 4])
        (log.parent / "b.jsonl").unlink()
        looks = [(str(path), path.stat().st_ino, path.stat().st_size, path.stat().st_mtime_ns) for path in (log, log.parent / "c.jsonl")]
        watcher.until(lambda: sorted(watcher.standing()) == sorted(looks))


def test_without_inotify_folders_are_polled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no watch can be had, one warning names the setting that gives more, and the folder is looked at every few seconds."""
    monkeypatch.setattr(watch, "begun", Full)
    monkeypatch.setattr(watch, "POLL_S", 0.2)
    with following(tmp_path) as (watcher, log):
        append(log, toy.line("b", 2))
        watcher.until(lambda: outputs(tmp_path) == [1, 2])
    assert [warning for warning in watcher.warnings if "max_user_watches" in warning]


def test_an_unfinished_line_that_was_left_alone_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A last line that lacks only its newline is taken once nothing has touched the file for the quiet time."""
    monkeypatch.setattr(watch, "QUIET_NS", 300_000_000)
    monkeypatch.setattr(watch, "SWEEP_S", 0.2)
    with following(tmp_path) as (watcher, log):
        append(log, toy.line("b", 2)[:-1])
        watcher.until(lambda: outputs(tmp_path) == [1, 2])


def test_an_unfinished_line_from_before_the_watching_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A last line whose newline was never written, because the agent died, is taken by a watcher that begins later."""
    monkeypatch.setattr(watch, "QUIET_NS", 0)
    monkeypatch.setattr(watch, "SWEEP_S", 0.2)
    with following(tmp_path, more=toy.line("b", 2)[:-1]) as (watcher, _):
        watcher.until(lambda: outputs(tmp_path) == [1, 2])


def test_an_unfinished_line_for_which_there_was_no_room_counts_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A last line that was taken just when the disk was full is taken once there is room."""
    monkeypatch.setattr(watch, "QUIET_NS", 1_500_000_000)
    monkeypatch.setattr(watch, "SWEEP_S", 0.2)
    full = no_room(monkeypatch)
    with following(tmp_path) as (watcher, log):
        commits = len(watcher.commits)
        append(log, toy.line("b", 2)[:-1])
        watcher.until(lambda: len(watcher.commits) > commits)
        full.set()
        watcher.until(lambda: bool(watcher.warnings))
        full.clear()
        watcher.until(lambda: outputs(tmp_path) == [1, 2])


def test_stopping_seals(tmp_path: Path) -> None:
    """Asked to stop, a watcher leaves no hot row behind: other programs see all of it."""
    with following(tmp_path) as (watcher, log):
        append(log, toy.line("b", 2))
        watcher.until(lambda: bool(watcher.arrived))

    with Log.open(tmp_path / "store") as opened:
        assert opened.hot_count() == 0
        assert sum(segment.rows for segment in opened.segments()) == 2


def test_a_network_file_system_is_polled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where writes from elsewhere give no event, folders are looked at every few seconds instead, and one warning says so."""
    monkeypatch.setattr(watched, "file_system", lambda _path: "nfs4")
    monkeypatch.setattr(watch, "POLL_S", 0.2)
    with following(tmp_path) as (watcher, log):
        append(log, toy.line("b", 2))
        watcher.until(lambda: outputs(tmp_path) == [1, 2])
    assert [warning for warning in watcher.warnings if "nfs4" in warning]


def test_a_watcher_and_another_run_take_each_call_once(tmp_path: Path) -> None:
    """While a watcher follows, other commands import the same lines: every call is in the log once, and neither fails."""
    with following(tmp_path) as (watcher, log):
        for number in range(40):
            append(log, toy.line(f"call-{number}", 7))
            with Log.open(tmp_path / "store") as other:
                refresh(other, [toy.ADAPTER], {"TOY_HOME": str(tmp_path / "home")}, "/nowhere", Manner(now_ns=time.time_ns()))
        watcher.until(lambda: len(outputs(tmp_path)) == 41)
        append(log, toy.line("last", 9))
        watcher.until(lambda: outputs(tmp_path)[-1] == 9)


def test_a_full_disk_is_waited_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a commit finds no room, one warning says so, and once there is room everything written meanwhile is read."""
    monkeypatch.setattr(watch, "SWEEP_S", 0.2)
    full = no_room(monkeypatch)
    with following(tmp_path) as (watcher, log):
        full.set()
        append(log, toy.line("b", 2))
        watcher.until(lambda: bool(watcher.warnings))
        append(log, toy.line("c", 3))
        time.sleep(0.5)
        full.clear()
        watcher.until(lambda: outputs(tmp_path) == [1, 2, 3])
    assert len(watcher.warnings) == 1
