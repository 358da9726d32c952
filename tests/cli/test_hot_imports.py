"""What the shortest commands load: nothing but the interpreter's own modules and the few of ours."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.homes import mixed, reply, transcript

ROOT = Path(__file__).parents[2]
BANNED = {
    "_decimal",
    "aiohttp",
    "argparse",
    "asyncio",
    "click",
    "dataclasses",
    "datetime",
    "decimal",
    "enum",
    "hashlib",
    "inspect",
    "json",
    "logging",
    "msgspec",
    "pathlib",
    "platformdirs",
    "polars",
    "pyarrow",
    "re",
    "rich",
    "shutil",
    "sqlite3",
    "ssl",
    "subprocess",
    "tempfile",
    "threading",
    "tomllib",
    "typer",
    "typing",
    "uuid",
    "watchdog",
    "zoneinfo",
    "zstandard",
}
"""Each takes from one millisecond to a hundred to load; the whole answer takes about ten."""
HEAVY = {"aiohttp", "click", "polars", "pyarrow", "rich", "typer", "watchdog", "zstandard"}
AVOIDED = {"hashlib", "inspect", "pathlib", "subprocess", "tomllib", "zoneinfo"}
"""From 3 to 15 milliseconds each; reading a few lines takes about sixty in all."""


def loaded(home: Path, *argv: str, code: int = 0) -> set[str]:
    """Top-level names of all modules that a command line loads, the own start of the interpreter taken off."""
    start = _imports([sys.executable, "-X", "importtime", "-c", "import runpy, contextlib, functools"], home, 0)
    return _imports([sys.executable, "-X", "importtime", "-m", "ringlet", *argv], home, code) - start


def _imports(command: list[str], home: Path, code: int) -> set[str]:
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "RINGLET_HOME": str(home / "rl"), "TZ": "UTC", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == code, done.stderr
    lines = [line for line in done.stderr.split("\n") if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("home")
    mixed(made)
    env = {"PATH": os.environ["PATH"], "HOME": str(made), "RINGLET_HOME": str(made / "rl"), "TZ": "UTC", "PYTHONPATH": str(ROOT)}
    for words in (["profiles", "create", "claude", "idle"], ["usage"]):
        subprocess.run([sys.executable, "-m", "ringlet", *words], env=env, check=True, cwd=ROOT, capture_output=True)
    return made


@pytest.mark.parametrize(
    "line",
    [
        "usage --period all",
        "usage models --period all",
        "usage daily",
        "usage --json --period all",
        "usage profiles --profile acme --period all",
        "guard --profile default --period month --limit 1000",
        "guard --profile idle --period day --limit 1",
        "statusline --profile default",
    ],
)
def test_common_questions_load_no_library(home: Path, line: str) -> None:
    """The gate's answers use nothing that takes a millisecond to load."""
    assert loaded(home, *line.split()) & BANNED == set()


def test_new_lines_are_answered_without_heavy_libraries(home: Path) -> None:
    """A few new lines are imported, counted and answered without frames, Parquet, a command-line library or the slower standard modules."""
    transcript(home, "new", reply(90, "2026-05-13T11:00:00Z"))

    assert loaded(home, "usage", "models", "--period", "all") & (HEAVY | AVOIDED) == set()


def test_a_reader_that_has_seen_enough_is_no_error(home: Path) -> None:
    """`ringlet usage daily | head -1` ends quietly, whichever way the answer came, and so do help and version."""
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "RINGLET_HOME": str(home / "rl"), "TZ": "UTC", "PYTHONPATH": str(ROOT)}
    for words in ("usage daily", "usage daily --cost-mode calculate", "--help", "usage --help", "", "--version"):
        line = f"{sys.executable} -m ringlet {words} | true; echo ${{PIPESTATUS[0]}}"
        done = subprocess.run(["bash", "-c", line], env=env, capture_output=True, text=True, check=True, cwd=ROOT)
        assert (done.stdout, done.stderr) == ("0\n", "")
