"""What a glance sees, and when only a whole look tells."""

import os
import sys
import time
from pathlib import Path

import pytest

from ingest.glance import Glance
from ingest.sweep import merged, place, sweep

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there only a whole look tells")

LATER_NS = 60_000_000_000


def logs(tmp_path: Path) -> Path:
    """A folder of two logs."""
    folder = tmp_path / "home/logs"
    folder.mkdir(parents=True)
    for name in ("a.jsonl", "b.jsonl"):
        (folder / name).write_bytes(b"12345")
    return folder


def glance(tmp_path: Path) -> Glance:
    return Glance(merged([place(str(tmp_path / "home"), "logs/**/*.jsonl")]), os.stat(tmp_path).st_dev)


def test_a_glance_gives_what_differs_from_the_last_whole_look(tmp_path: Path) -> None:
    """Nothing while nothing moves; a file that grew, with how it is now, each time until everything is looked at again."""
    folder = logs(tmp_path)
    look = glance(tmp_path)
    look.whole(time.time_ns() + LATER_NS)
    assert look.news() == []
    with (folder / "b.jsonl").open("ab") as file:
        file.write(b"678")
    status = (folder / "b.jsonl").stat()

    due = [(str(folder / "b.jsonl"), status.st_ino, 8, status.st_mtime_ns)]
    assert (look.news(), look.news()) == (due, due)
    look.whole(time.time_ns() + LATER_NS)
    assert look.news() == []


def test_a_whole_look_is_a_sweep(tmp_path: Path) -> None:
    """It gives what a sweep gives, and says whether that is all without a doubt."""
    folder = logs(tmp_path)
    look = glance(tmp_path)

    assert look.whole(time.time_ns()) == sweep([place(str(tmp_path / "home"), "logs/**/*.jsonl")])
    assert look.certain
    (folder / "link").symlink_to(folder)
    look.whole(time.time_ns())
    assert not look.certain


def test_a_glance_cannot_tell_what_came_or_went(tmp_path: Path) -> None:
    """Before the first whole look, after one of a folder that had changed just then, and once a name has come, there is no answer."""
    folder = logs(tmp_path)
    look = glance(tmp_path)
    assert look.news() is None
    os.utime(folder)
    look.whole(time.time_ns())
    assert look.news() is None
    look.whole(time.time_ns() + LATER_NS)
    assert look.news() == []

    (folder / "c.jsonl").write_bytes(b"1")

    assert look.news() is None
