"""How lines are cut out of a stream of bytes."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.lines import Lines, may_hold

NEEDLE = b'"out"'


def cut(
    content: bytes,
    *,
    needle: bytes | None = None,
    other_kind: bytes | None = None,
    chunk: int = 8,
    longest: int = 1 << 20,
    start: int = 0,
) -> tuple[list[bytes], Lines]:
    lines = Lines(io.BytesIO(content), needle, other_kind=other_kind, start=start, buffer=bytearray(chunk), max_line_bytes=longest)
    return [line for _, _, line in lines], lines


def test_only_whole_lines_are_given() -> None:
    """What stands after the last newline is not a line yet: it is kept apart and not consumed."""
    given_lines, lines = cut(b'{"a"}\n{"b"}\n{"c"')

    assert given_lines == [b'{"a"}', b'{"b"}']
    assert (lines.consumed, lines.tail) == (12, b'{"c"')


def test_offsets_count_from_the_start_of_the_source() -> None:
    """A pass that starts past 100 consumed bytes gives offsets from there; the length is that of the line without its newline."""
    lines = Lines(io.BytesIO(b"{1}\n{22}\n"), None, start=100, buffer=bytearray(8))

    assert [(offset, length) for offset, length, _ in lines] == [(100, 3), (104, 4)]


def test_a_needle_passes_over_other_lines() -> None:
    """Only lines with the needle are given; the others are consumed all the same."""
    given_lines, lines = cut(b'{"x":1}\n{"out":2}\n{"y":3}\n', needle=NEEDLE)

    assert given_lines == [b'{"out":2}']
    assert lines.consumed == 26


def test_a_needle_twice_in_a_line_is_one_line() -> None:
    """A line is given once, however often the needle stands in it."""
    assert cut(b'{"out":"out","out":1}\n{"out":2}\n', needle=NEEDLE)[0] == [b'{"out":"out","out":1}', b'{"out":2}']


def test_accidents_before_a_line_are_taken_off() -> None:
    """A byte-order mark, the NULs of a hole and a carriage return are no part of a line; offsets still count them."""
    content = b"\xef\xbb\xbf{1}\r\n" + b"\x00" * 20 + b"{2}\n\n{3}\n"
    lines = Lines(io.BytesIO(content), None, buffer=bytearray(8))

    assert list(lines) == [(0, 7, b"{1}"), (8, 23, b"{2}"), (33, 3, b"{3}")]


def test_a_line_longer_than_the_limit_is_counted_and_passed_over() -> None:
    """A line beyond the limit is not held: its place, length and digest are told, and the lines around it are given."""
    long = b'{"out":"' + b"x" * 100 + b'"}'

    given_lines, lines = cut(b'{"out":1}\n' + long + b'\n{"out":2}\n', needle=NEEDLE, longest=32)

    assert given_lines == [b'{"out":1}', b'{"out":2}']
    assert [(line.offset, line.length, line.reason) for line in lines.too_long] == [(10, 110, "too_long")]


def test_a_long_line_without_the_needle_is_nobodys_loss() -> None:
    """A line beyond the limit that cannot hold usage is passed over without a word."""
    given_lines, lines = cut(b"{" + b"x" * 100 + b'}\n{"out":2}\n', needle=NEEDLE, longest=32)

    assert given_lines == [b'{"out":2}']
    assert lines.too_long == []


@pytest.mark.parametrize("at", range(20, 60))
def test_the_needle_is_seen_anywhere_in_a_long_line(at: int) -> None:
    """Wherever the needle stands in a line beyond the limit, the line claims usage."""
    _, lines = cut(b"x" * at + NEEDLE + b"x" * 60 + b"\n", needle=NEEDLE, longest=32)

    assert len(lines.too_long) == 1


def test_a_long_line_without_an_end_is_unfinished() -> None:
    """A line beyond the limit that has no newline yet is neither consumed nor counted."""
    given_lines, lines = cut(b"{1}\n" + b"x" * 100, longest=32)

    assert (given_lines, lines.consumed, lines.too_long) == ([b"{1}"], 4, [])


def test_a_stop_ends_the_pass_at_a_line() -> None:
    """Asked to stop, a pass ends between two chunks, and everything given so far is consumed."""
    answers = iter([False, False, True])
    lines = Lines(io.BytesIO(b"{11}\n{22}\n{33}\n{44}\n"), None, stop=lambda: next(answers), buffer=bytearray(8))

    assert [line for _, _, line in lines] == [b"{11}", b"{22}"]
    assert (lines.consumed, lines.stopped) == (10, True)


@given(st.lists(st.binary(max_size=30).map(lambda line: line.replace(b"\n", b"")), max_size=12), st.integers(1, 40), st.binary(max_size=6))
def test_every_chunk_size_cuts_the_same(lines: list[bytes], chunk: int, tail: bytes) -> None:
    """The size of a chunk decides nothing."""
    content = b"".join(line + b"\n" for line in lines) + tail.replace(b"\n", b"")

    whole, one = cut(content, chunk=1 << 16)
    parts, other = cut(content, chunk=chunk)

    assert parts == whole
    assert (other.consumed, other.tail) == (one.consumed, one.tail)


@given(st.lists(st.sampled_from([b'{"out":1}', b'{"x":"\\"out\\""}', b"", b'{"o', b'ut"', b'"out"']), max_size=20), st.integers(1, 40))
def test_the_needle_passes_over_nothing_that_holds_it(lines: list[bytes], chunk: int) -> None:
    """With the needle, exactly those lines are given that contain it."""
    content = b"".join(line + b"\n" for line in lines)

    assert cut(content, needle=NEEDLE, chunk=chunk)[0] == [line for line in lines if NEEDLE in line]


OTHER = b'"is":"other"'
FAR = b" " * 5_000


@pytest.mark.parametrize(
    ("line", "given_on"),
    [
        pytest.param(b'{"is":"other","out":1' + FAR + b"}", False, id="says early that it is of the other kind"),
        pytest.param(b'{"is":"other","x":1' + FAR + b'}{"is":"this","out":1}', True, id="a second record on the same line"),
        pytest.param(b'{"in":{"is":"other"},"out":1' + FAR + b"}", True, id="an object inside it is of the other kind"),
        pytest.param(b'{"x":"\\"is\\":\\"other\\"","out":1' + FAR + b"}", True, id="a text that speaks of it"),
        pytest.param(b'{"x":"' + FAR + b'","is":"other","out":1' + FAR + b"}", True, id="says so late"),
        pytest.param(b'{"is":"this","out":1' + FAR + b"}", True, id="of this kind"),
    ],
)
def test_a_line_of_another_kind_is_passed_over_unless_a_record_ends_it(line: bytes, given_on: bool) -> None:
    """A line that names the other kind before any inner object is given only where the needle stands in its last 1,024 bytes."""
    assert cut(line + b"\n", needle=NEEDLE, other_kind=OTHER, chunk=1 << 16)[0] == ([line] if given_on else [])


@given(
    st.lists(st.sampled_from([OTHER, b'{"', b"{", NEEDLE, b"x" * 600, b"x" * 1_100, b",", b"\xef\xbb\xbf"]), max_size=6).map(b"".join),
    st.integers(1, 9_000),
)
def test_one_law_says_which_lines_are_given(line: bytes, chunk: int) -> None:
    """Whole and cut from any chunk, a line that begins as one is given exactly where `may_hold` says so."""
    line = b"{" + line

    assert cut(line + b"\n", needle=NEEDLE, other_kind=OTHER, chunk=chunk)[0] == ([line] if may_hold(NEEDLE, OTHER, line) else [])
