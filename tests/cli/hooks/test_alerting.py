"""Alerts while somebody watches: what is decided after a commit, that it is told, and what keeps it from being told twice."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from cli.hooks import alerting, telling, webhook
from cli.hooks.alerting import Alerting
from cli.hooks.book import Hooks
from cli.paths import paths
from pipeline.errors import RingletError
from pipeline.log import Log
from pipeline.outbox import Outbox
from pipeline.profiles import Rules
from tests.cli.homes import at_home, reply, ringlet, transcript
from tests.cli.hooks.receiving import Receiver, receiving

NOON = "2026-05-13T12:00:00+00:00"
"""A Wednesday."""
HAIKU = "claude-haiku-4-5-20251001"
"""A dollar per million tokens of input, whatever the prompt's size."""


class Scene:
    """A home with a profile `work`, a receiver, and a clock that stands where it is put."""

    def __init__(self, home: Path, receiver: Receiver, environ: dict[str, str]) -> None:
        self.home, self.receiver, self.environ = home, receiver, environ
        self.lines = [reply(0, "2026-05-12T09:00:00Z", model=HAIKU, input=1_000_000, project="/src/else")]
        self._canaries = 0

    def hook(self, *words: str, shell: str | None = None) -> str:
        target = ["--shell", shell] if shell else ["--webhook", self.receiver.url, "--allow-http", "--allow-private"]
        done = self.run("hooks", "add", "work", *words, *target, "--json")
        made: str = json.loads(done)["id"]
        return made

    def run(self, *argv: str) -> str:
        done = ringlet(self.home, *argv, now=self.now)
        assert done.code == 0, done.err
        return done.out

    now = NOON

    def spend(self, dollars: float, at: str = "2026-05-13T11:00:00Z", model: str = HAIKU, project: str = "/src/work") -> None:
        """A call that costs so much is in the log."""
        number = len(self.lines)
        self.lines.append(reply(number, at, input=round(dollars * 1_000_000), output=1, model=model, project=project))
        transcript(self.home, "one", *self.lines)
        self.run("ingest")

    def alerting(self, ready: Callable[[], bool] = lambda: True) -> Alerting:
        return Alerting(paths(self.environ), self.environ, ready)

    @contextmanager
    def watching(self, ready: Callable[[], bool] = lambda: True) -> Iterator[Alerting]:
        alerts = self.alerting(ready)
        alerts.start()
        try:
            yield alerts
        finally:
            alerts.stop()

    def decided(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.run("hooks", "logs", "work", "--json"))
        return found

    def settled(self) -> None:
        """Wait until something was decided and nothing waits to be told any more."""
        told: list[dict[str, Any]] = []

        def done() -> bool:
            told[:] = json.loads(self.run("hooks", "logs", "--json"))
            return bool(told) and all(each["outcome"] != "waiting" for each in told)

        self.receiver.until(done)

    def looked(self) -> None:
        """Returns when whoever watches has looked at everything: a hook that is due, and the last in the file, has been told."""
        self._canaries += 1
        words = ("--on", "cost-threshold", "--period", "month", "--threshold", f"0.00{self._canaries}", "--shell", "true")
        canary = json.loads(self.run("hooks", "add", "default", *words, "--json"))["id"]
        self.receiver.until(lambda: canary in self.run("hooks", "logs", "--json"))
        self.settled()
        self.run("hooks", "remove", canary)


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    monkeypatch.setattr(alerting, "LOOK_S", 0.02)
    monkeypatch.setattr(alerting, "REST_S", 0.01)
    monkeypatch.setattr(alerting, "RETRY_S", 0.02)
    monkeypatch.setattr(telling, "PAUSES_S", (0.0,) * 7)
    # On a busy machine a receiver may take long: an attempt that is given up too soon is one more.
    monkeypatch.setattr(webhook, "CONNECT_S", 90.0)
    monkeypatch.setattr(webhook, "TOTAL_S", 90.0)
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "RINGLET_HOME": str(tmp_path / "rl"), "TZ": "UTC"}
    with receiving() as receiver:
        scene = Scene(tmp_path, receiver, environ)
        scene.run("profiles", "create", "claude", "work", "--project", "/src/work")
        yield scene


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts the clock of whoever watches; it stands there."""

    def put(now: str) -> None:
        at_ns = int(datetime.fromisoformat(now).timestamp()) * 10**9
        monkeypatch.setattr(time, "time_ns", lambda: at_ns)
        Scene.now = now

    monkeypatch.setattr(Scene, "now", NOON)
    put(NOON)
    return put


def daily(dollars: int) -> tuple[str, ...]:
    return ("--on", "cost-threshold", "--period", "day", "--threshold", str(dollars))


def test_a_threshold_that_is_reached_is_told_once(scene: Scene) -> None:
    """Nothing below it; one message when it is reached; none for all that is spent afterwards."""
    id = scene.hook(*daily(10))
    scene.spend(9)
    with scene.watching() as alerts:
        scene.looked()
        assert scene.receiver.got == []
        scene.spend(1)
        alerts.noticed()
        scene.receiver.until(lambda: len(scene.receiver.got) == 1)
        for _ in range(3):
            scene.spend(20)
            scene.looked()

    (got,) = scene.receiver.got
    assert got.key == f"{id}-day-2026-05-13"
    assert got.fields["text"] == "Profile work has reached the threshold of $10.00: $10.00 spent today (2026-05-13)."
    assert [(each["outcome"], each["attempts"]) for each in scene.decided()] == [("delivered", 1)]


def test_each_window_and_each_hook_has_its_own(scene: Scene) -> None:
    """Day, week and month of one spend, with their days and the share of the budget in words."""
    scene.hook(*daily(5))
    scene.hook("--on", "cost-threshold", "--period", "week", "--threshold", "11")
    scene.hook("--on", "cost-threshold", "--period", "month", "--threshold", "16", "--of", "20")
    scene.spend(5, "2026-05-02T11:00:00Z")
    scene.spend(6, "2026-05-11T11:00:00Z")
    scene.spend(5)
    with scene.watching():
        scene.receiver.until(lambda: len(scene.receiver.got) == 3)

    assert sorted(got.fields["text"] for got in scene.receiver.got) == [
        "Profile work has reached the threshold of $11.00: $11.00 spent this week (2026-05-11 to 2026-05-17).",
        "Profile work has reached the threshold of $16.00, 80 % of $20.00: $16.00 spent this month (2026-05-01 to 2026-05-31).",
        "Profile work has reached the threshold of $5.00: $5.00 spent today (2026-05-13).",
    ]


def test_what_was_spent_in_days_gone_by_is_told_to_nobody(scene: Scene) -> None:
    """The import of a whole history, on a new machine or a known one, fires nothing for other windows than the present ones."""
    scene.hook(*daily(10))
    scene.hook("--on", "cost-threshold", "--period", "week", "--threshold", "10")
    scene.hook("--on", "cost-threshold", "--period", "month", "--threshold", "10")
    for day in ("2026-05-10", "2026-04-30", "2026-01-01", "2025-05-13"):
        scene.spend(500, f"{day}T11:00:00Z", project="/src/work" if day != "2026-05-10" else "/src/other")
    scene.spend(500, "2026-05-14T00:10:00Z")
    with scene.watching():
        scene.looked()

    assert (scene.receiver.got, scene.decided()) == ([], [])


def test_a_budget_reached_while_nobody_watched_is_told_by_the_next_who_does(scene: Scene) -> None:
    """The law asks for the spend of the window that lasts, not for who saw it grow."""
    scene.hook(*daily(10))
    scene.spend(50)
    with scene.watching():
        scene.receiver.until(lambda: len(scene.receiver.got) == 1)


def test_the_next_day_is_another_window(scene: Scene, clock: Callable[[str], None]) -> None:
    """Told on Wednesday, told again on Thursday once Thursday's spend has reached it, and not before."""
    scene.hook(*daily(10))
    scene.spend(50)
    with scene.watching() as alerts:
        scene.receiver.until(lambda: len(scene.receiver.got) == 1)
        clock("2026-05-14T12:00:00+00:00")
        scene.looked()
        assert len(scene.receiver.got) == 1
        scene.spend(12, "2026-05-14T11:00:00Z")
        alerts.noticed()
        scene.receiver.until(lambda: len(scene.receiver.got) == 2)


