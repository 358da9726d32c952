"""What is told of changed files, whoever tells it."""

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ingest.notices import LOST, Notice, Notices
from ingest.observed import Observed

if sys.platform == "linux":
    from ingest.inotify import Inotify

    EVERY = [Inotify, Observed]
else:
    EVERY = [Observed]


@pytest.fixture(params=EVERY)
def notices(request: pytest.FixtureRequest) -> Iterator[Notices]:
    made: Notices = request.param()
    yield made
    made.close()


def told(notices: Notices, done: Callable[[set[Notice]], bool]) -> set[Notice]:
    """All that is told until it is enough."""
    found: set[Notice] = set()
    end = time.monotonic() + 90
    while not done(found):
        assert time.monotonic() < end, found
        found |= notices.wait(0.1)
    return found


def write(path: Path) -> Notice:
    """A file is written at the path; the notice of it."""
    with path.open("a") as file:
        file.write("x")
    return (str(path), "")


def test_a_file_that_is_written_is_told(notices: Notices, tmp_path: Path) -> None:
    """A file that was there, one that comes, and one in a folder below are each told; what nobody touches is not."""
    (tmp_path / "below").mkdir()
    write(tmp_path / "a")
    write(tmp_path / "quiet")
    notices.follow(str(tmp_path), deep=True)
    wanted = {write(tmp_path / "a"), write(tmp_path / "b"), write(tmp_path / "below/c")}

    assert (str(tmp_path / "quiet"), "") not in told(notices, wanted.issubset)


def test_folders_below_are_followed_only_where_that_is_asked_for(notices: Notices, tmp_path: Path) -> None:
    """Of a folder that is followed alone, nothing that happens further below is told."""
    (tmp_path / "below").mkdir()
    notices.follow(str(tmp_path), deep=False)
    write(tmp_path / "below/c")
    wanted = {write(tmp_path / "a")}

    assert (str(tmp_path / "below/c"), "") not in told(notices, wanted.issubset)


def test_a_new_folder_is_followed_with_all_in_it(notices: Notices, tmp_path: Path) -> None:
    """Files in folders made or moved in just now are told, whether they came before or after anybody could look."""
    home = tmp_path / "home"
    home.mkdir()
    notices.follow(str(home), deep=True)
    (home / "new/deep").mkdir(parents=True)
    wanted = {write(home / "new/deep/a")}
    (tmp_path / "other/deep").mkdir(parents=True)
    write(tmp_path / "other/deep/b")
    (tmp_path / "other").rename(home / "other")
    wanted.add((str(home / "other/deep/b"), ""))
    told(notices, wanted.issubset)
    wanted = {write(home / "new/deep/a"), write(home / "other/deep/b"), write(home / "other/deep/c")}

    told(notices, wanted.issubset)


def test_a_move_is_told_with_both_paths(notices: Notices, tmp_path: Path) -> None:
    """A file that is renamed, also into another followed folder, is told as one thing."""
    (tmp_path / "below").mkdir()
    write(tmp_path / "a")
    write(tmp_path / "b")
    notices.follow(str(tmp_path), deep=True)
    (tmp_path / "a").rename(tmp_path / "a.1")
    (tmp_path / "b").rename(tmp_path / "below/b")

    told(notices, {(str(tmp_path / "a"), str(tmp_path / "a.1")), (str(tmp_path / "b"), str(tmp_path / "below/b"))}.issubset)


def test_a_folder_that_moves_is_known_by_its_new_path(notices: Notices, tmp_path: Path) -> None:
    """After a folder was renamed, what is written in it is told under the name it has now."""
    (tmp_path / "old/deep").mkdir(parents=True)
    notices.follow(str(tmp_path), deep=True)
    (tmp_path / "old").rename(tmp_path / "new")
    # How a folder's move is told is its teller's business; before it is, nobody can know the new path.
    moved = {LOST, (str(tmp_path / "old/deep"), str(tmp_path / "new/deep"))}
    told(notices, lambda found: not moved.isdisjoint(found))
    wanted = {write(tmp_path / "new/deep/a")}

    assert (str(tmp_path / "old/deep/a"), "") not in told(notices, wanted.issubset)


def test_what_is_guarded_is_told_when_it_comes_and_when_it_goes(notices: Notices, tmp_path: Path) -> None:
    """Only the paths that were named are told, however they come and go; that a file in the folder is written is not."""
    one, two = tmp_path / "one", tmp_path / "two"
    notices.guard(str(tmp_path), {str(one), str(two)})
    one.mkdir()
    write(tmp_path / "three")
    assert told(notices, {("", str(one))}.issubset) == {("", str(one))}
    one.rename(two)
    assert told(notices, {("", str(two))}.issubset) <= {("", str(one)), ("", str(two))}
    two.rmdir()

    told(notices, {("", str(two))}.issubset)


def test_a_folder_may_be_followed_and_guarded(notices: Notices, tmp_path: Path) -> None:
    """Both are told of one folder, also of a file that was there, and it makes no difference which was asked for first."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    write(tmp_path / "a/old")
    write(tmp_path / "b/old")
    notices.follow(str(tmp_path / "a"), deep=True)
    notices.guard(str(tmp_path / "a"), {str(tmp_path / "a/x")})
    notices.guard(str(tmp_path / "b"), {str(tmp_path / "b/x")})
    notices.follow(str(tmp_path / "b"), deep=True)
    for name in ("a", "b"):
        told(notices, {write(tmp_path / name / "old")}.issubset)
        (tmp_path / name / "x").mkdir()
        told(notices, {("", str(tmp_path / name / "x")), write(tmp_path / name / "x/file")}.issubset)


def test_what_is_left_is_told_no_more(notices: Notices, tmp_path: Path) -> None:
    """After leaving a folder, nothing of it or below it is told, and it can be followed again."""
    home, other = tmp_path / "home", tmp_path / "homely"
    (home / "deep").mkdir(parents=True)
    other.mkdir()
    notices.follow(str(home), deep=True)
    notices.follow(str(other), deep=True)
    notices.leave(str(home))
    write(home / "deep/a")
    assert told(notices, {write(other / "b")}.issubset) == {(str(other / "b"), "")}
    notices.follow(str(home), deep=True)

    told(notices, {write(home / "deep/a")}.issubset)


def test_a_note_is_told_without_waiting(notices: Notices) -> None:
    """What the waiting one notes for itself comes with the next look, also where nothing is followed."""
    notices.note(LOST)

    assert (notices.wait(60), notices.wait(0)) == ({LOST}, set())


def test_what_is_not_there_cannot_be_followed(notices: Notices, tmp_path: Path) -> None:
    """A folder that does not exist is an error of the system, and harms nothing else."""
    with pytest.raises(FileNotFoundError):
        notices.follow(str(tmp_path / "nowhere"), deep=True)
    notices.follow(str(tmp_path), deep=True)

    told(notices, {write(tmp_path / "a")}.issubset)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere each file in it is told")
def test_a_folder_that_moves_is_a_reason_to_look_at_everything(tmp_path: Path) -> None:
    """Where the files of a followed folder went when it was moved away is not told one by one."""
    notices = Inotify()
    (tmp_path / "home/old").mkdir(parents=True)
    notices.follow(str(tmp_path / "home"), deep=True)
    (tmp_path / "home/old").rename(tmp_path / "elsewhere")
    try:
        told(notices, {LOST}.issubset)
    finally:
        notices.close()
