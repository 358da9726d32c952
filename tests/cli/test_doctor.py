"""`ringlet doctor` on small stores: what it says of a well one, of a damaged one, and what it mends."""

import json
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from pipeline.log import Log
from tests.cli.homes import at_home, called, mixed, reply, ringlet, transcript


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A user whose logs were read and whose log is sealed. One of eleven calls is of a model without a price."""
    mixed(tmp_path)
    ringlet(tmp_path, "usage")
    with Log.open(tmp_path / "rl") as log:
        log.seal()
    return tmp_path


def report(home: Path, *argv: str) -> tuple[int, dict[str, Any]]:
    outcome = ringlet(home, "doctor", "--json", *argv)
    found: dict[str, Any] = json.loads(outcome.out)
    return outcome.code, found


def areas(found: dict[str, Any], level: str) -> set[str]:
    return {finding["area"] for finding in found["findings"] if finding["level"] == level}


def segment(home: Path) -> Path:
    return sorted((home / "rl" / "events").rglob("*.parquet"))[0]


def test_nothing_recorded_is_said_so(tmp_path: Path) -> None:
    """Without a store there is nothing to check: exit code 3 and the command that begins."""
    outcome = ringlet(tmp_path, "doctor")

    assert (outcome.code, outcome.out) == (3, "")
    assert "ringlet usage" in outcome.err


def test_every_record_is_accounted_for(home: Path) -> None:
    """The eleven lines are eleven new calls; read again after a copy, they are eleven duplicates more."""
    shutil.copytree(home / ".claude" / "projects" / "-src", home / ".claude" / "projects" / "-copy")
    ringlet(home, "usage")
    outcome = ringlet(home, "doctor")

    assert "Records    22 = 11 new + 0 updated + 11 duplicate + 0 ignored by rule + 0 quarantined" in outcome.out


def test_call_without_a_price_is_a_warning(home: Path) -> None:
    """An unpriced model makes totals incomplete: exit code 1, with the model and what to do."""
    code, found = report(home)

    assert (code, found["status"], found["unpriced_models"]) == (1, "warnings", ["mystery-9"])


@pytest.mark.parametrize("setting", ['[tokenPriceTable."claude-sonnet-4-5-20250929"]\ninput = 1\noutput = 2', 'timezone = "Asia/Tokyo"'])
def test_views_of_other_settings_are_no_damage(home: Path, setting: str) -> None:
    """Views that were made before prices or the zone were changed add up to other sums than the log: they are old, not damaged."""
    ringlet(home, "usage", "--by", "project", "--period", "all")
    (home / "rl" / "config.toml").write_text(setting)

    code, found = report(home)

    assert (code, "views" in areas(found, "note"), areas(found, "damage")) == (1, True, set())
    ringlet(home, "usage", "--by", "project", "--period", "all")
    assert "views" not in areas(report(home)[1], "note")


def test_damaged_prices_are_found(home: Path, tmp_path: Path) -> None:
    """Synced prices of which a part is gone give way to the shipped ones; doctor says so, and another sync mends it."""
    prices = '{"mystery-9": {"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6, "litellm_provider": "anthropic", "mode": "chat"}}'
    (tmp_path / "prices.json").write_text(prices)
    ringlet(home, "registry", "sync", "--file", str(tmp_path / "prices.json"))
    assert areas(report(home)[1], "damage") == set()
    synced = home / "rl" / "prices" / "synced.tsv"
    synced.write_bytes(synced.read_bytes()[:60])

    code, found = report(home)
    assert (code, areas(found, "damage")) == (5, {"prices"})

    ringlet(home, "registry", "sync", "--file", str(tmp_path / "prices.json"))
    assert areas(report(home)[1], "damage") == set()


def test_quarantined_record_is_listed_with_its_place(home: Path) -> None:
    """A line that claims usage and cannot be believed is named by file and byte, and its text is nowhere."""
    bad = reply(50, "2026-05-13T09:00:00Z", output=-7, project="/src/secret-plan")
    path = transcript(home, "five", reply(51, "2026-05-13T09:00:00Z"), bad)
    ringlet(home, "usage")
    outcome = ringlet(home, "doctor")

    offset = len(reply(51, "2026-05-13T09:00:00Z"))
    assert f"{path}:{offset}" in outcome.out
    assert "secret-plan" not in outcome.out
    assert "1 quarantined" in outcome.out


def test_changed_byte_in_a_segment_is_found_by_a_deep_check_and_mended(home: Path) -> None:
    """A flipped bit is damage under --deep, --repair reads the sources again, and the totals are as before."""
    before = ringlet(home, "usage", "--period", "all", "--json").out
    path = segment(home)
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 4
    path.write_bytes(content)
    assert report(home)[0] == 1
    code, found = report(home, "--deep")
    assert (code, found["status"]) == (5, "damage")

    ringlet(home, "doctor", "--repair")

    assert report(home, "--deep")[1]["status"] == "warnings"
    assert ringlet(home, "usage", "--period", "all", "--json").out == before


def test_lost_journal_is_made_anew(home: Path) -> None:
    """Deleting the journal loses nothing: the next command adopts the segments and reads no call twice."""
    before = ringlet(home, "usage", "--period", "all", "--json").out
    for name in ("journal.db", "journal.db-wal", "journal.db-shm"):
        (home / "rl" / name).unlink(missing_ok=True)

    assert ringlet(home, "usage", "--period", "all", "--json").out == before
    assert report(home, "--deep")[1]["status"] == "warnings"


def test_lost_views_are_made_anew(home: Path) -> None:
    """Views can be deleted at any time."""
    before = ringlet(home, "usage", "--period", "all", "--by", "project").out
    shutil.rmtree(home / "rl" / "views")

    assert ringlet(home, "usage", "--period", "all", "--by", "project").out == before


def test_views_that_differ_from_the_log_are_damage(home: Path) -> None:
    """A view whose file was exchanged for an older one does not add up, and the command that mends it is named."""
    ringlet(home, "usage", "--by", "project", "--period", "all")
    views = home / "rl" / "views"
    kept = home / "kept"
    shutil.copytree(views / "by_model", kept)
    transcript(home, "six", reply(60, "2026-05-13T09:00:00Z", session="s6"))
    ringlet(home, "usage", "--by", "project", "--period", "all")
    shutil.rmtree(views / "by_model")
    shutil.copytree(kept, views / "by_model")
    os.chmod(views / "by_model", 0o700)

    code, found = report(home)
    assert (code, "views" in areas(found, "damage")) == (5, True)
    assert "ringlet views rebuild --full" in {finding["mend"] for finding in found["findings"]}


def test_calls_without_a_session_are_no_damage(home: Path) -> None:
    """A captured call may belong to no session, and is in the sums of every view."""
    called(home, "2026-05-13T09:00:00Z", "main", 60, named=False)
    ringlet(home, "usage", "--by", "project", "--period", "all")

    assert "views" not in areas(report(home)[1], "damage")


def test_another_machines_log_is_no_damage(home: Path) -> None:
    """Two machines that saw the same calls: the views count each once, this machine's journal knows nothing of it, and nothing is wrong."""
    other = home / "other"
    mixed(other)
    transcript(other, "six", reply(60, "2026-05-13T09:00:00Z", session="s6"))
    ringlet(other, "usage")
    with Log.open(other / "rl") as log:
        log.seal()
    shutil.copytree(other / "rl" / "events", home / "rl" / "events", dirs_exist_ok=True)
    ringlet(home, "views", "rebuild", "--full")

    code, found = report(home)
    assert (code, areas(found, "damage"), "machines" in areas(found, "note")) == (1, set(), True)
    assert json.loads(ringlet(home, "usage", "--by", "project", "--period", "all", "--json").out)["total_requests"] == 12


