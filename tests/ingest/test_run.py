"""What a run leaves in the log, and what it tells."""

import os
import threading
from pathlib import Path

import pytest

from ingest.discover import discover
from ingest.reader import Manner
from ingest.run import Summary, ingest, refresh
from pipeline.log import Log
from tests.ingest import toy

NOW_NS = 2_000_000_000_000_000_000


def run(store: Path, home: Path, **options: object) -> Summary:
    with Log.open(store) as log:
        return refresh(log, [toy.ADAPTER], {"TOY_HOME": str(home)}, "/nowhere", Manner(now_ns=NOW_NS, **options))  # type: ignore[arg-type]


def write(home: Path, name: str, content: bytes) -> Path:
    path = home / "logs" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def calls(store: Path) -> dict[int, int]:
    """How many calls the log knows by their output."""
    with Log.open(store) as log:
        outputs = [call.output for call in log.calls(0, 2**23)]
    return {output: outputs.count(output) for output in sorted(set(outputs))}


def test_twice_is_once(tmp_path: Path) -> None:
    """A second run finds nothing to do, and a copy of the whole tree adds nothing."""
    home, store = tmp_path / "home", tmp_path / "store"
    write(home, "a.jsonl", toy.line("a", 1) + toy.line("b", 2))
    first = run(store, home)
    again = run(store, home)
    write(home, "backup/a.jsonl", toy.line("a", 1) + toy.line("b", 2))

    copied = run(store, home)

    assert (first.new, first.shares["toy"].sources) == (2, 1)
    assert (again.events, again.shares) == (0, {})
    assert (copied.new, copied.duplicate) == (0, 2)
    assert calls(store) == {1: 1, 2: 1}


def test_every_sighting_is_new_updated_or_known(tmp_path: Path) -> None:
    """A better record of a known call updates it, a worse one is a duplicate; the three add up to the sightings."""
    home, store = tmp_path / "home", tmp_path / "store"
    log = write(home, "a.jsonl", toy.line("a", 1))
    run(store, home)
    with log.open("ab") as file:
        file.write(toy.line("a", 5) + toy.line("b", 2))
    better = run(store, home)
    with log.open("ab") as file:
        file.write(toy.line("a", 3))
    worse = run(store, home)

    assert (better.new, better.updated, better.duplicate, better.events) == (1, 1, 0, 2)
    assert (worse.new, worse.updated, worse.duplicate, worse.events) == (0, 0, 1, 1)
    assert calls(store) == {2: 1, 5: 1}


@pytest.mark.parametrize(("batch_rows", "times"), [(100, 1), (3, 0)])
def test_what_is_done_meanwhile_is_done_once_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch_rows: int, times: int
) -> None:
    """A commit that holds all that there is to read is told what to do meanwhile; one of several is not."""
    monkeypatch.setattr("pipeline.log.BULK_ROWS", 2)
    monkeypatch.setattr("ingest.bulk.BATCH_ROWS", batch_rows)
    home = tmp_path / "home"
    for name in ("a", "b"):
        write(home, f"{name}.jsonl", b"".join(toy.line(f"{name}{number}", 1) for number in range(3)))
    done: list[None] = []
    with Log.open(tmp_path / "store") as log:
        look = discover([toy.ADAPTER], {"TOY_HOME": str(home)}, "/nowhere", {})
        ingest(log, [toy.ADAPTER], look, Manner(now_ns=NOW_NS), meanwhile=lambda: done.append(None))

    assert (len(done), calls(tmp_path / "store")) == (times, {1: 6})


def test_history_outlives_its_file(tmp_path: Path) -> None:
    """When a source goes, its calls stay, and the log knows that the source is gone; when it comes back, nothing is counted twice."""
    home, store = tmp_path / "home", tmp_path / "store"
    file = write(home, "a.jsonl", toy.line("a", 1))
    run(store, home)
    file.rename(tmp_path / "kept")
    run(store, home)
    with Log.open(store) as log:
        gone = [known.gone for known in log.sources()]
    (tmp_path / "kept").rename(file)
    back = run(store, home)
    with Log.open(store) as log:
        assert (gone, [known.gone for known in log.sources()]) == ([True], [False])

    assert back.new == 0
    assert calls(store) == {1: 1}


