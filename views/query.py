"""A question about usage and its answer: the structures that every way of asking and every way of answering share.

Decides what can be asked (groupings, filters, order), which rows a range has, and in which order they stand. When a name matches a filter
is decided by `views.matching`.
Where the numbers come from is the business of `views.snapshot` (short questions) and `views.answers` (all of them); both fill the same
structures, so that the same question has one answer. Plain classes and no import beyond `views.calendar`: this is on the hot path.

Definitions that every answer keeps:

- A *session* is a distinct (agent, session) that owns at least one call inside the range and the filters; calls that name no session count
  for none. *Runtime* is the sum over those sessions of (last - first call inside the range and the filters).
- `cost` is None where there were calls and none of them has a price; it is 0 where there were no calls. The five parts add up to it.
- A call is *unpriced* when it should have a price and none is known; *unbilled* when its provider is local or managed.
- Money is an integer number of attodollars (10^-18 USD): every listed rate is a whole number of them.
"""

from views import calendar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

ATTO = 10**18
"""Attodollars in a dollar."""

GROUPINGS = ("profile", "model", "provider", "agent", "project", "session", "initiator", "source", "day", "hour", "week", "month")
TIME_GROUPINGS = ("day", "hour", "week", "month")
GROUPING_NAMES = {
    "profiles": "profile",
    "models": "model",
    "providers": "provider",
    "agents": "agent",
    "projects": "project",
    "sessions": "session",
    "daily": "day",
    "hourly": "hour",
    "weekly": "week",
    "monthly": "month",
}
"""Subcommands of `usage` and the grouping each one means."""

FILTERS = ("profile", "model", "provider", "agent", "project", "session", "initiator", "source")
COST_MODES = ("auto", "calculate", "logged")
_YEAR, _YEARS_BACK = 366, 7305

SORTS = ("cost", "tokens", "input", "output", "requests", "sessions", "runtime", "last-used", "name")
"""What rows can be sorted by: numbers and times with the largest first, `name` from a to z; `:asc` or `:desc` turns it round."""


class Query:
    """One question. `now_us` is when it is asked, `today` the local day of that; all filters must hold at once."""

    __slots__ = (
        "agent",
        "by",
        "cost_mode",
        "first_day",
        "initiator",
        "label",
        "last_day",
        "limit",
        "model",
        "now_us",
        "period",
        "profile",
        "project",
        "provider",
        "session",
        "since_us",
        "sort",
        "source",
        "split",
        "today",
        "tz",
        "week_start",
    )

    def __init__(
        self,
        *,
        now_us: int,
        today: int,
        tz: str,
        by: str = "profile",
        period: "str | None" = None,
        label: str = "",
        first_day: "int | None" = None,
        last_day: "int | None" = None,
        since_us: "int | None" = None,
        week_start: int = 0,
        profile: "str | None" = None,
        model: "str | None" = None,
        provider: "str | None" = None,
        agent: "str | None" = None,
        project: "str | None" = None,
        session: "str | None" = None,
        initiator: "str | None" = None,
        source: "str | None" = None,
        split: "str | None" = None,
        sort: "str | None" = None,
        limit: "int | None" = None,
        cost_mode: str = "auto",
    ) -> None:
        self.now_us = now_us
        self.today = today
        self.tz = tz
        """IANA name of the zone whose calendar days are meant."""
        self.by = by
        """One of `GROUPINGS`."""
        self.period = period
        """The period as it was named; None where dates were given."""
        self.label = label
        self.first_day = first_day
        """First local day of the range, None = from the beginning."""
        self.last_day = last_day
        """Last local day of the range, included; None = no end."""
        self.since_us = since_us
        """Only for the rolling `24h`: calls at or after this instant and before or at `now_us`, whatever their day."""
        self.week_start = week_start
        """0 = Monday … 6 = Sunday."""
        self.profile = profile
        self.model = model
        """Compare with `matching.model_matches`."""
        self.provider = provider
        self.agent = agent
        self.project = project
        """Compare with `matching.project_matches`."""
        self.session = session
        """Compare with `matching.session_matches`."""
        self.initiator = initiator
        """One of `matching.INITIATORS`: `main`, `task` or `heartbeat`."""
        self.source = source
        """One of `matching.SOURCES`: `chat`, `agent` or `memory`."""
        self.split = split
        """A second grouping within each group, one of `GROUPINGS`; its rows are those that there are, without empty ones."""
        self.sort = sort
        """`KEY`, `KEY:asc` or `KEY:desc` with a key of `SORTS`; None = the grouping's own order."""
        self.limit = limit
        self.cost_mode = cost_mode

    def filters(self) -> "dict[str, str]":
        """The filters that are set, by name."""
        return {name: value for name in FILTERS if (value := getattr(self, name)) is not None}

    def grouped(self, by: str, *, ranged: bool = True) -> "Query":
        """The same question by another grouping, in that grouping's own order and whole; of all time where not `ranged`."""
        other = Query(
            now_us=self.now_us,
            today=self.today,
            tz=self.tz,
            by=by,
            period=self.period,
            label=self.label,
            week_start=self.week_start,
            cost_mode=self.cost_mode,
        )
        if ranged:
            other.first_day, other.last_day, other.since_us = self.first_day, self.last_day, self.since_us
        for name, value in self.filters().items():
            setattr(other, name, value)
        return other


class Totals:
    """Sums over some calls. Token classes are disjoint; `reasoning` is part of `output`; costs are attodollars."""

    __slots__ = (
        "cache_read",
        "cache_write_1h",
        "cache_write_5m",
        "cost_cache_read",
        "cost_cache_write",
        "cost_input",
        "cost_other",
        "cost_output",
        "first_at_us",
        "input",
        "last_at_us",
        "output",
        "reasoning",
        "requests",
        "runtime_us",
        "sessions",
        "unbilled_requests",
        "unpriced_requests",
        "web_searches",
    )

    def __init__(
        self,
        *,
        requests: int = 0,
        input: int = 0,
        output: int = 0,
        cache_read: int = 0,
        cache_write_5m: int = 0,
        cache_write_1h: int = 0,
        reasoning: int = 0,
        web_searches: int = 0,
        cost_input: int = 0,
        cost_output: int = 0,
        cost_cache_write: int = 0,
        cost_cache_read: int = 0,
        cost_other: int = 0,
        unpriced_requests: int = 0,
        unbilled_requests: int = 0,
        sessions: int = 0,
        runtime_us: int = 0,
        first_at_us: "int | None" = None,
        last_at_us: "int | None" = None,
    ) -> None:
        self.requests = requests
        self.input = input
        self.output = output
        self.cache_read = cache_read
        self.cache_write_5m = cache_write_5m
        self.cache_write_1h = cache_write_1h
        self.reasoning = reasoning
        self.web_searches = web_searches
        self.cost_input = cost_input
        self.cost_output = cost_output
        self.cost_cache_write = cost_cache_write
        self.cost_cache_read = cost_cache_read
        self.cost_other = cost_other
        """Web searches, and costs that only the log states and that therefore have no parts."""
        self.unpriced_requests = unpriced_requests
        self.unbilled_requests = unbilled_requests
        self.sessions = sessions
        self.runtime_us = runtime_us
        self.first_at_us = first_at_us
        self.last_at_us = last_at_us

    def add(self, other: "Totals") -> None:
        """Take in other calls; sessions and runtime do not add up and stay as they are."""
        self.requests += other.requests
        self.input += other.input
        self.output += other.output
        self.cache_read += other.cache_read
        self.cache_write_5m += other.cache_write_5m
        self.cache_write_1h += other.cache_write_1h
        self.reasoning += other.reasoning
        self.web_searches += other.web_searches
        self.cost_input += other.cost_input
        self.cost_output += other.cost_output
        self.cost_cache_write += other.cost_cache_write
        self.cost_cache_read += other.cost_cache_read
        self.cost_other += other.cost_other
        self.unpriced_requests += other.unpriced_requests
        self.unbilled_requests += other.unbilled_requests
        first = [at for at in (self.first_at_us, other.first_at_us) if at is not None]
        last = [at for at in (self.last_at_us, other.last_at_us) if at is not None]
        self.first_at_us, self.last_at_us = min(first, default=None), max(last, default=None)

    @property
    def cache_write(self) -> int:
        """Cache writes of both lifetimes."""
        return self.cache_write_5m + self.cache_write_1h

    @property
    def prompt(self) -> int:
        """Everything on the prompt side: what tables call `in`."""
        return self.input + self.cache_read + self.cache_write_5m + self.cache_write_1h

    @property
    def tokens(self) -> int:
        """All tokens."""
        return self.prompt + self.output

    @property
    def cost(self) -> "int | None":
        """Attodollars; None where there were calls and none of them has a price."""
        if self.requests and self.requests <= self.unpriced_requests + self.unbilled_requests:
            return None
        return self.cost_input + self.cost_output + self.cost_cache_write + self.cost_cache_read + self.cost_other


class Row(Totals):
    """One group of an answer.

    `key` names the group: the name as stored (None where the log names none), `2026-05-01` for a day and, by its first day, for a week,
    `2026-05` for a month, `2026-05-01T13:00+02:00` for an hour of the query's zone. `part` is the key of the second grouping.
    """

    __slots__ = ("agents", "initiators", "key", "models", "part", "profiles", "project", "providers", "title")

    def __init__(self, key: "str | None", **numbers: "int | None") -> None:
        super().__init__(**numbers)  # type: ignore[arg-type]
        self.key = key
        self.part: str | None = None
        self.profiles: tuple[str, ...] = ()
        self.agents: tuple[str, ...] = ()
        """Names that occur in the group, a to z; what the log leaves open is left out. The same for the other three."""
        self.providers: tuple[str, ...] = ()
        self.models: tuple[str, ...] = ()
        self.title: str | None = None
        """Sessions only: as the agent's log names it."""
        self.project: str | None = None
        self.initiators: tuple[str, ...] = ()
        """Sessions only, both: the project of its last call that has one; who called, a to z."""


class Answer:
    """What the calls of a query's range and filters add up to."""

    __slots__ = ("_profiles", "as_of_us", "cost_policy", "last_day", "lost", "query", "rows", "totals", "unpriced_models")

    def __init__(
        self,
        query: Query,
        totals: Totals,
        rows: "list[Row]",
        profiles: "Callable[[], list[Row]]",
        *,
        last_day: "int | None",
        unpriced_models: "Sequence[str]" = (),
        as_of_us: int = 0,
    ) -> None:
        self.query = query
        self.totals = totals
        """Over all calls, rows cut off by `limit` included."""
        self.rows = rows
        """One per group, as `arrange` and `fill` leave them."""
        self._profiles = profiles
        self.last_day = last_day
        """The last local day on which there is anything under the filters; None = nothing at all. Always told for empty totals."""
        self.unpriced_models = unpriced_models
        """Models of the unpriced calls, a to z."""
        self.as_of_us = as_of_us
        self.lost: tuple[int, int, int] | None = None
        """(tokens, first day, last day) that an agent remembers in the range and no call explains; part of no sum."""
        self.cost_policy = "metered"
        """Which calls have a cost, as the settings say: the others are unbilled for that reason as well."""

    @property
    def profiles(self) -> "list[Row]":
        """One per profile, whatever the grouping; sorted like the rows of the grouping `profile`. Made only for who asks: tables do not."""
        return self._profiles()


def range_of(
    period: "str | None", since: "int | None", until: "int | None", *, today: int, week_start: int, now_us: int
) -> "tuple[str, int | None, int | None, int | None]":
    """(label, first day, last day, since_us) of a period, or of dates where there is no period. Raises ValueError for an unknown period."""
    if period is not None:
        first, last = calendar.days(period, today, week_start)
        return calendar.label(period) or period, first, last, now_us - calendar.DAY_US if period == "24h" else None
    if since is None and until is None:
        raise ValueError("neither a period nor dates")
    if since is None:
        return f"until {calendar.iso_day(until or 0)}", None, until, None
    return f"{calendar.iso_day(since)} to {calendar.iso_day(max(today, since) if until is None else until)}", since, until, None


