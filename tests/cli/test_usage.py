"""`ringlet usage` on small homes: what is asked, what is printed, and when it is fresh."""

import json
import os
import shutil
from decimal import Decimal
from pathlib import Path

import pytest

from cli.app import look
from cli.ask import Request
from tests.cli.homes import mixed, reply, ringlet, transcript


@pytest.fixture
def home(tmp_path: Path) -> Path:
    mixed(tmp_path)
    return tmp_path


def rows(home: Path, *argv: str) -> list[list[str]]:
    """The cells of a table's rows, without heading, rule and notes."""
    lines = ringlet(home, "usage", *argv).out.split("\n")
    start = next(at for at, line in enumerate(lines) if line.isupper() and "COST" in line)
    end = next(at for at, line in enumerate(lines) if line.startswith("──"))
    return [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in lines[start:end]]


def summary(home: Path, *argv: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(ringlet(home, "usage", *argv, "--json").out)
    return found


def test_first_question_imports_by_itself(home: Path) -> None:
    """Nothing need be set up: the first answer is complete, and plain `usage` is about today."""
    outcome = ringlet(home, "usage")

    assert outcome.code == 0
    assert outcome.out.startswith("Usage · Today (2026-05-13)\n")
    assert "Input tokens    2,004,000" in outcome.out


def test_usage_is_a_row_per_profile_under_the_totals(home: Path) -> None:
    """Columns and rule are those of S1's table; the last line adds up the costs alone."""
    lines = ringlet(home, "usage").out.split("\n")
    head = lines.index("PROFILE  AGENT   PROVIDER        TOKENS     COST")

    assert lines[head + 1] == "default  claude  anthropic  2.1M / 300K  $18.83*"
    assert lines[head + 2] == "mine     claude  ollama        1K / 100        -"
    assert set(lines[head + 3]) == {"─"}
    assert lines[head + 4].split() == ["TOTAL", "$18.83*"]


def test_days_have_date_tokens_and_cost(home: Path) -> None:
    """`--by-day` prints three columns, and a day without use as `0 / 0` and `$0.00`."""
    assert rows(home, "--by-day", "--since", "2026-05-09", "--until", "2026-05-11") == [
        ["DATE", "TOKENS", "COST"],
        ["2026-05-09", "0 / 0", "$0.00"],
        ["2026-05-10", "0 / 0", "$0.00"],
        ["2026-05-11", "2K / 200", "$0.01"],
    ]


@pytest.mark.parametrize("words", [("daily",), ("--by", "day"), ("--by-day",)])
def test_three_ways_to_ask_for_days(home: Path, words: tuple[str, ...]) -> None:
    """`usage daily`, `--by day` and `--by-day` are one."""
    assert ringlet(home, "usage", *words, "--period", "week").out == ringlet(home, "usage", "daily", "--period", "week").out


@pytest.mark.parametrize(
    ("words", "keys"),
    [
        (("models", "--period", "all"), ["claude-opus-4-5-20251101", "claude-sonnet-4-5", "claude-haiku-4-5-20251001", "mystery-9"]),
        (("profiles", "--period", "all"), ["default", "acme", "mine"]),
        (("providers", "--period", "all"), ["anthropic", "ollama"]),
        (("agents", "--period", "all"), ["claude"]),
        (("projects", "--period", "all"), ["/src/shop", "/src/acme/api", "/src/local"]),
        (("sessions", "--period", "all", "--sort", "name"), ["s1", "s2", "s3", "s4", "s5"]),
        (("hourly", "--period", "yesterday"), ["2026-05-12T23:00+00:00"]),
        (("weekly", "--period", "month"), ["2026-04-27", "2026-05-04", "2026-05-11"]),
        (("monthly", "--period", "year"), ["2026-01", "2026-02", "2026-03", "2026-04", "2026-05"]),
    ],
)
def test_every_grouping_has_its_rows(home: Path, words: tuple[str, ...], keys: list[str]) -> None:
    """Each subcommand groups by what it is called after; rows add up to the totals."""
    found = summary(home, *words)
    table = found["rows"]
    assert isinstance(table, list)

    named = [row[next(iter(row))] for row in table]
    assert [name for name in named if name != "claude-sonnet-4-5-20250929"] == keys
    assert sum(row["requests"] for row in table) == found["total_requests"]


def test_filters_combine_and_stand_anywhere(home: Path) -> None:
    """All filters must hold at once, before or after the subcommand."""
    before = ringlet(home, "usage", "--profile", "acme", "--model", "claude-haiku-4-5", "models", "--period", "all")
    after = ringlet(home, "usage", "models", "--period", "all", "--model", "claude-haiku-4-5", "--profile", "acme")

    assert before == after
    assert summary(home, "--period", "all", "--profile", "acme", "--model", "claude-haiku-4-5")["total_requests"] == 1
    assert summary(home, "--period", "all", "--project", "api", "--session", "s2")["total_requests"] == 2


def test_model_filter_takes_dated_ids(home: Path) -> None:
    """`claude-sonnet-4-5` means the id itself and the dated one: calls 1, 4 to 6 and 8 to 11."""
    assert summary(home, "--period", "all", "--model", "claude-sonnet-4-5")["total_requests"] == 8


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--period", "fortnight"), "there are: 24h, today, yesterday"),
        (("--profile", "nobody"), "there are: acme, default, mine"),
        (("--model", "claude-sonnet-4"), "there are: claude-haiku-4-5-20251001"),
        (("--provider", "acme-cloud"), "anthropic"),
        (("--agent", "cursor"), "claude"),
        (("--project", "nowhere"), "/src/shop"),
        (("--session", "s99"), "s1"),
        (("--export", "xlsx"), "there are: csv, json, jsonl, parquet"),
        (("--by", "colour"), "there are: profile, model"),
        (("--sort", "beauty"), "there are: cost, tokens"),
        (("--tz", "Mars/Olympus"), "IANA name"),
        (("--cost-mode", "wild"), "there are: auto, calculate, logged"),
        (("--week-start", "noday"), "there are: monday"),
        (("yearly",), "there are: profiles, models"),
        (("--period", "today", "--since", "2026-05-01"), "exclude each other"),
        (("--since", "yesterday"), "write it as 2026-05-01"),
        (("--since", "2026-05-02", "--until", "2026-05-01"), "exchange them"),
        (("export", "--json"), "--format json"),
    ],
)
def test_wrong_words_exit_2_and_say_what_is_valid(home: Path, words: tuple[str, ...], message: str) -> None:
    """An unknown name, period or format is an error that lists the valid ones, and nothing is printed as an answer."""
    code, out, err = ringlet(home, "usage", *words)

    assert (code, out) == (2, "")
    assert message in err


