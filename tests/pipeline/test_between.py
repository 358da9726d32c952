"""What a log that stays open knows of its journal, whoever writes in between."""

import sqlite3
from contextlib import closing
from datetime import date
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from pipeline.errors import Damaged
from pipeline.log import Log
from pipeline.record import DAY_US
from pipeline.sources import Cursor, Reading, SessionInfo, Source
from tests.pipeline.sightings import NOON, Sighting, batch, known, name

PATHS = ("/home/a/1.jsonl", "/home/a/2.jsonl")


def commit(log: Log, path: str, *sightings: Sighting, before: int | None = None) -> list[int]:
    """Commit sightings of a source from where the journal says that it stands, or from `before`; the sources that were stale."""
    (stored,) = log.sources([path])
    stands = stored.cursor if before is None else Cursor(offset=before)
    after = Cursor(offset=1 + (stands.offset if stands is not None else 0))
    reading = Reading(source_id=stored.id, before=stands, after=after)
    given = [msgspec.structs.replace(one, source=stored.id) for one in sightings]
    return log.commit(batch(*given), [reading], ingested_at_us=NOON).stale


def opened(store: Path) -> Log:
    log = Log.open(store)
    log.register([Source(path=path, agent="a", root="/home/a") for path in PATHS])
    return log


def journal_of(store: Path) -> dict[str, list[tuple[object, ...]]]:
    """All that commits write, without what is random in each store."""
    with closing(sqlite3.connect(store / "journal.db")) as journal:
        tables = {
            "sources": "SELECT id, path, cursor, counts, seen FROM sources ORDER BY id",
            "calls": "SELECT * FROM calls ORDER BY id",
            "dims": "SELECT * FROM dims ORDER BY id",
            "hot": "SELECT * FROM hot ORDER BY seq",
            "meta": "SELECT name, value FROM meta WHERE name IN ('seq', 'requests') ORDER BY name",
        }
        return {name: journal.execute(query).fetchall() for name, query in tables.items()}


# Who does it (the log that stays open, or another one) and what: a sighting of a call with an output, on a day, in one of two sources;
# or what else is written to a journal.
SIGHTINGS = st.tuples(
    st.sampled_from(["open", "other"]),
    st.builds(
        lambda key, output, model, day: Sighting(key=key, output=output, rank=output, model=model, at_us=NOON + day * DAY_US),
        st.sampled_from("abcdef"),
        st.integers(1, 3),
        st.sampled_from(["m", "n"]),
        st.integers(0, 1),
    ),
    st.sampled_from(PATHS),
)
OTHERS = st.tuples(st.sampled_from(["open", "other"]), st.sampled_from(["seal", "rebuild", "compact", "register", "fail"]), st.just(""))


def rebuilds(story: list[tuple[str, Sighting | str, str]]) -> int:
    """How often calls are numbered anew. A second time there may be segments of two epochs, whose names, and so their order, are random."""
    return sum(what == "rebuild" for _, what, _ in story)


def done(log: Log, what: Sighting | str, path: str, number: int) -> None:
    if isinstance(what, Sighting):
        assert commit(log, path, what) == []
    elif what == "seal":
        log.seal()
    elif what == "rebuild":
        log.rebuild()
    elif what == "compact":
        log.compact(date(2030, 1, 1))
    elif what == "register":
        log.register([Source(path=f"/home/a/more-{number}.jsonl", agent="a", root="/home/a")])
    else:
        failing(log)


def failing(log: Log) -> None:
    """A commit that the journal refuses when nearly all of it is written."""
    (stored,) = log.sources([PATHS[0]])
    sighting = Sighting(key="x", model="never", source=stored.id)
    reading = Reading(source_id=stored.id, before=stored.cursor, after=Cursor(offset=99))
    reading.sessions = [SessionInfo(agent=None, session="s")]  # type: ignore[arg-type]
    with pytest.raises(Damaged):
        log.commit(batch(sighting), [reading], ingested_at_us=NOON)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(story=st.lists(st.one_of(SIGHTINGS, SIGHTINGS, OTHERS), min_size=3, max_size=14))
def test_who_stays_open_writes_what_one_writes_who_has_just_opened(
    tmp_path_factory: pytest.TempPathFactory, story: list[tuple[str, Sighting | str, str]]
) -> None:
    """Whatever it remembers of the journal, and whoever commits, seals, compacts, rebuilds or fails meanwhile: row for row the same."""
    assume(rebuilds(story) <= 1)
    folder = tmp_path_factory.mktemp("between")
    with opened(folder / "stays") as stays, opened(folder / "stays") as other:
        for number, (who, what, path) in enumerate(story):
            done(stays if who == "open" else other, what, path, number)
    for number, (_, what, path) in enumerate(story):
        with opened(folder / "anew") as log:
            done(log, what, path, number)

    assert journal_of(folder / "stays") == journal_of(folder / "anew")


def test_a_cursor_that_another_process_has_moved_is_stale(tmp_path: Path) -> None:
    """A reading that begins where the open log left a source is not taken once another one has read on."""
    with opened(tmp_path / "store") as log, opened(tmp_path / "store") as other:
        assert commit(log, PATHS[0], Sighting(key="a")) == []
        assert commit(other, PATHS[0], Sighting(key="b")) == []

        assert commit(log, PATHS[0], Sighting(key="c"), before=1) != []
        assert [row[0] for row in known(log)] == [name("a"), name("b")]


@pytest.mark.parametrize("by", ["the open log", "another process"])
def test_a_cursor_that_a_rebuild_has_set_back_is_stale(tmp_path: Path, by: str) -> None:
    """After a rebuild every source is read again: a reading that goes on where the open log left one is not taken."""
    with opened(tmp_path / "store") as log, opened(tmp_path / "store") as other:
        assert commit(log, PATHS[0], Sighting(key="a")) == []
        (log if by == "the open log" else other).rebuild()

        assert commit(log, PATHS[0], Sighting(key="c"), before=1) != []


def test_what_a_failed_commit_would_have_left_is_forgotten(tmp_path: Path) -> None:
    """Neither the cursor nor the dimensions of a commit that was undone are there for the next one."""
    with opened(tmp_path / "store") as log:
        assert commit(log, PATHS[0], Sighting(key="a")) == []
        failing(log)

        assert commit(log, PATHS[0], Sighting(key="x", model="never"), before=1) == []
        assert [log.dims([call.dim])[call.dim].model for call in log.calls(0, 40_000)] == ["m", "never"]
