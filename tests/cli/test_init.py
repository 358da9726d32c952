"""`ringlet init`: the first profiles."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.profiles import Rules

ROOT = Path(__file__).parents[2]


def init(home: Path, *argv: str, agents: tuple[str, ...] = ("claude", "codex"), typed: bytes | None = None) -> tuple[int, str]:
    """Exit code and output; `typed` is typed on a terminal."""
    bin = home / "bin"
    bin.mkdir(exist_ok=True)
    for agent in agents:
        (bin / agent).write_text("#!/bin/sh\n")
        (bin / agent).chmod(0o755)
    env = {"PATH": str(bin), "HOME": str(home), "RINGLET_HOME": str(home / "rl"), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-P", "-m", "ringlet", "init", *argv]
    parent, child = pty.openpty()
    if typed is not None:
        os.write(parent, typed)
    stdin = subprocess.DEVNULL if typed is None else child
    done = subprocess.run(command, env=env, cwd=home, stdin=stdin, capture_output=True, text=True, timeout=120, check=False)
    os.close(parent)
    os.close(child)
    return done.returncode, done.stdout + done.stderr


def made(home: Path) -> list[tuple[str, str | None]]:
    return [(profile.name, profile.agent) for profile in Rules.load(home / "rl" / "profiles.json").profiles]


def test_each_installed_agent_gets_one_profile_once(tmp_path: Path) -> None:
    """With --yes nothing is asked; a second time nothing is made."""
    assert init(tmp_path, "--yes")[0] == 0
    assert init(tmp_path, "--yes")[0] == 0
    assert made(tmp_path) == [("claude", "claude"), ("codex", "codex")]


def test_names_are_asked_for_on_a_terminal(tmp_path: Path) -> None:
    """A name that cannot be is asked for again, `-` makes none, and Enter takes what is offered."""
    assert init(tmp_path, typed=b"a/b\nwork\n-\n")[0] == 0
    assert made(tmp_path) == [("work", "claude")]
    assert init(tmp_path, typed=b"\n")[0] == 0
    assert made(tmp_path) == [("work", "claude"), ("codex", "codex")]


@pytest.mark.parametrize(("argv", "agents", "code"), [((), ("claude",), 2), (("--yes",), (), 3)])
def test_without_a_terminal_or_an_agent_nothing_is_made(tmp_path: Path, argv: tuple[str, ...], agents: tuple[str, ...], code: int) -> None:
    """Who cannot be asked is told of --yes (2); where no agent is installed there is nothing to make (3)."""
    assert init(tmp_path, *argv, agents=agents)[0] == code
    assert made(tmp_path) == []
