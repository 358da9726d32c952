"""What the HTTP API answers: the numbers of the command line, in the words of its contract."""

import asyncio
import json
import shutil
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from threading import Event
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.ask import WrongUsage
from cli.paths import paths
from cli.serve import beside
from cli.serve.contract import envelope, questions
from cli.serve.handlers import usage
from cli.serve.route import Route
from cli.serve.routes import ROUTES
from cli.serve.service import Service
from pipeline.errors import NothingFound, UnknownName
from tests.cli.homes import NOON, at_home, called, mixed, reply, ringlet, transcript
from tests.sizes import times
from views.matching import INITIATORS, SOURCES

ZONE = "America/St_Johns"
"""Half an hour off the hour, and with clock changes: no day is a UTC day."""


class Api:
    """A service in one home, asked without a network."""

    def __init__(self, home: Path, *, now: str = NOON, zone: str = "UTC") -> None:
        self.home, self.now, self.zone = home, now, zone
        now_ns = int(datetime.fromisoformat(now).timestamp()) * 10**9
        environ = {"HOME": str(home), "RINGLET_HOME": str(home / "rl"), "TZ": zone}
        self.service = Service(paths(environ), environ, clock=lambda: now_ns)

    def ask(self, path: str, method: str = "GET", **words: Any) -> Any:
        """What stands under `data`; money as Decimal."""
        route = next(each for each in ROUTES if (each.path, each.method) == (path, method))
        params = None if route.params is None else msgspec.convert(words, route.params, strict=False)
        handler = route.handler
        assert handler is not None

        async def answered() -> bytes:
            answer: Any = await handler(self.service, params)
            if isinstance(answer, envelope.Encoded):
                return answer.data
            if not isinstance(answer, envelope.Reply):
                return envelope.Json.encode(answer)
            return answer.body if isinstance(answer.body, bytes) else b"".join([piece async for piece in answer.body])

        data = asyncio.run(answered())
        if route.answer is None:
            return data
        msgspec.json.decode(data, type=route.answer)  # as the contract says
        return json.loads(data, parse_float=Decimal)

    def cli(self, *argv: str) -> Any:
        """What `ringlet usage … --json` prints; money as Decimal."""
        outcome = ringlet(self.home, "usage", *argv, "--json", now=self.now, zone=self.zone)
        assert outcome.code == 0, outcome.err
        return json.loads(outcome.out, parse_float=Decimal)


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    mixed(tmp_path)
    ringlet(tmp_path, "usage")
    made = Api(tmp_path)
    yield made
    made.service.close()


def test_summary_of_a_week(tmp_path: Path) -> None:
    """125,000 in, 45,000 out, 10,000 written to and 50,000 read from the cache by Sonnet 4 are 0.375 + 0.675 + 0.0375 + 0.015 = 1.1025."""
    home = tmp_path
    ringlet(home, "profiles", "create", "claude", "work-claude", "--provider", "self", "--project", "/src/shop")
    transcript(
        home,
        "one",
        reply(1, "2026-01-19T10:00:00Z", model="claude-sonnet-4-20250514", input=100_000, output=40_000, read=50_000),
        reply(2, "2026-01-20T10:30:00Z", model="claude-sonnet-4-20250514", input=25_000, output=5_000, write=10_000),
    )
    ringlet(home, "usage", now="2026-01-20T12:00:00+00:00")
    api = Api(home, now="2026-01-20T12:00:00+00:00")
    found = api.ask("/api/usage", period="week", profile="work-claude")
    api.service.close()
    tokens = {
        "input_tokens": 125_000,
        "output_tokens": 45_000,
        "cache_creation_input_tokens": 10_000,
        "cache_read_input_tokens": 50_000,
    }
    cost = {
        "input_cost": Decimal("0.375"),
        "output_cost": Decimal("0.675"),
        "cache_creation_cost": Decimal("0.0375"),
        "cache_read_cost": Decimal("0.015"),
        "total_cost": Decimal("1.1025"),
        "other_cost": 0,
    }

    assert (found["period"], found["total_tokens"], found["total_cost"]) == ("This week", tokens, cost)
    assert (found["total_sessions"], found["total_runtime_secs"]) == (1, 88_200)
    profile = found["aggregates"]["by_profile"]["work-claude"]
    assert {name: profile[name] for name in ("profile", "tokens", "cost", "sessions", "runtime_secs", "last_used")} == {
        "profile": "work-claude",
        "tokens": tokens,
        "cost": cost,
        "sessions": 1,
        "runtime_secs": 88_200,
        "last_used": "2026-01-20T10:30:00Z",
    }


