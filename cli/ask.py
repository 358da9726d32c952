"""How someone asks about usage: the words of a command line, and the question they mean.

Decides what the words of `ringlet usage` mean, whichever way they were parsed. Imports nothing heavy: the shortest commands ask through it.
"""

from pipeline.errors import RingletError, UnknownName
from views import calendar
from views.matching import INITIATORS, SOURCES
from views.query import (
    COST_MODES,
    FILTERS,
    GROUPING_NAMES,
    GROUPINGS,
    SORTS,
    TIME_GROUPINGS,
    Query,
    range_of,
    sort_is_known,
)

EXPORT_FORMATS = ("csv", "json", "jsonl", "parquet")

_LISTED = 100
"""Valid names that an error lists; there may be thousands of projects and sessions."""
_WORDS = {"initiator": INITIATORS, "source": SOURCES}


class Request:
    """One `ringlet usage` command line. Texts are as they were typed; None is what was not."""

    __slots__ = (
        "active",
        "agent",
        "blocks",
        "by",
        "chart",
        "classes",
        "color",
        "cost",
        "cost_mode",
        "export",
        "initiator",
        "json",
        "limit",
        "model",
        "output",
        "period",
        "profile",
        "project",
        "provider",
        "raw",
        "session",
        "since",
        "sort",
        "source",
        "sync",
        "tz",
        "until",
        "week_start",
        "what",
    )

    def __init__(self) -> None:
        self.what: str | None = None
        """The subcommand: a plural of `GROUPING_NAMES`."""
        self.by: str | None = None
        """One of `GROUPINGS`, from `--by` and its like."""
        self.period: str | None = None
        self.since: str | None = None
        self.until: str | None = None
        self.profile: str | None = None
        self.model: str | None = None
        self.provider: str | None = None
        self.agent: str | None = None
        self.project: str | None = None
        self.session: str | None = None
        self.initiator: str | None = None
        self.source: str | None = None
        self.sort: str | None = None
        self.limit: int | None = None
        self.tz: str | None = None
        self.week_start: str | None = None
        self.cost_mode: str | None = None
        self.export: str | None = None
        """A format, where calls or rows are to be exported."""
        self.output: str | None = None
        """The file that an export or a chart goes to; None: standard output."""
        self.blocks = False
        """Whether five-hour blocks are asked for."""
        self.active = False
        """Whether only the active one of them is."""
        self.chart = False
        """Whether a picture is to be drawn into `output`."""
        self.cost = False
        """Whether a chart over time shows cost in place of tokens."""
        self.raw = False
        """Whether an export leaves cells alone that a spreadsheet would take for formulas."""
        self.json = False
        self.classes = False
        self.sync = True
        self.color = True

    @property
    def grouping(self) -> "str | None":
        """The grouping that was asked for; None for plain `usage`."""
        return GROUPING_NAMES[self.what] if self.what else self.by


def query_of(request: Request, *, now_us: int, today: int, tz: str, week_start: int, cost_mode: str) -> Query:
    """The question that a command line means; zone, week start and cost mode are those in force where it names none.

    Without a period or dates, plain `usage` and names mean today, times and exports mean all. Raises UnknownName for
    a word that means nothing, with the words that do; WrongUsage for two that exclude each other.
    """
    if request.by is not None and request.by not in GROUPINGS:
        raise unknown("grouping", request.by, GROUPINGS)
    if request.what and request.by and GROUPING_NAMES[request.what] != request.by:
        raise WrongUsage(f"usage {request.what} and --by {request.by} are two groupings", mend="give one of them")
    since, until = _day("since", request.since), _day("until", request.until)
    dated = since is not None or until is not None
    if request.period is not None and dated:
        raise WrongUsage("period and since/until exclude each other", mend="give one of them")
    if since is not None and until is not None and until < since:
        raise WrongUsage(f"until {request.until} is before since {request.since}", mend="exchange them")
    by = request.grouping
    period = request.period
    if period is None and not dated:
        period = "all" if by in TIME_GROUPINGS or request.export or request.blocks else "today"
    if period is not None and calendar.label(period) is None:
        raise unknown("period", period, (*calendar.PERIODS, "any Nd such as 14d"))
    if request.week_start is not None:
        week_start = _weekday(request.week_start)
    if request.sort is not None and not sort_is_known(request.sort):
        raise unknown("sort key", request.sort, (*SORTS, "each with :asc or :desc behind it"))
    if request.cost_mode is not None and request.cost_mode not in COST_MODES:
        raise unknown("cost mode", request.cost_mode, COST_MODES)
    for name, words in _WORDS.items():
        if getattr(request, name) not in (None, *words):
            raise unknown(name, getattr(request, name), tuple(words))
    if request.limit is not None and request.limit < 1:
        raise WrongUsage(f"limit {request.limit} shows nothing", mend="give 1 or more")
    label, first, last, since_us = range_of(period, since, until, today=today, week_start=week_start, now_us=now_us)
    return Query(
        now_us=now_us,
        today=today,
        tz=tz,
        by=by or "profile",
        period=period,
        label=label,
        first_day=first,
        last_day=last,
        since_us=since_us,
        week_start=week_start,
        sort=request.sort,
        limit=request.limit,
        cost_mode=request.cost_mode or cost_mode,
        **{name: getattr(request, name) for name in FILTERS},
    )


class WrongUsage(RingletError):
    """Words that do not go together; what an option, a parameter and a field of the page share is named without dashes: `since`."""


def unknown(kind: str, name: str, known: "tuple[str, ...] | list[str]") -> UnknownName:
    """The error for a name that is none of `known`."""
    shown = ", ".join(known[:_LISTED]) + (f" and {len(known) - _LISTED} more" if len(known) > _LISTED else "")
    what = f"no {kind} {name!r}; there are: {shown}" if known else f"no {kind} {name!r}; there is none yet"
    return UnknownName(what, valid=tuple(known))


def _day(name: str, text: "str | None") -> "int | None":
    if text is None:
        return None
    day = calendar.parse_day(text)
    if day is None:
        raise WrongUsage(f"{name} {text!r} is no date", mend="write it as 2026-05-01")
    return day


def _weekday(text: str) -> int:
    for number, name in enumerate(calendar.WEEKDAYS):
        if text.lower() in (name, name[:3]):
            return number
    raise unknown("weekday", text, calendar.WEEKDAYS)
