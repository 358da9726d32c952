"""The gate: which command lines it answers itself, and that its answers are those of the full command line."""

import json
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cli import app, gate
from cli.main import run as full
from cli.paths import paths
from cli.refresh import opened
from ingest import memory
from ingest.discover import discover
from ingest.reader import Manner
from ingest.run import ingest
from tests.cli.homes import Outcome, at_home, mixed, reply, ringlet, run
from tests.sizes import times


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("home")
    mixed(made)
    ringlet(made, "usage")
    return made


NAMES = {
    "--profile": ["default", "acme", "mine", "nobody"],
    "--model": ["claude-sonnet-4-5", "claude-sonnet-4-5-20250929", "claude-*", "mystery-9", "claude-sonnet-4"],
    "--provider": ["anthropic", "ollama", "openai", "nobody"],
    "--agent": ["claude", "codex", "nobody"],
    "--period": list(gate.PERIODS),
}


@st.composite
def command_lines(draw: st.DrawFn) -> list[str]:
    """Any command line of the grammar."""
    words: list[list[str]] = []
    for option, names in NAMES.items():
        name = draw(st.none() | st.sampled_from(names))
        if name is not None:
            words.append(draw(st.sampled_from([[option, name], [f"{option}={name}"]])))
    words += [[word] for word in draw(st.sets(st.sampled_from(["--json", "--no-sync"])))]
    words += [[word] for word in draw(st.lists(st.sampled_from(gate.GROUPINGS), max_size=1))]
    return ["usage", *(part for word in draw(st.permutations(words)) for part in word)]


@settings(max_examples=times(150), deadline=None)
@given(argv=command_lines())
def test_both_ways_give_the_same_answer(home: Path, argv: list[str]) -> None:
    """Over the whole grammar, exit code, output and errors are those of the full command line."""
    with at_home(home):
        assert gate.usage(argv[1:]) is not None
        assert run(gate.main, argv) == run(full, argv)


def words(text: str) -> list[str]:
    return text.split()


@pytest.mark.parametrize(
    "line",
    [
        "--period 14d",
        "--period",
        "--profile",
        "--profile --json",
        "--profile=",
        "--model a --model b",
        "--json --json",
        "models agents",
        "models models",
        "projects",
        "export",
        "--since 2026-05-01",
        "--json=yes",
        "--help",
        "-p today",
        "models extra",
    ],
)
def test_what_is_not_in_the_grammar_is_left_alone(line: str) -> None:
    """One word too many, an option twice or without its value, or anything unknown: the full command line decides."""
    assert gate.usage(words(line)) is None


def test_the_grammar_says_what_was_asked() -> None:
    """Every word of a command line ends in the request."""
    request = gate.usage(words("--profile work models --period=7d --model m --provider p --agent a --json --no-sync"))

    assert request is not None
    assert (request.profile, request.what, request.period, request.model) == ("work", "models", "7d", "m")
    assert (request.provider, request.agent, request.json, request.sync) == ("p", "a", True, False)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    mixed(tmp_path)
    assert ringlet(tmp_path, "usage").code == 0
    return tmp_path


def hot(home: Path, *argv: str, now: str = "2026-05-13T12:00:00+00:00", zone: str = "UTC") -> bool:
    """Whether the gate answers from the snapshot alone."""
    request = gate.usage(list(argv))
    assert request is not None
    with at_home(home, now=now, zone=zone):
        outcome = run(lambda _: app.hot(request), [])
    return outcome != Outcome(None, "", "")  # type: ignore[arg-type]


def test_fresh_snapshot_answers_alone(store: Path) -> None:
    """While nothing has changed, the snapshot is all that is read."""
    assert hot(store)
    assert hot(store, "daily", "--period", "all")


def test_remembered_names_hide_nothing(store: Path) -> None:
    """Once the gate remembers where the logs lie, lines, files and folders that come are counted as ever."""
    later = "2031-05-13T12:00:00+00:00"  # by then every folder has rested
    logs = store / ".claude" / "projects" / "-src"

    def requests() -> int:
        out = ringlet(store, "usage", "--period", "all", "--json", now=later).out
        return int(json.loads(out)["total_requests"])

    before = requests()
    assert hot(store, now=later)
    assert (store / "rl" / "views" / memory.NAME).exists()
    assert hot(store, now=later)
    with (logs / "one.jsonl").open("a") as file:
        file.write(reply(70, "2026-05-13T11:00:00Z"))
    assert requests() == before + 1
    (logs / "new.jsonl").write_text(reply(71, "2026-05-13T11:00:00Z"))
    assert requests() == before + 2
    (logs / "deeper").mkdir()
    (logs / "deeper" / "agent.jsonl").write_text(reply(72, "2026-05-13T11:00:00Z"))
    assert requests() == before + 3
    (logs / "new.jsonl").unlink()
    assert requests() == before + 3
    assert hot(store, now=later)