SILENT = {"/api/daemon", "/api/health", "/api/login", "/api/login/code", "/api/logout", "/api/session", "/api/proof"}
"""Routes that answer nothing from the store: they are about the daemon itself, or about who is asking."""


@pytest.mark.parametrize(
    "route",
    [each for each in ROUTES if each.answer is not None and each.path not in SILENT],
    ids=lambda route: f"{route.method} {route.path}",
)
def test_every_answer_says_how_whole_it_is(api: Api, route: Route) -> None:
    """as_of, seq, complete, unpriced_requests and quarantined stand in every answer from the store; one call in eleven has no price."""
    with (api.home / ".claude" / "projects" / "-src" / "torn.jsonl").open("w") as file:
        file.write(reply(950, "2026-05-13T11:30:00Z").replace('"timestamp"', '"no-time"'))
    ringlet(api.home, "usage")
    filtered = route.params is not None and issubclass(route.params, questions.Filters)
    found = api.ask(route.path, route.method, **({"period": "all"} if filtered else {}))

    said = {name: found[name] for name in ("as_of", "seq", "complete", "unpriced_requests", "quarantined")}
    assert said == {"as_of": "2026-05-13T12:00:00Z", "seq": 11, "complete": True, "unpriced_requests": 1, "quarantined": 1}


def test_health_tells_nothing_of_the_store(api: Api) -> None:
    """Anybody may ask it, so it says that there is an answer and of which version, nothing else."""
    assert set(api.ask("/api/health")) == {"status", "version"}


def test_an_import_that_is_asked_for_makes_answers_incomplete(api: Api) -> None:
    """While it runs, answers from the store say that they may lack something; the import's own answer comes when it has ended."""
    api.service.importing += 1
    assert not api.ask("/api/usage")["complete"]
    assert not api.ask("/api/agents")["complete"]
    api.service.importing -= 1
    assert api.ask("/api/usage/import-claude", "POST")["complete"]
    assert api.ask("/api/usage")["complete"]


def test_unknown_words_are_refused_with_the_known_ones(api: Api) -> None:
    """An unknown period, profile, grouping, division, source, project or zone says which there are."""
    cases: list[tuple[str, dict[str, str], str]] = [
        ("", {"period": "fortnight"}, "last-week"),
        ("", {"profile": "nobody"}, "acme"),
        ("", {"model": "gpt-0"}, "mystery-9"),
        ("/rollup", {"by": "colour"}, "provider"),
        ("/series", {"by": "project"}, "initiator"),
        ("/records", {"source": "web"}, "memory"),
        ("/records", {"project": "nowhere", "period": "all"}, "/src/shop"),
        ("/top", {"session": "nosuchsession"}, "s5"),
    ]
    for route, words, valid in cases:
        with pytest.raises(UnknownName) as caught:
            api.ask(f"/api/usage{route}", **words)
        assert valid in caught.value.valid, (route, words)


