"""The log: what commits, seals and questions promise."""

import errno
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import durable, known_calls, segments, settled
from pipeline.errors import PartlyDone
from pipeline.log import Log
from pipeline.record import DAY_US
from pipeline.sources import Counts, Cursor, Quarantined, Reading, SessionInfo
from tests.pipeline.sightings import DAY, NOON, Feed, Sighting, batch, kept, known, name, same_calls
from tests.sizes import times

Story = tuple[list[Sighting], list[list[Sighting]]]
"""Sightings, and the same, some again, in the parts in which they are committed."""


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    with Log.open(tmp_path / "store") as opened:
        yield opened


def hot(log: Log) -> pa.Table:
    """The rows that no segment holds yet, of which there are some."""
    rows = log.hot_rows()
    assert rows is not None
    return rows


def queried(sql: str) -> list[Any]:
    """What DuckDB answers."""
    answer = duckdb.sql(sql)
    assert answer is not None
    return answer.fetchall()


def every_row(log: Log) -> pa.Table:
    parts = [segments.read(one.path) for one in log.segments()]
    hot = log.hot_rows()
    return pa.concat_tables([*parts, *([hot] if hot is not None else [])])


def sums(rows: pa.Table, *by: str) -> Counter[Any]:
    """Sums of requests, input and output by the columns `by`, without the groups that sum to nothing."""
    found: Counter[Any] = Counter()
    for row in rows.to_pylist():
        for column in ("requests", "input", "output"):
            found[(*(row[one] for one in by), column)] += row[column]
    return Counter({group: count for group, count in found.items() if count})


def test_first_sighting_is_a_call(log: Log) -> None:
    """A call that was never seen is one row of kind call with one request."""
    done = Feed(log).commit(Sighting(key="a"))

    row = hot(log).to_pylist()[0]
    assert (done.new, done.updated, done.duplicate, done.days, done.seq) == (1, 0, 0, {DAY}, 1)
    assert (row["kind"], row["requests"], row["input"], row["output"], row["key"]) == ("call", 1, 10, 5, name("a"))


def test_second_sighting_is_a_duplicate(log: Log) -> None:
    """The same record again adds no row."""
    feed = Feed(log)
    feed.commit(Sighting(key="a"))

    done = feed.commit(Sighting(key="a"))

    assert (done.new, done.updated, done.duplicate, done.seq) == (0, 0, 1, 1)


def test_better_record_is_a_difference(log: Log) -> None:
    """A better record with the same dimensions and date adds what it has more, and no request."""
    feed = Feed(log)
    feed.commit(Sighting(key="a", output=5))

    done = feed.commit(Sighting(key="a", rank=2, output=30))

    row = hot(log).to_pylist()[1]
    assert (done.new, done.updated, done.duplicate) == (0, 1, 0)
    assert (row["kind"], row["requests"], row["input"], row["output"]) == ("difference", 0, 0, 25)


def test_worse_record_changes_nothing(log: Log) -> None:
    """A record of smaller rank is a duplicate, whatever it says."""
    feed = Feed(log)
    feed.commit(Sighting(key="a", rank=2, output=30))

    assert feed.commit(Sighting(key="a", rank=1, output=99)).duplicate == 1
    assert [call.output for call in log.calls(DAY, DAY)] == [30]


def test_other_dimensions_retract(log: Log) -> None:
    """A better record with another model takes the old row back, on its dimensions, and adds a whole new one."""
    feed = Feed(log)
    feed.commit(Sighting(key="a", model="m", output=5))

    feed.commit(Sighting(key="a", rank=2, model="n", output=30))

    rows = [(row["kind"], row["model"], row["requests"], row["output"]) for row in hot(log).to_pylist()]
    assert rows == [("call", "m", 1, 5), ("retraction", "m", -1, -5), ("call", "n", 1, 30)]


