"""What one look at a source takes, and how the next goes on."""

import gzip
import os
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.discover import Found, Trouble, under
from ingest.reader import Manner, Work, read, unchanged
from pipeline.batch import Batch
from pipeline.sources import Cursor, Reading
from tests.ingest import toy

NOW_NS = 2_000_000_000_000_000_000
"""Long after every file here was written."""
AT = 1_790_000_000


def found(path: Path) -> Found:
    home = next(parent.parent for parent in path.parents if parent.name in ("logs", "docs"))
    return next(each for each in under(toy.ADAPTER, str(home), []) if each.source.path == str(path))


def look(path: Path, cursor: Cursor | None = None, *, manner: Manner | None = None) -> tuple[dict[str, int], Reading]:
    """What is read beyond `cursor`: output by the order of calls in the source, and the reading; the law of accounting is checked."""
    batch = Batch()
    reading = read(toy.ADAPTER, Work(found=found(path), source_id=1, cursor=cursor), batch, manner or Manner(now_ns=NOW_NS))
    assert isinstance(reading, Reading)
    counts = reading.counts
    assert counts.lines == counts.events + counts.ignored + counts.quarantined
    assert counts.events == len(batch)
    assert counts.quarantined == len(reading.quarantined)
    return {batch.extra[row]["nth"]: batch.output[row] for row in range(len(batch))}, reading


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log file that does not exist yet."""
    (tmp_path / "logs").mkdir()
    return tmp_path / "logs/a.jsonl"


def test_a_source_is_read_to_its_last_whole_line(log: Path) -> None:
    """Whole lines are taken, the unfinished one is left: bytes are consumed bytes plus unread tail."""
    log.write_bytes(toy.line("a", 1) + toy.line("b", 2) + b'{"id": "c", "at": 1, "out')

    calls, reading = look(log)

    assert calls == {"0": 1, "1": 2}
    assert reading.counts.bytes == reading.after.offset == len(toy.line("a", 1) + toy.line("b", 2))
    assert reading.after.size == log.stat().st_size


def test_a_second_look_goes_on_where_the_first_ended(log: Path) -> None:
    """The next look reads only what is new, and the fold remembers what it saw."""
    log.write_bytes(toy.line("a", 1))
    _, first = look(log)
    with log.open("ab") as file:
        file.write(toy.line("b", 2))

    calls, second = look(log, first.after)

    assert calls == {"1": 2}
    assert (second.before, second.counts.resets) == (first.after, 0)
    assert second.after.offset == log.stat().st_size


@pytest.mark.skipif(not hasattr(os, "preadv"), reason="new lines are read by other means here")
def test_a_short_read_is_no_end(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system may give less than is asked for in the middle of a file: what stood there at the look is read all the same."""
    log.write_bytes(toy.line("a", 1))
    _, first = look(log)
    with log.open("ab") as file:
        file.write(toy.line("b", 2) + toy.line("c", 3))
    whole = os.preadv
    monkeypatch.setattr(os, "preadv", lambda fd, buffers, offset: whole(fd, [memoryview(buffers[0])[:7]], offset))

    calls, second = look(log, first.after)

    assert (calls, second.after.offset) == ({"1": 2, "2": 3}, log.stat().st_size)


def test_written_byte_by_byte_is_read_once(log: Path) -> None:
    """A look after every single byte takes each line once, when its newline is there."""
    content = toy.line("a", 1) + toy.line("b", 2)
    cursor = None
    taken: list[Any] = []
    log.write_bytes(b"")
    for byte in content:
        with log.open("ab") as file:
            file.write(bytes([byte]))
        calls, reading = look(log, cursor)
        cursor = reading.after
        taken.extend(calls.values())

    assert taken == [1, 2]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(toy.line("z", 9), id="shorter"),
        pytest.param(toy.line("c", 3) + toy.line("d", 4) + toy.line("e", 5), id="longer, other start"),
        pytest.param(toy.line("a", 1) + toy.line("d", 4), id="same length, other end"),
        pytest.param(b"", id="empty"),
    ],
)
def test_a_file_that_is_another_is_read_from_its_start(log: Path, content: bytes) -> None:
    """Cut short, overwritten or replaced in place, even at the same time stamp: everything is read again, and the reset is counted."""
    log.write_bytes(toy.line("a", 1) + toy.line("b", 2))
    _, first = look(log)
    log.write_bytes(content)
    os.utime(log, ns=(first.after.mtime_ns, first.after.mtime_ns))

    calls, second = look(log, first.after)

    assert len(calls) == content.count(b"\n")
    assert "0" in calls or not content
    assert (second.counts.resets, second.after.offset) == (1, len(content))


