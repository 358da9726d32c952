"""What every answer by HTTP comes in: its encoding, the form of an error, and answers that are no structs.

Decides how money is written and which fields an error has. What stands in an answer is `figures`' and `inventory`'s business.
"""

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

Json = msgspec.json.Encoder(decimal_format="number")
"""Encodes every answer."""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What went wrong, and what mends it."""

    code: str
    message: str
    where: str | None = None
    mend: str | None = None
    valid: tuple[str, ...] | UnsetType = UNSET
    """The values that would have been valid."""


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """What every error comes in."""

    success: Literal[False]
    error: Problem


class Encoded(msgspec.Struct, frozen=True):
    """An answer that is JSON already: the `data` of the envelope."""

    data: bytes


class Reply(msgspec.Struct, frozen=True):
    """An answer that is no JSON, and comes in no envelope."""

    content_type: str
    body: Any
    """bytes, or an asynchronous iterator of them."""
    filename: str | None = None
    """Where a browser shall save it instead of showing it."""
