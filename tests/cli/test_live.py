"""What goes on behind the daemon's pages: watching, telling, and beginning again after a failure."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from cli.paths import paths
from cli.serve import live
from cli.serve.live import Live, News
from ingest import watch
from ingest.sweep import sweep
from pipeline.log import Log
from pipeline.profiles import Profile, Rule, Rules
from tests.cli.daemons import ROOT
from tests.cli.homes import reply, ringlet, transcript
from views import snapshot

DAY = "2026-05-13T09:00:00Z"


class Answers:
    """Answers in memory that count how often they were brought up to date, and fail when they are told to."""

    def __init__(self) -> None:
        self.refreshed = 0
        self.broken = False

    def refresh(self) -> bool:
        self.refreshed += 1
        if self.broken:
            raise ValueError("no answers today")
        return True


class Pages:
    """Pages that keep what they were told."""

    def __init__(self) -> None:
        self.told: list[News] = []

    def publish(self, event: str, data: msgspec.Struct) -> None:
        assert event == "usage"
        assert isinstance(data, News)
        self.told.append(data)

    @property
    def new(self) -> int:
        return sum(news.new for news in self.told)


class Scene:
    """A home, its store, and what watches it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.environ = {"PATH": "/usr/bin:/bin", "HOME": str(home), "RINGLET_HOME": str(home / "rl"), "TZ": "UTC", "PYTHONPATH": str(ROOT)}
        self.answers, self.pages = Answers(), Pages()
        self.live = Live(paths(self.environ), self.environ, self.answers, self.pages)

    def until(self, true: Callable[[], bool]) -> None:
        """Wait for it; the bound is for a test that would wait for ever, and says nothing of how soon it happens."""
        end = time.monotonic() + 90
        while not true():
            assert time.monotonic() < end, (self.live.watching, self.live.last_error, self.pages.told)
            time.sleep(0.01)

    def append(self, name: str, line: str) -> None:
        with (self.home / ".claude/projects/-src" / f"{name}.jsonl").open("a") as file:
            file.write(line)


@contextmanager
def watched(home: Path) -> Iterator[Scene]:
    scene = Scene(home)
    scene.live.start()
    try:
        yield scene
    finally:
        scene.live.stop()


def test_what_is_written_is_committed_told_and_sealed_at_the_end(tmp_path: Path) -> None:
    """Calls written before and while it watches are each told once; asked to stop it seals, and all its threads are gone."""
    transcript(tmp_path, "one", reply(1, DAY), reply(2, DAY))
    before = set(threading.enumerate())
    with watched(tmp_path) as scene:
        scene.until(lambda: scene.pages.new == 2 and not scene.live.importing)
        scene.append("one", reply(3, DAY))
        scene.until(lambda: scene.pages.new == 3)
        seen, state = scene.live.events_seen, scene.live.watching
        seq = scene.pages.told[-1].seq

    assert (seen, state, scene.live.watching) == (3, "watching", "stopped")
    assert scene.answers.refreshed >= 2
    assert set(threading.enumerate()) <= before
    with Log.open(tmp_path / "rl") as log:
        assert (log.hot_count(), sum(segment.rows for segment in log.segments()), log.position().seq) == (0, 3, seq)


def test_what_came_while_nobody_watched_is_told(tmp_path: Path) -> None:
    """A page that was open before knows from the log's number whether it missed anything, though this watcher saw no call itself."""
    transcript(tmp_path, "one", reply(1, DAY), reply(2, DAY))
    ringlet(tmp_path, "usage")
    with Log.open(tmp_path / "rl") as log:
        seq = log.position().seq
    with watched(tmp_path) as scene:
        scene.until(lambda: len(scene.pages.told) > 0)

    assert [(news.seq, news.new, news.updated) for news in scene.pages.told] == [(seq, 0, 0)]


def test_the_snapshot_follows(tmp_path: Path) -> None:
    """After new calls the snapshot is written, so that a command that reads no logs shows them."""
    transcript(tmp_path, "one", reply(1, DAY))
    with watched(tmp_path) as scene:
        scene.until(lambda: '"total_requests": 1' in ringlet(tmp_path, "usage", "--no-sync", "--json").out)
        scene.append("one", reply(2, DAY))
        scene.until(lambda: '"total_requests": 2' in ringlet(tmp_path, "usage", "--no-sync", "--json").out)


