"""What is heard of an agent on standard input."""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from threading import Thread

import pytest

from cli.hearing import MOST_BYTES, heard


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        with suppress(OSError):
            os.close(end)


def test_everything_until_the_end(pipe: tuple[int, int]) -> None:
    """What was written before the end is heard, in its order."""
    os.write(pipe[1], b"one")
    os.write(pipe[1], b"two")
    os.close(pipe[1])

    assert heard(pipe[0]) == b"onetwo"


def test_more_than_is_kept_is_still_read(pipe: tuple[int, int]) -> None:
    """The writer of too much comes to its end: only the beginning is kept, but nothing is left in the pipe."""
    said = b"x" * (MOST_BYTES + 100_000)
    wrote: list[int] = []

    def speak() -> None:
        rest = memoryview(said)
        while rest:
            wrote.append(os.write(pipe[1], rest))
            rest = rest[wrote[-1] :]
        os.close(pipe[1])

    speaker = Thread(target=speak)
    speaker.start()
    kept = heard(pipe[0], wait_s=90)
    speaker.join(90)

    assert (len(kept), sum(wrote)) == (MOST_BYTES, len(said))


def test_who_never_ends_is_not_waited_for(pipe: tuple[int, int]) -> None:
    """After the time is over, what came until then is all."""
    os.write(pipe[1], b"half")

    assert heard(pipe[0], wait_s=1.0) == b"half"


@pytest.fixture
def slow_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenth of a second passes whenever the time is asked for."""
    ticks = count()
    monkeypatch.setattr(time, "monotonic", lambda: next(ticks) / 10)


@pytest.mark.usefixtures("slow_clock")
def test_who_still_speaks_is_heard_out(tmp_path: Path) -> None:
    """However long it takes to say much, each pause is shorter than what is waited for."""
    (tmp_path / "said").write_bytes(b"x" * 1_000_000)
    source = os.open(tmp_path / "said", os.O_RDONLY)
    try:
        assert len(heard(source)) == 1_000_000
    finally:
        os.close(source)


@pytest.mark.usefixtures("slow_clock")
def test_who_speaks_for_ever_is_left() -> None:
    """What came within five seconds is all."""
    source = os.open("/dev/zero", os.O_RDONLY)
    try:
        assert 0 < len(heard(source)) <= MOST_BYTES
    finally:
        os.close(source)


def test_a_closed_input_says_nothing(pipe: tuple[int, int]) -> None:
    """Neither does one that cannot be read from."""
    assert heard(pipe[1], wait_s=0.05) == b""
    os.close(pipe[0])
    assert heard(pipe[0]) == b""


def test_nobody_is_asked_to_type() -> None:
    """At a terminal nothing is waited for."""
    leader, follower = os.openpty()
    try:
        os.write(leader, b"typed\n")
        assert heard(follower, wait_s=90) == b""
    finally:
        os.close(leader)
        os.close(follower)
