"""Which sightings tell nothing new, found for many at once.

Decides that a sighting may be left out before it is matched name by name. Reads the journal inside the caller's transaction.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from itertools import chain
from struct import unpack
from typing import Any

from pipeline.batch import Batch, picked
from pipeline.journal import DAY_BITS, halves, key_of
from pipeline.known_calls import where
from pipeline.record import DAY_US

_SCANNED = 4
"""A date is read through where it holds no more than so many times the calls that are looked for."""


def unsettled(connection: sqlite3.Connection, batch: Batch, rows: Sequence[int]) -> list[int]:
    """`rows` without those that tell nothing new.

    Of those a call with their key is known, its record is as good and of the same prompt, so that it has all their implied names, and it
    claims whatever they claim. Rows that offer more than is implied stay, and are matched name by name.
    """
    rows = _unlike(connection, batch, rows)
    asked: dict[bytes, list[int]] = {}
    for row, key in zip(rows, picked(batch.key, rows), strict=True):
        asked.setdefault(key, []).append(row)
    claims = _claims(connection, batch, rows)
    settled: set[int] = set()
    columns = "c.id, c.h, c.rest, c.rank, c.owner_rank, c.input, c.cache_read, c.cache_write_5m + c.cache_write_1h"
    for call, h, rest, rank, owner_rank, fresh, read, written in _alike(connection, batch, rows, columns):
        for row in asked.get(key_of(h, rest), ()):
            if (
                batch.rank[row] <= rank
                and batch.owner_rank[row] >= owner_rank
                and batch.input[row] == fresh
                and batch.cache_read[row] == read
                and batch.cache_write_5m[row] + batch.cache_write_1h[row] == written
                and row not in batch.offers
                and all(claims.get(alias) == call for alias in batch.aliases.get(row, ()))
            ):
                settled.add(row)
    return [row for row in rows if row not in settled]


def _unlike(connection: sqlite3.Connection, batch: Batch, rows: Sequence[int]) -> list[int]:
    """`rows` without those that say just what is known, in the same file or in one that owns the call as well.

    Nearly all of what is imported once more are such, and they are left out without a look at each: equal ranks mean equal facts.
    """
    keys = unpack(f">{2 * len(rows)}q", b"".join(picked(batch.key, rows)))
    said = list(zip(keys[::2], keys[1::2], picked(batch.rank, rows), picked(batch.owner_rank, rows), strict=True))
    known = set(said).intersection(_alike(connection, batch, rows, "c.h, c.rest, c.rank, c.owner_rank"))
    named = batch.aliases.keys() | batch.offers.keys()
    return [row for row, each in zip(rows, said, strict=True) if each not in known or row in named]


def _alike(connection: sqlite3.Connection, batch: Batch, rows: Sequence[int], columns: str) -> Iterable[tuple[Any, ...]]:
    """These columns of known calls `c`, among them nearly all that have the key of one of `rows`."""
    days = sorted({at_us // DAY_US for at_us in picked(batch.at_us, rows)})
    last = "SELECT coalesce(max(id), ?1) - ?1 FROM calls WHERE id >= ?1 AND id < ?2"
    there = sum(connection.execute(last, (day << DAY_BITS, (day + 1) << DAY_BITS)).fetchone()[0] for day in days)
    if there <= _SCANNED * len(rows):
        # Most sightings of a call are of one date, and reading a date through costs a quarter of looking for each of its calls.
        sql = f"SELECT {columns} FROM calls c WHERE c.id >= ? AND c.id < ?"
        return chain.from_iterable(connection.execute(sql, (day << DAY_BITS, (day + 1) << DAY_BITS)) for day in days)
    return where(connection, f"SELECT {columns} FROM calls c WHERE c.h", {halves(key)[0] for key in picked(batch.key, rows)})


def _claims(connection: sqlite3.Connection, batch: Batch, rows: Sequence[int]) -> dict[bytes, int]:
    """Known claims under the handles of the rows' aliases: identity to number of the call."""
    wanted = batch.aliases if len(rows) == len(batch) else batch.aliases.keys() & set(rows)
    heads = {halves(alias)[0] for row in wanted for alias in batch.aliases[row]}
    entries = where(connection, "SELECT h, call, rest FROM identities WHERE h", heads)
    return {key_of(h, rest): call >> 1 for h, call, rest in entries if call & 1}
