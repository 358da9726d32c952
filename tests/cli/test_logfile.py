"""The daemon's log file: one line per record, no secrets, no tricks on a terminal, and never too much of it."""

import logging
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from cli.serve import logfile
from tests.cli.daemons import ROOT

logger = logging.getLogger("ringlet.test")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "daemon.log"


def logged(path: Path, *messages: str) -> str:
    """What stands in the log after these messages, without what pytest itself listens with."""
    handlers = logfile.begin(str(path))
    try:
        for message in messages:
            logger.warning("%s", message)
    finally:
        logfile.end(handlers)
    return path.read_text()


@pytest.mark.parametrize(
    "secret",
    [
        "sk-ant-api03-abcdefghijklmnop",
        "Bearer abcdefghijklmnop.qrst",
        "x-api-key: 0123456789abcdef",
        "Authorization: Basic dXNlcjpwYXNz",
        "AKIAIOSFODNN7EXAMPLE",
        "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
        "github_pat_11ABCDEFG0123456789",
        "AIzaSyA1234567890abcdefghijklmnopq",
        "https://hooks.example.com/services/T000/B000/XXXX",
        "xoxb-123456789012-abcdefghij",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
    ],
)
def test_secrets_are_left_out(path: Path, secret: str) -> None:
    """What looks like a key, a token or a hook's address is replaced; what stands around it stays."""
    text = logged(path, f"before {secret} after")

    assert secret not in text
    assert secret.split()[-1] not in text
    assert "before [redacted] after" in text


def test_nobody_writes_a_line_of_their_own(path: Path) -> None:
    """Line breaks and terminal sequences of a message are shown as what they are, so each record is one line."""
    text = logged(path, "a file\n2026-01-01T00:00:00Z info forged \x1b]52;c;AAAA\x07 \u202egnp")

    assert len(text.splitlines()) == 1
    assert "a file\\n2026-01-01T00:00:00Z info forged \\x1b]52;c;AAAA\\x07 \\u202egnp" in text


def test_a_traceback_is_told_without_its_secrets(path: Path) -> None:
    """A failure is logged with where it came from; a key in its message is not."""
    handlers = logfile.begin(str(path))
    try:
        raise ValueError("bad sk-ant-api03-abcdefghijklmnop")
    except ValueError:
        logger.exception("failed")
    finally:
        logfile.end(handlers)
    first, *rest = path.read_text().splitlines()

    assert first.endswith("error   failed")
    assert all(line.startswith("    ") for line in rest)
    assert "test_a_traceback_is_told_without_its_secrets" in "".join(rest)
    assert rest[-1].strip() == "ValueError: bad [redacted]"


def test_a_full_file_is_put_aside_and_the_oldest_goes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four files at most, none much larger than the bound, all 0600, the newest lines in the one without a number."""
    monkeypatch.setattr(logfile, "BYTES", 1000)
    logged(path, *(f"message {number:03d} {'x' * 60}" for number in range(100)))
    files = sorted(path.parent.iterdir())

    assert [file.name for file in files] == ["daemon.log", "daemon.log.1", "daemon.log.2", "daemon.log.3"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert max(file.stat().st_size for file in files) <= 1000
    assert "message 099" in path.read_text()


def test_it_is_not_written_through_a_link(path: Path) -> None:
    """A link that stands in its place is refused: whoever put it there would choose the file that is written to."""
    path.symlink_to(path.parent / "elsewhere")
    with pytest.raises(OSError, match="Too many levels of symbolic links"):
        logfile.begin(str(path))

    assert not (path.parent / "elsewhere").exists()


def test_what_a_library_prints_as_it_dies_is_in_the_newest_file(path: Path) -> None:
    """Where standard error is the log, it is the new file's after the old one was put aside."""
    code = (
        "import logging, os, sys; from cli.serve import logfile; logfile.BYTES = 500; handlers = logfile.begin(sys.argv[1])\n"
        "for number in range(20): logging.getLogger('x').warning('%s', 'y' * 60)\n"
        "os.write(2, b'the last words\\n')"
    )
    with path.open("ab") as error:
        path.chmod(0o600)
        subprocess.run([sys.executable, "-c", code, str(path)], cwd=ROOT, stderr=error, check=True)

    assert path.with_name("daemon.log.1").exists()
    assert path.read_text().endswith("the last words\n")


def test_what_a_watcher_says_on_a_terminal_holds_no_secrets() -> None:
    """One line with ringlet's name before it, cleared like the daemon's."""
    record = logging.makeLogRecord({"msg": "hook failed: %s", "args": ("token=abcdefgh1234\x1b[2J",)})

    assert logfile.Lines(terminal=True).format(record) == "ringlet: hook failed: [redacted]"
