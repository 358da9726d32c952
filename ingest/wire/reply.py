"""What a provider's reply says about the calls that it bills: the common ground of all wire formats.

Decides what is read of a reply, and what a format's reader is given and gives back. Field names belong to the formats' own modules; what a
reply becomes in the log is decided by `wire.event`.
"""

from decimal import Decimal
from typing import Any, Protocol, TypeVar

import msgspec

from ingest import decode
from pipeline.events import Initiator, Status, Tokens

T = TypeVar("T", bound=msgspec.Struct)


class Reply(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One billed call, as a reply tells of it; names and units as in `pipeline.events.UsageEvent`."""

    model: str | None
    tokens: Tokens
    ttl_known: bool = True
    reasoning: int | None = None
    web_searches: int = 0
    tier: str | None = None
    speed: str | None = None
    geo: str | None = None
    status: Status = "ok"
    complete: bool = True
    """False where the reply ended before it had said all: its numbers are the last that were seen."""
    partial_output: bool = False
    """The output is a placeholder: the reply ended before the true number came."""
    duration_ms: int | None = None
    """As the provider measured it."""
    cost_usd: Decimal | None = None
    """As the provider stated it."""
    id: str | None = None
    """The reply's name, as the provider gave it."""
    part: str = ""
    """Names a further billed call inside one reply; empty for the reply itself."""
    initiator: Initiator | None = None
    """Where the format itself tells who asked."""


class Format(Protocol):
    """One reply being read: `take` each of its records in order, then ask for the `replies` once."""

    def take(self, record: bytes) -> None:
        """One JSON text: the data of an event, a line, or a whole body. Raises `decode.BadRecord` for what cannot be believed."""

    def replies(self) -> list[Reply]:
        """The calls that the records so far prove; none where no usage was told. Raises as `take`."""


def read(record: bytes, kind: type[T]) -> T:
    """The fields of `kind` in a JSON object, all of which are untyped and optional there. Raises `BadRecord` for anything else.

    Numbers with a fraction are `Decimal`: some of them are money.
    """
    try:
        return _decoder(kind).decode(record)
    except (ValueError, RecursionError, OverflowError):
        # A damaged text elsewhere in the record must not cost its usage.
        last = decode.objects(record)[-1]
    try:
        return msgspec.convert(last, kind, strict=False)
    except (msgspec.ValidationError, RecursionError):
        raise decode.BadRecord("unreadable") from None


def member(value: object, *names: str) -> Any:
    """What stands under `names` in nested objects; None where there is no such member."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def count(value: object, *names: str) -> int:
    """The counter under `names`; 0 where nothing is written. Raises `BadRecord` for what is no counter."""
    return decode.count(member(value, *names))


def reported(value: object, *names: str) -> int | None:
    """As `count`, but None where nothing is written."""
    return decode.reported_count(member(value, *names))


def inside(prompt: int, read: int, written: int) -> int:
    """The uncached part of a `prompt` that is written with its cache inside; where it cannot hold it, it was written without."""
    return prompt - read - written if read + written <= prompt else prompt


def milliseconds(seconds: object) -> int | None:
    """A duration in seconds as whole milliseconds; None for what is no duration below a month."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float | Decimal) or not 0 <= seconds < 2_678_400:
        return None
    return round(seconds * 1000)


_DECODERS: dict[type[msgspec.Struct], "msgspec.json.Decoder[Any]"] = {}


def _decoder(kind: type[T]) -> "msgspec.json.Decoder[T]":
    found = _DECODERS.get(kind)
    if found is None:
        found = _DECODERS[kind] = msgspec.json.Decoder(kind, float_hook=Decimal)
    return found
