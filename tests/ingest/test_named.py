"""`ingest.named`: which sources can hold a record of a call, kept from one question to the next."""

import shutil
from pathlib import Path

import pytest

from ingest import named, reader
from ingest.adapters.claude import ADAPTER
from ingest.discover import Found, under
from ingest.named import Named, naming, up_to_date
from ingest.reader import Manner, Work
from pipeline import keys
from pipeline.batch import Batch
from tests.cli.homes import reply, transcript

ADAPTERS = {"claude": ADAPTER}


def found(home: Path) -> list[Found]:
    return list(under(ADAPTER, str(home / ".claude"), []))


def known(home: Path) -> dict[str, Named]:
    return up_to_date(str(home / "named"), found(home), ADAPTERS, 0)


def holding(home: Path, number: int) -> list[str]:
    """Names of the files in which the call of that number may be."""
    return sorted(Path(path).stem for path in naming(known(home), [keys.reply(f"msg_{number}", f"req_{number}")]))


def test_every_file_with_a_record_is_named(tmp_path: Path) -> None:
    """A call's own file, a copy, and a partial record in a third are named; a file without any record of it is not."""
    transcript(tmp_path, "own", reply(1, "2026-05-13T09:00:00Z"), reply(2, "2026-05-13T09:00:00Z"))
    transcript(tmp_path, "copy", reply(1, "2026-05-13T09:00:00Z"))
    transcript(tmp_path, "part", reply(1, "2026-05-13T09:00:00Z", output=1).replace('"end_turn"', "null"))
    transcript(tmp_path, "other", reply(3, "2026-05-13T09:00:00Z"))

    assert holding(tmp_path, 1) == ["copy", "own", "part"]
    assert holding(tmp_path, 9) == []


def test_a_file_that_changed_is_read_again(tmp_path: Path) -> None:
    """What is kept holds for a file as it was: a line more, another file in its place, and one that is gone are seen."""
    path = transcript(tmp_path, "one", reply(1, "2026-05-13T09:00:00Z"))
    before = holding(tmp_path, 2)
    with path.open("a") as file:
        file.write(reply(2, "2026-05-13T09:00:00Z"))
    longer = holding(tmp_path, 2)
    path.unlink()

    assert (before, longer, holding(tmp_path, 2)) == ([], ["one"], [])


@pytest.mark.parametrize("content", [b"", b"\xc1", b"\x92\x02\x80", b"\x92\x01\x81\xc4\x01x\x01"])
def test_a_spoiled_hint_is_no_hint(tmp_path: Path, content: bytes) -> None:
    """A file of another version, or of no use, costs a look and nothing else."""
    transcript(tmp_path, "one", reply(1, "2026-05-13T09:00:00Z"))
    (tmp_path / "named").write_bytes(content)

    assert holding(tmp_path, 1) == ["one"]


def test_several_processes_find_what_one_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shared out among processes, the reading gives the same names."""
    for number in range(8):
        transcript(tmp_path, f"f{number}", reply(number, "2026-05-13T09:00:00Z"), reply(number + 1, "2026-05-13T09:00:00Z"))
    alone = known(tmp_path)
    (tmp_path / "named").unlink()
    monkeypatch.setattr(named, "PARALLEL_BYTES", 1)

    assert known(tmp_path) == alone
    assert len(alone) == 8


def test_no_name_is_missed(tmp_path: Path) -> None:
    """Of every transcript of the fixtures the fast way finds each name that the adapter's own records bear."""
    files = sorted((Path(__file__).parents[2] / "data-fixtures" / "claude").rglob("*.jsonl"))
    for number, path in enumerate(files):
        (tmp_path / ".claude/projects" / str(number)).mkdir(parents=True)
        shutil.copy(path, tmp_path / ".claude/projects" / str(number) / path.name)
    there, missed = known(tmp_path), []
    for each in found(tmp_path):
        batch = Batch()
        reader.read(ADAPTER, Work(found=each, source_id=0), batch, Manner(now_ns=0, take_tail=True))
        names = {name for row in range(len(batch)) for name in (*batch.claimed(row), *batch.offers.get(row, ()))}
        missed += [name for name in names if each.source.path not in naming({each.source.path: there[each.source.path]}, [name])]

    assert len(files) > 20
    assert not missed
