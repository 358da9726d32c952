"""The log: events once, forever. The one way in and out of the journal and its segments.

Decides what a commit, a seal and a question of the log are made of. What a sighting changes is decided by `pipeline.absorb`, how a file
is written by `pipeline.segments`, what is mended on opening by `pipeline.recover`.

One commit protocol: segments complete and fsynced in staging, then the journal's COMMIT, then the rename into `events/`. Everything
from the first staged byte to COMMIT happens under the journal's write lock, so whoever holds that lock knows that an unknown file in
staging is left over from a crash. A few rows stay hot in the journal; many become segments at once.
"""

import gc
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import date
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from pipeline import durable, journal, placement, recover
from pipeline.absorb import Changes, absorb, names_requests
from pipeline.batch import Batch, Dims
from pipeline.errors import Damaged, Held
from pipeline.placement import SegmentInfo
from pipeline.record import DAY_US, Rows, packed, unpacked
from pipeline.sources import Counts, Cursor, Quarantined, Reading, SessionInfo, Source

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from pipeline import staging

BULK_ROWS = 20_000
"""From this many new rows on a commit writes segments instead of hot rows: below, to begin with segments takes longer than all the rest."""
SEAL_ROWS = 5_000
"""This many hot rows are worth sealing."""
SEAL_S = 60.0
"""After so long whoever keeps the log open seals the oldest hot row."""
_SPARE = 4
"""The journal gives space back once it holds one free page in so many."""


class Position(msgspec.Struct, frozen=True, gc=False):
    """How far the log has come; another epoch means that sequence numbers began anew."""

    epoch: str
    seq: int


class Commit(msgspec.Struct, kw_only=True, gc=False):
    """What a commit did."""

    new: int = 0
    updated: int = 0
    duplicate: int = 0
    days: set[int] = msgspec.field(default_factory=set)
    """UTC day numbers that got rows."""
    seq: int = 0
    """The log's last sequence number."""
    stale: list[int] = msgspec.field(default_factory=list)
    """Sources whose cursor had moved: nothing of them was taken, they must be read again."""


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
        return Counts() if packed is None else Counts(**dict(zip(_COUNTS, _decode_counts(packed), strict=False)))

    @property
    def seen(self) -> dict[str, int]:
        """What else was seen in it, by name."""
        return {} if self.packed_seen is None else _decode_seen(self.packed_seen)


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


class _Taken(NamedTuple):
    """A reading that is taken, and what is counted of its source so far."""

    reading: Reading
    packed_counts: bytes | None
    packed_seen: bytes | None


_decode_cursor = msgspec.msgpack.Decoder(Cursor).decode
_decode_counts = msgspec.msgpack.Decoder(list[int]).decode
_decode_seen = msgspec.msgpack.Decoder(dict[str, int]).decode
_encode = msgspec.msgpack.Encoder().encode
_COUNTS = Counts.__struct_fields__
_DIMS = 2**32
"""More than there will ever be dimensions."""