QUESTIONS = st.fixed_dictionaries(
    {
        "by": st.sampled_from(
            ["profile", "model", "provider", "agent", "project", "session", "initiator", "source", "day", "hour", "week", "month"]
        ),
        "range": st.sampled_from(
            [
                {"period": "all"},
                {"period": "today"},
                {"period": "24h"},
                {"period": "week"},
                {"period": "30d"},
                {"since": "2026-03-01", "until": "2026-05-11"},
                {"since": "2026-03-08", "until": "2026-03-08"},
                {"until": "2026-05-04"},
            ]
        ),
        "filters": st.dictionaries(
            st.sampled_from(["profile", "model", "provider", "agent", "project", "session", "initiator", "source"]),
            st.integers(0, 2),
            max_size=2,
        ),
        "tz": st.sampled_from([None, "UTC", "Asia/Kathmandu"]),
        "week_start": st.sampled_from([None, "sunday"]),
        "cost_mode": st.sampled_from([None, None, "calculate", "logged"]),
        "sort": st.sampled_from([None, "tokens", "name:desc", "last-used:asc"]),
    }
)
VALUES = {
    "profile": ("default", "acme", "mine"),
    "model": ("claude-sonnet-4-5", "claude-*", "mystery-9"),
    "provider": ("anthropic", "ollama", "openai"),
    "agent": ("claude", "codex", "opencode"),
    "project": ("shop", "/src/acme/web", "local"),
    "session": ("s1", "s2", "s9"),
    "initiator": tuple(INITIATORS),
    "source": tuple(SOURCES),
}


