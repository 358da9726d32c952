"""The one schema of the log: names, types and order of the columns of every segment.

Decides how rows become an Arrow table. The meaning of each column is in `docs/parquet.md`; a version is never changed, only followed by
another.
"""

import sys
from array import array
from collections.abc import Mapping, Sequence, Sized
from decimal import Decimal
from itertools import accumulate, chain
from typing import Any

import pyarrow as pa
from msgspec.structs import astuple

from pipeline.batch import Dims
from pipeline.columns import Integers
from pipeline.layout import Column, Constant, Laid, column, laid_out
from pipeline.record import KINDS, Rows

VERSION = 1

MONEY = pa.decimal128(38, 18)
_INSTANT = pa.timestamp("us", "UTC")
_TEXT, _COUNT, _BINARY, _FLAG = pa.string(), pa.int64(), pa.binary(), pa.bool_()

SCHEMA = pa.schema(
    [
        ("key", _BINARY),
        ("aliases", pa.list_(_BINARY)),
        ("kind", _TEXT),
        ("rank", _BINARY),
        ("owner_rank", _COUNT),
        ("at", _INSTANT),
        ("agent", _TEXT),
        ("agent_version", _TEXT),
        ("provider", _TEXT),
        ("endpoint", _TEXT),
        ("model", _TEXT),
        ("session", _TEXT),
        ("parent_session", _TEXT),
        ("project", _TEXT),
        ("git_branch", _TEXT),
        ("root", _TEXT),
        ("profile", _TEXT),
        ("initiator", _TEXT),
        ("granularity", _TEXT),
        ("requests", _COUNT),
        ("input", _COUNT),
        ("output", _COUNT),
        ("cache_read", _COUNT),
        ("cache_write_5m", _COUNT),
        ("cache_write_1h", _COUNT),
        ("ttl_known", _FLAG),
        ("reasoning", _COUNT),
        ("web_searches", _COUNT),
        ("tier", _TEXT),
        ("speed", _TEXT),
        ("geo", _TEXT),
        ("status", _TEXT),
        ("partial_output", _FLAG),
        ("duration_ms", _COUNT),
        ("logged_cost_usd", MONEY),
        ("logged_cost_basis", _TEXT),
        ("message_id", _TEXT),
        ("request_id", _TEXT),
        ("source", _COUNT),
        ("offset", _COUNT),
        ("length", _COUNT),
        ("origin", _TEXT),
        ("ingested_at", _INSTANT),
        ("extra", pa.map_(_TEXT, _TEXT)),
    ]
)

DIMENSIONS = Dims.__struct_fields__
"""Columns that come from a row's dimensions."""

_QUANTUM = Decimal(1).scaleb(-18)
_RENAMED = {"at": "at_us", "ingested_at": "ingested_at_us", "logged_cost_usd": "logged_cost"}


class Columns:
    """Rows, as `layout.laid_out` gives them, as columns of `SCHEMA`, in the order of their places that is given.

    `dims` holds at least the dimensions that they name.

    What rows share is only spread out for the part that is asked for: spread out for all, it would be more than half of their memory.
    """

    def __init__(self, rows: Mapping[str, Laid], dims: Mapping[int, Dims], order: Sequence[int]) -> None:
        of_rows = rows["dim"]
        if isinstance(of_rows, Constant):
            of_rows = array("q", [of_rows.value]) * len(order)
        numbers = sorted(set(of_rows))
        place = {number: at for at, number in enumerate(numbers)}
        places = None if order == range(len(order)) else integers(order)
        dim = integers([place[number] for number in of_rows])
        self._dim = dim if places is None else dim.take(places)
        each = [astuple(dims[number]) for number in numbers]
        used: Mapping[str, Sequence[Any]] = dict(zip(DIMENSIONS, zip(*each, strict=True), strict=True)) if each else {}
        self._own: dict[str, pa.Array] = {}
        self._shared: dict[str, pa.Array] = {}
        self._constant: dict[str, Any] = {}
        self._repeated: dict[str, pa.Array] = {}
        """Constant columns, as long as the longest part so far."""
        for field in SCHEMA:
            if field.name in DIMENSIONS:
                values = used.get(field.name, ())
                if values and values.count(values[0]) == len(values):
                    self._constant[field.name] = values[0]
                else:
                    self._shared[field.name] = _plain(values, field.type)
            else:
                own = rows[_RENAMED.get(field.name, field.name)]
                if isinstance(own, Constant):
                    self._constant[field.name] = KINDS[own.value] if field.name == "kind" else own.value
                else:
                    self._own[field.name] = _array(field.name, own, field.type, places)

    def part(self, start: int, count: int) -> pa.Table:
        """`count` rows from `start` on."""
        dim = self._dim.slice(start, count)
        columns = []
        for field in SCHEMA:
            if field.name in self._own:
                columns.append(self._own[field.name].slice(start, count))
            elif field.name in self._shared:
                columns.append(self._shared[field.name].take(dim))
            else:
                columns.append(self._repetition(field, count))
        return pa.Table.from_arrays(columns, schema=SCHEMA)

    def _repetition(self, field: pa.Field, count: int) -> pa.Array:
        found = self._repeated.get(field.name)
        if found is None or len(found) < count:
            found = self._repeated[field.name] = _repeated(field, self._constant[field.name], count)
        return found.slice(0, count)


