"""How answers look: numbers, tables, notes."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.as_json import as_json
from cli.figures import count, duration, usd
from cli.render import Look, nothing_in_range, summary, table
from views import calendar
from views.query import ATTO, Answer, Query, Row, Totals

TODAY = calendar.day_of(2026, 5, 13)
CENT = ATTO // 100


def answer(by: str, *rows: Row, totals: Totals | None = None, **options: Any) -> Answer:
    query = Query(
        now_us=TODAY * calendar.DAY_US,
        today=TODAY,
        tz="UTC",
        by=by,
        period="today",
        label="Today",
        first_day=TODAY,
        last_day=TODAY,
        **options,
    )
    return Answer(query, totals or Totals(), list(rows), list, last_day=None, as_of_us=TODAY * calendar.DAY_US)


def profile(name: str, agent: str, provider: str, tokens: tuple[int, int], cents: int) -> Row:
    row = Row(name, requests=1, input=tokens[0], output=tokens[1], cost_input=cents * CENT)
    row.agents, row.providers = (agent,), (provider,)
    return row


@pytest.mark.parametrize(
    ("number", "short", "tenths", "grouped"),
    [
        (0, "0", "0", "0"),
        (999, "999", "999", "999"),
        (1_000, "1K", "1.0K", "1,000"),
        (38_000, "38K", "38.0K", "38,000"),
        (45_000, "45K", "45.0K", "45,000"),
        (340_000, "340K", "340.0K", "340,000"),
        (999_499, "999K", "999.5K", "999,499"),
        (999_500, "1M", "999.5K", "999,500"),
        (999_950, "1M", "1.0M", "999,950"),
        (1_210_000, "1.21M", "1.2M", "1,210,000"),
        (1_500_000, "1.5M", "1.5M", "1,500,000"),
        (2_100_000, "2.1M", "2.1M", "2,100,000"),
        (9_996_000, "10M", "10.0M", "9,996,000"),
        (2**40, "1.1T", "1.1T", "1,099,511,627,776"),
    ],
)
def test_counts_have_three_styles(number: int, short: str, tenths: str, grouped: str) -> None:
    """Three digits as in S1, one decimal as in S4, grouped as in S0 and S3."""
    assert (count(number, "short"), count(number, "tenths"), count(number)) == (short, tenths, grouped)


@given(st.integers(0, 2**44))
def test_short_counts_are_within_half_a_percent(number: int) -> None:
    """A short number never misleads by more than its third digit."""
    text = count(number, "short")
    scale = {"K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}.get(text[-1], 1)
    shown = float(text.rstrip("KMBT")) * scale

    assert abs(shown - number) <= number / 200


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (None, "-"),
        (0, "$0.00"),
        (1, "<$0.01"),
        (CENT // 2 - 1, "<$0.01"),
        (CENT // 2, "$0.01"),
        (1498 * CENT, "$14.98"),
        (123_456_789 * CENT + CENT // 2, "$1,234,567.90"),
    ],
)
def test_money_is_rounded_to_the_cent_only_when_printed(amount: int | None, text: str) -> None:
    """Half a cent goes up; what is less is no zero; the unknown is a dash."""
    assert usd(amount) == text


def test_spans_have_two_units_at_most() -> None:
    """Days and hours, hours and minutes, minutes, seconds."""
    assert [duration(seconds * 10**6) for seconds in (90_061, 3_900, 720, 59, 0)] == ["1d 1h", "1h 05m", "12m", "59s", "0s"]


S1 = (
    profile("work", "claude", "anthropic", (1_210_000, 340_000), 841),
    profile("client-acme", "claude", "anthropic", (480_000, 130_000), 320),
    profile("staging", "codex", "openai", (450_000, 90_000), 140),
    profile("side-project", "grok", "openai", (2_100_000, 510_000), 105),
    profile("personal", "claude", "minimax", (2_830_000, 820_000), 92),
)


def test_summary_is_s1s_table() -> None:
    """S1's five profiles, whose costs add up to $14.98, as S1 prints them."""
    text = summary(answer("profile", *S1, totals=Totals(requests=5, cost_input=1498 * CENT)), Look())

    assert text.endswith(
        "PROFILE       AGENT   PROVIDER         TOKENS    COST\n"
        "work          claude  anthropic  1.21M / 340K   $8.41\n"
        "client-acme   claude  anthropic   480K / 130K   $3.20\n"
        "staging       codex   openai       450K / 90K   $1.40\n"
        "side-project  grok    openai      2.1M / 510K   $1.05\n"
        "personal      claude  minimax    2.83M / 820K   $0.92\n"
        "─────────────────────────────────────────────────────\n"
        "TOTAL                                          $14.98\n"
    )


def test_several_agents_of_a_profile_share_its_row() -> None:
    """One row per profile: two names are both there, more are counted."""
    row = Row("work", requests=1)
    row.agents, row.providers = ("claude", "codex"), ("anthropic", "google", "openai")

    assert "work     claude, codex  anthropic +2" in summary(answer("profile", row, totals=row), Look())


