"""What a batch changes: which of its calls are new, which known ones it knows better, and the rows that say so in the log.

Decides what a fuller record of a known call adds. Reads the journal inside the caller's transaction and writes nothing: `pipeline.log`
carries the changes out.

A known call is kept as the record with the greatest rank, as a whole, owned by the record with the smallest owner rank; on a tie what
is there stays. Rows only add: a better record with the same key, dimensions and UTC date is a difference, any other one retracts the
old row and adds a new one. A sighting that changes nothing but brings an identity that the call was not known by is a difference of
zero, so that the log alone can tell the same story again.
"""

import sqlite3
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, compress, groupby
from typing import Any

import msgspec

from pipeline import known_calls
from pipeline.batch import Batch
from pipeline.between import Between
from pipeline.columns import Pick, picked
from pipeline.journal import CALL_COLUMNS, DAY_BITS, halves, index_rows
from pipeline.keys import following, is_request
from pipeline.known_calls import Known, State, where
from pipeline.merge import Folded, Union, folded, owned, owner_text
from pipeline.record import CALL, DAY_US, DIFFERENCE, FIELDS, RETRACTION, Rows, alias_column, cost_difference, days_of, negated_cost
from pipeline.settled import unsettled


class Changes(msgspec.Struct, kw_only=True, gc=False):
    """All that a batch changes, ready to be written."""

    rows: Rows
    """For the log, those of new calls first."""
    inserted: list[tuple[Any, ...]]
    """Rows of `calls` for calls that were known."""
    fresh: dict[str, Sequence[Any]] = msgspec.field(default_factory=dict)
    """Columns of `calls` for new calls, in the order of their numbers; nothing where there are none."""
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
    """Whether some of `rows` know a reply by its request alone."""
    missing: Iterable[int] = batch.message_id.missing()
    if len(rows) < len(batch):
        missing = set(rows).intersection(missing)
    return any(is_request(identity) for row in missing for identity in batch.claimed(row))


def absorb(connection: sqlite3.Connection, between: Between, batch: Batch, rows: Sequence[int], *, ingested_at_us: int) -> Changes:
    """What `rows` of the batch change. Dimensions and numbers of calls are given as `between` knows them, and the new ones noted there."""
    changes = Changes(rows=Rows(), inserted=[], identities=[])
    if not rows:
        return changes
    empty = False
    if len(rows) > known_calls.FEW:
        empty = connection.execute("SELECT 1 FROM calls LIMIT 1").fetchone() is None
        if not empty:
            rows = unsettled(connection, batch, rows)
    calls = folded(batch, rows)
    numbers = [between.dimensions.number(dims) for dims in batch.dims]
    desk = _Desk(connection, between, batch, calls, numbers, ingested_at_us, changes)
    desk.insert(range(len(calls.winner)) if empty else desk.match(requests=bool(between.about["requests"])))
    return changes


