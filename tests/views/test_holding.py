"""What is held in memory of a log: with nothing in it, after news, and in one zone after another."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipeline.log import Log
from pipeline.questions import Position
from tests.views.stores import START, commit, event, terms
from views import materialize
from views.held import Names
from views.holding import Holding, followed, loaded


@pytest.mark.parametrize("mode", ["auto", "calculate", "logged"])
def test_an_empty_log_is_held_in_every_cost_mode(tmp_path: Path, mode: str) -> None:
    """It has no days, and after news without any it still has none."""
    position = Position(epoch="e", seq=0)
    holding = Holding(str(tmp_path), position, Names(), {})

    assert holding.table("UTC", mode).sessions.rows.is_empty()
    assert holding.following(position, {}).table("UTC", mode).sessions.rows.is_empty()


def test_a_further_zone_says_what_it_would_say_as_the_first(tmp_path: Path) -> None:
    """Each zone has its own days of the same calls, whichever was asked for before it, and when the log has grown since."""
    views, zones = str(tmp_path / "views"), ("UTC", "Asia/Tokyo", "America/New_York")
    with Log.open(tmp_path / "store") as log:
        calls = [(f"c{hour}", START + timedelta(hours=5 * hour), f"s{hour // 3}", f"m{hour % 2}") for hour in range(20)]
        commit(log, *(event(name, at=at, session=session, model=model, output=1) for name, at, session, model in calls))
        materialize.refresh(views, log, terms())
        together = loaded(views, log, terms())
        for zone in zones[:2]:
            together.table(zone, "auto")
        commit(log, event("late", at=START + timedelta(hours=7), session="s1", model="m0", output=1))
        together = followed(together, views, log, terms())

        for zone in zones:
            alone = loaded(views, log, terms()).table(zone, "auto")
            table = together.table(zone, "auto")
            assert shown(table.sessions.rows, table.names) == shown(alone.sessions.rows, alone.names)
            assert sum(table.daily.rows["requests"]) == 21


def shown(rows: pl.DataFrame, names: Names) -> list[dict[str, Any]]:
    """Rows by what they are called, in an order of their own."""
    told = [{**row, "cell": names.cells[row["cell"]], "sid": names.sessions[row["sid"]]} for row in rows.iter_rows(named=True)]
    return sorted(told, key=lambda row: (row["day"], row["utc"], row["cell"], row["sid"]))
