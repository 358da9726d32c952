"""The power is cut at every moment of every protocol: what is committed is there, once and whole; and each fsync earns its place."""

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline import durable
from pipeline import log as log_module
from pipeline.log import Log
from tests.faults.powercut import Disk, Recorder
from tests.faults.protocols import PROTOCOLS, Protocol, judged


def record(store: Path, protocol: Protocol, home: Path, monkeypatch: pytest.MonkeyPatch, *, without: int | None = None) -> Recorder:
    """What the protocol does to the files of a copy of the store."""
    shutil.copytree(store, home)
    recorder = Recorder(home, without)
    with monkeypatch.context() as patch:
        patch.setattr(durable, "fs", recorder)
        patch.setattr(durable, "step", recorder.step)
        patch.setattr(log_module, "BULK_ROWS", 4)
        with Log.open(home) as log:
            protocol(log)
    shutil.rmtree(home)
    return recorder


def cuts(store: Path, recorder: Recorder, target: Path) -> Iterator[str | None]:
    """Cut the power after each of the recorded operations: for each state of the disk what is wrong with it, or None."""
    disk, rng = Disk(store), random.Random(1)
    for number, op in enumerate(recorder.ops):
        disk.apply(op)
        for write in disk.states(rng):
            write(target)
            trouble = judged(target)
            shutil.rmtree(target)
            yield trouble and f"after {number} {op[:3]}: {trouble}"


@pytest.mark.parametrize("name", PROTOCOLS)
def test_no_power_cut_loses_or_doubles_anything(name: str, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the disk holds after a cut, opening the store gives exactly what was committed, in whole segments."""
    recorder = record(store, PROTOCOLS[name], tmp_path / "run", monkeypatch)

    found = list(cuts(store, recorder, tmp_path / "cut"))

    assert len(found) > 20
    assert [trouble for trouble in found if trouble] == []


@pytest.mark.parametrize("name", PROTOCOLS)
def test_each_fsync_is_needed(name: str, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any one of its fsyncs the protocol does lose something: the enumerator notices, and none is there for show.

    Two are exempt. `log.head` is a hint, and losing it costs one look at the log. The exchange of a compaction is one change in this model,
    as in the file systems that it is used on; where its halves may last apart, the fsync of `staging` keeps the new leaf from going with
    the old.
    """
    syncs = record(store, PROTOCOLS[name], tmp_path / "run", monkeypatch).syncs
    exempt = ("log.head", "fsync_dir staging after fsync_dir events")
    due = [number for number, sync in enumerate(syncs) if not any(one in sync for one in exempt)]
    useless = []
    for number in due:
        mutant = record(store, PROTOCOLS[name], tmp_path / "run", monkeypatch, without=number)
        if not any(cuts(store, mutant, tmp_path / "cut")):
            useless.append(mutant.syncs[number])

    assert due
    assert useless == []
