"""Ingest from end to end: what the sources say now is in the log afterwards.

Decides which sources are looked at, in which order their readings are committed and what is told about it. Used by every command that
imports, by the watcher, and by light commands for the last few lines, so it loads what only large imports need when there is one.

What is read is committed batch by batch with its cursors. Whoever is interrupted has kept whole batches, and the next run goes on there.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from ingest.adapter import Adapter, Home
from ingest.bulk import Harvest, Progress, due, read_all
from ingest.discover import Found, Look, Trouble, discover, under
from ingest.reader import LOOK_AGAIN, Manner, Work, unchanged
from pipeline.log import Commit, Log
from pipeline.questions import StoredSource

ATTEMPTS = 20
"""How often a source is read again because another process was faster."""


class Share(msgspec.Struct, kw_only=True, gc=False):
    """What one agent's sources gave."""

    sources: int = 0
    """Sources with news."""
    bytes: int = 0
    lines: int = 0
    events: int = 0
    ignored: int = 0
    quarantined: int = 0
    seen: dict[str, int] = msgspec.field(default_factory=dict)


class Summary(msgspec.Struct, kw_only=True, gc=False):
    """What one run did. `events` = `new` + `updated` + `duplicate`."""

    found: int = 0
    """Sources that exist."""
    shares: dict[str, Share] = msgspec.field(default_factory=dict)
    """By agent, those with news only."""
    new: int = 0
    updated: int = 0
    duplicate: int = 0
    days: set[int] = msgspec.field(default_factory=set)
    """UTC day numbers whose calls changed."""
    troubles: list[Trouble] = msgspec.field(default_factory=list)
    missing: list[Home] = msgspec.field(default_factory=list)
    taken: int = 0
    """Sources of which another process read meanwhile all that was new."""
    look_again: int = 0
    """Sources that the next look must read again, whatever it sees: of them nobody can say yet that all is read."""
    stopped: bool = False
    """Asked to stop before everything was read."""

    @property
    def events(self) -> int:
        """Sightings of calls."""
        return sum(share.events for share in self.shares.values())


def refresh(
    log: Log,
    adapters: Sequence[Adapter[Any]],
    environ: Mapping[str, str],
    home: str,
    manner: Manner,
    *,
    further: Mapping[str, Sequence[str]] = {},
    on_commit: Callable[[Harvest, Commit], None] | None = None,
) -> Summary:
    """Bring the log up to what the homes of `adapters` hold now."""
    return ingest(log, adapters, discover(adapters, environ, home, further), manner, on_commit=on_commit)


def ingest(
    log: Log,
    adapters: Sequence[Adapter[Any]],
    look: Look,
    manner: Manner,
    *,
    partial: bool = False,
    progress: Callable[[int, int], None] | None = None,
    on_commit: Callable[[Harvest, Commit], None] | None = None,
    meanwhile: Callable[[], None] | None = None,
    workers: int | None = None,
) -> Summary:
    """Bring the log up to what the sources in `look` hold.

    A `partial` look holds some of the sources: of the others nothing is known, not even that they are gone.
    `progress` is told (bytes dealt with, bytes in all); `on_commit` each harvest and what its commit did. Sources that cannot be read are
    told in the summary and tried again by the next run; where some have gone since the look, their homes are looked at once more, for what
    they may be called now. With `manner.take_tail`, unfinished last lines are looked at even where nothing
    changed. `meanwhile` is handed to the commit where one holds all that there is to read (see `Log.commit`).
    """
    by_agent = {adapter.agent: adapter for adapter in adapters}
    paths = [each.source.path for each in look.found] if partial else None
    stored = {known.source.path: known for known in log.sources(paths)}
    summary = Summary(found=len(look.found), troubles=list(look.troubles), missing=list(look.missing))
    work = _news(log, look.found, stored, manner)
    if not partial:
        _mark_gone(log, look, stored)
    if work:
        run = _Run(log, by_agent, manner, summary, on_commit, meanwhile)
        run.all(work, progress, workers)
        if run.vanished and not summary.stopped:
            moved = list(_moved(by_agent, run.vanished, {each.source.path for each in look.found}))
            known = {each.source.path: each for each in log.sources([each.source.path for each in moved])}
            run.all(_news(log, moved, known, manner), None, workers)
    return summary