def table(rows: Rows, dims: Mapping[int, Dims]) -> pa.Table:
    """The rows as a table of `SCHEMA`; `dims` holds at least the dimensions that they name."""
    return Columns(laid_out(rows), dims, range(len(rows))).part(0, len(rows))


def money(text: str) -> Decimal:
    """US dollars as the log keeps them; digits past the eighteenth decimal are rounded."""
    return Decimal(text).quantize(_QUANTUM)


def _array(name: str, values: Any, kind: pa.DataType, places: pa.Array | None) -> pa.Array:
    if name == "kind":
        made = _plain([KINDS[one] for one in values], kind)
    elif name not in ("aliases", "extra", "logged_cost_usd"):
        made = _plain(values, kind)
    elif name == "logged_cost_usd":
        made = _decimals(values)
    elif name == "extra":
        pairs = [() if extra is None else extra.items() for extra in values]
        texts = [_plain(list(column), _TEXT) for column in zip(*chain.from_iterable(pairs), strict=True)]
        entries = pa.StructArray.from_arrays(texts, fields=[kind.key_field, kind.item_field])
        made = _listed(values, pairs, entries, kind)
    else:
        lists = [() if aliases is None else aliases for aliases in values]
        made = _listed(values, lists, _plain(list(chain.from_iterable(lists)), _BINARY), kind)
    return made if places is None else made.take(places)


def _decimals(values: list[str | None]) -> pa.Array:
    scaled = [b"\0" * 16 if text is None else int(money(text).scaleb(18)).to_bytes(16, sys.byteorder, signed=True) for text in values]
    return pa.Array.from_buffers(MONEY, len(values), [_present(values), pa.py_buffer(b"".join(scaled))])


def _listed(values: list[Any], lists: Sequence[Sized], entries: pa.Array, kind: pa.DataType) -> pa.Array:
    """Lists, or maps, of `entries`; where `values` has None, there is none."""
    ends = array("i", accumulate(map(len, lists), initial=0))
    return pa.Array.from_buffers(kind, len(values), [_present(values), pa.py_buffer(ends)], children=[entries])


def _present(values: list[Any]) -> pa.Buffer:
    """Which of the values are not None, as Arrow's bitmap."""
    return _flags(bytes([value is not None for value in values])).buffers()[1]


def _repeated(field: pa.Field, value: Any, count: int) -> pa.Array:
    if value is None:
        return pa.nulls(count, field.type)
    one = _decimals([value]) if field.type == MONEY else _plain([value], field.type)
    return pa.repeat(one[0], count)


def _plain(values: Any, kind: pa.DataType) -> pa.Array:
    """The values as an array, from buffers: `pa.array` first imports pandas where there is one, which takes longer than a whole import."""
    if isinstance(values, array):
        return integers(values, kind)
    found = values if isinstance(values, Column) else column(values)
    present = None if found.present is None else _flags(found.present).buffers()[1]
    content = _flags(found.content).buffers()[1] if kind == _FLAG else pa.py_buffer(found.content)
    ends = [] if found.ends is None else [pa.py_buffer(found.ends)]
    return pa.Array.from_buffers(kind, found.length, [present, *ends, content])


def integers(values: Sequence[int], kind: pa.DataType = _COUNT) -> pa.Array:
    """Whole numbers as an array of a 64-bit type."""
    held = values if isinstance(values, array) else array("q", values)
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(held)])


def _flags(values: "bytes | Integers") -> pa.Array:
    return pa.Array.from_buffers(pa.uint8(), len(values), [None, pa.py_buffer(values)]).cast(_FLAG)