def test_known_profile_without_usage_is_no_error(home: Path) -> None:
    """A profile that exists and was not used in the period has nothing to show, and one line says when it was last used."""
    outcome = ringlet(home, "usage", "--profile", "acme")

    assert outcome == (
        0,
        "No usage today for these filters. The last day with data is 2026-05-11: "
        "ringlet usage --since 2026-05-11 --until 2026-05-11 --profile acme\n",
        "",
    )


def test_empty_day_names_the_last_day_with_data(home: Path) -> None:
    """On a day without use one line names the last day with data and the command that shows it."""
    outcome = ringlet(home, "usage", "models", now="2026-06-01T08:00:00+00:00")

    assert outcome.out == (
        "No usage today. The last day with data is 2026-05-13: ringlet usage models --since 2026-05-13 --until 2026-05-13\n"
    )


def test_who_has_no_agent_learns_where_was_looked(tmp_path: Path) -> None:
    """Without any log, the answer names the places and what to type."""
    outcome = ringlet(tmp_path, "usage")

    assert outcome.code == 0
    assert "no logs of an agent were found" in outcome.out
    assert "~/.claude" in outcome.out
    assert "ringlet import claude --from PATH" in outcome.out
    assert "ringlet demo" in outcome.out


def test_who_has_logs_without_calls_learns_that(tmp_path: Path) -> None:
    """Logs that hold no model call are named as such."""
    transcript(tmp_path, "empty", '{"type":"user"}\n')

    assert "but none of them holds a model call yet" in ringlet(tmp_path, "usage").out


