"""`ringlet import`: read all that one agent has logged, from where it logs or from a copy elsewhere, and say whose it is."""

import os
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from cli.app import clock
from cli.escaped import escaped, path_shown
from cli.figures import many, usd
from cli.known_before import known_elsewhere
from cli.lost import listed, lost_history
from cli.paths import Paths, paths
from cli.profile_changes import changed
from cli.progress import bar
from cli.refresh import Store, opened
from cli.stopping import Stopping
from ingest import registry
from ingest.adapter import Adapter
from ingest.discover import Look, homes, loose, under
from ingest.reader import Manner
from ingest.run import Share, Summary, ingest
from pipeline import durable
from pipeline.errors import NothingFound, PartlyDone
from pipeline.log import Log
from pipeline.profiles import Rule, Rules, checked_name
from views.query import Query, Totals

app = typer.Typer(add_completion=False)

_GONE_SHOWN = 10
"""Days and models of lost history that are listed."""


@app.command()
def import_(
    agent: Annotated[str, typer.Argument(help="Agent whose logs are read: claude, codex, droid, grok, opencode.")],
    to: Annotated[
        str | None, typer.Option("--to", metavar="PROFILE", help="Profile that this usage belongs to; made where it is missing.")
    ] = None,
    path: Annotated[
        str | None, typer.Option("--from", metavar="PATH", help="Read this folder or file instead of the agent's own homes.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be read; nothing is kept.")] = False,
) -> None:
    """Read everything an agent has logged. What is known already is never counted twice."""
    raise typer.Exit(run(agent, to=to, path=path, dry_run=dry_run))


def run(agent: str, *, to: str | None, path: str | None, dry_run: bool) -> int:
    """Import one agent's logs and print what was read, whose it is and what it cost; the exit code. Raises RingletError."""
    adapter = registry.adapter(agent)
    if to is not None:
        checked_name(to)
    where = paths()
    if not dry_run:
        return _import(where, where, adapter, to, path)
    with tempfile.TemporaryDirectory(prefix="ringlet-") as folder:
        scratch = Paths(folder + "/data", where.config)
        durable.make_dirs(scratch.data)
        durable.write_over(scratch.profiles, Rules.load(where.profiles).dump())
        return _import(scratch, where, adapter, to, path)


def _import(into: Paths, where: Paths, adapter: Adapter[Any], to: str | None, path: str | None) -> int:
    dry_run = into is not where
    with Stopping() as stop, opened(into, os.environ, clock()) as store:
        look = _look(store, adapter, path)
        roots = sorted({found.source.root for found in look.found})
        if to is not None:
            store.rules = changed(into, partial(_mapped, to=to, agent=adapter.agent, roots=roots))
        manner = Manner(now_ns=store.now_us * 1000, take_tail=True, titles=store.config.session_titles, stop=stop)
        with bar() as progress:
            summary = ingest(store.log, [adapter], look, manner, progress=progress)
        store.refreshed(sync=False)
        profiles = sorted({store.rules.profile_of(adapter.agent, root, None) for root in roots})
        elsewhere = _elsewhere(store, where, adapter, look, manner) if (path or to) and not stop.code else {}
        for line in _told(store, adapter, look, path, summary, profiles, elsewhere, dry_run=dry_run):
            typer.echo(line)
        if stop.code:
            typer.echo("Stopped: what was read is kept, and the same command goes on from there.", err=True)
        return stop.code


def _mapped(rules: Rules, *, to: str, agent: str, roots: Sequence[str]) -> Rules:
    """`rules` with the agent's homes `roots` mapped to the profile `to`, made where it is missing."""
    rules = rules.ensure(to, agent=agent)
    for root in roots:
        rules = rules.map(Rule(profile=to, agent=agent, root=root))
    return rules


