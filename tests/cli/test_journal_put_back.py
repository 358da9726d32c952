"""A journal that was lost, or an older copy of it put back, while snapshot and views are newer: no answer takes the one for the other."""

import json
import shutil
import subprocess
from pathlib import Path

import duckdb
import pytest

from tests.cli.daemons import ROOT, Home, until
from tests.cli.homes import reply, ringlet, transcript


def requests(home: Path, *argv: str) -> int:
    return int(json.loads(ringlet(home, "usage", "--period", "all", "--json", *argv).out)["total_requests"])


def lose_journal(home: Path) -> None:
    for path in (home / "rl").glob("journal.db*"):
        path.unlink()


@pytest.mark.parametrize("asking", [("usage", "models"), ("usage", "--by", "session"), ("ingest",)])
def test_numbers_that_are_given_again_are_no_rows_that_are_known(tmp_path: Path, asking: tuple[str, ...]) -> None:
    """Rows read after an older journal was put back bear numbers that snapshot and views know for others: they count all the same."""
    first, second = (reply(number, f"2026-05-13T0{number}:00:00Z") for number in (1, 2))
    transcript(tmp_path, "one", first)
    assert requests(tmp_path, "--by", "session") == 1
    shutil.copytree(tmp_path / "rl", tmp_path / "kept")
    transcript(tmp_path, "one", first, second)
    assert requests(tmp_path, "--by", "session") == 2
    lose_journal(tmp_path)
    for path in (tmp_path / "kept").glob("journal.db*"):
        shutil.copy2(path, tmp_path / "rl")
    # The largest file is read first: its calls get the numbers that the second one had.
    transcript(tmp_path, "two", *(reply(number, f"2026-04-0{number}T09:00:00Z", session="s2") for number in range(3, 8)))

    ringlet(tmp_path, *asking)

    assert requests(tmp_path) == 7
    assert requests(tmp_path, "--by", "session") == 7
    assert ringlet(tmp_path, "seal").code == 0
    assert requests(tmp_path, "--by", "session") == 7
    assert json.loads(ringlet(tmp_path, "doctor", "--deep", "--json").out)["status"] == "well"


@pytest.mark.parametrize("asking", [("seal",), ("usage", "--no-sync", "--tz", "Asia/Tokyo")])
def test_a_journal_made_anew_has_read_nothing(tmp_path: Path, asking: tuple[str, ...]) -> None:
    """What was not sealed is lost with the journal: a command that reads no logs does not make the next one take them for read."""
    transcript(tmp_path, "one", reply(1, "2026-05-13T09:00:00Z"))
    ringlet(tmp_path, "ingest")
    ringlet(tmp_path, "seal")
    transcript(tmp_path, "two", reply(2, "2026-05-13T10:00:00Z", session="s2"))
    assert requests(tmp_path) == 2
    lose_journal(tmp_path)

    assert ringlet(tmp_path, *asking).code == 0

    assert requests(tmp_path) == 2


def test_a_watcher_goes_on_in_the_journal_that_takes_the_place_of_its_own(tmp_path: Path) -> None:
    """After a repair has laid the journal aside the watcher follows the new one, and in the files every call is there once."""
    log = transcript(tmp_path, "one", reply(1, "2026-05-13T09:00:00Z"))
    home = Home(tmp_path)
    with subprocess.Popen(
        home.command("ingest", "--watch"), env=home.env, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as watcher:
        try:
            assert watcher.stdout is not None
            assert watcher.stdout.readline().startswith("Watching 1 file")
            assert home.usage()["total_requests"] == 1
            for path in (home.store / "journal.db-wal", home.store / "journal.db-shm", home.store / "journal.db"):
                path.rename(tmp_path / path.name)
            assert home.usage()["total_requests"] == 1
            with log.open("a") as file:
                file.write(reply(2, "2026-05-13T10:00:00Z"))
            until(lambda: json.loads(home.run("usage", "--period", "all", "--json", "--no-sync").out)["total_requests"] == 2)
        finally:
            watcher.terminate()
        _, complaint = watcher.communicate(timeout=90)

    assert (watcher.returncode, complaint) == (143, "ringlet: the journal was replaced; watching anew\n")
    sealed = duckdb.sql(f"SELECT sum(requests) FROM '{home.store}/events/**/*.parquet'")
    assert sealed is not None
    assert sealed.fetchall() == [(2,)]
    assert json.loads(home.run("doctor", "--deep", "--json").out)["status"] == "well"
