"""`ringlet hooks`: adding, listing, carrying and removing hooks, and that their secrets stay secret."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import msgspec
import pytest

from cli import profile_changes
from cli.hooks import book, making
from cli.paths import paths
from pipeline.log import Log
from pipeline.outbox import Outbox
from tests.cli.homes import Outcome, ringlet
from tests.cli.hooks.receiving import Receiver, receiving

SLACK = "https://hooks.slack.com/services/T000/B000/canary"
DAILY = ("--on", "cost-threshold", "--period", "day", "--threshold", "10")
THEIRS = {"model": "opus", "hooks": {"PreToolUse": [{"matcher": "Bash", "hooks": [{"type": "command", "command": "mine"}]}]}}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A user with a profile `work` that has a Claude Code home of its own, in whose settings something stands."""
    (tmp_path / "agent").mkdir()
    settings_of(tmp_path).write_text(json.dumps(THEIRS))
    done = ringlet(tmp_path, "profiles", "create", "claude", "work", "--home", str(tmp_path / "agent"))
    assert done.code == 0, done.err
    return tmp_path


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as listening:
        yield listening


def settings_of(home: Path) -> Path:
    return home / "agent" / "settings.json"


def settings(home: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(settings_of(home).read_text())
    return found


def hooks(home: Path, *words: str) -> Outcome:
    return ringlet(home, "hooks", *words)


def listed(home: Path, *words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(hooks(home, "list", "--json", *words).out)
    return found


def test_a_threshold_is_added_and_listed(home: Path) -> None:
    """Both examples of the introduction: a daily limit with an address, a part of a monthly budget with a command."""
    assert hooks(home, "add", "work", *DAILY, "--webhook", SLACK).code == 0
    monthly = ("--on", "cost-threshold", "--period", "month", "--threshold", "160", "--of", "200")
    assert hooks(home, "add", "work", *monthly, "--shell", "notify-send x").code == 0

    one, other = listed(home, "work")
    assert {**one, "id": ""} == {
        "id": "",
        "profile": "work",
        "on": "cost-threshold",
        "period": "day",
        "threshold": "10",
        "webhook": "https://hooks.slack.com/…",
    }
    assert {**other, "id": ""} == {
        "id": "",
        "profile": "work",
        "on": "cost-threshold",
        "period": "month",
        "threshold": "160",
        "of": "200",
        "shell": "notify-send x",
    }
    text = hooks(home, "list").out
    assert "$10.00 spent in a day" in text
    assert "$160.00 of $200.00 spent in a month  notify-send x" in text
    assert "Nobody watches now" in text


def test_a_report_has_a_time(home: Path) -> None:
    """In the morning unless told otherwise, always written with two digits."""
    hooks(home, "add", "work", "--on", "daily-rollup", "--shell", "cat")
    hooks(home, "add", "work", "--on", "daily-rollup", "--shell", "cat", "--at", "7:05")

    assert [hook["at"] for hook in listed(home)] == ["09:00", "07:05"]


def test_the_same_hook_is_one(home: Path) -> None:
    """Adding it again changes nothing and says which one it is."""
    first = json.loads(hooks(home, "add", "work", *DAILY, "--webhook", SLACK, "--json").out)
    again = json.loads(hooks(home, "add", "work", *DAILY, "--webhook", SLACK, "--json").out)

    assert (first["new"], again["new"], again["id"], len(listed(home))) == (True, False, first["id"], 1)
    assert ("signing_secret" in first, "signing_secret" in again) == (True, False)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "needs one event"),
        (["--on", "nothing", "--shell", "x"], "no event 'nothing'; there are: cost-threshold, daily-rollup, PreToolUse"),
        (["--on", "cost-threshold", "--shell", "x"], "needs --period; give one of day, week, month"),
        (
            ["--on", "cost-threshold", "--period", "year", "--threshold", "1", "--shell", "x"],
            "no --period 'year'; give one of day, week, month",
        ),
        (["--on", "cost-threshold", "--period", "day", "--shell", "x"], "needs --threshold"),
        (["--on", "cost-threshold", "--period", "day", "--threshold", "0", "--shell", "x"], "no amount above zero"),
        (["--on", "cost-threshold", "--period", "day", "--threshold", "-1", "--shell", "x"], "no amount above zero"),
        (["--on", "cost-threshold", "--period", "day", "--threshold", "ten", "--shell", "x"], "no amount above zero"),
        ([*DAILY, "--of", "nan", "--shell", "x"], "--of 'nan' is no amount above zero"),
        ([*DAILY], "give either --webhook URL or --shell COMMAND"),
        ([*DAILY, "--shell", "x", "--webhook", SLACK], "give either --webhook URL or --shell COMMAND"),
        ([*DAILY, "--shell", "x", "--at", "09:00"], "--at does not belong to cost-threshold"),
        ([*DAILY, "--shell", "x", "--matcher", "Bash"], "--matcher does not belong to cost-threshold"),
        ([*DAILY, "--shell", "x", "--allow-http"], "--allow-http belongs to --webhook"),
        ([*DAILY, "--shell", " "], "--shell is no command"),
        ([*DAILY, "--webhook", "http://example.com/canary"], "unencrypted"),
        ([*DAILY, "--webhook", "https://10.0.0.1/canary"], "a private network"),
        (["--on", "daily-rollup", "--shell", "x", "--at", "25:00"], "'25:00' is no time of day; write HH:MM"),
        (["--on", "daily-rollup", "--shell", "x", "--period", "day"], "--period does not belong to daily-rollup"),
        (["--on", "PreToolUse", "--webhook", SLACK], "run by the agent, which runs commands only"),
        (["PreToolUse", "Bash"], "needs one event"),
        (["PreToolUse", "Bash", "x", "--on", "Stop"], "needs one event"),
    ],
)
def test_words_that_do_not_go_together(home: Path, words: list[str], says: str) -> None:
    """Wrong usage: exit code 2, what is wrong and what is right, no secret in it, and nothing is kept."""
    done = hooks(home, "add", "work", *words)

    assert (done.code, says in done.err, "canary" in done.err) == (2, True, False), done.err
    assert not (home / "rl" / "hooks.json").exists()