class Log:
    """The log of one store. Not for use by several threads at once; any number of processes may have it open."""

    def __init__(self, home: str, connection: sqlite3.Connection) -> None:
        self.home = home
        self._connection = connection
        self._path = os.path.join(home, "journal.db")
        about = journal.meta(connection)
        self.machine = str(about["machine"])
        """This machine's name in the log: random, made with the store."""
        self.mended: list[str] = []
        """What opening had to mend, in sentences."""

    @classmethod
    def open(cls, home: "Path | str", *, create: bool = True) -> "Log":
        """The log of the store `home`, what a crash left undone finished first.

        Raises FileNotFoundError if there is no store and `create` is False; RingletError for a store that must not be used (see
        `durable.prepare_home`).
        """
        path = os.path.join(os.fspath(home), "journal.db")
        durable.prepare_home(os.fspath(home), create=create)
        if not create and not os.path.exists(path):
            raise FileNotFoundError(path)
        mended = []
        try:
            connection = _connected(path)
        except Damaged:
            mended = recover.lay_journal_aside(os.fspath(home))
            connection = _connected(path)
        try:
            log = cls(os.fspath(home), connection)
            log.mended += mended
            log.recover()
        except BaseException:
            connection.close()
            raise
        return log

    def close(self) -> None:
        """Let go of the journal."""
        self._connection.close()

    def __enter__(self) -> "Log":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Sources

    def register(self, sources: Sequence[Source]) -> dict[str, int]:
        """Numbers of the sources by path; those that are new are added, and none of them counts as gone any more."""
        connection = self._connection
        known = {path: (number, gone) for number, path, gone in connection.execute("SELECT id, path, gone FROM sources")}
        paths = [os.fsencode(source.path) for source in sources]
        if any(known.get(path, (0, 1))[1] for path in paths):
            with self._transaction():
                connection.executemany(
                    f"INSERT INTO sources(id, path, agent, root, kind) VALUES({journal.NEXT_SOURCE}, ?, ?, CAST(? AS TEXT), ?)"
                    " ON CONFLICT(path) DO UPDATE SET gone = 0",
                    [
                        (path, source.agent, os.fsencode(source.root), source.kind)
                        for path, source in zip(paths, sources, strict=True)
                        if known.get(path, (0, 1))[1]
                    ],
                )
            known = {path: (number, gone) for number, path, gone in connection.execute("SELECT id, path, gone FROM sources")}
        return {source.path: known[path][0] for path, source in zip(paths, sources, strict=True)}

    def sources(self, paths: Sequence[str] | None = None) -> list[StoredSource]:
        """All sources ever registered, or those of these paths, in the order of their numbers."""
        chosen = "" if paths is None else f" WHERE path IN ({','.join('?' * len(paths))})"
        rows = self._connection.execute(
            f"SELECT id, path, agent, CAST(root AS BLOB), kind, cursor, counts, seen, gone FROM sources{chosen} ORDER BY id",
            [os.fsencode(path) for path in paths or ()],
        )
        return [
            StoredSource(
                id=number,
                source=Source(path=os.fsdecode(path), agent=agent, root=os.fsdecode(root), kind=kind),
                cursor=None if cursor is None else _decode_cursor(cursor),
                packed_counts=counts,
                packed_seen=seen,
                gone=bool(gone),
            )
            for number, path, agent, root, kind, cursor, counts, seen, gone in rows
        ]

    def mark_gone(self, ids: Iterable[int]) -> None:
        """These sources no longer exist; their events stay."""
        with self._transaction():
            self._connection.executemany("UPDATE sources SET gone = 1 WHERE id = ?", [(number,) for number in ids])

    # Commit and seal

    def commit(
        self, batch: Batch, readings: Sequence[Reading], *, ingested_at_us: int, meanwhile: Callable[[], None] | None = None
    ) -> Commit:
        """Take the readings and the sightings that belong to them, durably and exactly once.

        A reading is taken only if its source still stands where the reading began; others are named in `stale`, their rows are left out.
        `meanwhile` is called while segments are written, if there are any: it may ask the log, which knows all of the commit by then
        but its segments.
        """
        done = Commit()
        staged: list[SegmentInfo] = []
        with self._transaction(), _uncollected(len(batch)):
            taken, done.stale = self._current(readings)
            refused = set(done.stale)
            rows: Sequence[int] = range(len(batch))
            if refused:
                rows = [row for row, source in enumerate(batch.source) if source not in refused]
            if names_requests(batch, rows):
                self._connection.execute("UPDATE meta SET value = 1 WHERE name = 'requests'")
            about = journal.meta(self._connection)
            dimensions = journal.Dimensions(self._connection)
            changes = absorb(self._connection, dimensions, batch, rows, ingested_at_us=ingested_at_us, requests=bool(about["requests"]))
            dimensions.store(changes.rows.dim)
            done.seq = int(about["seq"]) + len(changes.rows)
            if changes.rows:
                self._connection.execute("UPDATE meta SET value = ? WHERE name = 'seq'", (done.seq,))
            seqs = range(done.seq - len(changes.rows) + 1, done.seq + 1)
            if len(changes.rows) >= BULK_ROWS:
                # What is hot goes along: a difference in a file whose call were in the journal alone would outlive it.
                with self._staging(*self._with_hot(changes.rows, seqs), child=True) as staging:
                    self._keep(changes)
                    self._account(taken, batch, rows, changes, done, ingested_at_us)
                    if meanwhile is not None:
                        meanwhile()
                    staged = self._recorded(staging.finish())
                self._connection.execute("DELETE FROM hot")
            else:
                self._keep(changes)
                self._heat(changes.rows, seqs)
                self._account(taken, batch, rows, changes, done, ingested_at_us)
        self._publish(staged)
        done.days = {at_us // DAY_US for at_us in changes.rows.at_us}
        return done

    def seal(self) -> list[SegmentInfo]:
        """All hot rows become segments; the segments made."""
        if not self.hot_count():
            return []
        with self._transaction():
            hot, seqs = self._with_hot(Rows(), ())
            made: list[SegmentInfo] = []
            if hot:
                with self._staging(hot, seqs, child=False) as staging:
                    made = self._recorded(staging.finish())
            self._connection.execute("DELETE FROM hot")
        segments = self._publish(made)
        self._give_back()
        return segments

    def recover(self) -> None:
        """Finish what a crash left undone: publish what is committed, adopt segments that the journal does not know.

        Costs two small reads where there is nothing to do.
        """
        self.mended += recover.settle(self.home, self._path, self._connection)
        self.machine = str(journal.meta(self._connection)["machine"])
        leaves = [leaf for (leaf,) in self._connection.execute("SELECT leaf FROM compactions")]
        if leaves:
            self._finish_compactions(leaves)

    def rebuild(self) -> list[str]:
        """Make the journal's calls anew from the log, under a new epoch; what happened, in sentences. All sources will be read again."""
        with self._transaction(), _uncollected(BULK_ROWS):
            notes = recover.adopt(self.home, self._connection, self.machine)
            recover.write_head(self.home, self._connection)
        return notes

    def compact(self, today: date) -> list[SegmentInfo]:
        """The segments of each closed UTC date are one; those that were made. `today` is the current UTC date.

        Raises Held while another process compacts, Damaged for a segment whose bytes have changed.
        """
        # Parquet costs far more to load than a small commit takes.
        from pipeline import compact

        made = []
        with durable.lock(os.path.join(self.home, "compact.lock")):
            # One that died halfway since this log was opened may have exchanged the files that the journal still names.
            for (leaf,) in self._connection.execute("SELECT leaf FROM compactions").fetchall():
                compact.finish(self.home, self._path, self._connection, leaf)
            if placement.staged_names(self.home):
                with self._transaction():
                    recover.clear_staging(self.home, self._connection)
            for found in compact.due(self.segments(), (today - date(1970, 1, 1)).days):
                one = compact.compact(self.home, self._path, self._connection, found, self.machine)
                if one is not None:
                    made.append(msgspec.structs.replace(one, path=placement.published_path(self.home, one.name)))
        return made

    def _finish_compactions(self, leaves: Sequence[str]) -> None:
        # Only a crash in the middle of a compaction leads here.
        from pipeline import compact

        try:
            with durable.lock(os.path.join(self.home, "compact.lock")):
                for leaf in leaves:
                    compact.finish(self.home, self._path, self._connection, leaf)
        except Held:
            return  # It is not left over: another process is at it.

    def _current(self, readings: Sequence[Reading]) -> tuple[dict[int, "_Taken"], list[int]]:
        """Readings whose source still stands where they began, by its number, and the numbers of the other sources."""
        taken: dict[int, _Taken] = {}
        stale = []
        for reading in readings:
            number = reading.source_id
            row = self._connection.execute("SELECT cursor, counts, seen FROM sources WHERE id = ?", (number,)).fetchone()
            if row is None:
                raise ValueError(f"source {number} is not registered")
            stands = None if row[0] is None else _decode_cursor(row[0])
            if stands == reading.before:
                taken[number] = _Taken(reading, row[1], row[2])
            else:
                stale.append(number)
        return taken, stale

    def _keep(self, changes: Changes) -> None:
        connection = self._connection
        if changes.removed:
            connection.executemany("DELETE FROM calls WHERE id = ?", [(number,) for number in changes.removed])
        first = len(changes.rows) >= BULK_ROWS and connection.execute("SELECT 1 FROM calls LIMIT 1").fetchone() is None
        if first:
            # Made of all calls at once, an index takes a quarter of the time.
            connection.execute(journal.DROP_CALLS_INDEX)
        connection.executemany(journal.INSERT_CALL, changes.fresh)
        if changes.inserted:
            connection.executemany(journal.INSERT_CALL, changes.inserted)
        if first:
            connection.execute(journal.CALLS_INDEX)
        if changes.identities:
            # In the order of the table, many entries are appended rather than inserted.
            changes.identities.sort(key=itemgetter(0))
            connection.executemany(journal.INSERT_IDENTITY, changes.identities)
        for old, new in changes.moved:
            connection.execute("UPDATE moved SET call = ? WHERE call = ?", (new, old))
            connection.execute("INSERT INTO moved VALUES(?, ?)", (old, new))

    def _give_back(self) -> None:
        """Space that sealed rows took is the file system's again, where it is much."""
        (free,), (pages,) = (self._connection.execute(f"PRAGMA {name}").fetchone() for name in ("freelist_count", "page_count"))
        if free * _SPARE > pages:
            with journal.translated(self._path):
                # One step of this statement frees one page; only a script is run through all its steps.
                self._connection.executescript("PRAGMA incremental_vacuum")

    def _heat(self, rows: Rows, seqs: Sequence[int]) -> None:
        days = [at_us // DAY_US for at_us in rows.at_us]
        self._connection.executemany("INSERT INTO hot VALUES(?, ?, ?)", zip(seqs, days, packed(rows), strict=True))

    def _with_hot(self, rows: Rows, seqs: Sequence[int]) -> tuple[Rows, Sequence[int]]:
        """The hot rows, and behind them `rows`; the sequence numbers of all."""
        hot = self._connection.execute("SELECT seq, row FROM hot ORDER BY day, seq").fetchall()
        if not hot:
            return rows, seqs
        every = unpacked(blob for _, blob in hot)
        for column, further in zip(every.columns(), rows.columns(), strict=True):
            column.extend(further)
        return every, [*(seq for seq, _ in hot), *seqs]

    def _staging(self, rows: Rows, seqs: Sequence[int], *, child: bool) -> "staging.Staging":
        # What it imports is too much for a small commit.
        from pipeline import staging

        recover.clear_staging(self.home, self._connection)
        dims = journal.all_dims(self._connection, set(rows.dim))
        return staging.Staging(self.home, rows, seqs, dims, epoch=self.position().epoch, machine=self.machine, child=child)

    def _recorded(self, made: list[SegmentInfo]) -> list[SegmentInfo]:
        for one in made:
            recover.record(self._connection, one, published=False)
        recover.write_head(self.home, self._connection)
        return made

    def _publish(self, made: Sequence[SegmentInfo]) -> list[SegmentInfo]:
        if not made:
            return []
        # Also what another process has committed and not published yet: these rows may build on its rows.
        recover.publish_committed(self.home, self._path, self._connection, recover.unpublished(self._connection))
        return [msgspec.structs.replace(one, path=placement.published_path(self.home, one.name)) for one in made]

    def _account(
        self, taken: Mapping[int, "_Taken"], batch: Batch, rows: Sequence[int], changes: Changes, done: Commit, ingested_at_us: int
    ) -> None:
        """Counts, cursors, quarantine and sessions of the readings taken; a source may have given several."""
        connection = self._connection
        sightings: dict[int, int] = {}
        for source in batch.source if len(rows) == len(batch) else [batch.source[row] for row in rows]:
            sightings[source] = sightings.get(source, 0) + 1
        done.new, done.updated = sum(changes.new.values()), sum(changes.updated.values())
        for number, (reading, packed_counts, packed_seen) in taken.items():
            counts = [0] * len(_COUNTS) if packed_counts is None else _decode_counts(packed_counts)
            more = msgspec.structs.asdict(reading.counts)
            more["events"] = max(more["events"], sightings.get(number, 0))
            more["new"], more["updated"] = changes.new.get(number, 0), changes.updated.get(number, 0)
            more["duplicate"] = more["events"] - more["new"] - more["updated"]
            done.duplicate += more["duplicate"]
            counts = [count + more[name] for count, name in zip(counts, _COUNTS, strict=True)]
            seen = {} if packed_seen is None else _decode_seen(packed_seen)
            for name, count in reading.seen.items():
                seen[name] = seen.get(name, 0) + count
            connection.execute(
                "UPDATE sources SET cursor = ?, counts = ?, seen = ? WHERE id = ?",
                (_encode(reading.after), _encode(counts), _encode(seen) if seen else None, number),
            )
            if reading.quarantined:
                connection.executemany(
                    "INSERT OR IGNORE INTO quarantine VALUES(?, ?, ?, ?, ?, ?, ?)",
                    [(number, one.offset, one.digest, one.length, one.reason, one.tokens, ingested_at_us) for one in reading.quarantined],
                )
            if reading.sessions:
                connection.executemany(
                    "INSERT INTO sessions VALUES(?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
                    " title = coalesce(excluded.title, title), parent = coalesce(excluded.parent, parent)",
                    [(one.agent, one.session, one.title, one.parent) for one in reading.sessions],
                )

    # Questions

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
            "SELECT day FROM hot WHERE seq > ?1 UNION SELECT day FROM segments WHERE epoch = ?2 AND hi > ?1", (since.seq, since.epoch)
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
        group = f"(((c.id >> {journal.DAY_BITS}) * 4 + {local}) * {_DIMS} + c.dim) * {len(steps) + 1} + {step}"
        low, high = (start_us // DAY_US) << journal.DAY_BITS, ((end_us - 1) // DAY_US + 1) << journal.DAY_BITS
        # A logged zero may mean "unknown", so calls with one never share a sum with others.
        zero = "CAST(c.logged_cost AS REAL) = 0"
        tests = [("c.logged_cost IS NULL", "NULL")]
        some = "SELECT 1 FROM calls c WHERE c.id >= ? AND c.id < ? AND c.logged_cost IS NOT NULL LIMIT 1"
        if self._connection.execute(some, (low, high)).fetchone() is not None:
            tests += [(zero, "exact_sum(c.logged_cost)"), (f"NOT {zero}", "exact_sum(c.logged_cost)")]
        at = f"((c.id >> {journal.DAY_BITS}) * {DAY_US} + c.at)"
        for test, logged in tests:
            if logged != "NULL":
                # The stubs know aggregates over integers only.
                self._connection.create_aggregate("exact_sum", 1, _ExactSum)  # type: ignore[arg-type]
            sql = (
                f"SELECT {group}, count(*), sum(c.input), sum(c.output), sum(c.cache_read), sum(c.cache_write_5m), sum(c.cache_write_1h),"
                f" sum(c.web_searches), total(c.reasoning), min(c.at), max(c.at), {logged} FROM calls c WHERE c.id >= ? AND c.id < ?"
                f" AND {at} >= ? AND {at} < ? AND {test} GROUP BY 1"
            )
            for row in self._connection.execute(sql, (low, high, start_us, end_us)):
                rest, exceeds = divmod(row[0], len(steps) + 1)
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
                sums=_decode_seen(sums),
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

    def _transaction(self) -> AbstractContextManager[None]:
        return journal.transaction(self._connection, self._path)


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


@contextmanager
def _uncollected(rows: int) -> Iterator[None]:
    """Inside, no garbage is looked for if there are many rows: nothing they make is in a cycle, and looking costs as much as making."""
    pause = rows >= BULK_ROWS and gc.isenabled()
    if pause:
        gc.disable()
    try:
        yield
    finally:
        if pause:
            gc.enable()


def _connected(path: str) -> sqlite3.Connection:
    with journal.translated(path):
        connection = journal.connect(path)
        try:
            journal.prepare(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection
