"""What happened, as recorded: the event types that adapters give and the log keeps.

Decides which facts are kept and in which units. Opens no file, knows no price.
"""

from datetime import datetime
from decimal import Decimal
from typing import Literal

import msgspec

MAX_TOKENS = 2**40
"""Largest count that is believed; a record with more is quarantined as `out_of_range`."""

Initiator = Literal["main", "subagent", "task", "heartbeat", "memory"]
Granularity = Literal["call", "turn", "segment", "session"]
Status = Literal["ok", "error", "aborted"]
Origin = Literal["transcript", "capture", "import"]
CostBasis = Literal["provider", "agent"]


class Tokens(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Token counts of one model call. The classes are disjoint: they add up."""

    input: int = 0
    """Uncached prompt tokens."""
    output: int = 0
    """All billed completion tokens, reasoning included."""
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0


class UsageEvent(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="usage"):
    """One sighting of a model call, in an agent's log or on the wire: what one record says about it."""

    key: bytes
    """Dedup key from `pipeline.keys`, 16 bytes: the first identity that this record claims."""
    aliases: tuple[bytes, ...] = ()
    """Further identities that this record claims."""
    offers: tuple[bytes, ...] = ()
    """Identities by which this record lets itself be found: it is the same call as any record that *claims* one of them."""
    at: datetime
    """When the agent says the call finished, UTC; of a captured call when its last byte passed. A record without a time is quarantined,
    not dated now."""
    agent: str
    agent_version: str | None = None
    provider: str | None = None
    """Who bills, as the agent wrote it, its format implies, or its way through the proxy names; None where unknown."""
    endpoint: str | None = None
    """Host that the request went to, where that is known."""
    model: str | None
    """As the agent wrote it; None where it wrote none. Aliases are a view's business."""
    session: str | None = None
    parent_session: str | None = None
    project: str | None = None
    """The working directory that the record names, never decoded from a folder name."""
    git_branch: str | None = None
    profile: str | None = None
    """Only where the source itself knows it (capture, a profile's own home); rules are applied by views."""
    initiator: Initiator = "main"
    granularity: Granularity = "call"
    tokens: Tokens
    ttl_known: bool = True
    """False when the agent did not say which part of a cache write lives 5 minutes and which 1 hour (all of it is then in 5m)."""
    reasoning: int | None = None
    """Informational part of `tokens.output`; None = not reported, 0 = reported zero."""
    web_searches: int = 0
    tier: str | None = None
    """Service tier as reported: standard, priority, batch, flex …"""
    speed: str | None = None
    geo: str | None = None
    status: Status = "ok"
    partial_output: bool = False
    """The agent's version wrote only a placeholder for output: the true number is higher and lost."""
    duration_ms: int | None = None
    logged_cost_usd: Decimal | None = None
    logged_cost_basis: CostBasis | None = None
    message_id: str | None = None
    request_id: str | None = None
    rank: bytes
    """From `keys.rank`, 16 bytes; among the records of one call the greatest is kept, as a whole."""
    owner_rank: int
    """From `keys.owner_rank`, 0 <= n < 2^63; among the records of one call the smallest names session, project and initiator."""
    extra: dict[str, str] = {}


class Rejected(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="rejected"):
    """A record that claims usage but cannot be believed. Where it stands is added by the reader; its text is never kept."""

    reason: str
    """One of the reasons in `docs/quarantine.md`, such as `bad_timestamp`, `out_of_range`, `not_a_number`, `unreadable`."""
    tokens: int | None = None
    """What the record says it used in all, where that could be read."""


class Seen(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="seen"):
    """A record that was understood and holds no call, but is worth counting by name (an API error without usage …)."""

    what: str


Event = UsageEvent | Rejected | Seen
