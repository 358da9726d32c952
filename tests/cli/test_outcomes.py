"""How a command ends when its output cannot be written: quietly, or with one line and an exit code of the table."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.ask import WrongUsage
from cli.outcomes import code_of, status_of
from pipeline.errors import BadName, Damaged, Held, NothingFound, PartlyDone, RingletError, UnknownName
from tests.cli.homes import mixed

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    mixed(folder)
    return folder


def shell(home: Path, line: str, **environ: str) -> "subprocess.CompletedProcess[bytes]":
    """Run a line of bash in which `ringlet` is ours."""
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "RINGLET_HOME": str(home / "rl"), "TZ": "UTC", "PYTHONPATH": str(ROOT)}
    line = f'ringlet() {{ "{sys.executable}" -m ringlet "$@"; }}; {line}'
    return subprocess.run(["bash", "-c", line], env=env | environ, capture_output=True, check=False, cwd=ROOT)


@pytest.mark.parametrize("command", ["usage models --period all", "usage projects --period all", "agents list", "providers list"])
def test_a_reader_that_has_gone_is_no_error(home: Path, command: str) -> None:
    """Every command that prints ends quietly when nobody reads on."""
    done = shell(home, f"ringlet {command} | true; echo ${{PIPESTATUS[0]}}")

    assert (done.stdout, done.stderr) == (b"0\n", b"")


@pytest.mark.parametrize("command", ["--nonsense", "usage --nonsense", "usage --period never", "usage models --sort never"])
def test_wrong_usage_stays_wrong_when_nobody_reads_why(home: Path, command: str) -> None:
    """`ringlet --nonsense 2>&1 | true` is not a success."""
    assert shell(home, f"(sleep 0.3; ringlet {command}) 2>&1 | true; echo ${{PIPESTATUS[0]}}").stdout == b"2\n"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no file that is always full")
@pytest.mark.parametrize("command", ["usage --period all", "usage projects --period all", "usage export", "agents list"])
def test_a_full_disk_under_the_output_is_one_line_and_exit_5(home: Path, command: str) -> None:
    """The interpreter adds no complaint of its own, and does not change the exit code."""
    done = shell(home, f"ringlet {command} > /dev/full")

    assert done.returncode == 5
    assert done.stderr.startswith(b"ringlet: No space left on device; ")
    assert done.stderr.count(b"\n") == 1


def test_closed_outputs_are_no_error(home: Path) -> None:
    """A service manager may start a command without standard files; files of the store never take their places."""
    assert shell(home, "ringlet usage --period all <&- >&- 2>&-").returncode == 0
    assert shell(home, "ringlet agents list >&-").returncode == 0


def test_a_terminal_without_our_letters_shows_others(home: Path) -> None:
    """What an encoding cannot show is shown as a question mark, in tables and in sentences."""
    done = shell(home, "ringlet usage --period all && ringlet seal", PYTHONIOENCODING="latin-1")

    assert (done.returncode, done.stderr) == (0, b"")
    assert b"? " in done.stdout


@pytest.mark.parametrize(
    ("error", "code", "status"),
    [
        (WrongUsage("x"), 2, 400),
        (UnknownName("x"), 2, 400),
        (BadName("x"), 2, 400),
        (NothingFound("x"), 3, 404),
        (Held("x"), 4, 409),
        (PartlyDone("x"), 5, 503),
        (Damaged("x"), 1, 500),
        (RingletError("x"), 1, 500),
        (ValueError("x"), 1, 500),
        (KeyboardInterrupt(), 130, 503),
    ],
)
def test_an_error_has_one_exit_code_and_one_status(error: BaseException, code: int, status: int) -> None:
    """What ends a command with a code ends a request with the status that goes with it."""
    assert (code_of(error), status_of(error)) == (code, status)
