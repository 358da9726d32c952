"""`ringlet profiles run` and `env`: small programs stand in for the agents and write logs where the real ones would."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from cli.paths import Paths
from pipeline.profiles import Rules
from tests.cli.homes import reply, ringlet

ROOT = Path(__file__).parents[2]
KEY = "sk-test-0123456789abcdefghij"


class Machine:
    """A user with a home, a search path of their own and stand-ins for agents."""

    def __init__(self, place: Path) -> None:
        self.home = place / "home"
        self.bin = place / "bin"
        self.home.mkdir()
        self.bin.mkdir()
        self.env = {"PATH": f"{self.bin}:/usr/bin:/bin", "HOME": str(self.home), "RINGLET_HOME": str(self.home / "rl"), "TZ": "UTC"}
        # Keys of tests belong into no keyring of whoever runs them.
        self.env["PYTHON_KEYRING_BACKEND"] = "keyring.backends.null.Keyring"

    def agent(self, name: str, script: str) -> None:
        """A program of that name."""
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def start(self, *argv: str, **more: str) -> "subprocess.Popen[bytes]":
        """ringlet as a process of its own, since a run becomes the agent's."""
        command = [sys.executable, "-P", "-m", "ringlet", *argv]
        env = {**self.env, "PYTHONPATH": str(ROOT), **more}
        return subprocess.Popen(command, env=env, cwd=self.home, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def run(self, *argv: str, typed: str = "", **more: str) -> tuple[int, str, str]:
        """(exit code, output, errors) of a command line."""
        process = self.start(*argv, **more)
        out, err = process.communicate(typed.encode(), timeout=120)
        return process.returncode, out.decode(), err.decode()

    def rules(self) -> Rules:
        """What is known of profiles."""
        return Rules.load(Paths(str(self.home / "rl"), "").profiles)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def writes(number: int, home: str = "$CLAUDE_CONFIG_DIR") -> str:
    """The script of a stand-in for Claude Code that makes one call and writes it into its log."""
    line = reply(number, "2026-05-13T09:00:00Z", session=f"s{number}").strip()
    return f'mkdir -p "{home}/projects/-src"\ncat > "{home}/projects/-src/s{number}.jsonl" <<\'END\'\n{line}\nEND'


def calls_of(machine: Machine, profile: str) -> int:
    outcome = ringlet(machine.home, "usage", "--profile", profile, "--period", "all", "--json")
    assert outcome.code == 0, outcome.err
    return sum(
        row["requests"]
        for row in json.loads(ringlet(machine.home, "usage", "profiles", "--period", "all", "--json").out)["rows"]
        if row["profile"] == profile
    )


def test_usage_of_a_run_is_the_profiles(machine: Machine) -> None:
    """What an agent logs in a run counts for its profile at the next question, with nothing to switch on."""
    machine.agent("claude", writes(1))
    machine.run("profiles", "create", "claude", "work")

    assert machine.run("profiles", "run", "work") == (0, "", "")
    assert calls_of(machine, "work") == 1
    assert not (machine.home / ".claude").exists()


_TURN = (
    '{"timestamp": 1778662800, "params": {"sessionId": "s1", "update": {"sessionUpdate": "turn_completed", "prompt_id": "P1",'
    ' "usage": {"inputTokens": 5, "outputTokens": 1}}}}'
)
_TOTAL = '{"model": "m", "providerLockTimestamp": "2026-05-13T09:00:00Z", "tokenUsage": {"inputTokens": 5, "outputTokens": 1}}'


@pytest.mark.parametrize(
    ("agent", "path", "text"),
    [("grok", "$GROK_HOME/sessions/w/s1/updates.jsonl", _TURN), ("droid", "$HOME/.factory/sessions/w/s1.settings.json", _TOTAL)],
)
def test_usage_of_a_run_of_any_agent_is_the_profiles(machine: Machine, agent: str, path: str, text: str) -> None:
    """Each agent's log is found in the profile's home, wherever the agent keeps it there."""
    machine.agent(agent, f'mkdir -p "$(dirname "{path}")"\ncat > "{path}" <<\'END\'\n{text}\nEND')
    machine.run("profiles", "create", agent, "work")

    assert machine.run("profiles", "run", "work") == (0, "", "")
    assert calls_of(machine, "work") == 1


def test_two_runs_at_once_are_told_apart_from_everybody_else(machine: Machine) -> None:
    """Runs of one profile at once, the first ever included, all count for it; those of another profile meanwhile count for that."""
    machine.agent(
        "claude",
        writes(1).replace("s1.jsonl", "$1.jsonl").replace("<<'END'", "<<END").replace("msg_1", "msg_$1").replace("req_1", "req_$1"),
    )
    for name in ("work", "play"):
        machine.run("profiles", "create", "claude", name)
    started = [machine.start("profiles", "run", name, "--", str(number)) for number, name in enumerate(("work", "work", "work", "play"), 5)]

    assert [(process.wait(120), process.communicate()[1]) for process in started] == [(0, b"")] * 4
    assert (calls_of(machine, "work"), calls_of(machine, "play")) == (3, 1)
    assert len(machine.rules().rules) == 2


@pytest.mark.parametrize("code", [0, 1, 3, 7, 130, 255])
def test_the_exit_code_is_the_agents(machine: Machine, code: int) -> None:
    """Whatever an agent ends with is what the run ends with."""
    machine.agent("claude", f"exit {code}")
    machine.run("profiles", "create", "claude", "work")

    assert machine.run("profiles", "run", "work")[0] == code


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE, signal.SIGKILL, signal.SIGXFSZ])
def test_a_signal_is_the_agents(machine: Machine, number: signal.Signals) -> None:
    """A signal to the run reaches the agent as it would without ringlet, and what it does then is what the caller sees."""
    machine.agent("claude", "echo ready; exec sleep 600")
    machine.run("profiles", "create", "claude", "work")
    process = machine.start("profiles", "run", "work")
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(number)

    assert process.wait(120) == -number
    process.communicate()


