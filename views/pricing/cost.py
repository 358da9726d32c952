"""What one call costs: the rates that its shape pays, and the sum.

Decides tiers, factors and fallbacks. What was listed is `book`'s business, names are `models`'; whether a call has a cost at all is
`decision`'s.

Rules and their sources: whole-request tiers, service tiers, off-peak hours and table tiers as LiteLLM's own calculator
(litellm_core_utils/llm_cost_calc/utils.py, read 2026-11); Anthropic's cache ratios and the price of a web search from its price list.
"""

from views.pricing.book import Fields
from views.pricing.models import candidates, own_names, providers_of
from views.pricing.money import ratio

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from views.pricing.book import Book, Entry, Row
    from views.pricing.models import Candidate

Parts = tuple[int, int, int, int, int]
"""Attodollars of input, output, cache writes, cache reads, other (searches, and costs known only from the log)."""

ANTHROPIC_SEARCH = 10**16
"""$10 per 1,000 web searches (Anthropic price list, 2025-05 to 2026-11)."""

_PLAIN = ("", "standard", "default", "auto", "normal", "on_demand", "standard_only")
_TIERS = {"batch": ("batch",), "batches": ("batch",), "fast": ("fast", "priority")}
"""Service tiers that a price list writes otherwise than a reply: a fast call pays the priority rate where no fast one is listed."""
_INCLUSIVE = ("xai",)
"""Providers whose upper tier begins at the threshold itself."""

WHOLE = "call"
"""The granularity at which a prompt's size decides rates: a turn's or a session's sum tells nothing of the size of any one prompt."""


class Shape:
    """All that decides a call's rates. `day` is the UTC day since 1970, `prompt` the whole prompt's tokens (cache included), `minute` the
    minute of the UTC day where a model has off-peak hours (None: unknown)."""

    __slots__ = ("day", "geo", "minute", "model", "prompt", "provider", "speed", "tier")

    def __init__(
        self,
        provider: str | None,
        model: str | None,
        day: int,
        prompt: int = 0,
        tier: str | None = None,
        speed: str | None = None,
        geo: str | None = None,
        minute: int | None = None,
    ) -> None:
        self.provider = provider
        self.model = model
        self.day = day
        self.prompt = prompt
        self.tier = tier
        self.speed = speed
        self.geo = geo
        self.minute = minute


class Rates:
    """Attodollars per token (per search for `web_search`), all factors applied, and where they come from.

    `rule` says how the name was found, `row` and `provider` whose listing it is, `from_day` since when it holds, `origin` who listed it,
    `over` the threshold that the prompt exceeds (0: none), `off_peak` whether the row has off-peak hours, `notes` what had to be assumed.
    """

    __slots__ = (
        "cache_read",
        "cache_write_1h",
        "cache_write_5m",
        "from_day",
        "input",
        "notes",
        "off_peak",
        "origin",
        "output",
        "over",
        "provider",
        "reasoning",
        "row",
        "rule",
        "web_search",
    )

    input: int
    output: int
    reasoning: int
    cache_read: int
    cache_write_5m: int
    cache_write_1h: int
    web_search: int
    row: str
    provider: str
    rule: str
    from_day: int
    origin: str
    over: int
    off_peak: bool
    notes: tuple[str, ...]


def step_prompt(steps: "Sequence[int]", step: int) -> int:
    """A prompt size that exceeds exactly `step` of the thresholds `steps`: stands for every prompt that does."""
    return steps[step - 1] + 1 if step else 0


def steps_of(book: "Book", provider: str | None, model: str | None) -> set[int]:
    """Those of the book's steps that can decide what calls of one model cost, on whatever day."""
    found: set[int] = set()
    for _, entry in () if model is None else _matches(book, provider, model):
        reached = 1 if entry.provider in _INCLUSIVE else 0
        found.update(int(field[2:].partition(".")[0]) - reached for row in entry.rows for field in row.fields if field.startswith("i@"))
    return found


def rates_of(book: "Book", shape: Shape) -> list[Rates]:
    """The rates of the shape for a small prompt, then beyond each threshold that its row lists."""
    steps = book.steps()
    columns: list[Rates] = []
    for step in range(len(steps) + 1):
        prompt = step_prompt(steps, step)
        rates = resolve(book, Shape(shape.provider, shape.model, shape.day, prompt, shape.tier, shape.speed, shape.geo))
        if rates is not None and (not columns or rates.over != columns[-1].over):
            columns.append(rates)
    return columns


def resolve(book: "Book", shape: Shape) -> Rates | None:
    """The rates that a call of that shape pays; None where nobody lists a price for it."""
    if shape.model is None:
        return None
    for name, entry in _matches(book, shape.provider, shape.model):
        row = entry.at(shape.day)
        if row is None:
            continue
        if row.origin == "table":
            return _known(entry, row, shape, name.speed, "your tokenPriceTable")
        if not row.fields.get("i") and not row.fields.get("o") and entry.provider not in providers_of(shape.provider):
            continue  # free at somebody else's
        rates = _known(entry, row, shape, name.speed, name.rule if entry.name == name.name else f"{name.rule}, letter case")
        if rates is not None:
            return rates
    return None


def cost(
    rates: Rates,
    *,
    input: int = 0,
    output: int = 0,
    cache_read: int = 0,
    cache_write_5m: int = 0,
    cache_write_1h: int = 0,
    reasoning: int = 0,
    web_searches: int = 0,
) -> Parts:
    """What the tokens of one call, or the summed tokens of calls of one shape, cost at `rates`."""
    return (
        input * rates.input,
        output * rates.output + reasoning * (rates.reasoning - rates.output),
        cache_write_5m * rates.cache_write_5m + cache_write_1h * rates.cache_write_1h,
        cache_read * rates.cache_read,
        web_searches * rates.web_search,
    )


def _matches(book: "Book", provider: str | None, model: str) -> "Iterator[tuple[Candidate, Entry]]":
    """The listings that may price a model, in order; found once per book, and no further than anybody asked."""
    found, more = book.matches.setdefault((provider, model), ([], _search(book, provider, model)))
    at = 0
    while True:
        if at == len(found):
            following = next(more, None)
            if following is None:
                return
            found.append(following)
        yield found[at]
        at += 1


def _search(book: "Book", provider: str | None, model: str) -> "Iterator[tuple[Candidate, Entry]]":
    if book.overridden:
        for name in own_names(provider, model):
            entry = book.override(name.name)
            if entry is not None:
                yield name, entry
    for name in candidates(provider, model):
        for entry in book.find(name.name):
            if name.providers is None or entry.provider in name.providers:
                yield name, entry


def _known(entry: "Entry", row: "Row", shape: Shape, named_speed: str | None, rule: str) -> Rates | None:
    """`_rates`, once for all shapes that a row does not tell apart."""
    hours = row.fields.get("p")
    inside = None if hours is None or shape.minute is None else off_peak(str(hours), shape.day, shape.minute)
    over = _step(entry, row.fields, shape.prompt)
    asked = (rule, named_speed, shape.tier, shape.speed, shape.geo, over, inside)
    if asked not in row.rates:
        row.rates[asked] = _rates(entry, row, shape, named_speed, rule, over, inside)
    known: Rates | None = row.rates[asked]
    return known