def test_a_copy_of_the_same_bytes_is_the_same_source(log: Path) -> None:
    """Another inode with the same content at the same path is gone on with: nothing is read twice."""
    log.write_bytes(toy.line("a", 1))
    _, first = look(log)
    log.rename(log.with_suffix(".old"))
    log.write_bytes(toy.line("a", 1) + toy.line("b", 2))

    calls, second = look(log, first.after)

    assert (calls, second.counts.resets) == ({"1": 2}, 0)


def test_an_unchanged_file_is_not_opened(log: Path) -> None:
    """Same inode, size and time: there is nothing to do; one byte more, and there is."""
    log.write_bytes(toy.line("a", 1))
    _, reading = look(log)

    assert unchanged(found(log), reading.after)
    with log.open("ab") as file:
        file.write(b"{")
    assert not unchanged(found(log), reading.after)


def test_what_a_line_says_decides_its_account(log: Path) -> None:
    """A line that could hold usage is a sighting, ignored by rule, or quarantined with its place and reason; other lines count nothing."""
    broken = b'{"id": "b", "out": "\n'
    log.write_bytes(
        toy.line("a", 1) + b'{"say": "hello"}\n' + broken + b'{"id": "c", "out": 7}\n' + b'{"out": null}\n{"out": 1, "error": true}\n'
    )

    calls, reading = look(log)

    counts = reading.counts
    assert calls == {"0": 1}
    assert (counts.lines, counts.events, counts.ignored, counts.quarantined) == (5, 1, 2, 2)
    assert [(bad.reason, bad.tokens) for bad in reading.quarantined] == [("unreadable", None), ("bad_timestamp", 7)]
    assert log.read_bytes()[reading.quarantined[0].offset :].startswith(broken)
    assert reading.quarantined[0].length == len(broken) - 1
    assert reading.seen == {"api_error": 1}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    st.lists(
        st.sampled_from([toy.line("a", 1), toy.line("b", 2), b"\n", b'{"x": "\\"out\\""}\n', b'"out"\n', b"\xef\xbb\xbf\x00\n", b"{}"]),
        max_size=12,
    )
)
def test_without_the_prefilter_everything_is_the_same(tmp_path: Path, parts: list[bytes]) -> None:
    """The needle only saves work: sightings, accounts and cursor are the same when every line goes to the adapter."""
    log = tmp_path / "logs/a.jsonl"
    log.parent.mkdir(exist_ok=True)
    log.write_bytes(b"".join(parts))

    with_needle, quick = look(log)
    without, slow = look(log, manner=Manner(now_ns=NOW_NS, prefilter=False))

    assert with_needle == without
    assert (quick.counts, quick.after, quick.quarantined) == (slow.counts, slow.after, slow.quarantined)


def test_an_unfinished_last_line_is_taken_on_request_and_not_consumed(log: Path) -> None:
    """An import takes a last line that lacks only its newline; the cursor stays before it, so it is read again and absorbed by its key."""
    log.write_bytes(toy.line("a", 1) + toy.line("b", 2)[:-1])

    calls, reading = look(log, manner=Manner(now_ns=NOW_NS, take_tail=True))
    again, _ = look(log, reading.after)

    assert calls == {"0": 1, "1": 2}
    assert reading.after.offset == len(toy.line("a", 1))
    assert again == {}


def test_a_torn_last_line_is_not_blamed(log: Path) -> None:
    """A last line that cannot be read is unfinished, not quarantined."""
    log.write_bytes(toy.line("a", 1) + b'{"id": "b", "out": 2')

    calls, reading = look(log, manner=Manner(now_ns=NOW_NS, take_tail=True))

    assert (calls, reading.quarantined) == ({"0": 1}, [])


def members(*parts: bytes) -> bytes:
    return b"".join(gzip.compress(part) for part in parts)


def frames(*parts: bytes) -> bytes:
    return b"".join(zstandard.compress(part) for part in parts)


@pytest.mark.parametrize("pack", [members, frames])
def test_compressed_logs_are_known_by_their_first_bytes(log: Path, pack: object) -> None:
    """A gzip or zstd file of several members is read through, whatever its name; offsets are those of its text."""
    assert callable(pack)
    log.write_bytes(pack(toy.line("a", 1), toy.line("b", 2) + toy.line("c", 3)))

    calls, reading = look(log)

    assert calls == {"0": 1, "1": 2, "2": 3}
    assert reading.after.offset == len(toy.line("a", 1)) * 3