def test_other_date_retracts_on_the_old_date(log: Log) -> None:
    """A better record on another UTC date moves the call there; the old date sums to nothing."""
    feed = Feed(log)
    feed.commit(Sighting(key="a"))

    done = feed.commit(Sighting(key="a", rank=2, at_us=NOON + DAY_US))

    assert done.days == {DAY, DAY + 1}
    assert [call.at_us for call in log.calls(DAY, DAY + 1)] == [NOON + DAY_US]
    assert feed.commit(Sighting(key="a", rank=1)).duplicate == 1


def test_owner_changes_without_a_better_record(log: Log) -> None:
    """The smallest owner rank names session and project; the numbers stay those of the best record."""
    feed = Feed(log)
    feed.commit(Sighting(key="a", rank=9, owner=5, session="fork", output=30, model="m"))

    feed.commit(Sighting(key="a", rank=1, owner=2, session="parent", output=1, model="other"))

    (call,) = log.calls(DAY, DAY)
    dims = log.dims([call.dim])[call.dim]
    assert (dims.session, dims.model, call.output) == ("parent", "m", 30)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_of_owners_with_one_rank_the_same_owns_whichever_came_first(log: Log, order: tuple[int, int]) -> None:
    """Ranks are digests: two owners may share one, and then what they are called decides, not the order of import."""
    feed = Feed(log)
    both = [Sighting(key="a", owner=5, session="s-2", project="p"), Sighting(key="a", owner=5, session="s-1", project="q")]
    for one in order:
        feed.commit(both[one])

    (call,) = log.calls(DAY, DAY)
    dims = log.dims([call.dim])[call.dim]
    assert (dims.session, dims.project) == ("s-1", "q")


def test_claim_meets_offer(log: Log) -> None:
    """A record that claims what another one offers speaks of the same call, in either order."""
    feed = Feed(log)
    feed.commit(Sighting(key="h.a", offers=("h",)))
    feed.commit(Sighting(key="h"))
    feed.commit(Sighting(key="k"))
    feed.commit(Sighting(key="k.b", offers=("k",)))

    assert len(list(log.calls(DAY, DAY))) == 2


def test_offers_alone_do_not_meet(log: Log) -> None:
    """Two records that only offer the same identity are two calls."""
    feed = Feed(log)
    feed.commit(Sighting(key="h.a", offers=("h", "x")))

    assert feed.commit(Sighting(key="h.b", offers=("h", "x"))).new == 1


def test_bridge_joins_two_calls(log: Log) -> None:
    """A record that claims identities of two known calls shows that they are one: the lesser is retracted, and stays gone."""
    feed = Feed(log)
    feed.commit(Sighting(key="a", rank=1, output=5), Sighting(key="b", rank=2, output=7))

    feed.commit(Sighting(key="a", claims=("b",), rank=1, output=5))

    assert [call.output for call in log.calls(DAY, DAY)] == [7]
    assert sums(every_row(log)) == {("requests",): 1, ("input",): 10, ("output",): 7}
    assert feed.commit(Sighting(key="a", rank=1)).duplicate == 1


def test_new_name_of_a_known_call_is_logged(log: Log) -> None:
    """A duplicate that brings a new identity leaves a row of zeros with that identity, so the log alone can tell it."""
    feed = Feed(log)
    feed.commit(Sighting(key="a"))

    feed.commit(Sighting(key="a", claims=("b",), offers=("c",)))

    row = hot(log).to_pylist()[1]
    assert (row["kind"], row["requests"], row["output"], row["aliases"]) == ("difference", 0, 0, [name("b"), name("c") + b"\0"])


def test_unknown_again_is_unknown(log: Log) -> None:
    """A better record without reasoning leaves reasoning unknown, not zero."""
    feed = Feed(log)
    feed.commit(Sighting(key="a", reasoning=4))

    feed.commit(Sighting(key="a", rank=2, reasoning=None))

    assert [row["kind"] for row in hot(log).to_pylist()] == ["call", "retraction", "call"]
    assert [call.reasoning for call in log.calls(DAY, DAY)] == [None]


