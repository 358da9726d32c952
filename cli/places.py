"""Where the record of a call stands, and where its other records do that do not count.

Decides which row of the log tells a call's place, whether that place still holds the record, and how a place is told. A place is believed
only after what lies there was read again: its rank ends in a digest of its facts. Which files are read is `cli.sightings`' business.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from cli.escaped import escaped
from cli.refresh import Store
from cli.sightings import Sighting, Unread, sightings, why
from ingest import streams
from ingest.named import Named
from pipeline.sources import Source

Told = dict[str, Any]

HELD = "the file still holds that record"
_FOUND = "the file holds that record; from which it was read is no longer known"
_MOVED = "the record stands there now; it was read at {}"
_ELSEWHERE = "that place no longer holds this record, the log does: the file was rewritten or cut"
_GONE = "the file is gone, the log holds the record"
_UNREADABLE = "the file cannot be read now ({}), the log holds the record"
_CAPTURED = "captured as it passed: no file holds it"
_FOREIGN = "only the machine that read that record knows the file"
_UNKNOWN = "which file that was is no longer known, the log holds the record"
_ENDINGS = (".zst", ".gz")


class Places(msgspec.Struct, kw_only=True):
    """What is known of the places of some calls."""

    calls: dict[bytes, Told]
    """By key: file, offset, offset_of, length, place, place_state."""
    rows: dict[tuple[str, int], Source]
    """Sources by (machine, number), of this machine's alone: no other's are known here."""
    dropped: list[Told]
    unread: list[Unread]


class _Place(msgspec.Struct, frozen=True, kw_only=True):
    source: Source | None
    offset: int
    length: int
    record: str | None
    """The id of the record, where that names it in its source."""


def placed(store: Store, known: Mapping[str, Named], rows: list[Told]) -> Places:
    """The places of the calls of these rows, which are all that the log has of them."""
    sources = {(store.log.machine, each.id): each.source for each in store.log.sources()}
    by_path = {source.path: source for source in sources.values()}
    seen, unread = sightings(store, known, rows) if rows else ([], [])
    by_key: dict[bytes, list[Told]] = {}
    for row in rows:
        if row["kind"] != "retraction":
            by_key.setdefault(row["key"], []).append(row)
    sighted: dict[bytes, list[Sighting]] = {}
    for each in seen:
        sighted.setdefault(each.key, []).append(each)
    found = Places(calls={}, rows=sources, dropped=[], unread=unread)
    reasons = {each.path: each.reason for each in unread}
    for key, its in by_key.items():
        best = _best(its, store.log.machine)
        source = sources.get((best["machine"], best["source"]))
        winner = _standing(best, None if source is None else source.path, sighted.get(key, []))
        if winner is not None:
            source = by_path[winner.path]
            place = _Place(source=source, offset=winner.offset, length=winner.length, record=winner.message_id)
        else:
            place = _Place(source=source, offset=best["offset"], length=best["length"], record=best["message_id"])
        state = _FOREIGN if winner is None and best["machine"] != store.log.machine else _state(best, sources, winner, reasons)
        found.calls[key] = _told(place, state)
        for each in sighted.get(key, ()):
            if each is not winner:
                found.dropped.append(_dropped(each, by_path[each.path], found.calls[key]["place"], best["rank"]))
    found.dropped.sort(key=lambda each: (each["file"], each["offset"] or 0, each["key"]))
    return found


def row_place(row: Told, sources: Mapping[tuple[str, int], Source]) -> str:
    """Where the record stood that a row of the log came from, as it was read then."""
    source = sources.get((row["machine"], row["source"]))
    return shown(_Place(source=source, offset=row["offset"], length=row["length"], record=row["message_id"]))


def shown(place: _Place) -> str:
    """A place in a line of text."""
    if place.source is None:
        return "unknown"
    path = escaped(place.source.path)
    if place.source.kind == "capture":
        return f"captured reply {place.offset}, {place.length} bytes"
    if place.source.kind == "rows":
        return f"{path} row {escaped(place.record or 'unknown')}"
    if place.source.kind == "document":
        return path
    return f"{path}:{place.offset}+{place.length}" + (" of its unpacked text" if _packed(place.source.path) else "")


def _best(its: Sequence[Told], machine: str) -> Told:
    """The row that came from the record that counts.

    Later rows of one rank came from another record: one that brought a further name or owner. Of a record that two machines have, the one
    that can be looked at here.
    """
    rank = max(row["rank"] for row in its)
    return min((row for row in its if row["rank"] == rank), key=lambda row: (row["machine"] != machine, row["ingested_at"]))


def _standing(best: Told, path: str | None, seen: Sequence[Sighting]) -> Sighting | None:
    """The record that counts as it stands now; where copies of it do, the one that is at the place told."""
    same = [each for each in seen if each.rank == best["rank"]]
    # Of two records of one database, which stand at no place, the owner's.
    return min(
        same,
        key=lambda each: (each.path != path, each.offset != best["offset"], each.session != best["session"], each.path, each.offset),
        default=None,
    )


def _state(best: Told, sources: Mapping[tuple[str, int], Source], winner: Sighting | None, reasons: Mapping[str, str]) -> str:
    source = sources.get((best["machine"], best["source"]))
    if winner is not None:
        if source is not None and (winner.path, winner.offset) == (source.path, best["offset"]):
            return HELD
        return _FOUND if source is None else _MOVED.format(row_place(best, sources))
    if best["origin"] == "capture":
        return _CAPTURED
    if source is None:
        return _UNKNOWN
    reason = reasons.get(source.path)
    if reason is None:
        return _ELSEWHERE
    return _GONE if reason in ("gone", "vanished") else _UNREADABLE.format(escaped(reason))


def _told(place: _Place, state: str) -> Told:
    source = place.source
    kind = "unknown" if source is None else "unpacked text" if _packed(source.path) and source.kind == "lines" else _OFFSETS[source.kind]
    positioned = source is not None and source.kind != "rows"
    return {
        "file": None if source is None or source.kind == "capture" else escaped(source.path),
        "offset": place.offset if positioned else None,
        "offset_of": kind,
        "length": place.length if source is not None else None,
        "place": shown(place),
        "place_state": state,
    }


_OFFSETS = {"lines": "file", "document": "file", "rows": "database row", "capture": "captured replies"}


def _packed(path: str) -> bool:
    """Whether a file's offsets count the text that is packed in it; of one that is gone its name tells."""
    try:
        fd, _ = streams.opened(path)
    except OSError:
        return path.endswith(_ENDINGS)
    try:
        return not streams.is_plain(os.read(fd, 4))
    finally:
        os.close(fd)


def _dropped(each: Sighting, source: Source, counts: str, rank: bytes) -> Told:
    place = _Place(source=source, offset=each.offset, length=each.length, record=each.message_id)
    told = _told(place, "")
    return {
        "key": each.key.hex(),
        **{name: told[name] for name in ("file", "offset", "offset_of", "length", "place")},
        "session": each.session,
        "output": each.output,
        "identity": each.identity,
        "why": why(each, rank),
        "rank": each.rank.hex(),
        "counts": counts,
        "counts_rank": rank.hex(),
    }
