"""Where else a call was seen: the agents' files read again, without keeping anything.

Decides which sources are worth reading again and why one record of a call counts before another. What a record says is its adapter's
business, which ranks higher the log's.
"""

import os
from collections.abc import Iterator

import msgspec

from cli.refresh import Store
from ingest import reader
from ingest.reader import Manner, Work
from pipeline.batch import Batch


class Sighting(msgspec.Struct, frozen=True, kw_only=True):
    """One record of a call in a file as it lies there now."""

    key: bytes
    """The key of the call that it belongs to."""
    path: str
    offset: int
    length: int
    session: str | None
    output: int
    identity: str
    """By what it is the same call."""
    rank: bytes
    owner_rank: int


class Unread(msgspec.Struct, frozen=True, kw_only=True):
    """A source that cannot be read again: what the journal counted in it is all that is known."""

    path: str
    reason: str
    duplicate: int
    updated: int


def sightings(store: Store, named: dict[bytes, bytes], agents: set[str]) -> tuple[list[Sighting], list[Unread]]:
    """Every record of some calls in the sources of these agents; `named` gives a call's key by each identity of it."""
    known = {each.source.path: each for each in store.log.sources()}
    there = {found.source.path: found for found in store.look.found if found.source.agent in agents}
    adapters = {adapter.agent: adapter for adapter in store.adapters}
    seen: list[Sighting] = []
    unread = []
    for path, each in sorted(known.items()):
        if each.source.agent not in agents:
            continue
        reason = "gone"
        if path in there:
            batch = Batch()
            done = reader.read(
                adapters[each.source.agent],
                Work(found=there[path], source_id=each.id),
                batch,
                Manner(now_ns=store.now_us * 1000, titles=False),
            )
            seen += _matching(batch, named, path)
            reason = getattr(done, "reason", "")
        if reason:
            unread.append(Unread(path=os.fspath(path), reason=reason, duplicate=each.counts.duplicate, updated=each.counts.updated))
    return seen, unread


def _matching(batch: Batch, named: dict[bytes, bytes], path: str) -> Iterator[Sighting]:
    for row, key in enumerate(batch.key):
        ways = (("same key", (key,)), ("another id it claims", batch.claimed(row)), ("an id it offers", batch.offered(row)))
        for how, identities in ways:
            call = next((named[identity] for identity in identities if identity in named), None)
            if call is not None:
                yield Sighting(
                    key=call,
                    path=path,
                    offset=batch.offset[row],
                    length=batch.length[row],
                    session=batch.dims[batch.dim[row]].session,
                    output=batch.output[row],
                    identity=how,
                    rank=batch.rank[row],
                    owner_rank=batch.owner_rank[row],
                )
                break


def why(one: Sighting, rank: bytes) -> str:
    """Why a record is not the one that counts; `rank` is that of the one that does."""
    if one.rank == rank:
        return "repeats the record that counts"
    return "a fuller or later record of the same call counts" if one.rank < rank else "not imported yet: ringlet ingest reads it"
