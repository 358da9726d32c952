"""What one listing says, and the user's own table."""

from decimal import Decimal

import pytest

from views.pricing import listing
from views.pricing.book import ALWAYS, Book

FLAT: dict[str, object] = {"input_cost_per_token": 3e-06, "output_cost_per_token": "0.000015"}


def test_rates_are_attodollars_from_numbers_and_strings() -> None:
    """A float counts as the shortest decimal that means it, a string as it stands."""
    assert listing.fields_of(FLAT) == {"i": 3 * 10**12, "o": 15 * 10**12}


def test_digits_past_the_eighteenth_are_rounded() -> None:
    """2.9999900000000002e-06 is the noise of a binary fraction: $2.99999 per million."""
    assert listing.rate("2.9999900000000002e-06", "input_cost_per_token") == 2_999_990_000_000


@pytest.mark.parametrize("value", [1e-03, 0.0056, 3, -1, "-3e-06", 9e-10, float("nan"), "inf", "NaN", "three", True, [], {}, "1e-3"])
def test_what_is_no_price_per_token_is_refused(value: object) -> None:
    """A rate is zero or from 1e-9 up to below 1e-3 US dollars; anything else is another unit or no price, and takes its listing with it."""
    with pytest.raises(listing.Unbelievable):
        listing.fields_of(FLAT | {"cache_read_input_token_cost": value})


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("cache_creation_input_token_cost_above_1hr_above_200k_tokens", "h@200000"),
        ("input_cost_per_token_above_272k_tokens_priority", "i@272000.priority"),
        ("input_cost_per_token_flex_above_272k_tokens", "i@272000.flex"),
        ("output_cost_per_token_batches", "o.batch"),
        ("output_cost_per_token_ultrafast", "o.ultrafast"),
        ("output_cost_per_token_fast", "o.fast"),
        ("output_cost_per_token_above_128_tokens", "o@128"),
        ("input_cost_per_token_cache_hit", "r"),
        ("output_cost_per_reasoning_token", "g"),
    ],
)
def test_field_names(name: str, field: str) -> None:
    """Class, threshold and service tier are read from the name, in either order."""
    assert listing.fields_of({name: 1e-06}) == {field: 10**12}


@pytest.mark.parametrize(
    "name", ["cache_creation_input_token_cost_above_12hr", "input_cost_per_audio_token", "input_cost_per_token_above_x_tokens"]
)
def test_other_fields_are_passed_over(name: str) -> None:
    """What is no price of text tokens in a class of ours is left out, whatever its value."""
    assert listing.fields_of({name: 1e-06}) == {}


def test_present_cache_read_name_wins_over_the_old_one() -> None:
    """Where a listing has both names of the cache read rate, today's counts."""
    assert listing.fields_of({"cache_read_input_token_cost": 1e-07, "input_cost_per_token_cache_hit": 5e-07}) == {"r": 10**11}


def test_search_price_is_the_medium_one_and_a_price_per_thousand_is_dropped_alone() -> None:
    """Search context sizes are not logged: the medium price counts. $35 is per thousand; the row's other prices still hold."""
    sizes = {"search_context_size_low": 0.03, "search_context_size_medium": 0.035, "search_context_size_high": 0.05}

    assert listing.fields_of({"search_context_cost_per_query": sizes}) == {"s": 35 * 10**15}
    assert listing.fields_of(FLAT | {"search_context_cost_per_query": {"search_context_size_medium": 35.0}}).keys() == {"i", "o"}


@pytest.mark.parametrize(
    ("sizes", "price"),
    [
        ({"search_context_size_low": 0.01}, 10**16),
        ({"search_context_size_medium": 0}, 0),
        ({"search_context_size_medium": 1}, 10**18),
        ({"search_context_size_medium": "1.01"}, None),
        ({"search_context_size_high": 0.05}, None),
        ({"search_context_size_medium": None}, None),
        (0.01, None),
    ],
)
def test_a_search_costs_up_to_a_dollar(sizes: object, price: int | None) -> None:
    """The medium price, else the small one; nothing is a price of a search that costs more than a dollar, or stands elsewhere."""
    assert listing.fields_of({"search_context_cost_per_query": sizes}).get("s") == price


def test_a_price_that_is_null_is_not_listed() -> None:
    """Null is not zero: nothing is known."""
    assert listing.fields_of(FLAT | {"cache_read_input_token_cost": None}).keys() == {"i", "o"}


