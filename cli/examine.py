"""Is the store well, and is every log line accounted for? What `ringlet doctor` looks at.

Decides what counts as well, as a warning and as damage, and which command mends it. Looks only: reads no agent's log for news and changes
nothing. The log's own findings are `pipeline.check`'s.
"""

import os
import shutil
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Literal

import msgspec

from cli.escaped import escaped
from cli.figures import many
from cli.hooks import book
from cli.lost import lost_days, lost_models, lost_threads, sum_of
from cli.paths import Paths
from cli.refresh import Store
from cli.serve import state
from pipeline import check
from pipeline.errors import RingletError
from pipeline.log import StoredSource
from pipeline.outbox import GIVEN_UP, Outbox
from pipeline.record import SUMS
from views import shelf
from views.pricing import sync
from views.pricing.book import header
from views.query import Answer, Query

_COSTS = ("cost_input", "cost_output", "cost_cache_write", "cost_cache_read", "cost_other")

FREE_BYTES = 200_000_000
"""With less free space than this, an import may stop half-way."""
PRICES_OLD_DAYS = 60
ALERTS = 1000
"""So many of the last alerts are looked at."""
FUTURE_US = 24 * 3_600_000_000
"""A call dated further ahead than this is kept, and pointed out."""

Status = Literal["well", "warnings", "damage"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing worth saying."""

    level: Literal["note", "warning", "damage"]
    area: str
    """What it is about, in few words that stay the same."""
    what: str
    where: str | None = None
    mend: str | None = None
    """The command or change that mends it."""


class SourceReport(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one source's records: `lines` = `new` + `updated` + `duplicate` + `ignored` + `quarantined`."""

    path: str
    agent: str
    gone: bool
    lines: int
    new: int
    updated: int
    duplicate: int
    ignored: int
    quarantined: int
    bytes: int
    unread_bytes: int | None
    """Bytes after the cursor; None where the file is gone or its size says nothing (compressed, databases)."""
    resets: int
    seen: dict[str, int]


class Report(msgspec.Struct, kw_only=True):
    """Everything that `ringlet doctor` found."""

    schema_version: int = 1
    status: Status = "well"
    findings: list[Finding] = []
    sources: list[SourceReport] = []
    quarantine: dict[str, int] = {}
    """Records by reason."""
    seen: dict[str, int] = {}
    """Records without a call that are worth a number, by name."""
    unpriced_models: list[str] = []
    lost_tokens: int = 0
    """Tokens that an agent's statistics remember and no log holds any more, at least."""
    segments: int = 0
    hot_rows: int = 0
    calls: int = 0


def examine(store: Store, *, deep: bool) -> Report:
    """The report on an opened store."""
    report = Report()
    found = report.findings
    found += [
        Finding(level=each.level, area=each.code.replace("_", " "), what=each.what, where=_shown(each.where), mend=each.mend)
        for each in check.check(store.log, deep=deep)
    ]
    _sources(store, report)
    found += _quarantine(store, report)
    found += _disk(store.paths)
    found += _prices(store)
    answer = _all_time(store)
    found += _answers(store, report, answer)
    found += _views(store, answer)
    found += _lost(store, report)
    found += _hooks(store)
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
                path=_shown(known.source.path),
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
                    where=_shown(known.source.path),
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
            Finding(level="warning", area="sources", what=trouble.reason, where=_shown(trouble.path), mend="make it readable for you")
        )
    for home in store.look.missing:
        report.findings.append(Finding(level="warning", area="sources", what="the named agent home is not there", where=_shown(home.path)))


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
        by_reason.setdefault(kept.record.reason, []).append(f"{_shown(kept.path)}:{kept.record.offset}")
    report.quarantine = {reason: len(places) for reason, places in sorted(by_reason.items())}
    for reason, places in sorted(by_reason.items()):
        shown = ", ".join(places[:3]) + (f" and {len(places) - 3} more" if len(places) > 3 else "")
        yield Finding(
            level="warning",
            area="quarantine",
            what=f"{many(len(places), 'record')} that {'claims' if len(places) == 1 else 'claim'} usage cannot be believed: {reason}",
            where=shown,
            mend="docs/quarantine.md says what the reason means",
        )


def _disk(paths: Paths) -> Iterator[Finding]:
    free = shutil.disk_usage(paths.data).free
    if free < FREE_BYTES:
        yield Finding(
            level="warning", area="disk", what=f"{free // 1_000_000} MB are free", where=_shown(paths.data), mend="free some space"
        )


def _prices(store: Store) -> Iterator[Finding]:
    _, record = sync.load(store.paths.prices)
    until = record.at[:10] if record is not None else header(sync.shipped(), "until")
    age = (datetime.fromtimestamp(store.now_us / 1e6, UTC).date() - date.fromisoformat(until)).days
    if age > PRICES_OLD_DAYS:
        yield Finding(
            level="warning", area="prices", what=f"the newest price is {age} days old", mend="ringlet registry sync fetches today's"
        )


