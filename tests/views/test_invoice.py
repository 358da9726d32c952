"""`views.invoice`: what an export bills."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import RingletError, UnknownName
from tests.sizes import times
from views.invoice import EVERY_MODEL, parsed

NOTHING = {"date": None, "model": None, "amount": None}
NAMED = {"date": "day", "model": "name", "amount": "sum"}
CENT = 10**16
HEAD = "day,name,sum\n"


def test_openai_costs_are_recognised() -> None:
    """Line items of one model add up, empty days are passed over, and another currency is a bad row."""
    header = "start_time,end_time,start_time_iso,end_time_iso,amount_value,amount_currency,line_item\n"
    rows = ('0.5,usd,"gpt-5, input"', '0.25,usd,"gpt-5, output"', ",,", '1,eur,"gpt-5, input"')
    text = header + "".join(f"1,2,2026-05-13T00:00:00+00:00,2026-05-14T00:00:00+00:00,{row}\n" for row in rows)
    bill = parsed(text, NOTHING)

    assert (bill.format.provider, bill.amounts) == ("openai", {("2026-05-13", "gpt-5"): 75 * CENT})
    assert bill.bad == [(5, "the amount is in eur, not in USD")]


def test_openai_costs_without_items_are_of_all_models() -> None:
    """An export grouped by project names no model: its days are compared as a whole."""
    text = (
        "start_time_iso,amount_value,amount_currency,project_id\n2026-05-13T00:00:00+00:00,0.5,usd,a\n2026-05-13T00:00:00+00:00,1,usd,b\n"
    )

    assert parsed(text, NOTHING).amounts == {("2026-05-13", EVERY_MODEL): 150 * CENT}


def test_anthropic_costs_are_recognised_in_any_spelling_of_the_header() -> None:
    """All the columns of the console's export, with a byte-order mark; of the two prices the one that is paid counts."""
    header = (
        "usage_date_utc,model,workspace,api_key,usage_type,context_window,token_type,cost_usd,list_price_usd,cost_type,inference_geo,speed"
    )
    row = "2026-08-05,Claude Sonnet 4.5,Default,key,message,\u2264 200k,input_cache_read,0.10,1.00,token,not_available,"
    for text in (f"\ufeff{header}\n{row}\n", f"{header.upper()}\r\n{row}\r\n", f"{header}\n{row}".replace("_", " ")):
        bill = parsed(text, NOTHING)

        assert (bill.format.name, bill.amounts) == ("Anthropic console", {("2026-08-05", "claude-sonnet-4-5"): 10 * CENT})


def test_semicolons_and_decimal_commas_are_understood() -> None:
    """A file from a spreadsheet in Europe, `sep=` line included: lines are counted as the file has them."""
    text = "sep=;\r\nDay;Name;Sum\r\n13.05.2026;gpt-5;1.234,50 $\r\n14.05.2026;gpt-5;viel\r\n"
    bill = parsed(text, NAMED)

    assert bill.amounts == {("2026-05-13", "gpt-5"): 123450 * CENT}
    assert bill.bad == [(4, "'viel' is no amount")]


def test_cents_are_cents() -> None:
    """A header that says cents means hundredths; `percent` says nothing of the kind."""
    assert (
        parsed("day,name,amount_cents\n2026-05-13,gpt-5,12.5\n", {**NAMED, "amount": "amount_cents"}).amounts["2026-05-13", "gpt-5"]
        == CENT * 25 // 2
    )
    assert (
        parsed("day,name,Cost (cents)\n2026-05-13,gpt-5,100\n", {**NAMED, "amount": "Cost (cents)"}).amounts["2026-05-13", "gpt-5"]
        == 100 * CENT
    )
    assert (
        parsed("day,name,percent_paid\n2026-05-13,gpt-5,1\n", {**NAMED, "amount": "percent_paid"}).amounts["2026-05-13", "gpt-5"]
        == 100 * CENT
    )


def test_credits_lessen_and_sums_are_left_out() -> None:
    """A credit is less than nothing; rows that add up others are no costs, whichever column says so, and neither are empty ones."""
    rows = "2026-05-13,gpt-5,2\n2026-05-13,gpt-5,(0.50)\nTotal,,1.5\n2026-05-13,Subtotal,1.5\n,,1.5\n,,\n"
    bill = parsed(HEAD + rows, NAMED)

    assert (bill.amounts, bill.totals, bill.bad) == ({("2026-05-13", "gpt-5"): 150 * CENT}, [4, 5, 6], [])


def test_a_bad_row_is_told_by_the_line_that_it_begins_on() -> None:
    """Cells with line breaks count as the lines that they are; a quote that nothing closes is told where it opens."""
    text = HEAD + '2026-05-13,"gpt\n5",1\n2026-05-13,gpt-5\nsoon,gpt-5,1\n2026-05-13,"gpt-5,1\n2026-05-14,gpt-5,1\n'

    assert [line for line, _ in parsed(text, NAMED).bad] == [4, 5, 6]
    assert parsed(text, NAMED).bad[-1][1] == "opens a quote that nothing closes, so what follows is lost"


def test_a_column_that_is_not_there_is_named_with_those_that_are() -> None:
    """A misspelt column is wrong usage, not a file that nobody knows."""
    with pytest.raises(UnknownName, match=r"no column 'cost'; there are: day, name, sum"):
        parsed(HEAD, {**NAMED, "amount": "cost"})


@pytest.mark.parametrize(
    ("text", "columns", "said"),
    [
        ("", NOTHING, "is empty"),
        ("a,b\n1,2\n", NOTHING, "its columns are: a, b; name the columns with --date-column, --model-column, --amount-column"),
        ("a,b\n1,2\n", {**NOTHING, "date": "a"}, "name the columns with --model-column, --amount-column"),
        ("day,name,cost_eur\n", {**NAMED, "amount": "cost_eur"}, "in EUR, not in US dollars"),
        ('"day,name,sum\n', NAMED, "no header"),
    ],
)
def test_a_file_that_bills_nothing_known_is_refused(text: str, columns: dict[str, str | None], said: str) -> None:
    """Each failure says what the file has and what would help."""
    with pytest.raises(RingletError) as failed:
        parsed(text, columns)

    assert said in str(failed.value)


@settings(max_examples=times(300))
@given(body=st.text(alphabet='day,;"\n\r\t$.-0123456789\0\u2028\u00e9', max_size=80))
def test_no_text_breaks_it(body: str) -> None:
    """Whatever stands below the header: it is read to its end; what is left out, as a sum or as bad, is told with a line of it."""
    bill = parsed(HEAD + body, NAMED)
    lines = (HEAD + body).replace("\r\n", "\n").replace("\r", "\n").count("\n") + 1

    assert all(1 < line <= lines for line in (*bill.totals, *(line for line, _ in bill.bad)))
