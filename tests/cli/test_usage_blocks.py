"""`ringlet usage blocks`: how blocks are shown, and that they add up to `ringlet usage`."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.homes import Outcome, mixed, reply, ringlet, transcript


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("home")
    mixed(made)
    return made


def blocks(home: Path, *words: str, now: str = "2026-05-13T12:00:00+00:00", zone: str = "UTC") -> Outcome:
    return ringlet(home, "usage", "blocks", *words, now=now, zone=zone)


def told(home: Path, *words: str, **facts: str) -> Any:
    return json.loads(blocks(home, *words, "--json", **facts).out)


def test_the_table_has_blocks_gaps_and_what_the_active_one_burns(home: Path) -> None:
    """Calls of 12 May 23:50 and 00:10; a gap from 05:10 on; 09:00, 09:30, 10:00 and 11:00, of which 14:00 is the end.

    The active block: 2.3 M, 95.1 K, 1.1 K and 1.1 K tokens and 18.75 + 0.0775 dollars (one call has no price, one no bill) in 120 minutes.
    """
    assert blocks(home, "--since", "2026-05-12").out == (
        "Usage · 2026-05-12 to 2026-05-13\n"
        "\n"
        "BLOCK                            REQUESTS       TOKENS     COST\n"
        "2026-05-12 23:00 - 04:00                2     2K / 200    $0.01\n"
        "2026-05-13 05:10 gap of 3h 50m          0        0 / 0    $0.00\n"
        "2026-05-13 09:00 - 14:00 active         4  2.1M / 300K  $18.83*\n"
        "───────────────────────────────────────────────────────────────\n"
        "TOTAL                                   6  2.1M / 301K  $18.84*\n"
        "\n"
        "* 1 call has no known price and no cost here (mystery-9).\n"
        "  Why: ringlet prices show mystery-9. Newer prices: ringlet registry sync.\n"
        "- 1 call is not billed per token (local or managed provider) and without cost.\n"
        "  Which: ringlet usage providers. If one does bill per token, say so in\n"
        '  config.toml: [providers.NAME] billing = "metered".\n'
        "\n"
        "Active block  2h 00m until 14:00\n"
        "Burn rate     19,978 tokens and $0.16* a minute, $9.41* an hour\n"
        "At its end    4.79M tokens and $37.66*, if it goes on like this\n"
    )


def test_times_are_those_of_the_zone(home: Path) -> None:
    """Blocks begin at hours of UTC and are shown by the clock of the question."""
    assert "2026-05-13 14:45 - 19:45 active" in blocks(home, "--tz", "Asia/Kathmandu").out


def test_json_rows_are_blocks(home: Path) -> None:
    """A row says when its block begins and ends, and the active one what it burns; gaps stand beside the rows."""
    found = told(home, "--since", "2026-05-12")
    first, active = found["rows"]

    assert (found["by"], first["block"], first["end"]) == ("block", "2026-05-12T23:00:00Z", "2026-05-13T04:00:00Z")
    assert (first["is_active"], first["burn_rate"], first["projection"]) == (False, None, None)
    assert found["gaps"] == [{"start": "2026-05-13T05:10:00Z", "end": "2026-05-13T09:00:00Z"}]
    assert active["is_active"]
    assert active["burn_rate"]["tokens_per_minute"] == 19978
    assert active["projection"]["remaining_minutes"] == 120
    assert active["projection"]["total_tokens"] == 4794600


@pytest.mark.parametrize(
    "words", [[], ["--period", "7d"], ["--since", "2026-05-13"], ["--profile", "acme"], ["--model", "claude-opus-4-5"], ["--session", "s2"]]
)
def test_blocks_add_up_to_usage(home: Path, words: list[str]) -> None:
    """Under every range and filter the rows' sums are the totals, and those are the totals of `ringlet usage`."""
    period = [] if {"--period", "--since"} & {*words} else ["--period", "all"]
    found = told(home, *words)
    usage = json.loads(ringlet(home, "usage", *words, *period, "--json").out)

    assert {name: found[name] for name in found if name.startswith("total_")} == {
        name: usage[name] for name in usage if name.startswith("total_")
    }
    assert sum(row["requests"] for row in found["rows"]) == usage["total_requests"]


def test_the_active_block_alone(home: Path) -> None:
    """`--active` is about the block that lasts; where none does it says so, and its JSON has no rows."""
    assert told(home, "--active")["total_requests"] == 4
    assert blocks(home, "--active", now="2026-05-13T14:00:00+00:00").out == "No block is active.\n"
    assert told(home, "--active", now="2026-05-13T14:00:00+00:00")["rows"] == []


def test_new_lines_count_at_once(tmp_path: Path) -> None:
    """A call that was just written is in its block."""
    mixed(tmp_path)
    assert told(tmp_path, "--active")["total_requests"] == 4
    transcript(tmp_path, "new", reply(90, "2026-05-13T11:30:00Z"))
    assert told(tmp_path, "--active")["total_requests"] == 5


def test_an_empty_range_names_the_last_day(home: Path) -> None:
    """As every other question does."""
    assert blocks(home, "--since", "2026-04-01", "--until", "2026-04-02").out.startswith("No usage from 2026-04-01 to 2026-04-02")


@pytest.mark.parametrize(
    "line",
    [
        "models --active",
        "--active",
        "blocks --by day",
        "blocks --by-day",
        "blocks --export csv",
        "blocks --cost",
        "blocks --profile nobody",
        "blocks --session nosuch99",
    ],
)
def test_words_that_do_not_go_together(home: Path, line: str) -> None:
    """Wrong usage is exit code 2 and one line."""
    outcome = ringlet(home, "usage", *line.split())

    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
