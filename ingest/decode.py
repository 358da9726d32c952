"""What a field of a foreign record is worth: numbers, times, texts and money as every adapter believes them.

Decides which values are accepted, which stand for nothing and which make a record unbelievable, and how a record is read that the typed
decoder of its adapter refuses. Which fields there are belongs to the adapters.

An adapter decodes with its own typed struct first (`Count` is the type of a counter) and comes here with whatever that refuses.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from math import isfinite
from typing import Annotated, TypeVar

import msgspec

from pipeline.events import MAX_TOKENS

S = TypeVar("S", bound=msgspec.Struct)

Count = Annotated[int, msgspec.Meta(ge=0, le=MAX_TOKENS)]
"""A counter in a typed struct: the plain cases of `count`, checked while decoding."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DEAREST_USD = Decimal(10**9)
_USD_PLACES = Decimal(1).scaleb(-18)
_LONGEST_INTEGER = 40
_BEYOND: int = 10**_LONGEST_INTEGER
_DEEPEST = 64
"""No agent writes anything that is read as deep as that."""


class BadRecord(ValueError):
    """A record that cannot be believed; `reason` is one of those in `docs/quarantine.md`, `tokens` what it says to have used in all."""

    def __init__(self, reason: str, *, tokens: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.tokens = tokens


def objects(record: bytes) -> list[dict[str, object]]:
    """The JSON objects that `record` is made of, one as a rule, read as tolerantly as is safe.

    Accepts a byte-order mark (UTF-16 too), leading NULs, control characters inside texts, lone surrogates, bytes that are not UTF-8
    (U+FFFD), and objects written one behind the other. Numbers with a fraction or an exponent come as `Decimal`, and integers of more
    than forty digits as 10^40 with their sign. Of equal keys the last one counts. Of a record that is nested too deeply to be read, what
    lies more than `_DEEPEST` deep is None. Raises `BadRecord` for anything else.
    """
    text = _text_of(record)
    try:
        return _objects(text)
    except RecursionError:
        # How deep is too deep depends on the interpreter and on who asks: what a record says must not.
        return _objects(_shallow(text))


def _objects(text: str) -> list[dict[str, object]]:
    # Only damaged records come here, and importing json costs more than reading a tail.
    import json

    decoder = json.JSONDecoder(parse_float=Decimal, parse_int=_integer, strict=False)
    found: list[dict[str, object]] = []
    try:
        end = 0
        while end < len(text):
            value, end = decoder.raw_decode(text, end)
            if not isinstance(value, dict):
                raise BadRecord("not_an_object")
            found.append(value)
            while end < len(text) and text[end] in " \t\r\n":
                end += 1
    except BadRecord:
        raise
    except (ValueError, OverflowError, ArithmeticError):
        raise BadRecord("unreadable") from None
    if not found:
        raise BadRecord("unreadable")
    return found


def _shallow(text: str) -> str:
    """The same JSON with null for each value that lies more than `_DEEPEST` deep."""
    import re  # as json above

    kept: list[str] = []
    depth = begin = 0
    for found in re.finditer(r'"(?:[^"\\]|\\.)*+"|[\[{]+|[\]}]+', text, re.DOTALL):
        start, end = found.span()
        if text[start] in "[{":
            if depth <= _DEEPEST < depth + end - start:
                kept.append(text[begin : start + _DEEPEST - depth])
                begin = len(text)
            depth += end - start
        elif text[start] in "]}":
            if depth - (end - start) <= _DEEPEST < depth:
                kept.append("null")
                begin = start + depth - _DEEPEST
            depth -= end - start
    kept.append(text[begin:])
    return "".join(kept)


def struct_of(kind: type[S], found: Mapping[str, object]) -> S:
    """The struct whose fields are named, and stand, as in one of `objects`. For structs whose fields take anything: nothing is checked."""
    return kind(**{name: found[name] for name in kind.__struct_fields__ if name in found})


def count(value: object) -> int:
    """A counter: 0 where nothing is written. Raises `BadRecord` for what is no whole number from 0 to 2^40.

    5.0 is 5; "5" and true are not numbers; a negative one is never taken for 0.
    """
    if type(value) is int:
        number: int | float | Decimal = value
    elif value is None or value is msgspec.UNSET:
        return 0
    elif isinstance(value, float | Decimal):
        if not (value.is_finite() if isinstance(value, Decimal) else isfinite(value)):
            raise BadRecord("not_a_number")
        number = value
    else:
        raise BadRecord("not_a_number")
    if number < 0:
        raise BadRecord("negative")
    if number > MAX_TOKENS:
        raise BadRecord("out_of_range")
    whole = int(number)
    if whole != number:
        raise BadRecord("not_a_number")
    return whole


def reported_count(value: object) -> int | None:
    """As `count`, but None where nothing is written: not reported is not zero."""
    return None if value is None or value is msgspec.UNSET else count(value)


def believable(values: Iterable[object]) -> int | None:
    """The sum of those values that are counters; None where none is. It says what a rejected record claims to have used."""
    total = None
    for value in values:
        try:
            number = reported_count(value)
        except BadRecord:
            continue
        if number is not None:
            total = (total or 0) + number
    return total


def instant(value: object) -> datetime:
    """A moment in UTC from an ISO 8601 text or a Unix time. Raises `BadRecord` where there is none.

    A text without an offset is UTC. A number (or a text of nine and more digits) is seconds, milliseconds, microseconds or nanoseconds
    by its size: from 10^11, 10^14 and 10^17 on. Finer than microseconds is cut off.
    """
    try:
        if isinstance(value, str):
            if value.isdecimal() and len(value) >= 9:
                return _unix(int(value[:_LONGEST_INTEGER]))
            at = datetime.fromisoformat(value)
            if at.tzinfo is UTC:
                return at
            if len(value) < len("2026-01-01T00"):
                raise BadRecord("bad_timestamp")
            return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
        if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
            return _unix(value)
    except BadRecord:
        raise
    except (ValueError, OverflowError, ArithmeticError):
        pass
    raise BadRecord("bad_timestamp")


def text(value: object) -> str | None:
    """A text that says something, lone surrogates replaced by U+FFFD; None for an empty one and for anything that is no text."""
    if not isinstance(value, str) or not value:
        return None
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return value


def usd(value: object) -> Decimal | None:
    """An amount of US dollars of at most 18 places; None for anything that is no amount from 0 to a thousand million."""
    if type(value) is int or isinstance(value, float):
        value = Decimal(str(value))
    if not isinstance(value, Decimal) or not value.is_finite() or not 0 <= value < _DEAREST_USD:
        return None
    exponent = value.as_tuple().exponent
    return value.quantize(_USD_PLACES) if isinstance(exponent, int) and exponent < -18 else value


def _text_of(record: bytes) -> str:
    record = record.lstrip(b"\x00")
    if record.startswith((b"\xff\xfe", b"\xfe\xff")):
        decoded = record.decode("utf-16", "replace")
    else:
        decoded = record.removeprefix(b"\xef\xbb\xbf").lstrip(b"\x00").decode("utf-8", "replace")
    return decoded.strip(" \t\r\n")


def _integer(digits: str) -> int:
    """An integer as written; a monstrous one is cut down, because only its size matters and converting it would take long or fail."""
    if len(digits) <= _LONGEST_INTEGER:
        return int(digits)
    return -_BEYOND if digits.startswith("-") else _BEYOND


def _unix(number: int | float | Decimal) -> datetime:
    if not 0 < number < _BEYOND:
        raise BadRecord("bad_timestamp")
    if number >= 10**17:
        micros = int(number) // 1000
    elif number >= 10**14:
        micros = int(number)
    elif number >= 10**11:
        micros = int(number * 1000)
    else:
        micros = round(number * 1_000_000)
    return _EPOCH + timedelta(microseconds=micros)