def test_stray_file_among_the_segments_is_named(home: Path) -> None:
    """Other programs read whatever lies under events/: what is no segment is a warning with its path."""
    stray = segment(home).with_name("notes.txt")
    stray.write_text("x")
    os.chmod(stray, 0o600)

    assert str(stray) in {finding["where"] for finding in report(home)[1]["findings"]}


def test_open_modes_are_named_and_not_changed(home: Path) -> None:
    """A file that others can read is a warning with the command; doctor does not change modes silently."""
    path = segment(home)
    os.chmod(path, 0o644)

    assert str(path) in {finding["where"] for finding in report(home)[1]["findings"]}
    assert path.stat().st_mode & 0o777 == 0o644


def test_history_that_only_statistics_remember_is_told(home: Path) -> None:
    """stats-cache.json knows 5,000 tokens of a day with 1,100 known: at least 3,900 are lost, and no total holds them."""
    before = ringlet(home, "usage", "--period", "all", "--json").out
    stats = {
        "version": 1,
        "dailyModelTokens": [{"date": "2026-05-04", "tokensByModel": {"claude-sonnet-4-5-20250929": 5000}}],
        "modelUsage": {},
    }
    (home / ".claude" / "stats-cache.json").write_text(json.dumps(stats))

    found = report(home)[1]
    assert found["lost_tokens"] == 3900
    assert found["lost_history"] == [{"model": "claude-sonnet-4-5-20250929", "day": "2026-05-04", "tokens": 3900}]
    assert "\n  2026-05-04  claude-sonnet-4-5-20250929  3,900 tokens\n" in ringlet(home, "doctor").out
    assert json.loads(ringlet(home, "usage", "--period", "all", "--json").out)["total_tokens"] == json.loads(before)["total_tokens"]


