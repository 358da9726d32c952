"""`ringlet profiles run` through the daemon's proxy: small programs stand in for the agents and call a stand-in for their provider."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.cli.daemons import NOTICED_S, ROOT, Done, Home, daemon, needed, until
from tests.ingest.wired import sse

KEY = "sk-test-0123456789abcdefghij"

AGENT = f'''#!{sys.executable}
"""Calls its provider once, as the agent does whose name it bears, and writes down where."""
import json, os, sys, urllib.request

name = os.path.basename(sys.argv[0])
env = os.environ
settings = dict(word.split("=", 1) for word in sys.argv[1:] if "=" in word)
number = next((word for word in sys.argv[1:] if word.isdigit()), "1")
content = json.loads(env.get("OPENCODE_CONFIG_CONTENT", "{{}}"))
options = [each.get("options", {{}}) for each in content.get("provider", {{}}).values()]
told_base = lambda: next(value for word, value in settings.items() if word.endswith("base_url"))
base, key = {{
    "claude": lambda: (env["ANTHROPIC_BASE_URL"] + "/v1", env.get("ANTHROPIC_API_KEY") or env.get("ANTHROPIC_AUTH_TOKEN", "")),
    "codex": lambda: (json.loads(told_base()), env.get("OPENAI_API_KEY", "")),
    "opencode": lambda: (options[0]["baseURL"], env.get("GROQ_API_KEY") or env.get("ANTHROPIC_API_KEY", "")),
    "grok": lambda: (env["GROK_BASE_URL"], env["XAI_API_KEY"]),
}}[name]()
shape = {{"claude": "/messages", "codex": "/responses"}}.get(name, "/chat/completions")
if "anthropic" in content.get("provider", {{}}):
    shape = "/messages"
body = json.dumps({{"model": "m", "number": number}}).encode()
headers = {{"Authorization": "Bearer " + key, "Content-Type": "application/json"}}
request = urllib.request.Request(base + shape, body, headers)
try:
    with urllib.request.urlopen(request, timeout=90) as reply:
        told = reply.read()
except OSError as error:
    print(type(error).__name__, file=sys.stderr)
    sys.exit(7)
print(base)
if name == "claude":
    line = {{
        "type": "assistant", "uuid": "u" + number, "timestamp": "2026-05-13T09:00:00Z", "sessionId": "s" + number, "cwd": "/src",
        "version": "2.1.240", "isSidechain": False, "requestId": "req_" + number,
        "message": {{"id": "msg_" + number, "type": "message", "role": "assistant", "model": "claude-sonnet-4-5", "content": [],
                    "stop_reason": "end_turn", "usage": {{"input_tokens": 1000, "output_tokens": 500}}}},
    }}
    folder = os.path.join(env["CLAUDE_CONFIG_DIR"], "projects", "-src")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "s" + number + ".jsonl"), "w") as log:
        log.write(json.dumps(line) + "\\n")
if "wait" in sys.argv:
    print("called", flush=True)
    sys.stdin.read()
'''


class Stand:
    """A provider that speaks three of the formats, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str]] = []
        """(path, key, number) of each call."""
        stand = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                number = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["number"]
                stand.asked.append((self.path, self.headers["Authorization"].removeprefix("Bearer "), number))
                body = said(self.path, number)
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream" if self.path.endswith("/messages") else "application/json")
                self.send_header("request-id", f"req_{number}")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"


