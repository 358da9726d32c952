"""A real daemon with hooks: it tells what agents spend while it runs, and it does not end while somebody waits to be told."""

from datetime import UTC, datetime
from pathlib import Path

from tests.cli.daemons import Home, daemon, until
from tests.cli.homes import reply, transcript
from tests.cli.hooks.receiving import receiving

THRESHOLD = ("hooks", "add", "default", "--on", "cost-threshold", "--period", "month", "--threshold")


def spend(home: Home, dollars: int) -> None:
    """Claude Code writes one call of this moment that costs so much, after what it wrote before."""
    path = home.folder / ".claude" / "projects" / "-src" / "one.jsonl"
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    lines.append(reply(len(lines), at, model="claude-haiku-4-5-20251001", input=dollars * 1_000_000, output=0))
    transcript(home.folder, "one", *lines)


def test_it_tells_what_agents_spend(tmp_path: Path) -> None:
    """A hook that was there before it started, one that is added while it runs, and the state of both when it has ended."""
    home = Home(tmp_path)
    spend(home, 1)
    with receiving() as receiver:
        target = ("--webhook", receiver.url, "--allow-http", "--allow-private")
        assert home.run(*THRESHOLD, "5", *target).code == 0
        with daemon(home):
            spend(home, 4)
            receiver.until(lambda: len(receiver.got) == 1)
            assert home.run(*THRESHOLD, "8", *target).code == 0
            spend(home, 4)
            receiver.until(lambda: len(receiver.got) == 2)
            # What the receiver has is noted a moment later, and a daemon that ends waits for no receiver.
            until(lambda: home.run("hooks", "logs").out.count("delivered (status 200)") == 2)

    assert [(got.fields["spent_usd"], got.fields["threshold_usd"]) for got in receiver.got] == [(5, 5), (9, 8)]


def test_it_stays_while_there_are_hooks(tmp_path: Path) -> None:
    """A daemon that would end after a second without questions has no end while there is a hook on spend, and ends once there is none."""
    home = Home(tmp_path)
    home.store.mkdir(mode=0o700)
    (home.store / "config.toml").write_text("[daemon]\nidle_s = 1\n")
    id = home.run("hooks", "add", "default", "--on", "daily-rollup", "--shell", "true", "--json").out.split('"')[3]
    with daemon(home) as status:
        until(lambda: home.status().get("ends_at", 0) is None)
        assert status["running"]
        assert home.run("hooks", "remove", id).code == 0
        until(lambda: not home.status()["running"], every=0.5)