def test_missing_prices_are_marked_and_explained(home: Path) -> None:
    """A cost without every call in it bears a mark, and a note names the model and the command; an unbilled one has its own."""
    out = ringlet(home, "usage").out

    assert "* 1 call has no known price and no cost here (mystery-9).\n  Why: ringlet prices show mystery-9." in out
    assert "- 1 call is not billed per token (local or managed provider)" in out
    assert 'config.toml: [providers.NAME] billing = "metered".' in out


def test_unknown_cost_is_null_in_json_and_a_dash_in_tables(home: Path) -> None:
    """What nobody has a price for is `-` and null, never zero; the calls are counted."""
    found = summary(home, "--model", "mystery-9")

    assert (found["total_cost"], found["unpriced_requests"], found["unpriced_models"]) == (None, 1, ["mystery-9"])
    assert rows(home, "models", "--model", "mystery-9")[1] == ["mystery-9", "1", "1K / 100", "-*"]


def test_json_is_s0s_summary(tmp_path: Path) -> None:
    """S0's own example: its tokens at Sonnet's prices cost 0.375 + 0.675 + 0.0375 + 0.015 = 1.1025, written with every digit."""
    transcript(
        tmp_path,
        "one",
        reply(1, "2026-05-13T10:00:00Z", input=125_000, output=45_000, write=10_000, read=50_000),
        reply(2, "2026-05-13T11:00:00Z", input=0, output=0),
    )
    text = ringlet(tmp_path, "usage", "--period", "week", "--json").out
    found = json.loads(text)

    assert found["period"] == "This week"
    assert found["total_tokens"] == {
        "input_tokens": 125000,
        "output_tokens": 45000,
        "cache_creation_input_tokens": 10000,
        "cache_read_input_tokens": 50000,
    }
    assert found["total_cost"] == {
        "input_cost": 0.375,
        "output_cost": 0.675,
        "cache_creation_cost": 0.0375,
        "cache_read_cost": 0.015,
        "other_cost": 0,
        "total_cost": 1.1025,
    }
    assert '"total_cost": 1.1025\n' in text
    assert (found["total_sessions"], found["total_runtime_secs"], found["schema_version"]) == (1, 3600, 1)
    profile = found["aggregates"]["by_profile"]["default"]
    assert (profile["profile"], profile["sessions"], profile["runtime_secs"], profile["last_used"]) == (
        "default",
        1,
        3600,
        "2026-05-13T11:00:00Z",
    )
    assert found["as_of"] == "2026-05-13T12:00:00Z"


def test_new_lines_are_in_the_next_answer(home: Path) -> None:
    """What an agent wrote since is in the answer, without being asked for."""
    before = summary(home, "--period", "all")["total_requests"]
    path = home / ".claude" / "projects" / "-src" / "one.jsonl"
    path.write_text(path.read_text() + reply(50, "2026-05-13T11:59:00Z") + reply(51, "2026-03-15T12:00:00Z"))

    assert summary(home, "--period", "all")["total_requests"] == before + 2  # type: ignore[operator]


def test_no_sync_answers_from_what_is_known(home: Path) -> None:
    """`--no-sync` does not look at the logs, and says in `as_of` how old the answer is."""
    before = summary(home, "--period", "all")
    transcript(home, "five", reply(60, "2026-05-13T11:00:00Z"))
    asked = json.loads(ringlet(home, "usage", "--period", "all", "--no-sync", "--json", now="2026-05-13T13:00:00+00:00").out)

    assert (asked["total_requests"], asked["as_of"]) == (before["total_requests"], before["as_of"])
    assert summary(home, "--period", "all")["total_requests"] == before["total_requests"] + 1  # type: ignore[operator]