def test_costs_differ_exactly(log: Log) -> None:
    """A difference of logged costs is exact decimal."""
    feed = Feed(log)
    feed.commit(Sighting(key="a", cost="0.1"))
    feed.commit(Sighting(key="a", rank=2, cost="0.3"))

    rows = hot(log).to_pylist()
    (total,) = log.totals(0, 10**18, offset_us=0, steps=())
    assert [row["logged_cost_usd"] for row in rows] == [Decimal("0.1"), Decimal("0.2")]
    assert total.logged == "0.3"


@pytest.mark.parametrize("further", [0, 300_000])
def test_sources_are_those_of_the_paths_that_are_named_however_many(log: Log, further: int) -> None:
    """A whole tree may have been renamed: more paths than one statement takes values are asked for like one."""
    for path in ("/a", "/b", "/c"):
        Feed(log, path)

    found = log.sources(["/c", "/a", *(f"/none/{number}" for number in range(further))])

    assert [each.source.path for each in found] == ["/a", "/c"]


def test_moved_cursor_leaves_the_reading_out(log: Log) -> None:
    """Of two readings that began at the same cursor the second is stale: none of its rows is taken."""
    feed = Feed(log)
    reading = Reading(source_id=feed.source, before=None, after=Cursor(offset=9))
    log.commit(batch(Sighting(key="a", source=feed.source)), [reading], ingested_at_us=NOON)

    done = log.commit(batch(Sighting(key="b", source=feed.source)), [reading], ingested_at_us=NOON)

    assert (done.stale, done.new, done.seq) == ([feed.source], 0, 1)


def test_counts_of_a_source_add_up(log: Log) -> None:
    """events = new + updated + duplicate, and the reader's own counts are added to what was there."""
    feed = Feed(log)
    counts = Counts(lines=4, events=4, bytes=100)
    bad = Quarantined(offset=3, length=9, reason="unreadable", digest=b"d" * 16)
    title = SessionInfo(agent="a", session="s", title="Mend the roof")
    reading = Reading(
        source_id=feed.source,
        before=None,
        after=Cursor(offset=9),
        counts=counts,
        quarantined=[bad],
        seen={"api_error": 2},
        sessions=[title],
    )
    rows = batch(*(Sighting(key=key, rank=rank, source=feed.source) for key, rank in (("a", 1), ("b", 1), ("a", 2), ("a", 1))))

    log.commit(rows, [reading], ingested_at_us=NOON)

    (stored,) = log.sources()
    assert stored.counts == Counts(lines=4, events=4, new=2, updated=0, duplicate=2, bytes=100)
    assert (stored.seen, log.quarantine()[0].record, log.sessions()) == ({"api_error": 2}, bad, [title])


def test_two_looks_in_one_commit_leave_what_two_commits_do(tmp_path: Path) -> None:
    """A look and the one that went on from it can be told together: cursor, counts, quarantine and titles are the same."""
    bad = [Quarantined(offset=at, length=9, reason="unreadable", digest=bytes((at,)) * 16) for at in (3, 30)]
    first = Reading(
        source_id=1,
        before=None,
        after=Cursor(offset=20),
        counts=Counts(lines=2, events=1, quarantined=1, bytes=20),
        quarantined=bad[:1],
        seen={"api_error": 2},
        sessions=[SessionInfo(agent="a", session="s", title="Mend the roof")],
    )
    second = Reading(
        source_id=1,
        before=first.after,
        after=Cursor(offset=50),
        counts=Counts(lines=1, quarantined=1, bytes=30, resets=1),
        quarantined=bad[1:],
        seen={"api_error": 1, "summary": 1},
        sessions=[SessionInfo(agent="a", session="s", title="Mend the cellar")],
    )
    found = []
    for place, looks in (("apart", [first, second]), ("together", [first.then(second)])):
        with Log.open(tmp_path / place) as log:
            rows = [batch(Sighting(key="a", source=Feed(log).source)), batch()]
            for look, its_rows in zip(looks, rows, strict=False):
                assert log.commit(its_rows, [look], ingested_at_us=NOON).stale == []
            found.append((log.sources(), [one.record for one in log.quarantine()], log.sessions()))

    apart, together = found
    assert together == apart
    assert together[0][0].counts == Counts(lines=3, events=1, new=1, quarantined=2, bytes=50, resets=1)
    assert together[0][0].seen == {"api_error": 3, "summary": 1}


