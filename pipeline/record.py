"""Rows of the log as columns of plain values: what a commit adds, wherever it is kept first.

Decides which values a row has between the merge and its file, and how a hot row is packed in the journal. Types on disk are
`pipeline.schema`'s.
"""

from array import array
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import msgspec

from pipeline.columns import Digests, Integers, Texts, integers

DAY_US = 86_400_000_000

CALL, DIFFERENCE, RETRACTION = 0, 1, 2
KINDS = ("call", "difference", "retraction")

SUMS = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h", "web_searches")
"""Facts that add up and are never unknown."""
SUMMED = ("requests", *SUMS)
"""Columns whose sums a segment's footer and the journal hold."""


class Rows(msgspec.Struct, kw_only=True, gc=False):
    """Rows as columns of one length; `dim` is the journal's id of the row's dimensions, `kind` one of the three constants above."""

    kind: Integers = msgspec.field(default_factory=integers)
    key: Digests = msgspec.field(default_factory=Digests)
    aliases: list[list[bytes] | None] = msgspec.field(default_factory=list)
    """As the log keeps them: 16 bytes = claimed, 17 bytes ending in zero = only offered; what follows from the row is left out."""
    rank: Digests = msgspec.field(default_factory=Digests)
    owner_rank: Integers = msgspec.field(default_factory=integers)
    at_us: Integers = msgspec.field(default_factory=integers)
    dim: Integers = msgspec.field(default_factory=integers)
    requests: Integers = msgspec.field(default_factory=integers)
    input: Integers = msgspec.field(default_factory=integers)
    output: Integers = msgspec.field(default_factory=integers)
    cache_read: Integers = msgspec.field(default_factory=integers)
    cache_write_5m: Integers = msgspec.field(default_factory=integers)
    cache_write_1h: Integers = msgspec.field(default_factory=integers)
    reasoning: list[int | None] = msgspec.field(default_factory=list)
    web_searches: Integers = msgspec.field(default_factory=integers)
    duration_ms: list[int | None] = msgspec.field(default_factory=list)
    logged_cost: list[str | None] = msgspec.field(default_factory=list)
    message_id: Texts = msgspec.field(default_factory=Texts)
    request_id: Texts = msgspec.field(default_factory=Texts)
    source: Integers = msgspec.field(default_factory=integers)
    offset: Integers = msgspec.field(default_factory=integers)
    length: Integers = msgspec.field(default_factory=integers)
    ingested_at_us: Integers = msgspec.field(default_factory=integers)
    extra: list[dict[str, str] | None] = msgspec.field(default_factory=list)

    def __len__(self) -> int:
        return len(self.kind)

    def columns(self) -> list[Any]:
        """The columns in the order of the fields."""
        return [getattr(self, name) for name in FIELDS]

    def add(self, values: Sequence[Any]) -> None:
        """One row more, its values in the order of the fields."""
        for column, value in zip(self.columns(), values, strict=True):
            column.append(value)


def days_of(at_us: Iterable[int]) -> Integers:
    """UTC day numbers of times in microseconds."""
    # A list takes four times the memory, and fresh memory costs more than the division.
    return array("q", map(DAY_US.__rfloordiv__, at_us))


FIELDS = Rows.__struct_fields__
_encode = msgspec.msgpack.Encoder().encode


def packed(rows: Rows) -> list[bytes]:
    """Each row as the journal keeps it while it is hot."""
    return [_encode(row) for row in zip(*rows.columns(), strict=True)]


def unpacked(blobs: Iterable[bytes]) -> Rows:
    """The rows that `packed` packed."""
    decode = msgspec.msgpack.Decoder().decode
    decoded = [decode(blob) for blob in blobs]
    if not decoded:
        return Rows()
    rows = Rows()
    for column, values in zip(rows.columns(), zip(*decoded, strict=True), strict=True):
        column.extend(values)
    return rows


def alias_column(claimed: Collection[bytes], offered: Collection[bytes]) -> list[bytes] | None:
    """The identities as the column `aliases` keeps them; None where there are none. What is claimed need not be offered too."""
    if len(claimed) == 1 and not offered:
        # Of nearly all that have any: the prompt of a sidechain.
        return [*claimed]
    claims = sorted(set(claimed))
    offers = sorted(set(offered).difference(claims))
    return [*claims, *(identity + b"\0" for identity in offers)] or None


def cost_difference(new: str | None, old: str | None) -> str | None:
    """`new` - `old` of two decimal numbers as text, unknown counting as zero; None where both are unknown."""
    if new == old:
        return None if new is None else "0"
    # Costs change in few logs, and `decimal` costs more to import than a small commit.
    from decimal import Context, Decimal

    exact = Context(prec=80)
    return format(exact.subtract(Decimal(new or 0), Decimal(old or 0)), "f")


def negated_cost(cost: str | None) -> str | None:
    """-`cost` as text."""
    if cost is None:
        return None
    return cost[1:] if cost.startswith("-") else f"-{cost}"
