"""Which sightings are left out because they tell nothing new."""

from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from pipeline import journal
from pipeline.log import Log
from pipeline.record import DAY_US
from pipeline.settled import unsettled
from tests.pipeline.sightings import NOON, Feed, Sighting, batch

# Two days of one source and one of another: runs of 300, 200 and 100 rows.
CALLS = [
    *(Sighting(key=f"a{n}.k", at_us=NOON + n) for n in range(300)),
    *(Sighting(key=f"b{n}.k", at_us=NOON + DAY_US + n) for n in range(200)),
    *(Sighting(key=f"c{n}.k", at_us=NOON + n, source=2, claims=(f"c{n}.p",)) for n in range(100)),
]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A store that knows all of `CALLS`."""
    with Log.open(tmp_path / "store") as log:
        Feed(log).commit(*CALLS)
    return tmp_path / "store"


def left(home: Path, *sightings: Sighting) -> list[int]:
    """The positions of the sightings that may tell something."""
    with closing(journal.connect(str(home / "journal.db"))) as connection:
        return unsettled(connection, batch(*sightings), range(len(sightings)))


def test_what_is_said_again_is_left_out(home: Path) -> None:
    """All calls once more tell nothing, whatever their order, with claims that are known."""
    assert (left(home, *CALLS), left(home, *reversed(CALLS)), left(home, *CALLS[::7])) == ([], [], [])


def test_a_new_call_among_known_ones_stays(home: Path) -> None:
    """A call that nobody knows stays, at the beginning of a run, inside it and at its end; its neighbours are left out."""
    new = [Sighting(key=f"n{n}.k", at_us=NOON + n) for n in range(3)]

    assert left(home, new[0], *CALLS[:150], new[1], *CALLS[150:300], new[2], *CALLS[300:]) == [0, 151, 302]


def test_what_a_known_call_lacks_stays(home: Path) -> None:
    """A better record, a better owner, a claim that is not known or is another call's, and any offer stay; a worse record does not."""
    changed = {
        3: msgspec.structs.replace(CALLS[3], rank=2),
        4: msgspec.structs.replace(CALLS[4], owner=0),
        5: msgspec.structs.replace(CALLS[5], claims=("a5.x",)),
        6: msgspec.structs.replace(CALLS[6], offers=("a6.x",)),
        7: msgspec.structs.replace(CALLS[7], claims=("c7.p",)),
        8: msgspec.structs.replace(CALLS[8], rank=0, owner=2),
    }

    assert left(home, *(changed.get(row, call) for row, call in enumerate(CALLS))) == [3, 4, 5, 6, 7]