def test_a_signal_that_the_agent_handles_ends_nothing(machine: Machine) -> None:
    """An agent that takes an interrupt for something else goes on."""
    machine.agent("claude", "trap 'echo again; exit 5' INT\necho ready\nwhile :; do sleep 0.05; done")
    machine.run("profiles", "create", "claude", "work")
    process = machine.start("profiles", "run", "work")
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(signal.SIGINT)

    assert (process.communicate()[0], process.returncode) == (b"again\n", 5)


def test_arguments_and_input_reach_the_agent_as_they_are(machine: Machine) -> None:
    """Options, empty words, blanks and `--` behind the profile's name are the agent's; only the first `--` is ours."""
    machine.agent("claude", 'for each; do printf "<%s>" "$each"; done; cat')
    machine.run("profiles", "create", "claude", "work")
    words = ["-p", "", "two words", "--", "--help", "$(id)", "ü"]

    assert machine.run("profiles", "run", "work", "--", *words, typed="in\0put")[1] == "".join(f"<{word}>" for word in words) + "in\0put"
    assert machine.run("profiles", "run", "work", *words)[1] == "".join(f"<{word}>" for word in words)


def test_the_terminal_is_the_agents(machine: Machine) -> None:
    """An agent that is started from a terminal has that terminal."""
    import pty

    machine.agent("claude", "test -t 0 && test -t 1 && test -t 2 && exit 9")
    machine.run("profiles", "create", "claude", "work")
    parent, child = pty.openpty()
    command = [sys.executable, "-P", "-m", "ringlet", "profiles", "run", "work"]
    code = subprocess.run(
        command, env={**machine.env, "PYTHONPATH": str(ROOT)}, stdin=child, stdout=child, stderr=child, check=False
    ).returncode
    os.close(parent)
    os.close(child)

    assert code == 9


def test_a_missing_agent_is_not_found(machine: Machine) -> None:
    """It exits 3 and says what to install."""
    machine.run("profiles", "create", "codex", "work")
    code, _, err = machine.run("profiles", "run", "work", PATH="/nonexistent")

    assert (code, "npm install -g @openai/codex" in err) == (3, True)


