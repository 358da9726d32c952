"""`views.invoice_cells`: ways in which exports write days, amounts and models."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sizes import times
from views.invoice_cells import Mark, Order, amount, date_order, decimal_mark, model_name, utc_day
from views.pricing.money import dollars

ATTO = 10**18


@pytest.mark.parametrize(
    ("text", "mark", "expected"),
    [
        ("1234.5", ".", "1234.5"),
        ("$1,234.50", ".", "1234.5"),
        (" US$ 0.25 ", ".", "0.25"),
        ("0.25 USD", ".", "0.25"),
        ("1.234,50", ",", "1234.5"),
        ("1 234,50\u00a0$", ",", "1234.5"),
        ("1'234.50", ".", "1234.5"),
        ("-$0.10", ".", "-0.1"),
        ("$-0.10", ".", "-0.1"),
        ("0.10-", ".", "-0.1"),
        ("\u22120.10", ".", "-0.1"),
        ("($0.10)", ".", "-0.1"),
        ("1.2E-05", ".", "0.000012"),
        (".5", ".", "0.5"),
        ("7.", ".", "7"),
        ("-", ".", "0"),
        ("0.0030000000000000001", ".", "0.003"),
    ],
)
def test_amounts_are_read_as_they_are_written(text: str, mark: Mark, expected: str) -> None:
    """Signs, brackets, groups, currency signs and exponents are understood; digits past the 18th are rounded."""
    assert dollars(amount(text, mark)) == expected


@pytest.mark.parametrize(
    "text",
    ["", "much", "nan", "inf", "--1", "-(1)", "(1", "1)", "1,23.4", "1,234,5", "1.2.3", "€1", "1 EUR", "£2", "0x10", "1e", "12%", "=1+1"],
)
def test_what_is_no_amount_of_dollars_is_refused(text: str) -> None:
    """Words, broken groups, two signs, formulas and other currencies are no amounts."""
    with pytest.raises(ValueError, match=r"is no amount|has two signs|another currency"):
        amount(text, ".")


@settings(max_examples=times(200))
@given(units=st.integers(-(10**30), 10**30), mark=st.sampled_from((".", ",")))
def test_an_amount_that_was_written_is_read_back(units: int, mark: Mark) -> None:
    """Whatever is written with groups and decimals of either kind comes back to the attodollar."""
    whole, fraction = divmod(abs(units), ATTO)
    group = "," if mark == "." else "."
    text = f"{'-' if units < 0 else ''}{whole:,}".replace(",", group) + f"{mark}{fraction:018d}"

    assert amount(text, mark) == units
    assert decimal_mark([text], separated_by=",") == mark


@pytest.mark.parametrize(
    ("column", "separator", "mark"),
    [
        (["1,234", "5,678"], ",", "."),
        (["1,234", "5,678"], ";", ","),
        (["1,234", "0,5"], ",", ","),
        (["1,234", "0.5"], ";", "."),
        (["1.234", "7.5"], ",", "."),
        (["1.234", "0,50"], ";", ","),
        (["1.234.567"], ";", ","),
        (["1,234,567"], ";", "."),
        (["0,123"], ",", ","),
        (["3", "4"], ";", "."),
    ],
)
def test_a_column_tells_what_one_cell_cannot(column: list[str], separator: str, mark: str) -> None:
    """1,234 is a thousand or one and a bit: the other cells tell, or else what separates the columns."""
    assert decimal_mark(column, separated_by=separator) == mark


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2026-05-13", "2026-05-13"),
        ("2026-05-13T23:59:59Z", "2026-05-13"),
        ("2026-05-13 00:00:00+00:00", "2026-05-13"),
        ("2026-05-13 22:00:00 -0700", "2026-05-14"),
        ("2026-05-13T01:00:00.250+02:00", "2026-05-12"),
        ("2026-05-13 09:00:00 UTC", "2026-05-13"),
        ("20260513", "2026-05-13"),
        ("2026/5/3", "2026-05-03"),
        ("13.05.2026", "2026-05-13"),
        ("03.05.2026 12:00", "2026-05-03"),
        ("13/05/2026", "2026-05-13"),
        ("05/13/2026", "2026-05-13"),
        ("05/05/2026", "2026-05-05"),
        ("May 13, 2026", "2026-05-13"),
        ("13 September 2026", "2026-09-13"),
        ("13-May-2026", "2026-05-13"),
        ("1778630400", "2026-05-13"),
        ("1778630400000", "2026-05-13"),
    ],
)
def test_days_are_utc_days(text: str, day: str) -> None:
    """A time with an offset is on the day that it was in UTC; one without is UTC's."""
    assert utc_day(text, None) == day


@pytest.mark.parametrize(
    "text", ["", "May", "2026-02-30", "2026-13-01", "31/02/2026", "0001-01-01", "99999", "05/06/2026", "12:00", "Q2 2026"]
)
def test_what_is_no_day_is_refused(text: str) -> None:
    """No date, a day that there is not, a year without bills, or a date that could be two days."""
    with pytest.raises(ValueError, match=r"is no date|no year|two days"):
        utc_day(text, None)


@pytest.mark.parametrize(
    ("column", "order"),
    [
        (["05/06/2026", "13/06/2026"], "day"),
        (["05/06/2026", "06/13/2026"], "month"),
        (["05/06/2026"], None),
        (["13/06/2026", "06/13/2026"], None),
    ],
)
def test_a_column_tells_which_number_is_the_day(column: list[str], order: Order | None) -> None:
    """One date past the twelfth settles all of the column; two that contradict each other settle nothing."""
    assert date_order(column) == order


@pytest.mark.parametrize(
    "names",
    [
        ("Claude Haiku 4.5", "claude-haiku-4-5", "claude-haiku-4-5-20251001", "anthropic/claude-haiku-4.5", "claude-haiku-4-5@20251001"),
        ("Claude Haiku 3.5", "claude-3-5-haiku-20241022", "claude-3-5-haiku-latest", "us.anthropic.claude-3-5-haiku-20241022-v1:0"),
        ("Claude Sonnet 4.5 (1M context)", "claude-sonnet-4-5-20250929[1m]", "Claude  Sonnet 4.5"),
        ("gpt-4.1-2025-04-14, input", "gpt-4.1", "GPT-4.1, cached input"),
    ],
)
def test_names_of_one_model_are_one(names: tuple[str, ...]) -> None:
    """An id, its dated, routed and marked forms and the display name are the same model."""
    assert len({model_name(name) for name in names}) == 1


def test_names_of_two_models_are_two() -> None:
    """Neither a size, a version nor a family is lost on the way."""
    names = ("gpt-4o", "gpt-4o-mini", "gpt-4.1", "claude-opus-4", "claude-opus-4-1", "claude-sonnet-4", "o3", "o3-mini", "", "GPT-5 Codex")

    assert len({model_name(name) for name in names}) == len(names)
