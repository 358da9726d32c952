"""When a hook on spend is due: the windows of budgets, the moment of a daily report, and what a threshold is compared with.

Decides which window a hook looks at, and that it is due once in each. Everything is a function of what is passed in: what was decided
before is kept by `pipeline.outbox`, when anybody looks and who is told is the command line's business.

The law: a threshold is due in the window that holds `now` once the known spend of that window has reached it, whether a watcher saw it
being crossed or comes later; it is never due in another window, except for `GRACE_US` after a window's end, so that what was spent in its
last moments, or while the watcher was being started again, is not passed over.
"""

from collections.abc import Container, Iterable, Mapping
from typing import Literal

import msgspec

from views import calendar
from views.snapshot_text import Day
from views.tally import NUMBERS

Period = Literal["day", "week", "month"]

GRACE_US = 60_000_000
"""So long after its end a window is still looked at."""

_PLACE = {name: place for place, name in enumerate(NUMBERS)}
_PROMPT = tuple(_PLACE[name] for name in ("input", "cache_read", "cache_write_5m", "cache_write_1h"))
_COSTS = tuple(_PLACE[name] for name in NUMBERS if name.startswith("cost_"))


class Watch(msgspec.Struct, frozen=True, kw_only=True):
    """What one hook waits for."""

    hook: str
    profile: str
    period: Period | None = None
    """The window of a threshold; None: a daily report of the day before."""
    threshold: int = 0
    """Attodollars."""
    at_minute: int = 0
    """Minute of the local day from which on the report is due."""
    since_us: int = 0
    """Reports whose moment came before are not due: the hook was not there yet."""


class Window(msgspec.Struct, frozen=True):
    """The local days that one alert is about, both included."""

    name: str
    """Different for each window that a hook can have: with the hook it identifies an alert."""
    first_day: int
    last_day: int


class Spend(msgspec.Struct, kw_only=True):
    """What one profile used in some days. Money is attodollars."""

    requests: int = 0
    prompt: int = 0
    output: int = 0
    cost: int = 0
    """What is known to be spent."""
    unpriced: int = 0
    """Calls that should have a price and have none; they are not in `cost`."""
    unbilled: int = 0
    """Calls that nobody bills by the token."""

    def add(self, other: "Spend") -> None:
        """Count in what another one holds."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


class Due(msgspec.Struct, frozen=True):
    """A hook that is due, and why."""

    watch: Watch
    window: Window
    spend: Spend


def by_profile(day: Day) -> dict[str, Spend]:
    """What each profile used on one counted day."""
    found: dict[str, Spend] = {}
    for combo, numbers in day.cells.items():
        found.setdefault(combo[0] or "", Spend()).add(
            Spend(
                requests=numbers[_PLACE["requests"]],
                prompt=sum(numbers[place] for place in _PROMPT),
                output=numbers[_PLACE["output"]],
                cost=sum(numbers[place] for place in _COSTS),
                unpriced=numbers[_PLACE["unpriced_requests"]],
                unbilled=numbers[_PLACE["unbilled_requests"]],
            )
        )
    return found


def windows(watch: Watch, now_us: int, *, tz: str, week_start: int) -> list[Window]:
    """The windows in which the hook may be due at `now_us`."""
    if watch.period is None:
        return _reported(watch, now_us, tz)
    days = dict.fromkeys((calendar.day_at(tz, now_us - GRACE_US), calendar.day_at(tz, now_us)))
    return list(dict.fromkeys(_around(watch.period, day, week_start) for day in days))


def _around(period: Period, day: int, week_start: int) -> Window:
    if period == "day":
        return Window(f"day {calendar.iso_day(day)}", day, day)
    if period == "week":
        first = calendar.week_of(day, week_start)
        return Window(f"week {calendar.iso_day(first)}", first, first + 6)
    return Window(f"month {calendar.iso_month(day)}", calendar.month_of(day), calendar.next_month(day) - 1)


def _reported(watch: Watch, now_us: int, tz: str) -> list[Window]:
    today = calendar.day_at(tz, now_us)
    if not watch.since_us <= moment(tz, today, watch.at_minute) <= now_us:
        return []
    return [Window(f"report {calendar.iso_day(today - 1)}", today - 1, today - 1)]


def moment(tz: str, day: int, minute: int) -> int:
    """When a minute of a local day comes; one that a change of the clock leaves out comes that much later."""
    from datetime import datetime  # only whoever has such a hook

    at = datetime(*calendar.civil(day), minute // 60, minute % 60, tzinfo=calendar.zone(tz))
    return int(at.timestamp()) * 1_000_000


def days_of(watches: Iterable[Watch], now_us: int, *, tz: str, week_start: int) -> set[int]:
    """The local days that must be counted to tell what is due; none of them lies after today."""
    today = calendar.day_at(tz, now_us)
    found: set[int] = set()
    for watch in watches:
        for window in windows(watch, now_us, tz=tz, week_start=week_start):
            found.update(range(window.first_day, min(window.last_day, today) + 1))
    return found


def due(
    watches: Iterable[Watch],
    days: Mapping[int, Mapping[str, Spend]],
    decided: Container[tuple[str, str]],
    now_us: int,
    *,
    tz: str,
    week_start: int,
) -> list[Due]:
    """The hooks that are due now and not yet `decided`, which holds (hook, window); `days` holds what `days_of` names."""
    found = []
    for watch in watches:
        for window in windows(watch, now_us, tz=tz, week_start=week_start):
            if (watch.hook, window.name) in decided:
                continue
            spend = _spent(days, watch.profile, window)
            if watch.period is None or spend.cost >= watch.threshold:
                found.append(Due(watch, window, spend))
    return found


def _spent(days: Mapping[int, Mapping[str, Spend]], profile: str, window: Window) -> Spend:
    total = Spend()
    for number in range(window.first_day, window.last_day + 1):
        spend = days.get(number, {}).get(profile)
        if spend is not None:
            total.add(spend)
    return total
