"""`ringlet usage --watch`: what is shown when, with a daemon and without one, on a terminal and into a file."""

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cli.screen import Screen, fitting
from tests.cli.daemons import ROOT, Home, daemon, until
from tests.cli.homes import reply, ringlet

LEFT = b"\x1b[?1049l"
STYLE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class View:
    """A `usage --watch` in a terminal of its own, and what that shows."""

    def __init__(self, home: Home, *argv: str, rows: int = 40, columns: int = 100) -> None:
        self._leader, follower = pty.openpty()
        self.resize(rows, columns)
        env = {**home.env, "TERM": "xterm"}
        self.process = subprocess.Popen(
            home.command("usage", "--watch", *argv), env=env, cwd=ROOT, stdin=follower, stdout=follower, stderr=follower
        )
        os.close(follower)
        self.bytes = b""
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                got = os.read(self._leader, 65536)
            except OSError:
                return
            if not got:
                return
            self.bytes += got

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self._leader, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    @property
    def draws(self) -> list[str]:
        """What stood there after each draw that is complete."""
        # What was read last may end in the middle of a letter.
        drawn = self.bytes.split(LEFT)[0].decode(errors="replace").split("\x1b[H")[1:]
        return [STYLE.sub("", each).replace("\r", "") for each in drawn if each.endswith("\x1b[J")]

    @property
    def shown(self) -> str:
        return self.draws[-1] if self.draws else ""

    def until(self, *texts: str) -> str:
        """Wait until the terminal shows all of `texts`, and what it shows then."""
        until(lambda: all(text in self.shown for text in texts) or self.process.poll() is not None)
        assert all(text in self.shown for text in texts), self.bytes.decode(errors="replace")
        return self.shown

    def end(self, by: int = signal.SIGINT) -> int:
        if self.process.poll() is None:
            self.process.send_signal(by)
        code = self.process.wait(90)
        self._reader.join(90)
        os.close(self._leader)
        return code


