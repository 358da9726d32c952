"""Columns of plain values as Arrow keeps them in memory, made without Arrow.

Decides how values lie in buffers. Which types they have is decided by `pipeline.schema`, which takes the buffers as they are.

Python counts in each value who holds it: a forked process that only reads a million of them gets its own copy of every page that they lie
on. So whoever made the values lays them out.
"""

from array import array
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, NamedTuple

from pipeline.columns import DIGEST_BYTES, Digests, Integers, Texts
from pipeline.record import FIELDS, Rows

_FLAT = ("reasoning", "duration_ms")
"""Lists with a value of its own in nearly every row."""


class Column(NamedTuple):
    """Values one after the other."""

    length: int
    content: "bytes | Integers"
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


def column(values: Any) -> Column:
    """Texts, bytes, whole numbers or flags of one kind, or None among them, as buffers."""
    if isinstance(values, array):
        return Column(len(values), values)
    if isinstance(values, Digests):
        ends = array("i", range(0, len(values.content) + 1, DIGEST_BYTES))
        return Column(len(values), bytes(values.content), ends)
    if isinstance(values, Texts):
        return Column(len(values), bytes(values.content), values.ends(), bytes(values.known) if 0 in values.known else None)
    present = None
    kind: type = next((type(value) for value in values if value is not None), bytes)
    if None in values:
        present = bytes([value is not None for value in values])
        filler = kind()
        values = [filler if value is None else value for value in values]
    if kind is bool:
        return Column(len(values), bytes(values), None, present)
    if kind is int:
        return Column(len(values), array("q", values), None, present)
    if kind is str:
        joined = "".join(values)
        content = joined.encode()
        if len(content) != len(joined):
            values = [value.encode() for value in values]
    else:
        content = b"".join(values)
    return Column(len(values), content, array("i", accumulate(map(len, values), initial=0)), present)