@pytest.mark.parametrize("by", ["profile", "model", "provider", "agent", "project", "session", "day", "week", "month", "hour"])
@pytest.mark.parametrize("width", [80, 100, 140, 200])
def test_tables_fit_the_terminal(by: str, width: int) -> None:
    """Whatever the names and numbers, no line is wider than the terminal; wide terminals show more."""
    rows = [
        Row(f"{'a-very-long-name/' * 8}{n}", requests=10**n, input=10**9, output=10**7, cost_input=10 ** (18 + n), sessions=9)
        for n in range(1, 5)
    ]
    text = table(answer(by, *rows, totals=rows[0]), Look(width=width))
    plain = table(answer(by, *rows, totals=rows[0]), Look(width=80))

    assert max(len(line) for line in text.split("\n")) <= width
    assert width == 80 or len(text) > len(plain)


def test_wide_terminals_show_all_token_classes_or_none() -> None:
    """The classes add up to what was used: some of them alone would seem to be all of it."""
    row = Row("a-model-with-a-name-that-takes-some-room", requests=1, input=10**6, output=10**5, cache_read=10**7)
    heads = [table(answer("model", row, totals=row), Look(width=width)).split("\n")[2] for width in range(81, 161)]
    shown = [sum(title in head for title in ("INPUT", "OUTPUT", "CACHE WRITE", "CACHE READ")) for head in heads]

    assert set(shown) == {0, 4}


def test_wide_terminals_have_bars() -> None:
    """A bar per row, the largest cost the longest; none at 80 columns."""
    rows = [Row("a", requests=1, cost_input=2 * ATTO), Row("b", requests=1, cost_input=ATTO), Row("c")]
    lines = table(answer("model", *rows), Look(width=120)).split("\n")[3:6]
    bars = [line.count("█") for line in lines]

    assert (bars[0] + 1) // 2 - bars[1] in (0, 1)
    assert bars[1] > bars[2] == 0
    assert "█" not in table(answer("model", *rows), Look(width=80))


def test_colours_only_where_they_are_wanted() -> None:
    """Without colour there is no escape in the text, and with it the words are the same."""
    plain, colored = (table(answer("model", Row("m", requests=1)), Look(color=color)) for color in (False, True))

    assert "\x1b" not in plain
    assert "\x1b[1m" in colored


def test_names_from_logs_cannot_move_the_cursor() -> None:
    """Control characters of a name are shown as a mark, in tables and notes."""
    row = Row("evil\x1b[2J\r\nname", requests=1, unpriced_requests=1)
    shown = answer("model", row, totals=row)
    shown.unpriced_models = ["evil\x1b[2J"]
    text = table(shown, Look())

    assert "\x1b" not in text
    assert "\r" not in text
    assert "evil�[2J��name" in text


def test_wide_letters_take_two_columns() -> None:
    """Columns stay aligned under names in scripts with wide letters."""
    lines = table(answer("project", Row("/src/日本語", requests=1), Row("/src/abc", requests=1)), Look()).split("\n")

    assert lines[3].index("0 / 0") + 3 == lines[4].index("0 / 0")


def test_classes_stand_in_place_of_in_and_out() -> None:
    """One flag shows the four classes."""
    row = Row("m", requests=1, input=1, output=2, cache_write_5m=3, cache_write_1h=4, cache_read=5)
    head, line = table(answer("model", row, totals=row), Look(classes=True)).split("\n")[2:4]

    assert head.split("  ")[2:] != []
    assert line.split() == ["m", "1", "1", "2", "7", "5", "$0.00"]


def test_empty_range_names_a_command_that_can_be_pasted() -> None:
    """The command keeps the filters, and quotes what a shell would take apart."""
    shown = answer("model", model="claude-*", profile="it's mine")
    shown.last_day = TODAY - 3

    assert nothing_in_range(shown, "models") == (
        "No usage today for these filters. The last day with data is 2026-05-10: "
        "ringlet usage models --since 2026-05-10 --until 2026-05-10 --profile 'it'\\''s mine' --model 'claude-*'\n"
    )


@given(st.text())
def test_json_is_json_whatever_the_names(name: str) -> None:
    """Every name comes back from the JSON as it was, lone surrogates included."""
    shown = answer("model", Row(name, requests=1), profile=name)

    assert json.loads(as_json(shown))["rows"][0]["model"] == name
    assert as_json(shown).isascii()


@pytest.mark.parametrize(
    ("period", "words"),
    [("today", "today"), ("week", "this week"), ("last-month", "last month"), ("7d", "in the last 7 days")],
)
def test_empty_periods_are_said_in_words(period: str, words: str) -> None:
    """The range ends the sentence as a person would say it."""
    shown = answer("model")
    shown.query.period, shown.query.label, shown.last_day = period, calendar.label(period) or "", TODAY

    assert nothing_in_range(shown, "").startswith(f"No usage {words}. The last day")


def test_every_field_of_the_json_is_documented() -> None:
    """The page about usage names every field of the object and of a row."""
    page = (Path(__file__).parents[2] / "docs" / "usage.md").read_text()
    found = json.loads(as_json(answer("session", Row("s", requests=1), totals=Row("s", requests=1))))
    fields = [*found, *found["rows"][0], *found["total_tokens"], *found["total_cost"]]

    assert [field for field in fields if f"`{field}`" not in page and f"`aggregates.{field}" not in page and field != "aggregates"] == []