def said(path: str, number: str) -> bytes:
    """The reply to a call, in the format that its path asks for: 1,000 tokens in and 500 out."""
    if path.endswith("/messages"):
        usage = {"input_tokens": 1000, "output_tokens": 1}
        start = {"type": "message_start", "message": {"id": f"msg_{number}", "model": "claude-sonnet-4-5", "usage": usage}}
        return sse([start, {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 500}}])
    if path.endswith("/responses"):
        usage = {"input_tokens": 1000, "output_tokens": 500, "total_tokens": 1500}
        told: dict[str, Any] = {"id": f"resp_{number}0123456789abcdef", "object": "response", "status": "completed", "model": "gpt-5"}
        return json.dumps({**told, "usage": usage}).encode()
    usage = {"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500}
    return json.dumps({"id": f"chatcmpl-{number}0123456789abcdef", "model": "m", "choices": [{}], "usage": usage}).encode()


@pytest.fixture
def stand() -> Iterator[Stand]:
    stand = Stand()
    yield stand
    stand.server.shutdown()
    stand.server.server_close()


class Machine(Home):
    """A user with agents on the search path and all providers on this machine."""

    def __init__(self, folder: Path, stand: Stand, settings: str = "[capture]\nenabled = true\nport = 0\n") -> None:
        bin = folder / "bin"
        bin.mkdir()
        super().__init__(folder, PATH=f"{bin}:/usr/bin:/bin")
        for name in ("claude", "codex", "opencode", "grok", "droid"):
            (bin / name).write_text(AGENT)
            (bin / name).chmod(0o755)
        self.store.mkdir(mode=0o700)
        rows = (f'[providers.{name}]\nbilling = "metered"\nendpoint = "{stand.url}"\n' for name in ("anthropic", "openai", "groq", "xai"))
        (self.store / "config.toml").write_text(settings + "".join(rows))

    def created(self, agent: str, name: str, *options: str, key: str | None = KEY) -> None:
        """A profile."""
        argv = self.command("profiles", "create", agent, name, *options, *["--api-key-stdin"] * (key is not None))
        done = subprocess.run(argv, env=self.env, input=key or "", capture_output=True, text=True, check=False, cwd=ROOT)
        assert done.returncode == 0, done

    def began(self, name: str, *words: str) -> "subprocess.Popen[str]":
        """A run that waits after its call."""
        pipe = subprocess.PIPE
        process = subprocess.Popen(
            self.command("profiles", "run", name, "--", "wait", *words),
            env=self.env,
            cwd=ROOT,
            text=True,
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
        )
        assert process.stdout is not None
        while process.stdout.readline() != "called\n":
            assert process.poll() is None, process.communicate()
        return process

    def went(self, name: str, number: int = 1) -> Done:
        """A run to its end."""
        return self.run("profiles", "run", name, "--", str(number))

    def counted(self, calls: int) -> dict[str, tuple[int, int, int]]:
        """(requests, prompt, output) of each profile once so many calls are counted; what they come to if it never is."""
        for _ in range(100):
            rows = json.loads(self.run("usage", "profiles", "--period", "all", "--json").out)["rows"]
            found = {
                row["profile"]: (row["requests"], row["tokens"]["input_tokens"], row["tokens"]["output_tokens"])
                for row in rows
                if row["requests"]
            }
            if sum(requests for requests, *_ in found.values()) >= calls:
                return found
            time.sleep(0.1)
        return found


def captured(machine: Machine) -> int:
    """Calls that the daemon has captured; -1 while it does not say."""
    told = machine.status().get("capture")
    return -1 if told is None else int(told["captured"])


class Carrying:
    """A machine whose daemon carries runs, and a further profile for whoever asks."""

    def __init__(self, machine: Machine, stand: Stand, port: int) -> None:
        self.machine, self.stand, self.port = machine, stand, port
        self._profiles = 0

    def run(self, agent: str, *options: str, key: str | None = KEY) -> str:
        """A run of a new profile, which must be carried: the number of its call."""
        self._profiles += 1
        name = f"work-{self._profiles}"
        self.machine.created(agent, name, *options, key=key)
        done = self.machine.went(name, self._profiles)
        assert (done.code, done.err) == (0, "")
        assert done.out.startswith(f"http://127.0.0.1:{self.port}/")
        until(lambda: captured(self.machine) == self._profiles)
        return str(self._profiles)


@pytest.fixture(scope="module")
def carrying(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Carrying]:
    """One for all runs that need only some daemon: to start one takes longer than what they do."""
    stand = Stand()
    machine = Machine(tmp_path_factory.mktemp("home"), stand)
    with daemon(machine) as status:
        yield Carrying(machine, stand, status["capture"]["port"])
    stand.server.shutdown()
    stand.server.server_close()


@pytest.mark.parametrize(
    ("agent", "options", "path"),
    [
        ("claude", (), "/v1/messages"),
        ("claude", ("--provider", "anthropic", "--model", "m"), "/v1/messages"),
        ("codex", (), "/v1/responses"),
        ("codex", ("--provider", "openai"), "/v1/responses"),
        ("opencode", ("--provider", "groq", "--model", "m"), "/openai/v1/chat/completions"),
        ("opencode", ("--provider", "anthropic"), "/v1/messages"),
        ("grok", (), "/v1/chat/completions"),
    ],
)
def test_a_run_calls_its_provider_through_the_proxy(carrying: Carrying, agent: str, options: tuple[str, ...], path: str) -> None:
    """Each agent that can be told an address is told the proxy's; its call comes to its provider with its key, on the provider's path."""
    before = len(carrying.stand.asked)
    number = carrying.run(agent, *options)

    assert carrying.stand.asked[before:] == [(path, KEY, number)]


@pytest.mark.parametrize(
    ("agent", "options", "path"),
    [
        ("claude", (), "/base/v1/messages"),
        ("codex", ("--provider", "corp"), "/base/responses"),
        ("opencode", ("--provider", "corp", "--model", "m"), "/base/chat/completions"),
        ("grok", (), "/base/chat/completions"),
    ],
)
def test_an_endpoint_of_ones_own_is_carried_to(carrying: Carrying, stand: Stand, agent: str, options: tuple[str, ...], path: str) -> None:
    """Calls of a profile with --endpoint go through the proxy to that place, its path included, and to no other."""
    before = len(carrying.stand.asked)
    carrying.run(agent, *options, "--endpoint", stand.url + "/base/", key=None if agent == "opencode" else KEY)

    assert ([path for path, *_ in stand.asked], carrying.stand.asked[before:]) == ([path], [])


def test_a_call_in_the_log_and_on_the_wire_counts_once(tmp_path: Path, stand: Stand) -> None:
    """Runs of two profiles at once, two of one of them: each call is its profile's, and one, though the agent logged it too."""
    machine = Machine(tmp_path, stand)
    machine.created("claude", "work")
    machine.created("claude", "play")
    with daemon(machine):
        started = [machine.began(name, str(number)) for number, name in enumerate(("work", "work", "play"), 1)]
        for process in started:
            process.communicate("")
        until(lambda: captured(machine) == 3)
        assert machine.counted(3) == {"work": (2, 2000, 1000), "play": (1, 1000, 500)}
        rows = json.loads(machine.run("usage", "sessions", "--period", "all", "--json").out)["rows"]

    assert sorted((row["session"], row["requests"]) for row in rows) == [("s1", 1), ("s2", 1), ("s3", 1)]
    assert machine.counted(3) == {"work": (2, 2000, 1000), "play": (1, 1000, 500)}


@pytest.mark.parametrize("account", ["log", "capture"])
def test_of_an_agent_whose_log_shares_no_id_one_account_counts(tmp_path: Path, stand: Stand, account: str) -> None:
    """What the proxy saw of Codex counts where the profile says so, and is evidence where it does not."""
    machine = Machine(tmp_path, stand)
    machine.created("codex", "work")
    if account == "capture":
        assert machine.run("profiles", "count-from", "work", "capture").code == 0
    with daemon(machine):
        assert machine.went("work").code == 0
        until(lambda: captured(machine) == 1)

    assert machine.counted(1 if account == "capture" else 0) == ({"work": (1, 1000, 500)} if account == "capture" else {})


def test_without_a_daemon_a_run_goes_directly_and_says_so(tmp_path: Path, stand: Stand) -> None:
    """The agent calls its provider itself, the same place as through the proxy, and one line on standard error says why."""
    machine = Machine(tmp_path, stand)
    machine.created("claude", "work")

    done = machine.went("work")

    assert (done.code, done.out) == (0, f"{stand.url}/v1\n")
    assert done.err == "! work: started directly, its calls are not captured: no daemon runs (ringlet daemon start)\n"
    assert stand.asked == [("/v1/messages", KEY, "1")]
    assert machine.counted(1) == {"work": (1, 1000, 500)}


def test_where_capture_is_off_nothing_is_said(tmp_path: Path, stand: Stand) -> None:
    """Who does not ask for capture is not told of it, daemon or not."""
    machine = Machine(tmp_path, stand, "")
    machine.created("claude", "work")

    assert machine.went("work").err == ""
    with daemon(machine):
        assert machine.went("work", 2)[1:] == (f"{stand.url}/v1\n", "")


def test_a_proxy_that_does_not_answer_is_not_waited_for(tmp_path: Path, stand: Stand) -> None:
    """A daemon that hangs costs a run a few seconds and not its calls."""
    machine = Machine(tmp_path, stand)
    machine.created("claude", "work")
    with daemon(machine) as status:
        os.kill(status["pid"], signal.SIGSTOP)
        try:
            done = machine.went("work")
        finally:
            os.kill(status["pid"], signal.SIGCONT)

    assert (done.code, done.out) == (0, f"{stand.url}/v1\n")
    assert "the daemon's proxy does not answer" in done.err


DIRECT: dict[str, tuple[tuple[str, ...], str | None, str]] = {
    "codex": ((), None, "codex calls where its own login leads"),
    "opencode": ((), None, "opencode alone decides whom it calls"),
    "droid": ((), KEY, "droid alone decides whom it calls"),
    "claude": (("--endpoint", "http://10.0.0.1"), None, "the proxy does not lead there"),
}
"""Options and key of a profile by its agent, and why its calls are not carried."""


def test_who_cannot_be_carried_is_started_directly(tmp_path: Path, stand: Stand) -> None:
    """An agent that takes no address, or has one that keys must not be sent to through the proxy, is told what it is told without one."""
    machine = Machine(tmp_path, stand)
    for agent, (options, key, _) in DIRECT.items():
        machine.created(agent, agent, *options, key=key)
    told = {agent: machine.run("profiles", "env", agent) for agent in DIRECT}
    with daemon(machine):
        carried = {agent: machine.run("profiles", "env", agent) for agent in DIRECT}

    for agent, (*_, why) in DIRECT.items():
        assert (told[agent].out, told[agent].code, carried[agent].code) == (carried[agent].out, 0, 0)
        assert why in carried[agent].err


def test_no_proxy_of_the_networks_stands_between_an_agent_and_ours(tmp_path: Path, stand: Stand) -> None:
    """An agent that goes by HTTP_PROXY asks it for nothing on this machine, whatever else the user has excepted."""
    machine = Machine(tmp_path, stand)
    machine.created("claude", "work")
    machine.env |= {"HTTP_PROXY": "http://127.0.0.1:1", "http_proxy": "http://127.0.0.1:1", "NO_PROXY": "intranet.example"}
    with daemon(machine):
        assert machine.went("work")[::2] == (0, "")
        assert "export NO_PROXY=intranet.example,127.0.0.1\n" in machine.run("profiles", "env", "work").out

    assert len(stand.asked) == 1


def test_env_tells_the_proxys_address(tmp_path: Path, stand: Stand) -> None:
    """What `run` would tell the agent, `env` tells a shell: the address through the proxy, while there is one."""
    machine = Machine(tmp_path, stand)
    machine.created("claude", "work")
    with daemon(machine):
        address = machine.run("daemon", "address", "anthropic", "--profile", "work").out.strip()
        assert f"export ANTHROPIC_BASE_URL={address}\n" in machine.run("profiles", "env", "work").out

    assert f"export ANTHROPIC_BASE_URL={stand.url}\n" in machine.run("profiles", "env", "work").out


def test_an_endpoint_that_is_the_proxy_stays_what_it_is(tmp_path: Path, stand: Stand) -> None:
    """A profile that was given the proxy's address for its endpoint is carried by it once, not through itself."""
    machine = Machine(tmp_path, stand)
    with daemon(machine):
        address = machine.run("daemon", "address", "anthropic").out.strip()
        machine.created("claude", "work", "--endpoint", address)
        assert machine.went("work")[:2] == (0, address + "/v1\n")

    assert stand.asked == [("/v1/messages", KEY, "1")]


def test_a_daemon_stays_while_an_agent_that_it_carries_runs(tmp_path: Path, stand: Stand) -> None:
    """An agent whose user thinks for longer than the idle time finds the proxy where it was; once it has ended, the daemon ends too."""
    machine = Machine(tmp_path, stand, "[daemon]\nidle_s = 1\n[capture]\nenabled = true\nport = 0\n")
    machine.created("claude", "work")
    no_more = needed(machine)
    with machine.foreground() as process:
        until((machine.store / "daemon.json").exists)
        run = machine.began("work")
        no_more()
        time.sleep(NOTICED_S)
        assert process.poll() is None
        run.communicate("")
        assert process.wait(90) == 0


def test_who_ends_a_daemon_under_an_agent_is_told(tmp_path: Path, stand: Stand) -> None:
    """`daemon stop` says that an agent's calls go nowhere now; without one it says nothing of the kind, and runs go on."""
    machine = Machine(tmp_path, stand)
    machine.created("claude", "work")
    with daemon(machine):
        run = machine.began("work")
        assert "! An agent runs whose calls went through it" in machine.run("daemon", "stop").err
    run.communicate("")
    with daemon(machine):
        assert machine.went("work", 2).code == 0
        assert machine.run("daemon", "stop").err == ""


def test_an_agent_whose_daemon_dies_is_told_by_its_own_means(tmp_path: Path, stand: Stand) -> None:
    """The agent sees a connection that is refused, and the next run goes directly."""
    machine = Machine(tmp_path, stand)
    machine.created("claude", "work")
    with daemon(machine) as status:
        lines = machine.run("profiles", "env", "work", "--show-secrets").out
        os.kill(status["pid"], signal.SIGKILL)
        until(lambda: not machine.status()["running"])
    script = f"{lines}\nexec {machine.folder}/bin/claude 2"
    alone = subprocess.run(["sh", "-c", script], env=machine.env, capture_output=True, text=True, check=False)

    assert (alone.returncode, alone.stderr) == (7, "URLError\n")
    assert (machine.went("work").out, len(stand.asked)) == (f"{stand.url}/v1\n", 1)