class _Desk:
    """One batch being matched with the journal."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        between: Between,
        batch: Batch,
        calls: Folded,
        numbers: list[int],
        ingested_at_us: int,
        changes: Changes,
    ) -> None:
        self._connection = connection
        self._dimensions = between.dimensions
        self._batch = batch
        self._calls = calls
        self._numbers = numbers
        self._ingested_at_us = ingested_at_us
        self._changes = changes
        self._composed: dict[tuple[int, int], int] = {}
        self._last = between.last_ids

    # New calls

    def insert(self, positions: Sequence[int]) -> None:
        """The calls at `positions` are new."""
        batch, calls = self._batch, self._calls
        if not positions:
            return
        # By date: then the journal's table is only appended to, and a segment is a run of rows.
        day_of = days_of(batch.at_us)
        positions = sorted(positions, key=[day_of[row] for row in calls.winner].__getitem__)
        several = [*compress(range(len(positions)), map(calls.members.__contains__, positions))]
        winner = picked(calls.winner, positions)
        count = len(winner)
        counting = Pick(winner)
        days = counting(day_of)
        changed = self._changes.rows
        rows = self._changes.rows = Rows(
            kind=array("q", [CALL]) * count,
            aliases=[None] * count,
            dim=array("q", [self._numbers[dims] for dims in counting(batch.dim)]),
            requests=array("q", [1]) * count,
            ingested_at_us=array("q", [self._ingested_at_us]) * count,
            extra=[batch.extra.get(row) for row in winner] if batch.extra else [None] * count,
            **{name: counting(getattr(batch, name)) for name in _AS_THEY_ARE},
        )
        # Only where several records speak of a call may another one own it.
        for at in several:
            owner = calls.owner[positions[at]]
            rows.owner_rank[at] = batch.owner_rank[owner]
            rows.dim[at] = self._compose(rows.dim[at], self._numbers[batch.dim[owner]])
        ids = array("q", chain.from_iterable(self._ids(day, len(list(run))) for day, run in groupby(days)))
        self._identify(rows, ids, winner, positions, several)
        self._changes.fresh = _fresh(rows, ids)
        self._changes.new = Counter(rows.source)
        if changed:
            for name in FIELDS:
                getattr(rows, name).extend(getattr(changed, name))

    def _identify(self, rows: Rows, ids: Sequence[int], winner: Sequence[int], positions: Sequence[int], several: Iterable[int]) -> None:
        """Index entries of new calls, and the aliases that their rows must keep: most calls have names that follow from their key.

        `several` are the places of those that more than one record speaks of.
        """
        batch, members = self._batch, self._calls.members
        odd = batch.aliases.keys() | batch.offers.keys()
        if not odd and not members:
            return
        entries = self._changes.identities
        further = {*several}
        for at in compress(range(len(winner)), map(odd.__contains__, winner)):
            row = winner[at]
            if row in batch.offers:
                further.add(at)
            elif at not in further:
                entries.extend(index_rows(ids[at], batch.aliases[row], ()))
                rows.aliases[at] = alias_column(batch.aliases[row], ())
        for at in sorted(further):
            row = winner[at]
            claims, offers = self._names(members.get(positions[at]) or (row,))
            claims.discard(rows.key[at])
            offers.difference_update(batch.implied(row), *map(following, claims))
            rows.aliases[at] = alias_column(claims, offers)
            entries.extend(index_rows(ids[at], claims, offers))

    def _names(self, rows: Iterable[int]) -> tuple[set[bytes], set[bytes]]:
        """(claimed, offered) identities of sightings of one call."""
        claimed: set[bytes] = set()
        offered: set[bytes] = set()
        for row in rows:
            claimed.update(self._batch.claimed(row))
            offered.update(self._batch.offered(row))
        return claimed, offered - claimed

    def _compose(self, facts: int, owner: int) -> int:
        if facts == owner:
            return facts
        number = self._composed.get((facts, owner))
        if number is None:
            dims = owned(self._dimensions.dims(facts), self._dimensions.dims(owner))
            number = self._composed[facts, owner] = self._dimensions.number(dims)
        return number

    def _ids(self, day: int, count: int) -> range:
        """Row numbers on that day that no call has or had."""
        last = self._last.get(day)
        if last is None:
            low, high = day << DAY_BITS, (day + 1) << DAY_BITS
            found = self._connection.execute(
                "SELECT max((SELECT coalesce(max(id), :low) FROM calls WHERE id >= :low AND id < :high),"
                " (SELECT coalesce(max(id), :low) FROM moved WHERE id >= :low AND id < :high))",
                {"low": low, "high": high},
            ).fetchone()
            last = found[0]
        self._last[day] = last + count
        return range(last + 1, last + count + 1)

    # Known calls

    def match(self, *, requests: bool) -> list[int]:
        """Write down what changes in known calls; the positions of the calls that are new."""
        calls = self._calls
        every = range(len(calls.winner))
        names = {
            position: self._names(calls.members.get(position) or (calls.winner[position],))
            for position in (every if requests else self._perhaps_known())
        }
        if not names:
            return list(every)
        known = Known(self._connection, names.values(), requests=requests)
        union: Union[int] = Union()
        touched: dict[int, set[int]] = {}
        for position, (claimed, offered) in names.items():
            hits = known.hits(claimed, offered)
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
            self._change(positions, sorted(hits), names, known)
        return [position for position in every if position not in touched]

    def _perhaps_known(self) -> list[int]:
        """The positions of calls of which the journal may know a name, while nobody knows a reply by its request alone.

        All names of a sighting that claims its key and offers what follows from that then stand under the key's handle.
        """
        batch, members = self._batch, self._calls.members
        head, _ = batch.key.halves()
        heads = {
            position: head[row]
            for position, row in enumerate(self._calls.winner)
            if position not in members and row not in batch.aliases and row not in batch.offers
        }
        wanted = set(heads.values())
        found = {h for table in ("calls", "identities") for (h,) in where(self._connection, f"SELECT h FROM {table} WHERE h", wanted)}
        return [position for position in range(len(self._calls.winner)) if position not in heads or heads[position] in found]

    def _change(self, positions: list[int], places: list[int], names: Mapping[int, tuple[set[bytes], set[bytes]]], known: Known) -> None:
        """One call, known under the numbers `places`, and the sightings at `positions`."""
        states = known.states
        kept = max(places, key=lambda number: (states[number].rank, -states[number].owner_rank, -number))
        old = states[kept]
        losers = [number for number in places if number != kept]
        best, facts = self._best(positions, old)
        owner_rank, owner_dim, owner_row = old.owner_rank, old.dim, None
        for number in losers:
            other = states[number]
            if self._owns(other.owner_rank, other.dim, owner_rank, owner_dim):
                owner_rank, owner_dim = other.owner_rank, other.dim
        for position in positions:
            row = self._calls.owner[position]
            rank, dim = self._batch.owner_rank[row], self._numbers[self._batch.dim[row]]
            if self._owns(rank, dim, owner_rank, owner_dim):
                owner_rank, owner_dim, owner_row = rank, dim, row
        state = facts._replace(owner_rank=owner_rank, dim=self._compose(facts.dim, owner_dim))

        claimed, offered = self._lacking(positions, places, names, known)
        claimed.update(states[number].key for number in (kept, *losers))
        claimed.discard(state.key)
        # What followed from the counts of a record that counts no longer must be said from now on.
        offered.update(chain.from_iterable(states[number].implied for number in (kept, *losers)))
        offered.difference_update(claimed, state.implied, *map(following, claimed))
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

    def _owns(self, rank: int, dim: int, other_rank: int, other_dim: int) -> bool:
        """Whether an owner comes before another, each with the number of dimensions that name it."""
        if rank != other_rank or dim == other_dim:
            return rank < other_rank
        return owner_text(self._dimensions.dims(dim)) < owner_text(self._dimensions.dims(other_dim))

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
        self, positions: list[int], places: list[int], names: Mapping[int, tuple[set[bytes], set[bytes]]], known: Known
    ) -> tuple[set[bytes], set[bytes]]:
        """(claimed, offered) identities that none of the known calls had yet."""
        claims, offers = known.names(places)
        claimed: set[bytes] = set()
        offered: set[bytes] = set()
        for position in positions:
            claimed |= names[position][0] - claims
            offered |= names[position][1] - claims - offers
            for row in self._calls.members.get(position) or (self._calls.winner[position],):
                # Message and request of a reply follow from its key, also where another key has taken its place: its row is in the log.
                if self._batch.key[row] in claims:
                    offered.difference_update(following(self._batch.key[row]))
        return claimed, offered - claimed

    def _place(self, kept: int, old: State, state: State, losers: list[int], claimed: Iterable[bytes], offered: Iterable[bytes]) -> None:
        """The call's new row in `calls`, its new index entries, and where the old row numbers lead."""
        changes = self._changes
        number = kept if state.day == old.day else self._ids(state.day, 1)[0]
        changes.removed.extend((kept, *losers))
        at = state.at_us - state.day * DAY_US
        more = (state.reasoning, state.duration_ms, state.logged_cost)
        changes.inserted.append((number, *halves(state.key), state.rank, state.owner_rank, state.dim, at, *state.sums, *more))
        changes.moved.extend((other, number) for other in (kept, *losers) if other != number)
        changes.identities.extend(index_rows(number, claimed, offered))

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