@pytest.mark.parametrize("tiers", [[{}], ["x"], [{"range": [0]}], [{"range": "0-1"}], [{"range": [0, 1, 2]}]])
def test_a_table_of_tiers_without_ranges_is_refused(tiers: object) -> None:
    """Which prompts a tier is for is not guessed."""
    with pytest.raises(listing.Unbelievable):
        listing.fields_of(FLAT | {"tiered_pricing": tiers})


@pytest.mark.parametrize("tiers", [[], None, {}])
def test_no_table_of_tiers_leaves_the_rates(tiers: object) -> None:
    """An empty table replaces nothing."""
    assert listing.fields_of(FLAT | {"tiered_pricing": tiers}) == listing.fields_of(FLAT)


def test_only_numbers_are_factors() -> None:
    """What else a listing says of its provider is passed over."""
    assert listing.fields_of({"provider_specific_entry": {"fast": True, "us": None, "A b": 2, "more": {"x": 1}, "eu": "1.1"}}) == {
        "x.eu": "11/10"
    }


def test_factors_are_fractions() -> None:
    """1.1 is eleven tenths, not its nearest binary fraction."""
    assert listing.fields_of({"provider_specific_entry": {"fast": 6.0, "us": 1.1}}) == {"x.fast": "6/1", "x.us": "11/10"}


def test_off_peak_weekdays_by_number_or_name_and_hours_for_every_day() -> None:
    """Windows for every day, for weekdays by number or name, in the listing's zone."""
    block = {"hours_utc": "16:30-00:30", "weekday_timezone": "Asia/Shanghai", "input_cost_per_token": 1e-06}
    block |= {"windows": [{"hours_utc": ["00:00-01:00"], "weekdays": [1, "Tuesday"]}]}

    assert listing.fields_of({"off_peak_pricing": block}) == {"p": "480|1234567:990-30|12:0-60", "i~": 10**12}


@pytest.mark.parametrize(
    "block",
    [
        {"hours_utc": "25:00-01:00"},
        {"windows": [{"hours_utc": "01:00-02:00", "weekdays": [8]}]},
        {"windows": [{"hours_utc": "01:00-02:00", "weekdays": ["12"]}]},
        {"weekday_timezone": "Mars"},
    ],
)
def test_unreadable_hours_are_refused(block: dict[str, object]) -> None:
    """A listing whose hours cannot be read is not believed."""
    with pytest.raises(listing.Unbelievable):
        listing.fields_of(FLAT | {"off_peak_pricing": block})


def test_table_is_in_dollars_per_million_tokens() -> None:
    """$0.075 per million tokens is 75,000,000,000 attodollars per token, as text, integer or decimal."""
    text = listing.table({"My-Model": {"input": "0.075", "output": 2, "cache_write_1h": Decimal("1.5"), "cache_read": None, "from": None}})
    entry = Book(b"", overrides=text).override("my-model")

    assert entry is not None
    assert entry.name == "My-Model"
    assert entry.rows[0].fields == {"i": 75 * 10**9, "o": 2 * 10**12, "h": 15 * 10**11}
    assert entry.rows[0].day == ALWAYS


def test_table_rows_of_one_model_may_follow_each_other() -> None:
    """Several rows with dates are a price history of one's own."""
    text = listing.table({"m": [{"input": 2, "output": 2, "from": "2026-05-01"}, {"input": 1, "output": 1}]})
    entry = Book(b"", overrides=text).override("m")

    assert entry is not None
    assert [row.fields["i"] for row in entry.rows] == [10**12, 2 * 10**12]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"input": 1}, "input and output are needed"),
        ({"output": 1}, "input and output are needed"),
        ({"input": 0.000003, "output": 1}, "per million tokens"),
        ({"input": 5000, "output": 1}, "per million tokens"),
        ({"input": 1, "output": 1, "cache": 1}, "unknown cache"),
        ({"input": 1, "output": 1, "from": "soon"}, "is not a date"),
        ({"input": "one", "output": 1}, "not a price"),
    ],
)
def test_table_row_that_cannot_be_meant_is_refused_with_the_reason(row: dict[str, object], said: str) -> None:
    """A mistake in the user's table is an error that names it, never a silent price."""
    with pytest.raises(listing.Unbelievable, match=f'tokenPriceTable."m": .*{said}'):
        listing.table({"m": row})


@pytest.mark.parametrize("name", ["", "a\tb", "a\nb", "a\rb"])
def test_a_name_that_no_file_can_hold_is_refused(name: str) -> None:
    """A model's name is one word of one line."""
    with pytest.raises(listing.Unbelievable, match="is not a model name"):
        listing.table({name: {"input": 1, "output": 1}})