def test_lost_history_without_days_is_told_by_model(home: Path) -> None:
    """Where only sums over all time lack something, they are told by model, and have no day."""
    sums = {"inputTokens": 600, "outputTokens": 90}
    (home / ".claude" / "stats-cache.json").write_text(json.dumps({"version": 1, "modelUsage": {"claude-gone-1": sums}}))

    assert report(home)[1]["lost_history"] == [{"model": "claude-gone-1", "day": None, "tokens": 690}]
    assert "\n  all time  claude-gone-1  690 tokens\n" in ringlet(home, "doctor").out


def test_call_of_the_future_is_kept_and_told(home: Path) -> None:
    """A clock that runs ahead does not lose a call: it counts, and doctor points at it."""
    transcript(home, "seven", reply(70, "2027-01-01T00:00:00Z", session="s7"))
    ringlet(home, "usage")

    assert "clock" in areas(report(home)[1], "warning")


def test_old_prices_are_told(home: Path) -> None:
    """Prices end with the release; years later that is worth a warning and names the command."""
    with at_home(home):
        outcome = ringlet(home, "doctor", now="2031-01-01T00:00:00+00:00")

    assert "ringlet registry sync" in outcome.out


def test_threads_that_only_codex_remembers_are_told(home: Path) -> None:
    """A thread of 700 tokens whose rollout is gone is lost history: told with its sum, in no total."""
    folder = home / ".codex"
    folder.mkdir()
    with closing(sqlite3.connect(folder / "state_5.sqlite")) as database:
        database.execute("CREATE TABLE threads(id TEXT PRIMARY KEY, created_at INTEGER, updated_at INTEGER, tokens_used INTEGER)")
        database.execute("INSERT INTO threads VALUES('0199-gone', 1778000000, 1778000001, 700)")
        database.commit()

    assert report(home)[1]["lost_tokens"] == 700


def spoiled(home: Path, view: str) -> None:
    """The files of a view hold something else."""
    for path in (home / "rl" / "views" / view).rglob("*.parquet"):
        path.write_bytes(b"something else")


@pytest.mark.parametrize("view", ["by_day", "cube", "calls"])
def test_views_that_cannot_be_read_are_damage_that_is_mended(home: Path, view: str) -> None:
    """A view is named as damage, with the command that mends it; the repair makes all views anew and says so."""
    assert ringlet(home, "usage", "projects", "--period", "all").code == 0
    spoiled(home, view)
    found = ringlet(home, "doctor")
    mended = ringlet(home, "doctor", "--repair")

    assert (found.code, f"views: {view} cannot be read; ringlet views rebuild --full" in found.out) == (5, True)
    assert "the views were made anew from the log" in mended.out
    assert "There is damage" not in mended.out


def test_a_question_outlives_views_that_cannot_be_read(home: Path) -> None:
    """An answer from spoiled views is the answer of views that were made anew."""
    before = ringlet(home, "usage", "projects", "--period", "all", "--json").out
    for view in ("cube", "sessions", "calls"):
        spoiled(home, view)

    assert ringlet(home, "usage", "projects", "--period", "all", "--json").out == before


def test_files_that_nobody_has_read_are_told(home: Path) -> None:
    """What lies there and is not in the log yet is a note, no warning: new files, and files that begin anew."""
    ringlet(home, "usage")
    transcript(home, "fresh", reply(900, "2026-05-13T09:00:00Z"))
    transcript(home, "one", reply(901, "2026-05-13T09:00:00Z"))
    out = ringlet(home, "doctor").out

    assert "1 file not read at all yet" in out
    assert "bytes of 1 source are not read yet" in out


def test_a_repair_says_what_it_did(home: Path) -> None:
    """A deleted segment is named, and that the journal was made anew; a question in between names it too, and what mends it."""
    gone = segment(home)
    gone.unlink()
    question = ringlet(home, "usage", "projects", "--period", "all")
    mended = ringlet(home, "doctor", "--repair").out

    assert (question.code, question.err) == (1, f"ringlet: {gone}: the segment is not there; ringlet doctor --repair\n")
    assert f"✓ {gone}: " in mended
    assert "✓ the journal was made anew from the log" in mended


def test_a_store_that_cannot_be_opened_is_damage(home: Path) -> None:
    """The file that keeps it from being opened is the one finding, with what mends it; nothing is said of sums that were not looked at."""
    path = home / "rl" / "profiles.json"
    path.write_text("{bad")
    code, found = report(home)
    told = ringlet(home, "doctor")

    (finding,) = found["findings"]
    assert (code, found["status"], finding["level"], finding["where"]) == (5, "damage", "damage", str(path))
    assert finding["mend"] == "mend or remove it, then ringlet profiles list"
    assert (told.code, str(path) in told.out, "Records" in told.out) == (5, True, False)
