"""What a cell of a provider's cost export says: a day, an amount, a model.

Decides which ways of writing are understood, and, from all cells of a column, which of two ways is meant where one cell alone could be
either. Pure; an amount is attodollars, a day the provider's, which is UTC's.
"""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Literal

from views.pricing.models import plain
from views.pricing.money import attodollars

Mark = Literal[".", ","]
Order = Literal["day", "month"]
"""Which of two numbers before a year comes first."""

TOTALS = frozenset(("total", "totals", "grand total", "subtotal", "sub-total", "sum"))
"""What stands in a row that adds up others, in place of a day or a model."""

_SPACES = re.compile("[\\s\u00a0\u2009\u202f'\u2019]")
_AMOUNT = re.compile(
    r"(?P<open>\()?(?P<sign>[-+]?)(?P<unit>US\$|[A-Za-z]{3}|[^\w\s.,+()-])?(?P<after>[-+]?)"
    r"(?P<number>\d[\d.,]*|[.,]\d+)(?P<exponent>[eE][-+]?\d{1,3})?(?P<behind>[A-Za-z]{3}|[^\w\s.,+()-])?(?P<last>-?)(?P<close>\))?"
)
_DOLLARS = ("", "$", "us$", "usd")
_NUMBERS = re.compile(r"(\d{1,2})([/.-])(\d{1,2})\2(\d{4})(?!\d)")
_DAY_FIRST = re.compile(r"(?P<day>\d{1,2})[ -](?P<month>[a-z]{3})[a-z]*\.?,?[ -](?P<year>\d{4})(?!\d)")
_MONTH_FIRST = re.compile(r"(?P<month>[a-z]{3})[a-z]*\.? (?P<day>\d{1,2}),? (?P<year>\d{4})(?!\d)")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_YEARS = range(2015, 2100)


def amount(text: str, mark: Mark) -> int:
    """Attodollars of an amount whose decimals follow `mark`: with signs, groups of thousands, or brackets for a negative one.

    Raises ValueError, also for another currency. A dash alone is nothing.
    """
    body = _SPACES.sub("", text).replace("\u2212", "-")
    if body in ("-", "$-"):
        return 0
    found = _AMOUNT.fullmatch(body)
    if found is None or bool(found["open"]) != bool(found["close"]):
        raise ValueError(f"{_quoted(text)} is no amount")
    units = {each.lower() for each in (found["unit"], found["behind"]) if each}
    if units.difference(_DOLLARS):
        raise ValueError(f"{_quoted(text)} is in another currency than US dollars")
    number, group = found["number"], "," if mark == "." else "."
    whole, *rest = number.split(mark)
    if len(rest) > 1 or group in "".join(rest) or (group in whole and not _grouped(whole, group)):
        raise ValueError(f"{_quoted(text)} is no amount")
    signs = [each for each in (found["sign"], found["after"], found["last"], "-" if found["open"] else "") if each]
    if len(signs) > 1:
        raise ValueError(f"{_quoted(text)} has two signs")
    value = attodollars(f"{whole.replace(group, '') or '0'}.{''.join(rest) or '0'}{found['exponent'] or ''}")
    return -value if signs == ["-"] else value


def decimal_mark(cells: Iterable[str], *, separated_by: str) -> Mark:
    """What precedes the decimals in a column of amounts; `1,234` alone could be either and is told from the other cells, or, if none of
    them tells, from what separates the columns."""
    commas = dots = 0
    for cell in cells:
        number = "".join(letter for letter in cell if letter in "0123456789.,")
        comma, dot = number.rfind(","), number.rfind(".")
        if comma >= 0 and dot >= 0:
            commas, dots = commas + (comma > dot), dots + (dot > comma)
        elif comma >= 0:
            several, unclear = number.count(",") > 1, _grouped(number, ",")
            commas, dots = commas + (not several and not unclear), dots + several
        elif dot >= 0:
            several = number.count(".") > 1
            commas, dots = commas + several, dots + (not several and not _grouped(number, "."))
    if commas == dots:
        return "," if separated_by == ";" and any("," in cell for cell in cells) else "."
    return "," if commas > dots else "."


def _grouped(number: str, group: str) -> bool:
    """Whether a number looks like one in groups of three digits."""
    first, *others = number.split(group)
    whole = first.isdigit() and len(first) <= 3 and not first.startswith("0")
    return whole and bool(others) and all(len(each) == 3 and each.isdigit() for each in others)


def utc_day(text: str, order: Order | None) -> str:
    """The UTC day, YYYY-MM-DD, of a date or a time; a time without an offset is UTC's. Raises ValueError.

    `order` tells 05/06/2026 apart; None: nothing does, and what could be either is refused.
    """
    body = re.sub(r"\s*(?:utc|gmt)$", "z", text.strip().lower())
    found = _of_numbers(body, order) or _of_names(body) or _of_time(body)
    if found is None:
        raise ValueError(f"{_quoted(text)} is no date")
    if found.year not in _YEARS:
        raise ValueError(f"{_quoted(text)} is of no year that has a bill")
    return found.isoformat()


def date_order(cells: Iterable[str]) -> Order | None:
    """Which number comes first in a column of dates such as 05/06/2026; None where none of them tells, or they contradict each other."""
    first = second = False
    for cell in cells:
        found = _NUMBERS.match(cell.strip())
        if found and found[2] != ".":
            first, second = first or int(found[1]) > 12, second or int(found[3]) > 12
    return None if first == second else "day" if first else "month"


def _of_numbers(body: str, order: Order | None) -> date | None:
    found = _NUMBERS.match(body)
    if found is None:
        return None
    one, other, year = int(found[1]), int(found[3]), int(found[4])
    if found[2] == ".":
        order = "day"
    if order is None and one != other and max(one, other) <= 12:
        raise ValueError(f"{_quoted(body)} could be one of two days: write dates as YYYY-MM-DD")
    is_day_first = order == "day" or (order is None and one > 12)
    return _date(year, other, one) if is_day_first else _date(year, one, other)


def _of_names(body: str) -> date | None:
    found = _DAY_FIRST.match(body) or _MONTH_FIRST.match(body)
    if found is None or found["month"] not in _MONTHS:
        return None
    return _date(int(found["year"]), _MONTHS.index(found["month"]) + 1, int(found["day"]))


def _of_time(body: str) -> date | None:
    try:
        if re.fullmatch(r"\d{10}(\.\d+)?|\d{13}", body):
            return datetime.fromtimestamp(int(body[:10]), UTC).date()
        body = re.sub(r"^(\d{4})/(\d\d?)/(\d\d?)", lambda part: f"{part[1]}-{int(part[2]):02}-{int(part[3]):02}", body)
        at = datetime.fromisoformat(re.sub(r"\s+([-+]\d\d:?\d\d)$", r"\1", body).upper())
    except ValueError:
        return None
    return (at.astimezone(UTC) if at.tzinfo is not None else at).date()


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def model_name(name: str) -> str:
    """One spelling for a model's id, its dated and its routed ids and its display name; what follows a comma names a token class."""
    bare = re.sub(r"\s*\([^)]*\)$", "", name.partition(",")[0].strip())
    words = plain(re.sub(r"\s+", "-", bare)).replace(".", "-").split("-")
    # The older ones have the version before the family's name, display names always behind it.
    return "-".join(sorted(words, key=str.isdigit) if words[0] == "claude" else words) or NO_MODEL


NO_MODEL = "no model named"


def _quoted(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:40] + "…")
