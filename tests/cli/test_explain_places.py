"""`ringlet explain`: where records stand, told only as far as it is true now."""

import json
import os
import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import zstandard

from ingest.tap import Tap
from pipeline.log import Log
from tests.cli.homes import reply, ringlet, transcript
from tests.ingest.test_tap import pass_by
from tests.ingest.test_tap import reply as passing

CASES = Path(__file__).parents[2] / "data-fixtures"
LATER = "2026-09-30T12:00:00+00:00"


def told(home: Path, *words: str, now: str = "2026-05-13T12:00:00+00:00") -> Any:
    return json.loads(ringlet(home, "explain", *words, "--json", now=now).out, parse_float=Decimal)


def only(home: Path) -> Any:
    (call,) = told(home, "--period", "all")["calls"]
    return call


def test_a_deleted_file_is_said_to_be_gone(tmp_path: Path) -> None:
    """The place is that of then, and the state says that nothing stands there any more."""
    path = transcript(tmp_path, "one", reply(1, "2026-05-13T09:00:00Z"))
    only(tmp_path)
    path.unlink()
    call = only(tmp_path)

    assert (call["file"], call["offset"], call["place_state"]) == (str(path), 0, "the file is gone, the log holds the record")


def test_a_record_that_moved_is_told_where_it_stands_now(tmp_path: Path) -> None:
    """A line put before it moves a record: explain names the new offset, which cuts out just that line, and the old place."""
    path = transcript(tmp_path, "one", reply(1, "2026-05-13T09:00:00Z"))
    old = only(tmp_path)
    path.write_text('{"type":"summary"}\n' + path.read_text())
    call = only(tmp_path)
    line = path.read_bytes()[call["offset"] : call["offset"] + call["length"]]

    assert json.loads(line)["message"]["id"] == "msg_1"
    assert call["place_state"] == f"the record stands there now; it was read at {old['place']}"


def test_a_place_that_another_record_took_is_said_to_be_lost(tmp_path: Path) -> None:
    """A file that was cut and written anew holds another call at the old offset: that place is not passed off as the old call's."""
    path = transcript(tmp_path, "one", reply(1, "2026-05-13T09:00:00Z"))
    only(tmp_path)
    path.write_text(reply(2, "2026-05-13T10:00:00Z"))
    first, second = told(tmp_path, "--period", "all")["calls"]

    assert first["place_state"] == "that place no longer holds this record, the log does: the file was rewritten or cut"
    assert second["place_state"] == "the file still holds that record"


def test_a_copy_of_what_is_gone_stands_for_it(tmp_path: Path) -> None:
    """Where the file is deleted but a copy of the record lies elsewhere, the copy is the place."""
    path = transcript(tmp_path, "one", reply(1, "2026-05-13T09:00:00Z"))
    only(tmp_path)
    copy = transcript(tmp_path, "two", '{"type":"summary"}\n', reply(1, "2026-05-13T09:00:00Z"))
    path.unlink()
    call = only(tmp_path)

    assert (call["file"], call["offset"]) == (str(copy), 19)
    assert call["place_state"].startswith(f"the record stands there now; it was read at {path}:0+")


def test_a_call_owned_by_a_later_file_stands_where_its_record_is(tmp_path: Path) -> None:
    """A fork that is imported first is the place of its fuller record, also after the original has come to own the call."""
    fork = transcript(tmp_path, "fork", reply(1, "2026-05-13T09:00:00Z", session="z", output=50, sidechain=True))
    only(tmp_path)
    original = transcript(tmp_path, "one", reply(1, "2026-05-13T09:00:00Z", session="a", output=5))
    found = told(tmp_path, "--period", "all")
    (call,), (dropped,) = found["calls"], found["dropped"]

    assert (call["session"], call["file"], call["place_state"]) == ("a", str(fork), "the file still holds that record")
    assert (dropped["file"], dropped["output"], dropped["counts"]) == (str(original), 5, call["place"])


