"""A captured call as an event of the log.

Decides identity, rank and ownership of what was seen on the wire, and how it stands to the same call in an agent's log. Reads no bytes.

Where the provider's name of a reply is one that agents write down too (Anthropic's message and request), both are one call: the wire then
says what was used, because it was there, and the agent's log says in which session and project, because the wire cannot know.
"""

from datetime import datetime

import msgspec

from ingest.wire.reply import Reply
from pipeline import keys
from pipeline.events import Status, UsageEvent

_FOR_EVER_US = (1 << 52) - 1
_SHORTEST_NAME = 20
"""Shorter ids are numbers that a small server draws by lot or counts up, and come again."""


class Exchange(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One request and its reply, as far as the caller of a parser knows them."""

    name: str
    """Names this exchange and no other, ever: what a call without a name of the provider's is known by."""
    kind: str
    """A `recognise.Kind`'s value."""
    profile: str | None
    agent: str
    agent_version: str | None = None
    provider: str
    endpoint: str | None = None
    """Host that the request went to."""
    session: str | None = None
    model_asked: str | None = None
    request_id: str | None = None
    """What the reply's `request-id` header says."""


class Ending(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How an exchange came to its end."""

    at: datetime
    """When its last byte was seen, UTC."""
    duration_ms: int
    status: Status = "ok"
    """`aborted`: the client went; `error`: the provider did."""


def event_of(exchange: Exchange, ending: Ending, reply: Reply) -> UsageEvent:
    """The event of one billed call."""
    tokens = reply.tokens
    model = reply.model or exchange.model_asked
    status: Status = ending.status if ending.status != "ok" and not (reply.complete and reply.status == "ok") else reply.status
    request_id = exchange.request_id if exchange.kind == "anthropic" else None
    key, aliases, offers = _identities(exchange, reply, request_id)
    spent = reply.duration_ms if reply.duration_ms is not None else ending.duration_ms
    said = (
        model, *msgspec.structs.astuple(tokens), reply.ttl_known, reply.reasoning, reply.web_searches, reply.tier, reply.speed, reply.geo,
        status, reply.cost_usd, reply.id, request_id, exchange.provider,
    )  # fmt: skip
    return UsageEvent(
        key=key,
        aliases=aliases,
        offers=offers,
        at=ending.at,
        agent=exchange.agent,
        agent_version=exchange.agent_version,
        provider=exchange.provider,
        endpoint=exchange.endpoint,
        model=model,
        session=exchange.session,
        profile=exchange.profile,
        initiator=reply.initiator or "main",
        tokens=tokens,
        ttl_known=reply.ttl_known,
        reasoning=reply.reasoning,
        web_searches=reply.web_searches,
        tier=reply.tier,
        speed=reply.speed,
        geo=reply.geo,
        status=status,
        partial_output=reply.partial_output,
        duration_ms=spent if not reply.part else None,
        logged_cost_usd=reply.cost_usd,
        logged_cost_basis=None if reply.cost_usd is None else "provider",
        message_id=reply.id,
        request_id=request_id,
        # Of two records that say as much, the wire's counts: its time is as if it were the latest.
        rank=keys.rank(complete=reply.complete, output=tokens.output, at_us=_FOR_EVER_US, facts="|".join(map(str, said))),
        owner_rank=keys.owner_rank(
            copied=True, sidechain=True, depth=31, session_start_us=keys.microseconds(ending.at), session=exchange.session
        ),
        extra={"iteration": reply.part} if reply.part else {},
    )


def _identities(exchange: Exchange, reply: Reply, request_id: str | None) -> tuple[bytes, tuple[bytes, ...], tuple[bytes, ...]]:
    """(key, claimed aliases, offers): by what the provider called the reply, else by the exchange alone."""
    if exchange.kind == "anthropic":
        known = keys.anthropic(reply.id, request_id, reply.tokens, sidechain=False, part=reply.part)
        if known is not None:
            return known
    elif reply.id is not None and len(reply.id) >= _SHORTEST_NAME:
        return keys.identity(f"wire.{exchange.kind}", exchange.provider, reply.id, reply.part), (), ()
    return keys.identity("wire.exchange", exchange.name, reply.part), (), ()
