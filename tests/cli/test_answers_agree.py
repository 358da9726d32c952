"""The snapshot's answers are the views' answers: two ways of counting, one number."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.app import clock
from cli.deep import answer_from_views
from cli.paths import paths
from cli.refresh import Store, opened
from pipeline.log import Log
from tests.cli.homes import at_home, mixed, reply, ringlet, transcript
from tests.sizes import times
from views import calendar
from views.query import Answer, Query, Row, Totals
from views.recount import recount
from views.snapshot_text import Day

FIXTURES = Path(__file__).parents[2] / "data-fixtures"
ZONE = "America/St_Johns"
"""Half an hour off the hour, and with clock changes: no day is a UTC day."""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    home = tmp_path_factory.mktemp("home")
    mixed(home)
    transcript(
        home,
        "more",
        reply(101, "2026-03-08T05:10:00Z", session="s9"),
        reply(102, "2026-03-08T03:10:00Z", session="s9", model="mystery-9"),
        reply(103, "2026-03-09T02:29:59Z", session="s9", model="claude-opus-4-5-20251101", project="/src/acme/web"),
        reply(104, "2026-03-09T02:30:00Z", session="s1", project="/src/acme/web", write=70_000),
        reply(105, "2026-05-12T02:29:00Z", session="s1"),
        reply(106, "2026-05-12T02:31:00Z", session="s5", project="/src/local"),
    )
    ringlet(home, "usage", now="2026-05-12T12:00:00+00:00", zone=ZONE)
    with (home / ".claude" / "projects" / "-src" / "more.jsonl").open("a") as file:
        file.write(reply(107, "2026-05-13T11:00:00Z", session="s2"))
    ringlet(home, "usage", zone=ZONE)
    with ExitStack() as stack:
        stack.enter_context(at_home(home, zone=ZONE))
        opened_store = stack.enter_context(opened(paths(), {"HOME": str(home), "RINGLET_HOME": str(home / "rl"), "TZ": ZONE}, clock()))
        opened_store.refreshed(sync=False)
        yield opened_store


def facts(totals: Totals) -> dict[str, Any]:
    names = [name for kind in type(totals).__mro__ for name in getattr(kind, "__slots__", ()) if name[0] != "_"]
    return {name: getattr(totals, name) for name in names} | {"cost": totals.cost}


def told(answer: Answer) -> tuple[Any, ...]:
    """Everything an answer says; rows are named, so that the first difference can be read."""
    last = answer.last_day if not answer.totals.requests else None
    return facts(answer.totals), [named(row) for row in answer.rows], [named(row) for row in answer.profiles], last, answer.unpriced_models


def named(row: Row) -> dict[str, Any]:
    return facts(row)


TODAY = calendar.day_of(2026, 5, 13)
DAYS = st.integers(calendar.day_of(2026, 2, 25), TODAY + 2)
QUERIES = st.fixed_dictionaries(
    {
        "by": st.sampled_from(["profile", "model", "provider", "agent", "day", "week", "month"]),
        "range": st.none()
        | st.tuples(DAYS, st.none())
        | st.tuples(st.none(), DAYS)
        | st.tuples(DAYS, DAYS).map(lambda pair: tuple(sorted(pair))),
        "profile": st.none() | st.sampled_from(["default", "acme", "mine"]),
        "model": st.none() | st.sampled_from(["claude-sonnet-4-5", "claude-*", "mystery-9"]),
        "provider": st.none() | st.sampled_from(["anthropic", "ollama"]),
        "agent": st.none() | st.sampled_from(["claude", "codex"]),
        "week_start": st.sampled_from([0, 6]),
    }
)


@settings(max_examples=times(60), deadline=None)
@given(options=QUERIES)
def test_snapshot_and_views_say_the_same(store: Store, options: dict[str, Any]) -> None:
    """Any grouping, range and filters: sums, sessions, runtimes, costs, names and order are equal."""
    first, last = options.pop("range") or (None, None)
    query = Query(now_us=store.now_us, today=TODAY, tz=ZONE, first_day=first, last_day=last, **options)
    assert store.snapshot.answers(query)

    assert told(store.snapshot.answer(query)) == told(answer_from_views(query, store))


def test_refreshed_snapshot_is_the_rebuilt_one(store: Store) -> None:
    """A snapshot that grew with the log answers like one that is made anew from it."""
    query = Query(now_us=store.now_us, today=TODAY, tz=ZONE, by="day")
    grown = told(store.snapshot.answer(query))
    for name in ("snapshot.base", "snapshot.today"):
        (Path(store.paths.views) / name).unlink()

    assert told(store.refreshed(sync=False).answer(query)) == grown


def test_days_counted_during_the_first_commit_are_those_of_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A first import counts the days while it writes segments, once; the snapshot is the one that is made of the log afterwards."""
    monkeypatch.setattr("pipeline.log.BULK_ROWS", 2)
    counted: list[int] = []

    def counting(log: Log, zone: str, days: set[int], **options: Any) -> dict[int, Day]:
        counted.append(len(days))
        return recount(log, zone, days, **options)

    monkeypatch.setattr("cli.refresh.recount", counting)
    mixed(tmp_path)
    query = Query(now_us=0, today=TODAY, tz=ZONE, by="day")
    with (
        at_home(tmp_path, zone=ZONE),
        opened(paths(), {"HOME": str(tmp_path), "RINGLET_HOME": str(tmp_path / "rl"), "TZ": ZONE}, clock()) as store,
    ):
        early = told(store.refreshed().answer(query))
        assert (len(counted), store.log.hot_count(), bool(early[1])) == (1, 0, True)
        for name in ("snapshot.base", "snapshot.today"):
            (Path(store.paths.views) / name).unlink()

        assert told(store.refreshed(sync=False).answer(query)) == early
        assert len(counted) == 2