@pytest.mark.parametrize("lost", ["nothing", "the journal", "the memory", "an older journal"])
def test_only_what_changed_is_read_while_the_rest_is_sure(store: Path, tmp_path_factory: pytest.TempPathFactory, lost: str) -> None:
    """With a memory of all files the changed ones are read by themselves; a log that began anew or went back reads everything again."""
    later = "2031-05-13T12:00:00+00:00"
    logs, kept = store / ".claude" / "projects" / "-src", tmp_path_factory.mktemp("kept")

    def requests() -> int:
        return int(json.loads(ringlet(store, "usage", "--period", "all", "--json", now=later).out)["total_requests"])

    def append(number: int) -> None:
        for name in ("one", "two"):
            with (logs / f"{name}.jsonl").open("a") as file:
                file.write(reply(number, "2026-05-13T11:00:00Z", session=name))
            number += 1

    before = requests()
    assert hot(store, now=later)
    for path in (store / "rl").glob("journal.db*"):
        shutil.copy2(path, kept)
    append(70)
    assert requests() == before + 2
    assert hot(store, now=later)
    if lost == "the journal":
        for path in (store / "rl").glob("journal.db*"):
            path.unlink()
    elif lost == "an older journal":
        for path in (store / "rl").glob("journal.db*"):
            path.unlink()
        for path in kept.iterdir():
            shutil.copy2(path, store / "rl")
    elif lost == "the memory":
        (store / "rl" / "views" / memory.NAME).unlink()
    append(80)
    assert requests() == before + 4
    assert hot(store, now=later)
    append(90)
    (logs / "deeper").mkdir()
    assert requests() == before + 6
    assert requests() == before + 6


def test_midnight_does_not_make_a_snapshot_old(store: Path) -> None:
    """The coming days are known to the snapshot: on the next day it answers about the new today and yesterday."""
    tomorrow = "2026-05-14T00:00:00+00:00"

    assert hot(store, now=tomorrow)
    assert "Yesterday (2026-05-13)" in ringlet(store, "usage", "--period", "yesterday", now=tomorrow).out


@pytest.mark.parametrize("change", ["log", "deleted log", "new log", "config", "profiles", "prices", "zone", "home", "clock"])
def test_whatever_could_change_an_answer_makes_a_snapshot_old(store: Path, change: str) -> None:
    """A changed log, setting, rule, price, zone or agent home, and a clock outside the known days, take a longer look."""
    zone, now = "UTC", "2026-05-13T12:00:00+00:00"
    logs = store / ".claude" / "projects" / "-src"
    if change == "log":
        with (logs / "one.jsonl").open("a") as file:
            file.write('{"type":"user"}\n')
    elif change == "deleted log":
        (logs / "two.jsonl").unlink()
    elif change == "new log":
        (logs / "nine.jsonl").write_text("")
    elif change == "config":
        (store / "rl" / "config.toml").write_text('[usage]\ncost_mode = "logged"\n')
    elif change == "profiles":
        (store / "rl" / "profiles.json").unlink()
    elif change == "prices":
        (store / "rl" / "prices").mkdir()
        (store / "rl" / "prices" / "synced.tsv").write_text("")
    elif change == "zone":
        zone = "Asia/Tokyo"
    elif change == "home":
        with at_home(store):
            os.environ["CLAUDE_CONFIG_DIR"] = str(store / "elsewhere")
            request = gate.usage([])
            assert request is not None
            assert app.hot(request) is None
        return
    else:
        now = "2027-05-13T12:00:00+00:00"

    assert not hot(store, now=now, zone=zone)


def test_no_sync_skips_only_the_look_at_logs(store: Path) -> None:
    """`--no-sync` trusts the snapshot about logs, and about nothing else."""
    (store / ".claude" / "projects" / "-src" / "nine.jsonl").write_text("")
    assert hot(store, "--no-sync")
    (store / "rl" / "profiles.json").unlink()
    assert not hot(store, "--no-sync")


def test_whoever_read_the_logs_can_prove_a_snapshot_fresh(store: Path) -> None:
    """A watcher that has read everything leaves a snapshot that answers alone; while a line is unread, it proves nothing."""
    logs = store / ".claude" / "projects" / "-src"
    with at_home(store), opened(paths(), os.environ, app.clock()) as inside:
        (logs / "nine.jsonl").write_text(reply(70, "2026-05-13T11:00:00Z"))
        inside.refreshed(sync=False, prove=True)
        assert not app.proved(inside.snapshot)
        manner = Manner(now_ns=app.clock() * 1000)
        ingest(inside.log, inside.adapters, discover(inside.adapters, os.environ, str(store)), manner)
        inside.refreshed(sync=False, prove=True)

    assert hot(store)
