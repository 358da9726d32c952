"""Segments that a child process writes: the same as written here, whoever of the two dies.

The commits run in processes of their own: only one that has loaded neither Parquet nor threads may have a child.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.log import Log
from tests.pipeline.sightings import NOON, Feed, Sighting, known

ROOT = Path(__file__).resolve().parents[2]
DATES = 30

pytestmark = pytest.mark.skipif(not hasattr(os, "fork") or sys.platform == "darwin", reason="there are no children here")

COMMIT = f"""
import os, sys, time
from pipeline import log as log_module
from pipeline.log import Log
from pipeline.record import DAY_US
from tests.pipeline.sightings import NOON, Feed, Sighting
log_module.BULK_ROWS = 3
home, mark = sys.argv[1:3]
def child():
    open(mark, "a").write("child\\n")
    {{child}}
def parent():
    {{parent}}
os.register_at_fork(after_in_child=child, after_in_parent=parent)
with Log.open(home) as log:
    done = Feed(log).commit(*(Sighting(key=f"k{{{{n}}}}", at_us=NOON + n * DAY_US, output=n) for n in range({DATES})))
    print(done.new, "pyarrow" in sys.modules)
"""


def commit(
    folder: Path, *, first: str = "", child: str = "pass", parent: str = "pass", fault: str | None = None
) -> "subprocess.CompletedProcess[str]":
    """A commit of one call on each of thirty dates; `first` is run before it, `child` and `parent` where the two part."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), **({"RINGLET_FAULT": fault} if fault else {})}
    argv = [sys.executable, "-c", first + COMMIT.format(child=child, parent=parent), str(folder / "store"), str(folder / "mark")]
    return subprocess.run(argv, env=env, cwd=ROOT, capture_output=True, text=True, check=False)


def outputs(folder: Path) -> list[int]:
    """The outputs of all calls; each segment holds its one, and nothing lies beside them."""
    with Log.open(folder / "store") as log:
        assert all(Path(segment.path).stat().st_size == segment.size for segment in log.segments())
        assert sum(segment.rows for segment in log.segments()) == len(known(log))
        assert os.listdir(folder / "store" / "staging") == []
        return sorted(call.output for call in log.calls(0, 40_000))


def test_a_child_writes_the_segments(tmp_path: Path) -> None:
    """A large commit leaves Parquet to a child: the process itself never loads it."""
    done = commit(tmp_path)

    assert (done.stdout, done.stderr) == (f"{DATES} False\n", "")
    assert (tmp_path / "mark").read_text() == "child\n"
    assert outputs(tmp_path) == list(range(DATES))


def test_what_a_dead_child_left_undone_is_done_here(tmp_path: Path) -> None:
    """A child that is killed takes nothing with it: the segments are written by the process itself."""
    done = commit(tmp_path, child="os.kill(os.getpid(), 9)")

    assert (done.stdout, done.stderr) == (f"{DATES} True\n", "")
    assert outputs(tmp_path) == list(range(DATES))


def test_a_child_that_outlives_its_parent_writes_into_nothing(tmp_path: Path) -> None:
    """The next writer removes the files of a dead one; a child that still has them open changes nothing that is committed since."""
    died = commit(tmp_path, child="time.sleep(1.5)", parent="os.kill(os.getpid(), 9)")
    assert died.returncode == -signal.SIGKILL
    left = os.listdir(tmp_path / "store" / "staging")

    done = commit(tmp_path)
    time.sleep(2.0)

    assert (len(left), done.stdout) == (DATES, f"{DATES} False\n")
    assert outputs(tmp_path) == list(range(DATES))


def test_a_crash_in_the_child_is_one_of_the_whole_program(tmp_path: Path) -> None:
    """A fault at a step that the child passes kills the process that it works for too, and the next commit goes on as if nothing was."""
    died = commit(tmp_path, fault="staged_written:7")
    with Log.open(tmp_path / "store") as log:
        assert (known(log), log.segments()) == ([], [])

    done = commit(tmp_path)

    assert (died.returncode, done.returncode) == (-signal.SIGKILL, 0)
    assert outputs(tmp_path) == list(range(DATES))


def test_a_commit_that_fails_takes_its_child_along(tmp_path: Path) -> None:
    """Where the journal cannot be written, the child ends with the commit, and nothing is committed."""
    done = commit(tmp_path, parent="import pipeline.journal; pipeline.journal.CALLS_INDEX = 'no SQL'")

    assert done.returncode == 1
    with Log.open(tmp_path / "store") as log:
        assert (known(log), log.segments()) == ([], [])
        Feed(log).commit(Sighting(key="a", at_us=NOON))
        log.seal()
    assert outputs(tmp_path) == [5]


def test_where_few_files_may_be_open_there_is_no_child(tmp_path: Path) -> None:
    """A process that may not hold a file for each date writes the segments itself."""
    done = commit(tmp_path, first="import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))")

    assert (done.stdout, done.stderr, (tmp_path / "mark").exists()) == (f"{DATES} True\n", "", False)
    assert outputs(tmp_path) == list(range(DATES))
