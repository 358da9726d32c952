"""What is answered about usage by HTTP: one struct for every answer.

Decides names and types; `docs/api.md` and `/api/openapi.json` follow from here. What the numbers are is the views' business. Money is US
dollars as a JSON number with all its digits, null where no cost is known. Times are RFC 3339 in UTC; days are calendar days of the answer's
`timezone`.
"""

from decimal import Decimal

import msgspec


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What every answer from the store says of itself."""

    as_of: str
    """Until when the agents' logs are in the answer."""
    seq: int
    """Number of the last record in the answer; it rises with the log."""
    complete: bool
    """False while an import runs, or where logs could not be read."""
    quarantined: int
    """Records that claim usage and cannot be believed; they are in no number, whatever the filters."""
    unpriced_requests: int
    """Calls that have no known price: those of the answer, of the whole log where the answer is no sum of calls."""


class Asked(Told, frozen=True, kw_only=True):
    """An answer to a question with filters: the question as it was understood."""

    period: str
    """`This week`, or `2026-05-01 to 2026-05-12` for dates."""
    since: str | None = msgspec.field(name="from")
    """First day; null: no bound."""
    to: str | None
    """Last day, included."""
    days: int
    """Calendar days that the range has, days to come left out; of a range without a beginning, from the first call on."""
    timezone: str
    filters: dict[str, str]


class Tokens(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Token classes; they are disjoint and add up."""

    input_tokens: int
    """Uncached."""
    output_tokens: int
    cache_creation_input_tokens: int
    cache_read_input_tokens: int


class Cost(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A cost and its five parts."""

    input_cost: Decimal
    output_cost: Decimal
    cache_creation_cost: Decimal
    cache_read_cost: Decimal
    total_cost: Decimal
    other_cost: Decimal
    """Web searches, and costs that are only known as a whole."""


class Lifetimes(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename={"five_minutes": "5m", "one_hour": "1h"}):
    """Cache writes by how long they live."""

    five_minutes: int
    one_hour: int


class Sums(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What some calls add up to."""

    tokens: Tokens
    cost: Cost | None
    """null: there are calls, but none with a price."""
    sessions: int
    runtime_secs: int
    last_used: str | None
    requests: int
    prompt_tokens: int
    """Uncached input, cache reads and cache writes."""
    completion_tokens: int
    total_tokens: int
    unpriced_requests: int
    unbilled_requests: int
    """Calls of local and managed providers, which have no cost."""
    first_used: str | None
    cache_creation: Lifetimes
    reasoning_tokens: int
    """Part of the completion."""
    web_searches: int
    agents: tuple[str, ...]
    providers: tuple[str, ...]
    models: tuple[str, ...]


class ProfileUsage(Sums, frozen=True, kw_only=True, gc=False):
    """One profile."""

    profile: str


class Aggregates(msgspec.Struct, frozen=True, kw_only=True):
    """The range divided."""

    by_profile: dict[str, ProfileUsage]


class LostHistory(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens that an agent's own statistics remember and no log holds any more; in no sum."""

    tokens: int
    since: str = msgspec.field(name="from")
    to: str


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """GET /api/usage: totals and profiles, then the fields of `Asked`, which every other answer begins with."""

    period: str
    total_tokens: Tokens
    total_cost: Cost | None
    total_sessions: int
    total_runtime_secs: int
    aggregates: Aggregates
    total_requests: int
    prompt_tokens: int
    completion_tokens: int
    unbilled_requests: int
    unpriced_models: tuple[str, ...]
    lost_history: LostHistory | None
    as_of: str
    seq: int
    complete: bool
    quarantined: int
    unpriced_requests: int
    since: str | None = msgspec.field(name="from")
    to: str | None
    days: int
    timezone: str
    filters: dict[str, str]


class Group(Sums, frozen=True, kw_only=True, gc=False):
    """One row of a roll-up."""

    group: dict[str, str | None]
    """The key under each grouping's name; null where the log names none."""
    profiles: tuple[str, ...]
    title: str | None
    """Of a session, as its agent named it."""
    project: str | None
    """Of a session."""


class Rollup(Asked, frozen=True, kw_only=True):
    """GET /api/usage/rollup."""

    by: tuple[str, ...]
    totals: Sums
    """Over all calls, rows cut off by `limit` included."""
    rows: tuple[Group, ...]
    more: bool
    """Whether the limit left rows out. Sessions and hours have a limit of 100 where none is given."""


class Part(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a point of a series adds up to."""

    requests: int
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cost: Decimal | None
    unpriced_requests: int


class Point(Part, frozen=True, kw_only=True, gc=False):
    """One hour, day, week or month."""

    start: str
    """`2026-05-01`; a week by its first day; `2026-05` for a month; `2026-05-01T13:00+02:00` for an hour."""
    tokens: Tokens
    parts: dict[str, Part]
    """By the names of `by`; those without a call are left out."""


class Series(Asked, frozen=True, kw_only=True):
    """GET /api/usage/series. Every hour, day, week or month of the range has its point."""

    bucket: str
    by: str | None
    names: tuple[str, ...]
    """Names that occur in `parts`: main, task, heartbeat in this order, others with the dearest first."""
    points: tuple[Point, ...]


class Consumer(Part, frozen=True, kw_only=True, gc=False):
    """One conversation or agent run."""

    name: str
    """The session's title, else its project's folder, else its id."""
    session: str | None
    agent: str | None
    source: str | None
    """chat, agent or memory: whatever most of its calls are."""
    project: str | None
    tokens: Tokens
    runtime_secs: int
    last_used: str | None


class Top(Asked, frozen=True, kw_only=True):
    """GET /api/usage/top."""

    rank: str
    rows: tuple[Consumer, ...]


class Record(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One call."""

    id: str
    at: str
    name: str
    """The session's title, else its project's folder, else its agent."""
    source: str | None
    """chat, agent or memory."""
    initiator: str | None
    """main, subagent, task, heartbeat or memory."""
    profile: str | None
    agent: str | None
    provider: str | None
    model: str | None
    session: str | None
    project: str | None
    tokens: Tokens
    prompt_tokens: int
    completion_tokens: int
    cost: Decimal | None
    cost_status: str
    """priced, unpriced or not_billed."""
    duration_ms: int | None
    status: str | None
    """ok, error or aborted."""


class Records(Asked, frozen=True, kw_only=True):
    """GET /api/usage/records: calls, the latest first."""

    page: int
    per_page: int
    pages: int
    total: int
    """Calls on all pages."""
    rows: tuple[Record, ...]


class FilterValues(Told, frozen=True, kw_only=True):
    """GET /api/usage/filters: the values that occur in the log, a to z."""

    recorded: bool
    """Whether there is any call at all."""
    profiles: tuple[str, ...]
    providers: tuple[str, ...]
    models: tuple[str, ...]
    """Of the provider that was asked for, else of all."""
    agents: tuple[str, ...]
    projects: tuple[str, ...]
    sources: tuple[str, ...]
    initiators: tuple[str, ...]
    periods: tuple[str, ...]
    first_day: str | None
    last_day: str | None
    timezone: str