def test_history_stays_when_the_logs_go(home: Path) -> None:
    """An answer holds what was imported once, also after the agent has deleted its logs."""
    before = summary(home, "--period", "all")
    for path in (home / ".claude" / "projects" / "-src").iterdir():
        path.unlink()

    assert summary(home, "--period", "all") == before


def test_changed_rules_change_history(home: Path) -> None:
    """Profiles are not stored with calls: other rules, other rows, at the next question."""
    assert "acme" in ringlet(home, "usage", "profiles", "--period", "all").out
    (home / "rl" / "profiles.json").unlink()

    assert "acme" not in ringlet(home, "usage", "profiles", "--period", "all").out


def test_own_price_prices_the_past(home: Path) -> None:
    """A price in the configuration gives the model's earlier calls a cost: 1000 x $2 + 100 x $10 per million = $0.003."""
    assert summary(home, "--model", "mystery-9")["total_cost"] is None
    (home / "rl" / "config.toml").write_text('[tokenPriceTable."mystery-9"]\ninput = 2\noutput = 10\n')

    assert summary(home, "--model", "mystery-9")["total_cost"]["total_cost"] == 0.003  # type: ignore[index]


def test_days_are_those_of_the_zone(home: Path) -> None:
    """Call 4 at 23:50Z is yesterday's in UTC and today's in Berlin, whether the zone is the machine's or asked for."""
    assert summary(home, "--period", "yesterday")["total_requests"] == 1
    assert summary(home, "--period", "yesterday", "--tz", "Europe/Berlin")["total_requests"] == 0
    assert json.loads(ringlet(home, "usage", "--period", "yesterday", "--json", zone="Europe/Berlin").out)["total_requests"] == 0


def test_week_start_is_asked_or_configured(home: Path) -> None:
    """With weeks from Tuesday, Monday's two calls belong to the week before."""
    assert summary(home, "--period", "week")["total_requests"] == 8
    assert summary(home, "--period", "week", "--week-start", "tue")["total_requests"] == 6
    (home / "rl" / "config.toml").write_text('week_start = "tuesday"\n')
    assert summary(home, "--period", "week")["total_requests"] == 6


def test_rolling_day_counts_hours(home: Path) -> None:
    """At noon, `24h` holds all calls since noon yesterday: six on two calendar days."""
    assert summary(home, "--period", "24h")["total_requests"] == 6


