"""How calls add up to the session table, the cube and the roll-ups."""

from datetime import UTC, date, datetime
from decimal import Decimal

import polars as pl
import pytest

from tests.views.frames import row, views
from views.catalog import VIEWS, View


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def rolled(name: str, zone: str = "UTC", *made: dict[str, object], rates: object = None) -> pl.DataFrame:
    """One roll-up of some rows of the log."""
    (roll_up,) = (known.roll_up for known in VIEWS if known.name == name)
    assert roll_up is not None
    return roll_up(views(*made, rates=rates), zone).collect()


def test_calls_of_a_quarter_hour_share_a_cell() -> None:
    """Calls of one quarter-hour and one set of dimensions are one row of the cube; the next quarter-hour is another."""
    made = views(
        row(key="a", at=at("2026-05-01T10:00"), output=1),
        row(key="b", at=at("2026-05-01T10:14:59"), output=2, session="s2"),
        row(key="c", at=at("2026-05-01T10:15"), output=4),
    )

    assert made.cube.select("slot", "requests", "output").collect().rows() == [
        (at("2026-05-01T10:00"), 2, 3),
        (at("2026-05-01T10:15"), 1, 4),
    ]
    assert made.sessions.select(pl.len()).collect().item() == 3


def test_sum_without_any_price_is_null() -> None:
    """A row in which nothing was priced has no cost and counts its calls; one in which something was has the cost of that."""

    def rates(*shape: object) -> object:
        return None if shape[1] == "new" else (10**12,) * 7

    made = (row(key="a", model="new", input=5), row(key="b", model="m", input=5), row(key="c", model="m", provider="ollama", input=5))
    found = rolled("by_model", "UTC", *made, rates=rates).select("provider", "model", "cost_usd", "unpriced_requests", "unbilled_requests")

    assert found.rows() == [
        ("anthropic", "m", Decimal("0.000005"), 0, 0),
        ("anthropic", "new", None, 1, 0),
        ("ollama", "m", None, 0, 1),
    ]
    assert rolled("by_agent", "UTC", *made, rates=rates).select("cost_usd", "requests").rows() == [(Decimal("0.000005"), 3)]


def test_days_and_hours_are_those_of_the_zone() -> None:
    """`by_day` and `by_hour` follow the clock of the zone: 18:40 UTC is 00:10 of the next day in Kolkata, in its hour from 18:30 on."""
    made = row(at=at("2026-05-01T18:40"))

    assert rolled("by_day", "Asia/Kolkata", made)["day"].to_list() == [date(2026, 5, 2)]
    assert rolled("by_hour", "Asia/Kolkata", made)["hour"].to_list() == [at("2026-05-01T18:30")]


def test_runtime_of_a_group_is_that_of_its_sessions() -> None:
    """A group's runtime adds up its sessions' time from first to last call; a call without a session belongs to none."""
    found = rolled(
        "by_project",
        "UTC",
        row(key="a", at=at("2026-05-01T10:00")),
        row(key="b", at=at("2026-05-01T10:00:30.5")),
        row(key="c", at=at("2026-05-01T23:00"), session="s2"),
        row(key="d", at=at("2026-05-02T23:00"), session=None),
    )

    assert found.select("sessions", "runtime_s", "first_at", "last_at").rows() == [
        (2, 30.5, at("2026-05-01T10:00"), at("2026-05-02T23:00"))
    ]


def test_session_is_shown_where_it_was_last() -> None:
    """A session that moved between projects has one row, with the project and profile of its last call and its parent."""
    found = rolled(
        "by_session",
        "UTC",
        row(key="a", at=at("2026-05-01T10:00"), project="/a", parent_session="s0"),
        row(key="b", at=at("2026-05-01T11:00"), project="/b", profile="work"),
    )

    assert found.select("session", "parent_session", "project", "profile", "requests").rows() == [("s1", "s0", "/b", "work", 2)]


def test_calls_without_a_session_are_in_the_sums_by_session() -> None:
    """They stand in one row per agent that names no session, and take no time: all views add up to the same."""
    found = rolled(
        "by_session",
        "UTC",
        row(key="a", at=at("2026-05-01T10:00")),
        row(key="b", at=at("2026-05-01T10:00"), session=None, project="/a", profile="work"),
        row(key="c", at=at("2026-05-01T11:00"), session=None, project="/b"),
    )

    assert found.select("session", "project", "profile", "requests", "runtime_s").rows()[-1] == (None, None, None, 2, 0.0)
    assert found["requests"].to_list() == [1, 2]


@pytest.mark.parametrize("known", VIEWS, ids=lambda known: known.name)
@pytest.mark.parametrize("empty", [False, True])
def test_every_view_has_its_columns(known: View, empty: bool) -> None:
    """Each view has exactly the columns and types that the catalog names, with rows and without."""
    made = views() if empty else views(row())
    found = getattr(made, known.name) if known.roll_up is None else known.roll_up(made, "UTC")

    assert dict(found.collect_schema()) == known.columns
