"""What the sweep looks at."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ingest.sweep import merged, place, sweep

ROOT = Path(__file__).resolve().parents[2]


def write(path: Path, content: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def names(home: Path, *globs: str, troubles: list[tuple[str, str]] | None = None) -> list[str]:
    looks = sweep(merged(place(str(home), glob) for glob in globs), troubles)
    return sorted(os.path.relpath(path, home) for path, *_ in looks)


def test_a_sweep_gives_path_inode_size_and_time(tmp_path: Path) -> None:
    """A look at a file is its path, inode, size in bytes and modification time in nanoseconds."""
    file = write(tmp_path / "logs/a.jsonl", b"12345")
    os.utime(file, ns=(7, 1_000_000_007))

    assert sweep([place(str(tmp_path), "logs/*.jsonl")]) == [(str(file), file.stat().st_ino, 5, 1_000_000_007)]


def test_two_stars_are_any_depth_and_one_star_is_one_folder(tmp_path: Path) -> None:
    """`**` takes every depth, none included; `*` takes exactly one folder."""
    for path in ("logs/a.jsonl", "logs/x/b.jsonl", "logs/x/y/c.jsonl", "logs/x/y/c.txt"):
        write(tmp_path / path)

    assert names(tmp_path, "logs/**/*.jsonl") == ["logs/a.jsonl", "logs/x/b.jsonl", "logs/x/y/c.jsonl"]
    assert names(tmp_path, "logs/*/*.jsonl") == ["logs/x/b.jsonl"]


def test_a_name_matches_whole_or_around_its_star(tmp_path: Path) -> None:
    """A name without a star is the whole name; the parts around a star do not overlap."""
    for path in ("usage.jsonl", "my-usage.jsonl", "agent.db", "agent-beta.db", "a.db"):
        write(tmp_path / path)

    assert names(tmp_path, "usage.jsonl") == ["usage.jsonl"]
    assert names(tmp_path, "agent*.db") == ["agent-beta.db", "agent.db"]
    assert names(tmp_path, "a*a.db") == ["agent-beta.db"]


def test_places_on_the_same_way_are_walked_once(tmp_path: Path) -> None:
    """Two patterns that differ in the file's name alone are one walk."""
    root = str(tmp_path)

    walks = merged([place(root, "logs/**/*.jsonl"), place(root, "logs/**/*.zst"), place(root, "old/*.jsonl")])

    assert walks == ((root, ("logs", "**"), ("*.jsonl", "*.zst"), False), (root, ("old",), ("*.jsonl",), False))


@pytest.mark.parametrize("glob", ["a*b/*.jsonl", "**/x/*.jsonl", "x/a*b*.jsonl"])
def test_a_pattern_that_the_sweep_cannot_walk_is_refused(glob: str) -> None:
    """A pattern beyond the few forms is its author's mistake, told at once."""
    with pytest.raises(ValueError, match="a pattern has"):
        place("/home", glob)


def test_only_regular_files_are_sources(tmp_path: Path) -> None:
    """A pipe, a folder or a dangling link with a log's name is passed over, without waiting for it."""
    write(tmp_path / "logs/a.jsonl")
    os.mkfifo(tmp_path / "logs/pipe.jsonl")
    write(tmp_path / "logs/folder.jsonl/inner.jsonl")
    (tmp_path / "logs/gone.jsonl").symlink_to("nowhere")

    assert names(tmp_path, "logs/**/*.jsonl") == ["logs/a.jsonl", "logs/folder.jsonl/inner.jsonl"]


def test_a_missing_home_gives_nothing(tmp_path: Path) -> None:
    """A home that does not exist holds no source and is no trouble."""
    troubles: list[tuple[str, str]] = []

    assert names(tmp_path / "nowhere", "logs/**/*.jsonl", troubles=troubles) == []
    assert troubles == []


def test_the_named_folder_may_be_a_link(tmp_path: Path) -> None:
    """The folder that a pattern names is resolved, wherever it leads."""
    write(tmp_path / "elsewhere/x/a.jsonl")
    (tmp_path / "home").mkdir()
    (tmp_path / "home/logs").symlink_to(tmp_path / "elsewhere")

    assert names(tmp_path / "home", "logs/**/*.jsonl") == ["logs/x/a.jsonl"]


