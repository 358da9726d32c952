"""How the logs of both Groks become calls, beyond the cases of `data-fixtures/grok`: recorded files, forks, growing databases."""

import itertools
import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ingest.adapter import Place
from ingest.adapters.grok import ADAPTER
from ingest.reader import Manner
from ingest.run import Summary, refresh
from pipeline.events import UsageEvent
from pipeline.log import Log
from tests.contracts.model import calls_of
from tests.ingest.sightings import batch_of, by_session, encoded, others, usage

REAL = Path(__file__).parents[2] / ".." / "shared" / "fixtures" / "real" / "grok"
FIXTURES = Path(__file__).parents[2] / "data-fixtures" / "grok"
recorded = pytest.mark.skipif(not REAL.is_dir(), reason="the recorded files are not here")

PATH = "sessions/%2Fw/s-1/updates.jsonl"
DAYS = (0, 40_000)


def turn(prompt: str, session: str, at_ms: int, input: int, output: int) -> bytes:
    counters = {"inputTokens": input, "outputTokens": output}
    update = {"sessionUpdate": "turn_completed", "prompt_id": prompt, "usage": {**counters, "modelUsage": {"grok-4.6": counters}}}
    return encoded({"params": {"sessionId": session, "update": update, "_meta": {"agentTimestampMs": at_ms}}})


def look(log: Log, home: Path) -> Summary:
    return refresh(log, [ADAPTER], {"GROK_HOME": str(home)}, "/nowhere", Manner(now_ns=4 * 10**18))


def test_a_database_that_was_just_written_is_read_once_more(tmp_path: Path) -> None:
    """What is committed shows a moment after it was written, without any further write: until then nobody says that all is read."""
    with closing(sqlite3.connect(tmp_path / "grok.db")) as db:
        db.executescript((FIXTURES / "database/grok.db.sql").read_text())
    written_ns = (tmp_path / "grok.db").stat().st_mtime_ns
    after_s = {}
    with Log.open(tmp_path / "store") as log:
        for seconds in (1.0, 3.0, 4.0):
            manner = Manner(now_ns=written_ns + int(seconds * 1e9))
            done = refresh(log, [ADAPTER], {"GROK_HOME": str(tmp_path)}, "/nowhere", manner)
            after_s[seconds] = (done.look_again, done.new, sum(share.sources for share in done.shares.values()))

    assert after_s == {1.0: (1, 6, 1), 3.0: (0, 0, 1), 4.0: (0, 0, 0)}


@pytest.mark.parametrize("seconds", [-3600.0, 3600.0])
def test_a_database_whose_time_tells_nothing_is_read_once(tmp_path: Path, seconds: float) -> None:
    """A time long past has shown all, and one far ahead is no time of a write: neither is read again for ever."""
    with closing(sqlite3.connect(tmp_path / "grok.db")) as db:
        db.executescript((FIXTURES / "database/grok.db.sql").read_text())
    written_ns = (tmp_path / "grok.db").stat().st_mtime_ns
    with Log.open(tmp_path / "store") as log:
        done = refresh(log, [ADAPTER], {"GROK_HOME": str(tmp_path)}, "/nowhere", Manner(now_ns=written_ns + int(seconds * 1e9)))

    assert (done.look_again, done.new) == (0, 6)


@recorded
def test_a_turn_that_hit_a_limit_still_says_what_it_used() -> None:
    """Recorded with 1.0.13: 613,759 prompt tokens, of them 527,360 from the cache, in fourteen calls."""
    records = (REAL / "aistack/observed-1.0.13.updates.tail2.jsonl").read_bytes().split(b"\n")[:-1]

    (call,) = usage(ADAPTER, PATH, records)

    assert (call.tokens.input, call.tokens.cache_read, call.tokens.output, call.reasoning) == (86_399, 527_360, 5_082, 1_930)
    assert (call.status, call.model, call.extra) == ("error", "grok-4.6", {"model_calls": "14"})


@recorded
def test_a_session_without_a_finished_turn_has_no_call() -> None:
    """Chunks of a reply hold no usage, and how full the context is is none."""
    records = (REAL / "deja-vu/updates.jsonl").read_bytes().split(b"\n")[:-1]

    assert (usage(ADAPTER, PATH, records), others(ADAPTER, PATH, records)) == ([], [])