def test_variables_of_the_user_do_not_reach_the_agent(machine: Machine) -> None:
    """What would tell the agent of another account, endpoint, model or home is taken away; all else stays."""
    machine.agent("claude", "env | sort")
    machine.run("profiles", "create", "claude", "work")
    told = {
        "ANTHROPIC_API_KEY": "theirs",
        "ANTHROPIC_BASE_URL": "http://theirs",
        "CLAUDE_CODE_USE_BEDROCK": "1",
        "CLAUDE_CODE_OAUTH_TOKEN": "theirs",
        "CLAUDE_CONFIG_DIR": "/theirs",
        "OPENAI_API_KEY": "of their program",
        "EDITOR": "ed",
    }
    out = machine.run("profiles", "run", "work", **told)[1].splitlines()

    home = machine.rules().find("work").home
    assert [line for line in out if line.startswith(("ANTHROPIC", "CLAUDE"))] == [f"CLAUDE_CONFIG_DIR={home}"]
    assert {"OPENAI_API_KEY=of their program", "EDITOR=ed"} <= set(out)


def created(machine: Machine, agent: str, *options: str) -> None:
    code, out, err = machine.run("profiles", "create", agent, "work", *options, "--api-key-stdin", typed=KEY + "\n")
    assert (code, KEY in out + err) == (0, False), err


