"""What the former name of the program left behind is taken over once."""

import json
import os
from pathlib import Path

import pytest

from cli.former import due, former
from cli.main import run
from cli.paths import paths
from cli.profile_changes import changed
from cli.takeover import take_over
from pipeline.profiles import Profile, Rules


@pytest.fixture
def user(tmp_path: Path) -> dict[str, str]:
    """The environment of a user who has two former profiles, one of them damaged."""
    folder = tmp_path / ".config" / "clown" / "profiles"
    folder.mkdir(parents=True)
    old = {"alias": "work", "agent_id": "claude", "provider_id": "anthropic", "metadata": {"profile_home": "~/.claude-profiles/work"}}
    (folder / "work.json").write_text(json.dumps(old))
    (folder / "torn.json").write_text('{"alias": "to')
    return {"HOME": str(tmp_path)}


def test_former_profile_keeps_its_name_provider_and_home(user: dict[str, str]) -> None:
    """A profile becomes one of ours, with a rule for the agent home that lies in its own home."""
    where = paths(user)
    take_over(where, former(user), user)

    rules = Rules.load(where.profiles)
    assert rules.find("work").provider == "anthropic"
    assert rules.profile_of("claude", f"{user['HOME']}/.claude-profiles/work/.claude", None) == "work"


def test_what_could_not_be_taken_is_named(user: dict[str, str]) -> None:
    """A damaged profile stops nothing and is told with its path."""
    told = take_over(paths(user), former(user), user)

    assert any("torn.json" in line for line in told)
    assert any("work" in line and line.startswith("✓") for line in told)


def test_it_happens_once(user: dict[str, str]) -> None:
    """After the first time the former folder is not looked at again."""
    where = paths(user)
    assert due(where, user)
    take_over(where, former(user), user)

    assert not due(where, user)


def test_profiles_made_meanwhile_stay(user: dict[str, str]) -> None:
    """Of two first commands at once the later writes nothing over what the other has left."""
    where = paths(user)
    changed(where, lambda rules: rules.create(Profile(name="mine")))

    assert take_over(where, former(user), user) == []
    assert Rules.load(where.profiles).names() == ["default", "mine"]


def test_a_store_of_its_own_takes_nothing_over(user: dict[str, str], tmp_path: Path) -> None:
    """Where RINGLET_HOME names the store, nothing of the user's other files belongs into it."""
    moved = {**user, "RINGLET_HOME": str(tmp_path / "other")}

    assert not due(paths(moved), moved)


def test_any_command_takes_over_and_says_so(
    user: dict[str, str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The first command says on standard error what was taken over, and answers from it."""
    for name in ("RINGLET_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "CLOWN_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", user["HOME"])

    assert run(["profiles", "list"]) == 0
    out, err = capfd.readouterr()
    assert "work" in out
    assert "Took over 1 profile from" in err
    assert os.stat(paths(user).profiles).st_mode & 0o777 == 0o600
