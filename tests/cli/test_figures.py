"""How counts of things and sizes are written."""

import pytest

from cli.figures import many, size


@pytest.mark.parametrize(("number", "text"), [(0, "0 files"), (1, "1 file"), (1200, "1,200 files")])
def test_one_thing_is_not_several(number: int, text: str) -> None:
    """The noun is plural unless there is exactly one."""
    assert many(number, "file") == text


@pytest.mark.parametrize(("taken", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (23_002, "23.0 kB"), (2_000_000_000, "2.0 GB")])
def test_sizes_are_decimal_with_one_digit(taken: int, text: str) -> None:
    """A kilobyte is 1,000 bytes; only bytes have no decimal."""
    assert size(taken) == text
