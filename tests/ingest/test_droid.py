"""How Droid's running totals become calls, beyond the cases of `data-fixtures/droid`: growth, copies, orders of import, torn files."""

import itertools
import json
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.adapter import Place
from ingest.adapters.droid import ADAPTER
from ingest.reader import Manner
from ingest.run import Summary, refresh
from pipeline.events import UsageEvent
from pipeline.log import Log
from tests.contracts.model import COUNTERS, calls_of
from tests.ingest.sightings import batch_of, encoded, usage

REAL = Path(__file__).parents[2] / ".." / "shared" / "fixtures" / "real" / "droid"
recorded = pytest.mark.skipif(not REAL.is_dir(), reason="the recorded files are not here")

PATH = "sessions/-w/d-1.settings.json"
DAYS = (0, 40_000)
AT = "2026-09-01T09:00:00Z"


def settings(input: int, output: int, at: str | None = AT, model: str = "claude-opus-4-8", **counters: int) -> bytes:
    total = {"inputTokens": input, "outputTokens": output, **counters}
    return encoded({"model": model, "providerLock": "anthropic", "providerLockTimestamp": at, "tokenUsage": total})


def look(log: Log, home: Path, *, now_ns: int = 4 * 10**18) -> Summary:
    return refresh(log, [ADAPTER], {}, "/nowhere", Manner(now_ns=now_ns), further={"droid": [str(home)]})


def sums(log: Log) -> list[tuple[int, ...]]:
    """The log's calls: requests and token classes of each."""
    return sorted((1, *(getattr(call, name) for name in COUNTERS)) for call in log.calls(*DAYS))


def test_a_growing_total_is_one_call_that_grows(tmp_path: Path) -> None:
    """Looked at after each write, at some of them, or only at the end: the session has used what its last total says."""
    totals = [(100, 5), (100, 5), (250, 5), (250, 40), (900, 90)]
    for number, seen in enumerate(((0, 1, 2, 3, 4), (1, 4), (4,))):
        home = tmp_path / f"home{number}"
        path = home / PATH
        path.parent.mkdir(parents=True)
        with Log.open(tmp_path / f"store{number}") as log:
            for nth, total in enumerate(totals):
                path.write_bytes(settings(*total))
                os.utime(path, ns=(10**18 + nth, 10**18 + nth))
                if nth in seen:
                    look(log, home)
            assert sums(log) == [(1, 900, 90, 0, 0, 0)]
            log.rebuild()
            again = look(log, home)
            assert (again.new, sums(log)) == (0, [(1, 900, 90, 0, 0, 0)])


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=5),
    st.randoms(use_true_random=False),
)
def test_versions_in_any_order_end_in_the_greatest(totals: list[tuple[int, int, int]], random: object) -> None:
    """Whatever versions of a session's total are read, in whichever order and how often: one call, the one of the greatest sum."""
    events = [event for input, output, read in totals for event in usage(ADAPTER, PATH, [settings(input, output, cacheReadTokens=read)])]
    shuffled = [*events, *events]
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    found = calls_of([batch_of([event], number) for number, event in enumerate(shuffled, 1)])

    assert [sum(call[name] for name in COUNTERS) for call in found] == [max(map(sum, totals))] * (max(map(sum, totals)) > 0)
    assert found == calls_of([batch_of([event], number) for number, event in enumerate(events, 1)])


def test_equal_totals_are_dated_by_the_earlier_start() -> None:
    """A session began to call once: of two files that say the same of it the one that knows an earlier time dates it."""
    early, late = (usage(ADAPTER, PATH, [settings(100, 5, at)])[0] for at in ("2026-09-01T09:00:00Z", "2026-09-02T09:00:00Z"))

    for number, order in enumerate(([early, late], [late, early])):
        (call,) = calls_of([batch_of(order, number)])
        assert call["day"] == "2026-09-01"


def test_a_total_that_fell_adds_nothing(tmp_path: Path) -> None:
    """An older copy that is put back, or written late, is no new usage; what then goes beyond the greatest total is."""
    path = tmp_path / "home" / PATH
    path.parent.mkdir(parents=True)
    held = []
    with Log.open(tmp_path / "store") as log:
        for nth, total in enumerate(((500, 50), (300, 30), (0, 0), (400, 40), (600, 60))):
            path.write_bytes(settings(*total))
            os.utime(path, ns=(10**18 + nth, 10**18 + nth))
            look(log, tmp_path / "home")
            held.append(sums(log))

    assert held == [[(1, 500, 50, 0, 0, 0)]] * 4 + [[(1, 600, 60, 0, 0, 0)]]


