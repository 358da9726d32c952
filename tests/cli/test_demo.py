"""`ringlet demo`: what a person without any agent sees."""

import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def ringlet(*args: str, home: Path) -> "subprocess.CompletedProcess[str]":
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "TZ": "UTC", "LANG": "C.UTF-8", "PYTHONPATH": str(ROOT)}
    argv = [sys.executable, "-m", "ringlet", *args]
    return subprocess.run(argv, env=env, cwd=home, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The user's own home, with a log that the demo must not read."""
    logs = tmp_path / "user" / ".claude" / "projects" / "p"
    logs.mkdir(parents=True)
    (logs / "s.jsonl").write_text('{"type":"assistant","message":{"usage":{"output_tokens":1}}}\n')
    return tmp_path / "user"


def test_the_demo_shows_everything_and_leaves_nothing(home: Path) -> None:
    """All its commands succeed, their tables are shown, and the user's home is as it was."""
    before = sorted(home.rglob("*"))
    done = ringlet("demo", home=home)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("\n$ ringlet ") == 5
    assert "TOTAL" in done.stdout
    assert sorted(home.rglob("*")) == before


def test_a_demo_that_is_kept_is_a_home_like_any_other(home: Path, tmp_path: Path) -> None:
    """`--home` keeps logs and store; ringlet answers from there, to the last cent of the samples.

    claude-opus-4-7, 5 calls:    37 in, 26,960 written for 1 h,  88,720 read, 3,479 out at 5, 10, 0.5, 25 dollars a million: 0.401120
    claude-sonnet-4-6, 6 calls: 262 in, 12,500 written for 1 h,  75,100 read, 4,250 out at 3, 6, 0.3, 15:                    0.162066
    claude-haiku-4-5, 2 calls:  434 in,  8,400 written for 5 m,   6,100 read,   598 out at 1, 1.25, 0.1, 5:                   0.014534
    gpt-5.5, 4 calls:        15,800 in,                          35,056 read, 2,290 out at 5, 0.5, 30:                        0.165228
    qwen3-coder:30b, 2 calls on this machine: no cost.
    """
    kept = tmp_path / "kept"
    assert ringlet("demo", "--home", str(kept), home=home).returncode == 0
    said = json.loads(ringlet("usage", "models", "--period", "all", "--json", home=kept).stdout, parse_float=Decimal)

    assert said["total_cost"]["total_cost"] == Decimal("0.742948")
    assert {row["model"]: (row["requests"], row["cost"] and row["cost"]["total_cost"]) for row in said["rows"]} == {
        "claude-opus-4-7": (5, Decimal("0.40112")),
        "claude-sonnet-4-6": (6, Decimal("0.162066")),
        "claude-haiku-4-5-20251001": (2, Decimal("0.014534")),
        "gpt-5.5": (4, Decimal("0.165228")),
        "qwen3-coder:30b": (2, None),
    }


def test_a_folder_that_is_there_is_left_alone(home: Path, tmp_path: Path) -> None:
    """A demo is never put into a folder that exists."""
    (tmp_path / "mine").mkdir()
    done = ringlet("demo", "--home", str(tmp_path / "mine"), home=home)

    assert done.returncode == 1
    assert "already there" in done.stderr
    assert list((tmp_path / "mine").iterdir()) == []