class _Run:
    """One run under way."""

    def __init__(
        self,
        log: Log,
        adapters: Mapping[str, Adapter[Any]],
        manner: Manner,
        summary: Summary,
        on_commit: Callable[[Harvest, Commit], None] | None,
        meanwhile: Callable[[], None] | None,
    ) -> None:
        self._log = log
        self._adapters = adapters
        self._manner = manner
        self._summary = summary
        self._on_commit = on_commit
        self._meanwhile = meanwhile
        self.vanished: list[Found] = []
        """Sources that were no longer there when their turn came."""
        self._stale: list[int] = []
        self._again = False
        """Whether what is read now was taken by another process before."""

    def all(self, work: Sequence[Work], progress: Callable[[int, int], None] | None, workers: int | None) -> None:
        by_id = {each.source_id: each for each in work}
        for _ in range(ATTEMPTS):
            for harvest in read_all(work, self._adapters, self._manner, workers=workers, progress=_of(work, progress)):
                self._commit(harvest, by_id)
                # Tens of megabytes, which the next one needs.
                del harvest
            self._summary.stopped = self._manner.stop is not None and self._manner.stop()
            if not self._stale or self._summary.stopped:
                return
            # Another process took these meanwhile: on from where it left them.
            cursors = {known.id: known.cursor for known in self._log.sources()}
            work = [msgspec.structs.replace(by_id[number], cursor=cursors[number]) for number in self._stale]
            self._stale, self._again = [], True

    def _commit(self, harvest: Harvest, by_id: Mapping[int, Work]) -> None:
        summary = self._summary
        # What is done after one commit of many would be done again after the next.
        meanwhile = self._meanwhile if len(harvest.readings) + len(harvest.troubles) == len(by_id) else None
        commit = self._log.commit(harvest.batch, harvest.readings, ingested_at_us=self._manner.now_ns // 1000, meanwhile=meanwhile)
        self._stale.extend(commit.stale)
        summary.new += commit.new
        summary.updated += commit.updated
        summary.duplicate += commit.duplicate
        summary.days |= commit.days
        stale = set(commit.stale)
        for reading in harvest.readings:
            if reading.source_id not in stale:
                summary.look_again += reading.after.size == LOOK_AGAIN
                if not (reading.counts.bytes or reading.counts.lines or reading.seen):
                    summary.taken += self._again
                    continue
                share = summary.shares.setdefault(by_id[reading.source_id].found.source.agent, Share())
                share.sources += 1
                share.bytes += reading.counts.bytes
                share.lines += reading.counts.lines
                share.events += reading.counts.events
                share.ignored += reading.counts.ignored
                share.quarantined += reading.counts.quarantined
                for name, count in reading.seen.items():
                    share.seen[name] = share.seen.get(name, 0) + count
        for number, reason in harvest.troubles.items():
            found = by_id[number].found
            if reason == "vanished":
                self.vanished.append(found)
            else:
                summary.troubles.append(Trouble(path=found.source.path, reason=reason))
        if self._on_commit is not None:
            self._on_commit(harvest, commit)


def _moved(adapters: Mapping[str, Adapter[Any]], vanished: Iterable[Found], seen: set[str]) -> Iterator[Found]:
    """What lies in the homes of sources that have vanished and was not seen before: agents rename, pack and archive their logs."""
    for agent, root in dict.fromkeys((found.source.agent, found.source.root) for found in vanished):
        for found in under(adapters[agent], root, []):
            if found.source.path not in seen:
                yield found


def _of(work: Iterable[Work], progress: Callable[[int, int], None] | None) -> Progress | None:
    if progress is None:
        return None
    told, total = progress, sum(map(due, work))
    return lambda dealt: told(dealt, total)


def _news(log: Log, found: Sequence[Found], stored: Mapping[str, StoredSource], manner: Manner) -> list[Work]:
    """The sources that are not as they were at the last look, each with its number."""
    fresh = [each.source for each in found if each.source.path not in stored or stored[each.source.path].gone]
    numbers = log.register(fresh) if fresh else {}
    work = []
    for each in found:
        known = stored.get(each.source.path)
        cursor = known.cursor if known is not None else None
        unfinished = manner.take_tail and cursor is not None and each.source.kind == "lines" and cursor.offset < each.size
        if unfinished or not unchanged(each, cursor):
            number = known.id if known is not None else numbers[each.source.path]
            work.append(Work(found=each, source_id=number, cursor=cursor))
    return work


def _mark_gone(log: Log, look: Look, stored: Mapping[str, StoredSource]) -> None:
    """Note which known sources are no longer there, as far as their homes could be looked at."""
    present = {each.source.path for each in look.found}
    looked_at = set(look.looked_at)
    shut = tuple(trouble.path for trouble in look.troubles)
    gone = [
        known.id
        for path, known in stored.items()
        if path not in present and not known.gone and (known.source.agent, known.source.root) in looked_at and not path.startswith(shut)
    ]
    if gone:
        log.mark_gone(gone)
