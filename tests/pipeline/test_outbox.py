"""Alerts that were decided: once each, kept until told, and known after the journal that knew them is gone."""

import sqlite3
from itertools import islice
from pathlib import Path

import pytest

from pipeline.errors import PartlyDone
from pipeline.log import Log
from pipeline.outbox import DELIVERED, DROPPED, GIVEN_UP, HEAD, Alert, Outbox

NOW = 1_778_673_600_000_000


@pytest.fixture
def home(tmp_path: Path) -> str:
    """A store whose journal is there."""
    path = tmp_path / "store"
    Log.open(path).close()
    return str(path)


def test_a_window_is_decided_once(home: str) -> None:
    """The first who decides wins, whoever else has the store open; another window or hook is another alert."""
    with Outbox.open(home) as one, Outbox.open(home) as other:
        assert one.decide("h", "day 2026-05-13", b"first", NOW)
        assert not other.decide("h", "day 2026-05-13", b"second", NOW + 1)
        assert other.decide("h", "day 2026-05-14", b"third", NOW + 2)
        assert other.decide("g", "day 2026-05-13", b"fourth", NOW + 3)

        assert one.decided([("h", "day 2026-05-13"), ("g", "day 2026-05-14")]) == {("h", "day 2026-05-13")}
        assert [alert.message for alert in one.waiting()] == [b"first", b"third", b"fourth"]


def test_what_is_decided_waits_until_it_is_settled(home: str) -> None:
    """An attempt is counted when it begins and puts the next one off; settled, however it ended, it waits no longer."""
    with Outbox.open(home) as outbox:
        for hook, outcome in (("a", DELIVERED), ("b", GIVEN_UP), ("c", DROPPED)):
            outbox.decide(hook, "w", b"m", NOW)
            (alert,) = outbox.waiting()
            assert outbox.attempt(alert, NOW + 5)
            outbox.failed(alert, "status 500")
            (alert,) = outbox.waiting()
            assert (alert.attempts, alert.next_at_us, alert.said) == (1, NOW + 5, "status 500")
            outbox.settle(alert, outcome, "so", NOW + 9)

        assert outbox.waiting() == []
        assert [(alert.hook, alert.outcome, alert.said, alert.settled_at_us) for alert in outbox.latest()] == [
            ("a", DELIVERED, "so", NOW + 9),
            ("b", GIVEN_UP, "so", NOW + 9),
            ("c", DROPPED, "so", NOW + 9),
        ]


def test_of_two_who_tell_one_begins_each_attempt(home: str) -> None:
    """Both saw the alert waiting; whoever comes second, or after it was settled, is refused."""
    with Outbox.open(home) as one, Outbox.open(home) as other:
        one.decide("h", "w", b"m", NOW)
        (seen,), (also,) = one.waiting(), other.waiting()
        assert one.attempt(seen, NOW + 1)
        assert not other.attempt(also, NOW + 1)
        (again,) = other.waiting()
        one.settle(seen, DELIVERED, "", NOW)
        assert not other.attempt(again, NOW + 2)


def test_the_latest_come_first(home: str) -> None:
    """Whoever looks back sees the last decisions, as many as were asked for."""
    with Outbox.open(home) as outbox:
        for number in range(5):
            outbox.decide("h", f"day {number}", b"", NOW + number)

        assert [alert.window for alert in islice(outbox.latest(), 2)] == ["day 4", "day 3"]


def lose_journal(home: str) -> None:
    for path in Path(home).glob("journal.db*"):
        path.unlink()
    Log.open(home).close()


def test_a_lost_journal_decides_nothing_twice(home: str) -> None:
    """What was told stays told and what waits goes on waiting, with its message, when another journal takes the place of the first."""
    with Outbox.open(home) as outbox:
        outbox.decide("h", "day 2026-05-12", b"told", NOW)
        outbox.settle(outbox.waiting()[0], DELIVERED, "status 200", NOW + 1)
        outbox.decide("h", "day 2026-05-13", b"waits", NOW + 2)
    lose_journal(home)

    with Outbox.open(home) as outbox:
        assert outbox.restored() == 2
        assert outbox.restored() == 0
        assert not outbox.decide("h", "day 2026-05-12", b"again", NOW + 3)
        assert not outbox.decide("h", "day 2026-05-13", b"again", NOW + 3)
        assert [alert.message for alert in outbox.waiting()] == [b"waits"]


def test_an_older_copy_of_the_journal_decides_nothing_twice(home: str, tmp_path: Path) -> None:
    """A backup that is put back does not know the last decisions; the head does."""
    with Outbox.open(home) as outbox:
        outbox.decide("h", "day 2026-05-12", b"m", NOW)
    copy = sqlite3.connect(tmp_path / "copy.db")
    with sqlite3.connect(f"{home}/journal.db") as live:
        live.backup(copy)
    copy.close()
    live.close()
    with Outbox.open(home) as outbox:
        outbox.decide("h", "day 2026-05-13", b"m", NOW + 1)
    for path in Path(home).glob("journal.db*"):
        path.unlink()
    (tmp_path / "copy.db").rename(f"{home}/journal.db")

    with Outbox.open(home) as outbox:
        assert outbox.restored() == 1
        assert not outbox.decide("h", "day 2026-05-13", b"again", NOW + 2)


def test_a_rebuilt_journal_keeps_its_alerts(home: str) -> None:
    """Making the journal's calls anew is nothing to the alerts."""
    with Outbox.open(home) as outbox:
        outbox.decide("h", "day 2026-05-13", b"m", NOW)
    with Log.open(home) as log:
        log.rebuild()

    with Outbox.open(home) as outbox:
        assert not outbox.decide("h", "day 2026-05-13", b"again", NOW)


def test_the_head_stays_small(home: str) -> None:
    """Of each hook the last three windows are repeated there, and whatever still waits."""
    with Outbox.open(home) as outbox:
        outbox.decide("h", "day 00", b"waits", NOW)
        for number in range(1, 9):
            outbox.decide("h", f"day {number:02}", b"", NOW + number)
            outbox.settle(Alert(hook="h", window=f"day {number:02}", decided_at_us=0, message=b""), DELIVERED, "", NOW)
    lose_journal(home)

    with Outbox.open(home) as outbox:
        assert outbox.restored() == 4
        assert sorted(alert.window for alert in outbox.latest()) == ["day 00", "day 06", "day 07", "day 08"]


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe", b'[{"hook":"h"}]'])
def test_a_torn_head_is_none(home: str, content: bytes) -> None:
    """What cannot be read restores nothing and is written anew by the next decision."""
    (Path(home) / HEAD).write_bytes(content)
    with Outbox.open(home) as outbox:
        assert outbox.restored() == 0
        assert outbox.decide("h", "w", b"m", NOW)
    assert b'"hook":"h"' in (Path(home) / HEAD).read_bytes()
    assert (Path(home) / HEAD).stat().st_mode & 0o777 == 0o600


def test_what_cannot_be_repeated_is_not_decided(home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a full disk the decision fails as a whole, is told as such, and can be made once there is room."""
    from pipeline import durable

    class Full(durable.Fs):
        def write(self, fd: int, content: bytes | memoryview) -> None:
            raise OSError(28, "No space left on device")

    with Outbox.open(home) as outbox:
        with monkeypatch.context() as patched:
            patched.setattr(durable, "fs", Full())
            with pytest.raises(PartlyDone):
                outbox.decide("h", "w", b"m", NOW)
        assert outbox.waiting() == []
        assert outbox.decide("h", "w", b"m", NOW)