def test_offsets_of_a_compressed_file_count_its_text(tmp_path: Path) -> None:
    """Of a packed rollout offset and length cut the line out of the unpacked text, and the place says so."""
    (case,) = (CASES / "codex/running-totals/home").glob("sessions/2026/09/01/*.jsonl")
    path = tmp_path / ".codex/sessions/2026/09/01" / f"{case.name}.zst"
    path.parent.mkdir(parents=True)
    path.write_bytes(zstandard.compress(case.read_bytes()))
    calls = told(tmp_path, "--period", "all", now=LATER)["calls"]

    assert calls
    for call in calls:
        line = json.loads(case.read_bytes()[call["offset"] : call["offset"] + call["length"]])
        assert line["payload"]["info"]["last_token_usage"]["output_tokens"] == call["output"]
        assert call["place"] == f"{path}:{call['offset']}+{call['length']} of its unpacked text"
        assert (call["offset_of"], call["place_state"]) == ("unpacked text", "the file still holds that record")


def test_a_database_is_told_by_row(tmp_path: Path) -> None:
    """A record in a database stands in the row of its id, at no offset."""
    path = tmp_path / ".local/share/opencode/opencode.db"
    path.parent.mkdir(parents=True)
    shutil.copy(CASES / "opencode/first-database/home/opencode.db", path)
    calls = told(tmp_path, "--period", "all", now=LATER)["calls"]

    assert {call["place"] for call in calls} == {f"{path} row msg_{number}" for number in (1, 2, 3, 5)}
    assert {(call["offset"], call["offset_of"], call["place_state"]) for call in calls} == {
        (None, "database row", "the file still holds that record")
    }


def test_a_captured_call_is_in_no_file(tmp_path: Path) -> None:
    """A reply that passed through the proxy has a number and no file."""
    store = tmp_path / "rl"
    store.mkdir(mode=0o700)
    tap = Tap(lambda: Log.open(store))
    tap.start()
    pass_by(tap, passing())
    tap.stop()
    (call,) = told(tmp_path, "--period", "all", now=LATER)["calls"]

    assert (call["file"], call["place_state"]) == (None, "captured as it passed: no file holds it")
    assert call["place"].startswith("captured reply 0, ")


def test_a_file_beyond_the_homes_is_looked_at(tmp_path: Path) -> None:
    """A transcript that was imported from a folder of the user's own still stands there."""
    path = tmp_path / "backup" / "projects" / "x" / "one.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text(reply(1, "2026-05-13T09:00:00Z"))
    assert ringlet(tmp_path, "import", "claude", "--from", str(tmp_path / "backup")).code == 0
    call = only(tmp_path)

    assert (call["file"], call["place_state"]) == (str(path), "the file still holds that record")


def test_places_survive_the_loss_of_the_journal(tmp_path: Path) -> None:
    """A journal made anew numbers sources anew: every call is told where its record is found, never where the old number leads."""
    paths = [transcript(tmp_path, name, reply(number, "2026-05-13T09:00:00Z")) for number, name in enumerate("cba")]
    told(tmp_path, "--period", "all")
    with Log.open(tmp_path / "rl") as log:
        log.seal()
    for name in os.listdir(tmp_path / "rl"):
        if name.startswith("journal.db"):
            (tmp_path / "rl" / name).unlink()
    transcript(tmp_path, "0", reply(9, "2026-05-13T10:00:00Z"))
    paths[0].unlink()
    first, *others = sorted(told(tmp_path, "--period", "all")["calls"], key=lambda call: call["file"] or "")

    assert (first["file"], first["place"]) == (None, "unknown")
    assert first["place_state"] == "which file that was is no longer known, the log holds the record"
    assert [Path(call["file"]).name for call in others] == ["0.jsonl", "a.jsonl", "b.jsonl"]


def test_names_that_are_kept_say_the_same_as_reading_everything(tmp_path: Path) -> None:
    """Whatever became of the files between two questions, the hint of who holds what leads to the answer that is given without it."""
    transcript(tmp_path, "one", reply(1, "2026-05-13T09:00:00Z"), reply(2, "2026-05-13T09:01:00Z"))
    told(tmp_path, "--period", "all")
    transcript(tmp_path, "two", reply(1, "2026-05-13T09:00:00Z"))
    told(tmp_path, "--period", "all")
    transcript(tmp_path, "two", reply(2, "2026-05-13T09:01:00Z", output=7), reply(1, "2026-05-13T09:00:00Z"))
    (tmp_path / ".claude/projects/-src/one.jsonl").rename(tmp_path / ".claude/projects/-src/three.jsonl")
    kept = told(tmp_path, "--period", "all")
    (tmp_path / "rl/views/named").unlink()

    assert kept == told(tmp_path, "--period", "all")
    assert [Path(each["file"]).name for each in kept["dropped"]] == ["two.jsonl", "two.jsonl"]