@recorded
def test_a_recorded_summary_names_its_session() -> None:
    """Title and the session it came from; the folder it works in is that of its turns."""
    summary = (REAL / "agentsview/current/summary.json").read_bytes()
    own = "019f6000-0000-7000-8000-000000000001"
    place = Place(path=f"sessions/x/{own}/updates.jsonl", root="/g", beside=summary)

    _, (call,) = ADAPTER.step(ADAPTER.start(place), turn("P", own, 1_788_253_200_000, 5, 1))
    (about,) = ADAPTER.sessions(Place(path=f"sessions/x/{own}/summary.json", root="/g"), summary, summary)

    assert getattr(call, "project", None) == "/workspace/grok-worktrees/parser-audit"
    assert (about.session, about.title, about.parent) == (own, "Audit Grok compatibility", "019f5000-0000-7000-8000-000000000000")


def test_every_order_of_forks_gives_the_same_calls(tmp_path: Path) -> None:
    """Parent, fork and the fork's fork committed in any order: each turn is the session's that made it."""
    first, second, third = ((f"P{n}", 1_788_253_200_000 + n, 100 * n, 10 * n) for n in (1, 2, 3))
    files = [
        ("sessions/w/a/updates.jsonl", [turn(first[0], "a", *first[1:])]),
        ("sessions/w/b/updates.jsonl", [turn(first[0], "b", first[1] + 9_000_000, *first[2:]), turn(second[0], "b", *second[1:])]),
        ("sessions/w/c/updates.jsonl", [turn(each[0], "c", each[1] + 99_000_000, *each[2:]) for each in (first, second, third)]),
    ]
    for number, order in enumerate(itertools.permutations(files)):
        found = by_session(tmp_path / str(number), ADAPTER, order)
        assert found == {"a": (1, 100, 0, 0, 10), "b": (1, 200, 0, 0, 20), "c": (1, 300, 0, 0, 30)}


@pytest.mark.parametrize(
    ("of_turn", "of_model", "cost"),
    [
        ({"costUsdTicks": 310_000_000}, {}, "0.031"),
        ({"costUsdTicks": 310_000_000}, {"costUsdTicks": 300_000_000}, "0.03"),
        ({"costUsdTicks": 0}, {}, None),
        ({"costUsdTicks": 310_000_000, "costIsPartial": True}, {}, None),
        ({"costUsdTicks": 310_000_000}, {"costIsPartial": True}, None),
    ],
)
def test_a_cost_counts_where_all_of_it_is_known(of_turn: dict[str, Any], of_model: dict[str, Any], cost: str | None) -> None:
    """10^10 ticks are a dollar; zero stands where xAI knows no cost, and a part of one is none."""
    line = json.loads(turn("P", "s-1", 1_788_253_200_000, 10, 1))
    used = line["params"]["update"]["usage"]
    used |= of_turn
    used["modelUsage"]["grok-4.6"] |= of_model
    (call,) = usage(ADAPTER, PATH, [encoded(line)])

    assert (None if call.logged_cost_usd is None else str(call.logged_cost_usd)) == cost
    assert call.logged_cost_basis == (None if cost is None else "provider")


def test_a_fork_owns_nothing_that_another_session_has() -> None:
    """A session that says where it came from gives way to any that does not, whichever is said to have begun first."""
    ranks: list[int] = []
    for parent, created in ((None, "2026-09-02T09:00:00Z"), ("s-0", "2026-09-01T09:00:00Z")):
        beside = encoded({"info": {"id": "s-1"}, "created_at": created, "parent_session_id": parent})
        state = ADAPTER.start(Place(path=PATH, root="/g", beside=beside))
        _, (call,) = ADAPTER.step(state, turn("P", "s-1", 1_788_253_200_000, 5, 1))
        assert isinstance(call, UsageEvent)
        ranks.append(call.owner_rank)

    assert ranks[0] < ranks[1]