@pytest.mark.parametrize(
    ("agent", "options", "wanted"),
    [
        ("claude", ("--model", "m"), {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_MODEL": "m"}),
        ("claude", ("--provider", "zai"), {"ANTHROPIC_AUTH_TOKEN": KEY, "ANTHROPIC_BASE_URL": "https://api.z.ai/api/anthropic"}),
        ("claude", ("--endpoint", "http://127.0.0.1:9/x"), {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": "http://127.0.0.1:9/x"}),
        ("codex", (), {"OPENAI_API_KEY": KEY, "CODEX_API_KEY": KEY}),
        ("codex", ("--provider", "openrouter"), {"OPENROUTER_API_KEY": KEY}),
        (
            "opencode",
            ("--provider", "groq", "--model", "m"),
            {"GROQ_API_KEY": KEY, "OPENCODE_CONFIG_CONTENT": '{"provider": {"groq": {"models": {"m": {}}}}, "model": "groq/m"}'},
        ),
        ("grok", ("--model", "m"), {"XAI_API_KEY": KEY, "GROK_API_KEY": KEY, "GROK_MODEL": "m"}),
        ("droid", (), {"FACTORY_API_KEY": KEY}),
    ],
)
def test_an_agent_is_told_provider_key_and_model_in_its_own_way(
    machine: Machine, agent: str, options: Sequence[str], wanted: dict[str, str]
) -> None:
    """Each agent has variables of its own; the key is never in a command line, nor in profiles.json."""
    machine.agent(agent, "cat /proc/$$/cmdline; echo; env" if sys.platform == "linux" else "echo; env")
    created(machine, agent, *options)
    command, _, env = machine.run("profiles", "run", "work")[1].partition("\n")

    assert {f"{name}={value}" for name, value in wanted.items()} <= set(env.splitlines())
    assert KEY not in command
    assert KEY not in (machine.home / "rl" / "profiles.json").read_text()


def test_codex_is_told_of_another_provider_by_arguments(machine: Machine) -> None:
    """Codex takes a provider from its settings alone; they name the variable that holds the key, never the key."""
    machine.agent("codex", 'printf "%s\\n" "$@"')
    created(machine, "codex", "--provider", "openrouter", "--model", "m")

    assert machine.run("profiles", "run", "work", "exec")[1].splitlines()[1::2] == [
        'model="m"',
        'model_provider="ringlet-openrouter"',
        'model_providers.ringlet-openrouter.name="openrouter"',
        'model_providers.ringlet-openrouter.base_url="https://openrouter.ai/api/v1"',
        'model_providers.ringlet-openrouter.wire_api="responses"',
        'model_providers.ringlet-openrouter.env_key="OPENROUTER_API_KEY"',
    ]


@pytest.mark.parametrize(("agent", "variable", "own"), [("opencode", "XDG_DATA_HOME", "opencode"), ("droid", "HOME", ".factory")])
def test_an_agent_that_cannot_be_told_its_home_finds_it(machine: Machine, agent: str, variable: str, own: str) -> None:
    """Such an agent sees a folder of links: to the profile's home in the place of its own, and to all else of the user's."""
    machine.agent(agent, f'echo logged > "${variable}/{own}/log"; cat "${variable}/kept"')
    real = machine.home if variable == "HOME" else machine.home / ".local" / "share"
    (real / own).mkdir(parents=True)
    (real / "kept").write_text("mine")
    machine.run("profiles", "create", agent, "work")

    assert machine.run("profiles", "run", "work") == (0, "mine", "")
    assert Path(str(machine.rules().find("work").home), "log").read_text() == "logged\n"
    assert list((real / own).iterdir()) == []


@pytest.mark.parametrize("name", ["..", ".", "a b", "$(touch x)", "'; touch x; '", "~", "A", "客户"])
def test_any_name_of_a_profile_is_only_a_name(machine: Machine, name: str) -> None:
    """A name that a shell or a file system would take for more gives a folder of its own below ringlet's, and harmless lines."""
    machine.agent("claude", writes(1))
    hint = machine.run("profiles", "create", "claude", name)[1]
    assert ["profiles", "run", name] in [shlex.split(line)[-3:] for line in re.findall(r"ringlet (profiles run .*), ringlet import", hint)]
    machine.run("profiles", "create", "claude", "a")

    assert machine.run("profiles", "run", name) == (0, "", "")
    subprocess.run(["sh", "-c", machine.run("profiles", "env", name)[1]], cwd=machine.home, check=True)
    assert calls_of(machine, name) == 1
    assert Path(str(machine.rules().find(name).home)).parent == machine.home / "rl" / "homes"
    assert not (machine.home / "x").exists()


def test_a_renamed_profile_keeps_its_home_to_itself(machine: Machine) -> None:
    """A new profile under the old name gets another home."""
    machine.agent("claude", writes(1))
    machine.run("profiles", "create", "claude", "work")
    machine.run("profiles", "run", "work")
    machine.run("profiles", "rename", "work", "former")
    machine.run("profiles", "create", "claude", "work")
    machine.agent("claude", writes(2))
    machine.run("profiles", "run", "work")

    assert (calls_of(machine, "work"), calls_of(machine, "former")) == (1, 1)


def test_a_home_of_the_users_that_is_missing_is_made_where_its_folder_is(machine: Machine) -> None:
    """A home on a disk that is not there is not made in its place: that exits 3."""
    machine.agent("claude", writes(1))
    machine.run("profiles", "create", "claude", "near", "--home", str(machine.home / "new"))
    machine.run("profiles", "create", "claude", "far", "--home", str(machine.home / "disk" / "new"))

    assert machine.run("profiles", "run", "near")[0] == 0
    assert calls_of(machine, "near") == 1
    assert machine.run("profiles", "run", "far")[0] == 3
    assert not (machine.home / "disk").exists()


def test_env_prints_the_same_and_hides_secrets(machine: Machine) -> None:
    """The lines give a shell what a run gives the agent; without --show-secrets the key is not in them, nor is the user's own left."""
    created(machine, "claude")
    hidden = machine.run("profiles", "env", "work", ANTHROPIC_API_KEY="theirs")[1]
    shown = machine.run("profiles", "env", "work", "--show-secrets", ANTHROPIC_API_KEY="theirs")[1]

    assert (KEY in hidden, "unset ANTHROPIC_API_KEY\n" in hidden) == (False, True)
    after = subprocess.run(
        ["sh", "-c", f'{shown}\necho "$ANTHROPIC_API_KEY $CLAUDE_CONFIG_DIR"'], capture_output=True, text=True, check=True
    )
    assert after.stdout == f"{KEY} {machine.rules().find('work').home}\n"


def test_a_key_is_kept_closed_shown_masked_and_removed_with_the_profile(machine: Machine) -> None:
    """Only its user can read the file, `inspect` shows where it lies and the key's end, and `delete` leaves nothing of it."""
    created(machine, "claude")
    (kept,) = (machine.home / "rl" / "keys").iterdir()

    assert (kept.stat().st_mode & 0o777, kept.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    shown = machine.run("profiles", "inspect", "work")[1] + machine.run("profiles", "inspect", "work", "--json")[1]
    assert (f"key       …ghij in {kept}\n" in shown, KEY in shown) == (True, False)
    machine.run("profiles", "delete", "work")
    assert list(kept.parent.iterdir()) == []


@pytest.mark.parametrize("typed", ["", "\n", "two words\n", "x" * 5000, "a\x1bb\n", "ü\n"])
def test_what_is_no_key_makes_no_profile(machine: Machine, typed: str) -> None:
    """It exits 2, does not repeat what was typed, and leaves nothing behind."""
    code, _, err = machine.run("profiles", "create", "claude", "work", "--api-key-stdin", typed=typed)

    assert (code, "xxx" in err, machine.rules().profiles) == (2, False, ())
    assert not (machine.home / "rl" / "keys").exists()


@pytest.mark.parametrize(
    "endpoint", ["ftp://x", "x", "https://", "https://u:p@x", "https://x?key=k", "https://x y", "https://[", "https://x:0"]
)
def test_what_is_no_endpoint_makes_no_profile(machine: Machine, endpoint: str) -> None:
    """An endpoint is a whole http or https address without a secret in it."""
    assert ringlet(machine.home, "profiles", "create", "claude", "work", "--endpoint", endpoint).code == 2
    assert machine.rules().profiles == ()


@pytest.mark.parametrize(
    "argv", [("droid", "--model", "m"), ("claude", "--provider", "groq", "--model", "m"), ("opencode", "--endpoint", "http://x")]
)
def test_what_an_agent_cannot_be_told_is_said_when_the_profile_is_made(machine: Machine, argv: tuple[str, ...]) -> None:
    """It exits 2, and there is no such profile."""
    agent, *options = argv

    assert ringlet(machine.home, "profiles", "create", agent, "work", *options).code == 2
    assert machine.rules().profiles == ()


@pytest.mark.parametrize(("endpoint", "code"), [("http://10.0.0.1/v1", 2), ("http://localhost:8080", 0), ("https://10.0.0.1/v1", 0)])
def test_a_key_never_crosses_a_network_unencrypted(machine: Machine, endpoint: str, code: int) -> None:
    """A profile with a key takes an http endpoint on this machine alone."""
    options = ("--endpoint", endpoint, "--api-key-stdin")

    assert machine.run("profiles", "create", "claude", "work", *options, typed=KEY)[0] == code


def test_a_profile_that_could_not_be_started_is_made_with_a_word_about_it(machine: Machine) -> None:
    """Usage can be mapped to it all the same; an endpoint that the configuration has for its provider is one to start it with."""
    outcome = ringlet(machine.home, "profiles", "create", "claude", "one", "--provider", "corp")
    assert (outcome.code, "! ringlet profiles run cannot start it: profile 'one': no endpoint of 'corp'" in outcome.err) == (0, True)
    assert "profiles run" not in outcome.out

    (machine.home / "rl" / "config.toml").write_text('[providers.corp]\nbilling = "managed"\nendpoint = "https://llm.corp.example/x/"\n')
    machine.agent("claude", 'echo "$ANTHROPIC_BASE_URL"')
    assert ringlet(machine.home, "profiles", "create", "claude", "two", "--provider", "corp", "--model", "m")[::2] == (0, "")
    assert machine.run("profiles", "run", "two")[1] == "https://llm.corp.example/x\n"
    machine.agent("codex", 'printf "%s\\n" "$@"')
    assert ringlet(machine.home, "profiles", "create", "codex", "three", "--provider", "corp").code == 0
    assert 'model_providers.ringlet-corp.base_url="https://llm.corp.example/x/v1"\n' in machine.run("profiles", "run", "three")[1]
