"""Compaction: fewer files, the same rows, at every moment."""

import os
import shutil
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline import durable
from pipeline.errors import Damaged
from pipeline.log import Log
from pipeline.record import DAY_US
from tests.pipeline.sightings import DAY, NOON, Feed, Sighting, known
from tests.pipeline.test_log import every_row, queried, sums
from tests.pipeline.test_recover import lose_journal

TOMORROW = date(1970, 1, 1) + timedelta(days=DAY + 1)


class Stop(Exception):
    """The process ends here."""


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Three segments of one date and one of the next, with corrections among them."""
    with Log.open(tmp_path / "store") as log:
        feed = Feed(log)
        feed.commit(Sighting(key="a"), Sighting(key="b"))
        log.seal()
        feed.commit(Sighting(key="a", rank=2, output=50))
        log.seal()
        feed.commit(Sighting(key="b", rank=2, model="n"), Sighting(key="c", at_us=NOON + DAY_US))
        log.seal()
    return tmp_path / "store"


def plain(store: Path) -> list[Any]:
    """Sums by date and model as DuckDB finds them."""
    files = f"read_parquet('{store}/events/**/*.parquet')"
    return queried(f"select date::varchar, model, sum(requests), sum(output) from {files} group by all order by all")


def test_closed_date_becomes_one_segment(store: Path) -> None:
    """All segments of a closed date become one with the same sums; today's stay."""
    with Log.open(store) as log:
        before, calls, files = sums(every_row(log), "key", "model"), known(log), plain(store)

        (made,) = log.compact(TOMORROW)

        assert made.day == DAY
        assert [one.day for one in log.segments()] == [DAY, DAY + 1]
        assert (sums(every_row(log), "key", "model"), known(log), plain(store)) == (before, calls, files)
        assert os.listdir(store / "staging") == []
        assert log.compact(TOMORROW) == []


def test_compacted_log_rebuilds_the_journal(store: Path) -> None:
    """What is compacted tells the same story as before."""
    with Log.open(store) as log:
        before = known(log)
        log.compact(TOMORROW)
    lose_journal(store)
    with Log.open(store) as log:
        assert known(log) == before


def test_changed_bytes_are_not_compacted(store: Path) -> None:
    """A segment whose bytes are not those that were written stops compaction before anything is changed."""
    with Log.open(store) as log:
        path = log.segments()[0].path
        with open(path, "r+b") as file:
            file.seek(60)
            byte = file.read(1)
            file.seek(60)
            file.write(bytes([byte[0] ^ 1]))

        with pytest.raises(Damaged):
            log.compact(TOMORROW)
        assert len(log.segments()) == 4


@pytest.mark.parametrize("name", ["intent", "compact_staged", "exchanged", "exchange_synced", "journal_written", "compact_committed"])
def test_a_crash_at_any_step_is_settled(store: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Wherever a compaction ends, plain readers find the same sums at once, and the next to open the log the same rows."""
    files = plain(store)
    with Log.open(store) as log:
        calls = known(log)
        passed = []

        def step(reached: str) -> None:
            passed.append(reached)
            if reached == name and "intent" in passed:
                raise Stop

        monkeypatch.setattr(durable, "step", step)
        with pytest.raises(Stop):
            log.compact(TOMORROW)
        monkeypatch.undo()
    assert plain(store) == files

    with Log.open(store) as log:
        assert (known(log), plain(store)) == (calls, files)
        assert sum(one.sums["output"] for one in log.segments()) == sum(row[3] for row in files)
        assert all(os.path.exists(one.path) for one in log.segments())
        log.compact(TOMORROW)
        assert (len(log.segments()), plain(store)) == (2, files)
        assert os.listdir(store / "staging") == []


@pytest.mark.parametrize("operation", ["unlink", "rmdir"])
def test_who_clears_away_an_old_leaf_may_be_beaten_to_it(store: Path, monkeypatch: pytest.MonkeyPatch, operation: str) -> None:
    """A writer that clears staging while the leaf that was replaced is removed takes nothing from the compaction, and its rows count."""
    with Log.open(store) as log, Log.open(store) as other:
        replaced = [one.name for one in log.segments() if one.day == DAY]
        removal = getattr(durable.fs, operation)

        def beaten(path: str) -> None:
            if "compact-" in path:
                monkeypatch.undo()
                Feed(other).commit(Sighting(key="d", at_us=NOON + DAY_US))
                other.seal()
                assert not os.path.lexists(path)
            removal(path)

        monkeypatch.setattr(durable.fs, operation, beaten, raising=False)
        (made,) = log.compact(TOMORROW)

        assert made.name not in replaced
        assert os.listdir(store / "staging") == []
        assert len(known(log)) == 4


def test_nothing_is_compacted_without_exchange(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where folders cannot change places the segments stay as they are."""
    monkeypatch.setattr(durable.Fs, "exchange", lambda *_: False)
    with Log.open(store) as log:
        before = [one.name for one in log.segments()]
        assert log.compact(TOMORROW) == []
        assert [one.name for one in log.segments()] == before


def test_a_journal_from_before_a_compaction_counts_nothing_twice(tmp_path: Path) -> None:
    """An older journal still holds rows as hot that were sealed and compacted since; the compacted file says which rows it holds."""
    store = tmp_path / "store"
    with Log.open(store) as log:
        feed = Feed(log)
        feed.commit(Sighting(key="a"), Sighting(key="b"))
    shutil.copy(store / "journal.db", tmp_path / "copy")
    with Log.open(store) as log:
        feed = Feed(log)
        log.seal()
        feed.commit(Sighting(key="c"))
        log.seal()
        log.compact(TOMORROW)
        before = known(log)
    lose_journal(store)
    shutil.copy(tmp_path / "copy", store / "journal.db")

    with Log.open(store) as log:
        assert known(log) == before
        assert log.hot_count() == 0
        assert sums(every_row(log)) == {("requests",): 3, ("input",): 30, ("output",): 15}
