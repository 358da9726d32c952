"""Sightings of one call become one: which rows of a batch belong together and what they say as a whole.

Decides how claims and offers close into calls and which sighting counts. What an identity is, and both ranks, are decided by
`pipeline.keys` and the adapters; what the journal already knows is joined by `pipeline.log`. Pure functions of their arguments.
"""

from collections.abc import Sequence
from itertools import chain
from struct import Struct
from typing import Generic, TypeVar

import msgspec

from pipeline.batch import OWNER_FIELDS, Batch, Dims

HEAD = Struct(">qI")
"""The first 12 bytes of an identity: its handle and the beginning of its rest."""

T = TypeVar("T", bound="int | bytes")

_BARE = bytes(7)
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

    def __bool__(self) -> bool:
        return bool(self._parent)


class Folded(msgspec.Struct, gc=False):
    """Calls among the rows of a batch: `winner` and `owner` give the row that counts and the row that owns; `members` all rows of those
    calls that have more than one, by position."""

    winner: Sequence[int]
    owner: Sequence[int]
    members: dict[int, list[int]]


def folded(batch: Batch, rows: Sequence[int]) -> Folded:
    """The calls among `rows` of the batch, in the order of their first rows.

    A tie of ranks is broken by content (key, then dimensions), so that the order of the rows decides nothing.
    """
    union = joined(batch, rows)
    if not union:
        winner: Sequence[int] = rows
        return Folded(winner, winner, {})
    find = union.find
    sets: dict[int, list[int]] = {}
    for row in rows:
        sets.setdefault(find(row), []).append(row)
    ties = _Ties(batch)
    winners: list[int] = []
    owners: list[int] = []
    members: dict[int, list[int]] = {}
    for position, members_of in enumerate(sets.values()):
        if len(members_of) == 1:
            winners.append(members_of[0])
            owners.append(members_of[0])
        else:
            winners.append(ties.winner(members_of))
            owners.append(ties.owner(members_of))
            members[position] = members_of
    return Folded(winners, owners, members)


def joined(batch: Batch, rows: Sequence[int]) -> Union[int]:
    """Which of `rows` are the same call: they share an identity that at least one of them claims, or a chain of such rows joins them."""
    union: Union[int] = Union()
    whole = len(rows) == len(batch)
    keys = batch.key if whole else [batch.key[row] for row in rows]
    claimed = dict(zip(reversed(keys), reversed(rows), strict=True))
    if len(claimed) < len(keys):
        for row, key in zip(rows, keys, strict=True):
            first = claimed[key]
            if first != row:
                union.join(first, row)
    chosen = None if whole else set(rows)
    for row, aliases in batch.aliases.items():
        if chosen is None or row in chosen:
            for alias in aliases:
                union.join(claimed.setdefault(alias, row), row)
    offers = batch.offers if whole else [batch.offers[row] for row in rows]
    wanted = claimed.keys() & chain.from_iterable(offers)
    if wanted:
        for row, offered in zip(rows, offers, strict=True):
            if not wanted.isdisjoint(offered):
                for offer in offered:
                    if offer in wanted:
                        union.join(claimed[offer], row)
    return union


def handle(identity: bytes) -> tuple[int, int]:
    """(handle, rest) of an identity as the journal's index keeps them: 64 and 31 bits. Rest 0 is the handle's own, bare identity."""
    head, rest = HEAD.unpack_from(identity)
    # Another identity's rest may begin with zeros by chance; it must not pass for the bare one.
    return head, rest >> 1 or int(identity[8:15] != _BARE)


def entries(key: bytes, claimed: Sequence[bytes], offered: Sequence[bytes]) -> list[tuple[int, int, int]]:
    """(handle, rest, 1 if claimed) under which a call must be found.

    An entry also says that the call offers the handle's bare identity, and the key needs none beside another under its handle: a call's key
    is kept with the call.
    """
    found = {(*handle(identity), 1) for identity in claimed if identity != key}
    bare = []
    for identity in offered:
        head, rest = handle(identity)
        if not rest:
            bare.append(head)
        elif identity != key and (head, rest, 1) not in found:
            found.add((head, rest, 0))
    heads = {head for head, _, _ in found}
    found.update((head, 0, 0) for head in bare if head not in heads)
    head, rest = handle(key)
    if head not in heads and head not in bare:
        found.add((head, rest, 1))
    elif not rest:
        found.discard((head, 0, 0))
        found.add((head, 0, 1))
    return list(found)


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
        for row in rows:
            if rank[row] > rank[best]:
                best = row
            elif rank[row] == rank[best] and (key[row] != key[best] or dim[row] != dim[best]):
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
