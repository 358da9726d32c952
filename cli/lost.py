"""History that is gone: what an agent's own statistics remember beyond the calls that are known.

Decides which statistics are compared with which calls, and how a list of it reads. It is shown beside totals and never added to them.
"""

import os
from collections.abc import Iterator
from datetime import date, timedelta

from cli.escaped import escaped
from cli.figures import many
from cli.refresh import Store
from ingest.adapters import claude_stats, codex_threads
from ingest.adapters.claude_stats import Lost, ModelSums
from ingest.adapters.codex_threads import ThreadTotal
from ingest.decode import BadRecord
from ingest.discover import homes
from pipeline import durable
from pipeline.batch import Dims
from pipeline.questions import Position, Total
from pipeline.rows import RowsUnavailable, read_rows
from views import lost as gaps
from views.recount import runs, touched
from views.snapshot import stamp

_CLAUDE = "claude"
_CODEX = "codex"
_EPOCH = date(1970, 1, 1)
_NOTHING = Lost(model="", day=None, tokens=0)


def remembered(store: Store) -> gaps.Gaps:
    """What is lost by local day, worked out again only when the statistics have changed or calls of a day with a gap have come in."""
    position, stamp = store.log.position(), _stamp(store)
    known = gaps.read(store.paths.views)
    if known is not None and known.stamp == stamp:
        changed = store.log.changed_days(Position(known.epoch, known.seq))
        if changed is not None and (not known.tokens or touched(store.zone, changed).isdisjoint(known.tokens)):
            return known
    tokens: dict[int, int] = {}
    for each in lost_days(store):
        if each.day is not None:
            day = (each.day - _EPOCH).days
            tokens[day] = tokens.get(day, 0) + each.tokens
    made = gaps.Gaps(position.epoch, position.seq, stamp, tokens)
    durable.write_over(os.path.join(store.paths.views, gaps.NAME), gaps.text(made))
    return made


def lost_history(store: Store) -> list[Lost]:
    """What Claude Code remembers and no known call explains, by local day and model; by model alone where no day lacks anything."""
    return lost_days(store) or [Lost(model=model, day=None, tokens=_sum_of(lack)) for model, lack in lost_models(store)]


def listed(history: list[Lost], most: int) -> list[str]:
    """One line for each day and model, `most` at the most, and one that says how many are left out."""
    lines = [f"  {each.day or 'all time'}  {escaped(each.model)}  {many(each.tokens, 'token')}" for each in history[:most]]
    if len(history) > most:
        lines.append(f"  and {len(history) - most:,} more (ringlet doctor --json)")
    return lines


def lost_days(store: Store) -> list[Lost]:
    """Tokens by local day and model that Claude Code counted and no known call explains: at least so many."""
    known: dict[tuple[date, str], int] = {}
    largest: dict[tuple[date | None, str], Lost] = {}
    stats = list(_statistics(store))
    for dims, total in _known(store, _CLAUDE) if stats else ():
        at = (_EPOCH + timedelta(days=total.day), dims.model or "")
        known[at] = known.get(at, 0) + total.input + total.output + total.cache_read + total.cache_write_5m + total.cache_write_1h
    for each in stats:
        for gap in claude_stats.lost_by_day(each, known):
            # Copies of one home remember the same: the largest gap counts once.
            if gap.tokens > largest.get((gap.day, gap.model), _NOTHING).tokens:
                largest[gap.day, gap.model] = gap
    return sorted(largest.values(), key=lambda gap: (gap.day or _EPOCH, gap.model))


def lost_models(store: Store) -> list[tuple[str, ModelSums]]:
    """Tokens by model and class, over all time, that Claude Code counted and no known call explains: at least so many."""
    known: dict[str, ModelSums] = {}
    largest: dict[str, ModelSums] = {}
    stats = list(_statistics(store))
    for dims, total in _known(store, _CLAUDE) if stats else ():
        model = dims.model or ""
        before = known.get(model, ModelSums())
        known[model] = ModelSums(
            input=before.input + total.input,
            output=before.output + total.output,
            cache_read=before.cache_read + total.cache_read,
            cache_write=before.cache_write + total.cache_write_5m + total.cache_write_1h,
        )
    for each in stats:
        for model, lack in claude_stats.lost_by_model(each, known):
            if _sum_of(lack) > _sum_of(largest.get(model, ModelSums())):
                largest[model] = lack
    return sorted(largest.items())


def lost_threads(store: Store) -> list[ThreadTotal]:
    """Threads that Codex's own database counted and of which no call is known: their rollouts are gone."""
    found: dict[str, ThreadTotal] = {}
    known: set[str] | None = None
    for each in store.look.found:
        if each.source.agent != _CODEX or each.source.kind != "rows":
            continue
        if known is None:
            known = {dims.session for dims, _ in _known(store, _CODEX) if dims.session is not None}
        try:
            records = [record for _, record in read_rows(each.source.path, codex_threads.THREADS)]
        except RowsUnavailable:
            # What another program holds now is unknown, not lost.
            continue
        for thread in codex_threads.lost(records, known):
            # Each version of the database repeats its predecessor's threads.
            if thread.session not in found or found[thread.session].tokens < thread.tokens:
                found[thread.session] = thread
    return sorted(found.values(), key=lambda thread: (thread.at, thread.session))


def _sum_of(sums: ModelSums) -> int:
    """Tokens of all classes."""
    return sums.input + sums.output + sums.cache_read + sums.cache_write


def _statistics(store: Store) -> Iterator[claude_stats.Stats]:
    for path in _files(store):
        try:
            with open(path, "rb") as file:
                yield claude_stats.parse(file.read())
        except (OSError, BadRecord):
            # No such file, or one that is being written: there is nothing to compare with.
            continue


def _stamp(store: Store) -> str:
    """Changes with the statistics and with the zone that their days are compared in."""
    return " ".join([store.zone, *(stamp(path) for path in _files(store))])


def _files(store: Store) -> list[str]:
    found = (adapter for adapter in store.adapters if adapter.agent == _CLAUDE)
    places = (home for adapter in found for home in homes(adapter, store.environ, store.home, store.homes.get(_CLAUDE, ())))
    return [os.path.join(home.path, claude_stats.NAME) for home in places]


def _known(store: Store, agent: str) -> Iterator[tuple[Dims, Total]]:
    """Dimensions and sums of the agent's calls, by local day."""
    for _, _, from_us, to_us, offset_us in runs(store.zone, touched(store.zone, store.log.days())):
        totals = list(store.log.totals(from_us, to_us, offset_us=offset_us, steps=()))
        dims = store.log.dims({total.dim for total in totals})
        yield from ((dims[total.dim], total) for total in totals if dims[total.dim].agent == agent)
