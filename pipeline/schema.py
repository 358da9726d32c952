"""The one schema of the log: names, types and order of the columns of every segment.

Decides how rows become an Arrow table. The meaning of each column is in `docs/parquet.md`; a version is never changed, only followed by another.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pyarrow as pa

from pipeline.batch import Dims
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


def table(rows: Rows, dims: Mapping[int, Dims], order: list[int] | None = None) -> pa.Table:
    """The rows, in that order of their places, as a table of `SCHEMA`; `dims` holds at least the dimensions that they name."""
    numbers = sorted(set(rows.dim))
    place = {number: at for at, number in enumerate(numbers)}
    places = None if order is None else pa.array(order, pa.int32())
    dim = pa.array([place[number] for number in rows.dim], pa.int32())
    dim = dim if places is None else dim.take(places)
    used = [dims[number] for number in numbers]
    columns = []
    for field in SCHEMA:
        if field.name in DIMENSIONS:
            columns.append(_spread([getattr(one, field.name) for one in used], field.type, dim))
        elif field.name == "kind":
            columns.append(_array(field.name, [KINDS[kind] for kind in rows.kind], field.type, places))
        else:
            values = getattr(rows, _RENAMED.get(field.name, field.name))
            columns.append(_array(field.name, values, field.type, places))
    return pa.Table.from_arrays(columns, schema=SCHEMA)


def money(text: str) -> Decimal:
    """US dollars as the log keeps them; digits past the eighteenth decimal are rounded."""
    return Decimal(text).quantize(_QUANTUM)


def _spread(values: list[Any], kind: pa.DataType, index: pa.Array) -> pa.Array:
    if values.count(values[0]) == len(values):
        return pa.nulls(len(index), kind) if values[0] is None else pa.repeat(pa.scalar(values[0], kind), len(index))
    return pa.array(values, kind).take(index)


def _array(name: str, values: list[Any], kind: pa.DataType, places: pa.Array | None) -> pa.Array:
    if (
        values
        and values.count(values[0]) == len(values)
        and not isinstance(values[0], (list, dict))
        and (values[0] is None or name != "logged_cost_usd")
    ):
        return pa.nulls(len(values), kind) if values[0] is None else pa.repeat(pa.scalar(values[0], kind), len(values))
    if name == "logged_cost_usd":
        values = [None if text is None else money(text) for text in values]
    elif name == "extra":
        values = [None if pairs is None else list(pairs.items()) for pairs in values]
    made = pa.array(values, kind)
    return made if places is None else made.take(places)
