"""`ringlet explain` over stores of all kinds of calls: what it takes apart adds up to what `ringlet usage` says, exactly."""

import json
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.cli.homes import reply, ringlet, transcript

MODELS = ("claude-sonnet-4-5-20250929", "claude-opus-4-5-20251101", "claude-haiku-4-5", "claude-3-5-haiku-20241022", "mystery-9")
ZONES = ("UTC", "America/St_Johns", "Pacific/Apia", "Asia/Kathmandu", "Europe/Berlin")
SECONDS = ("2026-03-28T23:59:59", "2026-03-29T00:30:00", "2026-03-29T01:00:00", "2026-03-30T03:29:59", "2026-03-30T03:30:00")
MODES = ("auto", "calculate", "logged")


def some_store(home: Path, draw: Random) -> None:
    """Some transcripts: all token classes, tiers, regions, searches, reasoning, stated costs, copies and streamed records."""
    (home / "rl").mkdir(mode=0o700)
    override = '[tokenPriceTable."mystery-9"]\ninput = 1.0000001\noutput = 7\nfrom = 2026-03-30\n'
    (home / "rl" / "config.toml").write_text(override if draw.random() < 0.5 else "")
    lines: list[str] = []
    for number in range(40):
        size = draw.choice((1, 1000, 199_999, 200_001))
        line = json.loads(
            reply(
                number,
                draw.choice(SECONDS) + draw.choice((".000Z", ".999Z")),
                model=draw.choice(MODELS),
                session=f"s{number % 3}",
                input=draw.randrange(size),
                output=draw.randrange(5000),
                read=draw.randrange(size),
                write=draw.randrange(5000),
            )
        )
        usage = line["message"]["usage"]
        usage["cache_creation"] = {"ephemeral_5m_input_tokens": (short := usage["cache_creation_input_tokens"] // 3)}
        usage["cache_creation"]["ephemeral_1h_input_tokens"] = usage["cache_creation_input_tokens"] - short
        usage["service_tier"] = draw.choice(("standard", "batch", "priority", None))
        usage["inference_geo"] = draw.choice((None, "us"))
        usage["server_tool_use"] = {"web_search_requests": draw.choice((0, 0, 3))}
        usage["output_tokens_details"] = {"thinking_tokens": usage["output_tokens"] // 2} if draw.random() < 0.5 else None
        if draw.random() < 0.2:
            line["costUSD"] = draw.choice((0.1, 0.000000123, 1))
        lines.append(json.dumps(line) + "\n")
        if draw.random() < 0.3:
            line["message"]["stop_reason"], usage["output_tokens"], usage["output_tokens_details"] = None, 1, None
            lines.insert(draw.randrange(len(lines)), json.dumps(line) + "\n")
    cut = draw.randrange(len(lines))
    transcript(home, "one", *lines[:cut], *draw.sample(lines, 5))
    transcript(home, "two", *lines[cut:])


@pytest.mark.parametrize("seed", range(4))
def test_a_day_of_a_model_adds_up_in_any_zone(tmp_path: Path, seed: int) -> None:
    """Parts and calls of any model on any day of any zone, at any cost mode, add up to usage's cost, to the attodollar."""
    draw = Random(seed)
    some_store(tmp_path, draw)

    def said(command: str, *words: str) -> Any:
        outcome = ringlet(tmp_path, *command.split(), *words, "--json")
        assert outcome.code == 0, outcome.err
        return json.loads(outcome.out, parse_float=Decimal)

    for zone in draw.sample(ZONES, 2):
        days = said("usage daily", "--period", "all", "--tz", zone)["rows"]
        for day in draw.sample(days, min(2, len(days))):
            model, mode = draw.choice(MODELS[:4]), draw.choice(MODES)
            words = ("--model", model, "--tz", zone, "--cost-mode", mode)
            usage = said("usage", "--since", day["date"], "--until", day["date"], *words)
            found = said("explain", "--day", day["date"], *words)
            parts = [part["cost"] for part in found["parts"] if part["cost"] is not None]
            calls = [call["cost"] for call in found["calls"] if call["cost"] is not None]
            total = usage["total_cost"] and usage["total_cost"]["total_cost"]

            assert (sum(parts) if parts else None) == (sum(calls) if calls else None) == found["parts_cost"] == (total if parts else None)
            assert (found["total_requests"], len(found["calls"])) == (usage["total_requests"],) * 2
            assert found["total_tokens"] == sum(usage["total_tokens"][name] for name in usage["total_tokens"] if name.endswith("_tokens"))
            for part in found["parts"]:
                assert part["rate_usd"] is None or part["rate_usd"] * part["tokens"] == part["cost"]
            for call in draw.sample(found["calls"], min(2, len(found["calls"]))):
                one = said("explain", call["key"], "--cost-mode", mode)
                assert one["cost"] == call["cost"]
                products = [each["count"] * each["rate_usd"] for each in one["arithmetic"]]
                assert products == [each["cost"] for each in one["arithmetic"]]
                if one["cost_from"] == "price book":
                    assert sum(products) == one["cost"]
                elif one["cost_from"] == "log":
                    assert one["cost"] == one["cost_stated"]
