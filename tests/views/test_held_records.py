"""Pages of single calls are pieces of one list."""

from datetime import date, datetime, timedelta
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sizes import times
from tests.views.frames import row, views
from tests.views.test_answers import MAY, at, query
from views.held import Names, fine, held
from views.held_records import TOLD, page

DAY_US = 86_400_000_000
CALL = st.fixed_dictionaries(
    {
        "at": st.integers(0, 4 * 24).map(lambda hour: at("2026-04-29T00:00") + timedelta(hours=hour)),
        "session": st.sampled_from(["s1", "s2", None]),
        "model": st.sampled_from(["m", "n"]),
        "project": st.sampled_from(["/src/shop", "/src/web", "", None]),
    }
)


@settings(max_examples=times(60), deadline=None)
@given(
    st.lists(CALL, max_size=14),
    st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kolkata"]),
    st.tuples(st.integers(MAY - 3, MAY + 3), st.integers(0, 4)),
    st.sampled_from([{}, {"model": "m"}, {"session": "s1"}, {"model": "n", "agent": "claude"}]),
    st.sampled_from([None, "shop", "tit", "CLA"]),
    st.booleans(),
    st.integers(1, 5),
)
def test_pages_are_pieces_of_all_calls_latest_first(
    calls: list[dict[str, Any]], tz: str, span: tuple[int, int], filters: dict[str, str], search: str | None, titled: bool, count: int
) -> None:
    """Every filter, zone, range and search: all pages one after the other are the calls that are meant, by time and key from the latest."""
    titles = {("claude", "s2"): "a title"} if titled else {}
    told = [{"key": f"k{number}", "agent": "claude", **call} for number, call in enumerate(calls)]
    made = views(*(row(**each) for each in told))
    names = Names()
    known = held([fine(made.sessions, names)], tz, names)
    asked = query(tz=tz, first_day=span[0], last_day=span[0] + span[1], **filters)

    def read(day: int) -> pl.DataFrame:
        calls = made.calls.with_columns(pl.lit(None, pl.Int64).alias("duration_ms"))
        return calls.filter(pl.col("at").to_physical() // DAY_US == day).sort("at", "key").select(TOLD).collect()

    def local_day(each: dict[str, Any]) -> int:
        offset = {"UTC": timedelta(0), "Europe/Berlin": timedelta(hours=2), "Asia/Kolkata": timedelta(hours=5, minutes=30)}[tz]
        there: datetime = each["at"] + offset
        return there.date().toordinal() - date(1970, 1, 1).toordinal()

    def named(each: dict[str, Any]) -> str:
        return titles.get(("claude", each["session"])) or (each["project"] or "").rpartition("/")[2] or "claude"

    wanted = [
        each
        for each in told
        if span[0] <= local_day(each) <= span[0] + span[1]
        and all(each[name] == value for name, value in filters.items())
        and (search is None or search.casefold() in named(each))
    ]
    wanted.sort(key=lambda each: (each["at"], each["key"]), reverse=True)
    pages = [
        page(asked, known, read, titles=titles, search=search, skip=skip, count=count)
        for skip in range(0, max(len(wanted), 1) + count, count)
    ]

    assert [one.key for each in pages for one in each.records] == [each["key"].encode().ljust(16, b"\0") for each in wanted]
    assert {each.total for each in pages} == {len(wanted)}
