"""Calendar days, periods and zones: which local day an instant falls on, and which days a period covers.

Decides what `week`, `30d` or `last-month` mean and where a local day begins. A day is an integer, days since 1970-01-01 in the zone in
question; an instant is microseconds since 1970-01-01T00:00:00Z. Whoever asks passes `today`; no clock is read here.

Everything but the functions that take a zone is plain arithmetic and imports nothing: short commands run through it on every tool call.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from zoneinfo import ZoneInfo

DAY_US = 86_400_000_000
HOUR_US = 3_600_000_000

FIRST_DAY, LAST_DAY = -719_162, 2_932_896
"""0001-01-01 and 9999-12-31: days outside of them cannot be written."""

PERIODS = ("24h", "today", "yesterday", "week", "last-week", "month", "last-month", "7d", "30d", "year", "all")
"""The names of periods; any `Nd` (calendar days including today) is one too."""

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

_NO_ZONES = ("Factory", "localtime", "posixrules")
_TREES = ("posix/", "right/")
"""Files that a machine's zone database holds beside its zones: a clock that is not set, names of whatever the machine keeps, and copies of
all zones, some of which count leap seconds. The frame library knows none of them."""

_LABELS = {
    "24h": "Last 24 hours",
    "today": "Today",
    "yesterday": "Yesterday",
    "week": "This week",
    "last-week": "Last week",
    "month": "This month",
    "last-month": "Last month",
    "year": "This year",
    "all": "All time",
}


_written: "dict[int, str]" = {}
"""Days that were written out: a daemon writes the same ones thousands of times."""
_MOST_WRITTEN = 10_000


def day_of(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01 of a date of the proleptic Gregorian calendar (Howard Hinnant, "chrono-Compatible Date Algorithms")."""
    if month <= 2:
        year -= 1
    era = year // 400
    of_era = year - era * 400
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468


def civil(day: int) -> "tuple[int, int, int]":
    """(year, month, day of the month): the inverse of `day_of`."""
    shifted = day + 719_468
    era = shifted // 146_097
    of_era = shifted - era * 146_097
    years = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * years + years // 4 - years // 100)
    slot = (5 * of_year + 2) // 153
    month = slot + (3 if slot < 10 else -9)
    return years + era * 400 + (month <= 2), month, of_year - (153 * slot + 2) // 5 + 1


def iso_day(day: int) -> str:
    """`2026-05-01`."""
    text = _written.get(day)
    if text is None:
        year, month, of_month = civil(day)
        text = f"{year:04d}-{month:02d}-{of_month:02d}"
        if len(_written) < _MOST_WRITTEN:
            _written[day] = text
    return text


def iso_month(day: int) -> str:
    """`2026-05`."""
    return iso_day(day)[:7]


def iso_time(at_us: int) -> str:
    """RFC 3339 in UTC, to the second: `2026-01-20T10:30:00Z`."""
    day, rest = divmod(at_us, DAY_US)
    seconds = rest // 1_000_000
    return f"{iso_day(day)}T{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}Z"


def parse_day(text: str) -> "int | None":
    """The day that `2026-05-01` names; None where it names none."""
    parts = text.split("-")
    if [len(part) for part in parts] != [4, 2, 2] or not all(part.isascii() and part.isdigit() for part in parts):
        return None
    year, month, of_month = (int(part) for part in parts)
    if year == 0 or not 1 <= month <= 12:
        return None
    day = day_of(year, month, of_month)
    return day if civil(day) == (year, month, of_month) else None


def weekday(day: int) -> int:
    """0 = Monday … 6 = Sunday."""
    return (day + 3) % 7


def week_of(day: int, week_start: int) -> int:
    """The day on which the week of `day` begins; `week_start` as `weekday`."""
    return day - (weekday(day) - week_start) % 7


def month_of(day: int) -> int:
    """The first day of the month of `day`."""
    year, month, _ = civil(day)
    return day_of(year, month, 1)


def next_month(day: int) -> int:
    """The first day of the month after that of `day`."""
    return month_of(month_of(day) + 31)


def label(period: str) -> "str | None":
    """What a period is called in an answer: `This week`, `Last 14 days`; None where there is no such period."""
    count = _count_of_days(period)
    return _LABELS.get(period) if count is None else f"Last {count} days" if count > 1 else "Last day"