def fill(query: Query, rows: "Iterable[Row]") -> "list[Row]":
    """The rows of a day, week or month grouping in calendar order, with an empty one for every day, week or month of the range.

    A range without a beginning starts with its first row, or with its first row of the last twenty years: a clock that was wrong once would
    fill a table with empty centuries. One that reaches past today ends with today or, if later, its last row of the coming year.
    """
    if query.by not in ("day", "week", "month"):
        return list(rows)
    found = {row.key: row for row in rows}
    # Keys are compared as text, which orders them as time does: to read each as a date would take as long as all the rest.
    low, high = (calendar.iso_day(max(query.today + days, calendar.FIRST_DAY)) for days in (-_YEARS_BACK, _YEAR))
    near = [key for key in found if key is not None and low <= (key if len(key) > 7 else key + "-01") <= high]
    earliest, latest = (_first_day_of(min(near)), _first_day_of(max(near))) if near else (None, None)
    first = query.first_day if query.first_day is not None else query.today + 1 if earliest is None else earliest
    last = query.today if latest is None else max(query.today, latest)
    if query.last_day is not None:
        last = min(last, query.last_day)
    keys: dict[str, None] = {}
    day = first
    while day <= last:
        keys[time_key(query.by, day, query.week_start)] = None
        day = calendar.next_month(day) if query.by == "month" else day + (7 if query.by == "week" else 1)
    if first <= last:
        keys[time_key(query.by, last, query.week_start)] = None
    keys.update(dict.fromkeys(key for key in found if key is not None))
    return [found[key] if key in found else Row(key) for key in sorted(keys)]


def time_key(by: str, day: int, week_start: int) -> str:
    """The key of the day, week or month that `day` belongs to."""
    if by == "month":
        return calendar.iso_month(day)
    return calendar.iso_day(calendar.week_of(day, week_start) if by == "week" else day)


def _first_day_of(key: str) -> "int | None":
    return calendar.parse_day(key if len(key) > 7 else key + "-01")


def arrange(query: Query, rows: "Iterable[Row]") -> "list[Row]":
    """Rows filled, sorted and limited as the query says.

    By themselves times stand in calendar order and names by cost, then tokens, the largest first; of times that nobody sorted, a limit
    keeps the latest.
    """
    filled = fill(query, rows) if query.split is None else list(rows)
    if query.sort is None and query.by in TIME_GROUPINGS:
        if query.by == "hour":
            # When clocks go back one hour comes twice, the later one with the smaller offset: its calls' times tell them apart.
            begun: dict[str | None, int] = {}
            for row in filled:
                begun[row.key] = min(begun.get(row.key, row.first_at_us or 0), row.first_at_us or 0)
            filled.sort(key=lambda row: ((row.key or "")[:16], begun[row.key], row.part is None, row.part or ""))
        elif query.split is not None:
            filled.sort(key=lambda row: (row.key or "", row.part is None, row.part or ""))
        return filled[-query.limit :] if query.limit else filled
    key, _, direction = (query.sort or "cost").partition(":")
    # Ties always end in the order of names, whichever way the numbers run.
    filled.sort(key=_by_name, reverse=key == "name" and direction == "desc")
    if key != "name":
        filled.sort(key=_SORT_KEYS[key], reverse=direction != "asc")
    return filled[: query.limit] if query.limit else filled


def _by_name(row: Row) -> "tuple[bool, str, bool, str]":
    return row.key is None, row.key or "", row.part is None, row.part or ""


def _by_cost(row: Row) -> "tuple[int, int, int]":
    cost = row.cost
    return (0, 0, row.tokens) if cost is None else (1, cost, row.tokens)


_SORT_KEYS: "dict[str, Callable[[Row], Any]]" = {
    "cost": _by_cost,
    "tokens": lambda row: row.tokens,
    "input": lambda row: row.prompt,
    "output": lambda row: row.output,
    "requests": lambda row: row.requests,
    "sessions": lambda row: row.sessions,
    "runtime": lambda row: row.runtime_us,
    "last-used": lambda row: row.last_at_us or 0,
}


def sort_is_known(sort: str) -> bool:
    """Whether a text is a key of `SORTS`, alone or with `:asc` or `:desc`."""
    key, colon, direction = sort.partition(":")
    return key in SORTS and (not colon or direction in ("asc", "desc"))
