"""Where `--json` may stand: behind a command, before all commands, and behind a group whose list needs no word."""

import json
from pathlib import Path

import pytest

from tests.cli.homes import mixed, ringlet


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    mixed(folder)
    return folder


@pytest.mark.parametrize(
    "command",
    [
        ["usage", "models", "--period", "all"],
        ["agents", "list"],
        ["agents"],
        ["providers"],
        ["providers", "inspect", "openai"],
        ["profiles", "list"],
    ],
)
def test_json_before_a_command_is_json_behind_it(home: Path, command: list[str]) -> None:
    """`ringlet --json usage` prints what `ringlet usage --json` prints."""
    before, behind = ringlet(home, "--json", *command), ringlet(home, *command, "--json")

    assert (before.code, before.err) == (0, "")
    assert json.loads(before.out)
    assert before == behind


def test_json_is_not_given_to_an_agent(home: Path) -> None:
    """What stands before the command is ringlet's: running an agent answers no JSON, and nothing is run."""
    outcome = ringlet(home, "--json", "profiles", "run", "acme", "--", "-p", "hello")

    assert outcome == (2, "", "ringlet: --json is for commands that answer something; leave it out\n")


@pytest.mark.parametrize("group", ["agents", "providers"])
def test_a_group_alone_is_its_list(home: Path, group: str) -> None:
    """Without a command the list, with help the group's help, with a word that is no command an error."""
    assert ringlet(home, group) == ringlet(home, group, "list")
    assert "Without a command, the list." in ringlet(home, group, "--help").out
    assert ringlet(home, group, "bogus").code == 2
