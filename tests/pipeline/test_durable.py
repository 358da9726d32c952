"""Files that outlive a crash: what is promised of each operation, and of who may use the store."""

import errno
import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline import durable
from pipeline.errors import Held, RingletError
from tests.faults.test_failing_operations import Failing


class Recorder(durable.Fs):
    """Does what `Fs` does and remembers in which order."""

    def __init__(self) -> None:
        self.done: list[tuple[str, str]] = []

    def mkdir(self, path: str) -> None:
        super().mkdir(path)
        self.done.append(("mkdir", os.path.basename(path)))

    def fsync_dir(self, path: str) -> None:
        super().fsync_dir(path)
        self.done.append(("fsync_dir", os.path.basename(path)))

    def fsync(self, fd: int) -> None:
        super().fsync(fd)
        self.done.append(("fsync", ""))

    def replace(self, source: str, target: str) -> None:
        super().replace(source, target)
        self.done.append(("replace", os.path.basename(target)))


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    made = Recorder()
    monkeypatch.setattr(durable, "fs", made)
    return made


def test_new_parents_are_fsynced_before_their_children(tmp_path: Path, recorder: Recorder) -> None:
    """Each new folder's name is durable before anything is put into it."""
    durable.make_dirs(str(tmp_path / "a" / "b"))

    names = [one for one in recorder.done if one[0] != "fsync"]
    assert names == [("mkdir", "a"), ("fsync_dir", tmp_path.name), ("mkdir", "b"), ("fsync_dir", "a")]


def test_many_folders_cost_one_fsync_per_parent(tmp_path: Path, recorder: Recorder) -> None:
    """Folders that are made together share the fsyncs of their parents."""
    durable.make_dirs_of(str(tmp_path), ["x/1", "x/2", "y/1"])

    assert recorder.done.count(("fsync_dir", tmp_path.name)) == 1
    assert [one for one in recorder.done if one[0] == "fsync_dir"][-2:] == [("fsync_dir", "x"), ("fsync_dir", "y")]


def test_a_file_is_replaced_as_a_whole(tmp_path: Path, recorder: Recorder) -> None:
    """The new content is on the disk before it takes the name, and the name before the call returns."""
    path = tmp_path / "head"
    path.write_bytes(b"old")

    durable.write_over(str(path), b"new")

    assert path.read_bytes() == b"new"
    assert [one for one in recorder.done if one[0] != "fsync"] == [("replace", "head"), ("fsync_dir", tmp_path.name)]
    assert recorder.done[0] == ("fsync", "")
    assert os.listdir(tmp_path) == ["head"]


def test_a_new_name_never_replaces(tmp_path: Path) -> None:
    """Renaming to a name that is taken fails and leaves both files as they were."""
    (tmp_path / "a").write_text("a")
    (tmp_path / "b").write_text("b")

    with pytest.raises(FileExistsError):
        durable.fs.rename_new(str(tmp_path / "a"), str(tmp_path / "b"))

    assert ((tmp_path / "a").read_text(), (tmp_path / "b").read_text()) == ("a", "b")


def test_folders_change_places(tmp_path: Path) -> None:
    """An exchange swaps two folders in one step."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "a" / "file").write_text("x")

    assert durable.fs.exchange(str(tmp_path / "a"), str(tmp_path / "b"))
    assert os.listdir(tmp_path / "b") == ["file"]


def test_links_are_removed_not_followed(tmp_path: Path) -> None:
    """Removing a tree leaves what a link in it points to."""
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").write_text("x")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "link").symlink_to(tmp_path / "kept")

    durable.remove_tree(str(tmp_path / "tree"))

    assert sorted(os.listdir(tmp_path)) == ["kept"]
    assert os.listdir(tmp_path / "kept") == ["file"]


def test_lock_names_its_holder(tmp_path: Path) -> None:
    """A second process is told who holds the lock; a holder that ended holds it no longer."""
    path = str(tmp_path / "lock")
    program = (
        "import sys; from pipeline import durable\ntry: durable.lock(sys.argv[1]); print('free')\nexcept durable.Held as e: print(e.pid)"
    )
    with durable.lock(path):
        out = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=True)
        assert int(out.stdout) == os.getpid()
    out = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=True)
    assert out.stdout == "free\n"


def test_held_is_raised_within_one_process_too(tmp_path: Path) -> None:
    """Two locks on one path exclude each other even in the same process."""
    with durable.lock(str(tmp_path / "lock")), pytest.raises(Held):
        durable.lock(str(tmp_path / "lock"))


def test_whoever_asks_for_the_holder_holds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that asks who holds a lock may be stopped in the middle of it: whoever wants the lock gets it once that one goes on."""
    path = tmp_path / "lock"
    path.touch()
    waits: list[float] = []
    with path.open() as asking:
        fcntl.flock(asking, fcntl.LOCK_SH)

        def passes(seconds: float) -> None:
            waits.append(seconds)
            if len(waits) == 5:
                fcntl.flock(asking, fcntl.LOCK_UN)

        monkeypatch.setattr(time, "sleep", passes)
        with durable.lock(str(path)):
            assert durable.holder(str(path)) == os.getpid()

    assert len(waits) == 5