def _views(store: Store, answer: Answer) -> Iterator[Finding]:
    made = shelf.mark(store.paths.views)
    position = store.log.position()
    if made is None or not shelf.has_roll_ups(store.paths.views):
        yield Finding(level="note", area="views", what="the views are not made yet", mend="ringlet views rebuild makes them")
    elif made.position != position:
        yield Finding(
            level="note",
            area="views",
            what="the views are behind the log; the next question brings them up to date",
            mend="ringlet views rebuild",
        )
    else:
        yield from _view_sums(store, answer)


def _view_sums(store: Store, answer: Answer) -> Iterator[Finding]:
    from views.audit import sums  # the frame library, which a store without views need not load

    totals = answer.totals
    expected = {name: Decimal(getattr(totals, name)) for name in ("requests", *SUMS)}
    expected["cost_usd"] = Decimal(sum(getattr(totals, part) for part in _COSTS)).scaleb(-18)
    views, against = sums(store.paths.views), "the log"
    for view, found in views.items():
        if found is None:
            yield Finding(level="damage", area="views", what=f"{view} cannot be read", mend="ringlet views rebuild --full")
    cube = views["cube"]
    if store.shared and cube is None:
        return
    if store.shared and cube is not None:
        # This machine's journal does not know the other's calls: the views can only be held against each other.
        expected, against = {name: Decimal(value) for name, value in cube.items()}, "cube"
        yield Finding(
            level="note", area="machines", what="another machine's segments lie beside this one's; the views count once what both saw"
        )
    for view, found in views.items():
        for name, value in (found or {}).items():
            if value != expected[name]:
                yield Finding(
                    level="damage",
                    area="views",
                    what=f"{view} adds up to {value:,} {name}, {against} to {expected[name]:,}",
                    mend="ringlet views rebuild --full",
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


def _hooks(store: Store) -> Iterator[Finding]:
    try:
        hooks = book.load(store.paths.hooks).hooks
    except RingletError as error:
        yield Finding(level="warning", area="hooks", what=f"{error.what}: nothing is told", where=store.paths.hooks, mend=error.mend)
        return
    if not hooks:
        return
    profiles = store.rules.names()
    for hook in hooks:
        if hook.profile not in profiles:
            what = f"hook {hook.id} waits for profile {hook.profile!r}, which there is not"
            yield Finding(level="warning", area="hooks", what=what, mend=f"ringlet hooks remove {hook.id}")
    if all(hook.is_tool_event for hook in hooks):
        return
    if state.holder(store.paths.data) is None:
        what = "there are hooks on spend and nobody watches: nothing is told"
        yield Finding(level="warning", area="hooks", what=what, mend="ringlet daemon start, or ringlet ingest --watch")
    with Outbox.open(store.paths.data) as outbox:
        alerts = outbox.recent(ALERTS)
    for hook in hooks:
        of_it = [alert for alert in alerts if alert.hook == hook.id]
        # Only the last one: what failed long ago and works again is mended.
        if of_it and (of_it[0].outcome == GIVEN_UP or (of_it[0].outcome is None and of_it[0].said)):
            tried = "it is given up" if of_it[0].outcome else "it is tried again"
            what = f"hook {hook.id} could not tell its last alert, {tried}: {of_it[0].said}"
            yield Finding(level="warning", area="hooks", what=what, mend=f"ringlet hooks test {hook.id}")


def _lost(store: Store, report: Report) -> Iterator[Finding]:
    days = lost_days(store)
    if days:
        tokens = sum(gap.tokens for gap in days)
        what = f"{tokens:,} more tokens on {many(len({gap.day for gap in days}), 'day')} ({days[0].day} to {days[-1].day})"
    else:
        models = lost_models(store)
        tokens = sum(sum_of(lack) for _, lack in models)
        what = f"{tokens:,} more tokens of {', '.join(model for model, _ in models)}"
    if tokens:
        yield _gone(f"Claude Code's own statistics know {what}", "stats-cache.json")
    threads = lost_threads(store)
    more = sum(thread.tokens for thread in threads)
    if threads:
        what = f"{more:,} more tokens in {many(len(threads), 'thread')}, not divided into classes"
        yield _gone(f"Codex's own database knows {what}", "state_*.sqlite")
    report.lost_tokens = tokens + more


def _gone(known: str, where: str) -> Finding:
    return Finding(level="warning", area="lost history", what=f"{known}, that no log holds any more; they are in no total", where=where)


def _shown(path: str) -> str:
    """A path as text: bytes that are none stand as U+FFFD, and what a terminal would act on as an escape."""
    return escaped(os.fsencode(path).decode("utf-8", "replace"))
