"""What the doctor is told of journal and log, and what a repair makes of it."""

import os
import sqlite3
from pathlib import Path

import pytest

from pipeline.check import check, repair
from pipeline.log import Log
from pipeline.record import DAY_US
from tests.pipeline.sightings import NOON, Feed, Sighting, known
from tests.pipeline.test_log import every_row, sums

SIGHTINGS = (Sighting(key="a"), Sighting(key="b", at_us=NOON + DAY_US))


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Two sealed dates and a hot row."""
    with Log.open(tmp_path / "store") as log:
        feed = Feed(log)
        feed.commit(*SIGHTINGS)
        log.seal()
        feed.commit(Sighting(key="c"))
    return tmp_path / "store"


def codes(store: Path, *, deep: bool = False) -> list[tuple[str, str]]:
    with Log.open(store) as log:
        return [(one.level, one.code) for one in check(log, deep=deep)]


def first_segment(store: Path) -> str:
    with Log.open(store) as log:
        return log.segments()[0].path


def test_whole_store_has_no_findings(store: Path) -> None:
    """Nothing is reported of a store that is as it was written."""
    assert codes(store, deep=True) == []


def test_flipped_bit_is_found_by_the_deep_check(store: Path) -> None:
    """One changed bit inside a segment is damage; engines alone would read on."""
    path = first_segment(store)
    content = bytearray(Path(path).read_bytes())
    content[len(content) // 3] ^= 4
    Path(path).write_bytes(content)

    assert codes(store) == []
    assert codes(store, deep=True) == [("damage", "segment_changed")]


def test_missing_and_truncated_segments_are_damage(store: Path) -> None:
    """A segment that is gone or of another size is found without reading it."""
    path = first_segment(store)
    os.truncate(path, 50)
    assert codes(store) == [("damage", "segment_changed")]
    os.unlink(path)
    assert codes(store) == [("damage", "segment_missing")]


def test_stray_files_and_open_modes_are_warnings(store: Path) -> None:
    """A file under events/ that is no segment, and anything that others may read, is worth a warning."""
    stray = store / "events" / "notes.txt"
    stray.write_text("x")
    stray.chmod(0o644)

    assert codes(store) == [("warning", "open_to_others"), ("warning", "stray_file")]


def test_modes_in_an_agents_home_are_the_agents_own(store: Path) -> None:
    """A profile's home that is open is worth a warning; what its agent keeps in it is not, since nobody else gets there."""
    home = store / "homes" / "work"
    home.mkdir(mode=0o700, parents=True)
    home.parent.chmod(0o700)
    (home / "snapshot").mkdir(mode=0o755)
    (home / "snapshot" / "file").touch(mode=0o644)
    assert codes(store) == []

    home.chmod(0o755)
    assert codes(store) == [("warning", "open_to_others")]


def test_sums_that_differ_are_damage(store: Path) -> None:
    """Calls that do not add up to the rows are damage."""
    connection = sqlite3.connect(store / "journal.db")
    connection.execute("UPDATE calls SET output = output + 1")
    connection.commit()
    connection.close()

    assert codes(store) == [("damage", "sums_differ")]


@pytest.mark.parametrize("damage", ["flip", "truncate", "remove", "journal", "calls"])
def test_repair_makes_it_whole(store: Path, damage: str) -> None:
    """After a repair nothing is damaged; what was lost comes back from its source, and nothing is counted twice."""
    path = first_segment(store)
    if damage == "flip":
        content = bytearray(Path(path).read_bytes())
        content[len(content) // 3] ^= 4
        Path(path).write_bytes(content)
    elif damage == "truncate":
        os.truncate(path, 50)
    elif damage == "remove":
        os.unlink(path)
    elif damage == "calls":
        connection = sqlite3.connect(store / "journal.db")
        connection.execute("UPDATE calls SET output = output + 1")
        connection.commit()
        connection.close()
    else:
        (store / "journal.db").write_bytes(b"nothing" * 1000)

    repair(str(store))

    assert [code for level, code in codes(store, deep=True) if level == "damage"] == []
    with Log.open(store) as log:
        Feed(log).commit(*SIGHTINGS, Sighting(key="c"))
        assert len(known(log)) == 3
        assert sums(every_row(log)) == {("requests",): 3, ("input",): 30, ("output",): 15}
    assert [code for level, code in codes(store, deep=True) if level == "damage"] == []