def test_a_profile_or_hook_that_there_is_not(home: Path) -> None:
    """A profile is a name with a list of those there are (2); a hook that is named and not there is 3."""
    assert hooks(home, "add", "nobody", *DAILY, "--shell", "x").code == 2
    assert hooks(home, "list", "nobody").code == 2
    for command in ("remove", "test"):
        done = hooks(home, command, "00000000")
        assert (done.code, "no hook '00000000'" in done.err) == (3, True)


def test_addresses_stay_secret(home: Path, receiver: Receiver) -> None:
    """No command, as text or JSON, shows more of an address than its host; only an export that is asked to does."""
    secret = json.loads(hooks(home, "add", "work", *DAILY, "--webhook", SLACK, "--json").out)["signing_secret"]
    address = receiver.url.replace("secret-path", "canary")
    hooks(home, "add", "work", "--on", "daily-rollup", "--webhook", address, "--allow-http", "--allow-private")
    receiver.status = 500
    ids = [hook["id"] for hook in listed(home)]
    commands = [["list"], ["list", "--json"], ["logs"], ["logs", "--json"], ["export"], ["test", ids[1]], ["test", ids[1], "--json"]]
    shown = [hooks(home, *words) for words in [*commands, ["add", "work", *DAILY, "--webhook", SLACK], ["remove", *ids]]]
    doctor = ringlet(home, "doctor", "--json")

    for done in (*shown, doctor):
        assert "canary" not in done.out + done.err
        assert secret not in done.out + done.err


def test_the_file_is_its_owners_alone(home: Path) -> None:
    """0600 from the first moment; once others could read it, it is refused with the command that closes it."""
    hooks(home, "add", "work", *DAILY, "--webhook", SLACK)
    file = home / "rl" / "hooks.json"
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o644)

    for words in (("list",), ("remove", "x"), ("add", "work", *DAILY, "--shell", "x")):
        done = hooks(home, *words)
        assert (done.code, "chmod 600" in done.err) == (1, True)