def test_restarts_tell_nothing_twice(scene: Scene) -> None:
    """What was decided and told stays so, however often a watcher begins anew."""
    scene.hook(*daily(10))
    scene.spend(50)
    for _ in range(3):
        with scene.watching():
            scene.receiver.until(lambda: len(scene.receiver.got) == 1)
            scene.settled()
            scene.looked()
    assert len(scene.receiver.got) == 1


def test_two_watchers_decide_once(scene: Scene) -> None:
    """Whoever comes first; what both may deliver bears one key."""
    for dollars in range(1, 9):
        scene.hook(*daily(dollars))
    scene.spend(50)
    with scene.watching(), scene.watching():
        scene.receiver.until(lambda: len(set(scene.receiver.keys)) == 8)
        scene.settled()

    assert len(scene.decided()) == 8
    assert len(set(scene.receiver.keys)) == 8


def test_what_is_not_taken_is_tried_again_with_the_same_key(
    scene: Scene, clock: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also by the next watcher; each attempt bears the same key and the same body."""
    monkeypatch.setattr(telling, "PAUSES_S", (0.0, 600.0, *(0.0,) * 5))
    scene.hook(*daily(10))
    scene.receiver.status = 500
    scene.spend(50)
    with scene.watching():
        scene.receiver.until(lambda: len(scene.receiver.got) == 2)
    scene.receiver.status = 200
    clock("2026-05-13T13:00:00+00:00")
    with scene.watching():
        scene.settled()

    (alert,) = scene.decided()
    assert (alert["outcome"], alert["attempts"]) == ("delivered", 3)
    assert len({(got.key, got.body) for got in scene.receiver.got}) == 1


def test_after_the_last_pause_it_is_given_up_and_said(scene: Scene) -> None:
    """Eight attempts; then the log of hooks and doctor tell it, and nothing waits."""
    id = scene.hook(*daily(10))
    scene.receiver.status = 404
    scene.spend(50)
    with scene.watching():
        scene.settled()

    assert [(each["outcome"], each["attempts"], each["said"]) for each in scene.decided()] == [("given up", 8, "status 404")]
    assert len(scene.receiver.got) == 8
    warned = [
        each["what"] for each in json.loads(ringlet(scene.home, "doctor", "--json", now=NOON).out)["findings"] if each["area"] == "hooks"
    ]
    assert warned == [
        "there are hooks on spend and nobody watches: nothing is told",
        f"hook {id} could not tell its last alert, it is given up: status 404",
    ]


def test_pauses_grow() -> None:
    """From seconds to a day, each a fifth longer or shorter by chance; what is tried last waits as long as the last one."""
    pauses = [telling._pause_us(attempts) / 1e6 for attempts in range(9)]

    for pause, expected in zip(pauses, (2, 10, 60, 600, 3600, 21600, 86400, 86400, 86400), strict=True):
        assert expected * 0.8 <= pause <= expected * 1.2


def test_a_slow_receiver_delays_no_decision(scene: Scene) -> None:
    """While one command runs, the next budget is decided; it is told when the first one is done."""
    scene.hook(*daily(1), shell=f"while [ ! -e {scene.home}/go ]; do sleep 0.02; done")
    scene.spend(2)
    with scene.watching() as alerts:
        scene.receiver.until(lambda: len(scene.decided()) == 1)
        scene.hook(*daily(5))
        scene.spend(10)
        alerts.noticed()
        scene.receiver.until(lambda: len(scene.decided()) == 2)
        assert scene.receiver.got == []
        (scene.home / "go").touch()
        scene.receiver.until(lambda: len(scene.receiver.got) == 1)


def test_hooks_hold_from_when_they_are_made_until_they_are_removed(scene: Scene) -> None:
    """Whoever watches takes up a new hook by itself, and lets go of one that is gone."""
    scene.spend(50)
    with scene.watching() as alerts:
        time.sleep(0.1)
        assert not alerts.needed
        id = scene.hook(*daily(10))
        scene.receiver.until(lambda: len(scene.receiver.got) == 1)
        assert alerts.needed
        scene.settled()
        scene.run("hooks", "remove", id)
        scene.receiver.until(lambda: not alerts.needed)


def test_without_hooks_the_store_is_left_alone(scene: Scene) -> None:
    """No table is made, and not even a missing store comes into being."""
    with scene.watching():
        time.sleep(0.2)
    assert not (scene.home / "rl" / "journal.db").exists()
    scene.spend(50)
    with scene.watching():
        time.sleep(0.2)
        assert not any(link.is_relative_to(scene.home) and "journal.db" in link.name for link in open_files())


def open_files() -> list[Path]:
    found = []
    for link in Path("/proc/self/fd").iterdir():
        try:
            found.append(link.readlink())
        except OSError:
            continue
    return found


def test_settings_and_rules_hold_from_when_they_are_changed(scene: Scene) -> None:
    """A rule that gives a profile more of the past, and a price for a model that had none, are looked at like new spend."""
    scene.hook(*daily(10))
    scene.spend(50, project="/src/other")
    with scene.watching():
        scene.looked()
        assert scene.receiver.got == []
        scene.run("profiles", "map", "work", "--project", "/src/other")
        scene.receiver.until(lambda: len(scene.receiver.got) == 1)
        scene.hook(*daily(900))
        scene.spend(1, model="mystery-9")
        scene.looked()
        (scene.home / "rl" / "config.toml").write_text('[tokenPriceTable."mystery-9"]\ninput = 900\noutput = 0\n')
        scene.receiver.until(lambda: len(scene.receiver.got) == 2)


def test_days_and_weeks_are_those_of_the_settings(scene: Scene, clock: Callable[[str], None]) -> None:
    """On Wednesday 11:00 in Apia it is Tuesday in UTC; a week that begins on Wednesday holds what was spent today alone."""
    (scene.home / "rl" / "config.toml").write_text('timezone = "Pacific/Apia"\nweek_start = "wednesday"\n')
    clock("2026-05-12T22:00:00+00:00")
    scene.hook(*daily(5))
    scene.hook("--on", "cost-threshold", "--period", "week", "--threshold", "9")
    scene.spend(7, "2026-05-12T10:30:00Z")
    scene.spend(6, "2026-05-12T11:30:00Z")
    with scene.watching():
        scene.receiver.until(lambda: len(scene.receiver.got) == 1)
        scene.looked()

    (got,) = scene.receiver.got
    assert (got.fields["from"], got.fields["spent_usd"]) == ("2026-05-13", pytest.approx(6, abs=0.001))


def test_calls_without_a_price_are_told(scene: Scene) -> None:
    """They are in no sum, so whoever reads the sum must know of them."""
    scene.hook(*daily(10))
    scene.spend(50)
    scene.spend(50, model="mystery-9")
    with scene.watching():
        scene.receiver.until(lambda: len(scene.receiver.got) == 1)

    fields = scene.receiver.got[0].fields
    assert fields["unpriced_requests"] == 1
    assert fields["text"].endswith("$50.00 spent today (2026-05-13); 1 call has no known price and is not in it.")


def test_nothing_is_told_before_all_that_lies_there_is_read(scene: Scene) -> None:
    """Half a history could make half a sum."""
    ready = threading.Event()
    scene.hook(*daily(10))
    scene.spend(50)
    with scene.watching(ready.is_set):
        time.sleep(0.2)
        assert scene.decided() == []
        ready.set()
        scene.receiver.until(lambda: len(scene.receiver.got) == 1)


def test_a_report_tells_the_day_before(scene: Scene, clock: Callable[[str], None]) -> None:
    """At its time and once: calls, cost and tokens of yesterday; a day without any is told too."""
    clock("2026-05-12T18:00:00+00:00")
    scene.hook("--on", "daily-rollup", "--at", "08:30")
    scene.spend(12, "2026-05-12T10:00:00Z")
    scene.spend(900, "2026-05-13T08:00:00Z")
    with scene.watching():
        scene.looked()
        clock("2026-05-13T08:29:59+00:00")
        scene.looked()
        assert scene.receiver.got == []
        clock("2026-05-13T08:30:00+00:00")
        scene.receiver.until(lambda: len(scene.receiver.got) == 1)
        scene.looked()
        clock("2026-05-15T12:00:00+00:00")
        scene.receiver.until(lambda: len(scene.receiver.got) == 2)

    assert [got.fields["text"] for got in scene.receiver.got] == [
        "Profile work made 1 call on 2026-05-12 for $12.00: 12M in / 1 out.",
        "Profile work used nothing on 2026-05-14.",
    ]
    assert [got.fields["event"] for got in scene.receiver.got] == ["daily-rollup"] * 2


@pytest.mark.parametrize("restore", ["lost", "rebuilt"])
def test_another_journal_tells_nothing_again(scene: Scene, restore: str) -> None:
    """The journal is lost and made anew, or rebuilt from the log: what was told in this window is not told again, by nobody."""
    scene.hook(*daily(10))
    scene.spend(50)
    with scene.watching():
        scene.receiver.until(lambda: len(scene.receiver.got) == 1)
        scene.settled()
    if restore == "lost":
        for path in (scene.home / "rl").glob("journal.db*"):
            path.unlink()
    else:
        with Log.open(scene.home / "rl") as log:
            log.rebuild()
    scene.spend(50)
    with scene.watching():
        scene.looked()

    assert len(scene.receiver.got) == 1
    assert [each["outcome"] for each in scene.decided()] == ["delivered"]


def test_a_decision_that_only_the_head_knows_is_told(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed right before the journal's commit, or the journal lost while it waited: the next watcher tells it, in the words of then."""
    monkeypatch.setattr(telling, "PAUSES_S", (600.0,) * 7)
    scene.hook(*daily(10))
    scene.receiver.status = 500
    scene.spend(50)
    with scene.watching():
        scene.receiver.until(lambda: len(scene.receiver.got) == 1)
    scene.receiver.status = 200
    (waiting,) = scene.decided()
    for path in (scene.home / "rl").glob("journal.db*"):
        path.unlink()
    scene.spend(50)
    with scene.watching():
        scene.receiver.until(lambda: bool(scene.decided()))
        scene.settled()

    (told,) = scene.decided()
    assert (waiting["outcome"], told["outcome"], told["text"]) == ("waiting", "delivered", waiting["text"])
    assert len({got.body for got in scene.receiver.got}) == 1


def test_a_journal_that_is_replaced_while_watching_tells_nothing_again(scene: Scene) -> None:
    """Whoever watches notices that it holds another file than the one that lies there."""
    scene.hook(*daily(10))
    scene.spend(50)
    with scene.watching():
        scene.receiver.until(lambda: len(scene.receiver.got) == 1)
        scene.settled()
        for path in (scene.home / "rl").glob("journal.db*"):
            # Whoever watches may have let go of it, and taken away what belongs to it.
            path.unlink(missing_ok=True)
        scene.spend(50)
        scene.looked()
        id = scene.hook(*daily(20))
        scene.receiver.until(lambda: len(scene.receiver.got) == 2)

    assert scene.receiver.keys[1] == f"{id}-day-2026-05-13"


def test_hooks_that_others_could_have_written_are_off(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is told while the file is open to others; the log says why; once it is closed everything goes on."""
    scene.hook(*daily(10))
    scene.spend(50)
    file = scene.home / "rl" / "hooks.json"
    file.chmod(0o666)
    with scene.watching():
        scene.receiver.until(lambda: "hooks are off" in caplog.text)
        file.chmod(0o600)
        scene.receiver.until(lambda: len(scene.receiver.got) == 1)


def test_a_hook_that_cannot_be_told_holds_up_no_other(scene: Scene) -> None:
    """A signing secret that was typed into the file and is none is a failed attempt; the next hook is told."""
    broken = scene.hook(*daily(5))
    scene.hook(*daily(6))
    file = scene.home / "rl" / "hooks.json"
    content = json.loads(file.read_text())
    content["hooks"][0]["signing"] = "whsec_no"
    file.write_text(json.dumps(content))
    scene.spend(50)
    with scene.watching():
        scene.settled()

    said = {each["hook"]: (each["outcome"], each["said"]) for each in scene.decided()}
    assert said.pop(broken) == ("given up", "cannot be told (Error)")
    assert list(said.values()) == [("delivered", "status 200")]


def test_a_failure_is_logged_and_tried_again(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    """Settings that cannot be read for a while cost no alert and no thread, and one line in the log."""
    scene.hook(*daily(10))
    scene.spend(50)
    config = scene.home / "rl" / "config.toml"
    config.write_text("timezone = 5\n")
    with scene.watching():
        scene.receiver.until(lambda: "it is tried again" in caplog.text)
        time.sleep(0.2)
        config.write_text("")
        scene.receiver.until(lambda: len(scene.receiver.got) == 1)
    assert caplog.text.count("it is tried again") == 1


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), RingletError("is busy")])
def test_what_cannot_be_told_for_a_while_is_said_once(
    scene: Scene, error: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """While alerts are decided and cannot be told the log says so once, however often it is tried, and then they are told."""
    tries: list[Hooks] = []
    tell = telling.Teller.tell

    def failing(teller: telling.Teller, hooks: Hooks) -> float | None:
        tries.append(hooks)
        if len(tries) < 6:
            raise error
        return tell(teller, hooks)

    monkeypatch.setattr(telling.Teller, "tell", failing)
    scene.hook(*daily(10))
    scene.spend(50)
    with scene.watching():
        scene.receiver.until(lambda: len(scene.receiver.got) == 1)
    assert caplog.text.count("cannot be told") == 1


def test_a_hook_of_no_profile_waits(scene: Scene) -> None:
    """Where the profile is gone by another way than its command, nothing is spent and nothing told."""
    scene.hook(*daily(10))
    scene.spend(50)
    (scene.home / "rl" / "profiles.json").write_bytes(Rules().dump())
    with scene.watching():
        scene.looked()
    assert scene.receiver.got == []


def test_no_secret_is_logged(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    """Failures name the hook and what happened, never the address or the secret that messages are signed with."""
    caplog.set_level(0)
    scene.hook(*daily(10))
    scene.receiver.status = 500
    scene.spend(50)
    with scene.watching():
        scene.settled()

    assert "status 500" in caplog.text
    assert "secret-path" not in caplog.text
    assert "whsec_" not in caplog.text


def test_it_stops_at_once(scene: Scene) -> None:
    """Nobody who ends the watcher waits for a command that runs; it is tried again by the next one."""
    marks = scene.home / "runs"
    scene.hook(*daily(10), shell=f"echo >> {marks}; sleep 60")
    scene.spend(50)
    with scene.watching():
        scene.receiver.until(lambda: marks.exists() and marks.read_text() == "\n")
    assert [(each["outcome"], each["said"]) for each in scene.decided()] == [("waiting", "interrupted")]
    with scene.watching():
        scene.receiver.until(lambda: marks.read_text().startswith("\n\n"))


def test_the_log_of_alerts_is_the_journals(scene: Scene) -> None:
    """What the command shows is what was decided."""
    id = scene.hook(*daily(10))
    scene.spend(50)
    with scene.watching():
        scene.receiver.until(lambda: len(scene.receiver.got) == 1)
        scene.settled()
    with at_home(scene.home), Outbox.open(str(scene.home / "rl")) as outbox:
        (alert,) = outbox.latest()

    assert (alert.hook, alert.window, alert.outcome) == (id, "day 2026-05-13", "delivered")
    assert "delivered (status 200), 1 attempt" in scene.run("hooks", "logs", "work")
