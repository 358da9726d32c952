"""What an export holds, and that no cell of it can harm a spreadsheet."""

import csv
import io
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sizes import times
from tests.views.frames import row, views
from views import calendar, export
from views.columns import COSTS
from views.export import encoded
from views.query import Query

MAY = calendar.day_of(2026, 5, 1)


def query(**facts: Any) -> Query:
    return Query(**{"now_us": (MAY + 30) * calendar.DAY_US, "today": MAY + 30, "tz": "UTC", **facts})


def text_of(rows: pl.DataFrame, format: str, *, raw: bool = False) -> str:
    return b"".join(encoded(rows, format, raw=raw)).decode()


NINE = ("id", "timestamp", "profile", "agent", "provider", "model", "input_tokens", "output_tokens", "cost_usd")
MADE = views(
    row(key="a", input=100, cache_read=20, cache_write_5m=3, output=7, at=datetime(2026, 5, 1, 10, 0, 0, 250_000, tzinfo=UTC)),
    row(key="b", model="other", provider="ollama", at=datetime(2026, 5, 3, 10, tzinfo=UTC)),
)


def test_nine_columns_come_first() -> None:
    """Every export begins with id, timestamp, profile, agent, provider, model, input_tokens, output_tokens and cost_usd."""
    assert tuple(export.calls(query(), MADE).columns[:9]) == NINE
    assert tuple(export.groups(query(by="day"), MADE).columns[:9]) == NINE


def test_row_of_a_call() -> None:
    """input_tokens is the whole prompt side, its classes stand beside it; the cost has all its digits; nothing is in another order."""
    first = export.calls(query(), MADE).row(0, named=True)

    assert (first["input_tokens"], first["uncached_input_tokens"], first["cache_read_tokens"], first["output_tokens"]) == (123, 100, 20, 7)
    assert first["cost_usd"] == Decimal("0.000437") == sum(first[part] for part in COSTS)
    assert len(first["id"]) == 32


def test_csv_is_what_rfc_4180_says() -> None:
    """Lines end in CR LF, a missing value is an empty cell, times are RFC 3339 in UTC, money has no needless zeros."""
    lines = text_of(export.calls(query(), MADE), "csv").split("\r\n")

    assert lines[1].split(",")[1:9] == [
        "2026-05-01T10:00:00.250000Z",
        "default",
        "claude",
        "anthropic",
        "claude-sonnet-4-5",
        "123",
        "7",
        "0.000437",
    ]
    assert lines[2].split(",")[8] == ""
    assert len(lines) == 4


def test_json_is_an_array_of_objects() -> None:
    """`json` is one array, `jsonl` one object a line, with the same objects; money is a number, a missing cost null."""
    rows = export.calls(query(), MADE)
    found = json.loads(text_of(rows, "json"), parse_float=Decimal)

    assert [(one["provider"], one["cost_usd"]) for one in found] == [("anthropic", Decimal("0.000437")), ("ollama", None)]
    assert [json.loads(line, parse_float=Decimal) for line in text_of(rows, "jsonl").splitlines()] == found


@pytest.mark.parametrize(("format", "empty"), [("json", "[]\n"), ("jsonl", "")])
def test_nothing_is_still_valid(format: str, empty: str) -> None:
    """An export without rows is an empty array, or nothing."""
    assert text_of(export.calls(query(profile="none"), MADE), format) == empty


def test_csv_without_rows_has_its_header() -> None:
    """An empty csv names its columns."""
    assert text_of(export.calls(query(profile="none"), MADE), "csv").startswith(",".join(NINE))


def test_parquet_keeps_types() -> None:
    """A parquet export has exact money and real times."""
    (content,) = encoded(export.calls(query(), MADE), "parquet")
    found = pl.read_parquet(content)

    assert (found.schema["cost_usd"], found.schema["timestamp"]) == (pl.Decimal(38, 18), pl.Datetime("us", "UTC"))


def test_groups_have_a_row_for_each_empty_day() -> None:
    """With a grouping there is one row per group: a day without calls has zeros, a cost of 0 and no last call."""
    found = export.groups(query(by="day", first_day=MAY, last_day=MAY + 2), MADE)

    assert found.select("id", "requests", "input_tokens", "cost_usd").rows() == [
        ("2026-05-01", 1, 123, Decimal("0.000437")),
        ("2026-05-02", 0, 0, Decimal(0)),
        ("2026-05-03", 1, 0, None),
    ]
    assert found["timestamp"].null_count() == 1


def test_limit_keeps_the_latest_calls() -> None:
    """Of more calls than the limit the latest are exported."""
    assert export.calls(query(limit=1), MADE)["provider"].to_list() == ["ollama"]


FORMULAS = [
    *("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1", "\u00a0=1", "\uff1d1", "\uff0b1", "\uff0d1", "\uff201"),
    *("a\n=1", "a\r\n =1", "a\r-1"),
]
TEXT = st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.sampled_from(FORMULAS))


@pytest.mark.parametrize("cell", FORMULAS)
def test_formulas_are_text(cell: str) -> None:
    """A cell that a spreadsheet would run begins with an apostrophe, also where only a later line of it would run."""
    rows = pl.DataFrame({"project": [cell]})
    read = list(csv.reader(io.StringIO(text_of(rows, "csv"), newline="")))

    assert read == [["project"], ["'" + cell]]


@pytest.mark.parametrize("cell", ["a=1", "1-2", "claude-sonnet-4-5", "/home/u/a+b", "a@b.c"])
def test_harmless_cells_stay(cell: str) -> None:
    """A cell with such a character further on stays as it is."""
    assert text_of(pl.DataFrame({"project": [cell]}), "csv") == f"project\r\n{cell}\r\n"


def test_numbers_are_never_prefixed() -> None:
    """A negative number is a number, not a formula."""
    assert (
        text_of(pl.DataFrame({"n": [-1], "m": [Decimal("-0.5")]}, schema_overrides={"m": pl.Decimal(38, 18)}), "csv")
        == "n,m\r\n-1,-0.5\r\n"
    )


@settings(max_examples=times(60), deadline=None)
@given(
    st.lists(
        st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.sampled_from(FORMULAS)),
        min_size=1,
        max_size=6,
    )
)
def test_raw_comes_back_as_it_was(cells: list[str | None]) -> None:
    """With `raw` every text comes back from csv, json and jsonl exactly as it was."""
    rows = pl.DataFrame({"n": range(len(cells)), "project": cells}, schema={"n": pl.Int64, "project": pl.String})
    read = list(csv.reader(io.StringIO(text_of(rows, "csv", raw=True), newline="")))[1:]

    assert [line[1] for line in read] == [cell or "" for cell in cells]
    assert [one["project"] for one in json.loads(text_of(rows, "json"))] == cells


def test_unknown_format_is_a_mistake() -> None:
    """A format that does not exist is refused."""
    with pytest.raises(ValueError, match="xml"):
        list(encoded(pl.DataFrame(), "xml"))
