"""`ringlet guard`: whether an agent may go on, answered as a hook of the agent's before each tool call.

Decides what a breach is and how it is told: by exit code 2 and one line on standard error, which is how Claude Code lets a `PreToolUse`
hook deny a call and tells the model why (https://code.claude.com/docs/en/hooks, 2026-11). Any trouble of ours, wrong usage included, is
exit code 1 with one line, which lets the agent go on. On the hot path: it loads no more than the shortest answers do.
"""

import gc
import sys

from cli.app import clock
from cli.figures import usd
from cli.hearing import heard
from cli.outcomes import DENIED, DONE, FAILED, INTERRUPTED, guarded
from cli.spend import BUDGETS, limit_reached, spent
from pipeline.errors import RingletError
from views import calendar
from views.pricing.money import attodollars

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cli.spend import Spent
    from views.snapshot import Header

_UNTIL = {"day": 1, "today": 1, "week": 7}


class Wanted:
    """One `ringlet guard` command line. Texts are as they were typed; None is what was not."""

    __slots__ = ("limit", "period", "profile")

    def __init__(self, *, profile: "str | None" = None, period: "str | None" = None, limit: "str | None" = None) -> None:
        self.profile = profile
        self.period = period
        self.limit = limit


def answer(wanted: Wanted) -> int:
    """The exit code: `DENIED` only where a budget is breached; for any trouble `FAILED`, told in one line."""
    gc.disable()
    reasons: list[str] = []
    code = guarded(lambda: _judged(wanted, reasons))
    if code not in (DONE, INTERRUPTED):
        return FAILED
    if not reasons:
        return code
    try:
        sys.stderr.write(f"ringlet: {reasons[0]}\n")
        sys.stderr.flush()
    except (OSError, UnicodeError):
        pass  # nobody listens; the exit code still denies
    return DENIED


def _judged(wanted: Wanted, reasons: "list[str]") -> int:
    try:
        heard()  # nothing in it decides
        reason = breach(wanted, clock())
    except (RingletError, OSError, MemoryError):
        raise
    except Exception as bug:
        # An agent must not stand still because of a mistake of ours, nor be shown a traceback.
        raise RingletError(f"guard could not judge ({type(bug).__name__})", mend="ringlet doctor looks for what is wrong") from bug
    if reason is not None:
        reasons.append(reason)
    return DONE


def breach(wanted: Wanted, now_us: int) -> "str | None":
    """Why the agent must stop; None where it may go on. Raises RingletError where that cannot be told.

    With a limit the sum of its period is compared with it; without one the sums of all periods that the profile's budget names.
    """
    limits: dict[str, int] = {}

    def periods(header: "Header") -> "Sequence[str]":
        limits.clear()
        limits.update(checked(wanted, header.budgets))
        return tuple(limits)

    _, sums = spent(wanted.profile, periods, now_us)
    reached = [found for found in sums if limit_reached(found, limits[found.period])]
    # Of several the one that lasts longest.
    return told(reached[-1], limits[reached[-1].period]) if reached else None


def checked(wanted: Wanted, budgets: "Mapping[str, Mapping[str, int]]") -> "dict[str, int]":
    """The limits in attodollars by period, the shortest first. Raises RingletError for a mistake, and where there is none."""
    if wanted.period is not None and calendar.label(_named(wanted.period)) is None:
        raise RingletError(f"no period {wanted.period[:40]!r}", mend=f"there are: day, {', '.join(calendar.PERIODS)}, any Nd such as 14d")
    if wanted.limit is not None:
        if wanted.period is None:
            raise RingletError("--limit needs the period that it is for", mend="add --period day, week or month")
        try:
            limit = attodollars(wanted.limit)
        except ValueError:
            limit = -1
        if limit < 0:
            raise RingletError(f"--limit {wanted.limit[:40]!r} is no amount", mend="write US dollars such as 200 or 12.50")
        return {wanted.period: limit}
    if wanted.profile is None:
        raise RingletError("no limit is named", mend="add --limit USD, or --profile NAME with [budgets.NAME] in config.toml")
    known = budgets.get(wanted.profile, {})
    asked = BUDGETS if wanted.period is None else ("day" if wanted.period == "today" else wanted.period,)
    found = {period: known[period] for period in asked if period in known}
    if not found:
        which = f"profile {wanted.profile!r} has no budget" + (f" for --period {wanted.period}" if wanted.period else "")
        raise RingletError(which, mend=f"write [budgets.{wanted.profile}] into config.toml (day, week, month), or add --limit USD")
    return found


def _named(period: str) -> str:
    return "today" if period == "day" else period


def told(found: "Spent", limit: int) -> str:
    """The reason, as one line for the model and its user."""
    query = found.query
    whose = "" if query.profile is None else f" of profile {query.profile!r}"
    words = query.label[:1].lower() + query.label[1:]
    days = ""
    if query.first_day is not None and query.last_day is not None:
        first, last = calendar.iso_day(query.first_day), calendar.iso_day(query.last_day)
        days = f" ({first})" if first == last else f" ({first} to {last})"
    unpriced = found.totals.unpriced_requests
    missing = ""
    if unpriced:
        calls = "1 call has no known price and is" if unpriced == 1 else f"{unpriced:,} calls have no known price and are"
        missing = f"; {calls} not in it"
    return f"the budget{whose} is spent: {usd(found.amount)} of {usd(limit)} {words}{days}{missing}. Tool calls are denied{_end(found)}"


def _end(found: "Spent") -> str:
    first = found.query.first_day
    if first is None or found.period not in (*_UNTIL, "month"):
        return " until the limit is raised."
    end = calendar.next_month(first) if found.period == "month" else first + _UNTIL[found.period]
    return f" until {calendar.iso_day(end)} or until the limit is raised."
