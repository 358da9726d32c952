"""The journal's calls from the log alone: what a rebuilt or restored journal must know.

Decides how rows of segments fold back into the calls that wrote them. What triggers a rebuild and what happens to files is decided by
`pipeline.recover`.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import chain
from operator import itemgetter
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.batch import Dims
from pipeline.journal import DAY_BITS, INSERT_IDENTITY, Dimensions, call_columns, halves, index_rows, insert_calls
from pipeline.keys import following, implied, is_request
from pipeline.merge import Union
from pipeline.record import CALL, DAY_US, KINDS, RETRACTION, SUMS, Rows
from pipeline.schema import DIMENSIONS

COLUMNS = (
    "key", "aliases", "kind", "rank", "owner_rank", "at", "requests", *SUMS, "reasoning", "duration_ms", "logged_cost_usd", *DIMENSIONS,
)  # fmt: skip
"""Columns of a segment that a rebuild reads."""

_KIND = {name: number for number, name in enumerate(KINDS)}
_PRIME = (1 << 61) - 1
_PART = 60_000
"""Calls that are turned into columns at once: to hold all of them both ways would double the memory of a rebuild."""


class _Known:
    """All rows of one key."""

    __slots__ = (
        "at_us", "best", "claimed", "cost", "dim", "duration_ms", "mark", "offered", "reasoning", "requests", "sums", "unknown",
    )  # fmt: skip

    def __init__(self) -> None:
        self.requests = 0
        self.sums = [0] * len(SUMS)
        self.reasoning = 0
        self.duration_ms = 0
        self.cost = Decimal(0)
        self.mark = 0
        """A digest of what stands under which dimensions and UTC day; what cancels out there leaves no trace."""
        self.best: tuple[bytes, int] | None = None
        """(rank, -owner rank) of the greatest row that is no retraction."""
        self.at_us = 0
        self.dim = 0
        self.unknown = (True, True, True)
        """Whether that row leaves reasoning, duration and cost unknown."""
        self.claimed: set[bytes] = set()
        self.offered: set[bytes] = set()

    def whole_mark(self) -> int:
        """What the mark is where all that counts stands under the dimensions and the date of the greatest row."""
        return _mark(self.dim, self.at_us, self.requests, self.sums)

    def says_nothing(self) -> bool:
        """Whether the rows cancel out."""
        return not (self.requests or any(self.sums) or self.reasoning or self.duration_ms or self.cost)

    def add(self, other: "_Known") -> None:
        """The two keys name one call."""
        self.requests += other.requests
        self.sums = [one + two for one, two in zip(self.sums, other.sums, strict=True)]
        self.mark += other.mark
        self.reasoning += other.reasoning
        self.duration_ms += other.duration_ms
        self.cost += other.cost
        self.claimed |= other.claimed
        self.offered |= other.offered


class Rebuild:
    """Takes rows, gives calls."""

    def __init__(self, dimensions: Dimensions) -> None:
        self._dimensions = dimensions
        self._plain: dict[bytes, tuple[int, Sequence[Any]]] = {}
        """Keys with a single row that is a call: its dimensions and itself. Most are such."""
        self._known: dict[bytes, _Known] = {}
        self._leftovers: dict[tuple[bytes, int, int], _Known] = {}
        """Of keys whose rows do not add up, the rows by key, dimensions and UTC day: a whole log holds a call under just one of them."""
        self._numbers: dict[tuple[Any, ...], int] = {}

    def add_segment(self, table: pa.Table) -> None:
        """The rows of a segment, which holds at least `COLUMNS`."""
        for kind, dim, row in self._of_segment(table):
            self._add(kind, dim, row)

    def add_rows(self, rows: Rows) -> None:
        """Hot rows."""
        for kind, dim, row in _of_rows(rows):
            self._add(kind, dim, row)

    def astray(self) -> list[list[bytes]]:
        """Keys of calls, each call's together, whose rows do not add up to one under one set of dimensions and one date, since some lay in
        a segment that is lost. To be asked when all rows are added, before `store`.
        """
        self._settle()
        found = []
        for keys in self._parts():
            each = [self._known[key] for key in keys]
            whole = [known for known in each if known.requests == 1 and known.best is not None]
            if len(whole) != 1 or sum(known.mark for known in each) != whole[0].whole_mark():
                found.append(keys)
        return found

    def sort_out(self, astray: list[list[bytes]], tables: Iterable[pa.Table], hot: Rows, *, now_us: int) -> Rows:
        """Rows that take back what is left over of calls that have gone astray, so that the log adds up; of a call whose retraction is lost
        the greatest record stays. `tables` and `hot` are all rows once more.
        """
        wanted = set(chain.from_iterable(astray))
        keys = pa.array(sorted(wanted), pa.binary(16))
        for table in tables:
            few = table.filter(pc.is_in(table["key"].cast(pa.binary(16)), value_set=keys))
            for kind, dim, row in self._of_segment(few):
                self._leave_over(kind, dim, row)
        for kind, dim, row in _of_rows(hot):
            if row[0] in wanted:
                self._leave_over(kind, dim, row)
        places: dict[bytes, list[tuple[bytes, int, int]]] = {}
        for place in self._leftovers:
            places.setdefault(place[0], []).append(place)
        back = Rows()
        for keys_of_it in astray:
            its = [(place, self._leftovers[place]) for key in keys_of_it for place in places[key]]
            whole = [(known.best, place) for place, known in its if known.requests == 1 and known.best is not None]
            kept = max(whole)[1] if whole else None
            for place, known in its:
                if place != kept and not known.says_nothing():
                    back.add(_taken_back(place, known, now_us))
            for key in keys_of_it:
                before = self._known[key]
                now = self._known[key] = self._leftovers[kept] if kept is not None and kept[0] == key else _Known()
                # What has been taken back still lends its names.
                now.claimed, now.offered = before.claimed, before.offered
        self._dimensions.store(back.dim)
        return back

    def _leave_over(self, kind: int, dim: int, row: Sequence[Any]) -> None:
        place = row[0], dim, row[5] // DAY_US
        known = self._leftovers.get(place)
        if known is None:
            known = self._leftovers[place] = _Known()
            # Also a place that holds a retraction alone is one in time.
            known.at_us = row[5]
        self._take(known, kind, dim, row)

    def _of_segment(self, table: pa.Table) -> Iterator[tuple[int, int, Sequence[Any]]]:
        """(kind, number of the dimensions, values) of each row."""
        table = table.select(list(COLUMNS)).set_column(COLUMNS.index("at"), "at", table["at"].cast(pa.int64()))
        columns = [column.to_pylist() for column in table.columns]
        facts = len(COLUMNS) - len(DIMENSIONS)
        numbers = self._numbers
        for row, dims in zip(zip(*columns[:facts], strict=True), zip(*columns[facts:], strict=True), strict=True):
            number = numbers.get(dims)
            if number is None:
                number = numbers[dims] = self._dimensions.number(Dims(**dict(zip(DIMENSIONS, dims, strict=True))))
            yield _KIND[row[2]], number, row

    def _add(self, kind: int, dim: int, row: Sequence[Any]) -> None:
        key = row[0]
        known = self._known.get(key)
        if known is None:
            first = self._plain.pop(key, None)
            if first is None and kind == CALL and row[1] is None:
                self._plain[key] = (dim, row)
                return
            known = self._known[key] = _Known()
            if first is not None:
                self._take(known, CALL, *first)
        self._take(known, kind, dim, row)

    def _take(self, known: _Known, kind: int, dim: int, row: Sequence[Any]) -> None:
        _, aliases, _, rank, owner_rank, at_us, requests, *more = row
        *sums, reasoning, duration_ms, cost = more
        known.requests += requests
        known.sums = [one + two for one, two in zip(known.sums, sums, strict=True)]
        known.mark += _mark(dim, at_us, requests, sums)
        known.reasoning += reasoning or 0
        known.duration_ms += duration_ms or 0
        if cost is not None:
            known.cost += cost
        if kind != RETRACTION:
            order = (rank, -owner_rank)
            if known.best is None or order >= known.best:
                known.best, known.at_us, known.dim = order, at_us, dim
                known.unknown = (reasoning is None, duration_ms is None, cost is None)
        for alias in aliases or ():
            (known.claimed if len(alias) == 16 else known.offered).add(alias[:16])
        if kind == CALL:
            known.offered.update(_implied(row))

    def store(self, connection: sqlite3.Connection) -> None:
        """The calls and their index entries fill the journal's empty tables."""
        last: dict[int, int] = {}
        rows: list[tuple[Any, ...]] = []
        index: list[tuple[int, int, int]] = []
        requests = False

        def place(at_us: int) -> tuple[int, int]:
            day = at_us // DAY_US
            number = last[day] = last.get(day, day << DAY_BITS) + 1
            return number, at_us - day * DAY_US

        for key, (dim, row) in self._plain.items():
            _, _, _, rank, owner_rank, at_us, _, *more, cost = row
            number, since = place(at_us)
            rows.append((number, *halves(key), rank, owner_rank, dim, since, *more, None if cost is None else _text(cost)))
            requests |= is_request(key)
        for key, known in self._calls():
            assert known.best is not None
            number, since = place(known.at_us)
            values: list[Any] = [known.reasoning, known.duration_ms, _text(known.cost)]
            values = [None if unknown else value for value, unknown in zip(values, known.unknown, strict=True)]
            rows.append((number, *halves(key), known.best[0], -known.best[1], known.dim, since, *known.sums, *values))
            claimed = known.claimed - {key}
            offered = known.offered.difference(claimed, _offered(key, known.sums), *map(following, claimed))
            requests |= any(map(is_request, (key, *claimed)))
            index.extend(index_rows(number, claimed, offered))
        rows.sort(key=itemgetter(0))
        index.sort(key=itemgetter(0))
        self._dimensions.store(row[5] for row in rows)
        for start in range(0, len(rows), _PART):
            insert_calls(connection, call_columns(rows[start : start + _PART]))
        connection.executemany(INSERT_IDENTITY, index)
        if requests:
            connection.execute("UPDATE meta SET value = 1 WHERE name = 'requests'")

    def _settle(self) -> None:
        """Those plain calls of which some other row may speak are plain no longer."""
        offers = {key: _implied(row) for key, (_, row) in self._plain.items()}
        named = set(chain.from_iterable(known.claimed for known in self._known.values()))
        claimed = named | self._known.keys() | self._plain.keys()
        wanted = claimed.intersection(chain(chain.from_iterable(offers.values()), *(known.offered for known in self._known.values())))
        shared = wanted | named
        if shared:
            for key in [key for key, offered in offers.items() if key in shared or not shared.isdisjoint(offered)]:
                known = self._known[key] = _Known()
                self._take(known, CALL, *self._plain.pop(key))

    def _calls(self) -> Iterable[tuple[bytes, _Known]]:
        """Each call under the key of its best record."""
        known = self._known
        for keys in self._parts():
            best = next((key for key in keys if known[key].requests == 1), None)
            if best is None:
                # Rows are missing from the log, and none of those that are left is a call.
                continue
            whole = known[best]
            for key in keys:
                if key != best:
                    whole.add(known[key])
                    whole.claimed.add(key)
            yield best, whole

    def _parts(self) -> Iterable[list[bytes]]:
        """Keys that name one call, for each call."""
        parts: dict[bytes, list[bytes]] = {}
        union = self._joined()
        for key in self._known:
            parts.setdefault(union.find(key), []).append(key)
        return parts.values()

    def _joined(self) -> Union[bytes]:
        """Which keys name the same call; what has been retracted still lends its names."""
        union: Union[bytes] = Union()
        claimed: dict[bytes, bytes] = {key: key for key in self._known}
        for key, known in self._known.items():
            for alias in known.claimed:
                union.join(claimed.setdefault(alias, key), key)
        wanted = claimed.keys() & chain.from_iterable(known.offered for known in self._known.values())
        for key, known in self._known.items():
            for offer in known.offered & wanted:
                union.join(claimed[offer], key)
        return union


