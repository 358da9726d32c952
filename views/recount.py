"""The days of a snapshot, counted from the journal's sums.

Decides how sums per day, dimensions and prompt size become priced cells, and which local days a change in the log touches. Needs no frame
library, so that a command that finds a few new lines can answer in the same breath.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, pairwise
from typing import TYPE_CHECKING

from pipeline.batch import Dims
from pipeline.digests import blake2b
from views import calendar
from views.attribution import Attribution
from views.pricing.book import Book
from views.pricing.cost import WHOLE, Parts, Rates, Shape, cost, resolve, step_prompt, steps_of
from views.pricing.decision import decide
from views.pricing.money import attodollars
from views.snapshot_text import Day
from views.tally import NUMBERS, add, nothing, widen

if TYPE_CHECKING:
    from pipeline.questions import Call, Questions, Total
    from views.tally import Combo

_FIRST_COST = NUMBERS.index("cost_input")


class Prices:
    """Rates per shape of call, each resolved once."""

    def __init__(self, book: Book, *, mode: str) -> None:
        self.mode = mode
        self._book = book
        self._known: dict[tuple[object, ...], Rates | None] = {}
        self._steps: dict[tuple[str | None, str | None], set[int]] = {}

    def steps(self, models: Iterable[tuple[str | None, str | None]]) -> tuple[int, ...]:
        """Every prompt size above which one of these models, each with its provider, may cost more; rising."""
        found: set[int] = set()
        for provider, model in models:
            if (provider, model) not in self._steps:
                self._steps[provider, model] = steps_of(self._book, provider, model)
            found |= self._steps[provider, model]
        return tuple(sorted(found))

    def of(self, dims: Dims, provider: str | None, day: int, prompt: int, minute: int | None = None) -> Rates | None:
        """What a call of that UTC day, prompt size and minute of the day pays per token; None where no price is known."""
        if dims.granularity != WHOLE:
            prompt = 0
        asked = (provider, dims.model, dims.tier, dims.speed, dims.geo, day, prompt, minute)
        if asked not in self._known:
            self._known[asked] = resolve(self._book, Shape(provider, dims.model, day, prompt, dims.tier, dims.speed, dims.geo, minute))
        return self._known[asked]


def runs(zone: str, local_days: Iterable[int]) -> Iterator[tuple[int, int, int, int, int]]:
    """(first day, last day, from_us, to_us, offset_us) of runs of local days that one offset from UTC covers.

    `(at + offset) // DAY_US` is the local day of every instant of a run, except at the edges of a day longer than others; such a day
    is the last of its run or alone, so the caller bounds what it finds by the run's first and last day.
    """
    for _, pairs in groupby(enumerate(sorted(local_days)), lambda pair: pair[1] - pair[0]):
        days = [day for _, day in pairs]
        run: tuple[int, int, int, int, int] | None = None
        starts = calendar.midnights(zone, days[0], days[-1] + 1)
        for day, (start, end) in zip(days, pairwise(starts), strict=True):
            offset = day * calendar.DAY_US - start
            if run is not None and run[4] != offset:
                yield run
                run = None
            run = (day, day, start, end, offset) if run is None else (run[0], day, run[2], end, offset)
            if end - start != calendar.DAY_US:
                yield run
                run = None
        if run is not None:
            yield run


def touched(zone: str, utc_days: Iterable[int]) -> set[int]:
    """The local days that the given UTC days overlap."""
    found: set[int] = set()
    for day in utc_days:
        found.update(range(calendar.day_at(zone, day * calendar.DAY_US), calendar.day_at(zone, (day + 1) * calendar.DAY_US - 1) + 1))
    return found


def recount(log: "Questions", zone: str, local_days: Iterable[int], *, attribution: Attribution, prices: Prices) -> dict[int, Day]:
    """Those of the local days that have calls."""
    days: dict[int, Day] = {}
    for run in runs(zone, local_days):
        _recount(days, log, run, attribution, prices)
    return days


def _recount(days: dict[int, Day], log: "Questions", run: tuple[int, int, int, int, int], attribution: Attribution, prices: Prices) -> None:
    first, last, from_us, to_us, offset_us = run
    known = log.dims_on(from_us // calendar.DAY_US, (to_us - 1) // calendar.DAY_US)
    whose = {dim: attribution(dims.agent, dims.root, dims.project, dims.profile, dims.provider) for dim, dims in known.items()}
    # Thresholds of models that nobody used would only take every sum apart.
    steps = prices.steps({(whose[dim][1], dims.model) for dim, dims in known.items()})
    timed: set[int] = set()
    for total in log.totals(from_us, to_us, offset_us=offset_us, steps=steps):
        dims, asked = known[total.dim], whose[total.dim]
        if not attribution.counts(asked[0], dims.agent, dims.root, total.first_at_us // calendar.DAY_US):
            continue
        rates = prices.of(dims, asked[1], total.first_at_us // calendar.DAY_US, step_prompt(steps, total.step))
        if rates is not None and rates.off_peak:
            timed.add(total.dim)
        cost = _cost(total, dims, rates, billed=asked[2], mode=prices.mode)
        _count(days.setdefault(max(first, min(total.day, last)), Day()), total, dims, asked, cost)
    if timed:
        _correct(days, log, run, {dim: known[dim] for dim in timed}, attribution, prices, steps)


def session_digest(agent: str, session: str) -> str:
    """The name of a session in a snapshot."""
    return blake2b(f"{agent}\x1f{session}".encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def _count(day: Day, total: "Total", dims: Dims, asked: tuple[str, str | None, bool], cost: tuple[Parts, int]) -> None:
    profile, provider, billed = asked
    combo: Combo = (profile, dims.agent, provider, dims.model, dims.initiator)
    parts, unpriced = cost
    numbers = [
        total.requests,
        total.input,
        total.output,
        total.cache_read,
        total.cache_write_5m,
        total.cache_write_1h,
        total.reasoning,
        total.web_searches,
        *parts,
        unpriced,
        0 if billed else total.requests,
        total.first_at_us,
        total.last_at_us,
    ]
    add(day.cells.setdefault(combo, nothing()), numbers)
    if dims.session is not None:
        widen(day.sessions, (session_digest(dims.agent, dims.session), combo), (total.first_at_us, total.last_at_us))


def _cost(total: "Total", dims: Dims, rates: Rates | None, *, billed: bool, mode: str) -> tuple[Parts, int]:
    """(parts, unpriced calls) of calls of one shape that all state a cost, all state zero, or all state none."""
    computed = None if rates is None else _computed(rates, total, total.reasoning)
    logged = None if total.logged is None else attodollars(total.logged)
    status, parts, _ = decide(mode, billed, computed, logged, dims.logged_cost_basis)
    return parts or (0, 0, 0, 0, 0), total.requests if status == "unpriced" else 0


def _computed(rates: Rates, of: "Total | Call", reasoning: int) -> Parts:
    return cost(
        rates,
        input=of.input,
        output=of.output,
        cache_read=of.cache_read,
        cache_write_5m=of.cache_write_5m,
        cache_write_1h=of.cache_write_1h,
        reasoning=reasoning,
        web_searches=of.web_searches,
    )


def _correct(
    days: dict[int, Day],
    log: "Questions",
    run: tuple[int, int, int, int, int],
    timed: dict[int, Dims],
    attribution: Attribution,
    prices: Prices,
    steps: Sequence[int],
) -> None:
    """Add what calls of models with off-peak hours cost more or less than the standard rate that their sums were counted at."""
    first, last, from_us, to_us, offset_us = run
    for call in log.calls(from_us // calendar.DAY_US, (to_us - 1) // calendar.DAY_US):
        dims = timed.get(call.dim)
        if dims is None or not from_us <= call.at_us < to_us:
            continue
        profile, provider, billed = attribution(dims.agent, dims.root, dims.project, dims.profile, dims.provider)
        utc_day, time_us = divmod(call.at_us, calendar.DAY_US)
        if not attribution.counts(profile, dims.agent, dims.root, utc_day):
            continue
        prompt = call.input + call.cache_read + call.cache_write_5m + call.cache_write_1h
        # One that stands for all that exceed the same thresholds.
        prompt = step_prompt(steps, sum(prompt > one for one in steps))
        logged = None if call.logged_cost is None else attodollars(call.logged_cost)
        costs = []
        for minute in (None, time_us // 60_000_000):
            rates = prices.of(dims, provider, utc_day, prompt, minute)
            computed = None if rates is None else _computed(rates, call, call.reasoning or 0)
            costs.append(decide(prices.mode, billed, computed, logged, dims.logged_cost_basis)[1] or (0, 0, 0, 0, 0))
        day = max(first, min((call.at_us + offset_us) // calendar.DAY_US, last))
        numbers = days[day].cells[profile, dims.agent, provider, dims.model, dims.initiator]
        for at, (standard, true) in enumerate(zip(*costs, strict=True), _FIRST_COST):
            numbers[at] += true - standard