def _rates(entry: "Entry", row: "Row", shape: Shape, named_speed: str | None, rule: str, over: int, inside: bool | None) -> Rates | None:
    """The rates of one row, its prompt `over` a threshold, `inside` its off-peak hours; None where it lists no input or output rate, or
    none for the speed that the name itself states."""
    fields = row.fields
    notes: list[str] = []
    factor, divisor = 1, 1
    tiers = _tiers(shape.tier)
    if named_speed == "fast" or (shape.speed or "").lower() == "fast":
        if "x.fast" in fields:
            factor, divisor = _fraction(fields["x.fast"])
        elif not tiers and ("i.fast" in fields or "i.priority" in fields):
            tiers = _TIERS["fast"]
        elif row.origin != "table":
            if named_speed:
                return None
            notes.append("no rate for fast calls is listed: standard rate")
    if shape.geo and f"x.{shape.geo.lower()}" in fields:
        more, less = _fraction(fields[f"x.{shape.geo.lower()}"])
        factor, divisor = factor * more, divisor * less
    if tiers and row.origin != "table" and not any(f"i.{tier}" in fields for tier in tiers):
        notes.append(f"no rate for tier {shape.tier} is listed: standard rate")

    input, output = _rate(fields, "i", over, tiers), _rate(fields, "o", over, tiers)
    read, write, hour = (_rate(fields, field, over, tiers) for field in "rwh")
    # A reasoning rate equal to the output rate is no rate of its own: it follows the output rate into tiers.
    reasoning = _rate(fields, "g", over, tiers) if fields.get("g") != fields.get("o") else None
    if "p" in fields:
        if inside is None:
            notes.append("off-peak hours apply, time of day unknown: standard rate")
        elif inside:
            notes.append("off-peak hours")
            input, output, read = _amount(fields, "i~", input), _amount(fields, "o~", output), _amount(fields, "r~", read)
            write, reasoning = _amount(fields, "w~", write), _amount(fields, "g~", reasoning)
    if input is None or output is None:
        return None

    claude = entry.provider == "anthropic" or "claude" in entry.name.lower()
    if read is None:
        read = ratio(input, 1, 10) if claude else input
        notes.append("cache read: 0.1 x input" if claude else "cache read: no discount known, input rate")
    if hour is None:
        hour = ratio(input, 2, 1) if claude else write
        if claude or write is not None:
            notes.append("1-hour cache write: 2 x input" if claude else "1-hour cache write: rate of all cache writes")
    if write is None:
        write = ratio(input, 5, 4) if claude else input
        notes.append("cache write: 1.25 x input" if claude else "cache write: no rate listed, input rate")
    search = _amount(fields, "s", None)
    if search is None:
        search = ANTHROPIC_SEARCH if claude else 0
        if not claude:
            notes.append("web search: no rate listed")

    rates = Rates()
    rates.input = ratio(input, factor, divisor)
    rates.output = ratio(output, factor, divisor)
    rates.reasoning = rates.output if reasoning is None else ratio(reasoning, factor, divisor)
    rates.cache_read = ratio(read, factor, divisor)
    rates.cache_write_5m = ratio(write, factor, divisor)
    rates.cache_write_1h = rates.cache_write_5m if hour is None else ratio(hour, factor, divisor)
    rates.web_search = search
    rates.row, rates.provider, rates.rule = entry.name, entry.provider, rule
    rates.from_day, rates.origin, rates.over, rates.off_peak = row.day, row.origin, over, "p" in fields
    rates.notes = tuple(notes)
    return rates


def _tiers(tier: str | None) -> tuple[str, ...]:
    name = (tier or "").lower()
    if name in _PLAIN:
        return ()
    return _TIERS.get(name, (name,))


def _step(entry: "Entry", fields: Fields, prompt: int) -> int:
    """The greatest listed threshold that the whole prompt exceeds; 0 where it exceeds none."""
    inclusive = entry.provider in _INCLUSIVE
    over = 0
    for field in fields:
        if field.startswith("i@") and fields[field] is not None:
            step = int(field[2:].partition(".")[0])
            if over < step and (prompt > step or (inclusive and prompt == step)):
                over = step
    return over


def _rate(fields: Fields, field: str, over: int, tiers: tuple[str, ...]) -> int | None:
    """The first that is listed: rate of threshold and service tier, of the threshold, of the service tier, base rate."""
    if over:
        for tier in tiers:
            value = fields.get(f"{field}@{over}.{tier}")
            if value is not None:
                return int(value)
        value = fields.get(f"{field}@{over}")
        if value is not None:
            return int(value)
    for tier in tiers:
        value = fields.get(f"{field}.{tier}")
        if value is not None:
            return int(value)
    return _amount(fields, field, None)


def _amount(fields: Fields, field: str, otherwise: int | None) -> int | None:
    value = fields.get(field)
    return otherwise if value is None else int(value)


def _fraction(text: "int | str | None") -> tuple[int, int]:
    more, _, less = str(text).partition("/")
    return int(more), int(less or 1)


def off_peak(windows: str, day: int, minute: int) -> bool:
    """Whether that minute of that UTC day lies in off-peak hours, written as in the book.

    A window may pass midnight; one that ends where it begins is the whole day. The weekday is that of the moment, in the listing's zone.
    """
    zone, *rules = windows.split("|")
    weekday = ((day * 1440 + minute + int(zone)) // 1440 + 3) % 7 + 1  # 1970-01-01 was a Thursday, ISO weekday 4
    for rule in rules:
        days, _, hours = rule.partition(":")
        if str(weekday) in days:
            for window in hours.split("+"):
                start, _, end = window.partition("-")
                first, last = int(start), int(end)
                if first <= minute < last if first < last else minute >= first or minute < last:
                    return True
    return False
