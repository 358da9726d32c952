"""`ringlet aliases`: commands that start profiles."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.cli.homes import ringlet

ROOT = Path(__file__).parents[2]


def aliased(home: Path, name: str, agent: str) -> Path:
    """The alias of a new profile, and a stand-in for its agent beside it."""
    bin = home / "bin"
    bin.mkdir(exist_ok=True)
    if not (bin / agent).exists():
        (bin / agent).write_text('#!/bin/sh\nprintf "<%s>" "$@"\nexit 7\n')
        (bin / agent).chmod(0o755)
    ringlet(home, "profiles", "create", agent, name)
    return bin / name


def started(alias: Path, *words: str) -> tuple[int, str]:
    env = {"PATH": f"{alias.parent}:/usr/bin:/bin", "HOME": str(alias.parents[1]), "PYTHONPATH": str(ROOT)}
    done = subprocess.run([str(alias), *words], env=env, cwd=alias.parents[1], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


@pytest.mark.parametrize("name", ["work", "two words", "$(touch x)", "it's"])
def test_an_alias_starts_its_profile(tmp_path: Path, name: str) -> None:
    """Its arguments and exit code are the agent's, whatever the profile is called, in the store that it was written from."""
    alias = aliased(tmp_path, name, "claude")

    assert ringlet(tmp_path, "aliases", "install", "--bin", str(alias.parent)).code == 0
    assert started(alias, "-p", "a b", "--", "") == (7, "<-p><a b><--><>")
    assert not (tmp_path / "x").exists()


def test_nothing_else_is_written_over_or_removed(tmp_path: Path) -> None:
    """A program, a link or a folder of that name stays as it is; the others are written, and the end is that of work partly done."""
    alias = aliased(tmp_path, "work", "claude")
    for name in ("claude", "symlink", "folder"):
        ringlet(tmp_path, "profiles", "create", "claude", name)
    (alias.parent / "symlink").symlink_to("nowhere")
    (alias.parent / "folder").mkdir()
    before = (alias.parent / "claude").read_bytes()

    outcome = ringlet(tmp_path, "aliases", "install", "--bin", str(alias.parent))
    assert (outcome.code, "claude, folder, symlink" in outcome.err) == (5, True)
    assert started(alias)[0] == 7
    assert ringlet(tmp_path, "aliases", "remove", "--bin", str(alias.parent)).code == 0
    assert (alias.parent / "claude").read_bytes() == before
    assert sorted(os.listdir(alias.parent)) == ["claude", "folder", "symlink"]


def test_an_alias_that_bears_its_agents_name_starts_the_agent(tmp_path: Path) -> None:
    """Found first on the search path, it does not start itself."""
    aliased(tmp_path, "claude", "claude")
    first = tmp_path / "first"
    ringlet(tmp_path, "aliases", "install", "claude", "--bin", str(first))
    env = {"PATH": f"{first}:{tmp_path / 'bin'}:/usr/bin:/bin", "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}

    assert subprocess.run(["claude"], env=env, cwd=tmp_path, capture_output=True, timeout=120, check=False).returncode == 7


def test_a_program_elsewhere_keeps_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without names no alias is put before a program of the search path, which would then start as a profile; with its name it is."""
    aliased(tmp_path, "claude", "claude")
    aliased(tmp_path, "work", "claude")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    first = tmp_path / "first"

    outcome = ringlet(tmp_path, "aliases", "install", "--bin", str(first))
    assert (outcome.code, os.listdir(first), f"! claude is a program already ({tmp_path / 'bin' / 'claude'})" in outcome.out) == (
        0,
        ["work"],
        True,
    )
    assert ringlet(tmp_path, "aliases", "install", "claude", "--bin", str(first)).code == 0
    assert sorted(os.listdir(first)) == ["claude", "work"]


def test_installing_again_changes_nothing_and_removing_twice_finds_nothing(tmp_path: Path) -> None:
    """Our own files are written anew; when none is left, removing exits 3."""
    alias = aliased(tmp_path, "work", "claude")
    codes = [ringlet(tmp_path, "aliases", what, "--bin", str(alias.parent)).code for what in ("install", "install", "remove", "remove")]

    assert codes == [0, 0, 0, 3]
