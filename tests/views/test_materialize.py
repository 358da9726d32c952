"""When views are made again, and that they are the same however they came about."""

import os
import shutil
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import msgspec
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import durable, keys
from pipeline.errors import Damaged
from pipeline.events import UsageEvent
from pipeline.log import Log
from pipeline.placement import SegmentInfo
from tests.sizes import times
from tests.views.stores import START, TWICE, WORK, commit, days_later, event, terms
from views import shelf
from views.catalog import VIEWS, Frames
from views.columns import TOKENS
from views.materialize import Made, asked, current, read, refresh


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    """An empty log."""
    with Log.open(tmp_path / "home") as opened:
        yield opened


def views_of(log: Log) -> str:
    return os.path.join(log.home, "views")


def rows(views: str, name: str) -> pl.DataFrame:
    """All rows of one view, in an order of their own."""
    (wanted,) = (known for known in VIEWS if known.name == name)
    frame = shelf.scan(shelf.files(views, wanted), wanted).collect()
    return frame.sort(frame.columns[:8], nulls_last=True)


def everything(views: str) -> dict[str, pl.DataFrame]:
    return {known.name: rows(views, known.name) for known in VIEWS}


def same(one: dict[str, pl.DataFrame], other: dict[str, pl.DataFrame]) -> bool:
    return all(one[name].equals(other[name]) for name in one)


def test_empty_log_has_empty_views(log: Log) -> None:
    """Views of a log without rows exist and hold nothing."""
    assert refresh(views_of(log), log, terms()) == Made(0, 0, whole=True)
    assert [frame.height for frame in everything(views_of(log)).values()] == [0] * len(VIEWS)


def test_hot_and_sealed_rows_are_in_the_views(log: Log) -> None:
    """Views hold rows that no segment holds yet as well as sealed ones, and each once."""
    commit(log, event("a", input=1_000_000))
    log.seal()
    commit(log, event("b", output=10))
    refresh(views_of(log), log, terms())

    assert rows(views_of(log), "by_day").select("requests", "input", "output", "cost_usd").rows() == [
        (2, 1_000_000, 10, Decimal("3.00015"))
    ]


def test_sealing_changes_nothing(log: Log) -> None:
    """A row that moves from the journal into a segment leaves the views as they are."""
    commit(log, event("a"))
    refresh(views_of(log), log, terms())
    log.seal()

    assert refresh(views_of(log), log, terms()) == Made(0, 0, whole=False)


def test_corrections_of_sealed_calls(log: Log) -> None:
    """A better record of a sealed call counts, whether it is sealed or not, and where it moves the call to a date of single rows."""
    commit(log, event("a", output=5), event("b", output=5), event("c", output=5, at=days_later(1)))
    log.seal()
    commit(log, event("a", output=9))
    told = []
    for record in (event("b", output=7, at=days_later(1)), None):
        refresh(views_of(log), log, terms(), full=True)
        told.append(rows(views_of(log), "calls").select(pl.col("at").dt.day(), "output").sort("at", "output").rows())
        if record is not None:
            log.seal()
            commit(log, record)
            log.seal()

    assert told == [[(1, 5), (1, 9), (2, 5)], [(1, 9), (2, 5), (2, 7)]]


def test_only_changed_dates_are_made_again(log: Log) -> None:
    """After a commit the dates that got rows are made again; the files of other dates stay."""
    commit(log, event("a"), event("b", at=days_later(1)))
    refresh(views_of(log), log, terms())
    before = {path: os.stat(path).st_ino for path in shelf.files(views_of(log), VIEWS[0])}
    commit(log, event("c", at=days_later(1)))

    assert refresh(views_of(log), log, terms()) == Made(1, 2, whole=False)
    after = {path: os.stat(path).st_ino for path in shelf.files(views_of(log), VIEWS[0])}
    assert [path in after for path in sorted(before)] == [True, False]


def test_changed_rules_change_history(log: Log) -> None:
    """Another stamp of the terms makes all views anew, so that a new rule or price holds for the past."""
    commit(log, event("a", input=1_000_000))
    refresh(views_of(log), log, terms())

    assert refresh(views_of(log), log, terms(rules=WORK, book=TWICE, stamp="2")).whole
    assert rows(views_of(log), "by_profile").select("profile", "cost_usd").rows() == [("work", Decimal(6))]


def test_another_zone_makes_other_days(log: Log) -> None:
    """The zone decides the days of `by_day`; the calls are not made again for it."""
    commit(log, event("a", at=START.replace(hour=22)))
    refresh(views_of(log), log, terms())

    assert refresh(views_of(log), log, terms(zone="Europe/Berlin")) == Made(0, 0, whole=False)
    assert rows(views_of(log), "by_day")["day"].to_list() == [START.date().replace(day=2)]


