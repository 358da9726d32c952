"""`ringlet usage audit`: what is missing, and how a provider's export compares."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.cli.homes import mixed, reply, ringlet, transcript

ANTHROPIC = "usage_date_utc,model,workspace,api_key,usage_type,context_window,token_type,cost_usd\n"
LINE = "2026-05-13,Claude Sonnet 4.5,Default,key,message,0-200k,{},{}\n"


def told(home: Path, *words: str) -> Any:
    return json.loads(ringlet(home, "usage", "audit", *words, "--json").out, parse_float=Decimal)


def test_unpriced_and_gaps_are_named_and_end_with_1(tmp_path: Path) -> None:
    """A model without a price and days without calls between others are warnings; 11 calls lie on 6 days."""
    mixed(tmp_path)
    found = told(tmp_path)["coverage"]

    assert found["unpriced"] == [{"model": "mystery-9", "calls": 1, "tokens": 1100}]
    assert found["not_billed"][0]["calls"] == 1
    assert (found["calls"], "2026-03-03" in found["days_without_calls"]) == (11, True)
    assert ringlet(tmp_path, "usage", "audit").code == 1


def test_nothing_missing_ends_with_0(tmp_path: Path) -> None:
    """One priced call, its log still there: nothing to say."""
    transcript(tmp_path, "one", reply(1, "2026-05-13T09:00:00Z"))
    outcome = ringlet(tmp_path, "usage", "audit")

    assert (outcome.code, outcome.out.splitlines()[-1]) == (0, "Nothing is known to be missing.")


def test_days_whose_logs_are_gone_are_named(tmp_path: Path) -> None:
    """A deleted transcript's day is named; its call is still counted."""
    path = transcript(tmp_path, "one", reply(1, "2026-05-12T09:00:00Z"))
    told(tmp_path)
    path.unlink()
    found = told(tmp_path)["coverage"]

    assert (found["days_with_logs_gone"], found["calls"]) == (["2026-05-12"], 1)


def test_days_whose_logs_are_gone_are_those_of_the_question(tmp_path: Path) -> None:
    """A filter leaves only the days of calls that it means, and a day is one of the zone asked for: 22:00 UTC is the next day in Tokyo."""
    sonnet = transcript(tmp_path, "one", reply(1, "2026-05-11T09:00:00Z"))
    opus = transcript(tmp_path, "two", reply(2, "2026-05-11T22:00:00Z", session="s2", model="claude-opus-4-5-20251101"))
    told(tmp_path)
    sonnet.unlink()
    opus.unlink()

    assert told(tmp_path, "--model", "claude-opus-4-5", "--tz", "Asia/Tokyo")["coverage"]["days_with_logs_gone"] == ["2026-05-12"]
    assert told(tmp_path, "--model", "claude-sonnet-4-5")["coverage"]["days_with_logs_gone"] == ["2026-05-11"]
    assert told(tmp_path, "--agent", "codex")["coverage"]["days_with_logs_gone"] == []


def test_an_anthropic_export_is_recognised_and_matched(tmp_path: Path) -> None:
    """1,000 input at $3 and 100 output at $15 a million are 0.0045; the export divides the same sum by token type."""
    transcript(tmp_path, "one", reply(1, "2026-05-13T09:00:00Z"))
    (tmp_path / "bill.csv").write_text(ANTHROPIC + LINE.format("input_no_cache", "0.003") + LINE.format("output", "0.0015"))
    found = told(tmp_path, "--invoice", str(tmp_path / "bill.csv"))

    assert found["invoice"]["format"] == "Anthropic console"
    (row,) = found["invoice"]["rows"]
    assert (row["day"], row["ours"], row["theirs"], row["difference"], row["ratio"]) == (
        "2026-05-13",
        Decimal("0.0045"),
        Decimal("0.0045"),
        0,
        "1.0000",
    )
    assert found["warnings"] == []


def test_bad_rows_are_told_with_their_lines(tmp_path: Path) -> None:
    """A bad amount, a bad date and a short row are reported by line; the others count."""
    transcript(tmp_path, "one", reply(1, "2026-05-13T09:00:00Z"))
    bad = "day,name,sum\n2026-05-13,claude-sonnet-4-5,0.0045\n2026-05-13,claude-sonnet-4-5,much\nMay,claude-sonnet-4-5,1\n2026-05-13\n"
    (tmp_path / "bill.csv").write_text(bad)
    words = ("--date-column", "day", "--model-column", "name", "--amount-column", "sum")
    found = told(tmp_path, "--invoice", str(tmp_path / "bill.csv"), *words)["invoice"]

    assert [each["line"] for each in found["bad_rows"]] == [3, 4, 5]
    assert found["total_theirs"] == Decimal("0.0045")


def test_rows_on_one_side_alone_are_kept(tmp_path: Path) -> None:
    """A billed model that nobody called and a called one that is not billed stand with one side empty."""
    transcript(tmp_path, "one", reply(1, "2026-05-13T09:00:00Z"))
    (tmp_path / "bill.csv").write_text(ANTHROPIC + "2026-05-13,Claude Opus 4.5,Default,key,message,x,output,2\n")
    found = told(tmp_path, "--invoice", str(tmp_path / "bill.csv"))["invoice"]

    assert [(row["model"], row["ours"], row["theirs"]) for row in found["rows"]] == [
        ("claude-opus-4-5", None, 2),
        ("claude-sonnet-4-5", Decimal("0.0045"), None),
    ]


def test_an_unknown_header_is_refused(tmp_path: Path) -> None:
    """A file whose columns nobody named is a failure that says which options name them."""
    transcript(tmp_path, "one", reply(1, "2026-05-13T09:00:00Z"))
    (tmp_path / "bill.csv").write_text("a,b\n1,2\n")
    outcome = ringlet(tmp_path, "usage", "audit", "--invoice", str(tmp_path / "bill.csv"))

    assert (outcome.code, "--date-column" in outcome.err) == (1, True)
