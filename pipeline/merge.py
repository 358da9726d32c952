"""Sightings of one call become one: which rows of a batch belong together and what they say as a whole.

Decides how claims and offers close into calls and which sighting counts. What an identity is, and both ranks, are decided by
`pipeline.keys` and the adapters; what the journal already knows is joined by `pipeline.log`. Pure functions of their arguments.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import chain, compress, filterfalse
from operator import ne
from typing import Generic, TypeVar

import msgspec

from pipeline.batch import OWNER_FIELDS, Batch, Dims
from pipeline.columns import DIGEST_BYTES, Digests, head, picked
from pipeline.keys import is_request, request_in

T = TypeVar("T", bound="int | bytes")

_NAMING = tuple(name for name in OWNER_FIELDS if name != "root")
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
    winners = [*filterfalse(further.__contains__, rows)]
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
    claims = _Claims(batch, rows, union)
    whole = len(rows) == len(batch)
    aliased: Iterable[int] = batch.aliases if whole else batch.aliases.keys() & rows
    offering: Iterable[int] = batch.offers if whole else batch.offers.keys() & rows
    elsewhere: set[int] = set()
    requests = {request_in(batch.key[row]) for row in batch.message_id.missing() if is_request(batch.key[row])}
    for row in aliased:
        for alias in batch.aliases[row]:
            claims.add(alias, row)
            if (handle := head(alias)) != claims.heads[row]:
                elsewhere.add(handle)
            if is_request(alias):
                requests.add(request_in(alias))
    for row in offering:
        for offer in batch.offers[row]:
            claims.meet(offer, row)
    # What a key and its counts imply stands under the key's own handle, or is a request. So only keys matter whose handle another key or a
    # claim of another record has too, and those whose request some record knows alone.
    spoken_of = {*claims.beside, *chain.from_iterable(map(claims.under, elsewhere))}
    if requests:
        spoken_of.update(row for row in rows if batch.key[row][8:15] in requests)
    for row in spoken_of:
        for offer in batch.implied(row):
            claims.meet(offer, row)
    return union


class _Claims:
    """Which row claims what, among some rows; those that claim the same are joined.

    Keys are found by their handles: hardly any two have one in common, and a number takes a fraction of the room of a key.
    """

    def __init__(self, batch: Batch, rows: Sequence[int], union: Union[int]) -> None:
        self._key: Digests = batch.key
        self._union = union
        self.heads, _ = batch.key.halves()
        """The handle of every row's key."""
        heads: Sequence[int] = picked(self.heads, rows)
        self._first: dict[int, int] = dict(zip(reversed(heads), reversed(rows), strict=True))
        self._kinds = {*batch.key.content[DIGEST_BYTES - 1 :: DIGEST_BYTES]}
        """The last bytes of keys: what ends otherwise is none."""
        self._known: dict[bytes, int] = {}
        """By whom an identity is claimed first that is no key, or a key whose handle other keys have too."""
        self._alike: dict[int, list[int]] = {}
        if len(self._first) < len(rows):
            first = self._first
            for row, handle in compress(zip(rows, heads, strict=True), map(ne, map(first.__getitem__, heads), rows)):
                self._alike.setdefault(handle, [first[handle]]).append(row)
        self.beside: list[int] = []
        """Rows whose handle a row with another key has too."""
        for alike in self._alike.values():
            for row in alike:
                self.add(self._key[row], row)
            if len({self._key[row] for row in alike}) > 1:
                self.beside += alike

    def add(self, identity: bytes, row: int) -> None:
        """The row claims it."""
        known = self._who(identity)
        if known is None:
            self._known[identity] = row
        elif known != row:
            self._union.join(known, row)

    def meet(self, identity: bytes, row: int) -> None:
        """The row offers it."""
        known = self._who(identity)
        if known is not None:
            self._union.join(known, row)

    def under(self, handle: int) -> Iterable[int]:
        """The rows whose keys have that handle."""
        first = self._first.get(handle)
        return self._alike.get(handle, () if first is None else (first,))

    def _who(self, identity: bytes) -> int | None:
        known = self._known.get(identity)
        if known is None and identity[-1] in self._kinds:
            known = self._first.get(head(identity))
            if known is not None and self._key[known] != identity:
                return None
        return known


def owned(facts: Dims, owner: Dims) -> Dims:
    """The dimensions of `facts`, with session, project and the other owner's fields of `owner`."""
    return msgspec.structs.replace(facts, **{name: getattr(owner, name) for name in OWNER_FIELDS})


def owner_text(dims: Dims) -> bytes:
    """What tells two owners apart: of those with equal ranks the smaller owns, in whatever order they come. The home is left out: a copy
    of a whole tree takes no call from where it was read first.
    """
    return msgspec.msgpack.encode([getattr(dims, name) for name in _NAMING])


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
            dims = self._batch.dims[dim]
            if owner:
                text = owner_text(dims) + msgspec.msgpack.encode(dims.root)
            else:
                text = msgspec.msgpack.encode([getattr(dims, name) for name in _FACT_FIELDS])
            self._texts[dim, owner] = text
        return text