@pytest.mark.parametrize("gone", ["calls/date=2026-05-01", "calls", "sessions", "cube", "by_model", "by_session", ""])
def test_deleted_views_come_back(log: Log, gone: str) -> None:
    """Whatever is deleted under `views/` is there again after the next refresh, with the same rows; for a sum no call is made again."""
    commit(log, event("a", input=5), event("b", at=days_later(1), model="other"))
    refresh(views_of(log), log, terms())
    before = everything(views_of(log))
    shutil.rmtree(os.path.join(views_of(log), gone))
    made = refresh(views_of(log), log, terms())

    assert same(everything(views_of(log)), before)
    assert made.dates == {"calls/date=2026-05-01": 1, "sessions": 0, "cube": 0, "by_model": 0}.get(gone, 2)


def test_files_say_what_they_were_made_from(log: Log) -> None:
    """Every file names its view, the schema's version, the log's position and the terms; nothing but whole files lies in the folders."""
    commit(log, event("a"))
    refresh(views_of(log), log, terms())

    for known in VIEWS:
        (path,) = shelf.files(views_of(log), known)
        about = pl.read_parquet_metadata(path)
        assert (about["ringlet.view"], about["ringlet.version"], about["ringlet.seq"]) == (known.name, "2", "1")
        assert os.stat(path).st_mode & 0o777 == 0o600
    assert not os.path.exists(os.path.join(views_of(log), ".staging"))


def test_old_version_is_made_anew(log: Log) -> None:
    """Views of another schema version are replaced, not read."""
    commit(log, event("a"))
    refresh(views_of(log), log, terms())
    (path,) = shelf.files(views_of(log), VIEWS[-1])
    about = {**pl.read_parquet_metadata(path), "ringlet.version": "0"}
    pl.read_parquet(path).write_parquet(path, metadata={name: value for name, value in about.items() if name.startswith("ringlet.")})

    assert refresh(views_of(log), log, terms()).whole


def test_reading_while_another_writes(log: Log) -> None:
    """While another process holds the views, what is out of date is made in memory and nothing is written."""
    commit(log, event("a", input=1), event("b", at=days_later(1), input=2))
    refresh(views_of(log), log, terms())
    commit(log, event("c", at=days_later(1), input=4))
    with durable.lock(os.path.join(views_of(log), shelf.LOCK)):
        frames = current(views_of(log), log, terms())

    assert [frame.select(pl.col("input").sum()).collect().item() for frame in frames] == [7, 7, 7]
    assert rows(views_of(log), "calls").height == 2


def test_question_is_put_again_when_files_change(log: Log) -> None:
    """A question whose files another process replaces meanwhile is put again to the new ones."""
    commit(log, event("a", input=1))
    tries = []

    def question(frames: Frames) -> int:
        tries.append(1)
        if len(tries) == 1:
            refresh(views_of(log), log, terms(), full=True)
        return int(frames.cube.select("input").sum().collect().item())

    assert (asked(views_of(log), log, terms(), question), len(tries)) == (1, 2)


class Compacted:
    """A log of which a file is replaced between the first look at it and the reading."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self.looks = 0

    def segments(self) -> list[SegmentInfo]:
        self.looks += 1
        found = self._log.segments()
        return [msgspec.structs.replace(one, path=f"{one.path}.old") for one in found] if self.looks == 1 else found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)


def test_compaction_meanwhile_is_looked_at_again(log: Log) -> None:
    """Where a file of the log has gone since it was looked up, the log is looked at again, and nothing half made is published."""
    commit(log, event("a", input=1), event("b", at=days_later(40), input=2))
    log.seal()
    compacted = Compacted(log)

    assert refresh(views_of(log), cast(Log, compacted), terms()).calls == 2
    assert (compacted.looks, rows(views_of(log), "by_day")["input"].to_list()) == (2, [1, 2])


def test_damaged_segment_is_named(log: Log) -> None:
    """A flipped bit in a segment is an error that names the file and the repair, never a wrong sum."""
    commit(log, *(event(str(number), input=number) for number in range(50)))
    (segment,) = log.seal()
    content = bytearray(Path(segment.path).read_bytes())
    content[200] ^= 1
    Path(segment.path).chmod(0o600)
    Path(segment.path).write_bytes(content)

    with pytest.raises(Damaged, match="doctor --repair"):
        refresh(views_of(log), log, terms())


def test_call_that_moves_to_another_date_leaves_the_old_one(log: Log) -> None:
    """When a better record dates a call anew, both dates are made again and the call stands on the new one alone."""
    commit(log, event("a", complete=False, output=1))
    refresh(views_of(log), log, terms())
    commit(log, event("a", at=days_later(1), output=9))

    assert refresh(views_of(log), log, terms()).dates == 2
    assert rows(views_of(log), "by_day").select("day", "output").rows() == [(days_later(1).date(), 9)]


def test_copied_machine_counts_once(log: Log, tmp_path: Path) -> None:
    """Another machine's segments beside one's own count, but a call that both hold counts once."""
    commit(log, event("a", input=1), event("b", input=2))
    log.seal()
    with Log.open(tmp_path / "other") as other:
        commit(other, event("b", input=2), event("c", input=4))
        other.seal()
        shutil.copytree(os.path.join(other.home, "events"), os.path.join(log.home, "events"), dirs_exist_ok=True)
    refresh(views_of(log), log, terms())

    assert rows(views_of(log), "by_model").select("requests", "input").rows() == [(3, 7)]
    assert refresh(views_of(log), log, terms()) == Made(0, 0, whole=False)


def test_a_copy_under_way_is_not_taken_for_damage(log: Log, tmp_path: Path) -> None:
    """Half a file of another machine is told with what helps there: no repair of this machine's makes it whole."""
    commit(log, event("a"))
    with Log.open(tmp_path / "other") as other:
        commit(other, event("b"))
        (segment,) = other.seal()
    copy = Path(log.home, "events", segment.name)
    copy.parent.mkdir(parents=True)
    copy.write_bytes(Path(segment.path).read_bytes()[:100])

    with pytest.raises(Damaged, match="from another machine: let its copying end, copy it again, or delete it"):
        refresh(views_of(log), log, terms())


