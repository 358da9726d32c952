"""`views.invoice`: what an export bills."""

import pytest

from views.invoice import model_name, parsed

NOTHING = {"date": None, "model": None, "amount": None}


@pytest.mark.parametrize(
    "names",
    [
        ("Claude Haiku 4.5", "claude-haiku-4-5", "claude-haiku-4-5-20251001"),
        ("Claude Haiku 3.5", "claude-3-5-haiku-20241022", "claude-3-5-haiku-latest"),
        ("gpt-4.1-2025-04-14, input", "gpt-4.1"),
    ],
)
def test_names_of_one_model_are_one(names: tuple[str, ...]) -> None:
    """An id, its dated form and the display name are the same model."""
    assert len({model_name(name) for name in names}) == 1


def test_openai_costs_are_recognised() -> None:
    """Line items of one model add up, empty days are passed over, and another currency is a bad row."""
    header = "start_time,end_time,start_time_iso,end_time_iso,amount_value,amount_currency,line_item\n"
    rows = ('0.5,usd,"gpt-5, input"', '0.25,usd,"gpt-5, output"', ",,", '1,eur,"gpt-5, input"')
    text = header + "".join(f"1,2,2026-05-13T00:00:00+00:00,2026-05-14T00:00:00+00:00,{row}\n" for row in rows)
    bill = parsed(text, NOTHING)

    assert (bill.format.provider, bill.amounts) == ("openai", {("2026-05-13", "gpt-5"): 75 * 10**16})
    assert [line for line, _ in bill.bad] == [5]
