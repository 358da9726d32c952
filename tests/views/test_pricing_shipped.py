"""The shipped price book: worked examples, and that it is what the price history says."""

import json
import subprocess
import sys
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path

import pytest

from tests.views.pricing_rows import day
from views.pricing import build, listing
from views.pricing.book import SHIPPED, entries, newest, open_book
from views.pricing.cost import Rates, Shape, cost, resolve
from views.pricing.money import dollars

ROOT = Path(__file__).parents[2]
HISTORY = ROOT.parent / "shared" / "data" / "litellm-price-history.jsonl"
CORRECTIONS = (HISTORY.with_name("price-corrections.jsonl"), Path(SHIPPED).with_name("corrections.jsonl"))
BOOK = open_book(None)


def rates(provider: str, model: str, on: str, prompt: int = 0, **more: str) -> Rates:
    found = resolve(BOOK, Shape(provider, model, day(on), prompt, **more))  # type: ignore[arg-type]
    assert found is not None
    return found


def total(found: Rates, **tokens: int) -> str:
    return dollars(sum(cost(found, **tokens)))


def test_documented_example() -> None:
    """125,000 in, 45,000 out, 10,000 written, 50,000 read on Claude Sonnet 4 = 0.375 + 0.675 + 0.0375 + 0.015 = 1.1025."""
    parts = cost(
        rates("anthropic", "claude-sonnet-4", "2026-01-20", 60_000), input=125_000, output=45_000, cache_write_5m=10_000, cache_read=50_000
    )

    assert [dollars(part) for part in parts] == ["0.375", "0.675", "0.0375", "0.015", "0"]
    assert dollars(sum(parts)) == "1.1025"


def test_long_prompt_on_a_200k_model_is_dearer_as_a_whole() -> None:
    """300,000 uncached tokens and 1,000 out on Claude Sonnet 4.5: 300,000 x $6 + 1,000 x $22.50 per million = 1.8225."""
    assert total(rates("anthropic", "claude-sonnet-4-5-20250929", "2026-01-20", 300_000), input=300_000, output=1_000) == "1.8225"
    assert total(rates("anthropic", "claude-sonnet-4-5-20250929", "2026-01-20", 200_000), input=200_000, output=1_000) == "0.615"


def test_long_prompt_on_a_272k_model() -> None:
    """GPT-5.6 sol on 2026-10-10 lists $4 in, $20 out, above 272k $8 and $30: 272,000 + 1,000 = 1.108, one token more 2.206008."""
    assert total(rates("openai", "gpt-5.6-sol", "2026-10-10", 272_000), input=272_000, output=1_000) == "1.108"
    assert total(rates("openai", "gpt-5.6-sol", "2026-10-10", 272_001), input=272_001, output=1_000) == "2.206008"


def test_one_hour_cache_write_costs_twice_the_input() -> None:
    """100,000 tokens written for an hour on Claude Sonnet 4.5 ($3 in) cost 0.6, for five minutes 0.375; also before that was listed."""
    for on in ("2025-10-01", "2026-10-20"):
        found = rates("anthropic", "claude-sonnet-4-5", on)
        assert (total(found, cache_write_1h=100_000), total(found, cache_write_5m=100_000)) == ("0.6", "0.375")


def test_fast_and_us_factors() -> None:
    """Claude Opus 4.6 on 2026-05-01 ($5 in, $25 out): fast x 6 = 30 and 150 per million; region us x 1.1 = 5.5; both = 33. The factors were
    first listed on 2026-03-02 and hold for February too; the fast factor left the list on 2026-09-07."""
    assert total(rates("anthropic", "claude-opus-4-6", "2026-05-01", speed="fast"), input=10**6, output=10**6) == "180"
    assert total(rates("anthropic", "claude-opus-4-6", "2026-05-01", geo="us"), input=10**6) == "5.5"
    assert total(rates("anthropic", "claude-opus-4-6", "2026-02-10", speed="fast", geo="us"), input=10**6) == "33"
    assert total(rates("anthropic", "claude-opus-4-6", "2026-10-10", speed="fast"), input=10**6) == "5"


def test_corrected_surcharge() -> None:
    """Claude Opus 4.6 lost its surcharge for long prompts on 2026-03-13, weeks before the list said so."""
    prices = [
        rates("anthropic", "claude-opus-4-6", on, 300_000).input // 10**12
        for on in ("2026-03-12", "2026-03-13", "2026-04-05", "2026-04-06")
    ]

    assert prices == [10, 5, 5, 5]


def test_web_searches_of_claude_cost_a_cent() -> None:
    """$10 per 1,000 searches."""
    assert total(rates("anthropic", "claude-opus-4-1", "2025-08-20"), web_searches=3) == "0.03"