def reply(message: str, request: str | None, *, at: datetime = START, sidechain: bool = False, **facts: Any) -> UsageEvent:
    """One sighting of a reply of the Anthropic API, known as that API names it."""
    made = event("", at=at, **facts)
    named = keys.anthropic(message, request, made.tokens, sidechain=sidechain)
    assert named is not None
    return msgspec.structs.replace(made, key=named[0], aliases=named[1], offers=named[2])


@pytest.mark.parametrize("later", [0, 40])
def test_a_call_that_machines_know_by_other_names_counts_once(log: Log, tmp_path: Path, later: int) -> None:
    """One machine saw m1 and m2 with their requests; the other m1 replayed by a sidechain under a new request, m2 without one, and m3
    under a request of its own, which is a call of its own: four calls."""
    commit(log, reply("m1", "r1", input=4, cache_write_1h=9, output=5), reply("m2", "r2", output=6), reply("m3", "r3", output=7))
    log.seal()
    with Log.open(tmp_path / "other") as other:
        at = days_later(later)
        replay = reply("m1", "r9", at=at, sidechain=True, input=4, cache_write_5m=9, output=5, depth=1, complete=False)
        commit(other, replay, reply("m2", None, at=at, output=2), reply("m3", "r4", at=at, output=8))
        other.seal()
        shutil.copytree(os.path.join(other.home, "events"), os.path.join(log.home, "events"), dirs_exist_ok=True)
    refresh(views_of(log), log, terms())

    assert rows(views_of(log), "by_model").select("requests", "output").rows() == [(4, 26)]
    assert sorted(rows(views_of(log), "calls")["output"]) == [5, 6, 7, 8]


SIGHTING = st.builds(
    lambda name, day, output, complete, depth, model: event(
        name, at=days_later(day), output=output, complete=complete, depth=depth, model=model, input=7, session=f"s{depth}"
    ),
    st.sampled_from("abcdef"),
    st.sampled_from([0, 0.01, 0.6, 1, 35]),
    st.integers(0, 3),
    st.booleans(),
    st.integers(0, 2),
    st.sampled_from(["claude-sonnet-4-5", "other"]),
)
STEP = st.one_of(st.lists(SIGHTING, min_size=1, max_size=4), st.just("seal"), st.just("refresh"))


@settings(max_examples=times(10), deadline=None)
@given(steps=st.lists(STEP, max_size=8))
def test_refreshed_equals_rebuilt(tmp_path_factory: pytest.TempPathFactory, steps: list[object]) -> None:
    """However commits, seals and refreshes follow one another: the views end in the rows of a rebuild, and their sums are the log's."""
    home = tmp_path_factory.mktemp("store") / "home"
    with Log.open(home) as log:
        for step in steps:
            if step == "seal":
                log.seal()
            elif step == "refresh":
                refresh(views_of(log), log, terms())
            elif isinstance(step, list):
                commit(log, *step)
        unwritten = sums(read(views_of(log), log, terms()))
        refresh(views_of(log), log, terms())
        refreshed = everything(views_of(log))
        refresh(str(home / "rebuilt"), log, terms(), full=True)

        assert same(refreshed, everything(str(home / "rebuilt")))
        assert unwritten == sums(Frames(*(refreshed[name].lazy() for name in ("calls", "sessions", "cube"))))
        known = list(log.calls(0, 2**20))
        assert refreshed["cube"].select("requests", *TOKENS).sum().row(0) == (
            len(known),
            *(sum(getattr(call, name) for call in known) for name in TOKENS),
        )
        assert refreshed["calls"].height == len(known)
        assert refreshed["calls"].select(TOKENS).sum().row(0) == refreshed["cube"].select(TOKENS).sum().row(0)
        for name in ("by_day", "by_hour", "by_model", "by_project", "by_session"):
            assert refreshed[name]["output"].sum() == refreshed["calls"]["output"].sum()
            assert refreshed[name]["cost_usd"].sum() == refreshed["calls"]["cost_usd"].sum()


def sums(frames: Frames) -> list[tuple[object, ...]]:
    return [frame.select("input", "output", "cost_usd").sum().collect().row(0) for frame in frames]
