"""`ringlet seal`: the newest rows in Parquet files, days that are over in one file each."""

from pathlib import Path

import pytest

from tests.cli.homes import reply, ringlet, transcript


def files(home: Path, day: str) -> list[Path]:
    return sorted((home / "rl" / "events" / f"date={day}").rglob("*.parquet"))


@pytest.mark.parametrize(("day", "left"), [("2026-05-12", 1), ("2026-05-13", 2)])
def test_a_day_that_is_over_becomes_one_file(tmp_path: Path, day: str, left: int) -> None:
    """Sealing twice makes two files of a day; they become one once that day is over, and stay two on the day itself."""
    first = reply(1, f"{day}T09:00:00Z")
    transcript(tmp_path, "one", first)
    ringlet(tmp_path, "ingest")
    ringlet(tmp_path, "seal")
    assert len(files(tmp_path, day)) == 1

    transcript(tmp_path, "one", first, reply(2, f"{day}T10:00:00Z"))
    ringlet(tmp_path, "ingest")
    done = ringlet(tmp_path, "seal")

    assert len(files(tmp_path, day)) == left
    assert ("✓ The files of 1 day made into one each" in done.out) == (left == 1)
    assert '"input_tokens": 2000' in ringlet(tmp_path, "usage", "--period", "all", "--json").out