def test_the_snapshot_proves_itself_fresh(tmp_path: Path) -> None:
    """The snapshot bears the proof of the files as they were read, of one that came too and not of one that went."""
    transcript(tmp_path, "one", reply(1, DAY))
    transcript(tmp_path, "two", reply(2, DAY))
    views = tmp_path / "rl/views"

    def proved() -> bool:
        known = snapshot.load(str(views))
        return known is not None and known.header.proof == snapshot.proof_of(sweep(known.header.places))

    with watched(tmp_path) as scene:
        scene.until(proved)
        (tmp_path / ".claude/projects/-src/two.jsonl").unlink()
        scene.append("one", reply(3, DAY))
        scene.append("three", reply(4, DAY))
        scene.until(lambda: scene.pages.new == 4 and proved())


def test_a_watcher_that_fails_is_started_again(tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure is logged and shown, and after a pause the watching goes on by itself once its cause is gone."""
    monkeypatch.setattr(live, "PAUSES_S", (0.05,))
    transcript(tmp_path, "one", reply(1, DAY))
    (tmp_path / "rl").mkdir(mode=0o700)
    config = tmp_path / "rl" / "config.toml"
    config.write_text("timezone = 5\n")
    with watched(tmp_path) as scene:
        scene.until(lambda: scene.live.restarts >= 2)
        error, importing = scene.live.last_error, scene.live.importing
        config.write_text('timezone = "UTC"\n')
        scene.until(lambda: scene.pages.new == 1)

    assert error is not None
    assert "timezone" in error
    assert importing
    assert "the watcher failed and is started again" in caplog.text


def test_mended_settings_end_the_pause_after_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever mends the settings that the watching failed for waits for no pause, however many failures there were."""
    monkeypatch.setattr(live, "PAUSES_S", (3600.0,))
    monkeypatch.setattr(live._Stamps, "EVERY_S", 0.05)
    transcript(tmp_path, "one", reply(1, DAY))
    (tmp_path / "rl").mkdir(mode=0o700)
    config = tmp_path / "rl" / "config.toml"
    config.write_text("timezone = 5\n")
    with watched(tmp_path) as scene:
        scene.until(lambda: scene.live.watching == "restarting")
        config.write_text('timezone = "UTC"\n')
        scene.until(lambda: scene.pages.new == 1)
        assert scene.live.restarts == 1


def test_changed_settings_are_watched_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that the settings name later is read without a restart of the daemon."""
    monkeypatch.setattr(live._Stamps, "EVERY_S", 0.05)
    elsewhere = tmp_path / "old"
    transcript(elsewhere, "two", reply(2, DAY, session="s2"))
    transcript(tmp_path, "one", reply(1, DAY))
    with watched(tmp_path) as scene:
        scene.until(lambda: scene.pages.new == 1 and not scene.live.importing)
        (tmp_path / "rl" / "config.toml").write_text(f'[homes]\nclaude = ["{elsewhere}/.claude"]\n')
        scene.until(lambda: scene.pages.new == 2)
        assert scene.live.restarts == 0


def test_another_journal_in_its_place_is_taken_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a repair puts another journal in the place of the open one, the daemon goes on with that one, and nothing counts twice."""
    monkeypatch.setattr(live._Stamps, "EVERY_S", 0.05)
    transcript(tmp_path, "one", reply(1, DAY))
    with watched(tmp_path) as scene:
        scene.until(lambda: scene.pages.new == 1 and not scene.live.importing)
        for suffix in ("-wal", "-shm", ""):
            (tmp_path / "rl" / f"journal.db{suffix}").rename(tmp_path / f"aside.db{suffix}")
        scene.until(lambda: (tmp_path / "rl" / "journal.db").exists() and not scene.live.importing)
        scene.append("one", reply(2, DAY))
        # The first call is new to the journal that lies there now.
        scene.until(lambda: scene.pages.new == 3)
    assert '"total_requests": 2' in ringlet(tmp_path, "usage", "--period", "all", "--json").out


def test_rules_hold_from_when_they_are_made(tmp_path: Path) -> None:
    """A rule made while it watches decides whose the next calls are, also in the snapshot that the daemon writes."""
    transcript(tmp_path, "one", reply(1, DAY, project="/src/shop"))
    with watched(tmp_path) as scene:
        scene.until(lambda: '"total_requests": 1' in ringlet(tmp_path, "usage", "--no-sync", "--json").out)
        rules = Rules().create(Profile(name="acme"), (Rule(profile="acme", project="/src/shop"),))
        (tmp_path / "rl" / "profiles.json").write_bytes(rules.dump())
        scene.append("one", reply(2, DAY, project="/src/shop"))
        scene.until(lambda: scene.pages.new == 2)
        asked = ("usage", "profiles", "--no-sync", "--json", "--profile", "acme")
        scene.until(lambda: '"requests": 2' in ringlet(tmp_path, *asked).out)


def test_what_cannot_be_read_is_counted_while_it_lies_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A source that is not what it should be counts as unreadable, and no more once it is gone."""
    monkeypatch.setattr(watch, "SWEEP_S", 0.2)
    transcript(tmp_path, "one", reply(1, DAY))
    broken = tmp_path / ".local/share/opencode/opencode.db"
    broken.parent.mkdir(parents=True)
    broken.write_bytes(b"no database at all\n" * 100)
    with watched(tmp_path) as scene:
        scene.until(lambda: scene.live.unreadable == 1 and scene.pages.new == 1)
        broken.unlink()
        scene.until(lambda: scene.live.unreadable == 0)


def test_house_is_kept_after_a_seal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was sealed is soon in the views too, and a day that is over has one file however often it was sealed."""
    monkeypatch.setattr(live, "HOUSE_S", 0.05)
    monkeypatch.setattr(watch, "SEAL_S", 0.05)
    views, events = tmp_path / "rl/views/by_day", tmp_path / "rl/events/date=2026-05-13"

    def parquet(folder: Path) -> set[str]:
        # Unlike `rglob` it minds no folder that goes meanwhile.
        return {name for _, _, files in os.walk(folder) for name in files if name.endswith(".parquet")}

    def rows() -> list[int]:
        with Log.open(tmp_path / "rl") as log:
            return [segment.rows for segment in log.segments()]

    transcript(tmp_path, "one", reply(1, DAY))
    with watched(tmp_path) as scene:
        scene.until(lambda: parquet(views) != set())
        before = parquet(views)
        scene.append("one", reply(2, DAY))
        scene.until(lambda: parquet(views) not in (before, set()) and len(parquet(events)) == 1 and rows() == [2])
    assert rows() == [2]


def test_answers_that_cannot_be_brought_up_to_date_stop_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Pages are told even where the answers in memory fail to follow, and the failure is logged."""
    transcript(tmp_path, "one", reply(1, DAY))
    scene = Scene(tmp_path)
    scene.answers.broken = True
    scene.live.start()
    try:
        scene.until(lambda: scene.pages.new == 1)
    finally:
        scene.live.stop()

    assert "no answers today" in caplog.text


def test_a_large_import_is_done_by_a_process_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From many unread bytes on another process reads them first; pages are told that the log has grown."""
    transcript(tmp_path, "one", reply(1, DAY), reply(2, DAY))
    monkeypatch.setattr(live, "PARALLEL_BYTES", 1)
    with watched(tmp_path) as scene:
        scene.until(lambda: not scene.live.importing and scene.pages.told != [])
        seen = scene.live.events_seen
        with Log.open(tmp_path / "rl") as log:
            calls, seq = sum(1 for _ in log.calls(0, 40_000)), log.position().seq

    assert (seen, calls, scene.pages.told[-1].seq) == (0, 2, seq)


def test_pages_are_told_of_what_another_process_read(tmp_path: Path) -> None:
    """Where a command was faster than the watcher, the log has grown all the same, and pages learn of it."""
    transcript(tmp_path, "one", reply(1, DAY))
    with watched(tmp_path) as scene:
        scene.until(lambda: scene.pages.new == 1)
        for number in range(2, 8):
            scene.append("one", reply(number, DAY))
            ringlet(tmp_path, "usage")
        with Log.open(tmp_path / "rl") as log:
            seq = log.position().seq
        scene.until(lambda: scene.pages.told[-1].seq >= seq)