@pytest.fixture(scope="module")
def zoned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A home whose sessions go over midnights and clock changes, in a zone that is half an hour off."""
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
        reply(106, "2026-05-12T12:31:00Z", session="s5", project="/src/local"),
    )
    ringlet(home, "usage", zone=ZONE)
    made = Api(home, zone=ZONE)
    with at_home(home, zone=ZONE):
        made.ask("/api/usage")
    # A call that comes when everything is held already.
    with (home / ".claude" / "projects" / "-src" / "more.jsonl").open("a") as file:
        file.write(reply(107, "2026-05-13T11:00:00Z", session="s2"))
    ringlet(home, "usage", zone=ZONE)
    yield made
    made.service.close()


@settings(max_examples=times(60), deadline=None)
@given(question=QUESTIONS)
def test_api_and_command_line_say_the_same(zoned: Api, question: dict[str, Any]) -> None:
    """Any grouping, range, filters, zone, cost mode and order: tokens, costs to the last digit, sessions, runtimes, names, order."""
    words = {name: VALUES[name][number] for name, number in question["filters"].items()}
    words |= question["range"] | {name: question[name] for name in ("tz", "week_start", "cost_mode", "sort") if question[name] is not None}
    argv = [text for name, value in words.items() for text in (f"--{name.replace('_', '-')}", value)]
    outcome = ringlet(zoned.home, "usage", "--by", question["by"], *argv, "--json", zone=ZONE)
    by = {"by": question["by"], "limit": 1000}
    if outcome.code:
        with pytest.raises(UnknownName):
            zoned.ask("/api/usage/rollup", **words, **by)
        return
    told = json.loads(outcome.out, parse_float=Decimal)
    summary = zoned.ask("/api/usage", **{name: value for name, value in words.items() if name != "sort"})
    rollup = zoned.ask("/api/usage/rollup", **words, **by)

    for name in (
        "total_tokens",
        "total_cost",
        "total_requests",
        "total_sessions",
        "total_runtime_secs",
        "unpriced_requests",
        "unpriced_models",
    ):
        assert summary[name] == told[name]
    assert (summary["period"], summary["from"], summary["to"]) == (told["period"], told["from"], told["to"])
    assert {name: rows(row) for name, row in summary["aggregates"]["by_profile"].items()} == {
        name: rows(row) for name, row in told["aggregates"]["by_profile"].items()
    }
    field = "date" if question["by"] == "day" else question["by"]
    assert [(row["group"][question["by"]], rows(row)) for row in rollup["rows"]] == [(row[field], rows(row)) for row in told["rows"]]
    if question["by"] not in ("day", "hour", "week", "month"):
        assert [(row["agents"], row["models"]) for row in rollup["rows"]] == [(row["agents"], row["models"]) for row in told["rows"]]


def rows(row: dict[str, Any]) -> dict[str, Any]:
    """What both say of a row."""
    names = ("tokens", "cost", "requests", "unpriced_requests", "unbilled_requests", "sessions", "runtime_secs", "first_used", "last_used")
    return {name: row[name] for name in (*names, "cache_creation", "reasoning_tokens", "web_searches")}


def test_pairs_are_the_filtered_groups(zoned: Api) -> None:
    """A row of provider,model is the row of that model among the calls of that provider; all rows add up to the totals."""
    found = zoned.ask("/api/usage/rollup", by="provider,model", period="all")
    for row in found["rows"]:
        provider, model = row["group"]["provider"], row["group"]["model"]
        alone = zoned.ask("/api/usage/rollup", by="model", period="all", provider=provider)["rows"]
        assert rows(row) == next(rows(each) for each in alone if each["group"]["model"] == model)
    assert sum(row["requests"] for row in found["rows"]) == found["totals"]["requests"] == 18


def test_series_has_no_gaps(zoned: Api) -> None:
    """Every day of the range has its point, and every hour of a day on which clocks change; parts add up to their point."""
    days = zoned.ask("/api/usage/series", since="2026-05-09", until="2026-05-13", by="initiator", tz="UTC")
    assert [point["start"] for point in days["points"]] == ["2026-05-09", "2026-05-10", "2026-05-11", "2026-05-12", "2026-05-13"]
    assert [point["requests"] for point in days["points"]] == [0, 0, 2, 3, 6]
    for point in days["points"]:
        for name in ("requests", "prompt_tokens", "completion_tokens", "unpriced_requests"):
            assert sum(part[name] for part in point["parts"].values()) == point[name]
    assert days["names"] == ["main", "task"]

    hours = zoned.ask("/api/usage/series", bucket="hour", since="2026-03-08", until="2026-03-08")["points"]
    # Newfoundland's clocks leap from 2:00 to 3:00 on that day: 23 hours.
    assert [hours[0]["start"], hours[1]["start"], hours[2]["start"], hours[-1]["start"]] == [
        "2026-03-08T00:00-03:30",
        "2026-03-08T01:00-03:30",
        "2026-03-08T03:00-02:30",
        "2026-03-08T23:00-02:30",
    ]
    assert (len(hours), sum(point["requests"] for point in hours)) == (23, 2)


def test_main_task_and_heartbeat_are_everything(zoned: Api) -> None:
    """Initiators add up to the totals, whatever the names of those who called; so do sources."""
    for by in ("initiator", "source"):
        found = zoned.ask("/api/usage/rollup", by=by, period="all")
        assert sum(row["requests"] for row in found["rows"]) == found["totals"]["requests"]
        assert {row["group"][by] for row in found["rows"]} == ({"main", "task"} if by == "initiator" else {"chat", "agent"})


def test_records_are_pages_of_calls(zoned: Api) -> None:
    """The latest first, each once over all pages; total and pages count all; the page past the last is empty."""
    pages = [zoned.ask("/api/usage/records", period="all", page=page, per_page=7) for page in (1, 2, 3, 4)]

    assert [(len(page["rows"]), page["total"], page["pages"]) for page in pages] == [(7, 18, 3), (7, 18, 3), (4, 18, 3), (0, 18, 3)]
    found = [row for page in pages for row in page["rows"]]
    assert [row["at"] for row in found] == sorted((row["at"] for row in found), reverse=True)
    assert len({row["id"] for row in found}) == 18
    cost = zoned.ask("/api/usage", period="all")["total_cost"]["total_cost"]
    assert sum(row["cost"] or 0 for row in found) == cost


def test_records_are_found_by_name_and_source(zoned: Api) -> None:
    """A part of the name is enough, in any case; sources and all other filters hold too."""
    names = zoned.ask("/api/usage/records", period="all", search="SHO", per_page=100)
    assert {row["name"] for row in names["rows"]} == {"shop"}
    assert names["total"] == zoned.ask("/api/usage", period="all", project="shop")["total_requests"]
    agents = zoned.ask("/api/usage/records", period="all", source="agent")
    assert {(row["source"], row["initiator"]) for row in agents["rows"]} == {("agent", "subagent")}
    assert agents["total"] == 2
    assert zoned.ask("/api/usage/records", period="all", search="no such name")["total"] == 0


def test_top_consumers_are_ranked(zoned: Api) -> None:
    """By cost or by tokens, the largest first, with a name that a person knows."""
    found = zoned.ask("/api/usage/top", period="all", rank="tokens", limit=2)["rows"]

    assert [(row["session"], row["name"], row["source"]) for row in found] == [("s1", "shop", "chat"), ("s2", "shop", "chat")]
    assert found[0]["total_tokens"] > found[1]["total_tokens"]


def test_filter_values_are_scoped_to_the_provider(zoned: Api) -> None:
    """Models are those of the provider that was chosen; first and last day are those with calls."""
    found = zoned.ask("/api/usage/filters", provider="ollama", tz="UTC")

    assert found["models"] == ["claude-sonnet-4-5-20250929"]
    assert found["providers"] == ["anthropic", "ollama"]
    assert (found["recorded"], found["first_day"], found["last_day"]) == (True, "2026-03-01", "2026-05-13")


def test_nothing_recorded_is_told(tmp_path: Path) -> None:
    """A home without a call has zeros, no days, and says that there is nothing at all."""
    api = Api(tmp_path)
    found = api.ask("/api/usage/filters")
    usage = api.ask("/api/usage", period="all")
    series = api.ask("/api/usage/series", period="all")
    records = api.ask("/api/usage/records", period="all", search="x")
    api.service.close()

    assert (found["recorded"], found["first_day"], found["models"]) == (False, None, [])
    assert (usage["total_requests"], usage["days"], series["points"], records["pages"]) == (0, 0, [], 0)


def test_any_day_that_can_be_written_can_be_asked_for(zoned: Api) -> None:
    """The first and the last day of all are bounds like any other, for days, hours and records."""
    for words in ({"since": "0001-01-01"}, {"until": "9999-12-31"}, {"since": "0001-01-01", "until": "9999-12-31"}):
        for by in ("model", "hour", "session"):
            assert zoned.ask("/api/usage/rollup", by=by, limit=10_000, **words)["totals"]["requests"] == 18
        assert zoned.ask("/api/usage/records", **words)["total"] == 18
    assert zoned.ask("/api/usage/series", bucket="hour", since="0001-01-01", until="0001-01-02")["points"][0]["requests"] == 0
    assert len(zoned.ask("/api/usage/series", bucket="day", since="2000-01-01", until="2026-05-13")["points"]) == 9630
    for bucket, since in (("hour", "2025-01-01"), ("day", "1990-01-01"), ("week", "0001-01-01"), ("month", "0001-01-01")):
        with pytest.raises(WrongUsage, match=f"more than 10,000 {bucket}s"):
            zoned.ask("/api/usage/series", bucket=bucket, since=since)
    with pytest.raises(WrongUsage):
        zoned.ask("/api/usage/rollup", by="day", since="0001-01-01")


def test_an_export_is_the_command_lines_export(zoned: Api) -> None:
    """The same bytes as `ringlet usage export`, calls and groups, in every text format."""
    for format in ("csv", "json", "jsonl"):
        for argv, words in (([], {}), (["--by", "model"], {"by": "model"}), (["--period", "week"], {"period": "week"})):
            told = ringlet(zoned.home, "usage", "export", "--format", format, *argv, zone=ZONE).out
            assert zoned.ask("/api/usage/export", format=format, **words).decode().replace("\r\n", "\n") == told.replace("\r\n", "\n")


def test_what_was_asked_before_follows_the_log(api: Api) -> None:
    """An answer that is kept is given again only until something is committed or a setting changes."""
    before = api.ask("/api/usage", period="all")
    assert api.ask("/api/usage", period="all") == before
    transcript(api.home, "new", reply(900, "2026-05-13T11:30:00Z", session="s8"))
    ringlet(api.home, "usage")
    assert api.ask("/api/usage", period="all")["total_requests"] == before["total_requests"] + 1
    ringlet(api.home, "profiles", "rename", "acme", "zenith")
    assert set(api.ask("/api/usage", period="all")["aggregates"]["by_profile"]) == {"default", "mine", "zenith"}


def test_no_question_waits_for_another_ones_zone(api: Api) -> None:
    """While days of a zone are being loaded, whoever asks by days that are held is answered; the others when they are loaded."""
    before = api.ask("/api/usage", period="all")
    ready = Event()
    api.service.loading.submit(ready.wait)

    async def asked() -> list[bytes]:
        def answer(**words: Any) -> asyncio.Task[envelope.Encoded]:
            return asyncio.ensure_future(usage.summary(api.service, questions.Filters(period="all", **words)))

        waiting = [answer(tz=ZONE), answer(tz=ZONE, agent="claude"), answer(cost_mode="logged")]
        try:
            others = await asyncio.gather(
                answer(agent="claude"), answer(tz="UTC"), usage.filters(api.service, questions.FilterValuesParams(tz=ZONE))
            )
            assert not any(each.done() for each in waiting)
        finally:
            ready.set()
        return [each.data for each in (*others, *await asyncio.gather(*waiting))]

    found = [json.loads(data) for data in asyncio.run(asked())]
    assert found[1]["total_requests"] == found[3]["total_requests"] == before["total_requests"]
    assert found[3]["timezone"] == ZONE


def test_a_refresh_tells_whether_there_is_news(api: Api) -> None:
    """Before anything was asked there is nothing to bring up to date; then a commit is news once, until somebody asks."""
    assert not api.service.refresh()
    api.ask("/api/usage")
    assert not api.service.refresh()
    transcript(api.home, "new", reply(900, "2026-05-13T11:30:00Z", session="s8"))
    ringlet(api.home, "usage")
    assert api.service.refresh()
    before = api.service.position
    assert api.ask("/api/usage", period="all")["total_requests"] == 12
    assert before is not None
    assert api.service.position is not None
    assert api.service.position.seq == before.seq + 1
    assert not api.service.refresh()


def test_a_journal_made_anew_is_followed(api: Api) -> None:
    """When the journal is laid aside and rebuilt from the log, answers come from the new one."""
    before = api.ask("/api/usage", period="all")
    ringlet(api.home, "seal")
    for path in (api.home / "rl").glob("journal.db*"):
        path.unlink()
    transcript(api.home, "new", reply(900, "2026-05-13T11:30:00Z", session="s8"))
    ringlet(api.home, "usage")

    assert api.ask("/api/usage", period="all")["total_requests"] == before["total_requests"] + 1


@pytest.mark.parametrize(
    "words", [{"since": "x"}, {"since": "2026-05-02", "until": "2026-05-01"}, {"period": "today", "since": "2026-05-01"}]
)
def test_words_that_do_not_go_together_are_named_as_parameters(api: Api, words: dict[str, str]) -> None:
    """Who asks the API, or looks at the page, has given `since`, and no option of a command line."""
    with pytest.raises(WrongUsage, match="since") as refused:
        api.ask("/api/usage", **words)
    assert "--" not in str(refused.value)


def test_another_machines_segments_are_followed(
    api: Api, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Segments that are copied in while the daemon runs count in its answers as in those of the command line, and no more when they go."""
    monkeypatch.setattr(beside, "EVERY_S", 0.0)
    other = tmp_path_factory.mktemp("other")
    transcript(other, "theirs", reply(80, "2026-05-13T09:00:00Z"), reply(81, "2026-05-13T09:01:00Z"))
    ringlet(other, "usage")
    ringlet(other, "seal")
    (theirs,) = (other / "rl/events/date=2026-05-13").iterdir()
    copy = api.home / "rl/events/date=2026-05-13" / theirs.name
    requests = []

    def ask() -> None:
        requests.append(api.ask("/api/usage", period="all")["total_requests"])
        assert api.cli("--period", "all")["total_requests"] == requests[-1]

    ask()
    copy.mkdir(parents=True)
    ask()
    for path in theirs.iterdir():
        shutil.copyfile(path, copy / path.name)
    ask()
    shutil.rmtree(copy)
    ask()

    assert requests == [11, 11, 13, 11]


