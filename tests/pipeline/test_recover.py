"""A journal lost, damaged or restored from an older copy: the log tells the same story again."""

import os
import shutil
import signal
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import durable, placement
from pipeline.check import repair
from pipeline.errors import Held, RingletError
from pipeline.log import Log
from pipeline.record import DAY_US
from tests.pipeline.sightings import NOON, Feed, Sighting, kept, known, same_calls
from tests.pipeline.test_log import Story, every_row, stories, sums
from tests.sizes import times


def lose_journal(store: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        (store / f"journal.db{suffix}").unlink(missing_ok=True)


def test_a_file_never_builds_on_rows_of_the_journal_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large commit tells a hot call more fully. Without the journal, and the source read again, the call counts 50 once, not 45 more."""
    monkeypatch.setattr("pipeline.log.BULK_ROWS", 3)
    store = tmp_path / "store"
    better = [Sighting(key="a", rank=2, output=50), *(Sighting(key=f"k{number}") for number in range(3))]
    with Log.open(store) as log:
        feed = Feed(log)
        feed.commit(Sighting(key="a", output=5))
        feed.commit(*better)
        assert log.hot_count() == 0
    lose_journal(store)
    with Log.open(store) as log:
        Feed(log).commit(*better)
        assert sums(every_row(log)) == Counter({("requests",): 4, ("input",): 40, ("output",): 65})
        assert sorted(call.output for call in log.calls(0, 40_000)) == [5, 5, 5, 50]


class Immovable(durable.Fs):
    """A file system on which nothing can be moved: a commit ends before its files are published."""

    def rename_new(self, source: str, target: str) -> None:
        raise OSError("immovable")


def test_what_another_process_committed_is_published_before_what_builds_on_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One dies between its commit and its publishing, the next publishes for both: no file without the one that it corrects."""
    monkeypatch.setattr("pipeline.log.BULK_ROWS", 1)
    store = tmp_path / "store"
    with Log.open(store) as one, Log.open(store) as other:
        with monkeypatch.context() as patch:
            patch.setattr(durable, "fs", Immovable())
            with pytest.raises(OSError, match="immovable"):
                Feed(one).commit(Sighting(key="a", output=5))
        Feed(other, "/home/a/other.jsonl").commit(Sighting(key="a", rank=2, output=50))
        published = list(placement.published_names(str(store)))
    assert len(published) == 2


def test_lost_journal_is_rebuilt(tmp_path: Path) -> None:
    """Without its journal the log gives the same calls, sums and machine; reading the sources again adds nothing."""
    store = tmp_path / "store"
    first = [Sighting(key="a"), Sighting(key="b", model="n", at_us=NOON + DAY_US, cost="0.25", reasoning=3)]
    second = [Sighting(key="a", rank=2, output=50), Sighting(key="b", rank=2, model="m", at_us=NOON)]
    with Log.open(store) as log:
        feed = Feed(log)
        feed.commit(*first)
        log.seal()
        feed.commit(*second)
        log.seal()
        before, machine, position = known(log), log.machine, log.position()
    lose_journal(store)

    with Log.open(store) as log:
        assert (known(log), log.machine) == (before, machine)
        assert log.position().epoch != position.epoch
        assert log.mended
        done = Feed(log).commit(*first, *second)
        assert (done.new, done.updated, done.duplicate) == (0, 0, 4)


def test_restored_older_journal_is_noticed(tmp_path: Path) -> None:
    """A journal copied back from before a seal drops the hot rows that a segment holds, and keeps the others."""
    store = tmp_path / "store"
    with Log.open(store) as log:
        feed = Feed(log)
        feed.commit(Sighting(key="a"))
    for suffix in ("", "-wal"):
        if (store / f"journal.db{suffix}").exists():
            shutil.copy(store / f"journal.db{suffix}", tmp_path / f"copy{suffix}")
    with Log.open(store) as log:
        feed = Feed(log)
        log.seal()
        feed.commit(Sighting(key="b"))
        log.seal()
        before = known(log)
    lose_journal(store)
    shutil.copy(tmp_path / "copy", store / "journal.db")

    with Log.open(store) as log:
        assert known(log) == before
        assert log.hot_count() == 0
        assert sums(every_row(log)) == {("requests",): 2, ("input",): 20, ("output",): 10}
        feed = Feed(log)
        assert feed.cursor is None
        assert feed.commit(Sighting(key="a"), Sighting(key="b"), Sighting(key="c")).new == 1


def test_a_journal_from_just_before_a_seal_is_noticed(tmp_path: Path) -> None:
    """Sealing gives rows no new numbers: that those of a journal put back lie in files shows all the same, and none counts twice."""
    store = tmp_path / "store"
    with Log.open(store) as log:
        Feed(log).commit(Sighting(key="a"))
    shutil.copy(store / "journal.db", tmp_path / "copy")
    with Log.open(store) as log:
        log.seal()
    lose_journal(store)
    shutil.copy(tmp_path / "copy", store / "journal.db")

    with Log.open(store) as log:
        assert log.mended
        assert log.hot_count() == 0
        Feed(log).commit(Sighting(key="a"), Sighting(key="b"))
        log.seal()
        assert sums(every_row(log)) == {("requests",): 2, ("input",): 20, ("output",): 10}


def test_older_journal_is_noticed_after_a_crash_while_publishing(tmp_path: Path) -> None:
    """A segment that had just shown in the log when its writer died is known to be newer than a journal that is then put back."""
    store = tmp_path / "store"
    with Log.open(store) as log:
        Feed(log).commit(Sighting(key="a"))
        log.seal()
    shutil.copy(store / "journal.db", tmp_path / "copy")
    child = os.fork()
    if child == 0:
        durable._fault = "published:1"
        with Log.open(store) as log:
            Feed(log).commit(Sighting(key="a"), Sighting(key="b"))
            log.seal()
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    lose_journal(store)
    shutil.copy(tmp_path / "copy", store / "journal.db")

    with Log.open(store) as log:
        assert log.mended
        assert Feed(log).commit(Sighting(key="a"), Sighting(key="b")).new == 0
        log.seal()
        assert sums(every_row(log)) == {("requests",): 2, ("input",): 20, ("output",): 10}


def test_damaged_journal_is_laid_aside(tmp_path: Path) -> None:
    """A journal that is no database any more lies in quarantine afterwards, and the log is whole."""
    store = tmp_path / "store"
    with Log.open(store) as log:
        Feed(log).commit(Sighting(key="a"))
        log.seal()
        before = known(log)
    (store / "journal.db").write_bytes(b"x" * 8192)

    with Log.open(store) as log:
        assert known(log) == before
        assert any("damaged" in note for note in log.mended)
    assert any(name.endswith("journal.db") for name in os.listdir(store / "quarantine"))


def test_a_journal_that_was_laid_aside_seals_nothing(tmp_path: Path) -> None:
    """Whoever still has it open makes no file of it: its successor reads the same calls again, and each is in the files once."""
    store = tmp_path / "store"
    with Log.open(store) as old:
        Feed(old).commit(Sighting(key="a"), Sighting(key="b"))
        lose_journal(store)
        with Log.open(store) as new:
            Feed(new).commit(Sighting(key="a"), Sighting(key="b"))
            new.seal()

        assert old.seal() == []

    with Log.open(store) as log:
        assert log.mended == []
        assert sums(every_row(log)) == {("requests",): 2, ("input",): 20, ("output",): 10}


def test_a_large_commit_to_a_journal_that_was_laid_aside_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would make files: the command that commits says so and can be run again."""
    monkeypatch.setattr("pipeline.log.BULK_ROWS", 2)
    store = tmp_path / "store"
    with Log.open(store) as old:
        feed = Feed(old)
        lose_journal(store)
        with pytest.raises(RingletError, match="another journal"):
            feed.commit(Sighting(key="a"), Sighting(key="b"))
    assert list(placement.published_names(str(store))) == []


def test_damaged_segment_is_set_aside_on_rebuild(tmp_path: Path) -> None:
    """A segment that cannot be read goes to quarantine; its calls come back from their source."""
    store = tmp_path / "store"
    with Log.open(store) as log:
        Feed(log).commit(Sighting(key="a"), Sighting(key="b", at_us=NOON + DAY_US))
        damaged = log.seal()[0].path
    lose_journal(store)
    with open(damaged, "r+b") as file:
        file.truncate(100)

    with Log.open(store) as log:
        assert len(known(log)) == 1
        done = Feed(log).commit(Sighting(key="a"), Sighting(key="b", at_us=NOON + DAY_US))
        assert (done.new, done.duplicate) == (1, 1)
    assert not os.path.exists(damaged)


def test_what_is_left_over_of_a_call_is_taken_back(tmp_path: Path) -> None:
    """A call's first row lies in a segment that is damaged, what a better record added in another: that alone is no call, and does not
    count beside the one that is read again."""
    store = tmp_path / "store"
    first, second = Sighting(key="a", output=5), Sighting(key="a", rank=2, output=50)
    with Log.open(store) as log:
        feed = Feed(log)
        feed.commit(first)
        (damaged,) = log.seal()
        feed.commit(second)
        log.seal()
    with open(damaged.path, "ab") as file:
        file.write(b"damage")

    notes = repair(str(store))

    with Log.open(store) as log:
        assert sums(every_row(log)) == Counter()
        assert list(log.calls(0, 40_000)) == []
        Feed(log).commit(first, second)
        log.seal()
        assert sums(every_row(log)) == Counter({("requests",): 1, ("input",): 10, ("output",): 50})
    assert "1 row taken back of calls whose other rows are lost" in notes
    assert not any("taken back" in note for note in repair(str(store)))


@settings(max_examples=times(40), deadline=None)
@given(stories(), st.data())
def test_whatever_segments_are_lost_the_log_adds_up_to_what_the_journal_knows(
    tmp_path_factory: pytest.TempPathFactory, story: Story, data: st.DataObject
) -> None:
    """Each batch is a segment or several, and any of them are damaged. After a repair, and once more when all sources are read anew, rows
    of the log add up to the journal's calls, under the same dimensions and dates; read anew, each call is there once."""
    made, parts = story
    store = tmp_path_factory.mktemp("story") / "store"
    with Log.open(store) as log:
        feed = Feed(log)
        paths = []
        for part in parts:
            feed.commit(*part)
            paths += [segment.path for segment in log.seal()]
    for path in data.draw(st.lists(st.sampled_from(paths), unique=True)) if paths else ():
        with open(path, "ab") as file:
            file.write(b"damage")
    repair(str(store))
    with Log.open(store) as log:
        assert summed(log) == of_calls(log)
        Feed(log).commit(*made)
        assert summed(log) == of_calls(log)
        assert [call[:3] for call in known(log)] == sorted((kept(group)[:3] for group in same_calls(list(made))), key=repr)


def summed(log: Log) -> Counter[Any]:
    """What the rows of the log add up to, by dimensions and UTC date."""
    if not log.segments() and not log.hot_count():
        return Counter()
    rows = every_row(log)
    days = pa.array([int(at.timestamp()) // 86_400 for at in rows["at"].to_pylist()])
    return sums(rows.append_column("day", days), "model", "session", "project", "day")


def of_calls(log: Log) -> Counter[Any]:
    """The same of the calls that the journal knows."""
    found: Counter[Any] = Counter()
    calls = list(log.calls(0, 40_000))
    dims = log.dims(call.dim for call in calls)
    for call in calls:
        whose = dims[call.dim]
        for column, value in (("requests", 1), ("input", call.input), ("output", call.output)):
            found[(whose.model, whose.session, whose.project, call.at_us // DAY_US, column)] += value
    return Counter({name: value for name, value in found.items() if value})


def test_staged_files_of_a_dead_writer_go(tmp_path: Path) -> None:
    """The next writer of segments removes what a crash left in staging and no commit names."""
    with Log.open(tmp_path / "store") as log:
        staging = tmp_path / "store" / "staging"
        staging.mkdir(mode=0o700)
        (staging / "date=2024-10-04,machine=x,y.parquet").write_bytes(b"half")
        Feed(log).commit(Sighting(key="a"))
        log.seal()
    assert os.listdir(staging) == []


def test_committed_segment_is_published_by_whoever_opens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash between COMMIT and rename loses nothing: the next one to open the log publishes."""
    store = tmp_path / "store"

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with Log.open(store) as log:
        Feed(log).commit(Sighting(key="a"))
        with monkeypatch.context() as patch:
            patch.setattr("pipeline.placement.publish", crash)
            with pytest.raises(KeyboardInterrupt):
                log.seal()
    with Log.open(store) as log:
        (segment,) = log.segments()
        assert os.path.exists(segment.path)
        assert sums(every_row(log)) == {("requests",): 1, ("input",): 10, ("output",): 5}


@settings(max_examples=times(40), deadline=None)
@given(stories())
def test_log_alone_tells_the_same_calls(tmp_path_factory: pytest.TempPathFactory, story: Story) -> None:
    """Whatever happened, a journal made from the segments knows the same calls, and absorbs the same sources without a change."""
    made, parts = story
    store = tmp_path_factory.mktemp("log") / "store"
    with Log.open(store) as log:
        feed = Feed(log)
        for number, part in enumerate(parts):
            feed.commit(*part)
            if number % 2:
                log.seal()
        log.seal()
        before = known(log)
    lose_journal(store)
    with Log.open(store) as log:
        assert known(log) == before
        done = Feed(log).commit(*made)
        assert (done.new, done.updated) == (0, 0)


def test_a_busy_journal_is_not_laid_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That another process holds the journal is no damage."""
    store = tmp_path / "store"
    with Log.open(store) as log:
        Feed(log).commit(Sighting(key="a"))
    monkeypatch.setattr("pipeline.journal.PATIENCE_S", 0.1)
    other = sqlite3.connect(store / "journal.db", isolation_level=None)
    other.execute("PRAGMA locking_mode=EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    other.execute("UPDATE meta SET value = value")

    with pytest.raises(Held):
        repair(str(store))

    other.execute("ROLLBACK")
    other.close()
    with Log.open(store) as log:
        assert len(known(log)) == 1
