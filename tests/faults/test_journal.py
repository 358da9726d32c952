"""The journal is lost, or comes back from an older copy, while files grow and ingesters die: reading on ends where it would have ended."""

import random
import shutil
import sqlite3
import time
from pathlib import Path

import pytest

from pipeline.log import Log
from tests.faults.killing import Scene
from tests.sizes import times


def copied(scene: Scene, target: Path) -> None:
    """A good copy of the journal as it is now, as a backup program makes one."""
    with sqlite3.connect(scene.home / "journal.db", timeout=90) as journal, sqlite3.connect(target) as copy:
        journal.backup(copy)
    target.chmod(0o600)


def lose(scene: Scene) -> None:
    for file in scene.home.glob("journal.db*"):
        file.unlink()


@pytest.mark.parametrize("fate", ["lost", "restored"])
def test_without_its_journal_the_store_goes_on(fate: str, tmp_path: Path) -> None:
    """After a kill the journal is gone, or an older one is there: once the sources are read again everything is there, once."""
    rng = random.Random(fate)
    for number in range(times(8)):
        scene = Scene(tmp_path / str(number), seed=number)
        scene.write()
        assert scene.ingester().wait() == 0
        scene.write(files=3)
        racers = [scene.ingester() for _ in range(2)]
        copied(scene, tmp_path / "copy")
        time.sleep(rng.uniform(0.1, 0.8))
        for racer in racers:
            racer.kill()
            racer.wait()
        lose(scene)
        if fate == "restored":
            shutil.move(tmp_path / "copy", scene.home / "journal.db")
        scene.write(files=2)
        assert scene.ingester().wait() == 0
        scene.judge(complete=True)
        assert scene.ingester().wait() == 0
        scene.judge(complete=True)


def test_a_journal_of_garbage_is_laid_aside(tmp_path: Path) -> None:
    """Any page of the journal may be overwritten: the store opens, or says what mends it, and never counts wrongly."""
    scene = Scene(tmp_path, seed=1)
    scene.write()
    assert scene.ingester().wait() == 0
    with Log.open(scene.home) as log:
        log.seal()
    size = (scene.home / "journal.db").stat().st_size
    (scene.home / "journal.db").write_bytes(b"\x00garbage" * (size // 8))
    for name in ("journal.db-wal", "journal.db-shm"):
        (scene.home / name).unlink(missing_ok=True)

    assert scene.ingester().wait() == 0
    scene.judge(complete=True)
