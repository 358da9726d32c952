"""What a batch changes: which of its calls are new, which known ones it knows better, and the rows that say so in the log.

Decides what a fuller record of a known call adds. Reads the journal inside the caller's transaction and writes nothing: `pipeline.log`
carries the changes out.

A known call is kept as the record with the greatest rank, as a whole, owned by the record with the smallest owner rank; on a tie what
is there stays. Rows only add: a better record with the same key, dimensions and UTC date is a difference, any other one retracts the
old row and adds a new one. A sighting that changes nothing but brings an identity that the call was not known by is a difference of
zero, so that the log alone can tell the same story again.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

import msgspec

from pipeline.batch import Batch
from pipeline.journal import DAY_BITS, Dimensions, listed
from pipeline.keys import claims_request, implies
from pipeline.merge import HEAD, Folded, Union, entries, folded, handle, owned
from pipeline.record import CALL, DAY_US, DIFFERENCE, FIELDS, RETRACTION, Rows, alias_column, cost_difference, negated_cost

_CHUNK = 20_000
_SCANNED = 4
_FACTS = "c.key, c.rank, c.owner_rank, c.dim, c.at, c.input, c.output, c.cache_read, c.cache_write_5m, c.cache_write_1h, c.web_searches"
_STATE = f"SELECT c.id, {_FACTS}, c.reasoning, c.duration_ms, c.logged_cost FROM calls c WHERE c.id IN (SELECT value FROM json_each(?))"


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


class Changes(msgspec.Struct, kw_only=True, gc=False):
    """All that a batch changes, ready to be written."""

    rows: Rows
    """For the log, those of new calls first."""
    inserted: list[tuple[Any, ...]]
    """Rows of `calls` for calls that were known."""
    fresh: Iterable[tuple[Any, ...]] = ()
    """Rows of `calls` for new calls, in the order of their numbers."""
    identities: list[tuple[int, int, int]]
    """Rows of `identities`."""
    removed: list[int] = msgspec.field(default_factory=list)
    """Row numbers of calls that are replaced by `inserted` or became part of another."""
    moved: list[tuple[int, int]] = msgspec.field(default_factory=list)
    """(old, new) row number."""
    new: dict[int, int] = msgspec.field(default_factory=dict)
    """New calls by source."""
    updated: dict[int, int] = msgspec.field(default_factory=dict)


def names_requests(batch: Batch, rows: Sequence[int]) -> bool:
    """Whether some of `rows` know a reply by its request alone, so that the index must hold requests."""
    return any(
        claims_request(batch.key[row], batch.message_id[row], batch.request_id[row]) for row in rows if batch.message_id[row] is None
    )


def absorb(
    connection: sqlite3.Connection, dimensions: Dimensions, batch: Batch, rows: Sequence[int], *, requests: bool, ingested_at_us: int
) -> Changes:
    """What `rows` of the batch change; `requests` says whether the index holds the requests of whole replies."""
    changes = Changes(rows=Rows(), inserted=[], identities=[])
    if not rows:
        return changes
    empty = connection.execute("SELECT 1 FROM calls LIMIT 1").fetchone() is None
    if not empty:
        rows = _unknown(connection, batch, rows)
    calls = folded(batch, rows)
    numbers = [dimensions.number(dims) for dims in batch.dims]
    desk = _Desk(connection, dimensions, batch, calls, numbers, requests, ingested_at_us, changes)
    fresh = range(len(calls.winner)) if empty else desk.match()
    desk.insert(fresh)
    return changes


def _unknown(connection: sqlite3.Connection, batch: Batch, rows: Sequence[int]) -> list[int]:
    """`rows` without those that tell nothing new.

    Of those a call with their key is known, its record is as good, and it has all their identities. Whether it has is only seen where they
    follow from the key and the counts; other rows stay, and are matched name by name.
    """
    known = _alike(connection, batch, rows)
    if not known:
        return list(rows)
    aliases = batch.aliases
    kept = []
    facts = (
        batch.key,
        batch.rank,
        batch.owner_rank,
        batch.offers,
        batch.input,
        batch.cache_read,
        batch.cache_write_5m,
        batch.cache_write_1h,
    )
    for row, key, rank, owner, offers, *prompt in zip(rows, *(_picked(column, rows) for column in facts), strict=True):
        call = known.get(key)
        if (
            call is None
            or rank > call[1]
            or owner < call[2]
            or row in aliases
            or (offers and (implies(key, offers) != len(offers) or prompt != call[3:]))
        ):
            kept.append(row)
    return kept


def _alike(connection: sqlite3.Connection, batch: Batch, rows: Sequence[int]) -> dict[bytes, list[Any]]:
    """Known calls with keys of the rows, at least most of them: key to key, rank, owner rank and the counts of the prompt side."""
    columns = "c.key, c.rank, c.owner_rank, c.input, c.cache_read, c.cache_write_5m, c.cache_write_1h"
    days = sorted({at_us // DAY_US for at_us in _picked(batch.at_us, rows)})
    last = "SELECT coalesce(max(id), ?1) - ?1 FROM calls WHERE id >= ?1 AND id < ?2"
    there = sum(connection.execute(last, (day << DAY_BITS, (day + 1) << DAY_BITS)).fetchone()[0] for day in days)
    found: list[Sequence[Any]] = []
    if there <= _SCANNED * len(rows):
        # Most sightings of a call are of one date, and reading a date through costs a quarter of looking for each of its calls.
        sql = f"SELECT {columns} FROM calls c WHERE c.id >= ? AND c.id < ?"
        for day in days:
            found += connection.execute(sql, (day << DAY_BITS, (day + 1) << DAY_BITS))
    else:
        sql = f"SELECT {columns} FROM identities i JOIN calls c ON c.id = i.call >> 1 WHERE i.h IN (SELECT value FROM json_each(?))"
        for chunk in _chunks(sorted({HEAD.unpack_from(key)[0] for key in _picked(batch.key, rows)})):
            found += connection.execute(sql, (listed(chunk),))
    return {row[0]: list(row) for row in found}


class _Desk:
    """One batch being matched with the journal."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        dimensions: Dimensions,
        batch: Batch,
        calls: Folded,
        numbers: list[int],
        requests: bool,
        ingested_at_us: int,
        changes: Changes,
    ) -> None:
        self._connection = connection
        self._dimensions = dimensions
        self._batch = batch
        self._calls = calls
        self._numbers = numbers
        self._requests = requests
        self._ingested_at_us = ingested_at_us
        self._changes = changes
        self._composed: dict[tuple[int, int], int] = {}
        self._last: dict[int, int] = {}

    # New calls

    def insert(self, positions: Sequence[int]) -> None:
        """The calls at `positions` are new."""
        batch, calls = self._batch, self._calls
        if not positions:
            return
        # By date: then the journal's table is only appended to, and a segment is a run of rows.
        day_of = [at_us // DAY_US for at_us in batch.at_us]
        positions = sorted(positions, key=[day_of[row] for row in calls.winner].__getitem__)
        winner = _picked(calls.winner, positions)
        owner = winner if calls.owner is calls.winner else _picked(calls.owner, positions)
        count = len(winner)
        at = _picked(batch.at_us, winner)
        days = _picked(day_of, winner)
        rows = Rows(
            kind=[CALL] * count,
            key=_picked(batch.key, winner),
            aliases=[None] * count,
            rank=_picked(batch.rank, winner),
            owner_rank=_picked(batch.owner_rank, owner),
            at_us=at,
            dim=self._dims(winner, owner),
            requests=[1] * count,
            input=_picked(batch.input, winner),
            output=_picked(batch.output, winner),
            cache_read=_picked(batch.cache_read, winner),
            cache_write_5m=_picked(batch.cache_write_5m, winner),
            cache_write_1h=_picked(batch.cache_write_1h, winner),
            reasoning=_picked(batch.reasoning, winner),
            web_searches=_picked(batch.web_searches, winner),
            duration_ms=_picked(batch.duration_ms, winner),
            logged_cost=_picked(batch.logged_cost, winner),
            message_id=_picked(batch.message_id, winner),
            request_id=_picked(batch.request_id, winner),
            source=_picked(batch.source, winner),
            offset=_picked(batch.offset, winner),
            length=_picked(batch.length, winner),
            ingested_at_us=[self._ingested_at_us] * count,
            extra=[batch.extra.get(row) for row in winner] if batch.extra else [None] * count,
        )
        ids = [self._id(day) for day in days]
        self._identify(rows, ids, winner, positions if calls.members else None)
        since = [at_us - day * DAY_US for at_us, day in zip(at, days, strict=True)]
        sums = (rows.input, rows.output, rows.cache_read, rows.cache_write_5m, rows.cache_write_1h, rows.web_searches)
        more = (rows.reasoning, rows.duration_ms, rows.logged_cost)
        # Read only when it is written, so without a list of its own; `rows` will be longer by then.
        self._changes.fresh = zip(ids, rows.key, rows.rank, rows.owner_rank, rows.dim, since, *sums, *more, strict=False)
        new = self._changes.new
        for source in rows.source:
            new[source] = new.get(source, 0) + 1
        changed = self._changes.rows
        self._changes.rows = rows
        for name in FIELDS:
            getattr(rows, name).extend(getattr(changed, name))

    def _identify(self, rows: Rows, ids: list[int], winner: Sequence[int], positions: Sequence[int] | None) -> None:
        """Index entries of new calls, and the aliases that their rows must keep."""
        batch, members = self._batch, self._calls.members
        out = self._changes.identities
        add = out.append
        requests = self._requests
        several: Sequence[int] | None
        named, all_offers, unpack = batch.aliases, batch.offers, HEAD.unpack_from
        for at, (row, key, number) in enumerate(zip(winner, rows.key, ids, strict=True)):
            several = members.get(positions[at]) if positions is not None else None
            offers = all_offers[row]
            call = number << 1
            # What `entries` gives for a whole reply, and for one of a sidechain, in a quarter of the time: nearly all calls are such.
            if several is None and row not in named and len(offers) == 3 and implies(key, offers) == 3:
                if requests:
                    add((unpack(offers[1])[0], call, 0))
                head, rest = unpack(offers[2])
                if rest > 1:
                    add((head, call, rest >> 1))
                else:
                    add((head, call, handle(offers[2])[1]))
                continue
            if several is None and len(offers) == 2 and implies(key, offers) == 2:
                prompt = named.get(row, ())
                if len(prompt) == 1 and prompt[0][:8] == key[:8] and prompt[0] != key:
                    head, rest = handle(prompt[0])
                    if rest:
                        if requests:
                            add((unpack(offers[1])[0], call, 0))
                        add((head, call | 1, rest))
                        rows.aliases[at] = [prompt[0]]
                        continue
            claimed, offered = self._names(several or (row,))
            follow = offers[: implies(key, offers)]
            indexed = offered if requests else [identity for identity in offered if identity not in follow[1:2]]
            for head, rest, claim in entries(key, claimed, indexed):
                add((head, call | claim, rest))
            rows.aliases[at] = alias_column(
                (identity for identity in claimed if identity != key), (identity for identity in offered if identity not in follow)
            )

    def _names(self, rows: Iterable[int]) -> tuple[list[bytes], list[bytes]]:
        """(claimed, offered) identities of sightings of one call."""
        batch = self._batch
        claimed: dict[bytes, None] = {}
        offered: dict[bytes, None] = {}
        for row in rows:
            claimed[batch.key[row]] = None
            claimed.update(dict.fromkeys(batch.aliases.get(row, ())))
            offered.update(dict.fromkeys(batch.offers[row]))
        return list(claimed), [identity for identity in offered if identity not in claimed]

    def _dims(self, winner: Sequence[int], owner: Sequence[int]) -> list[int]:
        dim, numbers = self._batch.dim, self._numbers
        facts = [numbers[number] for number in _picked(dim, winner)]
        if winner == owner:
            return facts
        return [
            one if one == other else self._compose(one, other)
            for one, other in zip(facts, (numbers[number] for number in _picked(dim, owner)), strict=True)
        ]

    def _compose(self, facts: int, owner: int) -> int:
        if facts == owner:
            return facts
        number = self._composed.get((facts, owner))
        if number is None:
            dims = owned(self._dimensions.dims(facts), self._dimensions.dims(owner))
            number = self._composed[facts, owner] = self._dimensions.number(dims)
        return number

    def _ids(self, days: list[int]) -> list[int]:
        return [self._id(day) for day in days]

    def _id(self, day: int) -> int:
        """A row number on that day that no call has or had."""
        last = self._last.get(day)
        if last is None:
            low, high = day << DAY_BITS, (day + 1) << DAY_BITS
            found = self._connection.execute(
                "SELECT max((SELECT coalesce(max(id), ?1) FROM calls WHERE id >= ?1 AND id < ?2),"
                " (SELECT coalesce(max(id), ?1) FROM moved WHERE id >= ?1 AND id < ?2))",
                (low, high),
            ).fetchone()
            last = found[0]
        self._last[day] = last + 1
        return last + 1

    # Known calls

    def match(self) -> list[int]:
        """Write down what changes in known calls; the positions of the calls that are new."""
        calls = self._calls
        names = [self._names(calls.members.get(position) or (row,)) for position, row in enumerate(calls.winner)]
        wanted = {handle(identity)[0] for pair in names for side in pair for identity in side}
        found: dict[int, list[tuple[int, int]]] = {}
        for chunk in _chunks(sorted(wanted)):
            for head, call, rest in self._connection.execute(
                "SELECT h, call, rest FROM identities WHERE h IN (SELECT value FROM json_each(?))", (listed(chunk),)
            ):
                found.setdefault(head, []).append((call, rest))
        if not found:
            return list(range(len(calls.winner)))
        places, states = self._states({call >> 1 for rows in found.values() for call, _ in rows})
        union: Union[int] = Union()
        touched: dict[int, set[int]] = {}
        for position, pair in enumerate(names):
            hits: set[int] = set()
            for claim, side in ((True, pair[0]), (False, pair[1])):
                for identity in side:
                    head, rest = handle(identity)
                    for call, other in found.get(head, ()):
                        place = places[call >> 1]
                        if place not in hits and (
                            states[place].key == identity or (rest == other and (claim or call & 1)) or (claim and not rest)
                        ):
                            hits.add(place)
            if hits:
                touched[position] = hits
                # Calls stand as negative numbers beside positions.
                for place in hits:
                    union.join(position, ~place)
        parts: dict[int, tuple[list[int], set[int]]] = {}
        for position, hits in touched.items():
            part = parts.setdefault(union.find(position), ([], set()))
            part[0].append(position)
            part[1].update(hits)
        for positions, hits in parts.values():
            self._change(positions, sorted(hits), names, found, places, states)
        return [position for position in range(len(calls.winner)) if position not in touched]

    def _states(self, ids: set[int]) -> tuple[dict[int, int], dict[int, State]]:
        """Where each call stands now, and what is known of it there."""
        places = {number: number for number in ids}
        states: dict[int, State] = {}
        missing = set(ids)
        while missing:
            for chunk in _chunks(sorted(missing)):
                for number, key, rank, owner, dim, at, *rest in self._connection.execute(_STATE, (listed(chunk),)):
                    at_us = (number >> DAY_BITS) * DAY_US + at
                    states[number] = State(key, rank, owner, dim, at_us, tuple(rest[:6]), *rest[6:])
            missing -= states.keys()
            onward: dict[int, int] = {}
            for chunk in _chunks(sorted(missing)):
                onward.update(
                    self._connection.execute("SELECT id, call FROM moved WHERE id IN (SELECT value FROM json_each(?))", (listed(chunk),))
                )
            for number, place in places.items():
                places[number] = onward.get(place, place)
            missing = set(onward.values()) - states.keys()
        return places, states

    def _change(
        self,
        positions: list[int],
        known: list[int],
        names: list[tuple[list[bytes], list[bytes]]],
        found: dict[int, list[tuple[int, int]]],
        places: dict[int, int],
        states: dict[int, State],
    ) -> None:
        """One call, known under the numbers `known`, and the sightings at `positions`."""
        kept = max(known, key=lambda number: (states[number].rank, -states[number].owner_rank, -number))
        old = states[kept]
        losers = [number for number in known if number != kept]
        best, facts = self._best(positions, old)
        owner_rank, owner_dim, owner_row = old.owner_rank, old.dim, None
        for number in losers:
            if states[number].owner_rank < owner_rank:
                owner_rank, owner_dim = states[number].owner_rank, states[number].dim
        for position in positions:
            row = self._calls.owner[position]
            if self._batch.owner_rank[row] < owner_rank:
                owner_rank, owner_dim, owner_row = self._batch.owner_rank[row], self._numbers[self._batch.dim[row]], row
        state = facts._replace(owner_rank=owner_rank, dim=self._compose(facts.dim, owner_dim))

        claimed, offered = self._lacking(positions, known, names, found, places, states)
        claimed.extend(states[number].key for number in losers)
        if state.key != old.key:
            claimed.append(old.key)
        claimed = [identity for identity in dict.fromkeys(claimed) if identity != state.key]
        if state == old and not claimed and not offered and not losers:
            return
        row = best if best is not None else owner_row if owner_row is not None else self._calls.winner[positions[0]]
        aliases = alias_column(claimed, offered)
        for number in losers:
            self._retract(states[number], row)
        if (state.key, state.dim, state.day) == (old.key, old.dim, old.day) and not _forgets(state, old):
            self._log(DIFFERENCE, state, row, aliases, minus=old)
        else:
            self._retract(old, row)
            self._log(CALL, state, row, aliases)
        self._place(kept, old, state, losers, claimed, offered)
        source = self._batch.source[row]
        self._changes.updated[source] = self._changes.updated.get(source, 0) + 1

    def _best(self, positions: list[int], old: State) -> tuple[int | None, State]:
        """The row that beats the known record, and the record that counts."""
        batch = self._batch
        best: int | None = None
        rank = old.rank
        for position in positions:
            row = self._calls.winner[position]
            if batch.rank[row] > rank:
                best, rank = row, batch.rank[row]
        if best is None:
            return None, old
        row = best
        counts = (batch.input, batch.output, batch.cache_read, batch.cache_write_5m, batch.cache_write_1h, batch.web_searches)
        sums = tuple(column[row] for column in counts)
        more = (batch.reasoning[row], batch.duration_ms[row], batch.logged_cost[row])
        return row, State(batch.key[row], rank, batch.owner_rank[row], self._numbers[batch.dim[row]], batch.at_us[row], sums, *more)

    def _lacking(
        self,
        positions: list[int],
        known: list[int],
        names: list[tuple[list[bytes], list[bytes]]],
        found: dict[int, list[tuple[int, int]]],
        places: dict[int, int],
        states: dict[int, State],
    ) -> tuple[list[bytes], list[bytes]]:
        """(claimed, offered) identities that none of the known calls had yet."""
        keys = {states[number].key for number in known}
        claimed: dict[bytes, None] = {}
        offered: dict[bytes, None] = {}

        def has(identity: bytes) -> list[tuple[int, int]]:
            return [(call & 1, rest) for call, rest in found.get(handle(identity)[0], ()) if places[call >> 1] in known]

        for position in positions:
            # Message and request of a reply follow from its key, also where another key has taken its place: its row is in the log.
            follow: set[bytes] = set()
            for row in self._calls.members.get(position) or (self._calls.winner[position],):
                key, offers = self._batch.key[row], self._batch.offers[row]
                if implies(key, offers) > 1 and (key in keys or (1, handle(key)[1]) in has(key)):
                    follow.update(offers[:2])
            for claim, side in ((True, names[position][0]), (False, names[position][1])):
                for identity in side:
                    if identity in keys or (not claim and identity in follow):
                        continue
                    rest, there = handle(identity)[1], has(identity)
                    if (1, rest) in there or (not claim and ((0, rest) in there or (not rest and there))):
                        continue
                    (claimed if claim else offered)[identity] = None
        return list(claimed), [identity for identity in offered if identity not in claimed]

    def _place(self, kept: int, old: State, state: State, losers: list[int], claimed: Sequence[bytes], offered: Sequence[bytes]) -> None:
        """The call's new row in `calls`, its new index entries, and where the old row numbers lead."""
        changes = self._changes
        number = kept if state.day == old.day else self._id(state.day)
        changes.removed.extend((kept, *losers))
        at = state.at_us - state.day * DAY_US
        more = (state.reasoning, state.duration_ms, state.logged_cost)
        changes.inserted.append((number, state.key, state.rank, state.owner_rank, state.dim, at, *state.sums, *more))
        changes.moved.extend((other, number) for other in (kept, *losers) if other != number)
        for head, rest, claim in entries(state.key, claimed, offered):
            changes.identities.append((head, number << 1 | claim, rest))

    def _retract(self, state: State, row: int) -> None:
        self._log(RETRACTION, state, row, None)

    def _log(self, kind: int, state: State, row: int, aliases: list[bytes] | None, minus: State | None = None) -> None:
        """One row more for the log. `row` is the sighting that causes it; it gives the ids where it has the same key."""
        batch = self._batch
        same = batch.key[row] == state.key
        sums: Iterable[int] = state.sums
        reasoning, duration, cost = state.reasoning, state.duration_ms, state.logged_cost
        requests = 1
        if kind == RETRACTION:
            requests = -1
            sums = [-count for count in state.sums]
            reasoning, duration, cost = _negated(reasoning), _negated(duration), negated_cost(cost)
        elif minus is not None:
            requests = 0
            sums = [count - other for count, other in zip(state.sums, minus.sums, strict=True)]
            reasoning = _difference(reasoning, minus.reasoning)
            duration = _difference(duration, minus.duration_ms)
            cost = cost_difference(cost, minus.logged_cost)
        read, wrote, cached, wrote_5m, wrote_1h, searches = sums
        self._changes.rows.add(
            (
                kind,
                state.key,
                aliases,
                state.rank,
                state.owner_rank,
                state.at_us,
                state.dim,
                requests,
                read,
                wrote,
                cached,
                wrote_5m,
                wrote_1h,
                reasoning,
                searches,
                duration,
                cost,
                batch.message_id[row] if same else None,
                batch.request_id[row] if same else None,
                batch.source[row],
                batch.offset[row],
                batch.length[row],
                self._ingested_at_us,
                batch.extra.get(row) if kind != RETRACTION else None,
            )
        )


def _picked(column: Sequence[Any], rows: Sequence[int]) -> list[Any]:
    """The column's values at `rows`; a list of its own."""
    if len(rows) == len(column) and rows == range(len(column)):
        return list(column)
    if len(rows) == 1:
        return [column[rows[0]]]
    return list(itemgetter(*rows)(column)) if rows else []


def _forgets(new: State, old: State) -> bool:
    """Whether something known becomes unknown, which no difference can say."""
    pairs = ((new.reasoning, old.reasoning), (new.duration_ms, old.duration_ms), (new.logged_cost, old.logged_cost))
    return any(now is None and before is not None for now, before in pairs)


def _negated(count: int | None) -> int | None:
    return None if count is None else -count


def _difference(new: int | None, old: int | None) -> int | None:
    return None if new is None and old is None else (new or 0) - (old or 0)


def _chunks(values: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(values), _CHUNK):
        yield values[start : start + _CHUNK]
