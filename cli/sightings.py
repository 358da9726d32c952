"""Where else a call was seen: those of the agents' files that can hold it, read again without keeping anything but which those are.

Decides which sources are worth reading again and why one record of a call counts before another. What a record says is its adapter's
business, which ranks higher the log's.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

import msgspec

from cli.refresh import Store
from ingest import named, reader
from ingest.discover import Found, Trouble
from ingest.reader import Manner, Work
from pipeline.batch import Batch
from pipeline.keys import following, implied, is_request
from pipeline.questions import StoredSource


class Sighting(msgspec.Struct, frozen=True, kw_only=True):
    """One record of a call in a file as it lies there now."""

    key: bytes
    """The key of the call that it belongs to."""
    path: str
    offset: int
    length: int
    session: str | None
    message_id: str | None
    output: int
    identity: str
    """By what it is the same call."""
    rank: bytes


class Unread(msgspec.Struct, frozen=True, kw_only=True):
    """A source that cannot be read again: what the journal counted in it is all that is known."""

    path: str
    reason: str
    duplicate: int
    updated: int


class Names(msgspec.Struct, kw_only=True):
    """What some calls are called: the call's key by each name that it claims, and by each that it can be found by."""

    claimed: dict[bytes, bytes] = {}
    offered: dict[bytes, bytes] = {}

    def call(self, batch: Batch, row: int) -> tuple[bytes, str] | None:
        """The key of the call that a sighting belongs to, and by what; names that both merely offer make no call one."""
        for name in batch.claimed(row):
            found = self.claimed.get(name) or self.offered.get(name)
            if found is not None:
                return found, "same key" if batch.key[row] == found else "an id it claims"
        found = next((self.claimed[name] for name in batch.offered(row) if name in self.claimed), None)
        return None if found is None else (found, "an id it offers")


def names_of(rows: Iterable[Mapping[str, Any]]) -> Names:
    """What the calls of these rows of the log are called, as the log knows them."""
    names = Names()
    for row in rows:
        key = row["key"]
        names.claimed[key] = key
        counts = (row["input"], row["cache_read"], row["cache_write_5m"] + row["cache_write_1h"])
        # The counts of a difference are no record's: what followed from them the log states.
        names.offered.update(dict.fromkeys(implied(key, *counts) if row["kind"] == "call" else following(key), key))
        for name in row["aliases"] or ():
            if len(name) == len(key):
                names.claimed[name] = key
                names.offered.update(dict.fromkeys(following(name), key))
            else:
                names.offered[name[:-1]] = key
    return names


def prepared(store: Store) -> dict[str, named.Named]:
    """The names in every source that lies there; before the frame library is loaded it is done by several processes."""
    adapters = {adapter.agent: adapter for adapter in store.adapters}
    found = list(_lying(store, store.log.sources()).values())
    return named.up_to_date(os.path.join(store.paths.views, named.NAME), found, adapters, store.now_us * 1000)


def _lying(store: Store, sources: Iterable[StoredSource]) -> dict[str, Found]:
    """What lies there, by path: in the agents' homes, and beyond them what was once imported from elsewhere."""
    there = {found.source.path: found for found in store.look.found}
    for each in sources:
        source = each.source
        if source.path in there or source.kind not in ("lines", "document"):
            continue
        adapter = next((adapter for adapter in store.adapters if adapter.agent == source.agent), None)
        pattern = None if adapter is None else next((one for one in adapter.patterns if one.kind == source.kind), None)
        if pattern is not None:
            with suppress(OSError):
                status = os.lstat(source.path)
                there[source.path] = Found(
                    source=source, pattern=pattern, inode=status.st_ino, size=status.st_size, mtime_ns=status.st_mtime_ns
                )
    return there


def sightings(store: Store, known: Mapping[str, named.Named], rows: list[dict[str, Any]]) -> tuple[list[Sighting], list[Unread]]:
    """Every record of some calls in the sources as they lie there now, `rows` being all that the log has of them; and the sources of their
    agents that cannot be read."""
    names, agents = names_of(rows), {row["agent"] for row in rows}
    numbers = {row["source"] for row in rows if row["machine"] == store.log.machine}
    sources = store.log.sources()
    there = _lying(store, sources)
    holding = named.naming(known, (*names.claimed, *names.offered))
    anywhere = any(is_request(name) for name in names.claimed)
    adapters = {adapter.agent: adapter for adapter in store.adapters}
    manner = Manner(now_ns=store.now_us * 1000, take_tail=True, titles=False)
    seen: list[Sighting] = []
    unread = []
    for each in sorted(sources, key=lambda each: each.source.path):
        path, found = each.source.path, there.get(each.source.path)
        if each.source.kind == "capture" or (each.source.agent not in agents and each.id not in numbers):
            continue
        reason = "gone"
        if found is not None:
            if path in known and path not in holding and each.id not in numbers and not anywhere:
                continue
            batch = Batch()
            done = reader.read(adapters[each.source.agent], Work(found=found, source_id=each.id), batch, manner)
            seen += _matching(batch, names, path)
            reason = done.reason if isinstance(done, Trouble) else ""
        if reason:
            unread.append(Unread(path=path, reason=reason, duplicate=each.counts.duplicate, updated=each.counts.updated))
    return seen, unread


def _matching(batch: Batch, names: Names, path: str) -> Iterator[Sighting]:
    for row in range(len(batch)):
        met = names.call(batch, row)
        if met is not None:
            yield Sighting(
                key=met[0],
                path=path,
                offset=batch.offset[row],
                length=batch.length[row],
                session=batch.dims[batch.dim[row]].session,
                message_id=batch.message_id[row],
                output=batch.output[row],
                identity=met[1],
                rank=batch.rank[row],
            )


def why(one: Sighting, rank: bytes) -> str:
    """Why a record is not the one that counts; `rank` is that of the one that does."""
    if one.rank == rank:
        return "repeats the record that counts"
    return "a fuller or later record of the same call counts" if one.rank < rank else "not imported yet: ringlet ingest reads it"
