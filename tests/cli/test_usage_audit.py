"""`ringlet usage audit`: what is missing, and how a provider's export compares."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

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


def test_outputs_that_are_known_in_part_are_named_with_both_causes(tmp_path: Path) -> None:
    """An old version wrote a placeholder, or the proxy saw a reply that was cut: nothing tells the two apart by now."""
    line = reply(1, "2026-05-13T09:00:00Z", output=1).replace("2.1.240", "2.1.50").replace('"end_turn"', "null")
    transcript(tmp_path, "one", line)
    outcome = ringlet(tmp_path, "usage", "audit")

    said = "! 1 call of claude-sonnet-4-5-20250929 with a part of the output: logged so by an old version, or cut short"
    assert (outcome.code, said in outcome.out) == (1, True)


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


def bill(home: Path, *rows: str) -> str:
    """A bill with these rows of day, model and sum; the path of it."""
    path = home / "bill.csv"
    path.write_text("usage_date_utc,model,cost_usd\n" + "".join(f"{row}\n" for row in rows))
    return str(path)


@pytest.mark.parametrize(
    ("content", "words", "code", "said"),
    [
        (None, (), 3, "there is no such file"),
        (b"PK\x03\x04rest", (), 1, "is no text but a workbook"),
        (b"day,name\nok,ok\n\xff,x\n", (), 1, "is no text in UTF-8 or UTF-16 from line 3 on"),
        (b"", (), 1, "is empty"),
        (b"day,name,sum\n", ("--date-column", "day", "--model-column", "name", "--amount-column", "cost"), 2, "there are: day, name, sum"),
        (b"usage_date_utc,model,cost_usd\n", ("--period", "24h"), 2, "a bill has whole days"),
        (b"usage_date_utc,model,cost_usd\n", ("--model", "nope"), 2, "no model 'nope'"),
    ],
)
def test_a_file_that_is_no_bill_is_refused(tmp_path: Path, content: bytes | None, words: tuple[str, ...], code: int, said: str) -> None:
    """Each failure is one line that names the file or the words and says what would help."""
    transcript(tmp_path, "one", reply(1, "2026-05-13T09:00:00Z"))
    if content is not None:
        (tmp_path / "x.csv").write_bytes(content)
    outcome = ringlet(tmp_path, "usage", "audit", "--invoice", str(tmp_path / "x.csv"), *words)

    assert (outcome.code, said in outcome.err, outcome.err.count("\n")) == (code, True, 1)


def test_a_bill_in_utf_16_is_read(tmp_path: Path) -> None:
    """What a spreadsheet saves as Unicode text is a bill as well."""
    transcript(tmp_path, "one", reply(1, "2026-05-13T09:00:00Z"))
    (tmp_path / "bill.txt").write_text("usage_date_utc\tmodel\tcost_usd\n2026-05-13\tClaude Sonnet 4.5\t$0.0045\n", "utf-16")

    assert told(tmp_path, "--invoice", str(tmp_path / "bill.txt"))["invoice"]["total_difference"] == 0


def test_days_of_a_bill_are_utc_days_in_any_zone(tmp_path: Path) -> None:
    """A call at 22:00 UTC is on the next day in Tokyo, and on its own in the bill."""
    transcript(tmp_path, "one", reply(1, "2026-05-11T22:00:00Z"))
    found = told(tmp_path, "--tz", "Asia/Tokyo", "--invoice", bill(tmp_path, "2026-05-11T00:00:00Z,claude-sonnet-4-5,0.0045"))["invoice"]

    assert [(row["day"], row["difference"]) for row in found["rows"]] == [("2026-05-11", 0)]


def test_filters_hold_for_the_bill_too(tmp_path: Path) -> None:
    """A filter by model leaves the bill's other models out, a period its other days; of the calls nobody else's are compared."""
    transcript(
        tmp_path,
        "one",
        reply(1, "2026-05-11T09:00:00Z"),
        reply(2, "2026-05-12T09:00:00Z"),
        reply(3, "2026-05-12T09:00:00Z", model="claude-opus-4-5-20251101"),
        reply(4, "2026-05-12T09:00:00Z", model="gpt-5"),
    )
    rows = ("2026-05-11,Claude Sonnet 4.5,1", "2026-05-12,Claude Sonnet 4.5,2", "2026-05-12,Claude Opus 4.5,3")
    path = bill(tmp_path, *rows)
    sonnet = told(tmp_path, "--model", "claude-sonnet-4-5", "--since", "2026-05-12", "--until", "2026-05-12", "--invoice", path)["invoice"]
    claudes = told(tmp_path, "--model", "claude-*", "--since", "2026-05-12", "--until", "2026-05-12", "--invoice", path)["invoice"]

    assert [(row["model"], row["theirs"], row["calls"]) for row in sonnet["rows"]] == [("claude-sonnet-4-5", 2, 1)]
    assert [(row["model"], row["theirs"]) for row in claudes["rows"]] == [("claude-opus-4-5", 3), ("claude-sonnet-4-5", 2)]
    assert sonnet["rows_outside"] == 2


def test_a_bill_of_other_days_compares_nothing(tmp_path: Path) -> None:
    """That nothing was compared is said, and no agreement is claimed."""
    transcript(tmp_path, "one", reply(1, "2026-05-13T09:00:00Z"))
    outcome = ringlet(tmp_path, "usage", "audit", "--period", "today", "--invoice", bill(tmp_path, "2026-05-11,Claude Sonnet 4.5,1"))

    assert (outcome.code, "nothing of the bill is compared" in outcome.out) == (1, True)


def test_calls_without_a_price_are_not_called_missing(tmp_path: Path) -> None:
    """A billed model that we know calls of, but no price, lacks a price and not a call."""
    transcript(tmp_path, "one", reply(1, "2026-05-13T09:00:00Z", model="claude-mystery-9"))
    found = told(tmp_path, "--invoice", bill(tmp_path, "2026-05-13,Claude Mystery 9,1"))

    assert [(row["calls"], row["unpriced_calls"], row["ours"]) for row in found["invoice"]["rows"]] == [(1, 1, None)]
    assert found["invoice"]["only_theirs"] == 0
    assert "calls of these days have no price here: claude-mystery-9 (ringlet prices show MODEL)" in found["warnings"]


def test_the_table_fits_a_narrow_terminal(tmp_path: Path) -> None:
    """Rows of long names and large sums stay within 80 columns."""
    transcript(tmp_path, "one", reply(1, "2026-05-13T09:00:00Z"))
    out = ringlet(
        tmp_path, "usage", "audit", "--invoice", bill(tmp_path, '2026-05-13,a-model-with-a-very-long-name-indeed,"98,765.4321"')
    ).out
    rows = [line for line in out.splitlines() if line.startswith(("DAY", "2026-05-13", "TOTAL"))]

    assert len(rows) == 4
    assert max(map(len, rows)) <= 80


def test_what_is_lost_or_unread_is_that_of_the_agent_asked_for(tmp_path: Path) -> None:
    """Of quarantine and of an agent's own statistics only the agent is known: another agent's audit has none of it."""
    transcript(tmp_path, "one", reply(1, "2026-05-13T09:00:00Z"), reply(2, "never"))
    day = {"date": "2026-05-01", "tokensByModel": {"claude-sonnet-4-5-20250929": 500}}
    (tmp_path / ".claude" / "stats-cache.json").write_text(json.dumps({"version": 1, "dailyModelTokens": [day]}))

    every, claude, codex = (told(tmp_path, *words)["coverage"] for words in ((), ("--agent", "claude"), ("--agent", "codex")))
    session = told(tmp_path, "--session", "s1")["coverage"]

    assert [each["quarantined"] for each in (every, claude, codex)] == [{"bad_timestamp": 1}, {"bad_timestamp": 1}, {}]
    assert [each["lost_history"]["claude_tokens"] for each in (every, claude, codex, session)] == [500, 500, 0, 0]