HOOK = '{"hooks": [{"id": "a", "profile": "work", %s}]}'


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        '{"hooks": 7}',
        '{"hooks": [{"id": 1}]}',
        HOOK % '"on": "cost-threshold", "shell": "x"',
        HOOK % '"on": "cost-threshold", "period": "day", "threshold": "-1", "shell": "x"',
        HOOK % '"on": "cost-threshold", "period": "day", "threshold": "1", "of": "x", "shell": "x"',
        HOOK % '"on": "daily-rollup", "at": "26:00", "shell": "x"',
        HOOK % '"on": "daily-rollup"',
        HOOK % '"on": "Stop", "shell": "x"',
        HOOK % '"on": "Stop", "webhook": "https://example.com/canary"',
    ],
)
def test_a_file_that_is_none_is_not_written_over(home: Path, content: str) -> None:
    """Somebody has to look: nothing is lost, and no word of it, perhaps a secret, is repeated."""
    file = home / "rl" / "hooks.json"
    file.write_text(content)
    file.chmod(0o600)
    done = hooks(home, "add", "work", *DAILY, "--shell", "x")

    assert (done.code, "move it away" in done.err, "canary" in done.err, file.read_text()) == (1, True, False, content)


def test_an_address_may_come_from_standard_input(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that it stands in no list of processes and no history."""
    from io import StringIO

    monkeypatch.setattr("sys.stdin", StringIO(SLACK + "\n"))
    assert hooks(home, "add", "work", *DAILY, "--webhook", "-").code == 0
    assert SLACK in (home / "rl" / "hooks.json").read_text()


def test_a_tool_event_is_written_beside_what_stands_there(home: Path) -> None:
    """Both forms write the same entry; everything else in the agent's settings stays, and the former text is kept."""
    assert hooks(home, "add", "work", "PreToolUse", "Bash|Write", "echo 'hi' >> log").code == 0
    assert hooks(home, "add", "work", "--on", "stop", "--shell", "say done").code == 0
    found = settings(home)

    assert found["hooks"]["PreToolUse"] == [
        THEIRS["hooks"]["PreToolUse"][0],  # type: ignore[index]
        {"matcher": "Bash|Write", "hooks": [{"type": "command", "command": "echo 'hi' >> log"}]},
    ]
    assert found["hooks"]["Stop"] == [{"matcher": "*", "hooks": [{"type": "command", "command": "say done"}]}]
    assert found["model"] == "opus"
    assert json.loads((home / "agent" / "settings.json.before-ringlet").read_text())["model"] == "opus"
    assert [(hook["on"], hook["matcher"]) for hook in listed(home)] == [("PreToolUse", "Bash|Write"), ("Stop", "*")]


def test_removing_tool_events_leaves_what_was_there_before(home: Path) -> None:
    """Of the settings nothing is left that the hooks brought, and nothing is missing that was there."""
    hooks(home, "add", "work", "PreToolUse", "Bash", "ours")
    hooks(home, "add", "work", "Stop", "*", "ours")
    done = hooks(home, "remove", *(hook["id"] for hook in listed(home)))

    assert (done.code, settings(home), listed(home)) == (0, THEIRS, [])


def test_an_entry_of_somebody_elses_is_not_taken_over(home: Path) -> None:
    """The same entry, written by hand, stays its writer's: it is not recorded, so removing hooks never removes it."""
    done = hooks(home, "add", "work", "PreToolUse", "Bash", "mine")

    assert (done.code, "written by somebody else" in done.err, listed(home), settings(home)) == (1, True, [], THEIRS)


@pytest.mark.parametrize("left", ["{}", '{"hooks": null}', '{"hooks": []}'])
def test_an_entry_that_was_taken_out_by_hand_is_told(home: Path, left: str) -> None:
    """The list says so, a test fails for it, and removing the hook works all the same, whatever was left in its place."""
    hooks(home, "add", "work", "Stop", "*", "true")
    (hook,) = listed(home)
    settings_of(home).write_text(left)

    assert "any more" in hooks(home, "list").err
    assert hooks(home, "test", hook["id"]).code == 1
    assert (hooks(home, "remove", hook["id"]).code, listed(home)) == (0, [])


def test_settings_that_cannot_be_understood_are_not_touched(home: Path) -> None:
    """The hook is not added, and the file is as it was."""
    settings_of(home).write_text("// mine\n{}")

    assert hooks(home, "add", "work", "Stop", "*", "true").code == 1
    assert (settings_of(home).read_text(), listed(home)) == ("// mine\n{}", [])


def test_another_agents_events_are_refused(home: Path) -> None:
    """Only Claude Code's settings are written; spend of any profile can be watched."""
    ringlet(home, "profiles", "create", "codex", "other", "--project", "/src/other")

    assert hooks(home, "add", "other", "Stop", "*", "true").code == 1
    assert hooks(home, "add", "other", *DAILY, "--shell", "true").code == 0


def test_a_test_tells_made_up_figures(home: Path, receiver: Receiver) -> None:
    """It says that it is one, under a key of its own each time; exit code 1 where it was not taken."""
    hooks(home, "add", "work", *DAILY, "--webhook", receiver.url, "--allow-http", "--allow-private")
    (hook,) = listed(home)
    assert [hooks(home, "test", hook["id"]).code for _ in range(2)] == [0, 0]
    receiver.status = 503
    failed = hooks(home, "test", hook["id"])

    assert (failed.code, "status 503" in failed.err) == (1, True)
    one, other, _ = receiver.got
    assert (one.fields["test"], one.fields["text"][:4], one.fields["threshold_usd"]) == (True, "Test", 10)
    assert one.key != other.key
    assert "No hook has told anything yet" in hooks(home, "logs").out


@pytest.mark.parametrize("name", ['"; touch x; "', "$(touch x)", "`touch x`", "<!channel> & co", "'; touch x #"])
def test_a_hostile_profile_is_only_a_name(home: Path, receiver: Receiver, name: str) -> None:
    """Whatever it is called: a command gets the name letter by letter, and the text for people calls nobody in Slack."""
    assert ringlet(home, "profiles", "create", "claude", name, "--project", "/p").code == 0
    hooks(home, "add", name, *DAILY, "--shell", f'printf %s "$RINGLET_PROFILE" > {home}/name')
    hooks(home, "add", name, *DAILY, "--webhook", receiver.url, "--allow-http", "--allow-private")
    for hook in listed(home, name):
        assert hooks(home, "test", hook["id"]).code == 0

    assert (home / "name").read_text() == name
    assert not (home / "x").exists()
    fields = receiver.got[0].fields
    assert (fields["profile"], "<" in fields["text"], ">" in fields["text"]) == (name, False, False)


def test_a_tool_event_is_tested_as_the_agent_would_run_it(home: Path) -> None:
    """With JSON on standard input; what it answers is told."""
    hooks(home, "add", "work", "PreToolUse", "Bash", 'grep -q \'"tool_name":"Bash"\' || exit 3; echo no >&2; exit 2')
    (hook,) = listed(home)
    done = hooks(home, "test", hook["id"])

    assert (done.code, "exit code 2: no" in done.err) == (1, True), done.err


def test_hooks_follow_a_renamed_profile(home: Path) -> None:
    """They are the profile's, whatever it is called."""
    hooks(home, "add", "work", *DAILY, "--shell", "x")
    ringlet(home, "profiles", "rename", "work", "acme")

    assert [hook["profile"] for hook in listed(home, "acme")] == ["acme"]


def test_hooks_go_with_a_deleted_profile(home: Path) -> None:
    """All of them, out of the agent's settings too, and it is said."""
    hooks(home, "add", "work", *DAILY, "--shell", "x")
    hooks(home, "add", "work", "Stop", "*", "true")
    hooks(home, "add", "default", *DAILY, "--shell", "x")
    done = ringlet(home, "profiles", "delete", "work")

    assert "Removed 2 hooks" in done.out
    assert ([hook["profile"] for hook in listed(home)], settings(home)) == (["default"], THEIRS)


def test_what_a_removed_hook_had_to_tell_is_told_to_nobody(home: Path) -> None:
    """Its alerts are settled, and the log of them says why."""
    hooks(home, "add", "work", *DAILY, "--shell", "x")
    (hook,) = listed(home)
    Log.open(home / "rl").close()
    message = json.dumps({"text": "so much", "profile": "work", "id": "i"}).encode()
    with Outbox.open(str(home / "rl")) as outbox:
        outbox.decide(hook["id"], "day 2026-05-13", message, 1)
    hooks(home, "remove", hook["id"])

    (told,) = json.loads(hooks(home, "logs", "--json").out)
    assert (told["outcome"], told["said"], told["next_attempt_at"]) == ("dropped", "the hook was removed", None)


def test_a_hook_added_twice_at_once_is_kept_once(home: Path) -> None:
    """Whoever waits for another one's change judges by what is kept then."""
    where = paths({"RINGLET_HOME": str(home / "rl")})
    hook = making.checked(making.Wanted(profile="work", on="daily-rollup", shell="cat"), where)
    twin = msgspec.structs.replace(hook, id=book.new_id())
    done: list[int] = []
    adding = [Thread(target=lambda one=one: done.append(len(making.add(where, [one])))) for one in (hook, twin)]
    with profile_changes.lock(where):
        for thread in adding:
            thread.start()
        # Time enough to have looked already, for who looks before it may change anything.
        time.sleep(0.3)
    for thread in adding:
        thread.join()

    assert (sorted(done), len(listed(home))) == ([0, 1], 1)


def test_the_last_alerts_of_a_profile_are_shown(home: Path) -> None:
    """However many of other profiles came after them; the latest stands last."""
    hooks(home, "add", "work", "--on", "daily-rollup", "--shell", "cat")
    (hook,) = listed(home)
    Log.open(home / "rl").close()
    with Outbox.open(str(home / "rl")) as outbox:
        for day in range(1, 8):
            profile = "work" if day < 4 else "default"
            message = json.dumps({"profile": profile, "id": str(day), "text": "spent"}).encode()
            outbox.decide(hook["id"], f"day 2026-05-{day:02d}", message, day)

    shown = json.loads(hooks(home, "logs", "work", "-n", "2", "--json").out)
    assert [each["window"] for each in shown] == ["day 2026-05-02", "day 2026-05-03"]


def test_export_and_import_carry_hooks(home: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """With --secrets another machine gets the same hooks under ids of its own; a second import adds nothing."""
    hooks(home, "add", "work", *DAILY, "--webhook", SLACK)
    hooks(home, "add", "work", "PreToolUse", "Bash", "ours")
    hooks(home, "add", "default", "--on", "daily-rollup", "--shell", "cat", "--at", "08:00")
    file = home / "hooks-carried.json"
    file.write_text(hooks(home, "export", "--secrets").out)
    there = tmp_path_factory.mktemp("there")
    ringlet(there, "profiles", "create", "claude", "work", "--home", str(there / "agent"))

    first, again = hooks(there, "import", str(file)), hooks(there, "import", str(file))
    assert (first.code, "3 hooks added, 0 there already" in first.out, "0 hooks added, 3 there already" in again.out) == (0, True, True)
    mine = [{**hook, "id": "", "settings": ""} for hook in listed(home)]
    assert [{**hook, "id": "", "settings": ""} for hook in listed(there)] == mine
    assert {hook["id"] for hook in listed(there)} & {hook["id"] for hook in listed(home)} == set()
    assert settings(there)["hooks"]["PreToolUse"][0]["hooks"][0]["command"] == "ours"


def test_an_export_without_secrets_says_what_it_lacks(home: Path) -> None:
    """It can be shown to others; importing it tells how to write one that has everything."""
    hooks(home, "add", "work", *DAILY, "--webhook", SLACK)
    file = home / "hooks-carried.json"
    file.write_text(hooks(home, "export", "work").out)
    done = hooks(home, "import", "work", str(file))

    assert (done.code, "--secrets" in done.err) == (2, True)


def test_an_agents_own_hooks_are_imported(home: Path) -> None:
    """Each command of Claude Code's settings becomes a hook of the profile that is named; without one there is nobody to give it to."""
    file = home / "their-settings.json"
    file.write_text(json.dumps({"hooks": {"PostToolUse": [{"matcher": "Edit", "hooks": [{"type": "command", "command": "fmt"}]}]}}))

    assert hooks(home, "import", str(file)).code == 2
    assert hooks(home, "import", "work", str(file)).code == 0
    assert settings(home)["hooks"]["PostToolUse"] == [{"matcher": "Edit", "hooks": [{"type": "command", "command": "fmt"}]}]


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "7",
        '{"hooks": [7]}',
        '{"hooks": [{"profile": "work"}]}',
        '{"hooks": [{"profile": "nobody", "on": "daily-rollup", "shell": "x"}]}',
        '{"hooks": [{"profile": "work", "on": "cost-threshold", "period": "day", "threshold": "x", "shell": "x"}]}',
        '{"hooks": [{"profile": "work", "on": "daily-rollup", "webhook": "https://127.0.0.1/"}]}',
        '{"version": 2, "hooks": [{"profile": "work", "on": "daily-rollup", "shell": "x"}]}',
        '{"hooks": {"Nothing": []}}',
        '{"hooks": {"Stop": 7}}',
    ],
)
def test_a_file_that_holds_anything_wrong_adds_nothing(home: Path, content: str) -> None:
    """It is judged as if typed, all of it before any of it is kept."""
    file = home / "wrong.json"
    file.write_text(content)
    done = hooks(home, "import", "work", str(file)) if "nobody" not in content else hooks(home, "import", str(file))

    assert (done.code, listed(home)) == (2, []), done.err