def _mark(dim: int, at_us: int, requests: int, sums: Sequence[int]) -> int:
    """Of rows with the same dimensions and date it adds up as they do."""
    counts = requests
    for count in sums:
        counts = counts * _PRIME + count
    return counts * hash((dim, at_us // DAY_US))


def _of_rows(rows: Rows) -> Iterator[tuple[int, int, Sequence[Any]]]:
    """As `Rebuild._of_segment` for hot rows."""
    costs = [None if text is None else Decimal(text) for text in rows.logged_cost]
    columns: list[Iterable[Any]] = [rows.key, rows.aliases, rows.kind, rows.rank, rows.owner_rank, rows.at_us, rows.requests]
    columns += [getattr(rows, name) for name in SUMS]
    columns += [rows.reasoning, rows.duration_ms, costs]
    for number, row in zip(rows.dim, zip(*columns, strict=True), strict=True):
        yield row[2], number, row


def _taken_back(place: tuple[bytes, int, int], known: _Known, now_us: int) -> tuple[Any, ...]:
    """A row that negates what the rows at a place add up to. No record causes it: it names no source."""
    key, dim, _ = place
    rank, owner = known.best or (bytes(16), 0)
    read, wrote, *cached, searches = (-count for count in known.sums)
    duration, cost = -known.duration_ms or None, _text(-known.cost) if known.cost else None
    own = (-known.requests, read, wrote, *cached, -known.reasoning or None, searches, duration, cost)
    return (RETRACTION, key, None, rank, -owner, known.at_us, dim, *own, None, None, 0, 0, 0, now_us, None)


def _implied(row: Sequence[Any]) -> tuple[bytes, ...]:
    """Offers that follow from a row of kind call."""
    return _offered(row[0], row[7:])


def _offered(key: bytes, sums: Sequence[int]) -> tuple[bytes, ...]:
    fresh, _, read, wrote_5m, wrote_1h = sums[:5]
    return implied(key, fresh, read, wrote_5m + wrote_1h)


def _text(cost: Decimal) -> str:
    return format(cost.normalize(), "f")
