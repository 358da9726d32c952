"""What is answered by HTTP about what there is besides usage: imports, profiles, agents' homes, prices, and the store itself.

Decides names and types; `docs/api.md` and `/api/openapi.json` follow from here. Money and times are written as in `figures`.
"""

from decimal import Decimal
from typing import Literal

import msgspec

from cli.serve.contract.figures import Told


class Imported(Told, frozen=True, kw_only=True):
    """POST /api/usage/import-claude."""

    homes: tuple[str, ...]
    files: int
    records: int
    """Records of calls in these files."""
    new: int
    """Calls that were not known before."""
    updated: int
    quarantined: int
    """Of these files."""
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


class Profiles(Told, frozen=True, kw_only=True):
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


class Agents(Told, frozen=True, kw_only=True):
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


class Prices(Told, frozen=True, kw_only=True):
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


class LostTokens(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of one model that Claude Code's statistics remember and no log holds any more, at least."""

    day: str | None
    """Local day; null for a sum over all time."""
    model: str
    tokens: int


class DoctorReport(Told, frozen=True, kw_only=True):
    """GET /api/doctor: what `ringlet doctor --json` says."""

    schema_version: int
    status: Literal["well", "warnings", "damage"]
    findings: tuple[Finding, ...]
    sources: tuple[SourceState, ...]
    quarantine: dict[str, int]
    seen: dict[str, int]
    unpriced_models: tuple[str, ...]
    lost_tokens: int
    lost_history: tuple[LostTokens, ...]
    segments: int
    hot_rows: int
    calls: int


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """GET /api/health."""

    status: Literal["ok"]
    version: str