@pytest.mark.parametrize("mode", ["auto", "calculate", "logged"])
def test_cost_modes_agree_with_the_configuration(tmp_path: Path, mode: str) -> None:
    """A cost mode asked for gives what the same mode gives as a setting, though one comes from the views and one from the snapshot."""
    mixed(tmp_path)
    asked = ringlet(tmp_path, "usage", "models", "--period", "all", "--cost-mode", mode, "--json").out
    (tmp_path / "rl" / "config.toml").write_text(f'[usage]\ncost_mode = "{mode}"\n')

    assert json.loads(ringlet(tmp_path, "usage", "models", "--period", "all", "--json").out) == json.loads(asked)


@pytest.fixture(scope="module")
def fixtures(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """The logs of every fixture of every adapter, in one home."""
    home = tmp_path_factory.mktemp("home")
    folders = {"claude": ".claude", "codex": ".codex", "droid": ".factory", "grok": ".grok", "opencode": ".local/share/opencode"}
    for agent, folder in folders.items():
        for case in sorted((FIXTURES / agent).iterdir()):
            for path in sorted((case / "home").rglob("*.json*")):
                target = home / folder / path.relative_to(case / "home")
                # Grok's files have one name each: there the folder tells the cases apart.
                own = target.parent if agent == "grok" else target
                target = home / folder / own.with_name(f"{case.name}-{own.name}") / target.relative_to(own)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(path.read_bytes())
            for script in sorted(case.glob("*.sql")):
                (home / folder).mkdir(parents=True, exist_ok=True)
                name = script.stem if agent == "grok" else f"{case.name}-{script.stem}"
                with closing(sqlite3.connect(home / folder / name)) as database:
                    database.executescript(script.read_text())
    ringlet(home, "usage")
    with at_home(home), opened(paths(), {"HOME": str(home), "RINGLET_HOME": str(home / "rl"), "TZ": "UTC"}, clock()) as store:
        store.refreshed(sync=False)
        yield store


@pytest.mark.parametrize("by", ["profile", "model", "provider", "agent", "day", "week", "month"])
def test_both_say_the_same_of_every_fixture(fixtures: Store, by: str) -> None:
    """Odd times, foreign models, logged costs, forks and retractions of five agents: the two ways of counting agree."""
    query = Query(now_us=fixtures.now_us, today=TODAY, tz="UTC", by=by)

    assert told(fixtures.snapshot.answer(query)) == told(answer_from_views(query, fixtures))
    assert fixtures.snapshot.answer(query).totals.requests > 100
