"""Imports so large that a process of its own does them, so that answers do not wait."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.progress import read
from cli.serve.contract import inventory
from cli.serve.handlers import imports
from pipeline.errors import RingletError
from tests.cli.homes import reply, transcript
from tests.cli.serve.test_api import Api

ROOT = Path(__file__).parents[3]
PATH = "/api/usage/import-claude"


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """One in whose eyes everything is large."""
    monkeypatch.setattr(imports, "PARALLEL_BYTES", 0)
    made = Api(tmp_path)
    made.service.environ = {**made.service.environ, "PYTHONPATH": str(ROOT)}
    yield made
    made.service.close()


def two(home: Path) -> None:
    """Two calls in one home, a third in another."""
    transcript(home, "one", reply(1, "2026-05-13T09:00:00Z"), reply(2, "2026-05-13T09:05:00Z"))
    transcript(home / "job", "one", reply(3, "2026-05-13T10:00:00Z", session="s2"))
    (home / "rl").mkdir(mode=0o700)
    (home / "rl" / "config.toml").write_text(f'[homes]\nclaude = ["{home}/job/.claude"]\n')


def test_a_large_import_reads_all_homes(api: Api) -> None:
    """What it read is in the next answer, and the one who asked is told how much was new."""
    two(api.home)
    told: list[inventory.ImportProgress] = []
    api.service.on_import = told.append
    found = api.ask(PATH, "POST")

    assert (found["files"], found["records"], found["new"], found["troubles"], found["stopped"]) == (2, 3, 3, [], False)
    size = sum(path.stat().st_size for path in api.home.rglob("*.jsonl"))
    assert 0 < told[0].bytes_done <= told[0].bytes_total == size
    assert [news.ended for news in told] == [False] * (len(told) - 1) + [True]
    assert told[-1].bytes_done == told[-1].bytes_total
    assert api.ask("/api/usage", period="all")["total_requests"] == 3


def test_what_a_process_says_besides_its_progress_is_no_progress() -> None:
    """Two whole numbers tell bytes read and bytes in all; every other line is for people."""
    assert [read(line) for line in ("0 10\n", "10 10\n", "\u2713 Read 3 events\n", "3 calls\n", "1 2 3\n", "-1 5\n", "\n")] == [
        (0, 10),
        (10, 10),
        *[None] * 5,
    ]


def test_a_large_import_of_one_home_leaves_the_others(api: Api) -> None:
    """Only the home that was named is read."""
    two(api.home)
    home = f"{api.home}/job/.claude"
    found = api.ask(PATH, "POST", claude_dir=home)

    assert (found["homes"], found["new"]) == ([home], 1)
    assert api.ask("/api/usage", period="all")["total_requests"] == 1


def test_a_large_import_ends_with_the_daemon(api: Api) -> None:
    """The process is asked to end and the answer says that it was stopped."""
    two(api.home)
    api.service.stopping.set()

    assert api.ask(PATH, "POST")["stopped"]


def test_a_large_import_that_fails_says_why(api: Api) -> None:
    """What the process complained of is in the error; nothing claims to be imported."""
    two(api.home)
    api.service.environ = {**api.service.environ, "RINGLET_HOME": str(api.home / "rl" / "config.toml")}
    with pytest.raises(RingletError, match="the import ended with 1: ringlet: "):
        api.ask(PATH, "POST")
