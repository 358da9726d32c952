"""Which sightings tell nothing new, found for many at once.

Decides that a sighting may be left out before it is matched name by name. Reads the journal inside the caller's transaction.
"""

import sqlite3
from collections.abc import Iterable, Sequence, Set
from itertools import accumulate, chain, groupby, pairwise
from typing import Any

from pipeline.batch import Batch
from pipeline.columns import picked
from pipeline.journal import DAY_BITS, halves, key_of
from pipeline.known_calls import where
from pipeline.record import DAY_US

_SCANNED = 4
"""A date is read through where it holds no more than so many times the calls that are looked for."""
SHORT = 8
"""Runs of fewer rows cost more than looking for each of them."""
_LONG = 256
"""Where a run is not as it was, so many rows are looked for one by one."""


def unsettled(connection: sqlite3.Connection, batch: Batch, rows: Sequence[int]) -> list[int]:
    """`rows` without those that tell nothing new.

    Of those a call with their key is known, its record is as good and of the same prompt, so that it has all their implied names, and it
    claims whatever they claim. Rows that offer more than is implied stay, and are matched name by name.
    """
    claims = _claims(connection, batch, rows)
    named = {
        row
        for row in batch.aliases.keys() | batch.offers.keys()
        if row in batch.offers or any(claims.get(alias) != batch.key[row] for alias in batch.aliases[row])
    }
    rows = _unlike(connection, batch, rows, named)
    asked: dict[bytes, list[int]] = {}
    for row, key in zip(rows, picked(batch.key, rows), strict=True):
        if row not in named:
            asked.setdefault(key, []).append(row)
    settled: set[int] = set()
    columns = "c.h, c.rest, c.rank, c.owner_rank, c.input, c.cache_read, c.cache_write_5m + c.cache_write_1h"
    for h, rest, rank, owner_rank, fresh, read, written in _alike(connection, batch, rows, columns):
        for row in asked.get(key_of(h, rest), ()):
            if (
                batch.rank[row] <= rank
                and batch.owner_rank[row] >= owner_rank
                and batch.input[row] == fresh
                and batch.cache_read[row] == read
                and batch.cache_write_5m[row] + batch.cache_write_1h[row] == written
            ):
                settled.add(row)
    return [row for row in rows if row not in settled]


def _unlike(connection: sqlite3.Connection, batch: Batch, rows: Sequence[int], named: Set[int]) -> list[int]:
    """`rows` without those that say just what is known, in the same file or in one that owns the call as well; those in `named` stay.

    Nearly all of what is imported once more are such, and they are left out without a look at each: equal ranks mean equal facts.
    """
    heads, rest = picked(batch.key, rows).halves()
    said = list(zip(heads, rest, picked(batch.rank, rows), picked(batch.owner_rank, rows), strict=True))
    known = set(said).intersection(_beside(connection, batch, rows, heads, "c.h, c.rest, c.rank, c.owner_rank"))
    return [row for row, each in zip(rows, said, strict=True) if each not in known or row in named]


def _beside(
    connection: sqlite3.Connection, batch: Batch, rows: Sequence[int], heads: Sequence[int], columns: str
) -> Iterable[tuple[Any, ...]]:
    """These columns of known calls `c`, among them nearly all that `rows` speak of if they were read in the same order before.

    What one source said of one date was then given numbers one after the other, so of a run of its rows only the first is looked for.
    """
    runs = _runs(batch, rows)
    if len(runs) * SHORT > len(rows):
        return _alike(connection, batch, rows, columns)
    length = {heads[begin]: end - begin for begin, end in runs}
    places = where(connection, "SELECT h, id FROM calls WHERE h", length)
    sql = f"SELECT {columns} FROM calls c WHERE c.id >= ? AND c.id < ?"
    return chain.from_iterable(connection.execute(sql, (number, number + length[h])) for h, number in places)


def _runs(batch: Batch, rows: Sequence[int]) -> list[tuple[int, int]]:
    """(begin, end) positions among `rows` of those of one source and date, long ones in parts."""
    days = [at_us // DAY_US for at_us in picked(batch.at_us, rows)]
    ends = [*accumulate(len(list(run)) for _, run in groupby(zip(picked(batch.source, rows), days, strict=True)))]
    return [(part, min(part + _LONG, end)) for begin, end in pairwise((0, *ends)) for part in range(begin, end, _LONG)]


def _alike(connection: sqlite3.Connection, batch: Batch, rows: Sequence[int], columns: str) -> Iterable[tuple[Any, ...]]:
    """These columns of known calls `c`, among them nearly all that have the key of one of `rows`."""
    days = sorted({at_us // DAY_US for at_us in picked(batch.at_us, rows)})
    last = "SELECT coalesce(max(id), :low) - :low FROM calls WHERE id >= :low AND id < :high"
    there = sum(connection.execute(last, {"low": day << DAY_BITS, "high": (day + 1) << DAY_BITS}).fetchone()[0] for day in days)
    if there <= _SCANNED * len(rows):
        # Most sightings of a call are of one date, and reading a date through costs a quarter of looking for each of its calls.
        sql = f"SELECT {columns} FROM calls c WHERE c.id >= ? AND c.id < ?"
        return chain.from_iterable(connection.execute(sql, (day << DAY_BITS, (day + 1) << DAY_BITS)) for day in days)
    return where(connection, f"SELECT {columns} FROM calls c WHERE c.h", set(picked(batch.key, rows).halves()[0]))


def _claims(connection: sqlite3.Connection, batch: Batch, rows: Sequence[int]) -> dict[bytes, bytes]:
    """Known claims under the handles of the rows' aliases: identity to key of the call."""
    wanted = batch.aliases if len(rows) == len(batch) else batch.aliases.keys() & set(rows)
    heads = {halves(alias)[0] for row in wanted for alias in batch.aliases[row]}
    sql = "SELECT i.h, i.rest, c.h, c.rest FROM identities i JOIN calls c ON c.id = i.call >> 1 WHERE i.call & 1 AND i.h"
    return {key_of(h, rest): key_of(*key) for h, rest, *key in where(connection, sql, heads)}
