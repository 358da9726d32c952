"""What the HTTP API takes and gives: one struct for the parameters of every question and for every answer.

Decides names, types and bounds; `docs/api.md` and `/api/openapi.json` follow from here. What a parameter means is `cli.ask`'s business,
what the numbers are the views'. Money is US dollars as a JSON number with all its digits, null where no cost is known. Times are RFC 3339
in UTC; days are calendar days of the answer's `timezone`.
"""

from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from views.calendar import PERIODS, WEEKDAYS
from views.matching import INITIATORS, SOURCES
from views.query import COST_MODES, GROUPINGS, SORTS

Json = msgspec.json.Encoder(decimal_format="number")
"""Encodes every answer of this module."""

Text = Annotated[str, Meta(max_length=1000)]
Day = Annotated[
    str, Meta(max_length=10, description="Calendar day, such as 2026-05-01.", extra_json_schema={"pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"})
]


def _one_of(*words: str) -> Meta:
    """Words that `cli.ask` knows: the document lists them, `cli.ask` says which there are to whoever gives another."""
    return Meta(extra_json_schema={"enum": list(words)})


_PERIOD = "|".join((*(name for name in PERIODS if name[0].isalpha() or name == "24h"), "[1-9][0-9]{0,5}d"))
Period = Annotated[
    Text,
    Meta(
        description="24h (rolling), today, yesterday, week, last-week, month, last-month, 7d, 30d, any Nd, year, all.",
        extra_json_schema={"pattern": f"^({_PERIOD})$"},
    ),
]
Sort = Annotated[
    Text,
    Meta(description="A key, with :asc or :desc behind it.", extra_json_schema={"pattern": f"^({'|'.join(SORTS)})(:asc|:desc)?$"}),
]
By = Annotated[
    Text,
    Meta(
        description=f"One grouping, or two with a comma between them: {', '.join(GROUPINGS)}.",
        extra_json_schema={"pattern": f"^({'|'.join(GROUPINGS)})(,({'|'.join(GROUPINGS)}))?$"},
    ),
]
PARTS = ("initiator", "source", "provider", "model", "profile", "agent")
"""What the points of a series can be divided into."""


class Filters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which calls are meant; all that is given must hold at once. The words are those of `ringlet usage`."""

    period: Period | None = None
    since: Day | None = None
    until: Day | None = None
    """Included. Dates and `period` exclude each other."""
    profile: Text | None = None
    provider: Text | None = None
    model: Annotated[Text | None, Meta(description="An id, also with a date or -latest behind it; or a pattern such as claude-*.")] = None
    agent: Text | None = None
    project: Annotated[Text | None, Meta(description="A path, its last folder, or a pattern.")] = None
    session: Annotated[Text | None, Meta(description="An id, or its first eight or more characters.")] = None
    initiator: Annotated[Text, _one_of(*INITIATORS)] | None = None
    source: Annotated[Text, _one_of(*SOURCES)] | None = None
    tz: Annotated[Text | None, Meta(description="IANA zone of the calendar days; the configured one without it.")] = None
    week_start: Annotated[Text, _one_of(*WEEKDAYS)] | None = None
    cost_mode: Annotated[Text, _one_of(*COST_MODES)] | None = None


Limit = Annotated[int, Meta(ge=1, le=10_000)]


class RollupParams(Filters, frozen=True, kw_only=True):
    """Which groups."""

    by: By = "profile"
    sort: Sort | None = None
    limit: Limit | None = None


class SeriesParams(Filters, frozen=True, kw_only=True):
    """Which points in time."""

    bucket: Literal["hour", "day", "week", "month"] = "day"
    by: Annotated[Text, _one_of(*PARTS)] | None = None
    """What each point is divided into."""


class TopParams(Filters, frozen=True, kw_only=True):
    """Which conversations, and by what they are ranked."""

    rank: Literal["cost", "tokens"] = "cost"
    limit: Limit = 10


class RecordsParams(Filters, frozen=True, kw_only=True):
    """Which calls, and which page of them."""

    search: Annotated[Text | None, Meta(description="Part of a record's name, in upper or lower case.")] = None
    page: Annotated[int, Meta(ge=1, le=1_000_000_000)] = 1
    per_page: Annotated[int, Meta(ge=1, le=100)] = 20


class FilterValuesParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the offered models belong to, and whose days are meant."""

    provider: Text | None = None
    tz: Text | None = None


class ExportParams(RollupParams, frozen=True, kw_only=True):
    """Which rows, and how they are written. Without `by` a row is a call."""

    by: By | None = None  # type: ignore[assignment]
    format: Literal["csv", "json", "jsonl", "parquet"] = "csv"
    raw: bool = False
    """Leave cells of a CSV alone that a spreadsheet would run as formulas."""


class ImportParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is imported."""

    claude_dir: Annotated[Text | None, Meta(description="A home of Claude Code that is configured here; without it, all of them.")] = None


class PricesParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose price, and on which day."""

    model: Text | None = None
    """Without it: all models that have calls."""
    at: Day | None = None
    """UTC day of the call; today without it."""
    provider: Text | None = None


class DoctorParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How closely to look."""

    deep: bool = False
    """Also read every segment back and compare it with what was written."""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What every answer about usage says of itself."""

    as_of: str
    """Until when the agents' logs are in the answer."""
    seq: int
    """Number of the last record in the answer; it rises with the log."""
    complete: bool
    """False while an import runs, or where logs could not be read."""
    quarantined: int
    """Records that claim usage and cannot be believed; they are in no number, whatever the filters."""
    unpriced_requests: int
    """Calls of the answer that have no known price."""


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


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """POST /api/usage/import-claude."""

    homes: tuple[str, ...]
    files: int
    records: int
    """Records of calls in these files."""
    new: int
    """Calls that were not known before."""
    updated: int
    quarantined: int
    profiles: tuple[str, ...]
    """Whom they belong to."""
    troubles: tuple[str, ...]
    """What could not be read, and why."""
    stopped: bool
    """The daemon ended meanwhile: what was read is kept, and asking again goes on from there."""


class ImportProgress(msgspec.Struct, frozen=True, kw_only=True):
    """How far an import has come: the data of the event `import`."""

    bytes_done: int
    bytes_total: int
    ended: bool


class RuleShown(msgspec.Struct, frozen=True, kw_only=True):
    """A rule: usage of this agent, home and project belongs to the profile; null matches all."""

    agent: str | None
    home: str | None
    project: str | None


class ProfileShown(msgspec.Struct, frozen=True, kw_only=True):
    """One profile."""

    name: str
    agent: str | None
    provider: str | None
    billing: str | None
    home: str | None
    rules: tuple[RuleShown, ...]


class Profiles(msgspec.Struct, frozen=True, kw_only=True):
    """GET /api/profiles."""

    profiles: tuple[ProfileShown, ...]


class AgentHome(msgspec.Struct, frozen=True, kw_only=True):
    """One home of one agent."""

    agent: str
    title: str
    home: str
    exists: bool
    files: int
    bytes: int
    calls: int
    unread_bytes: int
    gone_files: int
    last_written_at: str | None


class Agents(msgspec.Struct, frozen=True, kw_only=True):
    """GET /api/agents."""

    homes: tuple[AgentHome, ...]


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """US dollars per million tokens."""

    prompt_over: int
    """Holds for calls whose whole prompt is larger than this."""
    input: Decimal
    output: Decimal
    reasoning: Decimal
    cache_read: Decimal
    cache_write_5m: Decimal
    cache_write_1h: Decimal


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """What a model costs on a day."""

    model: str
    provider: str | None
    at: str
    billing: str
    """metered, managed or local; only metered calls have a cost."""
    known: bool
    row: str | None
    """The row of the price book."""
    rule: str | None
    """Why that row."""
    since: str | None = msgspec.field(name="from")
    """First day of the row; null: all days."""
    origin: str | None
    rates: tuple[Rate, ...]
    web_search_usd: Decimal | None
    notes: tuple[str, ...]


class Prices(msgspec.Struct, frozen=True, kw_only=True):
    """GET /api/prices."""

    prices: tuple[Price, ...]
    prices_until: str
    """The day of the newest list."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing worth saying of the store."""

    level: Literal["note", "warning", "damage"]
    area: str
    what: str
    where: str | None
    mend: str | None
    """The command or change that mends it."""


class SourceState(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one log file's records: `lines` is the sum of the five kinds after it."""

    path: str
    agent: str
    gone: bool
    lines: int
    new: int
    updated: int
    duplicate: int
    ignored: int
    quarantined: int
    bytes: int
    unread_bytes: int | None
    resets: int
    seen: dict[str, int]


class DoctorReport(msgspec.Struct, frozen=True, kw_only=True):
    """GET /api/doctor: what `ringlet doctor --json` says."""

    schema_version: int
    status: Literal["well", "warnings", "damage"]
    findings: tuple[Finding, ...]
    sources: tuple[SourceState, ...]
    quarantine: dict[str, int]
    seen: dict[str, int]
    unpriced_models: tuple[str, ...]
    lost_tokens: int
    segments: int
    hot_rows: int
    calls: int


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """GET /api/health."""

    status: Literal["ok"]
    version: str


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """What every answer comes in."""

    success: Literal[True]
    data: msgspec.Raw


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What went wrong, and what mends it."""

    code: str
    message: str
    where: str | None = None
    mend: str | None = None
    valid: tuple[str, ...] | UnsetType = UNSET
    """The values that would have been valid."""


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """What every error comes in."""

    success: Literal[False]
    error: Problem


class Encoded(msgspec.Struct, frozen=True):
    """An answer that is JSON already: the `data` of the envelope."""

    data: bytes


class Reply(msgspec.Struct, frozen=True):
    """An answer that is no JSON, and comes in no envelope."""

    content_type: str
    body: Any
    """bytes, or an asynchronous iterator of them."""
    filename: str | None = None
    """Where a browser shall save it instead of showing it."""
