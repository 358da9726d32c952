"""The one schema of the log: names, types and order of the columns of every segment.

Decides how rows become an Arrow table. The meaning of each column is in `docs/parquet.md`; a version is never changed, only followed by
another.
"""

import sys
from array import array
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import accumulate, chain, compress
from typing import Any

import pyarrow as pa
from msgspec.structs import astuple

from pipeline.batch import Dims
from pipeline.layout import Column, Constant, Laid, column, laid_out, present
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
_NAMES = SCHEMA.names
_KINDS = dict(zip(_NAMES, SCHEMA.types, strict=True))
_OWN = {name: kind for name, kind in _KINDS.items() if name not in DIMENSIONS}

_BYTES = 256
"""How many values a byte has."""
_DIGITS = b"0" + b"1" * (_BYTES - 1)
_QUANTUM = Decimal(1).scaleb(-18)
_RENAMED = {"at": "at_us", "ingested_at": "ingested_at_us", "logged_cost_usd": "logged_cost"}


class Columns:
    """Rows, as `layout.laid_out` gives them, as columns of `SCHEMA`, in the order of their places that is given.

    `dims` holds at least the dimensions that they name.

    What rows share is only spread out for the part that is asked for: spread out for all, it would be more than half of their memory.
    """

    def __init__(self, rows: Mapping[str, Laid], dims: Mapping[int, Dims], order: Sequence[int]) -> None:
        of_rows: Any = rows["dim"]
        if isinstance(of_rows, Constant):
            of_rows = array("q", [of_rows.value]) * len(order)
        in_order = order == range(len(order))
        places = None if in_order else integers(order)
        self._dim: Sequence[int] = of_rows if in_order else [of_rows[place] for place in order]
        self._dims = {number: astuple(dims[number]) for number in set(of_rows)}
        self._own: dict[str, pa.Array] = {}
        self._constant: dict[str, Any] = {}
        self._repeated: dict[str, tuple[Any, pa.Array]] = {}
        """Columns with one value: the last one, as often as the longest part so far had it."""
        for name, kind in _OWN.items():
            own = rows[_RENAMED.get(name, name)]
            if isinstance(own, Constant):
                self._constant[name] = KINDS[own.value] if name == "kind" else own.value
            else:
                self._own[name] = _array(name, own, kind, places)

    def part(self, start: int, count: int) -> pa.Table:
        """`count` rows from `start` on; texts that they share may be dictionaries."""
        columns = {name: own.slice(start, count) for name, own in self._own.items()}
        for name, value in self._constant.items():
            columns[name] = self._repetition(name, value, count)
        numbers = self._dim[start : start + count]
        place = {number: at for at, number in enumerate(dict.fromkeys(numbers))}
        which = _Which(map(place.__getitem__, numbers), len(place))
        each = zip(*[self._dims[number] for number in place], strict=True)
        for name, values in zip(DIMENSIONS, each, strict=True):
            if values.count(values[0]) == len(values):
                columns[name] = self._repetition(name, values[0], count)
            else:
                columns[name] = which.flags(values) if _KINDS[name] == _FLAG else which.texts(values)
        return pa.Table.from_arrays([columns[name] for name in _NAMES], names=_NAMES)

    def _repetition(self, name: str, value: Any, count: int) -> pa.Array:
        known, found = self._repeated.get(name, (None, None))
        if found is None or known != value or len(found) < count:
            found = _repeated(_KINDS[name], value, count)
            self._repeated[name] = value, found
        return found.slice(0, count)


