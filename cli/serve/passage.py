"""Which requests pass the proxy, and what of their heads goes along: everything that can be told from their first lines.

Decides what a request must look like, so that neither a web page nor a trick with framing gets anything through, and which headers belong
to one connection only. Pure: a head in, a way or a refusal out.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

import msgspec

from cli.serve.doors import Refused
from ingest.wire import body

HEAD_BYTES = 64 << 10
"""Agents send tokens of several kilobytes."""

_HOP = frozenset(
    (
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)
_ONCE = frozenset(("content-length", "host", "transfer-encoding", "content-encoding", "content-type", "expect"))
_OURS = frozenset(("host", "expect"))
"""Of this server, and not of the next."""
_KEPT = frozenset(("content-length", "content-type", "content-encoding", "host", "authorization", "x-api-key"))
_WEBSOCKET = "websocket"
_PAGES = ("origin", "sec-fetch-", "access-control-")
"""What names of headers begin with that only browsers send."""
_OF_PROGRAMS = ("cors", "websocket")
_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
# A provider may take encoded slashes for slashes.
_LINES = re.compile(r"[\r\n\0]")
_DOTS = re.compile(r"(?:^|/|%2f|%5c)(?:\.|%2e){1,2}(?:/|%2f|%5c|$)", re.IGNORECASE)


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A request that may pass."""

    word: str
    """What stands for the profile."""
    provider: str
    path: str
    """What comes after both, with its slash."""
    query: str
    """With its question mark; empty where there is none."""
    headers: tuple[tuple[str, str], ...]
    """Those that go along, in order."""
    length: int | None
    """Bytes of the body as said; None where it comes in chunks, or there is none."""
    has_body: bool
    upgrades: bool
    """It wants to become a WebSocket."""
    waits: bool
    """It wants to be told to go on before it sends its body."""

    def header(self, name: str) -> str:
        """The value of a header that goes along; empty where there is none."""
        return next((value for key, value in self.headers if key.lower() == name), "")


def let_through(
    method: str, target: str, version: tuple[int, int], headers: Sequence[tuple[bytes, bytes]], hosts: frozenset[bytes]
) -> Asked:
    """The way that a request wants to go. Raises Refused where it must not."""
    if version not in ((1, 0), (1, 1)):
        raise Refused(400, "bad_request", "this is HTTP/1.1")
    if method not in _METHODS:
        raise Refused(405, "no_method", "this proxy opens no tunnels and knows no such method")
    told = _text(headers)
    once: dict[str, str] = {}
    browsing = fetching = False
    for name, value in told:
        known = name.lower()
        if known in _ONCE:
            if known in once:
                raise Refused(400, "bad_request", f"more than one {known} header")
            once[known] = value
        elif known.startswith(_PAGES):
            browsing = browsing or _is_browsers(known, value)
            fetching = fetching or known == "sec-fetch-mode"
    if browsing or (fetching and _names_a_browser(told)):
        raise Refused(403, "browser", "a browser asks; no page speaks to a provider through this proxy")
    if len(target) + sum(len(name) + len(value) + 4 for name, value in headers) > HEAD_BYTES:
        raise Refused(431, "head_too_large", f"the headers are larger than {HEAD_BYTES} bytes")
    host = once.get("host", "").encode()
    if not host:
        raise Refused(400, "bad_request", "no Host header")
    if host not in hosts:
        raise Refused(421, "other_host", "this proxy is not known by that name")
    length, has_body = _framing(once)
    upgrades = _upgrades(told)
    if upgrades and (method != "GET" or has_body or version != (1, 1)):
        raise Refused(400, "bad_request", "a WebSocket begins with a GET without a body")
    word, provider, path, query = _way(target)
    return Asked(
        word=word,
        provider=provider,
        path=path,
        query=query,
        headers=tuple(onward(told, also=_OURS)),
        length=length,
        has_body=has_body,
        upgrades=upgrades,
        waits=once.get("expect", "").lower() == "100-continue",
    )


