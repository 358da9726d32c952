"""Files and folders that may not be read or written: told with the path and what mends it, never a traceback, and read once they may be."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline import durable
from pipeline.errors import RingletError
from tests.cli.homes import reply, transcript
from tests.faults.users import bound_by_modes, each, environ, ringlet

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the superuser's power is dropped as Linux does it")

AT = "2026-05-13T09:00:00Z"
COMMANDS = [
    ("usage",),
    ("usage", "sessions"),
    ("usage", "export"),
    ("ingest",),
    ("ingest", "--watch"),
    ("import", "claude"),
    ("agents", "list"),
    ("doctor",),
    ("seal",),
    ("views", "rebuild"),
    ("profiles", "create", "claude", "work", "--provider", "anthropic"),
]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A user with one transcript of one call; all modes are put right in the end."""
    transcript(tmp_path, "one", reply(1, AT))
    yield tmp_path
    for folder, _, files in os.walk(tmp_path):
        os.chmod(folder, 0o700)
        for name in files:
            os.chmod(os.path.join(folder, name), 0o600)


def bound(home: Path, *argv: str) -> tuple[int, str]:
    return ringlet(environ(home), *argv, preexec_fn=bound_by_modes)


def calls(home: Path) -> str:
    code, said = bound(home, "usage", "--period", "all", "--json", "--no-sync")
    assert code == 0, said
    return said.partition('"requests":')[2].partition(",")[0].strip()


@pytest.mark.parametrize("shut", ["file", "folder"])
def test_what_may_not_be_read_is_told_and_read_once_it_may(home: Path, shut: str) -> None:
    """A file or folder without permission costs its neighbours nothing: exit 5 and its path; afterwards it is read whole."""
    file = transcript(home, "two", reply(2, AT), reply(3, AT))
    path = file if shut == "file" else home / ".claude/projects/-shut"
    if shut == "folder":
        path.mkdir()
        file = file.rename(path / file.name)
    path.chmod(0)

    code, said = bound(home, "ingest")
    asked, answered = bound(home, "usage", "--period", "30d", "--tz", "Asia/Tokyo")
    before = calls(home)
    path.chmod(0o700)
    mended, _ = bound(home, "ingest")

    assert (code, asked, before) == (5, 0, "1")
    assert f"not read: {path}: Permission denied" in said
    assert f"not read: {path}: Permission denied" in answered
    assert (mended, calls(home)) == (0, "3")


def test_logs_that_may_not_be_read_are_not_said_to_be_missing(home: Path) -> None:
    """Where nothing is known because the only folder of logs is shut, each command names that folder and claims nothing else."""
    shut = home / ".claude/projects"
    shut.chmod(0)
    denied = f"{shut}: Permission denied"

    usage, listed, imported = (bound(home, *words) for words in (["usage"], ["agents", "list"], ["import", "claude"]))

    assert [code for code, _ in (usage, listed, imported)] == [0, 0, 5]
    assert "No usage is recorded: where logs would be, something could not be read.\n" in usage[1]
    assert all(denied in said for _, said in (usage, listed, imported))


def test_doctor_names_what_may_not_be_read(home: Path) -> None:
    """A folder that may not be listed is a warning of the doctor's, with its path."""
    assert bound(home, "ingest")[0] == 0
    shut = home / ".claude/projects/-shut"
    shut.mkdir()
    shut.chmod(0)

    code, said = bound(home, "doctor")

    assert code == 1
    assert f"! sources: Permission denied ({shut}); make it readable for you" in said


def test_a_store_that_cannot_be_written_is_refused(home: Path) -> None:
    """Every command that has something to write says which folder it is and what helps, and changes nothing."""
    store = home / "store"
    store.mkdir(mode=0o500)

    outcomes = each(environ(home), COMMANDS, preexec_fn=bound_by_modes)

    says = f"ringlet: {store}: the store cannot be written; make the folder writable for you or set RINGLET_HOME\n"
    assert outcomes == [(1, says)] * len(COMMANDS)
    assert list(store.iterdir()) == []


def test_an_answer_that_needs_no_writing_is_given_from_a_store_that_cannot_be_written(home: Path) -> None:
    """While nothing is new, a store on a medium that has become read-only still answers."""
    first = bound(home, "usage", "--period", "all")
    (home / "store").chmod(0o500)

    assert bound(home, "usage", "--period", "all") == first
    assert first[0] == 0


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        pytest.param(lambda store: store.chmod(0o000), "the store cannot be written", id="shut"),
        pytest.param(lambda store: store.chmod(0o750), "the store is open to other users; chmod 700 ", id="open to the group"),
        pytest.param(lambda store: store.chmod(0o705), "the store is open to other users; chmod 700 ", id="open to all"),
        pytest.param(lambda store: (store.rmdir(), store.write_text("")), "not a folder", id="a file"),
        pytest.param(lambda store: (store / "journal.db").mkdir(), "journal.db: ", id="a folder in the journal's place"),
    ],
)
def test_a_store_that_must_not_be_used_is_refused(home: Path, spoil: Callable[[Path], object], says: str) -> None:
    """The matrix of wrong stores: one line with the path and what mends it, whichever command meets it first; modes stay as they are."""
    store = home / "store"
    store.mkdir(mode=0o700)
    spoil(store)
    mode = store.stat().st_mode

    for code, said in each(environ(home), [("usage",), ("ingest",), ("doctor",)], preexec_fn=bound_by_modes):
        assert code == 1
        assert said.startswith(f"ringlet: {store}")
        assert says in said
        assert said.count("\n") == 1
    assert store.stat().st_mode == mode


def test_profiles_are_not_written_into_a_store_that_others_may_read(home: Path) -> None:
    """A command that never opens the log keeps to the same rule: what it would write stands in nobody else's reach."""
    store = home / "store"
    store.mkdir(mode=0o755)

    ((code, said),) = each(environ(home), [("profiles", "create", "claude", "work", "--provider", "anthropic")])

    assert (code, said) == (1, f"ringlet: {store}: the store is open to other users; chmod 700 {store}\n")
    assert list(store.iterdir()) == []


def test_a_store_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever owns the folder owns the history in it: another user, the superuser included, is told to be that user or to use another."""
    store = tmp_path / "store"
    durable.prepare_home(str(store), create=True)
    owner = store.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)

    with pytest.raises(RingletError, match=f"belongs to user {owner}; run as that user or set RINGLET_HOME"):
        durable.prepare_home(str(store), create=True)


def test_a_store_whose_path_is_no_text_is_refused(tmp_path: Path) -> None:
    """The libraries that write Parquet name files in UTF-8 alone, so a store that they could never seal is not begun."""
    with pytest.raises(RingletError, match="no text; set RINGLET_HOME"):
        durable.prepare_home(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"), create=True)
    assert os.listdir(tmp_path) == []


def test_without_a_home_nothing_is_made(tmp_path: Path) -> None:
    """Where neither HOME nor RINGLET_HOME is set, every command says which to set; nothing is made in the current folder."""
    env = environ(tmp_path)
    del env["HOME"], env["RINGLET_HOME"]

    outcomes = each(env, [("usage",), ("usage", "--since", "2026-01-01"), ("ingest",), ("doctor",), ("profiles", "list")])

    says = "ringlet: HOME is not set: set HOME, or RINGLET_HOME to the folder that shall hold ringlet's files\n"
    assert outcomes == [(1, says)] * 5
    assert os.listdir(tmp_path) == []
