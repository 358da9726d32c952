"""The store brought up to date: what an answer takes when the snapshot is not fresh.

Decides in which order logs are read, days are counted again and the snapshot is written. Loads the log and the adapters, but no frame
library: a few new lines must be in the answer within the same breath.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import Any

from cli import config, zone
from cli.paths import Paths
from cli.progress import bar
from ingest import memory, registry
from ingest.discover import Look, Trouble, discover, looked
from ingest.reader import Manner
from ingest.run import ingest
from ingest.sweep import sweep
from pipeline import durable, log_folders, placement, providers
from pipeline.errors import RingletError
from pipeline.log import SEAL_ROWS, Log
from pipeline.profiles import Rules
from pipeline.questions import Position
from views import calendar, snapshot, snapshot_text
from views.attribution import Attribution
from views.pricing import book as books
from views.recount import Prices, recount, touched

DAYS_AHEAD = 40
"""How many days a snapshot stays usable on a machine that logs nothing."""
_FEW = 200
"""Up to so many changed files are read by themselves."""
BAR_BYTES = 20_000_000
"""From this much to read on, a terminal sees a progress bar."""

Days = dict[int, snapshot_text.Day]


def stamps(paths: Paths) -> dict[str, str]:
    """The state of every file that decides whose a call is, what it costs and on which day it was."""
    synced = os.path.join(paths.prices, books.SYNCED)
    return {path: snapshot.stamp(path) for path in (paths.config, paths.profiles, books.SHIPPED, synced, *zone.FILES)}


class Store:
    """One user's store, opened to answer one question."""

    def __init__(self, paths: Paths, environ: Mapping[str, str], now_us: int, log: Log) -> None:
        self.paths = paths
        self.environ = environ
        self.now_us = now_us
        self.log = log
        self.config = config.load(paths.config)
        self.rules = Rules.load(paths.profiles)
        self.adapters = registry.adapters()
        self.home = environ.get("HOME") or os.path.expanduser("~")
        self.zone = self._zone()
        self.week_start = calendar.WEEKDAYS.index(self.config.week_start)
        self.swept: list[tuple[str, int, int, int]] | None = None
        """A look at all log files that was taken a moment ago, so that `look` need not take one."""
        self.memory: memory.Memory | None = None
        """The same, by one who remembers how they were."""
        self.snapshot: snapshot.Snapshot
        """As `refreshed` left it."""
        self.troubles: list[Trouble] = []
        """What could not be looked at or read when `refreshed` last read."""
        self.shared = False
        """Whether folders of another machine lie beside this one's, as `refreshed` saw it: the journal and hence the snapshot know nothing
        of what they hold."""
        self._early: tuple[Position, Days] | None = None
        """All days as they were counted while segments were being written, and what the log's position was to be then."""

    @cached_property
    def attribution(self) -> Attribution:
        """Whose calls are and which of them have a cost."""
        return Attribution(self.rules, policy=self.config.usage.cost_policy, declared=self.config.declared_billing())

    @cached_property
    def book(self) -> books.Book:
        """The price book with what was synced and the user's own table."""
        return books.open_book(self.paths.prices, self.config.price_table())

    @cached_property
    def homes(self) -> dict[str, list[str]]:
        """Agent homes beyond the agents' usual ones, by agent: those that the configuration names and those that are a profile's alone."""
        found = {agent: list(paths) for agent, paths in self.config.homes.items()}
        for profile in self.rules.profiles:
            if profile.agent is not None and profile.home is not None:
                found.setdefault(profile.agent, []).append(profile.home)
        return found

    @cached_property
    def look(self) -> Look:
        """What lies in the agents' homes."""
        return discover(self.adapters, self.environ, self.home, self.homes, self.swept)

    def stamps(self) -> dict[str, str]:
        """The state of the files that it was opened by."""
        return stamps(self.paths)

    def names(self, field: str) -> list[str]:
        """Profiles, providers or agents that exist, whether or not there is a call of theirs."""
        if field == "profile":
            return self.rules.names()
        if field == "agent":
            return [adapter.agent for adapter in self.adapters]
        return [name for name, _ in providers.known()] + list(self.config.providers)

    def tidy(self) -> None:
        """Have hot rows sealed, by a process of its own, once there are many: nobody waits for that."""
        if self.log.hot_count() >= SEAL_ROWS:
            import subprocess  # 8 ms, once in 5,000 rows

            from cli import itself

            null = subprocess.DEVNULL
            subprocess.Popen(itself.command("seal"), stdin=null, stdout=null, stderr=null, start_new_session=True)

    def refreshed(
        self, *, sync: bool = True, prove: bool = False, standing: Sequence[tuple[str, int, int, int]] | None = None
    ) -> snapshot.Snapshot:
        """A snapshot of the log as it is, after reading what the agents have written if `sync`.

        Without `sync` the snapshot is as fresh as it was; with `prove` it is fresh if all that lies there has been read by now, and with
        `standing` while a sweep sees just these: who follows the log knows how each file stood when it was read.
        """
        places = looked(self.adapters, self.environ, self.home, self.homes)
        known = snapshot.load(self.paths.views)
        # Of a journal that was made anew nobody can say that it has read what the one before had.
        proof = known.header.proof if known is not None and known.header.position[0] == self.log.position().epoch else ""
        if known is None or tuple(known.header.places) != places.walks:
            self.swept = self.memory = None  # it was taken elsewhere
        if sync:
            proof = self._synced(known)
        elif standing is not None:
            proof = snapshot.proof_of(standing)
        elif prove:
            proof = self._proof_of_cursors(sweep(places.walks))
        folders = log_folders.mark(self.paths.data)
        # A snapshot of a shared log bears no proof.
        alone = known is not None and known.header.proof != "" and known.header.folders == folders
        self.shared = not alone and placement.has_others(self.log.home, self.log.machine)
        if self.shared:
            proof = ""
        with self.log.snapshot():
            header = self._header(places.walks, dict(places.environ), folders, proof)
            self.snapshot = self._written(header, known)
        return self.snapshot

    def _synced(self, known: snapshot.Snapshot | None) -> str:
        """Read what the agents have written; the proof of the look that came before, empty where not all of it could be read.

        What is written meanwhile makes the next answer look again.
        """
        was = self.memory
        if known is None or was is None or not self._goes_on(known.header, was):
            proof = snapshot.proof_of([(each.source.path, each.inode, each.size, each.mtime_ns) for each in self.look.found])
            return proof if self._read(self.look, first=known is None) else ""
        # Nobody need look at the thousands that are as they were, nor name the state of each: it is that of then, and what came since.
        proof = snapshot.digest(f"{was.proof} {sorted(was.changed.items())}".encode())
        if not self._read(discover(self.adapters, self.environ, self.home, self.homes, was.news()), partial=True):
            return ""
        with suppress(OSError):
            durable.write_hint(os.path.join(self.paths.views, memory.NAME), was.renewed(proof))
        return proof

    def _goes_on(self, header: snapshot.Header, was: memory.Memory) -> bool:
        """Whether this log has read all that the memory holds, so that only a few changes are news."""
        position = self.log.position()
        same_log = position.epoch == header.position[0] and position.seq >= header.position[1]
        return same_log and 0 < len(was.changed) <= _FEW and was.proof == header.proof

    def _proof_of_cursors(self, looks: list[tuple[str, int, int, int]]) -> str:
        """The proof of a look at all log files, if every one of them stands as it did when it was read to its end."""
        cursors = {known.source.path: known.cursor for known in self.log.sources()}
        for path, inode, size, mtime_ns in looks:
            cursor = cursors.get(path)
            if cursor is None or (cursor.inode, cursor.size, cursor.mtime_ns) != (inode, size, mtime_ns):
                return ""
        return snapshot.proof_of(looks)

    def _read(self, look: Look, *, partial: bool = False, first: bool = False) -> bool:
        """Bring the log up to a look; whether all of it was read. With `first` there is no snapshot yet."""
        unread = sum(found.size for found in look.found)
        shown = unread > BAR_BYTES and self.log.span() is None
        manner = Manner(now_ns=self.now_us * 1000, titles=self.config.session_titles)
        with bar(wanted=shown) as progress:
            meanwhile = self._count_early if first else None
            summary = ingest(self.log, self.adapters, look, manner, partial=partial, progress=progress, meanwhile=meanwhile)
        self.troubles = summary.troubles
        return not summary.stopped and not summary.look_again and len(summary.troubles) <= len(look.troubles)

    def _header(self, places: Any, env: dict[str, str | None], folders: str, proof: str) -> snapshot.Header:
        position = self.log.position()
        today = calendar.day_at(self.zone, self.now_us)
        return snapshot.Header(
            position=(position.epoch, position.seq),
            as_of_us=self.now_us,
            tz=self.zone,
            week_start=self.week_start,
            cost_mode=self.config.usage.cost_mode,
            cost_policy=self.config.usage.cost_policy,
            first_day=today,
            midnights=calendar.midnights(self.zone, today, today + DAYS_AHEAD),
            env={**env, **{name: self.environ.get(name) for name in ("HOME", zone.VARIABLE)}},
            stamps=self.stamps(),
            folders=folders,
            places=places,
            proof=proof,
            profiles=self.rules.names(),
            budgets=self.config.limits(),
        )

    def _written(self, header: snapshot.Header, known: snapshot.Snapshot | None) -> snapshot.Snapshot:
        """The snapshot with this header, also on disk, counting again only what changed since the one that is there."""
        durable.make_dirs(self.paths.views)
        changed = None
        if known is not None and _same_terms(known.header, header):
            changed = self.log.changed_days(Position(*known.header.position))
        if known is None or changed is None:
            early, self._early = self._early, None
            counted = early[1] if early is not None and early[0] == Position(*header.position) else self._counted_all()
            return self._write_both(header, counted)
        days = touched(self.zone, changed)
        try:
            if known.end_day == header.first_day and all(day >= known.end_day for day in days):
                known.check_base()
                counted = self._counted(snapshot_text.open_days_of(known), days)
                return self._write_today(header, known.base_name, known.end_day, counted)
            return self._write_both(header, self._counted(snapshot_text.days_of(known), days))
        except snapshot.Stale:
            return self._write_both(header, self._counted_all())

    def priced_with(self, book: books.Book) -> Days:
        """All days of the log as they cost by another price book."""
        return self._counted_all(Prices(book, mode=self.config.usage.cost_mode))

    def _counted_all(self, prices: Prices | None = None) -> Days:
        return self._counted({}, touched(self.zone, self.log.days()), prices)

    def _count_early(self) -> None:
        # What prevents it is told when it is done once more, and must not undo the commit.
        with suppress(RingletError):
            self._early = self.log.position(), self._counted_all()

    def _counted(self, days: Days, again: set[int], prices: Prices | None = None) -> Days:
        """`days` with those in `again` counted anew."""
        kept = {day: content for day, content in days.items() if day not in again}
        return kept | recount(self.log, self.zone, again, attribution=self.attribution, prices=prices or self._prices)

    @cached_property
    def _prices(self) -> Prices:
        return Prices(self.book, mode=self.config.usage.cost_mode)

    def _write_both(self, header: snapshot.Header, days: Days) -> snapshot.Snapshot:
        text, name = snapshot_text.base_text(days, header.first_day)
        durable.write_over(os.path.join(self.paths.views, snapshot.BASE), text)
        return self._write_today(header, name, header.first_day, days)

    def _write_today(self, header: snapshot.Header, base_name: str, end_day: int, days: Days) -> snapshot.Snapshot:
        text = snapshot_text.today_text(header, base_name, end_day, days)
        durable.write_over(os.path.join(self.paths.views, snapshot.TODAY), text)
        # Not read back from the disk: another process may have put an older one there meanwhile.
        made = snapshot.parsed(text, self.paths.views)
        if made is None:
            raise AssertionError("a snapshot that was just made is none")
        return made

    def _zone(self) -> str:
        name = self.config.timezone or zone.machine_zone(self.environ)
        if name != "UTC":
            calendar.zone(name)  # raises where there is none
        return name


@contextmanager
def opened(paths: Paths, environ: Mapping[str, str], now_us: int) -> Iterator[Store]:
    """The store of these paths, made where it is missing."""
    with Log.open(paths.data) as log:
        _agree(log, paths.views)
        yield Store(paths, environ, now_us, log)


def _agree(log: Log, views: str) -> None:
    """A journal that is older than the snapshot, because a copy of it was put back, is made anew: it would give numbers a second time that
    the views know for other rows, and what was read since the copy is not in it."""
    known = snapshot.load(views)
    if known is not None and (position := log.position()).epoch == known.header.position[0] and position.seq < known.header.position[1]:
        log.mended += ["the journal was older than the answers made from it; it was rebuilt from the log", *log.rebuild()]


def _same_terms(one: snapshot.Header, other: snapshot.Header) -> bool:
    """Whether the same calls are counted, priced and dated in the same way under both."""
    return (one.tz, one.cost_mode, one.stamps) == (other.tz, other.cost_mode, other.stamps)