def test_store_that_others_may_read_is_refused(tmp_path: Path) -> None:
    """A store open to others is refused with the command that closes it, and is not changed."""
    store = tmp_path / "store"
    store.mkdir(mode=0o755)
    store.chmod(0o755)

    with pytest.raises(RingletError, match="chmod 700"):
        durable.prepare_home(str(store), create=True)
    assert store.stat().st_mode & 0o777 == 0o755


def test_relative_store_is_refused() -> None:
    """Without HOME a path may come out relative: nothing is made in the current folder."""
    with pytest.raises(RingletError, match="RINGLET_HOME"):
        durable.prepare_home("ringlet", create=True)


@pytest.mark.parametrize("nth", [1, 2, 3, 4])
def test_what_could_not_be_written_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nth: int) -> None:
    """Whichever operation fails on a full disk, the old content stands and no half of the new one lies beside it."""
    target = tmp_path / "export.csv"
    target.write_bytes(b"old")
    monkeypatch.setattr(durable, "fs", Failing(nth, errno.ENOSPC))

    with pytest.raises(OSError, match="No space"):
        durable.write_over(str(target), b"new")

    assert os.listdir(tmp_path) == ["export.csv"]
    assert target.read_bytes() == b"old"


@pytest.mark.parametrize("nth", [1, 2, 3])
def test_a_hint_that_could_not_be_written_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nth: int) -> None:
    """A hint is not waited for on the disk, and is else as a file that is: whichever of its operations fails, only the old one is there."""
    target = tmp_path / "looked"
    target.write_bytes(b"old")
    monkeypatch.setattr(durable, "fs", Failing(nth, errno.ENOSPC))

    with pytest.raises(OSError, match="No space"):
        durable.write_hint(str(target), b"new")

    assert os.listdir(tmp_path) == ["looked"]
    assert target.read_bytes() == b"old"


def test_missing_store_is_not_made_unasked(tmp_path: Path) -> None:
    """With `create` off a missing store stays missing."""
    with pytest.raises(FileNotFoundError):
        durable.prepare_home(str(tmp_path / "none"), create=False)
    assert os.listdir(tmp_path) == []


def test_network_file_system_is_recognised(tmp_path: Path) -> None:
    """The longest mount point above a path says what it lies on; a space in it is written as \\040."""
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/vda / ext4 rw 0 0\nserver:/x {tmp_path}/my\\040share nfs4 rw 0 0\n")
    (tmp_path / "my share").mkdir()

    assert durable.file_system(str(tmp_path / "my share" / "store"), str(mounts)) == "nfs4"
    assert durable.file_system(str(tmp_path / "other"), str(mounts)) == "ext4"


def test_store_on_a_network_file_system_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new store is not made where SQLite's log would not be safe; a folder that was made there by hand, as the error says, is used."""
    home = tmp_path / "my store"
    monkeypatch.setattr(durable, "file_system", lambda _: "nfs")
    with pytest.raises(RingletError, match="network file system") as refused:
        durable.prepare_home(str(home), create=True)
    subprocess.run(["sh", "-c", (refused.value.mend or "").rpartition("ever use it: ")[2]], check=True)

    assert not durable.prepare_home(str(home), create=True)


def test_named_step_ends_the_process() -> None:
    """With RINGLET_FAULT=name:n the n-th passage of a step is the last thing the process does; other steps pass."""
    program = "from pipeline import durable\nfor n in range(3): durable.step('other'); durable.step('committed'); print(n, flush=True)"
    environment = {**os.environ, "RINGLET_FAULT": "committed:2"}
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=False)
    assert (out.stdout, out.returncode) == ("0\n", -9)


def test_every_step_is_documented() -> None:
    """Each name passed to `step` in the pipeline stands in STEPS, and each of those is passed somewhere."""
    import re

    folder = Path(durable.__file__).parent
    used = {name for file in folder.glob("*.py") for name in re.findall(r'\bstep\("(\w+)"\)', file.read_text())}
    assert used == set(durable.STEPS)