def test_an_import_reads_configured_homes_only(api: Api) -> None:
    """What has not been read yet is read and counted; a folder that is no configured home is refused with those that are."""
    home = api.home / ".claude"
    transcript(api.home, "new", reply(900, "2026-05-13T11:30:00Z", session="s8"))
    found = api.ask("/api/usage/import-claude", "POST", claude_dir=str(home / ".." / ".claude"))

    assert (found["homes"], found["new"], found["profiles"], found["stopped"]) == ([str(home)], 1, ["default"], False)
    for asked in ("/", "/etc", str(api.home), str(home / "projects"), "~root", "../.claude"):
        with pytest.raises(UnknownName) as caught:
            api.ask("/api/usage/import-claude", "POST", claude_dir=asked)
        assert str(home) in caught.value.valid
    assert api.ask("/api/usage", period="all")["total_requests"] == 12


def test_an_import_of_nothing_says_where_it_looked(tmp_path: Path) -> None:
    """Without any log of Claude Code the answer names the folders."""
    api = Api(tmp_path)
    with pytest.raises(NothingFound, match=r"\.claude"):
        api.ask("/api/usage/import-claude", "POST")
    api.service.close()


def test_profiles_agents_and_prices(api: Api) -> None:
    """Profiles with their rules, homes with their calls, and what each model that was used costs on a day."""
    profiles = {each["name"]: each for each in api.ask("/api/profiles")["profiles"]}
    assert profiles["acme"]["rules"] == [{"agent": None, "home": None, "project": "/src/acme"}]
    assert profiles["mine"]["billing"] == "local"
    homes = [each for each in api.ask("/api/agents")["homes"] if each["calls"]]
    assert [(each["agent"], each["files"], each["calls"]) for each in homes] == [("claude", 4, 11)]
    prices = {(each["provider"], each["model"]): each for each in api.ask("/api/prices", at="2026-05-01")["prices"]}
    sonnet = prices["anthropic", "claude-sonnet-4-5-20250929"]
    assert (sonnet["rates"][0]["input"], sonnet["rates"][0]["output"], sonnet["known"]) == (3, 15, True)
    assert not prices["anthropic", "mystery-9"]["known"]


