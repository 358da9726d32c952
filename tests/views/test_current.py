"""What follows the log from line to line says what the log says when it is read whole."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.log import Log
from tests.sizes import times
from tests.views.stores import START, commit, event, terms
from views import current, materialize
from views.holding import Holding, followed, loaded

HOURS = st.integers(0, 20).map(lambda hours: START + timedelta(hours=hours))
SIGHTING = st.fixed_dictionaries(
    {
        "name": st.sampled_from("abcd"),
        "at": HOURS,
        "complete": st.booleans(),
        "depth": st.integers(0, 1),
        "input": st.integers(0, 5),
        "output": st.integers(0, 5),
        "cache_write_1h": st.integers(0, 2),
        "web_searches": st.integers(0, 1),
        "reasoning": st.none() | st.integers(0, 3),
        "duration_ms": st.none() | st.integers(0, 9),
        "logged_cost_usd": st.none() | st.sampled_from([Decimal("0"), Decimal("0.5"), Decimal("0.25")]),
        "model": st.sampled_from(["claude-sonnet-4-5", "m", None]),
        "session": st.sampled_from(["s1", "s2", None]),
        "initiator": st.sampled_from(["main", "subagent"]),
        "tier": st.sampled_from([None, "batch"]),
    }
)
STEP = st.lists(SIGHTING, min_size=1, max_size=4) | st.sampled_from(["follow", "seal"])


def told(facts: dict[str, Any]) -> Any:
    fields = dict(facts)
    cost = fields["logged_cost_usd"]
    return event(fields.pop("name"), logged_cost_basis=None if cost is None else "agent", **fields)


def equal(found: pl.DataFrame, wanted: pl.DataFrame) -> bool:
    return found.sort("key").rows() == wanted.sort("key").rows() and found.schema == wanted.schema


@settings(max_examples=times(30), deadline=None)
@given(st.lists(STEP, max_size=8))
def test_followed_calls_are_the_calls_of_the_whole_log(steps: list[Any]) -> None:
    """Whatever comes, is told better, is sealed or followed in between: each date's calls are those that reading the whole log gives."""
    with TemporaryDirectory() as folder, Log.open(Path(folder) / "store") as log:
        views = f"{folder}/views"
        holding: Holding = loaded(views, log, terms())
        for step in [*steps, "follow"]:
            if step == "seal":
                log.seal()
            elif step == "follow":
                holding = followed(holding, views, log, terms())
                for day in holding.fresh_days():
                    found = holding.fresh(day)
                    assert found is not None
                    assert equal(found, materialize.calls_of(log, terms(), {day}))
            else:
                commit(log, *map(told, step))
        for day in log.days():
            assert equal(current.calls(log, terms(), day), materialize.calls_of(log, terms(), {day}))


def test_what_was_sealed_unseen_is_read_again(tmp_path: Path) -> None:
    """Rows that came and were sealed since one last looked are not known one by one: their date is read whole."""
    with Log.open(tmp_path / "store") as log:
        commit(log, event("a", output=1))
        before = loaded(str(tmp_path / "views"), log, terms())
        commit(log, event("b", output=2), event("a", output=3))
        log.seal()
        after = followed(before, str(tmp_path / "views"), log, terms())
        (day,) = after.fresh_days()
        found = after.fresh(day)

    assert found is not None
    assert sorted(found["output"]) == [2, 3]


def test_views_that_lack_a_date_are_not_made_for_it(tmp_path: Path) -> None:
    """A date that the views do not know yet is held beside them, and `make` is asked where more is missing than that."""
    views, made = str(tmp_path / "views"), []
    with Log.open(tmp_path / "store") as log:
        commit(log, event("a", output=1))
        materialize.refresh(views, log, terms())
        commit(log, event("b", output=2, at=START + timedelta(days=1)))
        beside = loaded(views, log, terms(), lambda: made.append("views"))
        assert (made, len(beside.fresh_days())) == ([], 1)

        def make() -> None:
            made.append("views")
            materialize.refresh(views, log, terms(stamp="2"))

        whole = loaded(views, log, terms(stamp="2"), make)
        assert (made, whole.fresh_days()) == (["views"], set())
        assert whole.table("UTC", "auto").daily.rows["requests"].to_list() == [1, 1]
