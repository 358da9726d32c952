"""Which keys in the logs of several machines name one call.

Decides nothing of its own: what a record claims and offers is in its row or follows from it (`pipeline.keys`), and the rule that joins is
the one by which a machine's journal has joined its own records.
"""

from collections.abc import Iterable

from pipeline.keys import implied
from pipeline.merge import Union

COLUMNS = ("key", "aliases", "kind", "input", "cache_read", "cache_write_5m", "cache_write_1h")
"""Columns of the log that a `Record` holds, in its order."""

Record = tuple[bytes, list[bytes] | None, str, int, int, int, int]


def same_calls(records: Iterable[Record]) -> dict[bytes, bytes]:
    """The key that stands for a call, by each other key that names it. `records` are all rows of the keys that may meet."""
    union: Union[bytes] = Union()
    claimed: dict[bytes, bytes] = {}
    offered: dict[bytes, set[bytes]] = {}
    for key, aliases, kind, fresh, read, wrote_5m, wrote_1h in records:
        claims = [key]
        offers = offered.setdefault(key, set())
        for alias in aliases or ():
            if len(alias) == len(key):
                claims.append(alias)
            else:
                offers.add(alias[: len(key)])
        if kind == "call":
            offers.update(implied(key, fresh, read, wrote_5m + wrote_1h))
        for claim in claims:
            union.join(claimed.setdefault(claim, key), key)
    for key, offers in offered.items():
        for offer in offers & claimed.keys():
            union.join(claimed[offer], key)
    return {key: found for key in offered if (found := union.find(key)) != key}
