"""What the journal knows of the calls that sightings speak of.

Decides which known calls share a name with a sighting. What follows from that is `pipeline.absorb`'s business. Reads the journal inside the
caller's transaction and writes nothing.
"""

import sqlite3
from collections.abc import Collection, Iterable, Iterator
from typing import Any, NamedTuple

from pipeline.journal import DAY_BITS, halves, key_of, listed
from pipeline.keys import following, implied, is_request, request_in
from pipeline.record import DAY_US

FEW = 16
"""Up to so many, sightings are matched one by one, and names looked for each by itself: what makes thousands quick costs more than that."""
_CHUNK = 20_000
_STATE = (
    "SELECT c.id, c.h, c.rest, c.rank, c.owner_rank, c.dim, c.at, c.input, c.output, c.cache_read, c.cache_write_5m, c.cache_write_1h,"
    " c.web_searches, c.reasoning, c.duration_ms, c.logged_cost FROM calls c WHERE"
)
_NO_NAMES: tuple[set[bytes], set[bytes]] = (set(), set())


class State(NamedTuple):
    """What is known of a call."""

    key: bytes
    rank: bytes
    owner_rank: int
    dim: int
    at_us: int
    sums: tuple[int, ...]
    """input, output, cache_read, cache_write_5m, cache_write_1h, web_searches"""
    reasoning: int | None
    duration_ms: int | None
    logged_cost: str | None

    @property
    def day(self) -> int:
        """UTC day number."""
        return self.at_us // DAY_US

    @property
    def implied(self) -> tuple[bytes, ...]:
        """What it offers without saying so."""
        fresh, _, read, wrote_5m, wrote_1h, _ = self.sums
        return implied(self.key, fresh, read, wrote_5m + wrote_1h)


class Known:
    """The known calls that share a name with some sightings."""

    def __init__(self, connection: sqlite3.Connection, names: Iterable[tuple[set[bytes], set[bytes]]], *, requests: bool) -> None:
        self._connection = connection
        self.states: dict[int, State] = {}
        """Calls by number."""
        self._by_head: dict[int, list[int]] = {}
        """Calls by the handle of their key."""
        self._entries: dict[int, list[tuple[int, int]]] = {}
        """(2 * call + claimed, rest) by handle, for what does not follow from a key."""
        self._by_request: dict[bytes, set[int]] = {}
        """Calls by the request in one of their keys, where some sighting knows a request alone."""
        self._places: dict[int, int] = {}
        """Where each call that an entry names stands now."""
        self._said: dict[int, tuple[set[bytes], set[bytes]]] = {}
        """(claimed, offered) identities of the entries by call."""
        wanted: set[int] = set()
        alone: set[bytes] = set()
        for claimed, offered in names:
            wanted.update(halves(identity)[0] for identity in claimed)
            wanted.update(halves(identity)[0] for identity in offered if requests or not is_request(identity))
            alone.update(request_in(identity) for identity in claimed if is_request(identity))
        self._take(where(connection, f"{_STATE} c.h", wanted))
        for h, call, rest in where(connection, "SELECT h, call, rest FROM identities WHERE h", wanted):
            self._entries.setdefault(h, []).append((call, rest))
        if alone:
            # No index leads from a request to its replies: no agent is known to name one alone.
            requested = listed(int.from_bytes(request, "big") for request in alone)
            holds = f"(rest >> 8) & {(1 << 56) - 1} IN (SELECT value FROM json_each(?))"
            self._take(connection.execute(f"{_STATE} {holds}", (requested,)))
            for h, call, rest in connection.execute(f"SELECT h, call, rest FROM identities WHERE call & 1 AND {holds}", (requested,)):
                self._entries.setdefault(h, []).append((call, rest))
        self._follow({call >> 1 for entries in self._entries.values() for call, _ in entries})
        for number, state in self.states.items():
            self._by_head.setdefault(halves(state.key)[0], []).append(number)
            if alone:
                self._by_request.setdefault(state.key[8:15], set()).add(number)
        for h, entries in self._entries.items():
            for call, rest in entries:
                number, identity = self._places[call >> 1], key_of(h, rest)
                self._said.setdefault(number, (set(), set()))[0 if call & 1 else 1].add(identity)
                if alone and call & 1:
                    self._by_request.setdefault(identity[8:15], set()).add(number)

    def hits(self, claimed: set[bytes], offered: set[bytes]) -> set[int]:
        """Numbers of the calls that are the same as a sighting with these names."""
        found: set[int] = set()
        states = self.states
        for identity in claimed:
            h, rest = halves(identity)
            for number in self._by_head.get(h, ()):
                if states[number].key == identity or identity in states[number].implied:
                    found.add(number)
            for call, other in self._entries.get(h, ()):
                if rest == other or (call & 1 and identity in following(key_of(h, other))):
                    found.add(self._places[call >> 1])
            if is_request(identity):
                found.update(self._by_request.get(request_in(identity), ()))
        for identity in offered:
            h, rest = halves(identity)
            found.update(number for number in self._by_head.get(h, ()) if states[number].key == identity)
            found.update(self._places[call >> 1] for call, other in self._entries.get(h, ()) if rest == other and call & 1)
        return found

    def names(self, places: list[int]) -> tuple[set[bytes], set[bytes]]:
        """(claimed, offered) identities of calls, as far as they stand under the handles that were asked for."""
        claimed = {self.states[number].key for number in places}
        offered = {identity for number in places for identity in self.states[number].implied}
        for number in places:
            claims, offers = self._said.get(number, _NO_NAMES)
            claimed |= claims
            offered |= offers
        return claimed, offered

    def _take(self, rows: Iterable[tuple[Any, ...]]) -> None:
        for number, h, rest, rank, owner, dim, at, *more in rows:
            at_us = (number >> DAY_BITS) * DAY_US + at
            self.states[number] = State(key_of(h, rest), rank, owner, dim, at_us, tuple(more[:6]), *more[6:])

    def _follow(self, numbers: set[int]) -> None:
        """Find where the calls with these numbers stand, and what is known of them there."""
        places = {number: number for number in numbers}
        missing = numbers - self.states.keys()
        while missing:
            self._take(where(self._connection, f"{_STATE} c.id", missing))
            missing -= self.states.keys()
            onward: dict[int, int] = dict(where(self._connection, "SELECT id, call FROM moved WHERE id", missing))
            for number, place in places.items():
                places[number] = onward.get(place, place)
            missing = set(onward.values()) - self.states.keys()
        self._places = places


def where(connection: sqlite3.Connection, query: str, values: Collection[int]) -> Iterator[tuple[Any, ...]]:
    """The rows of `query`, which ends in the name of a column, where that column has one of `values`."""
    if len(values) <= FEW:
        for value in values:
            yield from connection.execute(f"{query} = ?", (value,))
    else:
        ordered = sorted(values)
        for start in range(0, len(ordered), _CHUNK):
            yield from connection.execute(f"{query} IN (SELECT value FROM json_each(?))", (listed(ordered[start : start + _CHUNK]),))
