"""What one model of a LiteLLM price file says, in the price book's words; and the user's own table likewise.

Decides which fields are prices of text tokens, what is believed, and how a row is written. Fields of LiteLLM's
`model_prices_and_context_window.json` as of 2026-11; everything that is not named here (images, audio, seconds, 12-hour cache) is left out.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from fractions import Fraction

from views.pricing.book import ALWAYS, Entry, Fields, Row

MODES = ("chat", "completion", "responses")
SMALLEST, BEYOND = Decimal("1e-9"), Decimal("1e-3")
"""A rate per token is believed if it is zero or SMALLEST <= rate < BEYOND: a price of another unit (per thousand or per million) is not."""
DEAREST_SEARCH = Decimal(1)
LARGEST_FACTOR = 100
EPOCH = date(1970, 1, 1)

_BASES = {
    "input_cost_per_token": "i",
    "output_cost_per_token": "o",
    "cache_read_input_token_cost": "r",
    "input_cost_per_token_cache_hit": "r",
    "cache_creation_input_token_cost": "w",
    "cache_creation_input_token_cost_above_1hr": "h",
    "output_cost_per_reasoning_token": "g",
}
_OLD_NAMES = ("input_cost_per_token_cache_hit",)
_TIERS = {"batches": "batch", "flex": "flex", "priority": "priority", "ultrafast": "ultrafast", "fast": "fast", "balanced": "balanced"} | {
    "decisions": "decisions"
}
_FIELD = re.compile(
    "(?P<base>" + "|".join(sorted(_BASES, key=len, reverse=True)) + ")"
    "(?:_(?P<before>" + "|".join(_TIERS) + "))?(?:_above_(?P<size>[0-9.]+)(?P<k>k?)_tokens)?(?:_(?P<after>" + "|".join(_TIERS) + "))?"
)
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_ZONES = {"": 0, "utc": 0, "asia/shanghai": 480, "asia/singapore": 480, "asia/hong_kong": 480, "asia/tokyo": 540, "asia/seoul": 540}
"""Minutes ahead of UTC of zones without summer time; other zones' off-peak hours are not believed."""


class Unbelievable(ValueError):
    """A listing that is no price; the message says why."""


def fields_of(prices: Mapping[str, object]) -> Fields:
    """The book's fields of one listing, USD per token as numbers or strings; raises `Unbelievable`.

    What is not a price of text tokens is passed over; one price that cannot be believed takes the whole listing with it, because a wrong
    unit is wrong for all of its fields.
    """
    fields: Fields = {}
    for name in sorted(prices, key=lambda name: name not in _OLD_NAMES):  # a present name after, hence over, the old one
        match = _FIELD.fullmatch(name)
        if match and prices[name] is not None:
            field = _BASES[match["base"]]
            if match["size"]:
                field += f"@{int(Decimal(match['size']) * (1000 if match['k'] else 1))}"
            tier = match["before"] or match["after"]
            fields[f"{field}.{_TIERS[tier]}" if tier else field] = rate(prices[name], name)
    _take_table(fields, prices.get("tiered_pricing"))
    _take_factors(fields, prices.get("provider_specific_entry"))
    _take_off_peak(fields, prices.get("off_peak_pricing"))
    search = prices.get("search_context_cost_per_query")
    if isinstance(search, Mapping):
        per_query = search.get("search_context_size_medium", search.get("search_context_size_low"))
        # Some rows give the price of a thousand searches; without a believable one the others of the row still hold.
        if per_query is not None and 0 <= _decimal(per_query, "search_context_cost_per_query") <= DEAREST_SEARCH:
            fields["s"] = _atto(_decimal(per_query, "search_context_cost_per_query"))
    return fields


def rate(value: object, name: str) -> int:
    """Attodollars per token; digits past the 18th decimal are rounded (they are noise of binary fractions and conversions)."""
    number = _decimal(value, name)
    if number != 0 and not SMALLEST <= number < BEYOND:
        raise Unbelievable(f"{name} is {value}, not USD per token")
    return _atto(number)