@pytest.mark.parametrize("pack", [members, frames])
def test_a_compressed_log_that_grows_is_gone_on_with(log: Path, pack: object) -> None:
    """A further member is read without reading the first ones as news."""
    assert callable(pack)
    log.write_bytes(pack(toy.line("a", 1) * 30))
    _, first = look(log)
    with log.open("ab") as file:
        file.write(pack(toy.line("b", 2)))

    calls, second = look(log, first.after)

    assert (calls, second.counts.resets) == ({"30": 2}, 0)


@pytest.mark.parametrize("pack", [members, frames])
def test_a_cut_member_gives_its_whole_lines_and_the_rest_later(log: Path, pack: object) -> None:
    """Cut anywhere, a compressed log gives whole lines only; completed, it gives the others, none twice."""
    assert callable(pack)
    whole = pack(*(toy.line(str(number), number) for number in range(20)))
    for end in range(0, len(whole), 37):
        log.write_bytes(whole[:end])
        first_calls, first = look(log)
        log.write_bytes(whole)

        calls, second = look(log, first.after)

        assert sorted([*first_calls.values(), *calls.values()]) == list(range(20)) or (second.counts.resets == 1 and len(calls) == 20)


def test_a_compression_bomb_is_refused(log: Path) -> None:
    """A file that unfolds to hundreds of times its size is not read on; what it gave so far counts, and so does the refusal."""
    log.write_bytes(zstandard.compress(toy.line("a", 1) + (b" " * 1023 + b"\n") * (80 << 10)))

    calls, reading = look(log)

    assert (calls, reading.seen) == ({"0": 1}, {"too_large": 1})


def test_utf16_is_read_as_text(log: Path) -> None:
    """A file that begins with a UTF-16 mark is read as its text."""
    log.write_bytes((toy.line("a", 1) + toy.line("b", 2)).decode().encode("utf-16"))

    assert look(log)[0] == {"0": 1, "1": 2}


def test_a_source_that_cannot_be_read_is_a_trouble(log: Path, tmp_path: Path) -> None:
    """Vanished, turned into a pipe or into a link since it was found: told with its path, without waiting, and tried again later."""
    log.write_bytes(toy.line("a", 1))
    there = found(log)
    log.unlink()
    reasons = [read(toy.ADAPTER, Work(found=there, source_id=1), Batch(), Manner(now_ns=NOW_NS))]
    os.mkfifo(log)
    reasons.append(read(toy.ADAPTER, Work(found=there, source_id=1), Batch(), Manner(now_ns=NOW_NS)))
    log.unlink()
    log.symlink_to("/etc/passwd")
    reasons.append(read(toy.ADAPTER, Work(found=there, source_id=1), Batch(), Manner(now_ns=NOW_NS)))

    assert [trouble.path for trouble in reasons if isinstance(trouble, Trouble)] == [str(log)] * 3


def test_a_document_is_one_record(tmp_path: Path) -> None:
    """A document is read whole each time it changes."""
    document = tmp_path / "docs/s/m.json"
    document.parent.mkdir(parents=True)
    document.write_bytes(b'{"id": "a",\n "at": 1,\n "out": 4}')
    calls, first = look(document)
    document.write_bytes(b'{"id": "a",\n "at": 1,\n "out": 44}')

    again, second = look(document, first.after)

    assert (calls, again) == ({"0": 4}, {"0": 44})
    assert second.counts.resets == 0


def test_a_document_in_the_middle_of_being_written_is_waited_for(tmp_path: Path) -> None:
    """A document that cannot be read is blamed only when nothing has touched it for 30 seconds."""
    document = tmp_path / "docs/s/m.json"
    document.parent.mkdir(parents=True)
    document.write_bytes(b'{"id": "a", "out"')
    written_ns = document.stat().st_mtime_ns

    _, busy = look(document, manner=Manner(now_ns=written_ns + 1_000_000_000))
    _, quiet = look(document, busy.after, manner=Manner(now_ns=written_ns + 31_000_000_000))

    assert (busy.quarantined, unchanged(found(document), busy.after)) == ([], False)
    assert [bad.reason for bad in quiet.quarantined] == ["unreadable"]


def test_titles_come_from_both_ends_of_a_file(log: Path) -> None:
    """The adapter sees the start and the end of the text; without titles it is not asked."""
    log.write_bytes(b'{"title": 1}\n' + toy.line("a", 1) + b"\nthe end\n")

    assert [session.title for session in look(log)[1].sessions] == ["the end\n"]
    assert look(log, manner=Manner(now_ns=NOW_NS, titles=False))[1].sessions == []