def days(period: str, today: int, week_start: int) -> "tuple[int | None, int | None]":
    """First and last day of a period, both included; None on both sides for `all`. Raises ValueError for an unknown period.

    `24h` is not made of calendar days: it gives the two days that its instants can fall on.
    """
    count = _count_of_days(period)
    if count is not None:
        return today - count + 1, today
    week, month = week_of(today, week_start), month_of(today)
    known: dict[str, tuple[int | None, int | None]] = {
        "24h": (today - 1, today),
        "today": (today, today),
        "yesterday": (today - 1, today - 1),
        "week": (week, today),
        "last-week": (week - 7, week - 1),
        "month": (month, today),
        "last-month": (month_of(month - 1), month - 1),
        "year": (day_of(civil(today)[0], 1, 1), today),
        "all": (None, None),
    }
    if period not in known:
        raise ValueError(f"no period {period!r}")
    return known[period]


def _count_of_days(period: str) -> "int | None":
    number = period[:-1]
    if period[-1:] != "d" or not (number.isascii() and number.isdigit()) or len(number) > 6 or int(number) == 0:
        return None
    return int(number)


def zone(name: str) -> "ZoneInfo":
    """The IANA zone of that name. Raises ValueError where there is none."""
    # zoneinfo takes 3 ms to load, and commands that are answered from the snapshot never need it.
    from zoneinfo import ZoneInfo

    if name in _NO_ZONES or name.startswith(_TREES):
        raise ValueError(f"no time zone {name!r}")
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(f"no time zone {name!r}") from error


def midnights(name: str, first_day: int, last_day: int) -> "list[int]":
    """The instants at which the days `first_day` … `last_day` of a zone begin; where a clock change skips midnight, the change itself.

    The first and the last day that can be written take in what a zone puts before and after them.
    """
    if name == "UTC" and first_day > FIRST_DAY and last_day < LAST_DAY:
        # Not for its speed: loading the zone database takes as long as reading a few new lines.
        return [*range(first_day * DAY_US, (last_day + 1) * DAY_US, DAY_US)]
    from datetime import UTC, datetime, timedelta

    place = zone(name)
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    microsecond = timedelta(microseconds=1)
    first, last = max(first_day, FIRST_DAY + 1), min(last_day, LAST_DAY)
    return [
        *((FIRST_DAY - 1) * DAY_US for _ in range(first_day, min(last_day, FIRST_DAY) + 1)),
        *((datetime(*civil(day), tzinfo=place) - epoch) // microsecond for day in range(first, last + 1)),
        *((LAST_DAY + 2) * DAY_US for _ in range(max(first_day, LAST_DAY + 1), last_day + 1)),
    ]


def bounds(name: str, first_day: "int | None", last_day: "int | None") -> "tuple[int | None, int | None]":
    """The instants at which a range of days begins and ends; None where it has no bound."""
    start = None if first_day is None else midnights(name, first_day, first_day)[0]
    return start, None if last_day is None else midnights(name, last_day + 1, last_day + 1)[0]


def hours(name: str, start_us: int, end_us: int) -> "list[str]":
    """The hours of a zone's clock from one instant up to another, as `2026-05-01T13:00+02:00`, in the order in which they pass."""
    from datetime import datetime, timedelta

    place = zone(name)
    found: dict[str, None] = {}
    first, last = max(start_us, (FIRST_DAY + 1) * DAY_US), min(end_us, LAST_DAY * DAY_US)
    # Half-hours, because some clocks change by that much.
    for at_us in range(first, last, HOUR_US // 2):
        local = datetime(1970, 1, 1, tzinfo=zone("UTC")) + timedelta(microseconds=at_us)
        found[local.astimezone(place).replace(minute=0, second=0, microsecond=0).isoformat(timespec="minutes")] = None
    return list(found)


def at(name: str, at_us: int) -> "datetime":
    """An instant on the clock of a zone; at the edges of what can be written, the nearest one that every zone can write."""
    from datetime import UTC, datetime, timedelta

    within = min(max(at_us, (FIRST_DAY + 1) * DAY_US), LAST_DAY * DAY_US)
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=within)).astimezone(zone(name))


def day_at(name: str, at_us: int) -> int:
    """The day of a zone that an instant falls on."""
    guess = min(max(at_us // DAY_US, FIRST_DAY + 1), LAST_DAY - 1)
    starts = midnights(name, guess - 1, guess + 1)
    return guess - 2 + sum(start <= at_us for start in starts)


def day_under(starts: "Sequence[int]", first_day: int, at_us: int) -> "int | None":
    """The day that an instant falls on, given the midnights of `first_day` and the days after it; None outside of them."""
    if not starts or not starts[0] <= at_us < starts[-1]:
        return None
    return first_day - 1 + sum(start <= at_us for start in starts)
