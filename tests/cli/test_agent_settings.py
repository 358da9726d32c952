"""What is written into Claude Code's settings: our entries, and nothing else."""

import json
import os
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from cli.agent_settings import KEPT
from tests.cli.homes import mixed, ringlet

THEIRS = """{
    "model": "opus",
    "größe": 1.50,
    "hooks": {
        "PreToolUse": [
            {"matcher": "Bash", "hooks": [{"type": "command", "command": "guard --profile default"}]}
        ]
    }
}
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    mixed(tmp_path)
    (tmp_path / "rl" / "config.toml").write_text("[budgets.default]\nday = 20\n[budgets.own]\nday = 1\n")
    return tmp_path


def settings_of(home: Path) -> Path:
    return home / ".claude" / "settings.json"


def read(home: Path) -> Any:
    return json.loads(settings_of(home).read_text())


def guards(content: Any) -> list[str]:
    return [hook["command"] for group in content["hooks"]["PreToolUse"] for hook in group["hooks"] if "ringlet" in hook["command"]]


def test_the_hook_is_added_and_everything_else_stays(home: Path) -> None:
    """Settings of others, their order, their letters and the indent are as they were; the former text is kept beside."""
    settings_of(home).write_text(THEIRS)
    assert ringlet(home, "guard", "install", "default", "--period", "month", "--limit", "12.50").code == 0

    text, content = settings_of(home).read_text(), read(home)
    assert guards(content)[0].endswith(" guard --profile default --period month --limit 12.50")
    assert content["hooks"]["PreToolUse"][1]["matcher"] == "*"
    assert list(content) == ["model", "größe", "hooks"]
    assert text.startswith('{\n    "model": "opus",\n    "größe": 1.5,\n')
    assert content["hooks"]["PreToolUse"][0] == json.loads(THEIRS)["hooks"]["PreToolUse"][0]
    assert Path(f"{settings_of(home)}{KEPT}").read_text() == THEIRS


def test_installing_twice_is_installing_once(home: Path) -> None:
    """The same hook changes nothing, another limit takes the place of the first."""
    ringlet(home, "guard", "install", "default")
    before = settings_of(home).stat().st_mtime_ns
    assert "already" in ringlet(home, "guard", "install", "default").out
    assert settings_of(home).stat().st_mtime_ns == before
    ringlet(home, "guard", "install", "default", "--period", "day", "--limit", "3")

    assert len(guards(read(home))) == 1


def test_an_agent_that_obeys_its_settings_is_stopped(home: Path) -> None:
    """The hook works as it is written, from a folder with a package of our name in it, in an agent that was given another home."""
    ringlet(home, "guard", "install", "default", "--period", "all", "--limit", "18")
    project = home / "project"
    (project / "ringlet").mkdir(parents=True)
    (project / "ringlet" / "__init__.py").write_text("raise SystemExit('not ours')")
    env = {"HOME": str(project), "CLAUDE_CONFIG_DIR": str(project), "PATH": "/usr/bin:/bin", "TZ": "UTC"}
    said = json.dumps({"hook_event_name": "PreToolUse", "tool_name": "Bash", "tool_input": {"command": "ls"}, "cwd": str(project)})

    def asked() -> "subprocess.CompletedProcess[str]":
        command = guards(read(home))[0]
        return subprocess.run(["sh", "-c", command], env=env, cwd=project, input=said, text=True, capture_output=True, check=False)

    denied = asked()
    assert (denied.returncode, denied.stdout) == (2, "")
    assert "the budget of profile 'default' is spent: $18.85 of $18.00" in denied.stderr
    ringlet(home, "guard", "install", "default", "--period", "all", "--limit", "19")
    assert (asked().returncode, asked().stderr) == (0, "")


def test_removing_leaves_what_was_there(home: Path) -> None:
    """After install and remove the settings mean what they meant; a second removal finds nothing (exit code 3)."""
    settings_of(home).write_text(THEIRS)
    ringlet(home, "guard", "install", "default")
    assert ringlet(home, "guard", "remove", "default").code == 0
    assert read(home) == json.loads(THEIRS)
    assert ringlet(home, "guard", "remove", "default").code == 3


def test_guard_and_status_line_follow_a_renamed_profile(tmp_path: Path) -> None:
    """A guard that asked for a profile which is nobody's any more would fail, and an agent goes on where its guard fails."""
    ringlet(tmp_path, "profiles", "create", "claude", "work", "--home", str(tmp_path / "h"))
    ringlet(tmp_path, "guard", "install", "work", "--period", "day", "--limit", "5")
    ringlet(tmp_path, "statusline", "install", "work")
    (tmp_path / "rl" / "config.toml").write_text("[budgets.work]\nday = 5\n")
    done = ringlet(tmp_path, "profiles", "rename", "work", "day job")
    content = json.loads((tmp_path / "h" / "settings.json").read_text())

    (command,) = guards(content)
    assert command.endswith(" guard --profile 'day job' --period day --limit 5")
    assert content["statusLine"]["command"].endswith("statusline --profile 'day job'")
    assert "config.toml has a budget for 'work'" in done.err
    assert ringlet(tmp_path, "guard", "remove", "day job").code == 0


