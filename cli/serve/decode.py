"""How parameters come: from the query string, and for a POST also from a JSON object.

Decides what of a request is a parameter and how a wrong one is told. Which parameters there are, and what they mean, is the struct's
business. Nothing is guessed and nothing ignored: an unknown, repeated or empty parameter is a mistake that is named.
"""

from functools import cache
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints
from urllib.parse import parse_qsl

import msgspec

from pipeline.errors import UnknownName

FIELDS = 64
"""More parameters than any question has."""
T = TypeVar("T", bound=msgspec.Struct)


class BadParameter(UnknownName):
    """A parameter that is none, or has no such value; `where` is its name, `valid` what would have been right, where that can be listed."""

    def __init__(self, what: str, *, where: str | None = None, valid: tuple[str, ...] = ()) -> None:
        super().__init__(what, where=where, mend=f"valid: {', '.join(valid)}" if valid else None)
        self.valid = valid


class Nothing(msgspec.Struct, frozen=True):
    """The parameters of a route that takes none."""


def parameters(kind: type[T], query: str, body: bytes = b"") -> T:
    """The parameters of a request. Raises BadParameter, whose text never repeats a value: it may be a secret in the wrong place."""
    names = _names(kind)
    values: dict[str, Any] = {}
    for name, value in (*_pairs(query), *_members(body)):
        if name not in names:
            raise BadParameter("no such parameter", where=name, valid=tuple(names))
        if name in values:
            raise BadParameter("given more than once", where=name)
        if isinstance(value, str):
            _check(name, value)
        values[name] = value
    try:
        # Not strict, because a query has only text: numbers and truth are found in it.
        found = msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        what, _, place = str(error).partition(" - at `$.")
        name = place.partition("`")[0].partition("[")[0].partition(".")[0] or what.partition("required field `")[2].partition("`")[0]
        valid = names.get(name, ())
        raise BadParameter("no such value" if valid else what, where=name or None, valid=valid) from None
    if "null" in values.values():
        for field in msgspec.structs.fields(kind):
            # The text `null` is no number either.
            if values.get(field.encode_name) == "null" and getattr(found, field.name) is None:
                raise BadParameter("no such value", where=field.encode_name)
    return found


def _pairs(query: str) -> list[tuple[str, str]]:
    if not query:
        return []
    try:
        return parse_qsl(query, keep_blank_values=True, strict_parsing=True, encoding="utf-8", errors="strict", max_num_fields=FIELDS)
    except UnicodeDecodeError:
        raise BadParameter("the query is no UTF-8") from None
    except ValueError:
        raise BadParameter(f"the query is no list of up to {FIELDS} names and values") from None


def _members(body: bytes) -> list[tuple[str, Any]]:
    if not body:
        return []
    try:
        return list(msgspec.json.decode(body, type=dict[str, Any]).items())
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadParameter("the body is no JSON object") from None


def _check(name: str, value: str) -> None:
    if not value:
        raise BadParameter("has no value", where=name)
    if any(letter < " " or letter == "\x7f" for letter in value):
        raise BadParameter("holds control characters", where=name)


@cache
def _names(kind: type[msgspec.Struct]) -> dict[str, tuple[str, ...]]:
    """Names of the parameters, each with its values where only some are possible."""
    hints = get_type_hints(kind)
    return {field.encode_name: _literals(hints[field.name]) for field in msgspec.structs.fields(kind)}


def _literals(hint: Any) -> tuple[str, ...]:
    if hint is bool:
        return ("true", "false")
    if get_origin(hint) is Literal:
        return tuple(str(value) for value in get_args(hint))
    return tuple(value for part in get_args(hint) for value in _literals(part))
