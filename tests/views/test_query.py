"""What a question means: names, ranges, rows and their order."""

from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from views import calendar
from views.matching import model_matches, project_matches, session_matches, wildcard
from views.query import Query, Row, Totals, arrange, fill, range_of, sort_is_known

TODAY = calendar.day_of(2026, 5, 13)


def query(**options: object) -> Query:
    return Query(**{"now_us": TODAY * calendar.DAY_US, "today": TODAY, "tz": "UTC", **options})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("model", "meant"),
    [
        ("claude-sonnet-4", True),
        ("claude-sonnet-4-20250514", True),
        ("claude-sonnet-4-2025-05-14", True),
        ("claude-sonnet-4@20250514", True),
        ("claude-sonnet-4-latest", True),
        ("claude-sonnet-4-5", False),
        ("claude-sonnet-4-5-20250929", False),
        ("claude-sonnet-40", False),
        ("claude-sonnet-4-2025051x", False),
        ("claude-sonnet", False),
        (None, False),
    ],
)
def test_model_name_means_itself_and_its_dated_ids(model: str | None, meant: bool) -> None:
    """`claude-sonnet-4` means that id, dated or latest, and never the next version."""
    assert model_matches("claude-sonnet-4", model) is meant


def test_model_name_may_be_a_pattern() -> None:
    """Shell wildcards cover the whole id."""
    assert [model for model in ("gpt-5", "gpt-5-mini", "o3") if model_matches("gpt-*", model)] == ["gpt-5", "gpt-5-mini"]


@given(st.text("ab[]!-*?/", min_size=1, max_size=7))
def test_every_name_means_itself(name: str) -> None:
    """A model or a project is meant by its own name, also by one that looks like a pattern: `claude-opus-4-7[1m]`, `app/[slug]`, `app/`."""
    assert model_matches(name, name)
    assert project_matches(name, name)


def test_dated_id_is_meant_by_an_id_that_looks_like_a_pattern() -> None:
    """`opus[1m]` means `opus[1m]-20260501` as `opus` means `opus-20260501`."""
    assert model_matches("opus[1m]", "opus[1m]-20260501")


def test_project_is_meant_by_a_last_folder_that_looks_like_a_pattern() -> None:
    """`[slug]` is the folder of that name."""
    assert project_matches("[slug]", "/home/me/app/[slug]")


@given(st.text("ab[]!-*?", max_size=7), st.text("ab-", max_size=6))
def test_wildcards_mean_what_the_shell_means(pattern: str, text: str) -> None:
    """Every pattern covers exactly what Python's fnmatch says."""
    assert wildcard(pattern, text) == fnmatchcase(text, pattern)


def test_project_is_named_by_path_folder_or_pattern() -> None:
    """A project is meant by its path, by its last folder, or by a pattern over the path."""
    assert [
        project_matches(name, "/home/me/acme/api") for name in ("/home/me/acme/api", "api", "*/acme/*", "acme", "/home/me/acme/api/")
    ] == [
        True,
        True,
        True,
        False,
        True,
    ]


def test_session_is_named_by_its_beginning() -> None:
    """Eight characters of a session's id are enough, seven are not."""
    assert (session_matches("0199a213", "0199a213-81c0"), session_matches("0199a21", "0199a213-81c0")) == (True, False)


def test_every_day_of_a_range_has_a_row() -> None:
    """Days without use stand among the others, with zero tokens and a cost of zero."""
    rows = fill(query(by="day", first_day=TODAY - 2, last_day=TODAY), [Row("2026-05-12", requests=1, unpriced_requests=1)])

    assert [(row.key, row.tokens, row.cost) for row in rows] == [("2026-05-11", 0, 0), ("2026-05-12", 0, None), ("2026-05-13", 0, 0)]


def test_open_range_begins_with_its_first_row_and_ends_today() -> None:
    """Without a first day nothing stands before the first call; without a last day the rows go on to today."""
    rows = fill(query(by="day"), [Row("2026-05-11")])

    assert [row.key for row in rows] == ["2026-05-11", "2026-05-12", "2026-05-13"]


