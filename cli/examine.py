"""Is the store well, and is every log line accounted for? What `ringlet doctor` looks at.

Decides what counts as well, as a warning and as damage, and which command mends it. Looks only: reads no agent's log for news and changes
nothing. The log's own findings are `pipeline.check`'s.
"""

import os
import shutil
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime

from cli import examine_views
from cli.figures import many
from cli.hooks import examined
from cli.lost import lost_history, lost_threads
from cli.paths import Paths
from cli.refresh import Store
from cli.report import Finding, Report, SourceReport, shown
from pipeline import check
from pipeline.questions import StoredSource
from views.pricing import sync
from views.pricing.book import header
from views.query import Answer, Query

FREE_BYTES = 200_000_000
"""With less free space than this, an import may stop half-way."""
PRICES_OLD_DAYS = 60
FUTURE_US = 24 * 3_600_000_000
"""A call dated further ahead than this is kept, and pointed out."""


def examine(store: Store, *, deep: bool) -> Report:
    """The report on an opened store."""
    report = Report()
    found = report.findings
    found += [
        Finding(level=each.level, area=each.code.replace("_", " "), what=each.what, where=shown(each.where), mend=each.mend)
        for each in check.check(store.log, deep=deep)
    ]
    _sources(store, report)
    found += _quarantine(store, report)
    found += _disk(store.paths)
    found += _prices(store)
    answer = _all_time(store)
    found += _answers(store, report, answer)
    found += examine_views.found(store, answer)
    found += _lost(store, report)
    found += examined.found(store)
    report.segments = len(store.log.segments())
    report.hot_rows = store.log.hot_count()
    levels = {finding.level for finding in found}
    report.status = "damage" if "damage" in levels else "warnings" if "warning" in levels else "well"
    return report


def _sources(store: Store, report: Report) -> None:
    seen: Counter[str] = Counter()
    for known in store.log.sources():
        counts = known.counts
        seen.update(known.seen)
        report.sources.append(
            SourceReport(
                path=shown(known.source.path),
                agent=known.source.agent,
                gone=known.gone,
                lines=counts.lines,
                new=counts.new,
                updated=counts.updated,
                duplicate=counts.duplicate,
                ignored=counts.ignored,
                quarantined=counts.quarantined,
                bytes=counts.bytes,
                unread_bytes=_unread(known),
                resets=counts.resets,
                seen=known.seen,
            )
        )
        told = counts.new + counts.updated + counts.duplicate + counts.ignored + counts.quarantined
        if told != counts.lines:
            report.findings.append(
                Finding(
                    level="damage",
                    area="accounting",
                    what=f"{counts.lines} records were read and {told} are accounted for",
                    where=shown(known.source.path),
                    mend="ringlet doctor --repair reads the source again",
                )
            )
    report.seen = dict(sorted(seen.items()))
    behind = [each for each in report.sources if each.unread_bytes]
    if behind:
        bytes_behind = sum(each.unread_bytes or 0 for each in behind)
        report.findings.append(
            Finding(
                level="note",
                area="sources",
                what=f"{bytes_behind:,} bytes of {many(len(behind), 'source')} are not read yet, unfinished last lines included",
                mend="ringlet ingest reads them",
            )
        )
    known_paths = {known.source.path for known in store.log.sources()}
    unseen = sum(found.source.path not in known_paths for found in store.look.found)
    if unseen:
        report.findings.append(
            Finding(level="note", area="sources", what=f"{many(unseen, 'file')} not read at all yet", mend="ringlet ingest reads them")
        )
    for trouble in store.look.troubles:
        report.findings.append(
            Finding(level="warning", area="sources", what=trouble.reason, where=shown(trouble.path), mend="make it readable for you")
        )
    for home in store.look.missing:
        report.findings.append(Finding(level="warning", area="sources", what="the named agent home is not there", where=shown(home.path)))


def _unread(known: StoredSource) -> int | None:
    if known.gone or known.cursor is None or known.source.kind != "lines":
        return None
    try:
        size = os.stat(known.source.path).st_size
    except OSError:
        return None
    # A compressed source's offset counts its text, which its size says nothing of.
    if known.cursor.offset > known.cursor.size:
        return None
    # One that is shorter than it was is read again from its start.
    return size - known.cursor.offset if size >= known.cursor.offset else size


