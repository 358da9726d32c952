"""Exports: calls or groups as rows for a spreadsheet, a script or an invoice.

Decides which columns an export has and how csv, json, jsonl and parquet write them. Which rows it has is the question's business, where it
goes the caller's. The first nine columns are those of one record of usage: id, timestamp, profile, agent, provider, model, input_tokens,
output_tokens, cost_usd. `input_tokens` is the whole prompt side, what tables call `in`; its four classes have columns of their own.
"""

from collections.abc import Iterator, Mapping
from io import BytesIO
from typing import Any

import msgspec
import polars as pl

from views.answers import answer, calls_of
from views.catalog import Frames
from views.columns import COSTS, INSTANT, MONEY, PROMPT, usd
from views.query import Query, Row

Rows = pl.DataFrame
"""Rows of an export."""

_CLASSES = {
    "uncached_input_tokens": "input",
    "cache_read_tokens": "cache_read",
    "cache_write_5m_tokens": "cache_write_5m",
    "cache_write_1h_tokens": "cache_write_1h",
    "reasoning_tokens": "reasoning",
}
_TOLD = ("session", "parent_session", "project", "git_branch", "initiator", "tier", "speed", "geo", "status", "granularity")
_COUNTED = ("requests", "web_searches", "unpriced_requests", "unbilled_requests", "sessions")

_FORMULA = r"(?:^|[\r\n])[ \u{a0}\u{200b}\u{feff}]*[=+\-@\t\r\u{ff1d}\u{ff0b}\u{ff0d}\u{ff20}]"
"""What a spreadsheet would run: a cell, or a line in it, that begins with = + - @ (also full-width), a tab or a carriage return (OWASP,
"CSV Injection", read 2026-11)."""

_CHUNK = 20_000


def calls(query: Query, views: Frames) -> pl.DataFrame:
    """One row per call in the query's range and filters, by time; of too many for its limit, the latest."""
    found = calls_of(query, views).select(
        pl.col("key").bin.encode("hex").alias("id"),
        pl.col("at").alias("timestamp"),
        *(pl.col(name).cast(pl.String) for name in ("profile", "agent", "provider", "model")),
        pl.sum_horizontal(PROMPT).alias("input_tokens"),
        pl.col("output").alias("output_tokens"),
        "cost_usd",
        *(pl.col(name).alias(column) for column, name in _CLASSES.items()),
        *COSTS,
        pl.col("cost_status").cast(pl.String),
        *(pl.col(name).cast(pl.String) for name in _TOLD),
        "partial_output",
        "web_searches",
        "duration_ms",
        pl.col("machine").cast(pl.String),
    )
    return (found.tail(query.limit) if query.limit else found).collect(engine="streaming")


def groups(query: Query, views: Frames, *, titles: Mapping[tuple[str, str], str] | None = None) -> pl.DataFrame:
    """One row per group of the query, empty days included, in its order.

    `id` is the group's key, `timestamp` the time of its last call; profile, agent, provider and model name all that occur in it.
    """
    rows = answer(query, views, titles=titles).rows
    columns: dict[str, pl.Series] = {}
    for name, kind, values in _columns(rows):
        columns[name] = pl.Series(name, values, pl.Int128 if kind == MONEY else pl.Int64 if kind == INSTANT else kind)
    found = pl.DataFrame(columns)
    money = [pl.col(name) for name, kind, _ in _columns([]) if kind == MONEY]
    return found.with_columns(pl.col("timestamp", "first_at").cast(INSTANT), *(usd(one) for one in money))


def encoded(rows: pl.DataFrame, format: str, *, raw: bool = False) -> Iterator[bytes]:
    """The bytes of an export, piece by piece. `raw` leaves cells alone that a spreadsheet would take for formulas."""
    if format == "parquet":
        buffer = BytesIO()
        rows.write_parquet(buffer, compression="zstd")
        yield buffer.getvalue()
    elif format == "csv":
        yield from _csv(rows, raw=raw)
    elif format == "json":
        before = b"[\n"
        for line in _objects(rows):
            yield before + line
            before = b",\n"
        yield b"[]\n" if before == b"[\n" else b"\n]\n"
    elif format == "jsonl":
        for line in _objects(rows):
            yield line + b"\n"
    else:
        raise ValueError(f"no export format {format!r}")


def _columns(rows: list[Row]) -> list[tuple[str, pl.DataType, list[Any]]]:
    """(name, type, values) of an export of groups; times and money still as whole numbers."""
    text, count = pl.String(), pl.Int64()
    names = ("profile", "agent", "provider", "model")
    return [
        ("id", text, [row.key for row in rows]),
        ("timestamp", INSTANT, [row.last_at_us for row in rows]),
        *[(name, text, [", ".join(getattr(row, f"{name}s")) or None for row in rows]) for name in names],
        ("input_tokens", count, [row.prompt for row in rows]),
        ("output_tokens", count, [row.output for row in rows]),
        ("cost_usd", MONEY, [row.cost for row in rows]),
        *[(column, count, [getattr(row, name) for row in rows]) for column, name in _CLASSES.items()],
        *[(part, MONEY, [_part(row, part) for row in rows]) for part in COSTS],
        *[(name, count, [getattr(row, name) for row in rows]) for name in _COUNTED],
        ("runtime_s", pl.Float64(), [row.runtime_us / 1_000_000 for row in rows]),
        ("first_at", INSTANT, [row.first_at_us for row in rows]),
        ("title", text, [row.title for row in rows]),
        ("project", text, [row.project for row in rows]),
    ]


def _part(row: Row, part: str) -> int | None:
    return None if row.cost is None else int(getattr(row, f"cost_{part.removesuffix('_cost')}"))


def _csv(rows: pl.DataFrame, *, raw: bool) -> Iterator[bytes]:
    cells = pl.selectors.string()
    if not raw:
        dangerous = cells.str.contains(_FORMULA)
        rows = rows.with_columns(pl.when(dangerous).then("'" + cells).otherwise(cells).name.keep())
    told = rows.with_columns(_instants(), _amounts())
    for start in range(0, max(told.height, 1), _CHUNK):
        yield told[start : start + _CHUNK].write_csv(line_terminator="\r\n", include_header=start == 0).encode()


def _objects(rows: pl.DataFrame) -> Iterator[bytes]:
    """Each row as a JSON object; money is a number with all its digits."""
    encode = msgspec.json.Encoder().encode
    money = [name for name, kind in rows.schema.items() if kind == MONEY]
    told = rows.with_columns(_instants(), _amounts())
    for start in range(0, told.height, _CHUNK):
        for row in told[start : start + _CHUNK].iter_rows(named=True):
            for name in money:
                if row[name] is not None:
                    row[name] = msgspec.Raw(row[name].encode())
            yield encode(row)


def _instants() -> pl.Expr:
    """RFC 3339 in UTC, to the microsecond."""
    return pl.selectors.datetime().dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ")


def _amounts() -> pl.Expr:
    """Exact decimal text without needless zeros."""
    return pl.selectors.decimal().cast(pl.String).str.replace(r"\.?0+$", "")
