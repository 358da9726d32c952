"""Sightings for the tests of the log, and the rule of the same call worked out the slow way."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec

from pipeline.batch import OWNER_FIELDS, Batch, Dims
from pipeline.log import Log
from pipeline.record import DAY_US
from pipeline.sources import Cursor, Reading, Source

NOON = 20_000 * DAY_US + DAY_US // 2
"""2024-10-04T12:00:00Z in microseconds."""

DAY = 20_000


class Sighting(msgspec.Struct, frozen=True, kw_only=True):
    """One record; identities are short texts, ranks small numbers."""

    key: str
    claims: tuple[str, ...] = ()
    offers: tuple[str, ...] = ()
    rank: int = 1
    owner: int = 1
    at_us: int = NOON
    input: int = 10
    output: int = 5
    model: str | None = "m"
    session: str | None = "s"
    project: str | None = None
    reasoning: int | None = None
    cost: str | None = None
    message_id: str | None = None
    source: int = 1
    root: str = "/home/a"


def name(text: str) -> bytes:
    """An identity: the part before a dot is its handle."""
    head, _, rest = text.partition(".")
    return head.encode().ljust(8, b"_") + (rest.encode().ljust(8, b"-") if rest else bytes(8))


def dims_of(one: Sighting) -> Dims:
    return Dims(agent="a", model=one.model, root=one.root, session=one.session, project=one.project)


def batch(*sightings: Sighting) -> Batch:
    """The sightings as a batch."""
    made = Batch()
    for row, one in enumerate(sightings):
        made.dims.append(dims_of(one))
        made.dim.append(row)
        made.key.append(name(one.key))
        if one.claims:
            made.aliases[row] = tuple(map(name, one.claims))
        if one.offers:
            made.offers[row] = tuple(map(name, one.offers))
        made.rank.append(one.rank.to_bytes(16, "big"))
        made.owner_rank.append(one.owner)
        made.at_us.append(one.at_us)
        made.input.append(one.input)
        made.output.append(one.output)
        made.cache_read.append(0)
        made.cache_write_5m.append(0)
        made.cache_write_1h.append(0)
        made.reasoning.append(one.reasoning)
        made.web_searches.append(0)
        made.duration_ms.append(None)
        made.logged_cost.append(one.cost)
        made.message_id.append(one.message_id)
        made.request_id.append(None)
        made.source.append(one.source)
        made.offset.append(row)
        made.length.append(7)
    return made


class Feed:
    """Commits sightings of one source, each time from where the last commit left the cursor."""

    def __init__(self, log: Log, path: str = "/home/a/log.jsonl") -> None:
        self.log = log
        self.source = log.register([Source(path=path, agent="a", root="/home/a")])[path]
        stored = next(one for one in log.sources() if one.id == self.source)
        self.cursor = stored.cursor

    def commit(self, *sightings: Sighting, meanwhile: Callable[[], None] | None = None):  # type: ignore[no-untyped-def]
        """What `Log.commit` says."""
        after = Cursor(offset=(self.cursor.offset if self.cursor else 0) + 1)
        reading = Reading(source_id=self.source, before=self.cursor, after=after)
        given = [msgspec.structs.replace(one, source=self.source) for one in sightings]
        done = self.log.commit(batch(*given), [reading], ingested_at_us=NOON, meanwhile=meanwhile)
        self.cursor = after
        return done


def same_calls(sightings: list[Sighting]) -> list[list[Sighting]]:
    """The sightings by call, by trying every pair until nothing joins any more."""
    groups = [[one] for one in sightings]
    joined = True
    while joined:
        joined = False
        for i, one in enumerate(groups):
            for other in groups[i + 1 :]:
                if _meet(one, other):
                    one.extend(other)
                    groups.remove(other)
                    joined = True
                    break
            if joined:
                break
    return groups


def _meet(one: list[Sighting], other: list[Sighting]) -> bool:
    return any({a.key, *a.claims} & {b.key, *b.claims, *b.offers} or {b.key, *b.claims} & {*a.offers} for a in one for b in other)


def kept(group: list[Sighting]) -> tuple[Any, ...]:
    """What the log must know of a call: the record that counts as a whole, owned by the smallest owner; of equal ranks by content."""
    best = max(group, key=lambda one: one.rank)
    owner = min(group, key=lambda one: (one.owner, msgspec.msgpack.encode([getattr(dims_of(one), field) for field in OWNER_FIELDS])))
    dims = msgspec.structs.replace(dims_of(best), **{field: getattr(dims_of(owner), field) for field in OWNER_FIELDS})
    return (name(best.key), best.at_us, dims, best.input, best.output, best.reasoning, _cost(best.cost), best.rank, owner.owner)


def _cost(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text).normalize()


def known(log: Log) -> list[tuple[object, ...]]:
    """The same of every call that the journal knows."""
    calls = list(log.calls(0, 40_000))
    dims = log.dims(call.dim for call in calls)
    return sorted(
        (
            (
                call.key,
                call.at_us,
                dims[call.dim],
                call.input,
                call.output,
                call.reasoning,
                _cost(call.logged_cost),
                int.from_bytes(call.rank, "big"),
                call.owner_rank,
            )
            for call in calls
        ),
        key=repr,
    )