def test_doctor_says_what_the_command_says(api: Api) -> None:
    """The report is that of `ringlet doctor --json`."""
    api.ask("/api/usage")
    told = json.loads(ringlet(api.home, "doctor", "--json").out)
    found = api.ask("/api/doctor")

    assert (found["status"], found["calls"], found["findings"]) == (told["status"], told["calls"], told["findings"])


def test_metrics_are_prometheus_text(api: Api) -> None:
    """One line per provider, model and class, with escaped names; costs only where there are some."""
    lines = api.ask("/metrics").decode().splitlines()

    assert 'ringlet_requests_total{provider="anthropic",model="mystery-9"} 1' in lines
    assert 'ringlet_tokens_total{provider="anthropic",model="mystery-9",class="input"} 1000' in lines
    assert "ringlet_complete 1" in lines
    assert not any(line.startswith("ringlet_cost_usd_total") and "mystery-9" in line for line in lines)


def test_metrics_have_one_sample_of_each_name(tmp_path: Path) -> None:
    """Calls without a model and calls of a model without a name are one sample: a scrape fails at two of the same labels."""
    called(tmp_path, "2026-05-13T08:00:00Z", "main", 1, model="")
    called(tmp_path, "2026-05-13T09:00:00Z", "main", 2, model=None)
    api = Api(tmp_path)
    names = [line.rpartition(" ")[0] for line in api.ask("/metrics").decode().splitlines() if not line.startswith("#")]
    requests = [line for line in api.ask("/metrics").decode().splitlines() if line.startswith("ringlet_requests_total")]
    api.service.close()

    assert len(names) == len(set(names))
    assert requests == ['ringlet_requests_total{provider="openai",model=""} 2']
