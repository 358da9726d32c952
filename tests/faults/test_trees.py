"""Trees of files as they may lie in an agent's home: many, looping, or none that can be read as a log."""

import os
import resource
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ingest import sweep as sweeping
from ingest.sweep import place, sweep
from pipeline.log import Log
from tests.cli.homes import reply, transcript
from tests.faults.users import environ, ringlet

AT = "2026-05-13T09:00:00Z"
FILES, FOLDERS = 10_000, 100


def outputs(store: Path) -> list[int]:
    with Log.open(store) as log:
        return sorted(call.output for call in log.calls(0, 2**23))


def test_ten_thousand_files_are_read_with_a_few_open_at_a_time(tmp_path: Path) -> None:
    """However many files there are, no more than a few are open at once: 10,000 are imported where a process may have 64."""
    for folder in range(FOLDERS):
        parent = tmp_path / f".claude/projects/-p{folder}"
        parent.mkdir(parents=True)
        for number in range(folder * FILES // FOLDERS, (folder + 1) * FILES // FOLDERS):
            (parent / f"{number}.jsonl").write_text(reply(number, AT, output=7) if number % 10 == 0 else "{}\n")

    code, said = ringlet(environ(tmp_path), "ingest", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)))

    assert (code, outputs(tmp_path / "store")) == (0, [7] * 1_000), said


def test_a_look_lists_each_folder_once_and_opens_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a look costs: one listing for each folder and one status for each file, whatever lies in them."""
    for number in range(300):
        path = tmp_path / f"logs/{number % 30}/{number}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    listed = []
    scandir: Callable[[str], object] = sweeping.__dict__["scandir"]

    def counted(folder: str) -> object:
        listed.append(folder)
        return scandir(folder)

    monkeypatch.setattr(sweeping, "scandir", counted)

    assert len(sweep([place(str(tmp_path), "logs/**/*.jsonl")])) == 300
    assert len(listed) == len(set(listed)) == 31


def test_a_misplaced_home_ends_with_a_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond a million files under one folder the look stops and says so, rather than going on for minutes. (Here: beyond 50.)"""
    monkeypatch.setattr(sweeping, "MAX_FILES", 50)
    for number in range(300):
        path = tmp_path / f"logs/{number // 10}/{number}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    troubles: list[tuple[str, str]] = []

    assert 50 < len(sweep([place(str(tmp_path), "logs/**/*.jsonl")], troubles)) <= 60
    assert troubles == [(str(tmp_path / "logs"), "more than 50 files: the rest is not looked at")]


def test_loops_of_links_are_walked_once(tmp_path: Path) -> None:
    """Links that lead in circles, to themselves or out of the home: each file counts once, and what leads out is told."""
    transcript(tmp_path, "one", reply(1, AT, output=1))
    projects = tmp_path / ".claude/projects"
    (projects / "a").mkdir()
    (projects / "b").mkdir()
    (projects / "a/to-b").symlink_to(projects / "b")
    (projects / "b/to-a").symlink_to(projects / "a")
    (projects / "self").symlink_to("self")
    (projects / "self.jsonl").symlink_to("self.jsonl")
    (projects / "up").symlink_to("..")
    (projects / "root").symlink_to("/")
    (projects / "b/two.jsonl").write_text(reply(2, AT, output=2))

    code, said = ringlet(environ(tmp_path), "ingest")

    assert (code, outputs(tmp_path / "store")) == (5, [1, 2])
    assert [line for line in said.splitlines() if "not read" in line] == [
        f"ringlet: not read: {projects}/root: is a link that leads out of its home: not followed"
    ]


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    """A pipe, a socket, a device, a folder with a log's name: passed over, and nobody waits for a writer. A sparse file is read."""
    transcript(tmp_path, "one", reply(1, AT, output=1))
    folder = tmp_path / ".claude/projects/-src"
    os.mkfifo(folder / "pipe.jsonl")
    (folder / "folder.jsonl").mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        before = os.getcwd()
        os.chdir(folder)  # a socket's path may not be long
        listener.bind("socket.jsonl")
        os.chdir(before)
        if os.geteuid() == 0:
            os.mknod(folder / "device.jsonl", 0o600 | stat.S_IFCHR, os.makedev(1, 5))  # /dev/zero: a reader would never end
        with (folder / "sparse.jsonl").open("wb") as sparse:
            sparse.seek(8 << 20)
            sparse.write(b"\n" + reply(2, AT, output=2).encode())

        code, said = ringlet(environ(tmp_path), "ingest")

    assert (code, outputs(tmp_path / "store")) == (0, [1, 2]), said


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells a process's peak by itself")
def test_a_line_of_a_hundred_megabytes_fits_into_little_memory(tmp_path: Path) -> None:
    """A call in a line of 100 MB counts like its neighbours, and the process stays under 400 MB."""
    path = transcript(tmp_path, "one", reply(1, AT, output=1))
    padded = reply(2, AT, output=2).replace('"content": []', '"content": ["%s"]' % ("x" * 100_000_000))
    with path.open("a") as file:
        file.write(padded)
        file.write(reply(3, AT, output=3))
    del padded
    # What getrusage tells takes in the process that this one was started from; the kernel's own mark begins with the program.
    code = (
        "from cli import gate\ngate.main(['ingest'])\nprint(next(line.split()[1] for line in open('/proc/self/status') if 'VmHWM' in line))"
    )
    run = subprocess.run([sys.executable, "-c", code], env=environ(tmp_path, PYTHONPATH="."), capture_output=True, text=True, check=True)

    assert outputs(tmp_path / "store") == [1, 2, 3]
    assert int(run.stdout.splitlines()[-1]) < 400_000