@contextmanager
def viewing(home: Home, *argv: str, rows: int = 40, columns: int = 100) -> Iterator[View]:
    view = View(home, *argv, rows=rows, columns=columns)
    try:
        yield view
    finally:
        view.process.kill()
        if view.process.returncode is None:
            view.end()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home with one call of now: 1,000 tokens in, 100 out."""
    found = Home(tmp_path)
    write(found, 1)
    return found


def write(home: Home, number: int, *, output: int = 100) -> None:
    path = home.folder / ".claude/projects/-src/one.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    at = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    with path.open("a") as file:
        file.write(reply(number, at, output=output, session=f"session-{number}"))


def test_new_calls_are_shown_without_anybody_watching(home: Home) -> None:
    """Nobody runs: the view reads new lines itself, and what it shows is what `ringlet usage` says."""
    with viewing(home, "models", "--period", "all", columns=80) as view:
        view.until("1K / 100", "following the logs")
        write(home, 2, output=250)
        shown = view.until("2K / 350")
        said = home.run("usage", "models", "--period", "all").out

        assert [line.split() for line in shown.splitlines()[2:5]] == [line.split() for line in said.splitlines()[2:5]]
        assert not (home.store / "watch.lock").exists()
        assert view.end() == 130


def test_the_daemon_may_come_and_go(home: Home) -> None:
    """A view that follows the logs follows a daemon once there is one, and the logs again when it ends; nothing is missed."""
    with viewing(home, "--period", "all") as view:
        view.until("following the logs")
        with daemon(home) as status:
            view.until("following the daemon")
            write(home, 2)
            view.until("2K / 200", "following the daemon")
            until(lambda: home.status().get("listening") == 1)
            assert status["running"]
        view.until("following the logs")
        write(home, 3)
        view.until("3K / 300")

        assert view.end() == 130


def test_a_killed_daemon_is_no_trouble(home: Home) -> None:
    """Its end breaks the stream off; the view goes on by itself."""
    with daemon(home) as status, viewing(home, "--period", "all") as view:
        view.until("following the daemon")
        os.kill(status["pid"], signal.SIGKILL)
        view.until("following the logs")
        write(home, 2)
        view.until("2K / 200")


def test_nothing_is_drawn_while_nothing_changes(home: Home) -> None:
    """The same answer is not drawn twice; another size is drawn at once, in its width."""
    with viewing(home, "models", "--period", "all", columns=40) as view:
        view.until("Ctrl-C ends")
        time.sleep(2.5)
        assert len(view.draws) == 1
        assert "claude-sonnet-4-5-20250929" not in view.shown
        # Between the two a look at the logs may draw the new size already.
        view.resize(40, 200)
        view.process.send_signal(signal.SIGWINCH)
        view.until("claude-sonnet-4-5-20250929")


def test_a_low_terminal_says_what_it_leaves_out(home: Home) -> None:
    """No more lines than there is room for: the heading stays, the status stays, and the last line but one counts the rest."""
    for number in range(2, 30):
        write(home, number)
    with viewing(home, "sessions", "--period", "all", rows=12) as view:
        shown = view.until("more lines").splitlines()

        assert (len(shown), shown[0][:5], "Ctrl-C ends" in shown[-1]) == (12, "Usage", True)


@pytest.mark.parametrize(("by", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_terminal_is_as_it_was(home: Home, by: int, code: int) -> None:
    """Ended by a signal, the view gives back screen, cursor and wrapping, and leaves its last answer behind."""
    with viewing(home, "--period", "all") as view:
        view.until("1K / 100")
        assert view.end(by) == code

    before, after = view.bytes.split(LEFT)
    assert before.count(b"\x1b[?1049h") == 1
    assert before.endswith(b"\x1b[?7h\x1b[?25h")
    assert "1K / 100" in after.decode()
    assert "Ctrl-C" not in after.decode()


def test_a_view_that_is_stopped_gives_the_terminal_back_meanwhile(home: Home) -> None:
    """Ctrl-Z leaves the terminal to the shell; when the view goes on it is drawn again."""
    with viewing(home, "--period", "all") as view:
        view.until("1K / 100")
        view.process.send_signal(signal.SIGTSTP)
        until(lambda: view.bytes.endswith(LEFT))
        # Before it stands still there is nothing to go on with.
        os.waitid(os.P_PID, view.process.pid, os.WSTOPPED | os.WNOWAIT)
        view.process.send_signal(signal.SIGCONT)
        until(lambda: view.bytes.endswith(b"\x1b[J"))

        assert view.end() == 130


@pytest.mark.parametrize("argv", [("blocks",), ("daily", "--agent", "claude", "--classes")])
def test_every_grouping_and_filter_can_be_followed(home: Home, argv: tuple[str, ...]) -> None:
    """Each shows the first answer and the next one, as `ringlet usage` words them."""
    with viewing(home, *argv) as view:
        view.until("Usage")
        write(home, 2)
        until(lambda: len(view.draws) > 1)
        heading = home.run("usage", *argv).out.splitlines()[0]

        assert view.shown.splitlines()[0] == heading


@contextmanager
def piped(home: Home, *argv: str) -> "Iterator[subprocess.Popen[str]]":
    process = subprocess.Popen(
        home.command("usage", "--watch", *argv), env=home.env, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_json_is_an_object_a_line(home: Home) -> None:
    """Each change is one line, the object that `usage --json` would be; nothing else is written."""
    with piped(home, "--period", "all", "--json") as process:
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        write(home, 2)
        second = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGINT)

        assert (first["total_requests"], second["total_requests"], process.wait(90)) == (1, 2, 130)
        del second["as_of"]
        assert second == home.usage()
        assert process.stdout.read() == ""


def test_without_a_terminal_each_change_is_a_line(home: Home) -> None:
    """A heading, then time, tokens, cost and calls; no control character."""
    with piped(home) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(2)]
        write(home, 2)
        lines.append(process.stdout.readline())

    assert lines[0].startswith("Usage · Today")
    assert [line.split("  ")[1:] for line in lines[1:]] == [["1K / 100", "<$0.01", "1 call\n"], ["2K / 200", "$0.01", "2 calls\n"]]
    assert "\x1b" not in "".join(lines)


def test_a_reader_that_has_gone_ends_it(home: Home) -> None:
    """As with every answer that is no failure."""
    with piped(home, "--period", "all", "--json") as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        write(home, 2)

        assert process.wait(90) == 0


@pytest.mark.parametrize(
    "argv",
    [
        ("--no-sync",),
        ("--export", "csv"),
        ("export",),
        ("chart",),
        ("audit",),
        ("import-claude",),
        ("--profile", "nobody"),
        ("--by", "moon"),
    ],
)
def test_what_cannot_be_followed_is_wrong_usage(tmp_path: Path, argv: tuple[str, ...]) -> None:
    """It ends at once with 2 and touches no terminal."""
    done = ringlet(tmp_path, "usage", "--watch", *argv)

    assert (done.code, done.out) == (2, "")
    assert done.err.count("\n") == 1


def test_a_store_that_cannot_be_asked_is_said_and_survived(home: Home) -> None:
    """While the settings are no settings the last answer stays, with the reason; once they are, it goes on."""
    config = home.store / "config.toml"
    with viewing(home, "--period", "all") as view:
        view.until("1K / 100")
        config.write_text("nonsense = [")
        view.until("config.toml", "1K / 100")
        config.unlink()
        write(home, 2)
        shown = view.until("2K / 200")

        assert "config.toml" not in shown


def test_lines_that_do_not_fit_are_counted() -> None:
    """All of a short text; of a long one its first lines and how many there are more."""
    lines, left_out = fitting("a\nb\nc\nd\n", 3)

    assert fitting("a\nb\n", 2) == (["a", "b"], "")
    assert lines == ["a", "b"]
    assert "2 more lines" in left_out
    assert fitting("a\nb\n", 1)[0] == []


def test_without_colours_nothing_is_dimmed(capsys: pytest.CaptureFixture[str]) -> None:
    """Where no colours are wanted neither the status nor the count of lines left out has any; else both are dimmed."""
    for color, dimmed in ((False, 0), (True, 2)):
        Screen(color=color).draw("a\n" * 100, "now")
        assert capsys.readouterr().out.count("\x1b[2m") == dimmed
