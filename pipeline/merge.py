"""Sightings of one call become one: which rows of a batch belong together and what they say as a whole.

Decides how claims and offers close into calls and which sighting counts. What an identity is, and both ranks, are decided by
`pipeline.keys` and the adapters; what the journal already knows is joined by `pipeline.log`. Pure functions of their arguments.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Generic, TypeVar

import msgspec

from pipeline.batch import OWNER_FIELDS, Batch, Dims
from pipeline.columns import Digests, picked
from pipeline.keys import is_request, request_in

T = TypeVar("T", bound="int | bytes")

_FACT_FIELDS = tuple(name for name in Dims.__struct_fields__ if name not in OWNER_FIELDS)


class Union(Generic[T]):
    """Sets of things that turn out to be one."""

    def __init__(self) -> None:
        self._parent: dict[T, T] = {}

    def find(self, thing: T) -> T:
        """The one that stands for the set of `thing`."""
        parent = self._parent
        root = thing
        while (above := parent.get(root, root)) != root:
            root = above
        while (above := parent.get(thing, thing)) != root:
            parent[thing] = root
            thing = above
        return root

    def join(self, one: T, other: T) -> None:
        """The two are the same; the smaller stands for both."""
        a, b = self.find(one), self.find(other)
        if a != b:
            self._parent[max(a, b)] = min(a, b)

    def sets(self) -> list[list[T]]:
        """The sets of more than one thing, each in rising order; its first stands for it."""
        found: dict[T, list[T]] = {}
        for thing in self._parent:
            found.setdefault(self.find(thing), []).append(thing)
        return [[root, *sorted(things)] for root, things in found.items()]

    def __bool__(self) -> bool:
        return bool(self._parent)


class Folded(msgspec.Struct, gc=False):
    """Calls among the rows of a batch: `winner` and `owner` give the row that counts and the row that owns; `members` all rows of those
    calls that have more than one, by position."""

    winner: Sequence[int]
    owner: Sequence[int]
    members: dict[int, list[int]]


def folded(batch: Batch, rows: Sequence[int]) -> Folded:
    """The calls among `rows` of the batch (which rise), in the order of their first rows.

    A tie of ranks is broken by content (key, then dimensions), so that the order of the rows decides nothing.
    """
    union = joined(batch, rows) if len(rows) > 1 else None
    if not union:
        return Folded(rows, rows, {})
    sets = union.sets()
    further = set(chain.from_iterable(each[1:] for each in sets))
    winners = [row for row in rows if row not in further]
    owners = winners[:]
    ties = _Ties(batch)
    members: dict[int, list[int]] = {}
    for each in sets:
        position = bisect_left(winners, each[0])
        members[position] = each
    for position, each in members.items():
        winners[position] = ties.winner(each)
        owners[position] = ties.owner(each)
    return Folded(winners, owners, members)


def joined(batch: Batch, rows: Sequence[int]) -> Union[int]:
    """Which of `rows` are the same call: they share an identity that at least one of them claims, or a chain of such rows joins them."""
    union: Union[int] = Union()
    whole = len(rows) == len(batch)
    keys = list(picked(batch.key, rows))
    first = dict(zip(reversed(keys), reversed(rows), strict=True))
    if len(first) < len(keys):
        for row, key in zip(rows, keys, strict=True):
            if first[key] != row:
                union.join(first[key], row)
    sparse = batch.aliases.keys() | batch.offers.keys()
    odd = sorted(sparse if whole else sparse.intersection(rows))
    claimed = first if not odd else dict(first)
    for row in odd:
        for alias in batch.aliases.get(row, ()):
            known = claimed.setdefault(alias, row)
            if known != row:
                union.join(known, row)
    for row in odd:
        for offer in batch.offers.get(row, ()):
            if offer in claimed:
                union.join(claimed[offer], row)
    for row in _spoken_of(batch, rows, keys, first, odd):
        for offer in batch.implied(row):
            if offer in claimed:
                union.join(claimed[offer], row)
    return union


def _spoken_of(batch: Batch, rows: Sequence[int], keys: Sequence[bytes], first: Iterable[bytes], odd: Iterable[int]) -> list[int]:
    """Those of `rows` that perhaps offer, without saying so, what another row claims.

    What a key and its counts imply stands under the key's own handle, or is a request. So only keys matter whose handle another key or a
    claim of another record has too, and those whose request some record knows alone.
    """
    handles = [key[:8] for key in first]
    shared: set[bytes] = set()
    once = set(handles)
    if len(once) < len(handles):
        for handle in handles:
            if handle in once:
                once.remove(handle)
            else:
                shared.add(handle)
    requests = {request_in(batch.key[row]) for row in batch.message_id.missing() if is_request(batch.key[row])}
    by_row: Sequence[bytes] | Digests = keys if len(keys) == len(batch) else batch.key
    for row in odd:
        for alias in batch.aliases.get(row, ()):
            if alias[:8] != by_row[row][:8]:
                shared.add(alias[:8])
            if is_request(alias):
                requests.add(request_in(alias))
    if not shared and not requests:
        return []
    return [row for row, key in zip(rows, keys, strict=True) if key[:8] in shared or key[8:15] in requests]


def owned(facts: Dims, owner: Dims) -> Dims:
    """The dimensions of `facts`, with session, project and the other owner's fields of `owner`."""
    return msgspec.structs.replace(facts, **{name: getattr(owner, name) for name in OWNER_FIELDS})


class _Ties:
    """Which of several rows wins and which owns, content deciding where ranks do not."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self._texts: dict[tuple[int, bool], bytes] = {}

    def winner(self, rows: Sequence[int]) -> int:
        rank, key, dim = self._batch.rank, self._batch.key, self._batch.dim
        best = rows[0]
        most = rank[best]
        for row in rows[1:]:
            its_rank = rank[row]
            if its_rank > most:
                best, most = row, its_rank
            elif its_rank == most and (key[row] != key[best] or dim[row] != dim[best]):
                mine, its = (key[row], self._text(dim[row], False)), (key[best], self._text(dim[best], False))
                if mine < its:
                    best = row
        return best

    def owner(self, rows: Sequence[int]) -> int:
        rank, dim = self._batch.owner_rank, self._batch.dim
        best = rows[0]
        for row in rows:
            if rank[row] < rank[best] or (
                rank[row] == rank[best] and dim[row] != dim[best] and self._text(dim[row], True) < self._text(dim[best], True)
            ):
                best = row
        return best

    def _text(self, dim: int, owner: bool) -> bytes:
        text = self._texts.get((dim, owner))
        if text is None:
            names = OWNER_FIELDS if owner else _FACT_FIELDS
            text = msgspec.msgpack.encode([getattr(self._batch.dims[dim], name) for name in names])
            self._texts[dim, owner] = text
        return text