def test_days_to_come_have_no_row() -> None:
    """A range that ends after today ends with today, unless something is dated later."""
    asked = query(by="day", first_day=TODAY, last_day=TODAY + 18)

    assert [row.key for row in fill(asked, [])] == ["2026-05-13"]
    assert [row.key for row in fill(asked, [Row("2026-05-14")])] == ["2026-05-13", "2026-05-14"]


def test_weeks_and_months_are_filled_like_days() -> None:
    """Weeks are named by their first day, months by year and month, and the ones between have a row."""
    weeks = fill(query(by="week", first_day=TODAY - 14, last_day=TODAY), [Row("2026-04-27")])
    months = fill(query(by="month", first_day=calendar.day_of(2026, 2, 20), last_day=TODAY), [])

    assert [row.key for row in weeks] == ["2026-04-27", "2026-05-04", "2026-05-11"]
    assert [row.key for row in months] == ["2026-02", "2026-03", "2026-04", "2026-05"]


def test_names_stand_by_cost_then_tokens_then_name() -> None:
    """The dearest first; what has no known cost comes after all that has one."""
    rows = [
        Row("b", requests=1, cost_input=5),
        Row("a", requests=1, cost_input=5),
        Row("c", requests=9, unpriced_requests=9, input=99),
        Row("d"),
    ]

    assert [row.key for row in arrange(query(), rows)] == ["a", "b", "d", "c"]


@pytest.mark.parametrize(
    ("sort", "order"),
    [("name", "abc"), ("name:desc", "cba"), ("tokens", "cab"), ("tokens:asc", "bac"), ("requests", "abc"), ("last-used", "bac")],
)
def test_rows_are_sorted_as_asked(sort: str, order: str) -> None:
    """Numbers and times begin with the largest, names with a; `:asc` and `:desc` turn that round."""
    rows = [
        Row("a", requests=3, input=2, last_at_us=2),
        Row("b", requests=2, input=1, last_at_us=3),
        Row("c", requests=1, input=3, last_at_us=1),
    ]

    assert "".join(row.key or "" for row in arrange(query(sort=sort), rows)) == order


def test_limit_keeps_the_first_names_and_the_latest_days() -> None:
    """Names are cut off behind the first ones of the order, days before the last ones."""
    rows = [Row("a", requests=1, cost_input=1), Row("b", requests=1, cost_input=2)]

    assert [row.key for row in arrange(query(limit=1), rows)] == ["b"]
    assert [row.key for row in arrange(query(by="day", first_day=TODAY - 5, last_day=TODAY, limit=2), [])] == ["2026-05-12", "2026-05-13"]


def test_cost_is_unknown_only_where_there_were_calls_and_none_has_one() -> None:
    """No calls cost zero; calls without any price cost nobody knows what; one priced call among others makes a cost."""
    assert Totals().cost == 0
    assert Totals(requests=2, unpriced_requests=1, unbilled_requests=1).cost is None
    assert Totals(requests=2, unpriced_requests=1, cost_input=3, cost_other=4).cost == 7


def test_ranges_have_a_label() -> None:
    """Periods are called by name, dates by themselves."""
    assert range_of("week", None, None, today=TODAY, week_start=0, now_us=0)[0] == "This week"
    assert range_of("14d", None, None, today=TODAY, week_start=0, now_us=0)[0] == "Last 14 days"
    assert range_of(None, TODAY + 1, None, today=TODAY, week_start=0, now_us=0)[0] == "2026-05-14 to 2026-05-14"
    assert range_of(None, TODAY - 12, TODAY - 1, today=TODAY, week_start=0, now_us=0)[0] == "2026-05-01 to 2026-05-12"


def test_only_the_rolling_day_has_an_instant() -> None:
    """`24h` begins 24 hours ago; every other period is made of whole days."""
    now = TODAY * calendar.DAY_US + 5
    assert range_of("24h", None, None, today=TODAY, week_start=0, now_us=now)[1:] == (TODAY - 1, TODAY, now - calendar.DAY_US)
    assert range_of("7d", None, None, today=TODAY, week_start=0, now_us=now)[3] is None


def test_sort_keys_are_known() -> None:
    """A key alone or with a direction is a sort; anything else is not."""
    assert [sort_is_known(text) for text in ("cost", "cost:asc", "name:desc", "price", "cost:up", "cost:")] == [
        True,
        True,
        True,
        False,
        False,
        False,
    ]
