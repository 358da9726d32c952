"""Which days of the log hold calls, and which of them changed."""

from pathlib import Path

from pipeline.log import Log
from pipeline.questions import Position
from pipeline.record import DAY_US
from tests.pipeline.sightings import DAY, NOON, Feed, Sighting


def test_days_are_those_with_a_call(tmp_path: Path) -> None:
    """Each UTC day with a call is there once, whatever lies between them; an empty log has none."""
    with Log.open(tmp_path / "store") as log:
        assert log.days() == []
        feed = Feed(log)
        feed.commit(*(Sighting(key=f"k{n}", at_us=NOON + n * DAY_US) for n in (0, 3, 3, -30_000)), Sighting(key="same", at_us=NOON + 1))

        assert log.days() == [DAY - 30_000, DAY, DAY + 3]


def test_changed_days_are_those_with_later_rows(tmp_path: Path) -> None:
    """Days that got rows after a position are told, sealed or not; another epoch knows nothing."""
    with Log.open(tmp_path / "store") as log:
        feed = Feed(log)
        feed.commit(Sighting(key="a"))
        before = log.position()
        assert log.changed_days(before) == set()
        feed.commit(Sighting(key="b", at_us=NOON + 2 * DAY_US))

        assert log.changed_days(before) == {DAY + 2}
        log.seal()
        assert log.changed_days(before) == {DAY + 2}
        assert log.changed_days(Position("other", 1)) is None
