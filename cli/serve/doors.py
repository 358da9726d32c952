"""Which requests are looked at at all: everything that can be told from their first lines.

Decides what a request must look like, whoever sends it, so that a web page in the user's own browser cannot speak to the daemon. Who is
asking is `access`'s business, what is asked the routes'. Pure: bytes of a request in, a refusal or nothing out.
"""

from collections.abc import Iterable

import msgspec

HEAD_BYTES = 16 << 10
BODY_BYTES = 1 << 20

_ONCE = frozenset(
    (
        b"authorization",
        b"content-length",
        b"content-type",
        b"cookie",
        b"host",
        b"origin",
        b"sec-fetch-dest",
        b"sec-fetch-mode",
        b"sec-fetch-site",
        b"transfer-encoding",
    )
)
"""Headers that decide something here: two of them would let two readers see two requests."""


class Refused(Exception):
    """Why a request gets no answer: an HTTP status, a word for programs, a sentence, and headers that belong to it."""

    def __init__(self, status: int, code: str, message: str, *, mend: str | None = None, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.mend = mend
        self.headers = headers or {}


class Doors(msgspec.Struct, frozen=True):
    """Where the daemon can be addressed. Compared as they are: no case folded, no dot or zero forgiven."""

    hosts: frozenset[bytes]
    """Values of `Host`."""
    origins: frozenset[bytes]
    """Values of `Origin`."""


def doors(host: str, port: int) -> Doors:
    """The names of a daemon that listens on `host` and `port`: the address, and on a loopback address of IPv4 `localhost` too."""
    names = [f"[{host}]" if ":" in host else host]
    if host == "127.0.0.1":
        names.append("localhost")
    # Browsers leave out the port that `http` means anyway.
    hosts = [f"{name}:{port}" if port != 80 else name for name in names]
    return Doors(frozenset(name.encode() for name in hosts), frozenset(f"http://{name}".encode() for name in hosts))


class Head(msgspec.Struct, frozen=True):
    """What of a request's first lines is used further on."""

    method: str
    path: str
    query: str
    authorization: str | None
    cookie: str | None
    content_type: str | None
    length: int
    """Bytes of the body."""
    if_none_match: str | None


def let_in(method: str, target: str, version: tuple[int, int], headers: Iterable[tuple[bytes, bytes]], doors: Doors) -> Head:
    """The request's head; raises Refused where no answer is due. Nothing is normalised: a request is as it must be, or refused."""
    if version not in ((1, 0), (1, 1)):
        raise Refused(400, "bad_request", "this is HTTP/1.1")
    found: dict[bytes, bytes] = {}
    size = len(target)
    for name, value in headers:
        size += len(name) + len(value) + 4
        key = name.lower()
        if key in found and key in _ONCE:
            raise Refused(400, "bad_request", f"more than one {key.decode('ascii', 'replace')} header")
        found[key] = value
    if size > HEAD_BYTES:
        raise Refused(431, "head_too_large", f"the headers are larger than {HEAD_BYTES} bytes")

    host = found.get(b"host")
    if not host:
        raise Refused(400, "bad_request", "no Host header")
    if host not in doors.hosts:
        raise Refused(421, "other_host", "this daemon is not known by that name", mend=f"ask {_listed(doors.hosts)}")
    _not_from_elsewhere(found, doors)
    path, query = _target(target)
    return Head(
        method,
        path,
        query,
        _text(found.get(b"authorization")),
        _text(found.get(b"cookie")),
        _text(found.get(b"content-type")),
        _length(method, found),
        _text(found.get(b"if-none-match")),
    )


def _not_from_elsewhere(found: dict[bytes, bytes], doors: Doors) -> None:
    site = found.get(b"sec-fetch-site")
    if site is not None and site not in (b"same-origin", b"none"):
        raise Refused(403, "other_site", "another site's page asks")
    origin = found.get(b"origin")
    if origin is not None and origin not in doors.origins:
        raise Refused(403, "other_site", "another site's page asks")


def _target(target: str) -> tuple[str, str]:
    # In this order: a proxy's forms (`http://…`, `host:port`, `*`) are nobody's business here.
    if not target.startswith("/") or not target.isascii() or not target.isprintable() or "#" in target or " " in target:
        raise Refused(400, "bad_request", "the address is not a path of this daemon")
    path, _, query = target.partition("?")
    return path, query


def _length(method: str, found: dict[bytes, bytes]) -> int:
    if b"transfer-encoding" in found:
        raise Refused(411, "length_required", "a body needs a Content-Length")
    if b"content-encoding" in found:
        raise Refused(415, "bad_body", "a body is sent as it is, without a Content-Encoding")
    if b"upgrade" in found:
        raise Refused(400, "bad_request", "there is no other protocol here")
    if b"expect" in found:
        raise Refused(417, "bad_request", "send the body at once")
    text = found.get(b"content-length", b"0")
    if not text.isdigit():
        raise Refused(400, "bad_request", "Content-Length is no number")
    # Before it becomes a number: thousands of digits are a long way to one.
    if len(text) > 12 or int(text) > BODY_BYTES:
        raise Refused(413, "body_too_large", f"a body has at most {BODY_BYTES} bytes")
    if int(text) and method == "GET":
        raise Refused(400, "bad_request", "GET has no body")
    return int(text)


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("ascii", "replace")


def _listed(hosts: frozenset[bytes]) -> str:
    return " or ".join(sorted(f"http://{host.decode()}" for host in hosts))
