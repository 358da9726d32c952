"""All that the HTTP API asks about usage: the store, kept open and followed while the daemon runs.

Decides when it is looked whether the log, the settings, rules or prices have changed, in which thread that is done, and which answers are
kept. The log belongs to one thread, the keeper's; everything else may be called from any. Nothing is loaded before somebody asks: a daemon
that only watches stays small, so the frame library is imported where it is used.
"""

import gc
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from cli.app import check_names
from cli.ask import Request, query_of, unknown
from cli.paths import Paths
from cli.refresh import Store, opened
from cli.serve import frugal
from cli.serve.beside import Beside
from cli.serve.contract import envelope, inventory
from cli.serve.standing import Standing
from pipeline.errors import UnknownName
from pipeline.questions import Position
from views import calendar, lost, snapshot
from views.query import Answer, Query, Row
from views.snapshot import stamp

if TYPE_CHECKING:
    from cli.serve.state import Condition
    from views.catalog import Frames
    from views.held import Held
    from views.held_records import Page

T = TypeVar("T")

KEPT_BYTES = 16_000_000
"""Answers that are kept, encoded, take no more than this."""
_RACY_NS = 50_000_000
"""A file written this shortly ago may be written again without its time changing."""
_AGAIN = 3


class Service:
    """The store of one user, asked by many."""

    def __init__(self, paths: Paths, environ: Mapping[str, str], *, clock: Callable[[], int] = time.time_ns) -> None:
        self.paths = paths
        self.environ = environ
        self.stopping = threading.Event()
        """Set when the daemon ends: long work stops and keeps what it has."""
        self.condition: Callable[[], Condition] | None = None
        """What the daemon says of itself; None where none runs."""
        self.on_import: Callable[[inventory.ImportProgress], None] | None = None
        """Told how far an import has come."""
        self.make_views: Callable[[], None] | None = None
        """Brings snapshot and views up to date, by a process of its own; without it that is done here."""
        self.importing = 0
        """Imports that were asked for here and are running."""
        self.pool = ThreadPoolExecutor(2, thread_name_prefix="answer")
        """Where questions that take milliseconds are answered."""
        self.loading = ThreadPoolExecutor(1, thread_name_prefix="loading")
        """Where questions are answered for which a zone must be loaded: no other waits for that."""
        self.slow = ThreadPoolExecutor(2, thread_name_prefix="slow")
        """Where that is done which may take seconds."""
        self._clock = clock
        self._keeper = ThreadPoolExecutor(1, thread_name_prefix="keeper")
        self._stack = ExitStack()
        self._store: Store | None = None
        self._standing: Standing | None = None
        self._seen: tuple[str, ...] = ()
        self._journal = ""
        """Inode of the journal that is open."""
        self._beside: Beside | None = None
        self._others = ""
        """`Beside.mark` of what is loaded."""
        self._as_of_us = 0
        self._days: dict[str, tuple[int, int, int]] = {}
        self._answers = _Answers()

    @property
    def position(self) -> Position | None:
        """How far the log had come when it was last looked at; None: nothing was asked yet."""
        return None if self._standing is None else self._standing.position

    @property
    def as_of_us(self) -> int:
        """Until when the agents' logs are in the answers."""
        return self._as_of_us

    @property
    def complete(self) -> bool:
        """Whether all logs that there are have been read."""
        if self.condition is None:
            return not self.importing
        told = self.condition()
        return not (self.importing or told.importing or told.unreadable)

    def now_us(self) -> int:
        """Now, in microseconds since 1970 UTC."""
        return self._clock() // 1000

    def refresh(self) -> bool:
        """Look whether the log has grown or settings have changed; whether it is so. Does nothing until something was asked.

        Nothing is worked out here: the next who asks does that, and while nobody asks the log may grow for nothing.
        """
        return self._standing is not None and self._keeper.submit(self._notice, self._standing).result()

    def rest(self) -> None:
        """Nobody has asked for a while: let go of what can be made again in milliseconds."""
        self._answers.forget()
        if self._standing is not None:
            self._standing.holding.rest()
        frugal.give_back()

    def close(self) -> None:
        """Let go of the store; nothing can be asked afterwards."""
        self.stopping.set()
        for pool in (self.pool, self.loading, self.slow):
            pool.shutdown(cancel_futures=True)
        self._keeper.submit(self._stack.close).result()
        self._keeper.shutdown()

    def standing(self) -> Standing:
        """The store as it is now."""
        if self._standing is None or self._looked() != self._seen:
            return self._kept(self._follow)
        return self._standing

    def standing_now(self) -> Standing | None:
        """The same, if that takes no more than a look: None where something must be brought up to date, or nothing was asked yet."""
        return None if self._standing is None or self._looked() != self._seen else self._standing

    def today(self, tz: str) -> int:
        """The local day of a zone. Raises UnknownName where there is none of that name."""
        now = self.now_us()
        day, start, end = self._days.get(tz, (0, 0, 0))
        if not start <= now < end:
            try:
                day = calendar.day_at(tz, now)
            except ValueError:
                raise UnknownName(f"no time zone {tz!r}", mend="give an IANA name such as Europe/Berlin or UTC") from None
            start, end = calendar.midnights(tz, day, day + 1)
            self._days[tz] = day, start, end
        return day

    def query(self, request: Request, standing: Standing, *, split: str | None = None) -> Query:
        """The question that words mean. Raises UnknownName, WrongUsage."""
        tz, week_start = request.tz or standing.store.zone, standing.store.week_start
        now_us, today = self.now_us(), self.today(tz)
        query = query_of(request, now_us=now_us, today=today, tz=tz, week_start=week_start, cost_mode=standing.mode)
        query.split = split
        check_names(query, standing, standing.store)
        return query

    def answer(self, query: Query, standing: Standing, *, spans: bool = True) -> Answer:
        """The answer to any question; without `spans` rows by time say nothing of sessions.

        Raises UnknownName for a project or session that nothing was ever done in.
        """
        from views import held_answers

        def answered(now: Standing) -> Answer:
            table = now.holding.table(query.tz, query.cost_mode)
            titles = now.titles() if query.by == "session" else {}
            answer = held_answers.answer(query, table, fine=lambda: now.holding.fine(query), titles=titles, spans=spans)
            if not answer.totals.requests and answer.last_day is None:
                _check(query, table)
            return answer

        answer = self.asked(standing, answered)
        answer.lost = lost.within(standing.gaps, query) if standing.gaps is not None else None
        return answer

    def records(self, query: Query, standing: Standing, *, search: str | None, skip: int, count: int) -> "Page":
        """Single calls in the query's range and filters, the latest first, from number `skip` on. Raises UnknownName as `answer` does."""
        from views import held_records

        def read(now: Standing) -> "Page":
            table = now.holding.table(query.tz, query.cost_mode)
            calls = partial(now.holding.records, mode=query.cost_mode)
            found = held_records.page(query, table, calls, titles=now.titles(), search=search, skip=skip, count=count)
            if not found.total:
                _check(query, table)
            return found

        return self.asked(standing, read)

    def export(self, query: Query, standing: Standing, *, grouped: bool, format: str, raw: bool) -> Iterator[bytes]:
        """The bytes of an export, piece by piece: calls, or groups if `grouped`. May take seconds."""
        from cli.deep import terms_of
        from views import export, materialize

        def rows(frames: "Frames") -> export.Rows:
            return export.groups(query, frames, titles=standing.titles()) if grouped else export.calls(query, frames)

        with opened(self.paths, self.environ, query.now_us) as store:
            store.refreshed(sync=False)
            found = materialize.asked(store.paths.views, store.log, terms_of(store), rows)
        if found.is_empty():
            _check(query, standing.holding.table(query.tz, query.cost_mode))
        return export.encoded(found, format, raw=raw)

    def asked(self, standing: Standing, question: Callable[[Standing], T]) -> T:
        """What `question` makes of the store; put again when files are replaced while it reads them."""
        for _ in range(_AGAIN):
            try:
                return question(standing)
            except FileNotFoundError:
                self._seen = ()
                standing = self._kept(self._load)
        return question(standing)

    def told(self, standing: Standing) -> dict[str, Any]:
        """What all answers say of themselves: fields of `figures.Told`."""
        return {
            "as_of": calendar.iso_time(self._as_of_us),
            "seq": standing.position.seq,
            "complete": self.complete,
            "quarantined": standing.quarantined,
        }

    def remembered(self, key: Hashable, standing: Standing) -> envelope.Encoded | None:
        """The answer to a question that was asked before and has the same answer still, but for the time it is as of."""
        return self._answers.get((key, standing.number, self.complete), calendar.iso_time(self._as_of_us))

    def remember(self, key: Hashable, standing: Standing, answer: Any) -> envelope.Encoded:
        """`answer`, encoded, and kept for the next who asks the same."""
        data = envelope.Json.encode(answer)
        self._answers.put((key, standing.number, answer.complete), data, answer.as_of)
        return envelope.Encoded(data)

    # The keeper's thread

    def _kept(self, work: Callable[[], Standing]) -> Standing:
        return self._keeper.submit(work).result()

    def _notice(self, known: Standing) -> bool:
        if known.settings_changed() or self._store_at_work().log.position() != known.position:
            self._seen = ()
            return True
        self._as_of_us = self.now_us()
        return False

    def _follow(self) -> Standing:
        """The store as it is now, loaded anew where settings, rules or prices have changed."""
        before = self._standing
        if before is None or before.settings_changed() or stamp(self.paths.journal).partition(":")[0] != self._journal:
            return self._load()
        if self._beside is not None and self._beside.mark() != self._others:
            return self._load()
        seen = self._looked()
        self._standing = before.followed(self._store_at_work(), self.make_views)
        if self._standing is not before:
            self._answers.forget()
        self._seen, self._as_of_us = seen, self.now_us()
        return self._standing

    def _load(self) -> Standing:
        seen, journal = self._looked(), stamp(self.paths.journal).partition(":")[0]
        if journal != self._journal and self._store is not None:
            # Another journal stands where the one was that is open.
            self._stack.close()
            self._store = None
        log = self._store_at_work().log
        self._journal = stamp(self.paths.journal).partition(":")[0]
        self._beside = Beside(log)
        self._others = self._beside.mark()
        store = self._store = Store(self.paths, self.environ, self.now_us(), log)
        if self.make_views is not None and not _is_counted(store):
            # To count everything anew takes memory that would never quite be given back.
            self.make_views()
        store.refreshed(sync=False)
        number = 0 if self._standing is None else self._standing.number + 1
        self._standing = Standing.of(store, number, lambda: self._keeper.submit(log.sessions).result(), self.make_views)
        self._seen, self._as_of_us = seen, store.now_us
        self._answers.forget()
        # What is held is large and stays: looking through it for garbage again and again would take a tenth of all time.
        self._standing.names("model")
        gc.freeze()
        frugal.give_back()
        return self._standing

    def _store_at_work(self) -> Store:
        if self._store is None:
            self._store = self._stack.enter_context(opened(self.paths, self.environ, self.now_us()))
        return self._store

    def _looked(self) -> tuple[str, ...]:
        """What changes with the log and with all that decides how it is counted."""
        files = (self.paths.journal, self.paths.journal + "-wal")
        marks = tuple(map(stamp, files))
        if any(self._is_racy(path) for path in files):
            marks = (*marks, str(time.monotonic_ns()))
        if self._standing is None or self._beside is None:
            return marks
        return (*marks, self._beside.mark(), *map(stamp, self._standing.settings))

    @staticmethod
    def _is_racy(path: str) -> bool:
        try:
            return time.time_ns() - os.stat(path).st_mtime_ns < _RACY_NS
        except OSError:
            return False


def _is_counted(store: Store) -> bool:
    """Whether the snapshot that there is was counted as it would be now, but for what came since."""
    known = snapshot.load(store.paths.views)
    return known is not None and known.header.stamps == store.stamps()


def _check(query: Query, table: "Held") -> None:
    """Raises UnknownName for a project or session that nothing was ever done in."""
    from views import held_answers

    def rows(**words: Any) -> list[Row]:
        asked = Query(now_us=query.now_us, today=query.today, tz=query.tz, **words)
        return held_answers.answer(asked, table, fine=table.sessions.rows.clear).rows

    for name, value in (("project", query.project), ("session", query.session)):
        if value is not None and not rows(by=name, **{name: value}):
            latest = rows(by=name, sort="last-used", limit=20)
            raise unknown(name, value, [row.key for row in latest if row.key is not None])


class _Answers:
    """Encoded answers by question, the last asked kept longest."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, tuple[bytes, bytes]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, key: Hashable, as_of: str) -> envelope.Encoded | None:
        with self._lock:
            found = self._kept.get(key)
            if found is None:
                return None
            self._kept.move_to_end(key)
        return envelope.Encoded(as_of.encode().join(found))

    def put(self, key: Hashable, data: bytes, as_of: str) -> None:
        # No text of an answer can look like this: quotes inside of texts are escaped.
        before, mark, after = data.partition(b'"as_of":"' + as_of.encode() + b'"')
        if not mark or len(data) > KEPT_BYTES // 16:
            return
        with self._lock:
            self._drop(self._kept.pop(key, None))
            self._kept[key] = before + b'"as_of":"', b'"' + after
            self._bytes += len(data)
            while self._bytes > KEPT_BYTES:
                self._drop(self._kept.popitem(last=False)[1])

    def forget(self) -> None:
        """Let go of all of them: they are of a state that has passed."""
        with self._lock:
            self._kept.clear()
            self._bytes = 0

    def _drop(self, answer: tuple[bytes, bytes] | None) -> None:
        if answer is not None:
            self._bytes -= sum(map(len, answer)) + 20