def test_seal_moves_hot_rows_into_segments(log: Log) -> None:
    """After a seal no row is hot, each UTC date has one segment, and the sums are the same."""
    feed = Feed(log)
    feed.commit(Sighting(key="a"), Sighting(key="b", at_us=NOON + DAY_US), Sighting(key="c"))
    before = sums(every_row(log), "key")

    made = log.seal()

    assert [(one.day, one.rows) for one in made] == [(DAY, 2), (DAY + 1, 1)]
    assert log.hot_rows() is None
    assert sums(every_row(log), "key") == before
    assert all(one.digest == segments.described(log.home, one.name).digest for one in made)


def test_plain_reader_finds_the_same_sums(log: Log) -> None:
    """DuckDB reads the sealed log with a glob and finds the journal's sums."""
    feed = Feed(log)
    feed.commit(Sighting(key="a", output=5), Sighting(key="b", model="n", at_us=NOON + DAY_US))
    log.seal()
    feed.commit(Sighting(key="a", rank=2, output=50))
    log.seal()

    files = f"read_parquet('{log.home}/events/**/*.parquet')"
    rows = queried(f"select model, date::varchar, sum(requests), sum(output) from {files} group by all order by 1")
    assert rows == [("m", "2024-10-04", 1, 50), ("n", "2024-10-05", 1, 5)]


def test_files_are_closed_to_others(log: Log) -> None:
    """Folders are 0700 and files 0600."""
    Feed(log).commit(Sighting(key="a"))
    log.seal()

    for folder, _, files in os.walk(log.home):
        assert os.stat(folder).st_mode & 0o777 == 0o700
        for file in files:
            assert os.stat(os.path.join(folder, file)).st_mode & 0o777 == 0o600, file


def test_sealing_gives_back_the_room_of_hot_rows(log: Log) -> None:
    """Two thousand rows take as much room while they are hot as the journal keeps in all afterwards; that is the file system's again."""
    feed = Feed(log)
    feed.commit(*(Sighting(key=f"k{n}", session=f"a session of some length {n % 3}") for n in range(2_000)))

    def pages() -> int:
        return int(log._connection.execute("PRAGMA page_count").fetchone()[0])

    hot = pages()
    log.seal()
    assert pages() < hot * 0.7
    assert log._connection.execute("PRAGMA freelist_count").fetchone() == (0,)


def test_many_rows_become_segments_at_once(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large commit writes segments; nothing is hot, and the next small commit goes on counting."""
    monkeypatch.setattr("pipeline.log.BULK_ROWS", 3)
    feed = Feed(log)

    feed.commit(*(Sighting(key=f"k{n}", at_us=NOON + n * DAY_US) for n in range(12)))
    done = feed.commit(Sighting(key="k0", rank=2, output=50))

    assert (len(log.segments()), log.hot_count(), done.seq) == (12, 1, 13)
    assert sums(every_row(log)) == {("requests",): 12, ("input",): 120, ("output",): 105}


def test_what_is_done_meanwhile_sees_the_commit(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """While segments are made, the log answers as it will; if that fails, nothing was committed."""
    monkeypatch.setattr("pipeline.log.BULK_ROWS", 3)
    feed = Feed(log)
    seen: list[object] = []

    def look() -> None:
        seen.append((log.position().seq, sorted(call.output for call in log.calls(0, 40_000))))

    feed.commit(Sighting(key="few", output=9), meanwhile=look)
    feed.commit(*(Sighting(key=f"k{n}", output=n) for n in range(4)), meanwhile=look)

    assert seen == [(5, [0, 1, 2, 3, 9])]

    def fail() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        Feed(log, "/home/a/other.jsonl").commit(*(Sighting(key=f"l{n}") for n in range(4)), meanwhile=fail)
    assert (log.position().seq, len(list(log.calls(0, 40_000))), os.listdir(Path(log.home) / "staging")) == (5, 5, [])


@pytest.mark.parametrize("many", [1, 59, 60, 61, 121])
def test_any_number_of_calls_is_kept(log: Log, many: int) -> None:
    """Calls are inserted many at a time; none is left out, however many there are."""
    Feed(log).commit(*(Sighting(key=f"k{number}", output=number) for number in range(many)))

    assert sorted(call.output for call in log.calls(0, 40_000)) == list(range(many))


def test_totals_by_local_day_and_step(log: Log) -> None:
    """Totals stand on the zone's day and tell prompts above a threshold from others."""
    late = NOON + 11 * 3_600_000_000
    Feed(log).commit(Sighting(key="a", at_us=late), Sighting(key="b", at_us=late, input=300), Sighting(key="c"))

    found = {
        (one.day, one.step): (one.requests, one.input, one.first_at_us)
        for one in log.totals(0, 10**18, offset_us=7_200_000_000, steps=(200,))
    }

    assert found == {(DAY + 1, 0): (1, 10, late), (DAY + 1, 1): (1, 300, late), (DAY, 0): (1, 10, NOON)}


@pytest.mark.parametrize(
    ("offset_us", "days"), [(0, [DAY, DAY + 1]), (7_200_000_000, [DAY, DAY + 1, DAY + 1]), (-50_400_000_000, [DAY - 1, DAY, DAY])]
)
def test_totals_never_cross_a_utc_day(log: Log, offset_us: int, days: list[int]) -> None:
    """A local day lies in two UTC days, and prices change with these: each has totals of its own."""
    late = NOON + 11 * 3_600_000_000
    Feed(log).commit(*(Sighting(key=name, at_us=at) for name, at in (("a", NOON), ("b", late), ("c", late + 2 * 3_600_000_000))))

    assert [one.day for one in log.totals(0, 10**18, offset_us=offset_us, steps=())] == days


def test_hot_path_loads_no_parquet(tmp_path: Path) -> None:
    """Opening the log, a small commit and totals load neither pyarrow nor ctypes nor decimal's users beyond the events module."""
    import subprocess
    import sys

    program = (
        "import sys; from tests.pipeline.sightings import *; log = Log.open(sys.argv[1]); Feed(log).commit(Sighting(key='a'));"
        "list(log.totals(0, 10**18, offset_us=0, steps=())); log.close();"
        "print([m for m in ('pyarrow', 'ctypes', 'json', 'concurrent.futures') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", program, str(tmp_path / "s")], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


identities = st.sampled_from(["a", "b", "h", "h.1", "h.2", "k.1", "k.2", "k"])


@st.composite
def stories(draw: st.DrawFn) -> tuple[list[Sighting], list[list[Sighting]]]:
    """Sightings of a few calls, and the same in another order, cut into batches. What a record says follows its rank, so equal ranks say
    the same; several owners may have one rank, which is a digest.

    Whoever names an identity also offers its handle's bare one, as `pipeline.keys` does.
    """
    count = draw(st.integers(1, 10))
    made = []
    for number in range(count):
        rank = draw(st.integers(0, 5)) * 16 + number
        owner = draw(st.integers(0, 5)) * 16 + number // 2
        key, claims, offers = draw(identities), draw(st.lists(identities, max_size=1)), draw(st.lists(identities, max_size=2))
        offers += [identity.partition(".")[0] for identity in (key, *claims, *offers) if "." in identity]
        made.append(
            Sighting(
                key=key,
                claims=tuple(claims),
                offers=tuple(offers),
                rank=rank,
                owner=owner,
                at_us=NOON + rank % 3 * DAY_US + rank,
                input=rank * 7 % 11,
                output=rank,
                model=f"m{rank % 2}",
                session=f"s{number % 3}",
                project=f"p{number % 2}",
                reasoning=None if rank % 4 else rank,
                cost=None if rank % 5 else f"0.{rank}",
            )
        )
    again = draw(st.permutations(made + made[: count // 2]))
    cuts = sorted(draw(st.lists(st.integers(0, len(again)), max_size=4)))
    parts = [again[low:high] for low, high in zip([0, *cuts], [*cuts, len(again)], strict=True)]
    return made, parts


def check_story(log: Log, made: list[Sighting]) -> None:
    """The log knows each call as the slow rule says, and its rows add up to that over every date and dimension."""
    groups = same_calls(list(made))
    assert known(log) == sorted((kept(group) for group in groups), key=repr)
    wanted: Counter[Any] = Counter()
    for group in groups:
        _, at_us, dims, given, wrote, *_ = kept(group)
        for column, value in (("requests", 1), ("input", given), ("output", wrote)):
            wanted[(dims.model, dims.session, dims.project, at_us // DAY_US, column)] += value
    rows = every_row(log)
    days = pa.array([int(at.timestamp()) // 86_400 for at in rows["at"].to_pylist()])
    assert sums(rows.append_column("day", days), "model", "session", "project", "day") == Counter({k: v for k, v in wanted.items() if v})


@contextmanager
def few_or_many(data: st.DataObject) -> Iterator[None]:
    """Inside, batches are matched in the way of few sightings, or in that of many, and of many in short runs or in long ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(known_calls, "FEW", data.draw(st.sampled_from((known_calls.FEW, 0))))
        patch.setattr(settled, "SHORT", data.draw(st.sampled_from((settled.SHORT, 0))))
        yield


@settings(max_examples=times(60), deadline=None)
@given(stories(), st.data())
def test_order_and_cuts_decide_nothing(tmp_path_factory: pytest.TempPathFactory, story: Story, data: st.DataObject) -> None:
    """Whatever the order and number of sightings, batches and seals, each call ends as the same record and all sums are right."""
    made, parts = story
    with few_or_many(data), Log.open(tmp_path_factory.mktemp("log") / "store") as log:
        feed = Feed(log)
        for part in parts:
            feed.commit(*part)
            if data.draw(st.booleans()):
                log.seal()
        check_story(log, made)
        done = feed.commit(*made)
        assert (done.new, done.updated) == (0, 0)


class Full(durable.Fs):
    """A disk without space for new files."""

    def create(self, path: str) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)


def test_full_disk_leaves_everything_as_it_was(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """A seal or a large commit that finds no space says so, changes nothing, and succeeds once there is some."""
    feed = Feed(log)
    feed.commit(Sighting(key="a"))
    with monkeypatch.context() as patch:
        patch.setattr(durable, "fs", Full())
        with pytest.raises(PartlyDone, match="no space"):
            log.seal()
    assert log.hot_count() == 1

    assert len(log.seal()) == 1
    assert sums(every_row(log)) == {("requests",): 1, ("input",): 10, ("output",): 5}


def test_a_journal_that_is_just_being_made_is_waited_for(tmp_path: Path) -> None:
    """Many processes that open a new store at the same moment all get it: none is told that it is locked."""
    for number in range(8):
        children = []
        for _ in range(12):
            child = os.fork()
            if child == 0:
                try:
                    Log.open(tmp_path / str(number)).close()
                except BaseException:  # noqa: BLE001 - whatever it is, only the exit code tells the test
                    os._exit(1)
                os._exit(0)
            children.append(child)

        assert [os.waitpid(child, 0)[1] for child in children] == [0] * 12