class _Which:
    """Which of a few values each row has: `which` are their numbers, below `few`.

    Rows are given values of their own by table, without Arrow's functions: those take half as long to load as all the rest of it.
    """

    def __init__(self, which: Iterable[int], few: int) -> None:
        self._which = bytes(which) if few <= _BYTES else list(which)

    def texts(self, values: Sequence[str | None]) -> pa.Array:
        """A text for each row, as a dictionary of those that there are, in the order in which they come."""
        texts = list(dict.fromkeys(value for value in values if value is not None))
        number = {text: at for at, text in enumerate(texts)}
        numbers = self._of_rows([number.get(value, 0) for value in values])  # type: ignore[arg-type]
        there = _bitmap(bytes(self._of_rows([value is not None for value in values]))) if None in values else None
        kind, content = (pa.uint8(), numbers) if isinstance(numbers, bytes) else (pa.int32(), array("i", numbers))
        indices = pa.Array.from_buffers(kind, len(numbers), [there, pa.py_buffer(content)])
        return pa.DictionaryArray.from_arrays(indices, _plain(texts, _TEXT))

    def flags(self, values: Sequence[bool]) -> pa.Array:
        """A flag for each row."""
        flags = bytes(self._of_rows(values))
        return pa.Array.from_buffers(_FLAG, len(flags), [None, _bitmap(flags)])

    def _of_rows(self, values: Sequence[int]) -> bytes | list[int]:
        if isinstance(self._which, bytes):
            return self._which.translate(bytes(values).ljust(_BYTES, b"\0"))
        return [values[one] for one in self._which]


def table(rows: Rows, dims: Mapping[int, Dims]) -> pa.Table:
    """The rows as a table of `SCHEMA`; `dims` holds at least the dimensions that they name."""
    return Columns(laid_out(rows), dims, range(len(rows))).part(0, len(rows)).cast(SCHEMA)


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
        found = [extra for extra in values if extra is not None]
        texts = chain.from_iterable(found), chain.from_iterable(extra.values() for extra in found)
        entries = [_plain(list(each), _TEXT) for each in texts]
        made = _listed(values, pa.StructArray.from_arrays(entries, fields=[kind.key_field, kind.item_field]), kind)
    else:
        found = [aliases for aliases in values if aliases is not None]
        made = _listed(values, _plain(list(chain.from_iterable(found)), _BINARY), kind)
    return made if places is None else made.take(places)


def _decimals(values: list[str | None]) -> pa.Array:
    there = present(values)
    size = MONEY.byte_width
    scaled = bytearray(size * len(values))
    for row, text in compress(enumerate(values), there):
        assert text is not None
        scaled[size * row : size * (row + 1)] = int(money(text).scaleb(18)).to_bytes(size, sys.byteorder, signed=True)
    return pa.Array.from_buffers(MONEY, len(values), [_bitmap(there), pa.py_buffer(scaled)])


def _listed(values: list[Any], entries: pa.Array, kind: pa.DataType) -> pa.Array:
    """Lists, or maps, of `entries`; where `values` has None, there is none."""
    ends = array("i", [*accumulate([0 if one is None else len(one) for one in values], initial=0)])
    return pa.Array.from_buffers(kind, len(values), [_bitmap(present(values)), pa.py_buffer(ends)], children=[entries])


def _repeated(kind: pa.DataType, value: Any, count: int) -> pa.Array:
    if value is None:
        return pa.nulls(count, kind)
    one = _decimals([value]) if kind == MONEY else _plain([value], kind)
    return pa.repeat(one[0], count)


def _plain(values: Any, kind: pa.DataType) -> pa.Array:
    """The values as an array, from buffers: `pa.array` first imports pandas where there is one, which takes longer than a whole import."""
    if isinstance(values, array):
        return integers(values, kind)
    found = values if isinstance(values, Column) else column(values)
    there = None if found.present is None else _bitmap(found.present)
    content = _bitmap(bytes(found.content)) if kind == _FLAG else pa.py_buffer(found.content)
    ends = [] if found.ends is None else [pa.py_buffer(found.ends)]
    return pa.Array.from_buffers(kind, found.length, [there, *ends, content])


def integers(values: Sequence[int], kind: pa.DataType = _COUNT) -> pa.Array:
    """Whole numbers as an array of a 64-bit type."""
    held = values if isinstance(values, array) else array("q", values)
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(held)])


def _bitmap(flags: bytes) -> pa.Buffer:
    """A byte for each flag as Arrow's bit for each, the first one the lowest."""
    bits = int(b"0" + flags.translate(_DIGITS)[::-1], 2)
    return pa.py_buffer(bits.to_bytes(-(-len(flags) // 8), "little"))