def _look(store: Store, adapter: Adapter[Any], path: str | None) -> Look:
    """The sources to read. Raises NothingFound with what to do about it."""
    again = f"ringlet import {adapter.agent} --from PATH"
    if path is not None:
        asked = os.path.abspath(os.path.expanduser(path))
        if not os.path.exists(asked):
            raise NothingFound("there is no such file or folder", where=asked, mend=f"check the path, then {again}")
        look = _within(adapter, asked)
        if not look.found:
            raise NothingFound(
                f"holds no logs of {adapter.title} ({_patterns(adapter)})", where=asked, mend=f"name the agent's home: {again}"
            )
        return look
    look = Look()
    places = homes(adapter, store.environ, store.home, store.homes.get(adapter.agent, ()))
    for each in places:
        look.looked_at.append((adapter.agent, each.path))
        look.found.extend(under(adapter, each.path, look.troubles))
    if not look.found:
        if look.troubles:
            first = look.troubles[0]
            raise PartlyDone(first.reason, where=first.path, mend=f"make it readable for you, then ringlet import {adapter.agent}")
        there = [each.path for each in places if os.path.isdir(each.path)]
        if there:
            raise NothingFound(
                f"{', '.join(there)}: no logs of {adapter.title} there ({_patterns(adapter)})", mend=f"if they lie elsewhere: {again}"
            )
        raise NothingFound(
            f"{adapter.title} has no folder here; looked for {', '.join(each.path for each in places)}",
            mend=f"if it lies elsewhere: {again}",
        )
    return look


def _within(adapter: Adapter[Any], asked: str) -> Look:
    """The sources in a folder, or a file, that is an agent's home, lies in one, or holds several."""
    home = asked
    for _ in range(8):
        look = Look()
        look.found = [
            found
            for found in under(adapter, home, look.troubles)
            if found.source.path == asked or (found.source.path + "/").startswith(asked + "/")
        ]
        if look.found:
            return look
        home = os.path.dirname(home)
    look = Look()
    look.found = list(loose(adapter, asked, look.troubles))
    return look


def _elsewhere(store: Store, where: Paths, adapter: Adapter[Any], look: Look, manner: Manner) -> dict[str, int]:
    """Calls of these sources that the user's log has from other homes, by profile."""
    roots = {found.source.root for found in look.found}
    if store.paths is where:
        return known_elsewhere(store.log, store.rules, adapter, look.found, roots, manner)
    try:
        with Log.open(where.data, create=False) as log:  # a dry run's own log knows nothing of what came before
            return known_elsewhere(log, store.rules, adapter, look.found, roots, manner)
    except FileNotFoundError:
        return {}


def _patterns(adapter: Adapter[Any]) -> str:
    return ", ".join(dict.fromkeys(pattern.glob for pattern in adapter.patterns))


def _told(
    store: Store,
    adapter: Adapter[Any],
    look: Look,
    path: str | None,
    summary: Summary,
    profiles: Sequence[str],
    elsewhere: Mapping[str, int],
    *,
    dry_run: bool,
) -> list[str]:
    share = summary.shares.get(adapter.agent, Share())
    read = {known.source.path: known.counts for known in store.log.sources()}
    counts = [read[found.source.path] for found in look.found if found.source.path in read]
    first_seen = sum(count.new for count in counts)
    known = "" if dry_run else f"; {summary.new:,} new" if summary.new else "; nothing new"
    place = _short(path, store.home) if path is not None else ", ".join(_short(root, store.home) for root in _places(look))
    within = f"{many(len(look.found), 'file')}, {many(sum(count.events for count in counts), 'record')}{known}"
    lines = [f"{'Would read' if dry_run else '✓ Read'} {many(first_seen, 'event')} from {place} ({within})"]
    lines += _attributed(profiles, first_seen, elsewhere, dry_run=dry_run)
    lines.append(_cost(store, adapter, profiles, dry_run=dry_run, more=path is not None and not dry_run))
    lines += _skipped(share, summary)
    if adapter.agent == "claude" and path is None:
        gone = lost_history(store)
        if gone:
            tokens = sum(each.tokens for each in gone)
            lines.append(
                f"  {tokens:,} further tokens stand in Claude Code's stats-cache.json alone, their transcripts are gone: ringlet doctor"
            )
            lines += [f"  {line}" for line in listed(gone, _GONE_SHOWN)]
    return lines


