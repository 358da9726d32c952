"""History that is gone: what an agent's own statistics remember beyond the calls that are known.

Decides which statistics are compared with which calls. It is shown beside totals and never added to them.
"""

import os
from collections.abc import Iterator
from datetime import date, timedelta

from cli.refresh import Store
from ingest.adapters import claude_stats
from ingest.adapters.claude_stats import Lost, ModelSums
from ingest.decode import BadRecord
from ingest.discover import homes
from pipeline.log import Total
from views import calendar
from views.recount import spans

_AGENT = "claude"
_EPOCH = date(1970, 1, 1)
_NOTHING = Lost(model="", day=None, tokens=0)


def lost_days(store: Store) -> list[Lost]:
    """Tokens by local day and model that Claude Code counted and no known call explains: at least so many."""
    known: dict[tuple[date, str], int] = {}
    largest: dict[tuple[date | None, str], Lost] = {}
    stats = list(_statistics(store))
    for model, total in _known(store) if stats else ():
        at = (_EPOCH + timedelta(days=total.day), model)
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
    for model, total in _known(store) if stats else ():
        before = known.get(model, ModelSums())
        known[model] = ModelSums(
            input=before.input + total.input,
            output=before.output + total.output,
            cache_read=before.cache_read + total.cache_read,
            cache_write=before.cache_write + total.cache_write_5m + total.cache_write_1h,
        )
    for each in stats:
        for model, lack in claude_stats.lost_by_model(each, known):
            if sum_of(lack) > sum_of(largest.get(model, ModelSums())):
                largest[model] = lack
    return sorted(largest.items())


def sum_of(sums: ModelSums) -> int:
    """Tokens of all classes."""
    return sums.input + sums.output + sums.cache_read + sums.cache_write


def _statistics(store: Store) -> Iterator[claude_stats.Stats]:
    for adapter in store.adapters:
        if adapter.agent != _AGENT:
            continue
        for home in homes(adapter, store.environ, store.home, store.config.homes.get(_AGENT, ())):
            try:
                with open(os.path.join(home.path, claude_stats.NAME), "rb") as file:
                    yield claude_stats.parse(file.read())
            except (OSError, BadRecord):
                # No such file, or one that is being written: there is nothing to compare with.
                continue


def _known(store: Store) -> Iterator[tuple[str, Total]]:
    """Model and sums of Claude Code's calls, by local day."""
    span = store.log.span()
    if span is None:
        return
    first = calendar.day_at(store.zone, span[0] * calendar.DAY_US)
    last = calendar.day_at(store.zone, (span[1] + 1) * calendar.DAY_US - 1)
    for _, _, from_us, to_us, offset_us in spans(store.zone, first, last):
        totals = list(store.log.totals(from_us, to_us, offset_us=offset_us, steps=()))
        dims = store.log.dims({total.dim for total in totals})
        for total in totals:
            about = dims[total.dim]
            if about.agent == _AGENT and about.model is not None:
                yield about.model, total
