"""Two accounts of the same calls: which of them counts, by profile and day, in every way of counting."""

from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from pipeline.batch import Batch
from pipeline.log import Log
from pipeline.profiles import Profile, Rule, Rules
from pipeline.sources import Cursor, Reading, Source
from tests.views.stores import event, terms
from views import shelf
from views.attribution import Attribution
from views.catalog import VIEWS
from views.materialize import refresh
from views.pricing.book import Book
from views.recount import Prices, recount, touched

ROOT = "/home/u/.codex"
BEFORE, LAST, FIRST, AFTER = (
    datetime(2026, 5, 1, 12, tzinfo=UTC),
    datetime(2026, 5, 9, 23, 59, 59, tzinfo=UTC),
    datetime(2026, 5, 10, tzinfo=UTC),
    datetime(2026, 5, 11, 12, tzinfo=UTC),
)
RULES = Rules(profiles=(Profile(name="work"), Profile(name="home")), rules=(Rule(profile="work", root=ROOT),))


@pytest.fixture
def home(tmp_path: Path) -> str:
    """A store in which profile `work` logged and captured at four times: bits of the input tell which calls were counted."""
    home = tmp_path / "home"
    with Log.open(home) as log:
        batch = Batch()
        sources = log.register(
            [Source(path="/l", agent="codex", root=ROOT), Source(path="capture", agent="capture", root="", kind="capture")]
        )
        for bit, at in enumerate((BEFORE, LAST, FIRST, AFTER)):
            for agent in ("codex", "claude"):
                logged = event(f"l{agent}{bit}", at=at, agent=agent, input=1 << bit)
                seen = event(f"c{agent}{bit}", at=at, agent=agent, input=16 << bit, profile="work")
                batch.add([logged], root=ROOT, source=sources["/l"], offset=0, length=1)
                batch.add([seen], root=None, source=sources["capture"], offset=0, length=1, origin="capture")
        readings = [Reading(source_id=number, before=None, after=Cursor(offset=1)) for number in sources.values()]
        log.commit(batch, readings, ingested_at_us=0)
    return str(home)


def sums(home: str, rules: Rules, zone: str = "UTC") -> tuple[dict[str, int], dict[str, int]]:
    """Input by agent, as the snapshot counts it and as the views hold it."""
    with Log.open(home) as log:
        days = recount(log, zone, touched(zone, log.days()), attribution=Attribution(rules), prices=Prices(Book(b""), mode="auto"))
        counted: dict[str, int] = {}
        for day in days.values():
            for (_, agent, *_), numbers in day.cells.items():
                counted[str(agent)] = counted.get(str(agent), 0) + numbers[1]
        views = str(Path(home) / "views")
        refresh(views, log, terms(rules=rules, stamp=repr(rules)))
        (calls,) = (known for known in VIEWS if known.name == "calls")
        frame = shelf.scan(shelf.files(views, calls), calls).group_by(pl.col("agent").cast(pl.String)).agg(pl.col("input").sum()).collect()
    return counted, dict(frame.rows())


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Auckland", "America/Los_Angeles"])
@pytest.mark.parametrize(
    ("since", "expected"),
    [
        # Bits 0 to 3 are what was logged, 4 to 7 what was captured; the later two of each lie on or after May 10.
        (None, 0b0000_1111),
        (date(2026, 5, 10), 0b1100_0011),
        (date(2026, 1, 1), 0b1111_0000),
        (date(2027, 1, 1), 0b0000_1111),
    ],
)
def test_one_account_counts_from_its_day_on(home: str, since: date | None, expected: int, zone: str) -> None:
    """Codex's log counts up to the day before, captured calls from that UTC day on, in the snapshot as in the views; Claude's all count."""
    rules = RULES.count_from("work", since)

    assert sums(home, rules, zone) == ({"codex": expected, "claude": 0xFF}, {"codex": expected, "claude": 0xFF})


def test_another_profiles_setting_changes_nothing(home: str) -> None:
    """The setting is the profile's own, and can be taken back."""
    rules = RULES.count_from("home", date(2026, 1, 1))

    assert sums(home, rules)[0]["codex"] == 0b0000_1111
    assert rules.count_from("home", None).find("home").captured_from is None


def test_the_evidence_stays_in_the_log(home: str) -> None:
    """Whatever counts, all rows are there: another setting finds them."""
    assert sums(home, RULES)[1]["codex"] == 0b0000_1111
    assert sums(home, RULES.count_from("work", date(2026, 1, 1)))[1]["codex"] == 0b1111_0000
    assert sums(home, RULES)[1]["codex"] == 0b0000_1111
