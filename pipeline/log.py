"""The log: events once, forever. The one way into the journal and its segments.

Decides what a commit and a seal are made of. What a sighting changes is decided by `pipeline.absorb`, how a file is written by
`pipeline.segments`, what is mended on opening by `pipeline.recover`, what can be asked by `pipeline.questions`.

One commit protocol: segments complete and fsynced in staging, then the journal's COMMIT, then the rename into `events/`. Everything
from the first staged byte to COMMIT happens under the journal's write lock, so whoever holds that lock knows that an unknown file in
staging is left over from a crash. A few rows stay hot in the journal; many become segments at once.
"""

import gc
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import date
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

import msgspec

from pipeline import durable, journal, placement, recover
from pipeline.absorb import Changes, absorb, names_requests
from pipeline.batch import Batch
from pipeline.between import Between, Standing
from pipeline.errors import Damaged, Held, RingletError
from pipeline.placement import SegmentInfo
from pipeline.questions import FEW, Questions
from pipeline.record import Rows, days_of, packed, unpacked
from pipeline.sources import COUNTS, Reading, Source, decode_counts, decode_seen

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline import staging

BULK_ROWS = 20_000
"""From this many new rows on a commit writes segments instead of hot rows: below, to begin with segments takes longer than all the rest."""
SEAL_ROWS = 5_000
"""This many hot rows are worth sealing."""
SEAL_S = 60.0
"""After so long whoever keeps the log open seals the oldest hot row."""
_SPARE = 4
"""The journal gives space back once it holds one free page in so many."""


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


_Taken = dict[int, tuple[Reading, Standing]]
"""Readings by the number of their source, and how that stands before them."""
_encode = msgspec.msgpack.Encoder().encode


class Log(Questions):
    """The log of one store. Not for use by several threads at once; any number of processes may have it open."""

    def __init__(self, home: str, connection: sqlite3.Connection) -> None:
        super().__init__(home, connection)
        self._path = journal.path_of(home)
        self._file = _file_at(self._path)
        self._between = Between(connection)
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
        path = journal.path_of(os.fspath(home))
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

    @property
    def replaced(self) -> bool:
        """Whether another journal, or none, lies where this one was opened: the log goes on without this one."""
        return _file_at(self._path) != self._file

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
        paths = [os.fsencode(source.path) for source in sources]
        # A session that begins is one path among thousands.
        some = f" WHERE path IN ({','.join('?' * len(paths))})" if len(paths) <= FEW else ""
        standing = f"SELECT path, id, gone FROM sources{some}", paths if some else ()
        known = {path: (number, gone) for path, number, gone in connection.execute(*standing)}
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
            known = {path: (number, gone) for path, number, gone in connection.execute(*standing)}
        return {source.path: known[path][0] for path, source in zip(paths, sources, strict=True)}

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
        `meanwhile` is called only where segments are made, by another process perhaps: the log can be asked, and answers as if all were
        committed. What it raises undoes the commit.
        """
        done = Commit()
        staged: list[SegmentInfo] = []
        between = self._between
        with self._transaction(), _uncollected(len(batch)):
            between.recall()
            dimensions = between.dimensions
            taken, done.stale = self._current(readings)
            refused = set(done.stale)
            rows: Sequence[int] = range(len(batch))
            if refused:
                rows = [row for row, source in enumerate(batch.source) if source not in refused]
            if names_requests(batch, rows):
                self._connection.execute("UPDATE meta SET value = 1 WHERE name = 'requests'")
                between.about["requests"] = 1
            changes = absorb(self._connection, between, batch, rows, ingested_at_us=ingested_at_us)
            dimensions.store(changes.rows.dim)
            done.seq = int(between.about["seq"]) + len(changes.rows)
            if changes.rows:
                self._connection.execute("UPDATE meta SET value = ? WHERE name = 'seq'", (done.seq,))
                between.about["seq"] = done.seq
            seqs = range(done.seq - len(changes.rows) + 1, done.seq + 1)
            if len(changes.rows) >= BULK_ROWS:
                if self.replaced:
                    raise RingletError("another journal was put in the place of this one", where=self._path, mend="run the command again")
                # What is hot goes along: a difference in a file whose call were in the journal alone would outlive it.
                with self._staging(*self._with_hot(changes.rows, seqs), dimensions, child=True) as staging:
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
        between.keep()
        self._publish(staged)
        done.days = {*days_of(changes.rows.at_us)}
        return done

    def seal(self) -> list[SegmentInfo]:
        """All hot rows become segments; the segments made. None of a journal that was replaced: what it holds its successor reads again."""
        if not self.hot_count():
            return []
        with self._transaction():
            if self.replaced:
                return []
            hot, seqs = self._with_hot(Rows(), ())
            made: list[SegmentInfo] = []
            if hot:
                with self._staging(hot, seqs, journal.Dimensions(self._connection), child=False) as staging:
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

    def _current(self, readings: Sequence[Reading]) -> tuple["_Taken", list[int]]:
        """Readings whose source still stands where they began, and how it does, by its number; and the numbers of the other sources."""
        taken: _Taken = {}
        stale = []
        for reading in readings:
            number = reading.source_id
            stands = self._between.source(number)
            if stands.cursor == reading.before:
                taken[number] = reading, stands
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
        for calls in (changes.fresh, journal.call_columns(changes.inserted)):
            if calls:
                journal.insert_calls(connection, calls)
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
        self._connection.executemany("INSERT INTO hot VALUES(?, ?, ?)", zip(seqs, days_of(rows.at_us), packed(rows), strict=True))

    def _with_hot(self, rows: Rows, seqs: Sequence[int]) -> tuple[Rows, Sequence[int]]:
        """The hot rows, and behind them `rows`; the sequence numbers of all."""
        hot = self._connection.execute("SELECT seq, row FROM hot ORDER BY day, seq").fetchall()
        if not hot:
            return rows, seqs
        every = unpacked(blob for _, blob in hot)
        for column, further in zip(every.columns(), rows.columns(), strict=True):
            column.extend(further)
        return every, [*(seq for seq, _ in hot), *seqs]

    def _staging(self, rows: Rows, seqs: Sequence[int], dimensions: journal.Dimensions, *, child: bool) -> "staging.Staging":
        # What it imports is too much for a small commit.
        from pipeline import staging

        recover.clear_staging(self.home, self._connection)
        dims = {number: dimensions.dims(number) for number in set(rows.dim)}
        return staging.Staging(self.home, rows, seqs, dims, epoch=self.position().epoch, machine=self.machine, child=child)

    def _recorded(self, made: list[SegmentInfo]) -> list[SegmentInfo]:
        for one in made:
            recover.record(self._connection, one, published=False)
        self._connection.execute("INSERT INTO meta VALUES('made', 1) ON CONFLICT DO UPDATE SET value = value + 1")
        recover.write_head(self.home, self._connection)
        return made

    def _publish(self, made: Sequence[SegmentInfo]) -> list[SegmentInfo]:
        if not made:
            return []
        # Also what another process has committed and not published yet: these rows may build on its rows.
        recover.publish_committed(self.home, self._path, self._connection, recover.unpublished(self._connection))
        return [msgspec.structs.replace(one, path=placement.published_path(self.home, one.name)) for one in made]

    def _account(self, taken: "_Taken", batch: Batch, rows: Sequence[int], changes: Changes, done: Commit, ingested_at_us: int) -> None:
        """Counts, cursors, quarantine and sessions of the readings taken; a source may have given several."""
        connection = self._connection
        sightings: dict[int, int] = {}
        # Rows of one source mostly stand together.
        for source, run in groupby(batch.source if len(rows) == len(batch) else [batch.source[row] for row in rows]):
            sightings[source] = sightings.get(source, 0) + len(list(run))
        done.new, done.updated = sum(changes.new.values()), sum(changes.updated.values())
        for number, (reading, (_, packed_counts, packed_seen)) in taken.items():
            counts = [0] * len(COUNTS) if packed_counts is None else decode_counts(packed_counts)
            more = msgspec.structs.asdict(reading.counts)
            more["events"] = max(more["events"], sightings.get(number, 0))
            more["new"], more["updated"] = changes.new.get(number, 0), changes.updated.get(number, 0)
            more["duplicate"] = more["events"] - more["new"] - more["updated"]
            done.duplicate += more["duplicate"]
            counts = [count + more[name] for count, name in zip(counts, COUNTS, strict=True)]
            seen = {} if packed_seen is None else decode_seen(packed_seen)
            for name, count in reading.seen.items():
                seen[name] = seen.get(name, 0) + count
            packed_counts, packed_seen = _encode(counts), _encode(seen) if seen else None
            connection.execute(
                "UPDATE sources SET cursor = ?, counts = ?, seen = ? WHERE id = ?",
                (_encode(reading.after), packed_counts, packed_seen, number),
            )
            self._between.sources[number] = Standing(reading.after, packed_counts, packed_seen)
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

    def _transaction(self) -> AbstractContextManager[None]:
        return journal.transaction(self._connection, self._path)


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


def _file_at(path: str) -> tuple[int, int] | None:
    """Which file lies at a path; None where there is none."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def _connected(path: str) -> sqlite3.Connection:
    with journal.translated(path):
        connection = journal.connect(path)
        try:
            journal.prepare(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection
