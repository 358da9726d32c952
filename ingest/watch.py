"""Following the sources as they grow.

Decides when a source is looked at again and when hot rows are sealed. File system events are hints: each makes a source be read to its end,
and what they miss, a sweep finds. Nothing waits for a pause in the writing. Where a folder cannot be watched it is swept more often; which
folders are watched is decided in `ingest.watched`.
"""

import gc
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from stat import S_ISREG
from typing import Any

import msgspec

from ingest.adapter import Adapter
from ingest.arrived import Arrived, arrived
from ingest.bulk import Harvest, reap
from ingest.discover import Found, Look, Trouble, discover, looked, under
from ingest.glance import Glance
from ingest.notices import LOST, Notice
from ingest.postponed import Postponed
from ingest.reader import LOOK_AGAIN, QUIET_NS, SHOWN_NS, Manner, Work, unchanged
from ingest.run import ingest
from ingest.wal import with_wal
from ingest.watched import Watched, begun
from pipeline.errors import Held, PartlyDone
from pipeline.log import SEAL_ROWS, SEAL_S, Commit, Log
from pipeline.questions import StoredSource
from pipeline.sources import Cursor

SWEEP_S = 10.0
POLL_S = 2.0
"""Between two sweeps where a folder cannot be watched."""
PAUSE_S = 0.5
"""So long nothing must have arrived before whoever follows the log is told, and that at most every `REST_S`."""
REST_S = 3.0
"""Where nothing ever pauses, this is also how long they wait at most."""
REST_SHARE = 100
"""Where they take long, they rest longer: a hundred times as long as they worked."""
PACE_S = 0.005
"""So long after a commit the next one begins at the earliest: lines that come faster share one."""
_SHOWN_S = 1.1 * SHOWN_NS / 1e9
"""A little later than `SHOWN_NS` after a write, so that it lies as far back by then."""
WAKE_S = 0.5
"""How soon a request to stop is noticed."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What the watcher follows, and whom it tells."""

    adapters: Sequence[Adapter[Any]]
    environ: Mapping[str, str]
    home: str
    further: Mapping[str, Sequence[str]] = {}
    titles: bool = True
    stop: Callable[[], bool]
    warn: Callable[[str], None]
    on_arrival: Callable[[Arrived], None]
    on_quiet: Callable[[], None]
    """Called in a pause after something new, and every few seconds without one: the time to bring up to date what follows the log."""
    on_commit: Callable[[Commit], None] | None = None
    """Called after each commit, at once; `on_arrival` tells more, but not of what was written before the watching began."""
    seal: Callable[[Log], object] = Log.seal
    """Seals the hot rows, or has them sealed, when it is time while watching; what is left at the end the watcher seals itself."""
    clock: Callable[[], int] = time.time_ns


class Watcher:
    """One watcher over one log; `run` returns when it is asked to stop, with everything kept and sealed."""

    def __init__(self, log: Log, settings: Settings) -> None:
        self._log = log
        self._settings = settings
        self._adapters = {adapter.agent: adapter for adapter in settings.adapters}
        self._manner = Manner(now_ns=0, titles=settings.titles, stop=settings.stop)
        self._notices = begun()
        self._known: dict[str, Work] = {}
        self._homes: list[tuple[Adapter[Any], str]] = []
        self._watched = Watched(self._notices, self._cannot_watch)
        self._tails: set[tuple[str, int]] = set()
        self._warned: set[str] = set()
        self._unread: set[str] = set()
        self._postponed = Postponed()
        self._epoch = log.position().epoch
        self._hot_since: float | None = None
        self._hot = 0
        """Calls taken since the rows were sealed: about as many rows are hot."""
        self._news_at: float | None = None
        self._untold_since: float | None = None
        self._tell_at = 0.0
        self._next_at = 0.0
        self._again: dict[str, float] = {}
        """Databases that are read once more, and when: what had just been written to them may not have shown yet."""
        places = looked(settings.adapters, settings.environ, settings.home, settings.further)
        self._glance = Glance(places.walks, os.stat(log.home).st_dev)
        self._settled = False
        """Whether the last sweep left nothing to come back for: then the next looks through nothing that is as it was when it was read."""

        self.caught_up = False
        """Whether all that was written before `run` began has been read."""

    @property
    def polls(self) -> bool:
        """Whether a folder gives no events and is looked at every few seconds instead."""
        return self._watched.polls

    @property
    def unreadable(self) -> int:
        """How many files and folders could not be read when they were last looked at."""
        return len(self._unread)

    def standing(self) -> list[tuple[str, int, int, int]]:
        """Each file as it stood when it was read to its end, as a sweep sees it: one that sees just these has nothing to read."""
        return [
            (path, known.cursor.inode, known.cursor.size, known.cursor.mtime_ns)
            for path, known in self._known.items()
            if known.cursor is not None
        ]

    def run(self) -> None:
        """Catch up, then follow until asked to stop."""
        try:
            self._follow_on()
        except BaseException:
            # What ended it is what must be told.
            with suppress(Exception):
                self._end()
            raise
        self._end()

    def _follow_on(self) -> None:
        stop = self._settings.stop
        self._sweep(first=True)
        self.caught_up = not stop()
        # All that is there now stays: to look through it for garbage now and then would cost more than the lines that come.
        gc.collect()
        gc.freeze()
        swept = time.monotonic()
        while not stop():
            hints = self._notices.wait(WAKE_S)
            now = time.monotonic()
            if hints and now < self._next_at:
                time.sleep(self._next_at - now)
                hints |= self._notices.wait(0)
                now = time.monotonic()
            for path in [path for path, at in self._again.items() if at <= now]:
                del self._again[path]
                hints.add((path, ""))
            try:
                folders = {folder for path, folder in hints if not path and folder}
                for folder in folders:
                    self._settled = False
                    self._watched.let_go(folder)
                self._follow({hint for hint in hints if hint[0]})
                if folders or LOST in hints or now - swept >= (POLL_S if self._watched.polls else SWEEP_S):
                    swept = now
                    self._sweep()
                if self._postponed.due():
                    self._catch_log_up()
                self._tell_when_due()
                self._seal_when_due()
            except (PartlyDone, Held) as error:
                # No room, or another process holds on: nothing was taken, so the next sweep reads it again.
                self._settled = False
                self._warn_once(Trouble(path=error.where or "the log", reason=error.what))

    def _end(self) -> None:
        self._notices.close()
        self._log.seal()
        with suppress(PartlyDone, Held):
            # Otherwise it is read once more by the next.
            self._catch_log_up()

    def _follow(self, hints: Iterable[Notice]) -> None:
        work: dict[str, Work] = {}
        came: list[Found] = []
        strange = False
        # Where a file went comes last, so that it is the one read: what has taken its place since is the sweep's.
        for path, moved_to in sorted(hints, key=lambda hint: bool(hint[1])):
            path = path.removesuffix("-wal")
            known = self._known.get(path)
            if known is None:
                if not moved_to and self._could_be_source(path) and (found := self._found_at(path)) is not None:
                    came.append(found)
                else:
                    strange = strange or self._could_be_source(path) or self._could_be_source(moved_to)
                continue
            # A rotated file is read to its end under its old name's cursor before the new one takes its place.
            seen = _seen(known.found, moved_to or path)
            if seen is not None and not unchanged(seen, known.cursor):
                work[path] = msgspec.structs.replace(known, found=seen)
            strange = strange or bool(moved_to)
        if work:
            self._read(work, self._manner)
        if came:
            self._take_in(came)
        if strange:
            self._sweep()

    def _could_be_source(self, path: str) -> bool:
        name = os.path.basename(path)
        return any(
            name.startswith(start) and name.endswith(end)
            for adapter in self._settings.adapters
            for pattern in adapter.patterns
            for start, _, end in [os.path.basename(pattern.glob).partition("*")]
        )

    def _found_at(self, path: str) -> Found | None:
        """The source that lies at a path, as a sweep would find it; None where only a sweep can tell."""
        try:
            status = os.lstat(path)
        except OSError:
            return None
        if not S_ISREG(status.st_mode):
            return None
        look = (path, status.st_ino, status.st_size, status.st_mtime_ns)
        for adapter, home in self._homes:
            for found in under(adapter, home, [], [look]):
                return None if found.source.kind == "rows" else found
        return None

    def _take_in(self, came: Sequence[Found]) -> None:
        """Read sources that nobody knew."""
        self._manner.now_ns = self._settings.clock()
        look = Look(found=list(came))
        summary = ingest(self._log, self._settings.adapters, look, self._manner, partial=True, on_commit=self._arrived)
        for trouble in summary.troubles:
            self._missed(trouble)
        self._know(came, self._log.sources([found.source.path for found in came]))

    def _sweep(self, *, first: bool = False) -> None:
        self._agree()
        # Every few seconds for months: while nothing moves, no more than a glance.
        news = self._glance.news() if self._settled else None
        if news is not None and all(map(self._is_read, news)):
            return
        swept = self._glance.whole(self._settings.clock())
        if self._settled and {path for path, *_ in swept} == self._known.keys() and all(map(self._is_read, swept)):
            return
        self._look_through(swept, first=first)
        self._settled = all(map(self._is_read, swept))

    def _look_through(self, swept: Sequence[tuple[str, int, int, int]], *, first: bool) -> None:
        settings = self._settings
        # What goes on from where the log stands must not begin before where this one does.
        self._catch_log_up()
        if self._hot_since is None and (hot := self._log.hot_count()):
            # Left by somebody who only asked, or who was killed.
            self._hot_since, self._hot = time.monotonic(), hot
        look = discover(settings.adapters, settings.environ, settings.home, settings.further, swept if self._glance.certain else None)
        self._unread = {trouble.path for trouble in look.troubles}
        for trouble in look.troubles:
            self._warn_once(trouble)
        for home in look.missing:
            self._warn_once(Trouble(path=home.path, reason="is not there yet; it is read once it is"))
        self._homes = [(self._adapters[agent], home) for agent, home in look.looked_at]
        for adapter, folder in self._homes:
            for pattern in adapter.patterns:
                self._watched.watch(folder, pattern)
        if first or any(found.source.path not in self._known for found in look.found):
            self._manner.now_ns = settings.clock()
            # What was there before the watching began is nothing that arrives.
            told = self._noted if first else self._arrived
            summary = ingest(self._log, settings.adapters, look, self._manner, on_commit=told)
            for trouble in summary.troubles[len(look.troubles) :]:
                self._missed(trouble)
            self._remember(look)
            return
        if len(look.found) < len(self._known):
            # What some file said stays, but whoever looks for all files must not look for that one.
            self._known = {found.source.path: self._known[found.source.path] for found in look.found}
            self._stirred()
        changed: dict[str, Work] = {}
        tails: dict[str, Work] = {}
        for found in look.found:
            known = self._known[found.source.path]
            if not unchanged(found, known.cursor):
                changed[found.source.path] = msgspec.structs.replace(known, found=found)
            elif self._has_tail(found, known.cursor) and self._is_quiet(found):
                tails[found.source.path] = msgspec.structs.replace(known, found=found)
        self._read(changed, self._manner)
        self._read(tails, msgspec.structs.replace(self._manner, take_tail=True))
        self._tails.update((path, work.found.size) for path, work in tails.items())

    def _is_read(self, look: tuple[str, int, int, int]) -> bool:
        """Whether a file is as it was when it was read, and nothing at its end is waited for."""
        known = self._known.get(look[0])
        if known is None or known.cursor is None:
            return False
        cursor = known.cursor
        return (cursor.inode, cursor.size, cursor.mtime_ns) == look[1:] and not self._has_tail(known.found, cursor)

    def _has_tail(self, found: Found, cursor: Cursor | None) -> bool:
        """Whether the file ended, when it was read, in an unfinished line that has not been looked at for itself yet."""
        if cursor is None or found.source.kind != "lines" or cursor.offset >= cursor.size:
            return False
        return (found.source.path, cursor.size) not in self._tails

    def _is_quiet(self, found: Found) -> bool:
        """Whether the file has been left alone for long enough to take an unfinished line for what it is."""
        return self._settings.clock() - found.mtime_ns >= QUIET_NS

    def _remember(self, look: Look) -> None:
        self._known = {found.source.path: self._known[found.source.path] for found in look.found if found.source.path in self._known}
        self._know(look.found, self._log.sources())

    def _know(self, found: Iterable[Found], sources: Iterable[StoredSource]) -> None:
        stored = {known.source.path: known for known in sources}
        for each in found:
            known = stored.get(each.source.path)
            if known is not None:
                before = self._known.get(each.source.path)
                self._known[each.source.path] = Work(found=each, source_id=known.id, cursor=None if before is None else before.cursor)
                self._stands(each.source.path, known.cursor)

    def _read(self, work: Mapping[str, Work], manner: Manner) -> None:
        """Read and commit sources, each under the path it is known by."""
        manner.now_ns = self._settings.clock()
        paths = {each.source_id: path for path, each in work.items()}
        for harvest in reap(work.values(), self._adapters, manner) if work else ():
            harvest.readings = self._postponed.completed(harvest.readings)
            if self._postponed.takes(harvest):
                for reading in harvest.readings:
                    self._stands(paths[reading.source_id], reading.after)
            else:
                self._commit(harvest, paths)
            self._next_at = time.monotonic() + PACE_S
            for number, reason in harvest.troubles.items():
                if reason != "vanished":
                    self._missed(Trouble(path=paths[number], reason=reason))

    def _commit(self, harvest: Harvest, paths: Mapping[int, str]) -> None:
        """Give what sources said to the log; `paths` says under which path each is known."""
        commit = self._log.commit(harvest.batch, harvest.readings, ingested_at_us=self._settings.clock() // 1000)
        self._postponed.forget([reading.source_id for reading in harvest.readings])
        self._arrived(harvest, commit)
        stale = set(commit.stale)
        for reading in harvest.readings:
            if reading.source_id not in stale:
                self._stands(paths[reading.source_id], reading.after)
        if stale:
            # Another process was faster: where it left those sources is in the log, and the next look goes on there.
            for stored in self._log.sources([paths[number] for number in stale]):
                self._stands(stored.source.path, stored.cursor)
                self._notices.note((stored.source.path, ""))

    def _catch_log_up(self) -> None:
        """The log knows how far all was read."""
        readings = self._postponed.all()
        if readings:
            held = {reading.source_id for reading in readings}
            paths = {known.source_id: path for path, known in self._known.items() if known.source_id in held}
            self._commit(Harvest(readings=readings), paths)

    def _agree(self) -> None:
        """In a journal that was made anew nothing has been read, whatever this watcher has seen: the next sweep reads it again."""
        epoch = self._log.position().epoch
        if epoch != self._epoch:
            self._epoch = epoch
            self._settled = False
            self._postponed = Postponed()
            self._tails.clear()
            for stored in self._log.sources():
                if stored.source.path in self._known:
                    self._stands(stored.source.path, stored.cursor)

    def _stands(self, path: str, cursor: Cursor | None) -> None:
        """Note where a known source stands now."""
        known = self._known[path]
        self._known[path] = msgspec.structs.replace(known, cursor=cursor)
        if cursor is not None and cursor.size == LOOK_AGAIN:
            if known.found.source.kind == "rows":
                self._again[path] = time.monotonic() + _SHOWN_S
        elif known.cursor is not None and known.cursor.size == LOOK_AGAIN:
            # Nothing new perhaps, and yet only now can it be said that all is read.
            self._stirred()

    def _noted(self, _: Harvest, commit: Commit) -> None:
        if commit.new or commit.updated:
            self._stirred()
            self._hot += commit.new + commit.updated
            if self._hot_since is None:
                self._hot_since = self._news_at
        if self._settings.on_commit is not None:
            self._settings.on_commit(commit)

    def _stirred(self) -> None:
        """There is something to tell in the next pause."""
        self._news_at = time.monotonic()
        if self._untold_since is None:
            self._untold_since = self._news_at

    def _arrived(self, harvest: Harvest, commit: Commit) -> None:
        self._noted(harvest, commit)
        if not (commit.new or commit.updated):
            return
        self._settings.on_arrival(arrived(harvest, commit))

    def _tell_when_due(self) -> None:
        if self._news_at is None or self._untold_since is None:
            return
        now = time.monotonic()
        quiet = now - self._news_at >= PAUSE_S or now - self._untold_since >= REST_S
        if quiet and now >= self._tell_at:
            self._agree()
            self._catch_log_up()
            self._news_at = self._untold_since = None
            began = time.thread_time()
            self._settings.on_quiet()
            self._tell_at = now + max(REST_S, REST_SHARE * (time.thread_time() - began))

    def _seal_when_due(self) -> None:
        if self._hot_since is None:
            return
        if self._hot >= SEAL_ROWS or time.monotonic() - self._hot_since >= SEAL_S:
            self._settings.seal(self._log)
            self._hot_since, self._hot = None, 0

    def _cannot_watch(self, folder: str, why: str) -> None:
        self._settings.warn(f"{folder}: {why}; looked at every {POLL_S:.0f} s")

    def _missed(self, trouble: Trouble) -> None:
        """A source could not be read: its turn comes again at every sweep, for who mends it need not touch the file."""
        self._settled = False
        self._unread.add(trouble.path)
        self._warn_once(trouble)

    def _warn_once(self, trouble: Trouble) -> None:
        if trouble.path not in self._warned:
            self._warned.add(trouble.path)
            self._settings.warn(f"{trouble.path}: {trouble.reason}")


def _seen(found: Found, path: str) -> Found | None:
    """What lies at `path` now, as the sweep would see it; None where nothing is."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    look = (path, status.st_ino, status.st_size, status.st_mtime_ns)
    _, inode, size, mtime_ns = with_wal(look) if found.source.kind == "rows" else look
    source = found.source if path == found.source.path else msgspec.structs.replace(found.source, path=path)
    return msgspec.structs.replace(found, source=source, inode=inode, size=size, mtime_ns=mtime_ns)