def _attributed(profiles: Sequence[str], first_seen: int, elsewhere: Mapping[str, int], *, dry_run: bool) -> list[str]:
    """Whose the calls are: those that another home had before stay with it."""
    known = sum(elsewhere.values())
    own = max(first_seen - known, 0) if dry_run else first_seen
    if not known:
        return [f"{'Would attribute them' if dry_run else '✓ Attributed'} to {_whose(profiles)}"]
    what = f"{many(own, 'call') if own else 'nothing'} to {_whose(profiles)}"
    where = ", ".join(f"{many(count, 'call')} in {_whose([profile])}" for profile, count in sorted(elsewhere.items()))
    return [
        f"Would attribute {what}" if dry_run else f"✓ Attributed {what}" if own else f"Attributed {what}",
        f"  known from another home before, and staying there: {where} (whose a home is, ringlet profiles map decides)",
    ]


def _cost(store: Store, adapter: Adapter[Any], profiles: Sequence[str], *, dry_run: bool, more: bool) -> str:
    """What the agent's calls of these profiles cost; `more`: the line must say so, as they may be more than what was read."""
    today = store.snapshot.today(store.now_us) or store.snapshot.header.first_day
    cost: int | None = None
    unpriced = 0
    first: int | None = None
    last: int | None = None
    for profile in profiles:
        totals: Totals = store.snapshot.answer(
            Query(now_us=store.now_us, today=today, tz=store.zone, by="model", period="all", agent=adapter.agent, profile=profile)
        ).totals
        if totals.cost is not None and totals.requests:
            cost = (cost or 0) + totals.cost
        unpriced += totals.unpriced_requests
        first = min((at for at in (first, totals.first_at_us) if at is not None), default=None)
        last = max((at for at in (last, totals.last_at_us) if at is not None), default=None)
    head = "Cost would be" if dry_run else "✓ Cost reconstructed:"
    if first is None or last is None:
        return f"{head} - (no calls)"
    notes = [_span(first, last, store.zone)]
    if more:
        notes.append(f"all of {adapter.title} in {_whose(profiles)}")
    if unpriced:
        notes.append(f"{many(unpriced, 'call')} without a known price: ringlet usage models --period all")
    elif cost is None:
        notes.append("these calls are not billed per token")
    return f"{head} {usd(cost)} ({'; '.join(notes)})"


def _whose(profiles: Sequence[str]) -> str:
    return "profile " + ", ".join(f"'{profile}'" for profile in profiles)


def _skipped(share: Share, summary: Summary) -> list[str]:
    """What was not counted, and why."""
    lines = []
    if share.ignored:
        named = ", ".join(f"{count:,} {name}" for name, count in sorted(share.seen.items()))
        lines.append(f"  {many(share.ignored, 'record')} without a call{f' ({named})' if named else ''}")
    if share.quarantined:
        lines.append(f"  {many(share.quarantined, 'record')} in quarantine, not counted: ringlet doctor")
    lines += [f"  not read: {escaped(trouble.path)}: {trouble.reason}" for trouble in summary.troubles[:5]]
    if len(summary.troubles) > 5:
        lines.append(f"  and {len(summary.troubles) - 5:,} more that could not be read: ringlet doctor")
    return lines


def _places(look: Look) -> list[str]:
    """The folders that the sources lie in, as short as they can be said."""
    tops = {}
    for found in look.found:
        below = os.path.relpath(found.source.path, found.source.root).split(os.sep)
        tops[os.path.join(found.source.root, below[0])] = True
    return sorted(tops)


def _short(path: str, home: str) -> str:
    return path_shown(os.path.abspath(os.path.expanduser(path)), home)


def _span(first_us: int, last_us: int, zone: str) -> str:
    """Mar 1 → May 12, 2026; the first year too where it is another."""
    first, last = (datetime.fromtimestamp(at / 1_000_000, UTC).astimezone(ZoneInfo(zone)) for at in (first_us, last_us))
    year = f", {first.year}" if first.year != last.year else ""
    return f"{first:%b} {first.day}{year} → {last:%b} {last.day}, {last.year}"
