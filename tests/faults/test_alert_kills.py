"""SIGKILL between commit, decision, delivery and its note: each alert is decided exactly once and told at least once, under one key."""

import json
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cli.hooks.alerting import Alerting
from cli.paths import paths
from pipeline.outbox import DELIVERED, Alert, Outbox
from tests.cli.daemons import ROOT, Home, until
from tests.cli.homes import reply, ringlet
from tests.cli.hooks.receiving import Receiver, receiving
from tests.sizes import times

HAIKU = "claude-haiku-4-5-20251001"
"""A dollar per million tokens of input."""


class Scene:
    """A home whose one profile's spend is hooked, an agent that writes there, and a receiver that counts."""

    def __init__(self, folder: Path, receiver: Receiver) -> None:
        self.home, self.receiver = Home(folder), receiver
        self.log = folder / ".claude" / "projects" / "p" / "one.jsonl"
        self.log.parent.mkdir(parents=True)
        self.calls = 0
        self.hooks: dict[str, str] = {}
        """Idempotency key by hook."""
        self.spend(1)
        self.run("ingest")

    def run(self, *argv: str) -> str:
        now = datetime.now(UTC)
        done = ringlet(self.home.folder, *argv, now=now.isoformat())
        assert done.code == 0, done.err
        return done.out

    def spend(self, dollars: int) -> None:
        """The agent writes a call of this month that costs so much."""
        self.calls += 1
        at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        with self.log.open("a") as file:
            file.write(reply(self.calls, at, model=HAIKU, input=dollars * 1_000_000, output=0))

    def hook(self, dollars: str) -> str:
        words = ("--on", "cost-threshold", "--period", "month", "--threshold", dollars)
        target = ("--webhook", self.receiver.url, "--allow-http", "--allow-private")
        id: str = json.loads(self.run("hooks", "add", "default", *words, *target, "--json"))["id"]
        self.hooks[id] = f"{id}-month-{datetime.now(UTC):%Y-%m}"
        return id

    def watcher(self, fault: str | None = None) -> "subprocess.Popen[bytes]":
        env: dict[str, Any] = {**self.home.env, **({"RINGLET_FAULT": fault} if fault else {})}
        null = subprocess.DEVNULL
        return subprocess.Popen(self.home.command("ingest", "--watch"), env=env, cwd=ROOT, stdin=null, stdout=null, stderr=null)

    def recover(self) -> None:
        """Whoever watches next reads on, decides and tells; in this process, which has everything loaded."""
        self.run("ingest")
        alerts = Alerting(paths(self.home.env), self.home.env, lambda: True)
        alerts.start()
        try:
            until(self.all_told, every=0.1)
        finally:
            alerts.stop()

    def alerts(self) -> list[Alert]:
        with Outbox.open(str(self.home.store)) as outbox:
            return list(outbox.latest())

    def settle(self) -> None:
        """What was tried twice in vain is told, in this process: each further attempt that a kill cuts short would have to be waited for
        for longer, up to a day."""
        if not any(alert.attempts > 1 for alert in self.waiting()):
            return
        alerts = Alerting(paths(self.home.env), self.home.env, lambda: True)
        alerts.start()
        try:
            until(lambda: not self.waiting(), every=0.1)
        finally:
            alerts.stop()

    def waiting(self) -> list[Alert]:
        if not (self.home.store / "journal.db").exists():
            return []
        with Outbox.open(str(self.home.store)) as outbox:
            return outbox.waiting()

    def all_told(self) -> bool:
        return {alert.hook for alert in self.alerts() if alert.outcome == DELIVERED} >= set(self.hooks)

    def judge(self) -> None:
        """One decision of each hook, all delivered, and no key but theirs was ever sent."""
        found = Counter(alert.hook for alert in self.alerts())
        assert found == dict.fromkeys(self.hooks, 1), "not decided, or for another window too"
        assert self.all_told()
        assert set(self.receiver.keys) == set(self.hooks.values())
        # A message says when it was decided, and with which sum.
        assert len({(got.key, got.body) for got in self.receiver.got}) == len(self.hooks), "decided more than once"


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with receiving() as receiver:
        yield Scene(tmp_path, receiver)


@pytest.mark.slow
@pytest.mark.parametrize("step", ["begun", "journal_written", "committed"])
def test_killed_in_every_transaction(scene: Scene, step: str) -> None:
    """The first transaction of a watcher, the second, and so on up to its last: before it, inside of it, and right behind its COMMIT."""
    for number in range(1, 40):
        scene.spend(1)
        scene.hook(f"0.{number:03}")
        watcher = scene.watcher(f"{step}:{number}")
        until(lambda watcher=watcher: watcher.poll() is not None or scene.all_told(), every=0.1)  # type: ignore[misc]
        if watcher.poll() is None:
            watcher.terminate()
        if watcher.wait() == 143:
            break
        assert watcher.returncode == -signal.SIGKILL
        scene.recover()
        scene.judge()

    scene.judge()
    # A commit, a decision, an attempt, its note and the seal: fewer would mean that the faults hit nothing of that.
    assert number > 5
    if step == "begun":
        # Killed after the receiver had it and before that could be noted.
        assert max(Counter(scene.receiver.keys).values()) > 1


@pytest.mark.slow
def test_killed_at_random_while_budgets_are_crossed(scene: Scene) -> None:
    """A daemon that is killed again and again while agents spend: in the end every budget that was crossed was told, each under one key."""
    rng = random.Random(7)
    kills = times(6)
    for dollars in range(2, 2 + 4 * kills):
        scene.hook(str(dollars))
    for _ in range(kills):
        with scene.home.foreground() as daemon:
            end = time.monotonic() + rng.uniform(0.6, 3.0)
            while time.monotonic() < end:
                scene.spend(1)
                time.sleep(rng.uniform(0.05, 0.3))
            daemon.kill()
        scene.settle()
    while scene.calls < 2 + 4 * kills:
        scene.spend(1)
    with scene.home.foreground() as daemon:
        until(scene.all_told, every=0.1)
        daemon.terminate()
    scene.judge()
