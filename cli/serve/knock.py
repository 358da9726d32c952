"""How the command line speaks to its daemon: first the daemon proves itself, then the token is sent.

Decides nothing about what is asked. Another user of the machine may have taken the port before the daemon did; whoever answers there and
cannot read the admin token gets nothing.
"""

import hmac
import secrets
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit

import msgspec

from cli.paths import Paths
from cli.serve import access, tokens
from pipeline.errors import NothingFound, RingletError

WAIT_S = 10.0
SILENCE_S = 40.0
"""A stream that says nothing for so long has ended: the daemon says something every fifteen seconds."""
_MOST = 16 << 20


class _Problem(msgspec.Struct):
    message: str = "refused"
    where: str | None = None
    mend: str | None = None


class _Told(msgspec.Struct):
    success: bool
    data: msgspec.Raw = msgspec.Raw(b"null")
    error: _Problem = msgspec.field(default_factory=_Problem)


def prove(url: str, paths: Paths) -> None:
    """Nothing, if this user's daemon answers at `url`. NothingFound where nobody does, RingletError where somebody else does."""
    _proved(url, paths)


def login_code(url: str, paths: Paths, role: str = "admin") -> str:
    """A one-time code for a browser. Raises as `prove` does."""
    return _text(_asked(url, paths, "POST", "/api/login/code", msgspec.json.encode({"role": role})), "code")


def ask(url: str, paths: Paths, path: str) -> bytes:
    """What the daemon answers to GET `path`: JSON, without its envelope. Raises as `prove` does, and RingletError with what it refuses."""
    return _asked(url, paths, "GET", path, None)


def listen(url: str, paths: Paths, path: str) -> Iterator[bytes]:
    """The lines of the event stream at `path`, until it ends. Raises as `ask` does, and OSError where it breaks off or falls silent."""
    headers = {"Authorization": f"Bearer {_proved(url, paths)}", "Accept": "text/event-stream"}
    connection = HTTPConnection(urlsplit(url).hostname or "", _port(url), timeout=SILENCE_S)
    try:
        connection.request("GET", path, None, headers)
        response = connection.getresponse()
        if response.status != 200:
            raise RingletError("the daemon does not tell its news", where=f"{url}{path}")
        yield from response
    except HTTPException as error:
        raise ConnectionError(type(error).__name__) from None
    finally:
        connection.close()


def _proved(url: str, paths: Paths) -> str:
    token = tokens.token(paths, "admin")
    nonce = secrets.token_hex(32)
    status, told = _exchanged(url, "GET", f"/api/proof?nonce={nonce}", None, {})
    proof = _text(told.data, "proof") if status == 200 and told.success else ""
    if not hmac.compare_digest(proof.encode(), access.prove(token, nonce, _port(url)).encode()):
        raise RingletError("another program answers there, or a daemon of another user", where=url, mend="choose another port: --port N")
    return token


def _asked(url: str, paths: Paths, method: str, path: str, body: bytes | None) -> bytes:
    headers = {"Authorization": f"Bearer {_proved(url, paths)}"}
    if body is not None:
        headers["Content-Type"] = "application/json"
    status, told = _exchanged(url, method, path, body, headers)
    if status != 200 or not told.success:
        raise RingletError(told.error.message, where=told.error.where or f"{url}{path}", mend=told.error.mend)
    return bytes(told.data)


def _exchanged(url: str, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, _Told]:
    connection = HTTPConnection(urlsplit(url).hostname or "", _port(url), timeout=WAIT_S)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return response.status, msgspec.json.decode(response.read(_MOST), type=_Told)
    except OSError as error:
        raise NothingFound(f"nobody answers ({error.strerror or type(error).__name__})", where=url, mend="ringlet daemon start") from None
    except (HTTPException, msgspec.DecodeError, RecursionError):
        raise RingletError("another program answers there", where=url, mend="choose another port: --port N") from None
    finally:
        connection.close()


def _text(data: bytes, name: str) -> str:
    """A member of an object; empty where it is none, or there is no such object."""
    try:
        found: Any = msgspec.json.decode(data, type=dict[str, Any]).get(name)
    except (msgspec.DecodeError, RecursionError):
        return ""
    return found if isinstance(found, str) else ""


def _port(url: str) -> int:
    return urlsplit(url).port or 80