def test_model_that_left_the_list_keeps_its_price() -> None:
    """Claude Opus 4.1 is no longer listed; its calls cost what they cost."""
    assert total(rates("anthropic", "claude-opus-4-1-20250805", "2026-11-20"), input=10**6, output=10**6) == "90"


def test_price_change_holds_from_its_day() -> None:
    """GPT-5.6 luna fell from $1 to $0.20 on 2026-08-10; its earlier calls keep the earlier price, and no tier that came later."""
    assert total(rates("openai", "gpt-5.6-luna", "2026-08-09"), input=10**6) == "1"
    assert total(rates("openai", "gpt-5.6-luna", "2026-08-10"), input=10**6) == "0.2"


def test_off_peak_hours_of_deepseek() -> None:
    """DeepSeek flash on Monday 2026-10-05: $0.30 in at 02:00 UTC, $0.15 at 04:00 UTC."""
    assert total(rates("deepseek", "deepseek-flash", "2026-10-05", minute=120), input=10**6) == "0.3"  # type: ignore[arg-type]
    assert total(rates("deepseek", "deepseek-flash", "2026-10-05", minute=240), input=10**6) == "0.15"  # type: ignore[arg-type]


@pytest.mark.skipif(not HISTORY.exists(), reason="the price history lies beside a checkout only")
def test_shipped_file_is_what_the_builder_makes() -> None:
    """The committed book is the builder's output for the history and the corrections."""
    corrections = [line for path in CORRECTIONS for line in path.read_text().splitlines()]

    assert build.build(HISTORY.read_text().splitlines(), corrections)[0] == Path(SHIPPED).read_bytes()


@pytest.mark.skipif(not HISTORY.exists(), reason="the price history lies beside a checkout only")
@pytest.mark.parametrize(
    ("provider", "prefix"),
    [
        ("vertex_ai", "vertex_ai/"),
        ("google-vertex", "vertex_ai/"),
        ("google-vertex-anthropic", "vertex_ai/"),
        ("azure", "azure/"),
        ("amazon-bedrock", "bedrock/"),
        ("google", "gemini/"),
        ("xai", "xai/"),
        ("moonshotai", "moonshot/"),
        ("github-copilot", "github_copilot/"),
        ("alibaba", "dashscope/"),
    ],
)
def test_a_provider_and_the_rest_of_a_name_find_that_listing(provider: str, prefix: str) -> None:
    """What a provider lists is what its calls pay, whoever made the model: not the maker's own price."""
    listed = [entry.name for entry in entries(Path(SHIPPED).read_bytes(), "shipped") if entry.name.startswith(prefix)]
    found = {name: resolve(BOOK, Shape(provider, name.removeprefix(prefix), day("2026-11-01"))) for name in listed}

    assert listed
    assert [name for name, price in found.items() if price is not None and price.row != name] == []
    assert [name for name, price in found.items() if price is None] == []


def test_every_plain_rate_of_the_history_is_in_the_book() -> None:
    """For each model's newest believed listing, input, output and cache rates are the listed decimals, rounded past the 18th place."""
    names = {
        "input_cost_per_token": "i",
        "output_cost_per_token": "o",
        "cache_read_input_token_cost": "r",
        "cache_creation_input_token_cost": "w",
        "cache_creation_input_token_cost_above_1hr": "h",
        "input_cost_per_token_above_200k_tokens": "i@200000",
        "output_cost_per_token_batches": "o.batch",
        "cache_read_input_token_cost_above_272k_tokens_priority": "r@272000.priority",
    }
    text = Path(SHIPPED).read_bytes()
    compared = 0
    for line in HISTORY.read_text().splitlines():
        listed = json.loads(line, parse_float=Decimal, parse_int=Decimal)
        row = newest(text, listed["model"])
        if row is None or row.day != listing.day_of(listed["from"]) or "tiered_pricing" in listed["prices"]:
            continue
        for name, field in names.items():
            if name in listed["prices"]:
                assert row.fields[field] == int((listed["prices"][name] * 10**18).to_integral_value(ROUND_HALF_EVEN)), (
                    listed["model"],
                    name,
                )
                compared += 1
    assert compared > 12_000


def test_pricing_imports_no_heavy_module() -> None:
    """Resolving a rate imports none of the modules that a command run hundreds of times a day cannot afford."""
    program = "import sys; before = set(sys.modules); import views.pricing.decision; print(*sorted(set(sys.modules) - before))"
    loaded = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()

    assert {name for name in loaded if not name.startswith(("views", "pipeline"))} == set()