def test_a_damaged_snapshot_is_made_anew(home: Path) -> None:
    """A cut, emptied or missing file of the snapshot changes no answer."""
    before = ringlet(home, "usage", "--period", "all").out
    for name in ("snapshot.today", "snapshot.base"):
        path = home / "rl" / "views" / name
        text = path.read_bytes()
        for damaged in (text[: len(text) // 2], b"", b"\0" * len(text)):
            path.write_bytes(damaged)
            assert ringlet(home, "usage", "--period", "all").out == before
        path.unlink()
        assert ringlet(home, "usage", "--period", "all").out == before


def test_store_is_the_users_alone(home: Path) -> None:
    """Nobody else can read the snapshot."""
    ringlet(home, "usage")

    modes = {entry.name: os.stat(entry).st_mode & 0o777 for entry in (home / "rl" / "views").iterdir() if entry.is_file()}
    assert modes["snapshot.today"] == modes["snapshot.base"] == 0o600


@pytest.mark.parametrize("form", ["csv", "json", "jsonl"])
def test_two_ways_to_export_write_the_same_bytes(home: Path, form: str) -> None:
    """`usage export --format X` and `usage --export X` are one; without a period both export everything."""
    one = ringlet(home, "usage", "export", "--format", form)

    assert (one.code, one.err) == (0, "")
    assert one == ringlet(home, "usage", "--export", form)
    assert one == ringlet(home, "usage", "export", "--format", form, "--period", "all")


def test_export_has_a_row_per_call_with_the_nine_columns_first(home: Path) -> None:
    """Eleven calls, oldest first; the first columns are those of one record of usage."""
    lines = ringlet(home, "usage", "--export", "csv").out.split("\r\n")

    assert lines[0].startswith("id,timestamp,profile,agent,provider,model,input_tokens,output_tokens,cost_usd,")
    assert len(lines) == 13
    assert lines[1].split(",")[1:9] == [
        "2026-03-01T12:00:00.000000Z", "default", "claude", "anthropic", "claude-sonnet-4-5-20250929", "1000", "100", "0.0045",
    ]  # fmt: skip


def test_export_takes_filters_periods_and_groupings(home: Path) -> None:
    """JSON is an array of objects, filtered like any table; with a grouping one object is one group."""
    calls = json.loads(ringlet(home, "usage", "--export", "json", "--profile", "acme", "--period", "week").out)
    days = json.loads(
        ringlet(home, "usage", "export", "--format", "json", "--by", "day", "--since", "2026-05-10", "--until", "2026-05-12").out
    )

    assert [(call["profile"], call["provider"]) for call in calls] == [("acme", "anthropic")] * 2
    assert [(day["id"], day["requests"]) for day in days] == [("2026-05-10", 0), ("2026-05-11", 2), ("2026-05-12", 1)]


def test_sums_of_an_export_are_those_of_the_table(home: Path) -> None:
    """The calls of an export add up to the totals of the same question, costs to the last digit."""
    calls = [json.loads(line) for line in ringlet(home, "usage", "--export", "jsonl").out.splitlines()]
    total = summary(home, "--period", "all")

    assert len(calls) == total["total_requests"]
    costs = sum(Decimal(str(call["cost_usd"])) for call in calls if call["cost_usd"] is not None)
    assert costs == Decimal(str(total["total_cost"]["total_cost"]))  # type: ignore[index]


def test_exporting_nothing_is_no_error(home: Path) -> None:
    """A range without calls exports the header alone, or an empty array."""
    assert ringlet(home, "usage", "--export", "json", "--since", "2025-01-01", "--until", "2025-01-02").out == "[]\n"
    assert ringlet(home, "usage", "--export", "csv", "--since", "2025-01-01", "--until", "2025-01-02").out.count("\r\n") == 1


def test_a_log_without_costs_is_told_as_that(home: Path) -> None:
    """`--cost-mode logged` shows what logs state; where they state nothing, no price list is to blame."""
    out = ringlet(home, "usage", "--period", "all", "--cost-mode", "logged").out

    assert "no cost in the log and none here" in out
    assert "At list prices: --cost-mode auto." in out
    assert "registry sync" not in out


def test_a_policy_that_leaves_costs_out_is_named(home: Path) -> None:
    """Where only profiles with the provider `self` have costs, a missing one is the policy's doing, and not to be mended at a provider."""
    (home / "rl").mkdir(exist_ok=True)
    (home / "rl" / "config.toml").write_text('[usage]\ncost_policy = "self-only"\n')
    long, short = (ringlet(home, "usage", "--period", "all").out for _ in range(2))

    assert long == short
    assert ' without cost: cost_policy is "self-only", and the provider of\n  their profile is not self: ringlet profiles list.' in long
    assert "[providers.NAME]" not in long


def test_lost_history_is_told_beside_totals_and_in_none(home: Path) -> None:
    """What Claude Code's statistics remember of 2 May, and no transcript explains, is a note under totals and no number in them."""
    stats = {"version": 2, "dailyModelTokens": [{"date": "2026-05-02", "tokensByModel": {"claude-sonnet-4-5-20250929": 5_000_000}}]}
    (home / ".claude" / "stats-cache.json").write_text(json.dumps(stats))
    before = summary(home, "--period", "week")
    after = summary(home, "--period", "month")

    assert (before["lost_history"], after["lost_history"]) == (None, {"tokens": 5_000_000, "from": "2026-05-02", "to": "2026-05-02"})
    assert after["total_tokens"]["input_tokens"] < 5_000_000  # type: ignore[index]
    for _ in range(2):
        out = ringlet(home, "usage", "--period", "month").out
        assert (
            "! Claude Code remembers at least 5M more tokens (2026-05-02) whose logs are gone.\n  They are in none of these numbers" in out
        )


def test_segments_of_another_machine_are_in_the_answer(home: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Another machine's part of the log, copied beside this one's, is counted too; a call that both saw counts once."""
    other = tmp_path_factory.mktemp("other")
    transcript(other, "theirs", reply(1, "2026-05-13T09:00:00Z", input=2_000_000, output=300_000), reply(80, "2026-05-01T09:00:00Z"))
    ringlet(other, "usage")
    assert ringlet(other, "seal").code == 0
    before = summary(home, "--period", "all")["total_requests"]
    shutil.copytree(other / "rl" / "events", home / "rl" / "events", dirs_exist_ok=True)
    transcript(home, "later", reply(81, "2026-05-13T11:30:00Z"))

    for options in ((), ("--no-sync",)):
        assert summary(home, "--period", "all", *options)["total_requests"] == before + 2  # type: ignore[operator]


@pytest.mark.parametrize("options", [(), ("--no-sync",)])
def test_a_log_that_is_copied_in_counts_at_once(home: Path, tmp_path_factory: pytest.TempPathFactory, options: tuple[str, ...]) -> None:
    """Nothing else need be new: copied folders are noticed on dates that this machine has, on others, and when they go again."""
    other = tmp_path_factory.mktemp("other")
    transcript(other, "theirs", reply(80, "2026-05-13T09:00:00Z"), reply(81, "2025-01-01T09:00:00Z"))
    ringlet(other, "usage")
    ringlet(other, "seal")
    ringlet(home, "usage")
    ringlet(home, "seal")
    mine, theirs = home / "rl" / "events", other / "rl" / "events"
    requests = [summary(home, "--period", "all", *options)["total_requests"]]
    (folder,) = (theirs / "date=2026-05-13").iterdir()
    shutil.copytree(folder, mine / folder.parent.name / folder.name)
    requests.append(summary(home, "--period", "all", *options)["total_requests"])
    shutil.rmtree(mine / folder.parent.name / folder.name)
    requests.append(summary(home, "--period", "all", *options)["total_requests"])
    shutil.copytree(theirs / "date=2025-01-01", mine / "date=2025-01-01")
    requests.append(summary(home, "--period", "all", *options)["total_requests"])

    assert requests == [11, 12, 11, 12]


def test_a_copy_that_is_under_way_counts_what_has_come(home: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The folder of a copy comes before its files: a question in between does not hide them from the next one."""
    other = tmp_path_factory.mktemp("other")
    transcript(other, "theirs", reply(80, "2026-05-13T09:00:00Z"))
    ringlet(other, "usage")
    ringlet(other, "seal")
    ringlet(home, "usage")
    ringlet(home, "seal")
    (segment,) = (other / "rl" / "events").glob("*/*/*")
    target = home / "rl" / "events" / segment.parent.parent.name / segment.parent.name
    target.mkdir()
    before = summary(home, "--period", "all")["total_requests"]
    shutil.copy(segment, target)

    assert (before, summary(home, "--period", "all")["total_requests"]) == (11, 12)


@pytest.mark.parametrize(("told", "width"), [("120", 120), ("0", 80), ("-5", 80), ("wide", 80), ("²", 80)])
def test_the_environment_may_state_the_width(monkeypatch: pytest.MonkeyPatch, told: str, width: int) -> None:
    """COLUMNS is the width where it is a number above zero; anything else states none, and what is no terminal has 80 columns."""
    monkeypatch.setenv("COLUMNS", told)

    assert look(Request()).width == width