def switched(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Headers of a request for a WebSocket, or of the reply that begins one."""
    return [*onward(headers), ("Connection", "Upgrade"), ("Upgrade", _WEBSOCKET)]


def onward(headers: Iterable[tuple[str, str]], *, also: frozenset[str] = frozenset()) -> list[tuple[str, str]]:
    """Headers without those of one connection, and those called `also`, in order."""
    told = [(name.lower(), name, value) for name, value in headers]
    named = {each.strip().lower() for known, _, value in told if known == "connection" for each in value.split(",")}
    # Whoever names one of these there asks that the next must not see it.
    left = _HOP | also | (named - _KEPT)
    return [(name, value) for known, name, value in told if known not in left]


def readable(headers: Iterable[tuple[str, str]], *, plain: bool) -> list[tuple[str, str]]:
    """Headers of a request whose reply is read: only codings that are understood are asked for, or none with `plain`."""
    told = list(headers)
    if plain:
        return [*((name, value) for name, value in told if name.lower() != "accept-encoding"), ("Accept-Encoding", "identity")]
    return [(name, body.understood(value) if name.lower() == "accept-encoding" else value) for name, value in told]


def lowered(headers: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    """Headers by their names in small letters."""
    return {name.lower(): value for name, value in headers}


def _is_browsers(name: str, value: str) -> bool:
    """Whether a header, its name in small letters, comes from a web page."""
    if name == "sec-fetch-mode":
        # Node's own `fetch` says this of all its calls, and this alone; a browser says `Sec-Fetch-Site` with it, which no page can prevent.
        return value not in _OF_PROGRAMS
    return name == "origin" or name.startswith(_PAGES[1:])


def _names_a_browser(headers: Iterable[tuple[str, str]]) -> bool:
    return any(name.lower() == "user-agent" and value.startswith("Mozilla/") for name, value in headers)


def _upgrades(headers: Iterable[tuple[str, str]]) -> bool:
    """Whether a WebSocket is asked for. Another protocol is not offered: such a request goes on as the HTTP that it is too."""
    told = [(known, value.lower()) for name, value in headers if (known := name.lower()) in ("connection", "upgrade")]
    named = {each.strip() for name, value in told if name == "connection" for each in value.split(",")}
    return "upgrade" in named and [value.strip() for name, value in told if name == "upgrade"] == [_WEBSOCKET]


def _framing(once: Mapping[str, str]) -> tuple[int | None, bool]:
    length, coding = once.get("content-length"), once.get("transfer-encoding")
    if coding is not None:
        if length is not None or coding.strip(" \t").lower() != "chunked":
            raise Refused(400, "bad_request", "where this body ends can be read in two ways")
        return None, True
    if length is None:
        return None, False
    if not length.isascii() or not length.isdigit() or len(length) > 15:
        raise Refused(400, "bad_request", "Content-Length is no number")
    return int(length), int(length) > 0


def _way(target: str) -> tuple[str, str, str, str]:
    # In this order: a proxy's forms (`http://…`, `host:port`, `*`) lead nowhere here.
    if not target.startswith("/") or not target.isascii() or not target.isprintable() or any(mark in target for mark in "#\\ "):
        raise Refused(400, "bad_request", "the address is not a path of this proxy")
    path, mark, query = target.partition("?")
    if _DOTS.search(path):
        raise Refused(400, "bad_request", "a path goes onward only")
    _, word, *rest = path.split("/", 3)
    if not rest or not word or not rest[0]:
        raise Refused(404, "no_way", "the address is /PROFILE/PROVIDER/PATH", mend="ringlet daemon status tells where the proxy listens")
    return word, rest[0], "/" + rest[1] if len(rest) > 1 else "/", mark + query


def _text(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    try:
        told = [(name.decode(), value.decode()) for name, value in headers]
    except UnicodeDecodeError:
        raise Refused(400, "bad_request", "a header is no text") from None
    if _LINES.search("".join(chain.from_iterable(told))):
        raise Refused(400, "bad_request", "a header has more than one line")
    return told
