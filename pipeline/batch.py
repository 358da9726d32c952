"""Many sightings at once, as columns: the one form in which events enter the log.

Decides how an event divides into dimensions (few distinct values, shared by many calls) and facts. Keeps nothing, merges nothing.
"""

from collections.abc import Iterable, Iterator

import msgspec

from pipeline.columns import Digests, Integers, Texts, integers
from pipeline.events import CostBasis, Granularity, Initiator, Origin, Status, UsageEvent
from pipeline.keys import implied, microseconds


class Dims(msgspec.Struct, frozen=True, kw_only=True, gc=False, array_like=True):
    """The dimensions of a row, named and meant as in `UsageEvent`; `root` is the agent home that the source lies in, None for a capture."""

    agent: str
    model: str | None
    root: str | None = None
    agent_version: str | None = None
    provider: str | None = None
    endpoint: str | None = None
    session: str | None = None
    parent_session: str | None = None
    project: str | None = None
    git_branch: str | None = None
    profile: str | None = None
    initiator: Initiator = "main"
    granularity: Granularity = "call"
    ttl_known: bool = True
    tier: str | None = None
    speed: str | None = None
    geo: str | None = None
    status: Status = "ok"
    partial_output: bool = False
    logged_cost_basis: CostBasis | None = None
    origin: Origin = "transcript"


OWNER_FIELDS = ("session", "parent_session", "project", "git_branch", "initiator", "root")
"""Dimensions that follow the owner of a call; all others follow the record that counts, also the profile, which only a capture knows: what
was used and by whom it was paid were seen together."""


class Batch(msgspec.Struct, kw_only=True, gc=False):
    """Sightings as columns of one length, except `dims`, which the column `dim` points into, and the sparse `aliases`, `offers`, `extra`.

    Several sightings of one call may stand in one batch. Units as in `UsageEvent`; `at_us` is microseconds since 1970 UTC.
    """

    dims: list[Dims] = msgspec.field(default_factory=list)
    dim: Integers = msgspec.field(default_factory=integers)
    key: Digests = msgspec.field(default_factory=Digests)
    aliases: dict[int, tuple[bytes, ...]] = msgspec.field(default_factory=dict)
    offers: dict[int, tuple[bytes, ...]] = msgspec.field(default_factory=dict)
    """What records offer beyond that which follows from their keys and counts (`keys.implied`)."""
    rank: Digests = msgspec.field(default_factory=Digests)
    owner_rank: Integers = msgspec.field(default_factory=integers)
    at_us: Integers = msgspec.field(default_factory=integers)
    input: Integers = msgspec.field(default_factory=integers)
    output: Integers = msgspec.field(default_factory=integers)
    cache_read: Integers = msgspec.field(default_factory=integers)
    cache_write_5m: Integers = msgspec.field(default_factory=integers)
    cache_write_1h: Integers = msgspec.field(default_factory=integers)
    reasoning: list[int | None] = msgspec.field(default_factory=list)
    web_searches: Integers = msgspec.field(default_factory=integers)
    duration_ms: list[int | None] = msgspec.field(default_factory=list)
    logged_cost: list[str | None] = msgspec.field(default_factory=list)
    """US dollars as a decimal string."""
    message_id: Texts = msgspec.field(default_factory=Texts)
    request_id: Texts = msgspec.field(default_factory=Texts)
    source: Integers = msgspec.field(default_factory=integers)
    """Journal id of the source."""
    offset: Integers = msgspec.field(default_factory=integers)
    """Bytes from the start of the source (of its decompressed text) to the record; a document's and a row's is 0, a capture's the number of
    its reply."""
    length: Integers = msgspec.field(default_factory=integers)
    """Bytes of the record without its newline; of a reply's body as it passed."""
    extra: dict[int, dict[str, str]] = msgspec.field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.dim)

    def extend(self, other: "Batch") -> None:
        """Append all that `other` holds."""
        rows, dims = len(self), len(self.dims)
        for name in _COLUMNS:
            getattr(self, name).extend(getattr(other, name))
        self.dim.extend([dims + number for number in other.dim])
        self.aliases.update((rows + row, aliases) for row, aliases in other.aliases.items())
        self.offers.update((rows + row, offers) for row, offers in other.offers.items())
        self.extra.update((rows + row, extra) for row, extra in other.extra.items())

    def implied(self, row: int) -> tuple[bytes, ...]:
        """What a sighting offers without saying so."""
        written = self.cache_write_5m[row] + self.cache_write_1h[row]
        return implied(self.key[row], self.input[row], self.cache_read[row], written)

    def claimed(self, row: int) -> tuple[bytes, ...]:
        """All identities that a sighting claims."""
        return (self.key[row], *self.aliases.get(row, ()))

    def offered(self, row: int) -> tuple[bytes, ...]:
        """All identities that a sighting offers."""
        return (*self.implied(row), *self.offers.get(row, ()))

    def add(
        self, events: Iterable[UsageEvent], *, root: str | None, source: int, offset: int, length: int, origin: Origin = "transcript"
    ) -> None:
        """Append what one record of a source says."""
        for event in events:
            row = len(self.dim)
            dims = dims_of(event, root=root, origin=origin)
            if not self.dims or self.dims[-1] != dims:
                self.dims.append(dims)
            self.dim.append(len(self.dims) - 1)
            self.key.append(event.key)
            if event.aliases:
                self.aliases[row] = event.aliases
            self.rank.append(event.rank)
            self.owner_rank.append(event.owner_rank)
            self.at_us.append(microseconds(event.at))
            self.input.append(event.tokens.input)
            self.output.append(event.tokens.output)
            self.cache_read.append(event.tokens.cache_read)
            self.cache_write_5m.append(event.tokens.cache_write_5m)
            self.cache_write_1h.append(event.tokens.cache_write_1h)
            self.reasoning.append(event.reasoning)
            self.web_searches.append(event.web_searches)
            self.duration_ms.append(event.duration_ms)
            self.logged_cost.append(None if event.logged_cost_usd is None else format(event.logged_cost_usd, "f"))
            self.message_id.append(event.message_id)
            self.request_id.append(event.request_id)
            self.source.append(source)
            self.offset.append(offset)
            self.length.append(length)
            if event.offers:
                said = tuple(_beyond(event.offers, self.implied(row)))
                if said:
                    self.offers[row] = said
            if event.extra:
                self.extra[row] = event.extra


def _beyond(offers: Iterable[bytes], known: tuple[bytes, ...]) -> Iterator[bytes]:
    return (identity for identity in offers if identity not in known)


_COLUMNS = tuple(name for name in Batch.__struct_fields__ if name not in ("dim", "aliases", "offers", "extra"))
"""What two batches, one after the other, need no numbers changed in."""


def dims_of(event: UsageEvent, *, root: str | None, origin: Origin = "transcript") -> Dims:
    """The dimensions of one event."""
    return Dims(
        agent=event.agent,
        model=event.model,
        root=root,
        agent_version=event.agent_version,
        provider=event.provider,
        endpoint=event.endpoint,
        session=event.session,
        parent_session=event.parent_session,
        project=event.project,
        git_branch=event.git_branch,
        profile=event.profile,
        initiator=event.initiator,
        granularity=event.granularity,
        ttl_known=event.ttl_known,
        tier=event.tier,
        speed=event.speed,
        geo=event.geo,
        status=event.status,
        partial_output=event.partial_output,
        logged_cost_basis=event.logged_cost_basis,
        origin=origin,
    )