def line(entry: Entry, corrections: Iterable[tuple[int, int | None, Fields]] = ()) -> str:
    """One line of a book file, without its newline."""
    key = entry.name.lower()
    parts = [key, "" if key == entry.name else entry.name, entry.provider]
    before: Fields = {}
    for row in entry.rows:
        changes = [f"{field}={_text(row.fields[field])}" for field in sorted(row.fields) if before.get(field) != row.fields[field]]
        changes += [f"-{field}" for field in sorted(before.keys() - row.fields.keys())]
        parts.append(f"{row.day}:{','.join(changes)}")
        before = row.fields
    for first, last, changed in corrections:
        changes = [f"-{field}" if value is None else f"{field}={_text(value)}" for field, value in sorted(changed.items())]
        parts.append(f"!{first}..{'' if last is None else last}:{','.join(changes)}")
    return "\t".join(parts)


def file(lines: Iterable[str], header: Mapping[str, str]) -> bytes:
    """A whole book file: what it is, the thresholds in use, and its lines in order."""
    body = sorted((text.partition("\t")[0].encode() + b"\t", text.encode()) for text in lines)
    steps = sorted({step for _, text in body for step in _steps(text)})
    head = "".join(f"# {name}: {value}\n" for name, value in (*header.items(), ("steps", " ".join(map(str, steps)))))
    return head.encode() + b"".join(text + b"\n" for _, text in body)


def table(prices: Mapping[str, Mapping[str, object] | Iterable[Mapping[str, object]]]) -> bytes:
    """The user's `tokenPriceTable` as a book file: USD per million tokens, `from` as YYYY-MM-DD or a date. Raises `Unbelievable`."""
    lines = []
    for model, given in prices.items():
        if not model or any(mark in model for mark in "\t\n\r"):
            raise Unbelievable(f"tokenPriceTable: {model!r} is not a model name")
        try:
            rows = [_own_row(listed) for listed in ([given] if isinstance(given, Mapping) else given)]
        except Unbelievable as why:
            raise Unbelievable(f'tokenPriceTable."{model}": {why}') from None
        lines.append(line(Entry(model, "", sorted(rows, key=lambda row: row.day))))
    return file(lines, {})


def _own_row(listed: Mapping[str, object]) -> Row:
    unknown = listed.keys() - _OWN.keys() - {"from"}
    if unknown:
        raise Unbelievable(f"unknown {', '.join(sorted(unknown))}; known: {', '.join(_OWN)}, from")
    since = listed.get("from")
    fields: Fields = {field: _own_rate(name, listed[name]) for name, field in _OWN.items() if listed.get(name) is not None}
    if "i" not in fields or "o" not in fields:
        raise Unbelievable("input and output are needed")
    return Row(ALWAYS if since is None else day_of(since), fields, "table")


_OWN = {"input": "i", "output": "o", "cache_read": "r", "cache_write": "w", "cache_write_1h": "h"}
"""The user's names of rates and the book's."""


def day_of(value: object) -> int:
    """Days since 1970-01-01 of a date or of YYYY-MM-DD."""
    if isinstance(value, datetime):
        value = value.date()
    try:
        found = value if isinstance(value, date) else date.fromisoformat(str(value))
    except ValueError:
        raise Unbelievable(f"{value!r} is not a date (YYYY-MM-DD)") from None
    return (found - EPOCH).days


def iso(day: int) -> str:
    """YYYY-MM-DD of a day number; `always` for a row that names no date."""
    return "always" if day <= ALWAYS else date.fromordinal(EPOCH.toordinal() + day).isoformat()


def _own_rate(name: str, value: object) -> int:
    number = _decimal(value, name)
    per_token = number / 1_000_000
    if number != 0 and not SMALLEST <= per_token < BEYOND:
        raise Unbelievable(f"{name} is {value}: USD per million tokens is meant, 0.001 to 1000")
    return _atto(per_token)


