"""`ringlet explain`: a total is taken apart without a rest, down to places in files and rows of the price book."""

import json
import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.log import Log
from tests.cli.homes import mixed, reply, ringlet, transcript
from tests.sizes import times

MODELS = ("claude-sonnet-4-5", "claude-opus-4-5-20251101", "mystery-9", "claude-*")
OPTIONS: dict[str, tuple[str, ...]] = {
    "--model": MODELS,
    "--profile": ("acme", "mine", "default"),
    "--agent": ("claude",),
    "--project": ("/src/acme/api", "shop"),
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("home")
    mixed(made)
    transcript(made, "fork", reply(1, "2026-05-13T09:00:00Z", session="s9", input=2_000_000, output=5))
    return made


def told(home: Path, *words: str) -> Any:
    return json.loads(ringlet(home, "explain", *words, "--json").out, parse_float=Decimal)


@settings(max_examples=times(25), deadline=None)
@given(
    filters=st.fixed_dictionaries({}, optional={name: st.sampled_from(values) for name, values in OPTIONS.items()}),
    dates=st.sampled_from((("--period", "all"), ("--period", "week"), ("--since", "2026-03-01", "--until", "2026-05-11"))),
    zone=st.sampled_from(("UTC", "Asia/Kathmandu")),
)
def test_calls_add_up_to_the_answer(home: Path, filters: dict[str, str], dates: tuple[str, ...], zone: str) -> None:
    """Whatever is asked: the calls and the parts explained add up to what `ringlet usage` says, to the last digit."""
    words = [*dates, "--tz", zone, *(word for pair in filters.items() for word in pair)]
    found = told(home, *words)
    usage = json.loads(ringlet(home, "usage", *words, "--json").out, parse_float=Decimal)

    assert len(found["calls"]) == usage["total_requests"]
    for costs in ([call["cost"] for call in found["calls"]], [part["cost"] for part in found["parts"]]):
        known = [cost for cost in costs if cost is not None]
        assert sum(known) == (usage["total_cost"] or {"total_cost": None})["total_cost"] or (not known and not found["total_cost"])


def test_a_part_is_tokens_times_rate(home: Path) -> None:
    """4,000 tokens written to the cache for 5 minutes at $6.25 a million cost $0.025; 2 M of input beyond 200 K cost $6 a million."""
    parts = {(part["model"], part["what"], part["tokens"]): part for part in told(home, "--day", "2026-05-13")["parts"]}

    assert parts["claude-opus-4-5-20251101", "cache_write_5m", 4000]["cost"] == Decimal("0.025")
    assert parts["claude-sonnet-4-5-20250929", "input", 2_000_000]["cost"] == 12


def test_a_call_stands_where_its_line_stands(home: Path) -> None:
    """File, offset and length of a call cut its line out of the transcript."""
    call = next(each for each in told(home, "--day", "2026-05-12")["calls"])
    line = Path(call["file"]).read_bytes()[call["offset"] : call["offset"] + call["length"]]

    assert json.loads(line)["message"]["id"] == "msg_4"


def test_a_dropped_record_says_where_it_stands_and_what_counts(home: Path) -> None:
    """The copy with 5 output tokens loses to the fuller record, and both places are named."""
    (dropped,) = told(home, "--day", "2026-05-13")["dropped"]

    assert (Path(dropped["file"]).name, dropped["offset"], dropped["output"], dropped["identity"]) == ("fork.jsonl", 0, 5, "same key")
    assert dropped["why"] == "a fuller or later record of the same call counts"
    assert dropped["counts"].rpartition("/")[2].startswith("one.jsonl:0+")


def test_one_call_shows_its_price_to_the_last_digit(home: Path) -> None:
    """A call names the row of the price book, its threshold and each product; a prefix of its key is enough."""
    key = next(call["key"] for call in told(home, "--day", "2026-05-13")["calls"] if call["input"] == 2_000_000)
    found = told(home, key[:8])

    assert found["key"] == key
    assert found["price"]["prompt_over"] == 200_000
    assert [(each["class"], each["count"], each["cost"]) for each in found["arithmetic"]] == [
        ("input", 2_000_000, 12),
        ("output", 300_000, Decimal("6.75")),
    ]
    assert found["place_state"] == "the file still holds that record"


@pytest.mark.parametrize(("words", "code"), [(("0" * 32,), 3), (("xyz",), 2), (("ab", "--model", "x"), 2), (("--day", "May"), 2)])
def test_what_is_no_call_is_refused(home: Path, words: tuple[str, ...], code: int) -> None:
    """A key of no call is not found; a word that is no key, or a key with filters, is wrong usage."""
    assert ringlet(home, "explain", *words).code == code


def test_an_ambiguous_key_lists_the_calls(tmp_path: Path) -> None:
    """Of 17 calls at least two keys begin with the same digit: it is refused with both keys."""
    transcript(tmp_path, "one", *(reply(number, "2026-05-13T09:00:00Z") for number in range(17)))
    keys = [call["key"] for call in told(tmp_path, "--day", "2026-05-13")["calls"]]
    digit = next(key[0] for key in keys if sum(other[0] == key[0] for other in keys) > 1)
    refused = ringlet(tmp_path, "explain", digit)

    assert refused.code == 2
    assert all(key in refused.err for key in keys if key[0] == digit)


def test_another_machines_call_stands_in_no_file_of_this_one(tmp_path: Path) -> None:
    """Each machine numbers its sources from one: a call that only the other has read is in none of our files, ours keeps its place."""
    transcript(tmp_path, "ours", reply(1, "2026-05-13T09:00:00Z"))
    transcript(tmp_path / "other", "theirs", reply(2, "2026-05-13T10:00:00Z"))
    for home in (tmp_path, tmp_path / "other"):
        ringlet(home, "usage")
    with Log.open(tmp_path / "other" / "rl") as log:
        log.seal()
    shutil.copytree(tmp_path / "other" / "rl" / "events", tmp_path / "rl" / "events", dirs_exist_ok=True)
    ours, theirs = told(tmp_path, "--day", "2026-05-13")["calls"]
    one = told(tmp_path, theirs["key"])

    assert (Path(ours["file"]).name, theirs["file"], theirs["place"]) == ("ours.jsonl", None, "unknown")
    assert (one["rows"][0]["place"], one["place_state"]) == ("unknown", "only the machine that read that record knows the file")


def test_a_source_that_is_gone_is_told_from_its_counts(tmp_path: Path) -> None:
    """What a deleted file repeated can no longer be shown; its counts say how many records that were."""
    transcript(tmp_path, "one", reply(1, "2026-05-13T09:00:00Z"))
    copy = transcript(tmp_path, "two", reply(1, "2026-05-13T09:00:00Z"))
    before = told(tmp_path, "--day", "2026-05-13")
    copy.unlink()
    after = told(tmp_path, "--day", "2026-05-13")

    assert (len(before["dropped"]), before["sources_not_read_again"]) == (1, [])
    assert after["sources_not_read_again"][0]["reason"] == "gone"


def test_prompt_text_is_never_shown(tmp_path: Path) -> None:
    """A canary in a line's content reaches neither form of the output."""
    line = reply(1, "2026-05-13T09:00:00Z").replace('"content": []', '"content": [{"type": "text", "text": "CANARY"}]')
    transcript(tmp_path, "one", line)
    key = told(tmp_path, "--day", "2026-05-13")["calls"][0]["key"]

    assert not any("CANARY" in ringlet(tmp_path, "explain", *words).out for words in ((), ("--json",), (key,), (key, "--json")))


def test_cases_of_all_kinds_are_explained_to_the_last_digit(tmp_path: Path) -> None:
    """Every case of both line-writing agents in one store: no call is without a place, and calls and parts add up to the answer."""
    cases = Path(__file__).parents[2] / "data-fixtures"
    for number, path in enumerate(sorted(cases.glob("claude/**/*.jsonl")) + sorted(cases.glob("codex/**/*.jsonl"))):
        is_claude = path.is_relative_to(cases / "claude")
        folder = tmp_path / (".claude/projects" if is_claude else ".codex/sessions/2026/05") / str(number)
        folder.mkdir(parents=True)
        shutil.copy(path, folder / (path.name if is_claude or path.name.startswith("rollout") else f"rollout-{path.name}"))
    for words in (("--period", "all"), ("--period", "all", "--agent", "codex"), ("--period", "all", "--agent", "claude")):
        found = told(tmp_path, *words)
        usage = json.loads(ringlet(tmp_path, "usage", *words, "--json").out, parse_float=Decimal)

        assert len(found["calls"]) == usage["total_requests"] > 0
        assert sum(call["cost"] or 0 for call in found["calls"]) == usage["total_cost"]["total_cost"]
        assert sum(part["cost"] or 0 for part in found["parts"]) == usage["total_cost"]["total_cost"]
        assert not [call for call in found["calls"] if call["place_state"] != "the file still holds that record"]


def test_a_former_name_of_a_call_leads_to_it(tmp_path: Path) -> None:
    """A record without a request id names the call by its message alone; the fuller key that came later is found by that name too."""
    line = json.loads(reply(1, "2026-05-13T09:00:00Z", output=5))
    del line["requestId"]
    transcript(tmp_path, "one", json.dumps(line) + "\n")
    (before,) = told(tmp_path, "--period", "all")["calls"]
    transcript(tmp_path, "two", reply(1, "2026-05-13T09:00:00Z"))
    ringlet(tmp_path, "usage", now="2026-05-13T13:00:00+00:00")
    (after,) = told(tmp_path, "--period", "all")["calls"]

    one = told(tmp_path, before["key"])

    assert (one["key"], one["key"] != before["key"]) == (after["key"], True)
    assert [(row["kind"], row["key"]) for row in one["rows"]] == [
        ("call", before["key"]),
        ("retraction", before["key"]),
        ("call", after["key"]),
    ]
    assert [(Path(each["file"]).name, each["identity"]) for each in one["dropped"]] == [("one.jsonl", "an id it claims")]


def test_a_day_without_calls_names_one_with_calls(home: Path) -> None:
    """An empty answer is one line that names the last day with calls and the command that explains it."""
    assert ringlet(home, "explain", "--day", "2026-04-01").out == (
        "No usage on 2026-04-01. The last day with data is 2026-05-13: ringlet explain --day 2026-05-13\n"
    )
