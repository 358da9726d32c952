"""What is held in memory of a log with nothing in it, and after news that change no day."""

from pathlib import Path

import pytest

from pipeline.questions import Position
from views.held import Names
from views.holding import Holding


@pytest.mark.parametrize("mode", ["auto", "calculate", "logged"])
def test_an_empty_log_is_held_in_every_cost_mode(tmp_path: Path, mode: str) -> None:
    """It has no days, and after news without any it still has none."""
    position = Position(epoch="e", seq=0)
    holding = Holding(str(tmp_path), position, Names(), {})

    assert holding.table("UTC", mode).sessions.rows.is_empty()
    assert holding.following(position, {}).table("UTC", mode).sessions.rows.is_empty()
