"""What an answer looks like on the wire: the envelope, and the headers that every answer has.

Decides how success and failure are told, and what a browser may do with an answer. What stands in it is the handlers' business.
"""

import os
import re
from typing import Any

import msgspec
from aiohttp import web

from cli.outcomes import PARTLY_DONE, code_of, mend_of, status_of
from cli.serve.contract import envelope
from cli.serve.doors import Refused
from cli.serve.logfile import redacted
from pipeline.errors import RingletError

CLOSED = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
"""For answers that are data."""
PAGE = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
"""For pages: only what the daemon itself serves, nothing inline, no `eval`."""

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": CLOSED,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",
    "Server": "ringlet",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""On every answer, refusals included. There is no CORS header: no other origin may read anything."""

JSON = "application/json"
_WORD = re.compile(r"(?<=[a-z])(?=[A-Z])")


def answer(status: int, body: bytes, content_type: str, headers: dict[str, str] | None = None) -> web.Response:
    """An answer with the headers that all have."""
    shown = {**HEADERS, "Content-Type": content_type}
    if headers:
        shown.update(headers)
    return web.Response(status=status, body=body, headers=shown)


def success(data: msgspec.Struct) -> web.Response:
    """The envelope of what went well."""
    told = data.data if isinstance(data, envelope.Encoded) else envelope.Json.encode(data)
    return answer(200, b'{"success":true,"data":' + told + b"}", JSON)


def refusal(refused: Refused) -> web.Response:
    """The envelope of a refusal; the connection ends with it, because what follows may be part of the trick."""
    response = failure(refused.status, refused.code, refused.message, mend=refused.mend, headers=refused.headers)
    if refused.status not in (401, 404, 429):
        response.force_close()
    return response


def trouble(error: RingletError) -> web.Response:
    """The envelope of an error that has a name."""
    code = _WORD.sub("_", type(error).__name__).lower()
    valid: Any = getattr(error, "valid", None)
    return failure(status_of(error), code, error.what, where=error.where, mend=error.mend, valid=tuple(valid) if valid else None)


def refused_by_disk(error: OSError) -> web.Response | None:
    """The envelope of an error of the disk's or a file's that somebody can mend; None where it is another."""
    mend = mend_of(error)
    if mend is None:
        return None
    code = "partly_done" if code_of(error) == PARTLY_DONE else "failed"
    where = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else None
    return failure(status_of(error), code, error.strerror or type(error).__name__, where=where, mend=mend)


def failure(
    status: int,
    code: str,
    message: str,
    *,
    where: str | None = None,
    mend: str | None = None,
    valid: tuple[str, ...] | None = None,
    headers: dict[str, str] | None = None,
) -> web.Response:
    """The envelope of what went wrong. Texts lose what looks like a secret: they may repeat what somebody pasted into the wrong place."""
    problem = envelope.Problem(
        code=code,
        message=redacted(message),
        where=where and redacted(where),
        mend=mend and redacted(mend),
        valid=msgspec.UNSET if valid is None else valid,
    )
    return answer(status, msgspec.json.encode(envelope.Failure(success=False, error=problem)), JSON, headers)
