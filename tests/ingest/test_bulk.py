"""Reading many sources at once."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from ingest import bulk
from ingest.adapter import Place
from ingest.bulk import Harvest, read_all
from ingest.crew import Crew, Queue
from ingest.discover import under
from ingest.reader import Manner, Work
from pipeline import forking
from pipeline.events import Event
from tests.ingest import toy


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Work]:
    """Forty files of 1 to 40 calls, enough to be shared out."""
    monkeypatch.setattr(bulk, "PARALLEL_BYTES", 0)
    monkeypatch.setattr(forking, "possible", lambda: hasattr(os, "fork"))
    folder = tmp_path / "logs"
    folder.mkdir()
    for number in range(1, 41):
        (folder / f"{number}.jsonl").write_bytes(b"".join(toy.line(f"{number}-{nth}", nth) for nth in range(number)))
    return [Work(found=found, source_id=number) for number, found in enumerate(under(toy.ADAPTER, str(tmp_path), []))]


class Deadly(toy.Toy):
    """An adapter that kills every process but its own."""

    def __init__(self, own: int) -> None:
        self.own = own

    def step(self, state: toy.State, record: bytes) -> tuple[toy.State, list[Event]]:
        if os.getpid() != self.own:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().step(state, record)


class Patient(toy.Toy):
    """An adapter that reads nothing before as many processes read as there should be, and leaves a file of the name of each."""

    def __init__(self, marks: Path, processes: int) -> None:
        self.marks, self.processes = marks, processes
        self.until = time.monotonic() + 300
        """Whoever has not begun then never will."""

    def start(self, place: Place) -> toy.State:
        (self.marks / str(os.getpid())).touch()
        while len(os.listdir(self.marks)) < self.processes and time.monotonic() < self.until:
            time.sleep(0.01)
        return super().start(place)


def read(work: list[Work], adapter: toy.Toy = toy.ADAPTER, **options: Any) -> list[Harvest]:
    return list(read_all(work, {"toy": adapter}, options.pop("manner", Manner(now_ns=2 * 10**18)), **options))


def taken(harvests: list[Harvest]) -> list[tuple[bytes, int, int]]:
    return sorted(
        (key, source, output)
        for each in harvests
        for key, source, output in zip(each.batch.key, each.batch.source, each.batch.output, strict=True)
    )


def readings(harvests: list[Harvest]) -> list[Any]:
    return sorted((reading for each in harvests for reading in each.readings), key=lambda reading: reading.source_id)


@pytest.mark.parametrize("piece_rows", [bulk.PIECE_ROWS, 20])
def test_any_number_of_processes_reads_the_same(work: list[Work], monkeypatch: pytest.MonkeyPatch, piece_rows: int) -> None:
    """Two or five processes give what one gives, in however many pieces: the same calls, and one reading for each source."""
    monkeypatch.setattr(bulk, "PIECE_ROWS", piece_rows)
    alone = read(work, workers=1)

    for workers in (2, 5):
        together = read(work, workers=workers)
        assert taken(together) == taken(alone)
        assert readings(together) == readings(alone)
    assert len(taken(alone)) == 820


def test_a_child_that_dies_costs_nothing(work: list[Work]) -> None:
    """What a killed child had read, or not yet read, is read by the parent."""
    assert taken(read(work, Deadly(os.getpid()), workers=3)) == taken(read(work, workers=1))


def test_new_interpreters_read_the_same(work: list[Work], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where this process may not be forked, children are started afresh: the same calls, one reading for each source, all at work."""
    monkeypatch.setattr(forking, "possible", lambda: False)
    marks = tmp_path / "marks"
    marks.mkdir()
    alone = read(work, workers=1)

    together = read(work, Patient(marks, 2), workers=2)

    assert taken(together) == taken(alone)
    assert readings(together) == readings(alone)
    assert len(list(marks.iterdir())) == 2


def test_an_interpreter_that_dies_costs_nothing(work: list[Work], monkeypatch: pytest.MonkeyPatch) -> None:
    """What a started child had read when it died, and all it had not, is read by the parent."""
    monkeypatch.setattr(forking, "possible", lambda: False)

    assert taken(read(work, Deadly(os.getpid()), workers=3)) == taken(read(work, workers=1))


def test_batches_are_bounded(work: list[Work], monkeypatch: pytest.MonkeyPatch) -> None:
    """No harvest grows far beyond the limit: it is handed on with the source that fills it."""
    monkeypatch.setattr(bulk, "BATCH_ROWS", 50)
    monkeypatch.setattr(bulk, "ROUND_BYTES", 5_000)

    harvests = read(work, workers=2)

    assert len(taken(harvests)) == 820
    assert max(len(each.batch) for each in harvests) < 50 + 40


def test_a_stop_ends_after_the_source_at_hand(work: list[Work]) -> None:
    """Asked to stop, every process ends after its source, and what was read is handed on."""
    asked = []

    def stop() -> bool:
        asked.append(True)
        return len(asked) > 4

    harvests = read(work, workers=2, manner=Manner(now_ns=0, stop=stop))

    assert 0 < len(readings(harvests)) < len(work)


def test_progress_ends_at_everything(work: list[Work]) -> None:
    """Progress counts bytes, by whomever they were read, and never goes back."""
    told: list[int] = []

    read(work, workers=2, progress=told.append)

    assert told == sorted(told)
    assert told[-1] == sum(each.found.size for each in work)


def test_a_queue_gives_each_number_once() -> None:
    """Processes that share a queue share out its numbers: none twice, none never."""
    queue, crew = Queue(5_000), Crew()

    def note(numbers: Queue, leave: Any) -> None:
        leave(b" ".join(b"%d" % number for number in numbers))

    for _ in range(3):
        crew.fork(queue, note)
    mine = list(queue)
    theirs = [int(number) for left in crew.left() for number in bytes(left).split()]
    queue.close()
    crew.close()

    assert sorted(mine + theirs) == list(range(5_000))