def _fresh(rows: Rows, ids: Sequence[int]) -> dict[str, Sequence[Any]]:
    """Columns of `calls` for new calls with these numbers; those that nothing stands in are left out."""
    h, rest = rows.key.halves()
    found: dict[str, Sequence[Any]] = {"id": ids, "h": h, "rest": rest, "at": array("q", map(DAY_US.__rmod__, rows.at_us))}
    for name in CALL_COLUMNS:
        if name not in found:
            values = getattr(rows, name)
            if not isinstance(values, list) or values.count(None) < len(values):
                found[name] = values
    return found


_AS_THEY_ARE = (
    "key", "rank", "owner_rank", "at_us", "input", "output", "cache_read", "cache_write_5m", "cache_write_1h", "reasoning", "web_searches",
    "duration_ms", "logged_cost", "message_id", "request_id", "source", "offset", "length",
)  # fmt: skip
"""Columns that a new call's row takes over from the record that counts."""


def _forgets(new: State, old: State) -> bool:
    """Whether something known becomes unknown, which no difference can say."""
    pairs = ((new.reasoning, old.reasoning), (new.duration_ms, old.duration_ms), (new.logged_cost, old.logged_cost))
    return any(now is None and before is not None for now, before in pairs)


def _negated(count: int | None) -> int | None:
    return None if count is None else -count


def _difference(new: int | None, old: int | None) -> int | None:
    return None if new is None and old is None else (new or 0) - (old or 0)