def test_a_turn_logged_again_with_more_is_one_call() -> None:
    """A turn that went on after a limit is logged anew under its prompt: what it came to in the end counts."""
    early, late = turn("P", "s", 1_788_253_200_000, 100, 10), turn("P", "s", 1_788_253_260_000, 300, 30)

    for order in itertools.permutations((early, late)):
        (call,) = calls_of([batch_of(usage(ADAPTER, PATH, order))])
        assert (call["input"], call["output"]) == (300, 30)


def test_a_summary_that_comes_later_is_heeded(tmp_path: Path) -> None:
    """Turns that are read before their session has a summary wait for none; from then on its word holds."""
    folder = tmp_path / "g/sessions/w/s-1"
    folder.mkdir(parents=True)
    turns = folder / "updates.jsonl"
    turns.write_bytes(turn("P1", "s-1", 1_788_253_200_000, 5, 1) + b"\n")
    with Log.open(tmp_path / "store") as log:
        assert look(log, tmp_path / "g").new == 1
        (folder / "summary.json").write_text(json.dumps({"info": {"id": "s-1", "cwd": "/w"}, "session_kind": "subagent"}))
        with turns.open("ab") as file:
            file.write(turn("P2", "s-1", 1_788_253_300_000, 6, 1) + b"\n")
        later = look(log, tmp_path / "g")

        assert (later.new, later.shares["grok"].seen) == (0, {"counted_in_parent": 1})


def test_a_growing_database_gives_each_row_once(tmp_path: Path) -> None:
    """Rows that stand in the `-wal` alone are read, and a look after each new row finds just that one."""
    home = tmp_path / "g"
    home.mkdir()
    with Log.open(tmp_path / "store") as log, closing(sqlite3.connect(home / "grok.db")) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.executescript((FIXTURES / "database/grok.db.sql").read_text())
        assert look(log, home).new == 6
        news = []
        for number in range(10, 14):
            db.execute(
                f"INSERT INTO usage_events VALUES ({number}, 'c-1', 9, 'message', 'grok-4.6', 10, 1, 11, 1, '2026-09-03T00:00:{number}Z')"
            )
            db.commit()
            news.append(look(log, home).new)

        assert (home / "grok.db-wal").stat().st_size
        assert news == [1, 1, 1, 1]
        assert look(log, home).new == 0


def test_a_moved_home_holds_the_calls_it_held(tmp_path: Path) -> None:
    """Copied elsewhere, database and turns alike are known by what they say."""
    with Log.open(tmp_path / "store") as log:
        for case in ("turns", "database"):
            shutil.copytree(FIXTURES / case / "home", tmp_path / "one", dirs_exist_ok=True)
        assert look(log, tmp_path / "one").new == 11
        (tmp_path / "one").rename(tmp_path / "two")
        held = sorted(call.key for call in log.calls(*DAYS))

        assert look(log, tmp_path / "two").new == 0
        assert sorted(call.key for call in log.calls(*DAYS)) == held


def test_the_database_of_the_case_holds_what_its_sql_says(tmp_path: Path) -> None:
    """It can be read by eye: it equals the SQL beside it."""
    with closing(sqlite3.connect(tmp_path / "built.db")) as built, closing(sqlite3.connect(FIXTURES / "database/home/grok.db")) as kept:
        built.executescript((FIXTURES / "database/grok.db.sql").read_text())

        assert list(kept.iterdump()) == list(built.iterdump())


@pytest.mark.parametrize(
    ("environ", "wanted"), [({}, "/home/ada/.grok"), ({"GROK_HOME": "/srv/grok"}, "/srv/grok"), ({"GROK_HOME": " "}, "/home/ada/.grok")]
)
def test_the_home_moves_by_its_variable(environ: dict[str, str], wanted: str) -> None:
    """GROK_HOME names it; nothing named is `~/.grok`."""
    assert [home.path for home in ADAPTER.homes(environ, "/home/ada")] == [wanted]


def test_no_prompt_or_reply_is_ever_asked_for() -> None:
    """Of the database only counters and what names a session are read, of a summary only what it is called."""
    assert {query.table for pattern in ADAPTER.patterns for query in pattern.queries} == {"usage_events"}
    secret: dict[str, Any] = {"info": {"id": "s"}, "session_summary": "secret", "first_prompt": "secret"}
    place = Place(path="sessions/w/s/summary.json", root="/g")

    assert ADAPTER.sessions(place, encoded(secret), b"") == []
