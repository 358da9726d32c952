"""Commands of hooks: what they get, that no text becomes code, and that none outlives its time."""

import gc
import os
import signal
import time
from pathlib import Path

import msgspec
import pytest

from cli.hooks import shell


def run(command: str, message: bytes = b"{}", *, environ: dict[str, str] | None = None, **words: str) -> tuple[bool, str]:
    return shell.run(command, message, words, environ or {"PATH": os.environ["PATH"]}, time_s=120)


def test_the_message_is_on_standard_input_and_in_the_environment(tmp_path: Path) -> None:
    """The JSON as it is, and its fields as variables."""
    out = tmp_path / "out"

    assert run(f'cat > {out}; printf %s "$RINGLET_TEXT" >> {out}', b'{"a":1}', RINGLET_TEXT="\nso much") == (True, "exit code 0")
    assert out.read_text() == '{"a":1}\nso much'


@pytest.mark.parametrize(
    "text",
    ['"; touch x; "', "$(touch x)", "`touch x`", "'; touch x; '", "\n touch x\n", "x & touch x", "| touch x", "${IFS}touch${IFS}x",
     "--help", "*", "\\"],
)  # fmt: skip
def test_text_is_never_code(tmp_path: Path, text: str) -> None:
    """Whatever a profile is called, the command gets it letter by letter and runs none of it."""
    message = msgspec.json.encode({"profile": text})
    command = 'printf %s "$RINGLET_PROFILE" > name; cat > said'

    assert run(command, message, environ={"PATH": os.environ["PATH"], "HOME": str(tmp_path)}, RINGLET_PROFILE=text) == (True, "exit code 0")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["name", "said"]
    assert ((tmp_path / "name").read_text(), msgspec.json.decode((tmp_path / "said").read_bytes())) == (text, {"profile": text})


def test_keys_do_not_reach_a_command(tmp_path: Path) -> None:
    """Of the environment it gets what finds programs, files and the desktop, and nothing else."""
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "LC_TIME": "C",
        "ANTHROPIC_API_KEY": "canary",
        "AWS_SECRET_ACCESS_KEY": "canary",
    }

    assert run("env > seen", environ=environ)[0]
    seen = (tmp_path / "seen").read_text()
    assert ("canary" in seen, "LC_TIME=C" in seen, f"HOME={tmp_path}" in seen) == (False, True, True)


def test_a_failure_says_what_the_command_said(tmp_path: Path) -> None:
    """The exit code and the end of what it wrote to standard error, without what looks like a key."""
    assert run("echo no such channel: sk-ant-0123456789abcdef >&2; exit 3") == (False, "exit code 3: no such channel: [redacted]")
    assert run("/nowhere/at/all")[1].startswith("exit code 127: ")
    assert run("printf 'one\\n\\033[31mtwo' >&2; exit 1")[1] == "exit code 1: one\\n\\x1b[31mtwo"


def test_much_output_is_not_kept() -> None:
    """A command that writes without end is heard to its end, and its last letters are what is told."""
    done, said = run("head -c 3000000 /dev/zero | tr '\\0' x >&2; printf end >&2; exit 1")

    assert (done, len(said) < 400, said.endswith("xend")) == (False, True, True)


def test_a_command_that_reads_nothing_is_no_failure() -> None:
    """Nobody waits for it to take the message."""
    assert run("exec true", b"x" * 8000) == (True, "exit code 0")


def alive(marker: Path) -> bool:
    """Whether the process whose id is in the file still runs."""
    # Who was ended before it could write its id is not there any more.
    pid = marker.read_text().strip() if marker.exists() else ""
    return pid != "" and not dead(int(pid))


def dead(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.parametrize("stubborn", ["", "trap '' TERM; "])
def test_nothing_outlives_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stubborn: str) -> None:
    """Once its time is over the command and what it started are asked to end, and then made to."""
    monkeypatch.setattr(shell, "AFTER_S", 0.3)
    command = f"{stubborn}sh -c '{stubborn}echo $$ > {tmp_path}/child; while :; do sleep 0.05; done' & wait; sleep 60"

    done, said = shell.run(command, b"", {}, {"PATH": os.environ["PATH"]}, time_s=0.5)
    end = time.monotonic() + 90
    while alive(tmp_path / "child") and time.monotonic() < end:
        time.sleep(0.02)

    assert (done, said.partition(":")[0], alive(tmp_path / "child")) == (False, "not done after 0 s", False)


def test_what_it_leaves_running_holds_nobody_up(tmp_path: Path) -> None:
    """A command may start something that stays; it has ended when it has ended itself."""
    marker = tmp_path / "child"

    assert run(f"sleep 600 & echo $! > {marker}; exit 0") == (True, "exit code 0")
    assert alive(marker)
    os.kill(int(marker.read_text()), signal.SIGKILL)


def test_it_ends_when_everything_ends() -> None:
    """Whoever stops the watcher does not wait for a command."""
    assert shell.run("sleep 60", b"", {}, {"PATH": os.environ["PATH"]}, ending=lambda: True) == (False, "interrupted")


def test_what_is_no_command_leaves_nothing_open() -> None:
    """A text that no system can run is refused, and costs no descriptor."""
    # What others left open may not be closed in between.
    gc.collect()
    before = len(os.listdir("/dev/fd"))
    with pytest.raises(ValueError, match="null"):
        shell.run("true\0", b"{}", {}, os.environ)

    assert len(os.listdir("/dev/fd")) == before