def test_a_file_that_is_not_there(home: Path) -> None:
    """Named and not found: 3."""
    assert hooks(home, "import", "work", str(home / "nowhere")).code == 3


def test_doctor_tells_what_hooks_lack(home: Path) -> None:
    """A file that is off, a profile that there is not, and that nobody watches; nothing where there are no hooks."""

    def warned() -> list[str]:
        found = json.loads(ringlet(home, "doctor", "--json").out)["findings"]
        return [each["what"] for each in found if each["area"] == "hooks"]

    ringlet(home, "usage")
    assert warned() == []
    hooks(home, "add", "work", "Stop", "*", "true")
    assert warned() == []
    id = json.loads(hooks(home, "add", "work", *DAILY, "--shell", "x", "--json").out)["id"]
    (home / "rl" / "profiles.json").write_text("{}")
    assert f"hook {id} waits for profile 'work', which there is not" in warned()
    assert "there are hooks on spend and nobody watches: nothing is told" in warned()
    (home / "rl" / "hooks.json").chmod(0o640)
    assert warned() == ["open to other users, and it holds commands and secret addresses: nothing is told"]


def test_names_are_completed(home: Path) -> None:
    """Profiles, ids and events, where the shell asks for them."""
    hooks(home, "add", "work", *DAILY, "--shell", "x")
    (hook,) = listed(home)
    for typed, expected in (
        ("hooks add w", "work"),
        (f"hooks remove {hook['id'][:3]}", hook["id"]),
        ("hooks add work --on Pre", "PreToolUse"),
    ):
        words = typed.split()
        asked = {"_RINGLET_COMPLETE": "complete_bash", "COMP_WORDS": f"ringlet {typed}", "COMP_CWORD": str(len(words))}
        done = completed(home, asked)
        assert expected in done.split(), (typed, done)


def completed(home: Path, asked: dict[str, str]) -> str:
    import subprocess
    import sys

    from tests.cli.daemons import ROOT

    env = {"PATH": os.environ["PATH"], "HOME": str(home), "RINGLET_HOME": str(home / "rl"), "PYTHONPATH": str(ROOT), **asked}
    code = "import sys; sys.argv = ['ringlet']; from cli.main import run; run([])"
    return subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False, cwd=ROOT).stdout