def test_an_import_takes_an_unfinished_last_line_once(tmp_path: Path) -> None:
    """A last line without newline counts when it is asked for, however often; when its newline comes it is the same call."""
    home, store = tmp_path / "home", tmp_path / "store"
    file = write(home, "a.jsonl", toy.line("a", 1) + toy.line("b", 2)[:-1])
    run(store, home)
    before = calls(store)
    for _ in range(2):
        run(store, home, take_tail=True)
    file.write_bytes(toy.line("a", 1) + toy.line("b", 2))
    run(store, home)

    assert before == {1: 1}
    assert calls(store) == {1: 1, 2: 1}


def test_a_stopped_run_goes_on_later(tmp_path: Path) -> None:
    """Asked to stop, a run keeps what it has read and says so; the next one reads the rest."""
    home, store = tmp_path / "home", tmp_path / "store"
    for number in range(5):
        write(home, f"{number}.jsonl", toy.line(str(number), number + 1))
    answers = iter([False, False, False, True])

    stopped = run(store, home, stop=lambda: next(answers, True))
    rest = run(store, home)

    assert stopped.stopped
    assert 0 < stopped.new < 5
    assert stopped.new + rest.new == 5
    assert not rest.stopped


def test_a_source_that_another_process_read_meanwhile_is_read_on_from_there(tmp_path: Path) -> None:
    """Two runs over the same files at once: each call is taken by one of them, and neither fails."""
    home, store = tmp_path / "home", tmp_path / "store"
    write(home, "a.jsonl", toy.line("a", 1))
    late = write(home, "b.jsonl", toy.line("b", 2))
    manner = Manner(now_ns=NOW_NS)
    with Log.open(store) as log:
        look = discover([toy.ADAPTER], {"TOY_HOME": str(home)}, "/nowhere")
        asked: list[int] = []

        def other_process() -> bool:
            if not asked:
                asked.append(True)
                late.write_bytes(toy.line("b", 2) + toy.line("c", 3))
                run(store, home)
            return False

        manner.stop = other_process
        summary = ingest(log, [toy.ADAPTER], look, manner)

    assert summary.new == 0
    assert calls(store) == {1: 1, 2: 1, 3: 1}


def test_what_another_process_took_whole_is_told_as_that(tmp_path: Path) -> None:
    """A source of which another process read all that was new gave this run nothing; neither did one that was only touched."""
    home, store = tmp_path / "home", tmp_path / "store"
    file = write(home, "a.jsonl", toy.line("a", 1))
    others: list[Summary] = []

    def meanwhile() -> bool:
        if not others:
            others.append(Summary())
            others[0] = run(store, home)
        return False

    summary = run(store, home, stop=meanwhile)
    os.utime(file, ns=(1, 1))

    assert (others[0].new, others[0].taken) == (1, 0)
    assert (summary.shares, summary.taken, summary.new) == ({}, 1, 0)
    assert (run(store, home).shares, run(store, home).taken) == ({}, 0)


def test_commits_are_told(tmp_path: Path) -> None:
    """Whoever asks is told of each commit, so that what depends on the log can follow."""
    home, store = tmp_path / "home", tmp_path / "store"
    write(home, "a.jsonl", toy.line("a", 1, at=86_400))
    told = []
    with Log.open(store) as log:
        refresh(
            log,
            [toy.ADAPTER],
            {"TOY_HOME": str(home)},
            "/nowhere",
            Manner(now_ns=NOW_NS),
            on_commit=lambda _, commit: told.append(commit.days),
        )

    assert told == [{1}]


