"""Command lines and surroundings that are wrong: each is refused with what is wrong, and nothing is done."""

import os
from pathlib import Path

import pytest

from cli.paths import paths
from tests.cli.homes import mixed, ringlet


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    mixed(folder)
    return folder


@pytest.mark.parametrize(
    ("command", "named"),
    [
        (["import", "claude", "--from", ""], "--from"),
        (["usage", "import-claude", "--claude-dir="], "--claude-dir"),
        (["profiles", "create", "claude", "new", "--provider", ""], "--provider"),
        (["profiles", "map", "acme", "--home", ""], "--home"),
        (["usage", "--export", ""], "--export"),
        (["usage", "--tz="], "--tz"),
        (["usage", ""], "usage"),
        ([""], "the command line"),
    ],
)
def test_an_empty_value_means_nothing(home: Path, command: list[str], named: str) -> None:
    """`--from "$UNSET"` must not read the current folder, nor `--home "$UNSET"` map everything: wrong usage, and nothing is done."""
    before = sorted(os.listdir(home / "rl"))
    done = ringlet(home, *command)

    assert (done.code, done.out) == (2, "")
    assert done.err == f"ringlet: {named} is followed by an empty value; give one, or leave it out\n"
    assert sorted(os.listdir(home / "rl")) == before


def test_a_home_of_nobody_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`RINGLET_HOME=~nobody-here/x` is no folder of that name in the current one."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LookupError, match="no such user"):
        paths({"RINGLET_HOME": "~nobody-here/x", "HOME": str(tmp_path)})


def test_an_unknown_provider_is_answered_with_all_there_are(home: Path) -> None:
    """The valid names are listed, all of them: the last in the alphabet too."""
    done = ringlet(home, "usage", "--provider", "nope")

    assert done.code == 2
    assert done.err.startswith("ringlet: no provider 'nope'; there are: ai21, ")
    assert done.err.endswith(", zai, zhipuai\n")
