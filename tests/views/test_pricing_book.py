"""The price book: what was listed for a model on a day."""

from pathlib import Path

import pytest

from tests.views.pricing_rows import book_file, day, one_model
from views.pricing import listing
from views.pricing.book import Book, amount, open_book

FLAT = {"input_cost_per_token": 3e-06, "output_cost_per_token": 15e-06}


def fields_on(book: Book, when: str, name: str = "m-1") -> dict[str, int | str | None]:
    row = book.find(name)[0].at(day(when))
    assert row is not None
    return row.fields


def test_row_holds_from_its_day_until_the_next_row() -> None:
    """A price is the one of the newest row that is not younger than the call."""
    book = one_model({"2025-01-06": FLAT, "2025-03-03": {**FLAT, "input_cost_per_token": 2e-06}})

    assert fields_on(book, "2025-03-02")["i"] == 3 * 10**12
    assert fields_on(book, "2025-03-03")["i"] == 2 * 10**12
    assert fields_on(book, "2030-01-01")["i"] == 2 * 10**12, "a model that left the list keeps its last row"


def test_before_the_first_row_the_first_row_holds() -> None:
    """A price that was listed later prices the past too."""
    book = one_model({"2025-01-06": FLAT})

    assert fields_on(book, "2024-06-01")["i"] == 3 * 10**12


def test_late_added_field_is_filled_backwards() -> None:
    """A field that is missing in older rows and present later was only listed late: it holds for the older rows too."""
    book = one_model({"2025-01-06": FLAT, "2025-02-03": {**FLAT, "cache_read_input_token_cost": 3e-07}})

    assert fields_on(book, "2025-01-10")["r"] == 3 * 10**11


def test_field_listed_with_a_new_base_price_is_not_filled_into_the_old_one() -> None:
    """What is first listed with a price change says nothing about the price before: filling stops where input or output differ."""
    cheap = {"input_cost_per_token": 2e-07, "output_cost_per_token": 5e-07}
    dear = {"input_cost_per_token": 1.25e-06, "output_cost_per_token": 2.5e-06, "input_cost_per_token_above_200k_tokens": 2.5e-06}
    book = one_model({"2025-01-06": cheap, "2025-09-08": dear})

    assert "i@200000" not in fields_on(book, "2025-02-01")


def test_field_that_disappears_is_gone_from_that_day() -> None:
    """A field that a later row no longer has was taken away, not forgotten."""
    tiered = {**FLAT, "input_cost_per_token_above_200k_tokens": 6e-06}
    book = one_model({"2025-01-06": tiered, "2026-03-02": FLAT})

    assert fields_on(book, "2026-03-01")["i@200000"] == 6 * 10**12
    assert "i@200000" not in fields_on(book, "2026-03-02")


def test_field_that_was_away_for_a_while_is_not_filled_into_the_gap() -> None:
    """Filling backwards ends at a field's first listing; a gap after it is a disappearance."""
    searched = {**FLAT, "search_context_cost_per_query": {"search_context_size_medium": 0.01}}
    book = one_model({"2025-01-06": searched, "2025-02-03": FLAT, "2025-03-03": searched})

    assert "s" not in fields_on(book, "2025-02-10")


def test_correction_holds_between_its_days_and_then_the_listing_again() -> None:
    """A correction lies over the history from its first day up to, not including, its last; null takes a rate away."""
    tiered = {**FLAT, "input_cost_per_token_above_200k_tokens": 6e-06}
    text = book_file(
        {("m-1", "acme"): {"2025-01-06": tiered}},
        {"m-1": [("2026-03-13", "2026-04-06", {"i@200000": None}), ("2026-05-01", None, {"i": 10**12})]},
    )
    book = Book(text)

    assert "i@200000" in fields_on(book, "2026-03-12")
    assert fields_on(book, "2026-03-13").get("i@200000") is None
    assert fields_on(book, "2026-04-06")["i@200000"] == 6 * 10**12
    assert fields_on(book, "2026-05-01")["i"] == 10**12


def test_corrected_value_is_what_is_filled_backwards() -> None:
    """A late-added field that was listed wrong is filled as corrected, not as listed."""
    late = {**FLAT, "cache_creation_input_token_cost_above_1hr": 9e-06}
    text = book_file({("m-1", "acme"): {"2025-01-06": FLAT, "2025-09-22": late}}, {"m-1": [("2025-09-22", None, {"h": 6 * 10**12})]})

    assert fields_on(Book(text), "2025-05-01")["h"] == 6 * 10**12


