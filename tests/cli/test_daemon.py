"""The daemon as its user meets it: start, status, stop, and what happens when something is in the way."""

import json
import os
import signal
import socket
import stat
import subprocess
from http.client import HTTPConnection
from pathlib import Path

import pytest

from cli import itself
from pipeline import durable
from pipeline.log import Log
from tests.cli.daemons import NOTICED_S, ROOT, Home, daemon, get, needed, until
from tests.cli.homes import reply, ringlet, transcript

DAY = "2026-05-13T09:00:00Z"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home with two calls."""
    transcript(tmp_path, "one", reply(1, DAY), reply(2, DAY, output=50))
    return Home(tmp_path)


def append(home: Home, line: str) -> None:
    with (home.folder / ".claude/projects/-src/one.jsonl").open("a") as file:
        file.write(line)


def test_it_starts_once_tells_how_it_is_and_stops(home: Home) -> None:
    """`start` prints a login address, `status` tells pid and port, another one or another watcher ends with 4; `stop` seals."""
    assert home.run("daemon", "status").code == 3
    started = home.run("daemon", "start", "--port", "0")
    status = home.status()
    again = home.run("daemon", "start")
    watcher = home.run("ingest", "--watch")
    in_background = home.run("ingest", "--watch", "--detach")
    told = home.run("daemon", "status")
    as_json = json.loads(home.run("daemon", "status", "--json").out)
    until(lambda: home.status().get("events_seen") == 2)
    stopped = home.run("daemon", "stop")

    pid = status["pid"]
    assert started.code == 0
    assert f"pid {pid}" in started.out
    assert f"http://127.0.0.1:{status['port']}/login#code=" in started.out
    for refused in (again, watcher, in_background):
        assert (refused.code, f"pid {pid}" in refused.err) == (4, True)
    assert told.out.startswith(f"Running     pid {pid}, ")
    assert (as_json["pid"], as_json.keys()) == (pid, status.keys())
    assert (stopped.code, f"pid {pid}" in stopped.out) == (0, True)
    assert (home.run("daemon", "status").code, home.run("daemon", "stop").code) == (3, 3)
    assert json.loads(home.run("daemon", "status", "--json").out)["running"] is False
    assert not (home.store / "daemon.json").exists()
    with Log.open(home.store) as log:
        assert (log.hot_count(), sum(segment.rows for segment in log.segments())) == (0, 2)


def test_a_daemon_of_another_version_is_told(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """A daemon that goes on while ringlet is upgraded is what it was; `status` says what makes it the new one."""
    with daemon(home):
        assert "Upgrade" not in ringlet(home.folder, "daemon", "status").out
        monkeypatch.setattr(itself, "version", lambda: "99.0")
        shown = ringlet(home.folder, "daemon", "status").out

    assert "Upgrade     99.0 is installed and does not run yet; ringlet daemon stop, then start" in shown


def test_answers_are_the_same_with_and_without_it(home: Home) -> None:
    """A question gets the same answer before, while and after a daemon runs; new lines count at once, and the API says the same."""
    before = home.usage()
    with daemon(home) as status:
        during = home.usage()
        append(home, reply(3, DAY))
        grown = home.usage()
        token = home.token()
        until(lambda: get(status["port"], "/api/usage?period=all", token)[1]["data"]["total_requests"] == 3)
        served = get(status["port"], "/api/usage?period=all", token)[1]["data"]
    after = home.usage()

    assert before == during
    assert grown == after
    assert (before["total_requests"], after["total_requests"]) == (2, 3)
    for name in ("total_tokens", "total_cost", "total_sessions", "total_runtime_secs"):
        assert served[name] == after[name]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_asked_to_end_it_has_sealed_everything(home: Home, number: signal.Signals, code: int) -> None:
    """SIGTERM and SIGINT end it with 143 and 130; what it saw is in the log's files, and nothing says that it still runs."""
    with home.foreground() as process:
        until(lambda: home.status().get("events_seen") == 2)
        process.send_signal(number)
        assert process.wait(90) == code

    assert durable.holder(str(home.store / "watch.lock")) is None
    assert not (home.store / "daemon.json").exists()
    with Log.open(home.store) as log:
        assert log.hot_count() == 0


