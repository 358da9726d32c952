"""What a call of a shape pays per token, and the sum."""

from collections.abc import Mapping
from decimal import ROUND_DOWN, Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sizes import times
from tests.views.pricing_rows import book_file, day, one_model
from views.pricing import listing
from views.pricing.book import Book
from views.pricing.cost import Rates, Shape, cost, off_peak, rates_of, resolve, step_prompt
from views.pricing.money import attodollars, dollars, ratio

MICRO = 10**12
"""A millionth of a dollar in attodollars: $1 per million tokens is one MICRO per token."""
DAY = day("2026-05-01")
FLAT = {"input_cost_per_token": 3e-06, "output_cost_per_token": 15e-06}
CACHED = FLAT | {
    "cache_read_input_token_cost": 3e-07,
    "cache_creation_input_token_cost": 3.75e-06,
    "cache_creation_input_token_cost_above_1hr": 6e-06,
}


def rates(
    prices: Mapping[str, object],
    *,
    name: str = "m-1",
    provider: str = "acme",
    prompt: int = 0,
    tier: str | None = None,
    speed: str | None = None,
    geo: str | None = None,
    minute: int | None = None,
    on: int = DAY,
) -> Rates:
    found = resolve(
        one_model({"2025-01-06": prices}, name=name, provider=provider), Shape(provider, name, on, prompt, tier, speed, geo, minute)
    )
    assert found is not None
    return found


def test_five_classes_each_have_their_rate() -> None:
    """Input, output, cache read, 5-minute and 1-hour write are billed apart, and the parts add up."""
    parts = cost(rates(CACHED), input=1_000_000, output=100_000, cache_read=2_000_000, cache_write_5m=10_000, cache_write_1h=20_000)

    assert [dollars(part) for part in parts] == ["3", "1.5", "0.1575", "0.6", "0"]


def test_nothing_is_billed_that_was_not_used() -> None:
    """A token of one class costs its rate and nothing else."""
    found = rates(CACHED)

    assert cost(found, input=1) == (3 * MICRO, 0, 0, 0, 0)
    assert cost(found, output=1) == (0, 15 * MICRO, 0, 0, 0)


def test_prompt_over_the_threshold_bills_the_whole_request_dearer() -> None:
    """300,000 prompt tokens on a model with a 200k tier pay the upper rate for every token, output and cache included."""
    tiered = CACHED | {
        "input_cost_per_token_above_200k_tokens": 6e-06,
        "output_cost_per_token_above_200k_tokens": 22.5e-06,
        "cache_read_input_token_cost_above_200k_tokens": 6e-07,
        "cache_creation_input_token_cost_above_200k_tokens": 7.5e-06,
    }
    parts = cost(rates(tiered, prompt=300_000), input=100_000, output=1_000, cache_read=190_000, cache_write_5m=10_000)

    assert [dollars(part) for part in parts] == ["0.6", "0.0225", "0.075", "0.114", "0"]


@pytest.mark.parametrize(
    ("prompt", "provider", "expected"), [(200_000, "acme", 3), (200_001, "acme", 6), (199_999, "xai", 3), (200_000, "xai", 6)]
)
def test_threshold_is_exceeded_or_for_xai_reached(prompt: int, provider: str, expected: int) -> None:
    """The tier begins above its threshold; at xAI it begins at the threshold itself."""
    assert rates(FLAT | {"input_cost_per_token_above_200k_tokens": 6e-06}, provider=provider, prompt=prompt).input == expected * MICRO