def test_a_half_written_total_waits(tmp_path: Path) -> None:
    """Cut off while it is written anew it is neither believed nor blamed; once it has been quiet for long it is in quarantine."""
    path = tmp_path / "home" / PATH
    path.parent.mkdir(parents=True)
    with Log.open(tmp_path / "store") as log:
        path.write_bytes(settings(700, 70))
        look(log, tmp_path / "home")
        path.write_bytes(settings(800, 80)[:-2])
        written_ns = path.stat().st_mtime_ns
        look(log, tmp_path / "home", now_ns=written_ns + 1)
        assert (sums(log), log.quarantine()) == ([(1, 700, 70, 0, 0, 0)], [])
        look(log, tmp_path / "home", now_ns=written_ns + 60 * 10**9)
        assert [each.record.reason for each in log.quarantine()] == ["unreadable"]
        path.write_bytes(settings(800, 80))
        look(log, tmp_path / "home")

        assert sums(log) == [(1, 800, 80, 0, 0, 0)]


def test_a_session_moved_into_another_folder_is_the_same(tmp_path: Path) -> None:
    """Droid keeps sessions in a folder for each working directory, and older ones did not."""
    home = tmp_path / "home"
    (home / "sessions").mkdir(parents=True)
    (home / "sessions/d-1.settings.json").write_bytes(settings(10, 1))
    with Log.open(tmp_path / "store") as log:
        assert look(log, home).new == 1
        (home / "sessions/-w").mkdir()
        shutil.move(home / "sessions/d-1.settings.json", home / PATH)
        assert look(log, home).new == 0
        assert sums(log) == [(1, 10, 1, 0, 0, 0)]


@recorded
def test_a_recorded_transcript_says_where_and_when() -> None:
    """It holds no counters of its own; beside a total it names folder, version and title, and its first time dates what has no other."""
    transcript = (REAL / "agent-sessions/session_store_small.jsonl").read_bytes()
    place = Place(path="sessions/droid_s1.settings.json", root="/f", beside=transcript)

    _, (call,) = ADAPTER.step(ADAPTER.start(place), settings(5, 1, at=None))
    (about,) = ADAPTER.sessions(place, settings(5, 1), b"")

    assert isinstance(call, UsageEvent)
    assert (call.project, call.agent_version, call.at) == ("/tmp", "0.81.0", datetime(2025, 12, 26, 23, 50, tzinfo=UTC))
    assert (about.session, about.title) == ("droid_s1", "Stage0 Droid Small")


def test_the_total_with_children_is_never_read() -> None:
    """A session that knows only the sum with its children has no total of its own."""
    assert usage(ADAPTER, PATH, [encoded({"model": "m", "providerLockTimestamp": AT, "inclusiveTokenUsage": {"inputTokens": 5}})]) == []


def test_every_way_to_write_a_model_of_ones_own() -> None:
    """The prefix, the provider in brackets and the number go; what is left is the model, and what stood there is kept."""
    for written, model in (("custom:GLM-5-[Z.AI]-12", "GLM-5"), ("custom:a", "a"), ("custom:", "custom:"), ("gpt-5.5", "gpt-5.5")):
        (event,) = usage(ADAPTER, PATH, [settings(1, 1, model=written)])
        assert event.model == model
        assert event.extra == ({} if written == model else {"model_raw": written})


def test_the_greatest_total_counts_in_every_order_of_files(tmp_path: Path) -> None:
    """Three copies of a session committed in any order."""
    versions = [(100, 10), (300, 5), (200, 20)]
    for number, order in enumerate(itertools.permutations(versions)):
        home = tmp_path / str(number)
        with Log.open(home / "store") as log:
            for nth, total in enumerate(order):
                path = home / f"copy{nth}" / PATH
                path.parent.mkdir(parents=True)
                path.write_bytes(settings(*total))
                look(log, home / f"copy{nth}")
            assert sums(log) == [(1, 300, 5, 0, 0, 0)]


def test_json_of_any_kind_in_the_tags_names_no_parent() -> None:
    """Only a session that a tag names by its calling session has one."""
    kinds: tuple[object, ...] = (None, 5, ["x"], [{"metadata": 5}], [{"metadata": {"callingSessionId": 7}}], {"metadata": {}})
    for tags in kinds:
        document = {**json.loads(settings(1, 1)), "tags": tags}
        (event,) = usage(ADAPTER, PATH, [encoded(document)])
        assert (event.parent_session, event.initiator) == (None, "main")