def test_a_port_that_is_taken_is_told_with_the_way_out(home: Home) -> None:
    """Another program on the port: exit code 4, the port and --port are named, and nothing is left behind."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = home.run("daemon", "start", "--port", str(port))

    assert done.code == 4
    assert f"127.0.0.1:{port}: another program has this port; choose another: ringlet daemon start --port N" in done.err
    assert durable.holder(str(home.store / "watch.lock")) is None
    assert not (home.store / "daemon.json").exists()


def test_after_kill_the_next_one_starts(home: Home) -> None:
    """A killed daemon leaves its file; `status` still says that none runs, and the next start stands on its own lock."""
    with home.foreground() as process:
        until(lambda: home.status().get("events_seen") == 2)
        process.kill()
        process.wait(90)
    left = (home.store / "daemon.json").exists()
    status = home.run("daemon", "status")
    with daemon(home) as running:
        pid = running["pid"]

    assert left
    assert status.code == 3
    assert pid != process.pid


def test_it_ends_when_nobody_needs_it(home: Home) -> None:
    """Without --stay-alive it ends after the idle time; an open page counts as need."""
    home.store.mkdir(mode=0o700)
    (home.store / "config.toml").write_text("[daemon]\nidle_s = 1\n")
    with home.foreground() as process:
        assert process.wait(90) == 0
    no_more = needed(home)
    with home.foreground() as process:
        until(lambda: (home.store / "daemon.json").exists())
        port = json.loads((home.store / "daemon.json").read_bytes())["port"]
        page = HTTPConnection("127.0.0.1", port, timeout=90)
        page.request("GET", "/api/events", headers={"Authorization": f"Bearer {home.token()}"})
        stream = page.getresponse()
        assert stream.status == 200
        no_more()
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(NOTICED_S)
        stream.close()
        page.close()
        assert process.wait(90) == 0


def test_with_stay_alive_it_never_ends_by_itself(home: Home) -> None:
    """`--stay-alive` is told by `status` and outlasts any idle time."""
    home.store.mkdir(mode=0o700)
    (home.store / "config.toml").write_text("[daemon]\nidle_s = 1\n")
    with home.foreground("--stay-alive") as process:
        until(lambda: home.status().get("ends_at", 0.0) is None)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(3)
        process.terminate()


def test_without_its_data_home_it_ends(home: Home) -> None:
    """Where the folder is removed under it, no command finds the daemon any more: it ends with 1 and takes nothing of the next one's."""
    with home.foreground("--stay-alive") as process:
        until(lambda: home.status()["running"])
        home.store.rename(home.folder / "away")
        with daemon(home) as other:
            assert process.wait(90) == 1
            until(lambda: home.status().get("pid") == other["pid"])


def test_its_files_are_closed_to_others(home: Home) -> None:
    """Whatever the umask, its log, its state and its lock are 0600."""
    before = os.umask(0)
    try:
        with daemon(home):
            modes = {name: stat.S_IMODE((home.store / name).stat().st_mode) for name in ("daemon.log", "daemon.json", "watch.lock")}
    finally:
        os.umask(before)

    assert modes == dict.fromkeys(modes, 0o600)


def test_the_token_is_in_no_log_and_no_command_line(home: Home) -> None:
    """Tokens and login codes stand in neither the log nor what `ps` shows."""
    with daemon(home) as status:
        token = home.token()
        code = home.run("daemon", "login").out.strip().rpartition("=")[2]
        get(status["port"], "/api/usage", token)
        get(status["port"], "/api/usage", "x" + token)
        command = Path(f"/proc/{status['pid']}/cmdline")
        shown = command.read_bytes() if command.exists() else b""
    log = (home.store / "daemon.log").read_text()

    assert len(token) > 20
    assert len(code) > 10
    assert token not in log
    assert code not in log
    assert token.encode() not in shown


def test_a_setting_that_is_wrong_is_told_where_it_is_started(home: Home) -> None:
    """A broken config.toml ends `start` with the file and the setting, as it ends every command."""
    home.store.mkdir(mode=0o700)
    (home.store / "config.toml").write_text("[daemon]\nidle_s = 0\n")
    done = home.run("daemon", "start", "--port", "0")

    assert done.code == 1
    assert done.err.startswith(f"ringlet: {home.store}/config.toml: ")
    assert "daemon.idle_s" in done.err


def test_logs_are_followed_into_the_next_file(home: Home) -> None:
    """`logs -n` prints the last lines, also those of the file before; `-f` goes on with what is added, and into a new file."""
    home.store.mkdir(mode=0o700)
    path = home.store / "daemon.log"
    assert home.run("daemon", "logs").code == 3
    (home.store / "daemon.log.1").write_text("one\ntwo\n")
    path.write_text("three\nfour\n")
    last = home.run("daemon", "logs", "-n", "3").out
    following = subprocess.Popen(
        home.command("daemon", "logs", "-f", "-n", "1"), env=home.env, cwd=ROOT, stdout=subprocess.PIPE, text=True, bufsize=1
    )
    assert following.stdout is not None
    with following:
        got = [following.stdout.readline()]
        with path.open("a") as file:
            file.write("five\n")
        got.append(following.stdout.readline())
        path.rename(home.store / "daemon.log.1")
        path.write_text("six\n")
        got.append(following.stdout.readline())
        following.send_signal(signal.SIGINT)
        code = following.wait(90)

    assert last == "two\nthree\nfour\n"
    assert got == ["four\n", "five\n", "six\n"]
    assert code == 130


@pytest.mark.parametrize(
    ("host", "code", "says"),
    [
        ("localhost", 2, "not an IP address"),
        ("0.0.0.0", 2, "would listen on every address"),
        ("::", 2, "would listen on every address"),
        ("192.0.2.1", 1, "192.0.2.1:0: cannot listen there (Cannot assign requested address); choose another --host"),
    ],
)
def test_an_address_that_is_not_to_be_had_is_told(home: Home, host: str, code: int, says: str) -> None:
    """No name, not all addresses at once, and none of another machine; nothing is left behind."""
    done = home.run("daemon", "start", "--port", "0", "--host", host)

    assert (done.code, says in done.err) == (code, True), done
    assert not (home.store / "daemon.json").exists()
