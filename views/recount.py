"""The days of a snapshot, counted from the journal's sums.

Decides how sums per day, dimensions and prompt size become priced cells, and which local days a change in the log touches. Needs no frame
library, so that a command that finds a few new lines can answer in the same breath.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

from pipeline.batch import Dims
from views import calendar
from views.attribution import Attribution
from views.pricing.book import Book
from views.pricing.cost import Parts, Rates, Shape, cost, resolve, step_prompt
from views.pricing.decision import decide
from views.pricing.money import attodollars
from views.snapshot_text import Day
from views.tally import add, nothing, widen

if TYPE_CHECKING:
    from views.pricing.cost import Parts
    from views.tally import Combo


class Total(Protocol):
    """Sums of the calls of one local day, dimension and prompt size, as the log gives them."""

    day: int
    dim: int
    step: int
    minute: int
    """Of the UTC day, at the beginning of the time that the calls fall in."""
    requests: int
    input: int
    output: int
    cache_read: int
    cache_write_5m: int
    cache_write_1h: int
    reasoning: int
    web_searches: int
    first_at_us: int
    last_at_us: int
    logged: Sequence[tuple[str, int]]
    """(cost as logged, calls); empty where the log states none, which are other sums."""


class Prices:
    """Rates per shape of call, each resolved once."""

    def __init__(self, book: Book, *, mode: str) -> None:
        self._book = book
        self.mode = mode
        self.steps = book.steps()
        self._known: dict[tuple[object, ...], Rates | None] = {}

    def of(self, dims: Dims, provider: str | None, day: int, step: int, minute: int) -> Rates | None:
        """What a call of that UTC day, prompt size and minute pays per token; None where no price is known."""
        asked = (provider, dims.model, dims.tier, dims.speed, dims.geo, day, step, minute)
        if asked not in self._known:
            prompt = step_prompt(self.steps, step)
            self._known[asked] = resolve(self._book, Shape(provider, dims.model, day, prompt, dims.tier, dims.speed, dims.geo, minute))
        return self._known[asked]


def spans(zone: str, first_day: int, last_day: int) -> Iterator[tuple[int, int, int, int, int]]:
    """(first day, last day, from_us, to_us, offset_us) of runs of local days that one offset from UTC covers.

    `(at + offset) // DAY_US` is the local day of every instant of a run, except for the last hour of a day that a clock change makes
    longer; such a day is the last of its run, so the caller bounds what it finds by the run's last day.
    """
    starts = calendar.midnights(zone, first_day, last_day + 1)
    run: tuple[int, int, int, int, int] | None = None
    for day, (start, end) in enumerate(pairwise(starts), first_day):
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


def recount(
    sums: Callable[[int, int, int], Iterable[Total]],
    dims: Callable[[Iterable[int]], Mapping[int, Dims]],
    zone: str,
    first_day: int,
    last_day: int,
    *,
    attribution: Attribution,
    prices: Prices,
) -> dict[int, Day]:
    """The days from `first_day` to `last_day` that have calls.

    `sums(from_us, to_us, offset_us)` gives what the log holds between two instants by local day, `dims` the dimensions by number.
    """
    days: dict[int, Day] = {}
    for _, last, from_us, to_us, offset_us in spans(zone, first_day, last_day):
        totals = list(sums(from_us, to_us, offset_us))
        known = dims({total.dim for total in totals})
        for total in totals:
            _count(days.setdefault(min(total.day, last), Day()), total, known[total.dim], attribution, prices)
    return days


def session_digest(agent: str, session: str) -> str:
    """The name of a session in a snapshot."""
    return blake2b(f"{agent}\x1f{session}".encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def _count(day: Day, total: Total, dims: Dims, attribution: Attribution, prices: Prices) -> None:
    profile, provider, billed = attribution(dims.agent, dims.root, dims.project, dims.profile, dims.provider)
    combo: Combo = (profile, dims.agent, provider, dims.model, dims.initiator)
    parts, unpriced = _cost(total, dims, provider, billed=billed, prices=prices)
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


def _cost(total: Total, dims: Dims, provider: str | None, *, billed: bool, prices: Prices) -> "tuple[Parts, int]":
    """(parts, unpriced calls) of calls of one shape. Which cost counts can differ only by whether and how much the log states."""
    if not billed:
        return (0, 0, 0, 0, 0), 0
    rates = prices.of(dims, provider, total.first_at_us // calendar.DAY_US, total.step, total.minute)
    computed = None
    if rates is not None:
        computed = cost(
            rates,
            input=total.input,
            output=total.output,
            cache_read=total.cache_read,
            cache_write_5m=total.cache_write_5m,
            cache_write_1h=total.cache_write_1h,
            reasoning=total.reasoning,
            web_searches=total.web_searches,
        )
    stated, unpriced = 0, 0
    for text, calls in total.logged or (("", total.requests),):
        logged = attodollars(text) if text else None
        _, parts, source = decide(prices.mode, billed, computed, logged, dims.logged_cost_basis)
        if parts is None:
            unpriced += calls
        elif source == "calculated":
            return parts, 0
        else:
            stated += calls * parts[4]
    return (0, 0, 0, 0, stated), unpriced
