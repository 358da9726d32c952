"""When a remembered look may stand for a sweep."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ingest import memory
from ingest.sweep import Trail, merged, place, sweep

Walk = tuple[str, tuple[str, ...], tuple[str, ...], bool]

LATER_NS = 60_000_000_000
"""After this long every folder of a test has rested."""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="nothing is remembered there")


def home(tmp_path: Path) -> tuple[Walk, ...]:
    """Two folders of logs, one named file that is not there, a database."""
    for name in ("logs/a.jsonl", "logs/x/b.jsonl", "logs/x/notes.txt", "state.db"):
        path = tmp_path / "home" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"12345")
    root = str(tmp_path / "home")
    return merged([place(root, "logs/**/*.jsonl"), place(root, "usage.jsonl"), place(root, "*.db", journalled=True)])


def remembered(tmp_path: Path, places: tuple[Walk, ...], *, device: int | None = None, after_ns: int = LATER_NS) -> Path | None:
    """The memory of a sweep that began `after_ns` from now, on a disk; None where there is nothing to remember."""
    trail = Trail()
    looks = sweep(places, trail=trail)
    own = os.stat(tmp_path).st_dev if device is None else device
    text = memory.text("key", looks, trail, proof="as it was", device=own, now_ns=time.time_ns() + after_ns)
    if text is None:
        return None
    path = tmp_path / memory.NAME
    path.write_bytes(text)
    return path


def test_a_memory_looks_at_every_file_again(tmp_path: Path) -> None:
    """Without a new name the memory gives what a sweep gives, of files that grew and of a database whose `-wal` was there before too."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home/state.db-wal").write_bytes(b"1")
    places = home(tmp_path)
    path = remembered(tmp_path, places)
    assert path is not None
    for name in ("logs/x/b.jsonl", "state.db-wal"):
        with (tmp_path / "home" / name).open("ab") as file:
            file.write(b"more")

    known = memory.recall(str(path), "key")

    assert known is not None
    looks = known.looks()
    assert sorted(looks) == sorted(sweep(places))
    assert {os.path.basename(name): size for name, _, size, _ in looks} == {"a.jsonl": 5, "b.jsonl": 9, "state.db": 10}


def test_a_memory_names_the_state_that_it_holds(tmp_path: Path) -> None:
    """While every file is as it was, the memory says so under the name it was given; renewed, it does so for what has changed since."""
    path = remembered(tmp_path, home(tmp_path))
    assert path is not None
    known = memory.recall(str(path), "key")
    assert known is not None
    assert (known.proof, known.changed) == ("as it was", {})
    places = home(tmp_path)
    grown, touched = tmp_path / "home/logs/a.jsonl", tmp_path / "home/state.db"
    with grown.open("ab") as file:
        file.write(b"more")
    os.utime(touched, ns=(1, 2))

    known = memory.recall(str(path), "key")

    assert known is not None
    assert known.changed[b"home/logs/a.jsonl"][:2] == (grown.stat().st_ino, 9)
    assert known.changed[b"home/state.db"] == (touched.stat().st_ino, 5, 2)
    path.write_bytes(known.renewed("as it is"))
    again = memory.recall(str(path), "key")
    assert again is not None
    assert (again.proof, again.changed) == ("as it is", {})
    assert sorted(again.looks()) == sorted(sweep(places))


def _back_in_time(logs: Path) -> None:
    before = logs.stat()
    (logs / "new.jsonl").write_bytes(b"x")
    os.utime(logs, ns=(before.st_atime_ns, before.st_mtime_ns))


CHANGES: dict[str, Callable[[Path], object]] = {
    "a new file": lambda home: (home / "logs/x/new.jsonl").write_bytes(b"x"),
    "a new folder": lambda home: (home / "logs/x/y").mkdir(),
    "a file less": lambda home: (home / "logs/a.jsonl").unlink(),
    "a file renamed": lambda home: (home / "logs/a.jsonl").rename(home / "logs/c.jsonl"),
    "a named file appears": lambda home: (home / "usage.jsonl").write_bytes(b"x"),
    "a folder moved away": lambda home: (home / "logs").rename(home / "old"),
    "a new file in a folder whose time was set back": lambda home: _back_in_time(home / "logs"),
    "a new link": lambda home: (home / "logs/link").symlink_to(home / "logs/x"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_any_name_that_comes_or_goes_takes_a_sweep(tmp_path: Path, what: str) -> None:
    """A memory is used only while every folder that was listed is as it was and what was missing is still missing."""
    path = remembered(tmp_path, home(tmp_path))
    assert path is not None
    assert memory.recall(str(path), "key") is not None

    CHANGES[what](tmp_path / "home")

    assert memory.recall(str(path), "key") is None


def test_another_question_or_a_torn_file_is_no_memory(tmp_path: Path) -> None:
    """A memory answers for the places it was made for, and only as a whole."""
    path = remembered(tmp_path, home(tmp_path))
    assert path is not None
    assert memory.recall(str(path), "other") is None
    assert memory.recall(str(tmp_path / "missing"), "key") is None
    whole = path.read_bytes()
    for cut in range(0, len(whole), 7):
        path.write_bytes(whole[:cut])
        assert memory.recall(str(path), "key") is None
        torn = whole[:cut] + bytes(len(whole) - cut)
        path.write_bytes(torn)
        # The file ends in a zero: one that lost just that is whole.
        assert torn == whole or memory.recall(str(path), "key") is None


def test_what_is_not_sure_is_not_remembered(tmp_path: Path) -> None:
    """Neither folders that changed a moment before, nor those of another file system, nor links."""
    places = home(tmp_path)
    os.utime(tmp_path / "home/logs")

    assert remembered(tmp_path, places, after_ns=0) is None
    assert remembered(tmp_path, places, device=-1) is None
    (tmp_path / "home/logs/link").symlink_to(tmp_path / "home/logs/x")
    assert remembered(tmp_path, places) is None


def test_names_need_not_be_text(tmp_path: Path) -> None:
    """Line feeds and bytes that are no UTF-8 come back as they were."""
    places = home(tmp_path)
    odd = os.fsdecode(b"two\nlines\xff.jsonl")
    (tmp_path / "home/logs" / odd).write_bytes(b"x")
    path = remembered(tmp_path, places)
    assert path is not None

    known = memory.recall(str(path), "key")

    assert known is not None
    looks = known.looks()
    assert sorted(looks) == sorted(sweep(places))


def test_a_home_that_is_not_there_is_one_look(tmp_path: Path) -> None:
    """Of an agent that is not used only its home is looked at, however many places it keeps logs in; once it comes, so do they."""
    places = home(tmp_path)
    absent = str(tmp_path / "none")
    places += merged([place(absent, "sessions/**/*.jsonl"), place(absent, "usage.jsonl"), place(absent, "*.db", journalled=True)])
    trail = Trail()
    sweep(places, trail=trail)
    path = remembered(tmp_path, places)
    assert path is not None

    assert [name for name in trail.absent if name.startswith(absent)] == [absent]
    assert memory.recall(str(path), "key") is not None
    (tmp_path / "none").mkdir()
    assert memory.recall(str(path), "key") is None
