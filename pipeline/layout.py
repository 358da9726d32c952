"""Columns of plain values as Arrow keeps them in memory, made without Arrow.

Decides how values lie in buffers. Which types they have is decided by `pipeline.schema`, which takes the buffers as they are.

Python counts in each value who holds it: a forked process that only reads a million of them gets its own copy of every page that they lie
on. So whoever made the values lays them out.
"""

from array import array
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate, repeat
from operator import is_not
from typing import Any, NamedTuple

from pipeline.columns import DIGEST_BYTES, Digests, Integers, Texts
from pipeline.record import FIELDS, Rows

_FLAT = ("reasoning", "duration_ms")
"""Lists with a value of its own in nearly every row."""


class Column(NamedTuple):
    """Values one after the other."""

    length: int
    content: "bytes | bytearray | Integers"
    ends: "array[int] | None" = None
    """Where texts and bytes begin and end in `content`: one number more than there are values."""
    present: bytes | None = None
    """A byte for each value, zero where it is None; without it none is."""


class Constant(NamedTuple):
    """A column that has one value in all rows."""

    value: Any


Laid = Constant | Column | Digests | Texts | Sequence[Any]


def laid_out(rows: Rows) -> dict[str, Laid]:
    """The columns of the rows by name: one value for all, buffers, or as they were where that holds few objects."""
    return {name: _laid_out(name, getattr(rows, name)) for name in FIELDS}


def _laid_out(name: str, values: Any) -> Laid:
    if isinstance(values, Digests):
        return values
    if isinstance(values, Texts):
        return values if 1 in values.known else Constant(None)
    if values and values[0] == values[-1] and values.count(values[0]) == len(values) and not isinstance(values[0], dict | list):
        return Constant(values[0])
    return column(values) if name in _FLAT else values


def present(values: Sequence[Any]) -> bytes:
    """A byte for each value, zero where it is None."""
    return bytes(map(is_not, values, repeat(None)))


def column(values: Any) -> Column:
    """Texts, bytes, whole numbers or flags of one kind, or None among them, as buffers."""
    if isinstance(values, array):
        return Column(len(values), values)
    if isinstance(values, Digests):
        return Column(len(values), values.content, _digest_ends(len(values)))
    if isinstance(values, Texts):
        return Column(len(values), values.content, values.ends(), bytes(values.known) if 0 in values.known else None)
    there = None
    kind: type = next((type(value) for value in values if value is not None), bytes)
    if None in values:
        there = present(values)
        filler = kind()
        values = [filler if value is None else value for value in values]
    if kind is bool:
        return Column(len(values), bytes(values), None, there)
    if kind is int:
        return Column(len(values), array("q", values), None, there)
    if kind is str:
        joined = "".join(values)
        content = joined.encode()
        if len(content) != len(joined):
            values = [value.encode() for value in values]
    else:
        content = b"".join(values)
    return Column(len(values), content, array("i", [*accumulate(map(len, values), initial=0)]), there)


@lru_cache(1)
def _digest_ends(count: int) -> "array[int]":
    """Rows have several digests each."""
    return array("i", [*range(0, count * DIGEST_BYTES + 1, DIGEST_BYTES)])
