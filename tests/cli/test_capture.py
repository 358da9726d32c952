"""Capture in a real daemon: from the configuration to `ringlet usage`."""

import json
import threading
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from cli.paths import paths
from cli.serve import entrances
from tests.cli.daemons import NOTICED_S, Home, daemon, needed, until
from tests.ingest.wired import sse

USAGE = {"input_tokens": 1000, "output_tokens": 1}
REPLY = sse(
    [
        {"type": "message_start", "message": {"id": "msg_1", "model": "claude-sonnet-4-5", "usage": USAGE}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 500}},
    ]
)


class _Provider(BaseHTTPRequestHandler):
    asked = threading.Event()
    answers = threading.Event()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.asked.set()
        self.answers.wait(300)
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Content-Length", str(len(REPLY)))
        self.end_headers()
        self.wfile.write(REPLY)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def provider() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Provider)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    _Provider.asked.clear()
    _Provider.answers.set()
    yield server.server_port
    _Provider.answers.set()
    server.shutdown()
    server.server_close()


def configured(tmp_path: Path, port: int, capture: str = "enabled = true\nport = 0") -> Home:
    """A home whose daemon captures, with Anthropic's API on this machine."""
    home = Home(tmp_path)
    home.store.mkdir(mode=0o700)
    (home.store / "config.toml").write_text(
        f'[capture]\n{capture}\n[providers.anthropic]\nbilling = "metered"\nendpoint = "http://127.0.0.1:{port}"\n'
    )
    return home


def test_a_call_through_the_proxy_is_in_usage_within_a_second(tmp_path: Path, provider: int) -> None:
    """The proxy starts with the daemon, is shown in its status, and what passes is counted for the address's profile, priced, at once."""
    home = configured(tmp_path, provider)
    assert home.run("profiles", "create", "claude", "work").code == 0
    with daemon(home) as status:
        port = status["capture"]["port"]
        printed = home.run("daemon", "address", "anthropic", "--profile", "work").out.strip()
        assert printed == entrances.address(paths(home.env), port, "work", "anthropic")
        assert home.run("daemon", "address", "nobody").code == 2
        assert home.run("daemon", "address", "anthropic", "--profile", "nobody").code == 2
        address = urlsplit(printed)
        connection = HTTPConnection(address.hostname or "", port, timeout=90)
        connection.request("POST", address.path + "/v1/messages", b"{}", {"x-api-key": "k"})
        assert connection.getresponse().read() == REPLY
        connection.close()
        told: dict[str, Any] = {}

        def counted() -> bool:
            told.update(json.loads(home.run("usage", "profiles", "--period", "all", "--json").out))
            return bool(told["total_requests"])

        until(counted)
        capture: dict[str, Any] = home.status()["capture"]
        assert (capture["captured"], capture["dropped"]) == (1, 0)
        shown = home.run("daemon", "status").out
    assert f"Capture     http://127.0.0.1:{port}, 1 call counted since the start" in shown

    assert (told["total_tokens"]["input_tokens"], told["total_tokens"]["output_tokens"]) == (1000, 500)
    # Sonnet 4.5: 1,000 tokens at $3 and 500 at $15 per million.
    assert told["total_cost"]["total_cost"] == 0.0105
    assert "work" in json.dumps(told["rows"])


def test_a_daemon_that_carries_a_call_is_needed(tmp_path: Path, provider: int) -> None:
    """Without --stay-alive it still lets calls in while a provider thinks for longer than the idle time, and ends after the call has."""
    _Provider.answers.clear()
    home = configured(tmp_path, provider)
    with (home.store / "config.toml").open("a") as file:
        file.write("[daemon]\nidle_s = 1\n")
    assert home.run("profiles", "create", "claude", "work").code == 0
    no_more = needed(home)
    with home.foreground() as process:
        until((home.store / "daemon.json").exists)
        port = json.loads((home.store / "daemon.json").read_bytes())["capture_port"]
        connection = HTTPConnection("127.0.0.1", port, timeout=90)
        way = urlsplit(entrances.address(paths(home.env), port, "work", "anthropic")).path
        connection.request("POST", way + "/v1/messages", b"{}", {"x-api-key": "k"})
        assert _Provider.asked.wait(90)
        no_more()
        time.sleep(NOTICED_S)
        another = HTTPConnection("127.0.0.1", port, timeout=90)
        another.request("GET", "/healthz")
        assert another.getresponse().status == 200
        another.close()
        _Provider.answers.set()
        assert connection.getresponse().read() == REPLY
        connection.close()
        assert process.wait(90) == 0


def test_without_being_asked_for_there_is_no_proxy(tmp_path: Path, provider: int) -> None:
    """Capture is off until the configuration asks for it."""
    home = configured(tmp_path, provider, "enabled = false")
    with daemon(home) as status:
        assert status["capture"] is None
        assert home.run("daemon", "address", "anthropic").code == 3


def test_a_daemon_that_began_without_capture_says_so(tmp_path: Path, provider: int) -> None:
    """Capture that is enabled while the daemon runs waits for its next start; `status`, to which a run refers, says that."""
    home = configured(tmp_path, provider, "enabled = false")
    with daemon(home):
        assert "Capture" not in home.run("daemon", "status").out
        config = home.store / "config.toml"
        config.write_text(config.read_text().replace("false", "true"))
        assert "off: [capture] was enabled after the daemon had begun; ringlet daemon stop, then start" in home.run("daemon", "status").out


def test_a_port_that_is_taken_is_told_of(tmp_path: Path, provider: int) -> None:
    """The daemon runs without its proxy, and says why."""
    home = configured(tmp_path, provider, f"enabled = true\nport = {provider}")
    with daemon(home) as status:
        assert status["capture"]["port"] is None
        assert "in use" in status["capture"]["error"]
        assert "off: port" in home.run("daemon", "status").out


def test_which_account_counts_is_set_by_a_command(tmp_path: Path) -> None:
    """A day for captured calls, today without one, and back to the log; nonsense is wrong usage."""
    home = Home(tmp_path)
    assert home.run("profiles", "create", "codex", "work").code == 0

    assert home.run("profiles", "count-from", "work", "capture", "--since", "2026-11-01").code == 0
    assert "captured calls from 2026-11-01" in home.run("profiles", "inspect", "work").out
    assert home.run("profiles", "count-from", "work", "capture").code == 0
    assert home.run("profiles", "count-from", "work", "log").code == 0
    assert "counts" not in home.run("profiles", "inspect", "work").out
    wrong = (["work", "capture", "--since", "May"], ["work", "log", "--since", "2026-11-01"], ["nobody", "log"], ["work", "both"])
    assert [home.run("profiles", "count-from", *words).code for words in wrong] == [2] * 4