def _take_table(fields: Fields, tiers: object) -> None:
    """A table of whole-request tiers: it replaces the row's own rates, and no tier borrows another's."""
    if not isinstance(tiers, list) or not tiers:
        return
    found: list[tuple[int, Fields]] = []
    for tier in tiers:
        bounds = tier.get("range") if isinstance(tier, Mapping) else None
        if not isinstance(bounds, list) or len(bounds) != 2:
            raise Unbelievable("tiered_pricing without a range")
        rates: Fields = {_BASES[name]: rate(tier[name], name) for name in _BASES if tier.get(name) is not None}
        found.append((int(_decimal(bounds[0], "range")), rates))
    found.sort(key=lambda tier: tier[0])
    for field in ("i", "o", "r", "w", "h", "g"):
        if field != "o":
            fields.pop(field, None)
        listed = any(field in rates for _, rates in found)
        for start, rates in found:
            instead = {"r": "i", "w": "i", "h": "w", "g": "o"}.get(field, field)
            value = rates.get(field, rates.get(instead, rates.get("i") if field == "h" else None)) if listed else None
            if value is not None:
                fields[f"{field}@{start}" if start else field] = value


def _take_factors(fields: Fields, entry: object) -> None:
    if not isinstance(entry, Mapping):
        return
    for name, value in entry.items():
        if re.fullmatch("[a-z][a-z0-9_-]*", str(name)) and isinstance(value, int | float | str) and not isinstance(value, bool):
            factor = Fraction(_decimal(value, f"provider_specific_entry.{name}"))
            if not 0 < factor <= LARGEST_FACTOR:
                raise Unbelievable(f"provider_specific_entry.{name} is {value}")
            fields[f"x.{name}"] = f"{factor.numerator}/{factor.denominator}"


def _take_off_peak(fields: Fields, block: object) -> None:
    if not isinstance(block, Mapping):
        return
    zone = _ZONES.get(str(block.get("weekday_timezone", "")).lower())
    if zone is None:
        raise Unbelievable(f"off_peak_pricing in the zone {block.get('weekday_timezone')}")
    windows = block.get("windows")
    rules = [{"hours_utc": block["hours_utc"]}] if "hours_utc" in block else []
    rules += windows if isinstance(windows, list) else []
    texts = []
    for rule in rules:
        hours = rule["hours_utc"]
        spans = "+".join(_span(text) for text in ([hours] if isinstance(hours, str) else hours))
        texts.append(f"{''.join(_weekday(day) for day in rule.get('weekdays', range(1, 8)))}:{spans}")
    if texts:
        fields["p"] = "|".join([str(zone), *texts])
        for name in _BASES:
            if block.get(name) is not None and _BASES[name] != "h":
                fields[_BASES[name] + "~"] = rate(block[name], f"off_peak_pricing.{name}")


def _span(text: str) -> str:
    try:
        start, end = (datetime.strptime(part.strip(), "%H:%M") for part in text.split("-"))  # noqa: DTZ007 - a time of day, no moment
    except ValueError:
        raise Unbelievable(f"off_peak_pricing hours {text!r}") from None
    return f"{start.hour * 60 + start.minute}-{end.hour * 60 + end.minute}"


def _weekday(value: object) -> str:
    text = str(value).strip().lower()
    if text in "1234567" and len(text) == 1:
        return text
    if text[:3] in _WEEKDAYS:
        return str(_WEEKDAYS.index(text[:3]) + 1)
    raise Unbelievable(f"off_peak_pricing weekday {value!r}")


def _decimal(value: object, name: str) -> Decimal:
    try:
        if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
            raise InvalidOperation
        number = Decimal(repr(value) if isinstance(value, float) else value)
        if not number.is_finite() or number < 0:
            raise InvalidOperation
    except InvalidOperation:
        raise Unbelievable(f"{name} is {value!r}, not a price") from None
    return number


def _atto(number: Decimal) -> int:
    return int((number.scaleb(18)).to_integral_value(rounding=ROUND_HALF_EVEN))


def _text(value: "int | str | None") -> str:
    if not isinstance(value, int):
        return str(value)
    digits = str(value)
    stripped = digits.rstrip("0")
    zeros = len(digits) - len(stripped)
    return f"{stripped}e{zeros}" if stripped and zeros > 1 else digits


def _steps(text: bytes) -> set[int]:
    """Thresholds that a line names, as 'exceeds': one lower where reaching the threshold is enough."""
    found = {int(step) for step in re.findall(rb"[:,]i@([0-9]+)", text)}
    return {step - 1 for step in found} if text.split(b"\t", 3)[2] == b"xai" else found