def test_links_below_stay_in_the_home_and_end(tmp_path: Path) -> None:
    """A link loop ends, a link to what is walked anyway adds nothing, one inside the home is followed, one out of it is a trouble."""
    home = tmp_path / "home"
    write(home / "logs/a.jsonl")
    write(home / "kept/b.jsonl")
    write(tmp_path / "outside/c.jsonl")
    (home / "logs/loop").symlink_to(home / "logs")
    (home / "logs/up").symlink_to(home)
    (home / "logs/kept").symlink_to(home / "kept")
    (home / "logs/again.jsonl").symlink_to(home / "logs/a.jsonl")
    (home / "logs/out").symlink_to(tmp_path / "outside")
    (home / "logs/slash").symlink_to("/")
    troubles: list[tuple[str, str]] = []

    assert names(home, "logs/**/*.jsonl", troubles=troubles) == ["kept/b.jsonl", "logs/a.jsonl"]
    assert sorted(os.path.basename(path) for path, _ in troubles) == ["out", "slash"]


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may list any folder")
def test_a_folder_that_may_not_be_listed_is_a_trouble(tmp_path: Path) -> None:
    """A folder without permission is told with its path; its neighbours are still found."""
    write(tmp_path / "logs/open/a.jsonl")
    write(tmp_path / "logs/shut/b.jsonl")
    (tmp_path / "logs/shut").chmod(0)
    troubles: list[tuple[str, str]] = []
    try:
        assert names(tmp_path, "logs/**/*.jsonl", troubles=troubles) == ["logs/open/a.jsonl"]
    finally:
        (tmp_path / "logs/shut").chmod(0o700)
    assert troubles == [(str(tmp_path / "logs/shut"), "Permission denied")]


def test_a_link_that_cannot_be_read_is_a_trouble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a link leads may be kept from us, as of another user's process: that is named, and all else is found."""
    write(tmp_path / "logs/a.jsonl")
    shut = tmp_path / "logs/shut"
    shut.symlink_to("a.jsonl")
    readlink = os.readlink

    def denied(path: str) -> str:
        if path == str(shut):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return readlink(path)

    monkeypatch.setattr(os, "readlink", denied)
    troubles: list[tuple[str, str]] = []
    assert names(tmp_path, "logs/**/*.jsonl", troubles=troubles) == ["logs/a.jsonl"]
    assert troubles == [(str(shut), "Permission denied")]


def test_a_database_changes_with_its_wal(tmp_path: Path) -> None:
    """Rows that stand only in the `-wal` change the look at their database."""
    write(tmp_path / "a.db", b"123")
    before = sweep([place(str(tmp_path), "*.db", journalled=True)])
    write(tmp_path / "a.db-wal", b"4567")

    after = sweep([place(str(tmp_path), "*.db", journalled=True)])

    assert [size for _, _, size, _ in before] == [3]
    assert [size for _, _, size, _ in after] == [7]


def test_odd_names_are_kept(tmp_path: Path) -> None:
    """A name with a newline, an escape or bytes that are no text is found, and opens again by the path that is given."""
    folder = os.fsencode(tmp_path) + b"/logs"
    os.mkdir(folder)
    for name in (b"new\nline.jsonl", b"\x1b[31m.jsonl", b"\xff\xfe.jsonl", b"n" * 249 + b".jsonl"):
        with open(folder + b"/" + name, "wb") as file:
            file.write(b"x")

    looks = sweep([place(str(tmp_path), "logs/*.jsonl")])

    assert len(looks) == 4
    assert all(os.stat(path).st_ino == inode for path, inode, _, _ in looks)


def test_the_sweep_imports_nothing() -> None:
    """The bare interpreter sweeps without importing any module but ours, because every light command does it."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); before = set(sys.modules)\n"
        "from ingest.sweep import place, sweep; sweep([place(sys.argv[1], 'tests/**/*.py')])\n"
        "print(sorted(set(sys.modules) - before))"
    )
    run = subprocess.run([sys.executable, "-I", "-S", "-c", code, str(ROOT)], capture_output=True, text=True, check=True)

    assert run.stdout == "['ingest', 'ingest.sweep', 'ingest.wal']\n"