def test_highest_exceeded_threshold_counts() -> None:
    """Of several tiers the highest one that the prompt exceeds bills the request."""
    prices = FLAT | {"input_cost_per_token_above_128k_tokens": 4e-06, "input_cost_per_token_above_256k_tokens": 5e-06}

    assert [rates(prices, prompt=prompt).input // MICRO for prompt in (1, 128_001, 256_001)] == [3, 4, 5]


def test_thresholds_are_compared_as_numbers() -> None:
    """A million is more than two hundred thousand, though it is listed before it."""
    prices = FLAT | {"input_cost_per_token_above_1000k_tokens": 9e-06, "input_cost_per_token_above_200k_tokens": 6e-06}

    assert [rates(prices, prompt=prompt).input // MICRO for prompt in (200_000, 200_001, 1_000_001)] == [3, 6, 9]


@pytest.mark.parametrize(
    ("name", "provider", "listed", "said"),
    [
        ("claude-x-1", "anthropic", {}, ["cache read: 0.1 x input", "1-hour cache write: 2 x input", "cache write: 1.25 x input"]),
        (
            "claude-x-1",
            "anthropic",
            {"cache_creation_input_token_cost": 4e-06},
            ["cache read: 0.1 x input", "1-hour cache write: 2 x input"],
        ),
        ("m-1", "acme", {}, ["cache read: no discount known, input rate", "cache write: no rate listed, input rate"]),
        (
            "m-1",
            "acme",
            {"cache_creation_input_token_cost": 4e-06},
            ["cache read: no discount known, input rate", "1-hour cache write: rate of all cache writes"],
        ),
    ],
)
def test_what_was_assumed_of_the_cache_is_said(name: str, provider: str, listed: dict[str, float], said: list[str]) -> None:
    """Each rate that nobody lists is named with what stands for it, and no other."""
    assert [note for note in rates(FLAT | listed, name=name, provider=provider).notes if "cache" in note] == said


def test_tier_without_a_rate_for_a_class_falls_back_to_the_base_rate() -> None:
    """A threshold that lists no output rate leaves the output rate as it is."""
    assert rates(FLAT | {"input_cost_per_token_above_200k_tokens": 6e-06}, prompt=200_001).output == 15 * MICRO


@pytest.mark.parametrize("field", ["input_cost_per_token_above_272k_tokens_flex", "input_cost_per_token_flex_above_272k_tokens"])
def test_service_tier_stands_before_or_after_the_threshold(field: str) -> None:
    """Both spellings of a tier's rate above a threshold mean the same."""
    prices = FLAT | {"input_cost_per_token_above_272k_tokens": 6e-06, "input_cost_per_token_flex": 1.5e-06, field: 2e-06}

    assert rates(prices, prompt=272_001, tier="flex").input == 2 * MICRO
    assert rates(prices, prompt=272_000, tier="flex").input == 15 * MICRO // 10


def test_service_tier_without_a_rate_above_the_threshold_pays_the_standard_one_there() -> None:
    """Above a threshold the threshold's standard rate comes before the service tier's base rate."""
    prices = FLAT | {"input_cost_per_token_above_272k_tokens": 6e-06, "input_cost_per_token_priority": 5e-06}

    assert rates(prices, prompt=272_001, tier="priority").input == 6 * MICRO


@pytest.mark.parametrize(
    ("tier", "expected"), [("batch", 1), ("priority", 6), ("fast", 6), ("standard", 3), ("default", 3), (None, 3), ("flex", 3)]
)
def test_service_tiers_have_their_rates_and_fall_back_to_standard(tier: str | None, expected: int) -> None:
    """batch and priority pay their listed rate, fast the priority rate, an unlisted tier the standard rate."""
    prices = FLAT | {"input_cost_per_token_batches": 1e-06, "input_cost_per_token_priority": 6e-06}

    assert rates(prices, tier=tier).input == expected * MICRO


@pytest.mark.parametrize(
    ("tier", "said"),
    [
        ("flex", True),
        ("batch", False),
        ("fast", False),
        *((plain, False) for plain in (None, "", "Standard", "default", "auto", "normal", "on_demand", "standard_only")),
    ],
)
def test_an_unlisted_service_tier_is_said(tier: str | None, said: bool) -> None:
    """That the standard rate was taken for a tier without one is told; what providers call their usual service needs no word."""
    found = rates(FLAT | {"input_cost_per_token_batches": 1e-06, "input_cost_per_token_priority": 6e-06}, tier=tier)

    assert [note for note in found.notes if "tier" in note] == ([f"no rate for tier {tier} is listed: standard rate"] if said else [])


def test_fast_and_region_multiply_every_token_class() -> None:
    """Speed fast times 6 and region us times 1.1 apply together to input, output and cache alike, not to searches."""
    prices = CACHED | {
        "provider_specific_entry": {"fast": 6.0, "us": 1.1},
        "search_context_cost_per_query": {"search_context_size_medium": 0.01},
    }
    both = rates(prices, speed="fast", geo="us")

    assert (both.input, both.output) == (198 * MICRO // 10, 99 * MICRO)
    assert (both.cache_read, both.cache_write_5m, both.cache_write_1h) == (198 * MICRO // 100, 2475 * MICRO // 100, 396 * MICRO // 10)
    assert both.web_search == 10**16
    assert rates(prices, geo="us").input == 33 * MICRO // 10
    assert rates(prices, geo="global").input == 3 * MICRO


def test_fast_without_a_listed_rate_is_standard_and_says_so() -> None:
    """A fast call of a model that lists no fast rate pays the standard rate; the result names the assumption."""
    found = rates(FLAT, speed="fast")

    assert found.input == 3 * MICRO
    assert "no rate for fast calls is listed: standard rate" in found.notes


def test_model_named_fast_without_a_fast_rate_is_not_priced_as_the_slow_one() -> None:
    """When the name itself says fast and no fast rate is known, the slower model's price is not its price."""
    book = one_model({"2025-01-06": FLAT}, name="claude-x-1", provider="anthropic")

    assert resolve(book, Shape("anthropic", "claude-x-1-fast", DAY)) is None


def test_anthropic_alone_has_ratios_for_missing_cache_rates() -> None:
    """Claude without cache rates: write 1.25, 1-hour write 2, read 0.1 times input, and $0.01 a search. For any other model a cache read
    without a rate pays the input rate, because no discount is known."""
    claude = rates(FLAT, name="claude-x-1", provider="anthropic")
    other = rates(FLAT)

    assert (claude.cache_write_5m, claude.cache_write_1h, claude.cache_read) == (375 * MICRO // 100, 6 * MICRO, 3 * MICRO // 10)
    assert claude.web_search == 10**16
    assert (other.cache_write_5m, other.cache_write_1h, other.cache_read, other.web_search) == (3 * MICRO, 3 * MICRO, 3 * MICRO, 0)
    assert "cache read: no discount known, input rate" in other.notes


def test_claude_has_its_ratios_at_any_host() -> None:
    """Whoever resells Claude without listing cache rates: they follow Anthropic's ratios."""
    found = rates(FLAT, name="us.anthropic.claude-x-1-v1:0", provider="bedrock")

    assert (found.cache_write_5m, found.cache_write_1h, found.cache_read) == (375 * MICRO // 100, 6 * MICRO, 3 * MICRO // 10)


def test_one_hour_write_without_a_rate_pays_the_rate_of_all_writes() -> None:
    """A model that lists one write rate bills every write at it."""
    assert rates(FLAT | {"cache_creation_input_token_cost": 4e-06}).cache_write_1h == 4 * MICRO


def test_twelve_hour_write_is_no_tier() -> None:
    """Names that only look like a threshold are none: above_1hr is a lifetime, above_12hr is not read."""
    found = rates(CACHED | {"cache_creation_input_token_cost_above_12hr": 9e-06}, prompt=10**9)

    assert (found.cache_write_1h, found.over) == (6 * MICRO, 0)


def test_reasoning_has_its_own_rate_only_where_it_differs() -> None:
    """Reasoning tokens are part of output; they pay their own rate where one is listed apart, else the output rate in every tier."""
    apart = rates(FLAT | {"output_cost_per_reasoning_token": 40e-06})
    same = rates(FLAT | {"output_cost_per_reasoning_token": 15e-06, "output_cost_per_token_priority": 30e-06}, tier="priority")

    assert cost(apart, output=1_000, reasoning=400)[1] == 600 * 15 * MICRO + 400 * 40 * MICRO
    assert same.reasoning == 30 * MICRO


def test_table_of_tiers_replaces_the_base_rates() -> None:
    """A tier table bills the whole request at one tier: 32,000 tokens are still in the first, beyond the last range the last holds, and a
    tier without a cache rate takes its own input rate, not another tier's."""
    table = {
        "tiered_pricing": [
            {"range": [0, 32000.0], "input_cost_per_token": 1e-06, "output_cost_per_token": 5e-06, "cache_read_input_token_cost": 1e-07},
            {"range": [32000.0, 128000.0], "input_cost_per_token": 2e-06, "output_cost_per_token": 9e-06},
        ]
    }

    assert [rates(table, prompt=prompt).input // MICRO for prompt in (0, 32_000, 32_001, 10**6)] == [1, 1, 2, 2]
    assert rates(table, prompt=32_001).cache_read == 2 * MICRO
    assert rates(table).cache_read == MICRO // 10


OFF_PEAK = FLAT | {
    "off_peak_pricing": {
        "input_cost_per_token": 1e-06,
        "windows": [{"hours_utc": ["10:00-00:00"], "weekdays": [1, 2, 3, 4, 5]}, {"hours_utc": "00:00-00:00", "weekdays": ["saturday", 7]}],
    }
}


@pytest.mark.parametrize(
    ("when", "hour", "expected"),
    [("2026-05-01", 9, 3), ("2026-05-01", 10, 1), ("2026-05-01", 23, 1), ("2026-05-02", 9, 1), ("2026-05-03", 3, 1), ("2026-05-04", 3, 3)],
)
def test_off_peak_hours_replace_rates(when: str, hour: int, expected: int) -> None:
    """Friday 1 May 2026 is off-peak from 10:00 UTC, the weekend all day; a rate that the off-peak block does not list stays."""
    found = rates(OFF_PEAK, on=day(when), minute=hour * 60)

    assert (found.input, found.output) == (expected * MICRO, 15 * MICRO)


def test_off_peak_weekday_is_that_of_the_listed_zone() -> None:
    """Sunday 16:30 UTC is Monday in Shanghai; a window may pass midnight."""
    assert not off_peak("480|67:0-0", day("2026-05-03"), 16 * 60 + 30)
    assert off_peak("0|67:0-0", day("2026-05-03"), 16 * 60 + 30)
    assert off_peak("0|1234567:990-30", day("2026-05-03"), 29)
    assert not off_peak("0|1234567:990-30", day("2026-05-03"), 30)


def test_off_peak_hours_begin_with_their_first_minute_and_end_before_their_last() -> None:
    """From one to two: 01:00 is inside and 02:00 is not."""
    assert [off_peak("0|1234567:60-120", DAY, minute) for minute in (59, 60, 119, 120)] == [False, True, True, False]


def test_unknown_time_of_day_pays_the_standard_rate_and_says_so() -> None:
    """Without the time a model with off-peak hours costs its standard rate."""
    found = rates(OFF_PEAK)

    assert found.input == 3 * MICRO
    assert found.off_peak
    assert any("off-peak" in note for note in found.notes)


def test_the_time_of_day_means_nothing_without_off_peak_hours() -> None:
    """A minute is no reason for another price, nor worth a word."""
    found = rates(FLAT, minute=5)

    assert (found.input, found.off_peak) == (3 * MICRO, False)
    assert not any("off-peak" in note for note in found.notes)


def test_rates_are_shown_for_each_threshold_of_the_model() -> None:
    """A column for small prompts and one beyond each threshold that the row itself lists; others' thresholds make none."""
    tiered = FLAT | {"input_cost_per_token_above_128k_tokens": 4e-06, "input_cost_per_token_above_256k_tokens": 5e-06}
    other = FLAT | {"input_cost_per_token_above_200k_tokens": 9e-06}
    book = Book(book_file({("m-1", "acme"): {"2025-01-06": tiered}, ("m-2", "acme"): {"2025-01-06": other}}))

    assert [(column.over, column.input // MICRO) for column in rates_of(book, Shape("acme", "m-1", DAY))] == [
        (0, 3),
        (128_000, 4),
        (256_000, 5),
    ]
    assert rates_of(book, Shape("acme", "m-3", DAY)) == []


def test_user_table_wins_for_its_days_and_is_the_whole_price() -> None:
    """The user's row stands above the list, flat and without the list's tiers; before its date the list holds."""
    table = listing.table({"m-1": {"input": "1.5", "output": 7, "cache_read": 0, "from": "2026-05-01"}})
    tiered = CACHED | {"input_cost_per_token_above_200k_tokens": 6e-06}
    book = Book(book_file({("m-1", "acme"): {"2025-01-06": tiered}}), overrides=table)
    before, after = (resolve(book, Shape("acme", "m-1", on, 300_000)) for on in (DAY - 1, DAY))

    assert before is not None
    assert before.input == 6 * MICRO
    assert after is not None
    assert (after.input, after.output, after.cache_read, after.cache_write_5m) == (15 * MICRO // 10, 7 * MICRO, 0, 15 * MICRO // 10)
    assert (after.rule, after.origin) == ("your tokenPriceTable", "table")


@pytest.mark.parametrize("name", ["input_cost_per_token", "output_cost_per_token"])
def test_row_without_an_input_or_output_rate_prices_nothing(name: str) -> None:
    """Half a price is no price."""
    assert resolve(one_model({"2025-01-06": {name: 1e-06}}), Shape("acme", "m-1", DAY)) is None


def test_zero_price_counts_only_for_the_provider_that_lists_it() -> None:
    """A free row is free at its own provider; anybody else's call of that name is unpriced, never $0."""
    free = one_model({"2025-01-06": {"input_cost_per_token": 0.0, "output_cost_per_token": 0.0}})

    own = resolve(free, Shape("acme", "m-1", DAY))
    assert own is not None
    assert own.input == 0
    assert resolve(free, Shape("other", "m-1", DAY)) is None
    assert resolve(free, Shape(None, "m-1", DAY)) is None


@pytest.mark.parametrize("free", ["input_cost_per_token", "output_cost_per_token"])
def test_only_an_all_zero_row_is_a_free_one(free: str) -> None:
    """A row that asks for something is a price for whoever calls that name."""
    found = resolve(one_model({"2025-01-06": FLAT | {free: 0.0}}), Shape("other", "m-1", DAY))

    assert found is not None
    assert found.input + found.output == (15 if free == "input_cost_per_token" else 3) * MICRO


def test_prompt_of_a_step_exceeds_exactly_that_many_thresholds() -> None:
    """Calls that were grouped by how many thresholds their prompt exceeds are priced by one prompt of their group."""
    steps = (128_000, 199_999, 200_000)

    assert [sum(step_prompt(steps, step) > threshold for threshold in steps) for step in range(4)] == [0, 1, 2, 3]


counts = st.integers(min_value=0, max_value=2**40)
listed = st.integers(min_value=10**9, max_value=10**15 - 1).map(lambda amount: Decimal(amount).scaleb(-18))


@settings(max_examples=times(60), deadline=None)
@given(
    st.tuples(listed, listed, listed, listed, listed), st.tuples(counts, counts, counts, counts, counts), st.sampled_from(["1", "1.1", "6"])
)
def test_sum_equals_exact_decimal_arithmetic(prices: tuple[Decimal, ...], tokens: tuple[int, ...], factor: str) -> None:
    """Integers of attodollars give what exact decimals give: tokens x rate x factor, added up, for any rate of up to 17 decimals."""
    rounded = [price.quantize(Decimal("1e-17"), rounding=ROUND_DOWN) if factor == "1.1" else price for price in prices]
    names = ("input_cost_per_token", "output_cost_per_token", "cache_read_input_token_cost", "cache_creation_input_token_cost")
    row: dict[str, object] = dict(zip((*names, "cache_creation_input_token_cost_above_1hr"), map(str, rounded), strict=True))
    found = rates(row | {"provider_specific_entry": {"fast": factor}}, speed="fast")
    parts = cost(found, input=tokens[0], output=tokens[1], cache_read=tokens[2], cache_write_5m=tokens[3], cache_write_1h=tokens[4])

    expected = sum(
        (Fraction(price) * count * Fraction(Decimal(factor)) for price, count in zip(rounded, tokens, strict=True)), start=Fraction(0)
    )
    assert sum(parts) == expected * 10**18


@settings(max_examples=times(60), deadline=None)
@given(st.decimals(min_value=-1000, max_value=1000, allow_nan=False, allow_infinity=False, places=18))
def test_money_reads_back_what_it_writes(amount: Decimal) -> None:
    """Text to attodollars and back is exact for 18 decimals, with or without an exponent."""
    assert attodollars(format(amount, "f")) == int(amount.scaleb(18))
    assert attodollars(f"{amount:e}") == int(amount.scaleb(18))
    assert Decimal(dollars(attodollars(format(amount, "f")))) == amount


@pytest.mark.parametrize("text", ["", "-", ".", "1,5", "nan", "inf", "0x10", "1e999", "١", "--1", "1e"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    """Money is never guessed."""
    with pytest.raises(ValueError, match=r"amount|invalid literal"):
        attodollars(text)


def test_rounding_is_half_to_even() -> None:
    """Where a product does not come out even, the nearest attodollar counts, the even one in the middle."""
    assert [ratio(rate, 1, 2) for rate in (1, 2, 3, 5)] == [0, 1, 2, 2]


def test_exact_money_has_every_digit() -> None:
    """18 decimals, no rounding, no needless zeros."""
    assert [dollars(amount) for amount in (11025 * 10**14, 10**18, 1, 0)] == ["1.1025", "1", "0.000000000000000001", "0"]
