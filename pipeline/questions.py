"""What the log can be asked: sources, positions, calls and their sums, segments, quarantine, sessions.

Decides what each question costs and what its answer is made of. Reads the journal alone, but for the segments' names; changes nothing.
"""

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec

from pipeline import journal, placement, recover
from pipeline.batch import Dims
from pipeline.placement import SegmentInfo
from pipeline.record import DAY_US, unpacked
from pipeline.sources import COUNTS, Counts, Cursor, Quarantined, SessionInfo, Source, decode_counts, decode_cursor, decode_seen

if TYPE_CHECKING:
    import pyarrow as pa


class Position(msgspec.Struct, frozen=True, gc=False):
    """How far the log has come; another epoch means that sequence numbers began anew."""

    epoch: str
    seq: int


class StoredSource(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A source and what became of its records."""

    id: int
    source: Source
    cursor: Cursor | None
    packed_counts: bytes | None
    """Unpacked only where asked for: whoever looks for news goes through thousands of sources and asks for none of it."""
    packed_seen: bytes | None
    gone: bool

    @property
    def counts(self) -> Counts:
        """What its records became."""
        packed = self.packed_counts
        return Counts() if packed is None else Counts(**dict(zip(COUNTS, decode_counts(packed), strict=False)))

    @property
    def seen(self) -> dict[str, int]:
        """What else was seen in it, by name."""
        return {} if self.packed_seen is None else decode_seen(self.packed_seen)


class StoredQuarantine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A quarantined record and where it stands."""

    source_id: int
    path: str
    agent: str
    record: Quarantined
    at_us: int
    """When it was found."""


class Total(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Sums over the calls of one local and one UTC day that share dimensions, prompt size step, and whether a cost was logged."""

    day: int
    """Local day number."""
    dim: int
    step: int
    """How many of the thresholds the whole prompt exceeds."""
    requests: int
    input: int
    output: int
    cache_read: int
    cache_write_5m: int
    cache_write_1h: int
    web_searches: int
    reasoning: int
    first_at_us: int
    last_at_us: int
    logged: str | None
    """Exact sum of the logged costs in US dollars as decimal text; None where these calls have none."""


class Call(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One call as it is known now."""

    key: bytes
    at_us: int
    dim: int
    input: int
    output: int
    cache_read: int
    cache_write_5m: int
    cache_write_1h: int
    web_searches: int
    reasoning: int | None
    duration_ms: int | None
    logged_cost: str | None
    rank: bytes
    owner_rank: int


_DIMS = 2**32
"""More than there will ever be dimensions."""
FEW = 60
"""Up to so many paths are looked up one by one: a statement takes only so many values."""


class Questions:
    """The questions to one store's log. Not for use by several threads at once."""

    def __init__(self, home: str, connection: sqlite3.Connection) -> None:
        self.home = home
        self._connection = connection

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Inside, all questions see the log at one moment: hot rows and segments hold each row once, totals fit the position."""
        self._connection.execute("BEGIN")
        try:
            yield
        finally:
            self._connection.execute("COMMIT")

    def position(self) -> Position:
        """How far the log has come."""
        about = journal.meta(self._connection)
        return Position(str(about["epoch"]), int(about["seq"]))

    def changed_days(self, since: Position) -> set[int] | None:
        """UTC days that got rows after `since`, perhaps more than those; None where the log began anew since then."""
        if since.epoch != self.position().epoch:
            return None
        rows = self._connection.execute(
            "SELECT day FROM hot WHERE seq > ? UNION SELECT day FROM segments WHERE epoch = ? AND hi > ?",
            (since.seq, since.epoch, since.seq),
        )
        return {day for (day,) in rows}

    def touched(self, since: Position) -> dict[int, set[bytes]] | None:
        """Keys by UTC day of the calls that rows after `since` speak of; None where nobody can tell: some of them have been sealed."""
        sealed = "SELECT 1 FROM segments WHERE epoch = ? AND hi > ? LIMIT 1"
        if since.epoch != self.position().epoch or self._connection.execute(sealed, (since.epoch, since.seq)).fetchone() is not None:
            return None
        found: dict[int, set[bytes]] = {}
        hot = self._connection.execute("SELECT day, row FROM hot WHERE seq > ? ORDER BY seq", (since.seq,)).fetchall()
        for (day, _), key in zip(hot, unpacked(row for _, row in hot).key, strict=True):
            found.setdefault(day, set()).add(key)
        return found

    def days(self) -> list[int]:
        """The UTC days on which there is a call, rising."""
        found: list[int] = []
        (first,) = self._connection.execute("SELECT min(id) FROM calls").fetchone()
        while first is not None:
            found.append(first >> journal.DAY_BITS)
            (first,) = self._connection.execute(
                "SELECT min(id) FROM calls WHERE id >= ?", ((found[-1] + 1) << journal.DAY_BITS,)
            ).fetchone()
        return found

    def span(self) -> tuple[int, int] | None:
        """First and last UTC day on which there is a call; None where there is none."""
        (first,) = self._connection.execute("SELECT min(id) FROM calls").fetchone()
        (last,) = self._connection.execute("SELECT max(id) FROM calls").fetchone()
        return None if first is None else (first >> journal.DAY_BITS, last >> journal.DAY_BITS)

    def totals(self, start_us: int, end_us: int, *, offset_us: int, steps: Sequence[int]) -> Iterator[Total]:
        """Sums over the calls with start_us <= time < end_us; local days are those of a zone `offset_us` east of UTC, by less than a day.

        `steps` are thresholds of the whole prompt (input, cache reads and writes) in tokens, ascending.
        """
        prompt = "(c.input + c.cache_read + c.cache_write_5m + c.cache_write_1h)"
        # Most prompts exceed no threshold: they are done with the first comparison.
        exceeded = "".join(f" WHEN {prompt} <= {int(one)} THEN {count}" for count, one in enumerate(steps))
        step = f"CASE{exceeded} ELSE {len(steps)} END" if steps else "0"
        # One number is grouped by a third faster than its parts: UTC day, the local day beside it, dimensions, step.
        local = f"(c.at + {int(offset_us) + DAY_US}) / {DAY_US}"
        group = f"((((c.id >> {journal.DAY_BITS}) * 4 + {local}) * {_DIMS} + c.dim) * {len(steps) + 1} + {step})"
        low, high = (start_us // DAY_US) << journal.DAY_BITS, ((end_us - 1) // DAY_US + 1) << journal.DAY_BITS
        # A logged zero may mean "unknown", so calls with one never share a sum with others.
        asked = [("c.logged_cost IS NULL", "0", "NULL")]
        some = "SELECT 1 FROM calls c WHERE c.id >= ? AND c.id < ? AND c.logged_cost IS NOT NULL LIMIT 1"
        if self._connection.execute(some, (low, high)).fetchone() is not None:
            # The stubs know aggregates over integers only.
            self._connection.create_aggregate("exact_sum", 1, _ExactSum)  # type: ignore[arg-type]
            asked.append(("c.logged_cost IS NOT NULL", "(CAST(c.logged_cost AS REAL) = 0)", "exact_sum(c.logged_cost)"))
        at = f"((c.id >> {journal.DAY_BITS}) * {DAY_US} + c.at)"
        for test, zero, logged in asked:
            sql = (
                f"SELECT {group} * 2 + {zero}, count(*), sum(c.input), sum(c.output), sum(c.cache_read), sum(c.cache_write_5m),"
                f" sum(c.cache_write_1h), sum(c.web_searches), total(c.reasoning), min(c.at), max(c.at), {logged} FROM calls c"
                f" WHERE c.id >= ? AND c.id < ? AND {test} AND {at} >= ? AND {at} < ? GROUP BY 1"
            )
            for row in self._connection.execute(sql, (low, high, start_us, end_us)):
                rest, exceeds = divmod(row[0] >> 1, len(steps) + 1)
                rest, dim = divmod(rest, _DIMS)
                day, beside = divmod(rest, 4)
                yield Total(
                    day=day + beside - 1,
                    dim=dim,
                    step=exceeds,
                    requests=row[1],
                    input=row[2],
                    output=row[3],
                    cache_read=row[4],
                    cache_write_5m=row[5],
                    cache_write_1h=row[6],
                    web_searches=row[7],
                    reasoning=int(row[8]),
                    first_at_us=day * DAY_US + row[9],
                    last_at_us=day * DAY_US + row[10],
                    logged=row[11],
                )

    def dims_on(self, first_day: int, last_day: int) -> dict[int, Dims]:
        """Dimensions by number of the calls of the UTC days first_day..last_day (day numbers)."""
        low, high = first_day << journal.DAY_BITS, (last_day + 1) << journal.DAY_BITS
        used = self._connection.execute("SELECT DISTINCT dim FROM calls WHERE id >= ? AND id < ?", (low, high))
        return self.dims(number for (number,) in used)

    def dims(self, ids: Iterable[int]) -> dict[int, Dims]:
        """Dimensions by number."""
        return journal.all_dims(self._connection, set(ids))

    def calls(self, first_day: int, last_day: int, keys: Iterable[bytes] | None = None) -> Iterator[Call]:
        """Calls of the UTC days first_day..last_day (day numbers), by day; where `keys` are given, those with one of them."""
        low, high = first_day << journal.DAY_BITS, (last_day + 1) << journal.DAY_BITS
        sql = (
            f"SELECT (id >> {journal.DAY_BITS}) * {DAY_US} + at, h, rest, rank, owner_rank, dim, input, output, cache_read, cache_write_5m,"
            " cache_write_1h, web_searches, reasoning, duration_ms, logged_cost FROM calls WHERE id >= ? AND id < ?"
        )
        asked = ("ORDER BY id", [()]) if keys is None else ("AND h = ? AND rest = ?", [journal.halves(key) for key in keys])
        for name in asked[1]:
            for row in self._connection.execute(f"{sql} {asked[0]}", (low, high, *name)):
                yield Call(
                    at_us=row[0],
                    key=journal.key_of(row[1], row[2]),
                    rank=row[3],
                    owner_rank=row[4],
                    dim=row[5],
                    input=row[6],
                    output=row[7],
                    cache_read=row[8],
                    cache_write_5m=row[9],
                    cache_write_1h=row[10],
                    web_searches=row[11],
                    reasoning=row[12],
                    duration_ms=row[13],
                    logged_cost=row[14],
                )

    def hot_count(self) -> int:
        """How many rows are not in a segment yet."""
        (count,) = self._connection.execute("SELECT count(*) FROM hot").fetchone()
        return int(count)

    def hot_rows(self, days: set[int] | None = None) -> "pa.Table | None":
        """The rows that are not in a segment yet, all or of those UTC days, as the log's columns; None where there are none."""
        hot = [blob for day, blob in self._connection.execute("SELECT day, row FROM hot ORDER BY seq") if days is None or day in days]
        if not hot:
            return None
        # Parquet costs far more to load than a small commit takes.
        from pipeline import schema

        rows = unpacked(hot)
        return schema.table(rows, journal.all_dims(self._connection, set(rows.dim)))

    def segments(self, days: set[int] | None = None) -> list[SegmentInfo]:
        """This machine's segments, all or of those UTC days, by day and name; each lies in `events/` when this returns."""
        found = self._connection.execute(
            "SELECT name, day, epoch, lo, hi, rows, size, digest, sums, published FROM segments ORDER BY day, name"
        ).fetchall()
        # Committed is part of the log: whoever reads it first brings the file to its place.
        if any(not row[9] for row in found):
            placement.publish(self.home, recover.unpublished(self._connection))
        return [
            SegmentInfo(
                name=name,
                day=day,
                epoch=epoch,
                lo=lo,
                hi=hi,
                rows=rows,
                size=size,
                digest=digest,
                sums=decode_seen(sums),
                path=placement.published_path(self.home, name),
            )
            for name, day, epoch, lo, hi, rows, size, digest, sums, _ in found
            if days is None or day in days
        ]

    def quarantine(self) -> list[StoredQuarantine]:
        """Records that were not believed, by source and offset."""
        rows = self._connection.execute(
            "SELECT q.source, s.path, s.agent, q.offset, q.length, q.reason, q.digest, q.tokens, q.at_us"
            " FROM quarantine q JOIN sources s ON s.id = q.source ORDER BY q.source, q.offset"
        )
        return [
            StoredQuarantine(
                source_id=number,
                path=os.fsdecode(path),
                agent=agent,
                record=Quarantined(offset=offset, length=length, reason=reason, digest=digest, tokens=tokens),
                at_us=at_us,
            )
            for number, path, agent, offset, length, reason, digest, tokens, at_us in rows
        ]

    def sessions(self) -> list[SessionInfo]:
        """Titles and parents of sessions, where an agent's log has them."""
        rows = self._connection.execute("SELECT agent, session, title, parent FROM sessions ORDER BY agent, session")
        return [SessionInfo(agent=agent, session=session, title=title, parent=parent) for agent, session, title, parent in rows]

    def sources(self, paths: Sequence[str] | None = None) -> list[StoredSource]:
        """All sources ever registered, or those of these paths, in the order of their numbers."""
        wanted = None if paths is None else {os.fsencode(path) for path in paths}
        few = wanted if wanted is not None and len(wanted) <= FEW else None
        chosen = "" if few is None else f" WHERE path IN ({','.join('?' * len(few))})"
        rows = self._connection.execute(
            f"SELECT id, path, agent, CAST(root AS BLOB), kind, cursor, counts, seen, gone FROM sources{chosen} ORDER BY id", [*(few or ())]
        )
        return [
            StoredSource(
                id=number,
                source=Source(path=os.fsdecode(path), agent=agent, root=os.fsdecode(root), kind=kind),
                cursor=None if cursor is None else decode_cursor(cursor),
                packed_counts=counts,
                packed_seen=seen,
                gone=bool(gone),
            )
            for number, path, agent, root, kind, cursor, counts, seen, gone in rows
            if wanted is None or path in wanted
        ]


class _ExactSum:
    """SQL aggregate: the sum of decimal texts, without rounding."""

    def __init__(self) -> None:
        # Most logs hold no costs, and `decimal` costs more to import than a question takes.
        from decimal import Context, Decimal

        self._context = Context(prec=80)
        self._sum = Decimal(0)
        self._number = Decimal

    def step(self, text: str, /) -> None:
        self._sum = self._context.add(self._sum, self._number(text))

    def finalize(self) -> str:
        return format(self._sum, "f")