def test_a_guard_that_cannot_follow_its_profile_is_told_of(tmp_path: Path) -> None:
    """Settings that are damaged stay as they are, and whoever renames the profile hears that its budget is not held any more."""
    ringlet(tmp_path, "profiles", "create", "claude", "work", "--home", str(tmp_path / "h"))
    ringlet(tmp_path, "guard", "install", "work", "--period", "day", "--limit", "5")
    settings = tmp_path / "h" / "settings.json"
    settings.write_text(settings.read_text()[:-3])
    before = settings.read_text()
    done = ringlet(tmp_path, "profiles", "rename", "work", "day job")

    assert (done.code, settings.read_text()) == (0, before)
    assert str(settings) in done.err
    assert "stops nothing while it names 'work': mend that, then ringlet guard install 'day job'" in done.err


def test_a_file_that_was_not_there_is_made_and_left_empty(home: Path) -> None:
    """New settings are for their owner's eyes; without our hook nothing is left in them."""
    ringlet(home, "guard", "install", "default")
    assert stat.S_IMODE(settings_of(home).stat().st_mode) == 0o600
    ringlet(home, "guard", "remove", "default")
    assert read(home) == {}


def test_mode_and_link_stay(home: Path) -> None:
    """Settings that lie in somebody's collection of dot files are changed there, with the mode they have."""
    real = home / "dotfiles.json"
    real.write_text("{}")
    real.chmod(0o644)
    settings_of(home).symlink_to(real)
    ringlet(home, "guard", "install", "default")

    assert settings_of(home).is_symlink()
    assert guards(json.loads(real.read_text()))
    assert stat.S_IMODE(real.stat().st_mode) == 0o644


@pytest.mark.parametrize("text", ["{", "[]", '{"hooks": []}', '{"hooks": {"PreToolUse": {}}}', "// mine\n{}"])
def test_settings_that_cannot_be_understood_are_not_touched(home: Path, text: str) -> None:
    """What is no JSON, or other than Claude Code reads, is told and left alone."""
    settings_of(home).write_text(text)
    outcome = ringlet(home, "guard", "install", "default")

    assert (outcome.code, settings_of(home).read_text()) == (1, text)
    assert "settings.json" in outcome.err


def test_hooks_of_others_stay_whatever_they_are(home: Path) -> None:
    """Entries that are no hooks of ours, half commands and other kinds of values included, are left where they are."""
    odd: list[Any] = [7, {"hooks": 7}, {"matcher": "*"}, {"hooks": [8, {"command": 9}, {"command": "'"}, {"command": "python -P -c"}, {}]}]
    odd.append({"hooks": [{"command": "ringlet guard --profile acme"}, {"command": "/x/ringlet usage --profile default"}]})
    settings_of(home).write_text(json.dumps({"hooks": {"PreToolUse": odd}}))
    assert ringlet(home, "guard", "install", "default").code == 0
    assert read(home)["hooks"]["PreToolUse"][:-1] == odd
    assert ringlet(home, "guard", "remove", "default").code == 0
    assert read(home)["hooks"]["PreToolUse"] == odd


