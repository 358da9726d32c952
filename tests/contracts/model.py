"""The calls behind many sightings, found as plainly as the words of `pipeline.keys` say it: slow, and easy to check by eye."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from pipeline.batch import OWNER_FIELDS, Batch

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
COUNTERS = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")
FACTS = (*COUNTERS, "reasoning", "web_searches", "duration_ms", "message_id", "request_id")

Sighting = tuple[Batch, int]


def calls_of(batches: Iterable[Batch]) -> list[dict[str, Any]]:
    """Each call once: the facts of its best-ranked sighting, the owner's fields of the smallest owner rank (the first of equals)."""
    sightings = [(batch, row) for batch in batches for row in range(len(batch))]
    found = []
    for group in groups(sightings):
        best = max(group, key=lambda each: each[0].rank[each[1]])
        owner = min(group, key=lambda each: each[0].owner_rank[each[1]])
        found.append(call(best, owner))
    return found


def groups(sightings: list[Sighting]) -> list[list[Sighting]]:
    """Sightings of one call each: joined where they share an identity that at least one of them claims, and by chains of such."""
    claiming: dict[bytes, list[int]] = {}
    offering: dict[bytes, list[int]] = {}
    for number, (batch, row) in enumerate(sightings):
        for identity in (batch.key[row], *batch.aliases.get(row, ())):
            claiming.setdefault(identity, []).append(number)
        for identity in batch.offered(row):
            offering.setdefault(identity, []).append(number)
    leader = list(range(len(sightings)))

    def lead(number: int) -> int:
        while leader[number] != number:
            number = leader[number]
        return number

    for identity, claimers in claiming.items():
        for number in (*claimers[1:], *offering.get(identity, ())):
            leader[max(lead(number), lead(claimers[0]))] = min(lead(number), lead(claimers[0]))
    found: dict[int, list[Sighting]] = {}
    for number, sighting in enumerate(sightings):
        found.setdefault(lead(number), []).append(sighting)
    return list(found.values())


def call(best: Sighting, owner: Sighting) -> dict[str, object]:
    """One call as the fixtures write it down."""
    batch, row = best
    dims = batch.dims[batch.dim[row]]
    owning = owner[0].dims[owner[0].dim[owner[1]]]
    at = EPOCH + timedelta(microseconds=batch.at_us[row])
    return {
        **{name: getattr(dims, name) for name in dims.__struct_fields__},
        **{name: getattr(owning, name) for name in OWNER_FIELDS},
        **{name: getattr(batch, name)[row] for name in FACTS},
        "logged_cost_usd": batch.logged_cost[row],
        "at": at.isoformat(),
        "day": at.date().isoformat(),
    }
