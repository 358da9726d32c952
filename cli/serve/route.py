"""What one route of the HTTP API says of itself."""

from collections.abc import Awaitable, Callable
from typing import Any, Literal, NamedTuple

import msgspec

from cli.serve.service import Service

Role = Literal["open", "viewer", "admin"]
"""Who may ask: anybody, whoever holds a token, or the owner alone."""

Handler = Callable[[Service, Any], Awaitable[msgspec.Struct]]
"""The answer to parameters of the route's type: its answer's struct, or `envelope.Encoded` or `envelope.Reply`. Raises RingletError."""


class Route(NamedTuple):
    """One question that can be put by HTTP."""

    method: Literal["GET", "POST"]
    path: str
    handler: Handler | None
    """None: `doorway` answers, because it takes the request's own secrets, which no handler sees."""
    params: type[msgspec.Struct] | None
    """From the query string, for a POST also from the body; None: it takes none."""
    answer: type[msgspec.Struct] | None
    """What stands under `data`; None: the answer is no JSON."""
    role: Role
    summary: str

    @property
    def in_body(self) -> bool:
        """Whether parameters stand in the body alone: they are secrets, and addresses stand in histories and logs."""
        return self.method == "POST" and self.handler is None