def test_synced_rows_follow_the_shipped_ones() -> None:
    """A row that was fetched later holds from its day on, and its new fields are filled backwards like any other."""
    shipped = book_file({("m-1", "acme"): {"2025-01-06": FLAT}})
    synced = book_file({("m-1", "acme"): {"2026-12-01": {**FLAT, "cache_read_input_token_cost": 3e-07}}})
    book = Book(shipped, synced)

    assert [row.day for row in book.find("m-1")[0].rows] == [day("2025-01-06"), day("2026-12-01")]
    assert fields_on(book, "2025-06-01")["r"] == 3 * 10**11


def test_open_correction_holds_for_rows_that_are_synced_later() -> None:
    """A correction without an end corrects what the list will say, too."""
    wrong = {**FLAT, "cache_creation_input_token_cost_above_1hr": 9e-06}
    shipped = book_file({("m-1", "acme"): {"2025-01-06": wrong}}, {"m-1": [("2025-01-06", None, {"h": 6 * 10**12})]})
    synced = book_file({("m-1", "acme"): {"2026-12-01": {**wrong, "cache_read_input_token_cost": 3e-07}}})

    assert fields_on(Book(shipped, synced), "2026-12-24")["h"] == 6 * 10**12


def test_name_is_found_in_any_spelling_the_exact_one_first() -> None:
    """Letter case does not hide a model; where two differ in nothing else, the exact spelling answers first."""
    text = book_file({("Acme/M", "acme"): {"2025-01-06": FLAT}, ("acme/m", "other"): {"2025-01-06": FLAT}})

    assert [entry.name for entry in Book(text).find("acme/m")] == ["acme/m", "Acme/M"]
    assert [entry.name for entry in Book(text).find("Acme/M")] == ["Acme/M", "acme/m"]


@pytest.mark.parametrize("name", ["", "a", "m", "m-", "m-11", "m-2", "zzz", "m-1\t", "m-1\n", "#", "# steps", "\ud800"])
def test_other_names_are_not_found(name: str) -> None:
    """Nothing is found by likeness, and no odd name leads anywhere."""
    text = book_file({(other, "acme"): {"2025-01-06": FLAT} for other in ("a-model", "m-1", "m-10", "z-model")})

    assert Book(text).find(name) == []


def test_every_line_of_a_file_is_found() -> None:
    """Bisection reaches the first, the last and every line between."""
    names = [f"m-{number}{'x' * (number % 7)}" for number in range(100)]
    book = Book(book_file({(name, "acme"): {"2025-01-06": FLAT} for name in names}))

    assert [book.find(name)[0].name for name in names] == names


def test_table_row_without_a_date_holds_for_all_days_and_one_with_a_date_from_then() -> None:
    """Unlike a listing, a row of the user's that names a day says nothing about the days before it."""
    table = listing.table({"m-1": {"input": 1, "output": 2}, "m-2": {"input": 1, "output": 2, "from": "2026-01-01"}})
    book = Book(b"", overrides=table)
    always, since = book.override("m-1"), book.override("m-2")

    assert always is not None
    assert always.at(0) is not None
    assert since is not None
    assert since.at(day("2025-12-31")) is None
    assert since.at(day("2026-01-01")) is not None


def test_steps_are_all_thresholds_in_use() -> None:
    """Calls are told apart by every threshold that any model lists; one that counts when it is reached is one lower."""
    tiered = {**FLAT, "input_cost_per_token_above_200k_tokens": 6e-06}
    book = Book(book_file({("m-1", "acme"): {"2025-01-06": tiered}, ("xai/g", "xai"): {"2025-01-06": tiered}}))

    assert book.steps() == (199_999, 200_000)


def test_book_without_a_prices_folder_is_the_shipped_one(tmp_path: Path) -> None:
    """Nothing need have been synced."""
    assert open_book(str(tmp_path / "none")).find("claude-sonnet-4-5")[0].provider == "anthropic"


@pytest.mark.parametrize(("text", "value"), [("3e12", 3 * 10**12), ("0", 0), ("2857142857143", 2857142857143), ("375e10", 375 * 10**10)])
def test_amounts_are_integers_with_folded_zeros(text: str, value: int) -> None:
    """An amount is exact."""
    assert amount(text) == value
