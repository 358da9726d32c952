"""What a freshly listed price file adds to the price book.

Decides which of its rows are believed, and that rows are only ever added: a model whose listing differs from the newest known one gets a
new row from today on. Downloading is the command's business, what a listing says is `listing`'s.
"""

import json
import os
from collections.abc import Mapping

import msgspec

from pipeline import durable
from pipeline.errors import RingletError
from views.pricing import listing
from views.pricing.book import SHIPPED, SYNCED, Entry, Fields, Row, entries, header, newest

LATEST = "litellm-pricing.json"
"""The file as it was last fetched."""
RECORD = "sync.json"
LARGEST_BYTES = 64 * 2**20


class Listed(msgspec.Struct, frozen=True):
    """The believable rows of one price file: (provider, fields) by model; what was rejected and why; how many are no language models."""

    models: dict[str, tuple[str, Fields]]
    rejected: dict[str, str]
    others: int


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered of the last sync."""

    source: str
    at: str
    """RFC 3339, UTC."""
    etag: str | None = None
    models: int = 0
    new: int = 0
    changed: int = 0
    rejected: dict[str, str] = {}


class Added(msgspec.Struct, frozen=True):
    """A book file with a file's rows added to it, and the models whose row is their first, or another than before."""

    text: bytes
    new: list[str]
    changed: list[str]


def read(body: bytes, where: str) -> Listed:
    """The rows of a LiteLLM price file, each judged by itself. Raises `RingletError` where it is no such file: then nothing may change."""
    if len(body) > LARGEST_BYTES:
        raise RingletError(f"larger than {LARGEST_BYTES // 2**20} MiB: not a price file", where=where)
    try:
        rows = json.loads(body, parse_float=str, parse_int=str, parse_constant=str)
    except (ValueError, RecursionError):
        raise RingletError("not JSON; the prices stay as they are", where=where) from None
    if not isinstance(rows, dict):
        raise RingletError("not a price file (its JSON is no object); the prices stay as they are", where=where)
    models: dict[str, tuple[str, Fields]] = {}
    rejected: dict[str, str] = {}
    others = 0
    for name, row in rows.items():
        if name == "sample_spec":
            continue
        if not isinstance(row, dict):
            rejected[name] = "not an object"
        elif row.get("mode") not in listing.MODES:
            others += 1
        else:
            try:
                models[_name(name)] = (_name(row.get("litellm_provider", "")), _fields(row))
            except listing.Unbelievable as why:
                rejected[name] = str(why)
    if not models:
        raise RingletError("no believable price in it; the prices stay as they are", where=where)
    return Listed(models, rejected, others)


def add(shipped: bytes, synced: bytes, listed: Listed, day: int) -> Added:
    """`synced` with a row from `day` for every model that `listed` lists otherwise than the newest row in either book file.

    Models that are not listed any more keep their rows. A second change within a day replaces the day's row.
    """
    known = {entry.name: entry for entry in entries(synced, "synced")}
    new: list[str] = []
    changed: list[str] = []
    for name, (provider, fields) in listed.models.items():
        entry = known.get(name)
        before = newest(shipped, name)
        if entry is not None and (before is None or entry.rows[-1].day >= before.day):
            before = entry.rows[-1]
        if before is not None and before.fields == fields:
            continue
        (new if before is None else changed).append(name)
        since = day if before is None else max(day, before.day)
        rows = [row for row in entry.rows if row.day < since] if entry is not None else []
        known[name] = Entry(name, provider, [*rows, Row(since, fields, "synced")])
    head = {"source": "registry sync", "models": str(len(known))}
    return Added(listing.file((listing.line(entry) for entry in known.values()), head), sorted(new), sorted(changed))


def load(prices: str) -> tuple[bytes, Record | None]:
    """The synced book file in the folder `prices` (empty where there is none) and the record of the last sync."""
    record = _read(os.path.join(prices, RECORD))
    try:
        known = msgspec.json.decode(record, type=Record) if record else None
    except msgspec.MsgspecError:
        known = None  # only costs a download that the ETag would have saved
    return _read(os.path.join(prices, SYNCED)), known


def keep(prices: str, body: bytes, added: Added, record: Record) -> None:
    """Store the file, the rows and the record, in that order: until the record stands, the next sync starts over and adds nothing twice."""
    durable.make_dirs(prices)
    durable.write_over(os.path.join(prices, LATEST), body)
    durable.write_over(os.path.join(prices, SYNCED), added.text)
    durable.write_over(os.path.join(prices, RECORD), msgspec.json.encode(record))


def trouble(prices: str) -> str | None:
    """What is wrong with the synced book file in the folder `prices`; None where it is whole or was never made."""
    text = _read(os.path.join(prices, SYNCED))
    readable = sum(1 for _ in entries(text, "synced"))
    if not text or header(text, "models") == str(readable):
        return None
    return f"{readable} of {header(text, 'models') or 'an unknown number of'} models can be read: the others have the shipped prices"


def shipped() -> bytes:
    """The shipped book file."""
    return _read(SHIPPED)


def latest(prices: str) -> bytes:
    """The price file as last fetched; empty where none was."""
    return _read(os.path.join(prices, LATEST))


def difference(before: Mapping[str, int], after: Mapping[str, int]) -> list[tuple[str, int, int]]:
    """(month, cost before, cost after) in attodollars of the months that cost another amount now, oldest first; a month without any
    priced call is missing from its mapping and counts as 0."""
    months = sorted(before.keys() | after.keys())
    return [(month, before.get(month, 0), after.get(month, 0)) for month in months if before.get(month, 0) != after.get(month, 0)]


def _fields(row: Mapping[str, object]) -> Fields:
    fields = listing.fields_of(row)
    if not fields.keys() & {"i", "o"}:
        raise listing.Unbelievable("no price per token")
    return fields


def _name(value: object) -> str:
    if not isinstance(value, str) or any(mark in value for mark in "\t\r\n") or value.startswith("#"):
        raise listing.Unbelievable(f"{value!r} is not a name")
    return value


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""