def test_a_hook_needs_a_budget(home: Path) -> None:
    """A hook without any limit would fail before each call, so it is not written: no budget, no amount, no such period."""
    for words in (
        ["mine"],
        ["default", "--limit", "much", "--period", "day"],
        ["default", "--limit", "3"],
        ["default", "--period", "month"],
    ):
        assert ringlet(home, "guard", "install", *words).code == 1
    assert not settings_of(home).exists()


def test_each_profile_has_the_settings_of_its_own_home(home: Path) -> None:
    """A profile with a home of its own has its hook there; one that shares a home is refused, unless the file is named."""
    ringlet(home, "profiles", "create", "claude", "own", "--home", str(home / "own"))
    assert ringlet(home, "guard", "install", "own").code == 0
    assert guards(json.loads((home / "own" / "settings.json").read_text()))
    assert not settings_of(home).exists()

    shared = ringlet(home, "guard", "install", "acme", "--limit", "3", "--period", "day")
    assert (shared.code, "no home" in shared.err) == (1, True)
    named = home / "project" / ".claude" / "settings.local.json"
    assert ringlet(home, "guard", "install", "acme", "--limit", "3", "--period", "day", "--settings", str(named)).code == 0
    assert guards(json.loads(named.read_text()))


@pytest.mark.parametrize(
    "words", [("guard", "install", "new"), ("statusline", "install", "new"), ("hooks", "add", "new", "PreToolUse", "Bash", "true")]
)
def test_a_profile_that_was_never_run_gets_its_home(home: Path, words: tuple[str, ...]) -> None:
    """Where only runs can give a profile usage, its home is made for its settings, and is the one that runs will have."""
    with (home / "rl" / "config.toml").open("a") as file:
        file.write("[budgets.new]\nday = 1\n")
    ringlet(home, "profiles", "create", "claude", "new")
    done = ringlet(home, *words)
    profile = json.loads(ringlet(home, "profiles", "inspect", "new", "--json").out)

    assert (done.code, done.err) == (0, "")
    assert (Path(profile["profile"]["home"]) / "settings.json").exists()
    assert [rule["root"] for rule in profile["rules"]] == [profile["profile"]["home"]]


def test_another_agent_has_other_hooks(home: Path) -> None:
    """Only Claude Code's settings are known."""
    ringlet(home, "profiles", "create", "codex", "cody", "--home", str(home / "cody"))

    assert ringlet(home, "guard", "install", "cody", "--limit", "3", "--period", "day").code == 1
    assert not (home / "cody").exists()


def test_the_status_line_is_written_and_removed(home: Path) -> None:
    """`statusline install` sets the command and leaves the rest; twice is once; `remove` takes it out."""
    settings_of(home).write_text('{"model": "opus"}')
    assert ringlet(home, "statusline", "install").code == 0
    assert read(home)["statusLine"]["type"] == "command"
    assert read(home)["statusLine"]["command"].endswith(" statusline")
    assert "already" in ringlet(home, "statusline", "install").out
    assert ringlet(home, "statusline", "remove").code == 0
    assert read(home) == {"model": "opus"}
    assert ringlet(home, "statusline", "remove").code == 3


def test_the_line_of_a_profile_names_it(home: Path) -> None:
    """In a home of its own a profile sees its own cost and budget."""
    ringlet(home, "profiles", "create", "claude", "own", "--home", str(home / "own"))
    ringlet(home, "statusline", "install", "own")

    assert json.loads((home / "own" / "settings.json").read_text())["statusLine"]["command"].endswith(" statusline --profile own")


def test_another_program_keeps_its_line(home: Path) -> None:
    """Only `--replace` takes the place of a line that is not ours, and keeps its other settings."""
    text = '{"statusLine": {"type": "command", "command": "mine.sh", "padding": 0}}'
    settings_of(home).write_text(text)
    assert ringlet(home, "statusline", "install").code == 1
    assert settings_of(home).read_text() == text
    assert ringlet(home, "statusline", "install", "--replace").code == 0
    assert read(home)["statusLine"]["padding"] == 0


def test_nothing_but_the_files_named_is_left_behind(home: Path) -> None:
    """No half-written file stays beside the settings."""
    settings_of(home).write_text("{}")
    ringlet(home, "guard", "install", "default")

    assert sorted(name for name in os.listdir(home / ".claude") if name != "projects") == ["settings.json", f"settings.json{KEPT}"]
