"""`ringlet views`, `ringlet seal` and exports, as command lines."""

import csv
import json
import os
import shutil
from contextlib import redirect_stdout
from io import BytesIO, TextIOWrapper
from pathlib import Path

import polars as pl
import pytest

from cli import gate
from pipeline import durable
from tests.cli.homes import at_home, mixed, reply, ringlet, transcript


@pytest.fixture
def home(tmp_path: Path) -> Path:
    mixed(tmp_path)
    return tmp_path


def written(home: Path, *argv: str) -> bytes:
    """What a command line writes to standard output, to the byte."""
    out = TextIOWrapper(BytesIO())
    with at_home(home), redirect_stdout(out):
        assert gate.main(list(argv)) == 0
    out.flush()
    return out.buffer.getvalue()


@pytest.mark.parametrize("format", ["csv", "json", "jsonl", "parquet"])
def test_both_ways_to_export_write_the_same(home: Path, format: str) -> None:
    """`usage export --format X` and `usage --export X` write the same bytes."""
    assert written(home, "usage", "export", "--format", format) == written(home, "usage", "--export", format)


def test_export_without_a_period_is_everything(home: Path) -> None:
    """An export holds one row per call, of all time where no period is given."""
    rows = list(csv.DictReader(written(home, "usage", "--export", "csv").decode().splitlines()))

    assert (len(rows), len({row["id"] for row in rows})) == (11, 11)
    assert len(json.loads(written(home, "usage", "--export", "json", "--period", "today"))) == 5


def test_sums_of_an_export_are_those_of_the_summary(home: Path) -> None:
    """Tokens and costs of all exported calls, of all exported groups and of the summary are the same."""
    summary = json.loads(ringlet(home, "usage", "--period", "all", "--json").out)
    calls = pl.read_parquet(written(home, "usage", "--export", "parquet"))
    groups = pl.read_parquet(written(home, "usage", "projects", "--export", "parquet", "--period", "all"))

    for rows in (calls, groups):
        assert rows["output_tokens"].sum() == summary["total_tokens"]["output_tokens"]
        assert rows["uncached_input_tokens"].sum() == summary["total_tokens"]["input_tokens"]
        assert float(rows["cost_usd"].sum()) == pytest.approx(summary["total_cost"]["total_cost"], abs=1e-9)


def test_export_into_a_file(home: Path) -> None:
    """`-o FILE` writes the same bytes into a file that only its owner can read, and never through a link."""
    path = home / "out.csv"

    assert ringlet(home, "usage", "export", "-o", str(path)).code == 0
    assert path.read_bytes() == written(home, "usage", "export")
    assert path.stat().st_mode & 0o777 == 0o600
    assert written(home, "usage", "export", "-o", "-") == path.read_bytes()
    path.rename(home / "target")
    path.symlink_to(home / "target")
    outcome = ringlet(home, "usage", "export", "-o", str(path))
    assert (outcome.code, "a link stands there" in outcome.err) == (1, True)


@pytest.mark.parametrize(("name", "code", "told"), [("", 1, "a folder stands there"), ("none/out.csv", 3, "there is no such folder")])
def test_export_where_no_file_can_be(home: Path, name: str, code: int, told: str) -> None:
    """A place that cannot take the file is named as it was asked for, not as the file that is made beside it."""
    outcome = ringlet(home, "usage", "export", "-o", f"{home}/{name}")

    assert (outcome.code, told in outcome.err, ".new" in outcome.err) == (code, True, False)


def test_views_are_listed(home: Path) -> None:
    """`views list` names every view, its size, and whether the log has gone on since."""
    ringlet(home, "usage", "projects")
    assert "up to date" in ringlet(home, "views", "list").out

    found = json.loads(ringlet(home, "views", "list", "--json").out)
    assert found["up_to_date"] is True
    assert [view["view"] for view in found["views"]][:4] == ["calls", "sessions", "cube", "by_profile"]


def test_views_beside_another_machines_segments_are_up_to_date(home: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Once they are made with what another machine saw, `views list` says so."""
    other = tmp_path_factory.mktemp("other")
    transcript(other, "one", reply(90, "2026-05-13T09:00:00Z", session="s90"))
    ringlet(other, "ingest")
    ringlet(other, "seal")
    shutil.copytree(other / "rl" / "events", home / "rl" / "events", dirs_exist_ok=True)
    assert "out of date" in ringlet(home, "views", "list").out

    ringlet(home, "usage", "projects")

    assert "up to date" in ringlet(home, "views", "list").out


def test_deleted_views_are_rebuilt(home: Path) -> None:
    """`views rebuild` makes again what is gone; a second time there is nothing to do; `--full` makes all anew."""
    ringlet(home, "usage")
    assert ringlet(home, "views", "rebuild").out == "✓ 11 calls on 6 dates made anew\n"
    assert ringlet(home, "views", "rebuild").out == "✓ The views are up to date\n"
    assert ringlet(home, "views", "rebuild", "--full").out == "✓ 11 calls on 6 dates made anew\n"


def test_a_rebuild_needs_no_snapshot(home: Path) -> None:
    """Views follow from the log alone: where there is no snapshot, making them neither waits for one nor leaves one."""
    before = ringlet(home, "usage", "--period", "all", "--json").out
    for path in (home / "rl" / "views").glob("snapshot.*"):
        path.unlink()

    assert ringlet(home, "views", "rebuild", "--full").out == "✓ 11 calls on 6 dates made anew\n"
    assert not list((home / "rl" / "views").glob("snapshot.*"))
    assert json.loads(ringlet(home, "usage", "--period", "all", "--json").out)["total_cost"] == json.loads(before)["total_cost"]


def test_seal_moves_rows_into_files(home: Path) -> None:
    """`seal` writes the newest rows into Parquet files that any program can add up, and brings the views up to date."""
    ringlet(home, "usage")
    events = home / "rl" / "events"
    assert not events.exists()

    assert ringlet(home, "seal").out.startswith("✓ 11 rows sealed into 6 files\n")
    assert pl.read_parquet(events / "**" / "*.parquet", hive_partitioning=True)["requests"].sum() == 11
    assert ringlet(home, "seal").out == "✓ Nothing to seal: the log is in its files\n"
    assert os.path.isdir(home / "rl" / "views" / "by_day")


def test_seal_needs_no_views(home: Path) -> None:
    """While another process makes the views, `seal` still seals and says so; `views rebuild` ends with 4 and names the process."""
    ringlet(home, "usage")
    with durable.lock(str(home / "rl" / "views" / ".lock")):
        outcome = ringlet(home, "seal")
        refused = ringlet(home, "views", "rebuild")

    assert (outcome.code, outcome.out.split("\n")[1]) == (0, "✓ The views are being made by another process")
    assert (refused.code, str(os.getpid()) in refused.err) == (4, True)