def test_a_log_that_is_archived_between_look_and_reading_is_read_where_it_went(tmp_path: Path) -> None:
    """Agents move and pack logs at any time: one that is gone when its turn comes is in the same run's totals under its new name."""
    home, store = tmp_path / "home", tmp_path / "store"
    first, second = write(home, "a.jsonl", toy.line("a", 1)), write(home, "b.jsonl", toy.line("b", 2))
    look = discover([toy.ADAPTER], {"TOY_HOME": str(home)}, "/nowhere")
    archive = home / "logs/archive"
    archive.mkdir()
    first.rename(archive / "a.jsonl")
    second.unlink()

    with Log.open(store) as log:
        summary = ingest(log, [toy.ADAPTER], look, Manner(now_ns=NOW_NS))

    assert (summary.new, summary.troubles, calls(store)) == (1, [], {1: 1})


def test_a_named_home_that_is_missing_is_told(tmp_path: Path) -> None:
    """A home that the user named and that is not there is part of the summary."""
    assert [home.path for home in run(tmp_path / "store", tmp_path / "nowhere").missing] == [str(tmp_path / "nowhere")]


def test_an_inode_that_another_file_got_is_another_source(tmp_path: Path) -> None:
    """A file that was deleted and made anew is read from its start, though the file system gave it the old inode."""
    home, store = tmp_path / "home", tmp_path / "store"
    expected = set()
    inodes = set()
    for number in range(20):
        file = write(home, "a.jsonl", toy.line(f"call-{number}", number + 1) * 3)
        inodes.add(file.stat().st_ino)
        run(store, home)
        expected.add(number + 1)
        file.unlink()

    assert set(calls(store)) == expected
    if len(inodes) == 20:
        pytest.skip("this file system gives no inode again")


def test_odd_names_are_read_and_kept(tmp_path: Path) -> None:
    """Names with a newline, an escape, 255 bytes, or bytes that are no text are read once and known again."""
    home, store = tmp_path / "home", tmp_path / "store"
    (home / "logs").mkdir(parents=True)
    folder = os.fsencode(home) + b"/logs/"
    for number, name in enumerate((b"new\nline", b"\x1b[31mred", b"\xff\xfe", b"n" * 249)):
        with open(folder + name + b".jsonl", "wb") as file:
            file.write(toy.line(f"call-{number}", number + 1))

    first, again = run(store, home), run(store, home)

    assert (first.new, first.troubles) == (4, [])
    assert again.shares == {}
    assert calls(store) == {1: 1, 2: 1, 3: 1, 4: 1}


def test_a_home_that_is_no_text_is_read(tmp_path: Path) -> None:
    """Bytes of a home's name that are no text stand in the log as U+FFFD, and lose no call."""
    home = Path(os.fsdecode(os.fsencode(tmp_path) + b"/h\xff"))
    write(home, "a.jsonl", toy.line("a", 1))

    assert run(tmp_path / "store", home).new == 1
    assert run(tmp_path / "store", home).shares == {}
    with Log.open(tmp_path / "store") as log:
        (dim,) = {call.dim for call in log.calls(0, 2**23)}
        assert log.dims([dim])[dim].root == f"{tmp_path}/h\ufffd"


def test_files_that_come_and_go_while_they_are_read_are_no_failure(tmp_path: Path) -> None:
    """Files and folders vanishing between the look and the reading are passed over; what stays is read."""
    home, store = tmp_path / "home", tmp_path / "store"
    stay = write(home, "stay/a.jsonl", toy.line("a", 1))
    end = threading.Event()

    def come_and_go() -> None:
        number = 0
        while not end.is_set():
            number += 1
            file = write(home, f"go-{number % 7}/b.jsonl", toy.line("b", 2))
            file.unlink()
            file.parent.rmdir()

    nemesis = threading.Thread(target=come_and_go)
    nemesis.start()
    try:
        troubles = []
        for number in range(60):
            stay.write_bytes(b"".join(toy.line(f"a-{nth}", 1) for nth in range(number)))
            troubles += run(store, home).troubles
    finally:
        end.set()
        nemesis.join()

    assert troubles == []
    assert calls(store)[1] == 59