def _quarantine(store: Store, report: Report) -> Iterator[Finding]:
    by_reason: dict[str, list[str]] = {}
    for kept in store.log.quarantine():
        by_reason.setdefault(kept.record.reason, []).append(f"{shown(kept.path)}:{kept.record.offset}")
    report.quarantine = {reason: len(places) for reason, places in sorted(by_reason.items())}
    for reason, places in sorted(by_reason.items()):
        first = ", ".join(places[:3]) + (f" and {len(places) - 3} more" if len(places) > 3 else "")
        yield Finding(
            level="warning",
            area="quarantine",
            what=f"{many(len(places), 'record')} that {'claims' if len(places) == 1 else 'claim'} usage cannot be believed: {reason}",
            where=first,
            mend="docs/quarantine.md says what the reason means",
        )


def _disk(paths: Paths) -> Iterator[Finding]:
    free = shutil.disk_usage(paths.data).free
    if free < FREE_BYTES:
        yield Finding(
            level="warning", area="disk", what=f"{free // 1_000_000} MB are free", where=shown(paths.data), mend="free some space"
        )


def _prices(store: Store) -> Iterator[Finding]:
    _, record = sync.load(store.paths.prices)
    until = record.at[:10] if record is not None else header(sync.shipped(), "until")
    age = (datetime.fromtimestamp(store.now_us / 1e6, UTC).date() - date.fromisoformat(until)).days
    if age > PRICES_OLD_DAYS:
        yield Finding(
            level="warning", area="prices", what=f"the newest price is {age} days old", mend="ringlet registry sync fetches today's"
        )
    damaged = sync.trouble(store.paths.prices)
    if damaged is not None:
        yield Finding(
            level="damage",
            area="prices",
            what=f"what was synced is damaged: {damaged}",
            where=shown(store.paths.prices),
            mend="ringlet registry sync fetches today's",
        )


def _all_time(store: Store) -> Answer:
    """What all commands say of the whole log."""
    snapshot = store.refreshed(sync=False)
    mode = store.config.usage.cost_mode
    return snapshot.answer(
        Query(now_us=store.now_us, today=snapshot.today(store.now_us) or 0, tz=store.zone, by="model", period="all", cost_mode=mode)
    )


def _answers(store: Store, report: Report, answer: Answer) -> Iterator[Finding]:
    report.calls = answer.totals.requests
    report.unpriced_models = list(answer.unpriced_models)
    if answer.totals.unpriced_requests:
        models = ", ".join(answer.unpriced_models)
        yield Finding(
            level="warning",
            area="prices",
            what=f"no price is known for {many(answer.totals.unpriced_requests, 'call')}: {models}",
            mend="ringlet registry sync, or a [tokenPriceTable] row in config.toml",
        )
    last = answer.totals.last_at_us
    if last is not None and last > store.now_us + FUTURE_US:
        at = datetime.fromtimestamp(last / 1e6, UTC)
        yield Finding(level="warning", area="clock", what=f"calls are dated in the future, up to {at:%Y-%m-%d %H:%M} UTC")


def _lost(store: Store, report: Report) -> Iterator[Finding]:
    history = report.lost_history = lost_history(store)
    tokens = sum(each.tokens for each in history)
    if history:
        days = sorted({each.day for each in history if each.day is not None})
        what = f"{tokens:,} more tokens" + (f" on {many(len(days), 'day')} ({days[0]} to {days[-1]})" if days else "")
        yield _gone(f"Claude Code's own statistics know {what}", "stats-cache.json")
    threads = lost_threads(store)
    more = sum(thread.tokens for thread in threads)
    if threads:
        what = f"{more:,} more tokens in {many(len(threads), 'thread')}, not divided into classes"
        yield _gone(f"Codex's own database knows {what}", "state_*.sqlite")
    report.lost_tokens = tokens + more


def _gone(known: str, where: str) -> Finding:
    return Finding(level="warning", area="lost history", what=f"{known}, that no log holds any more; they are in no total", where=where)
