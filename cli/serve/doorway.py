"""Coming in and going out: the routes by which a browser or the command line gets its right to ask.

Decides what is exchanged for what. When something is good, `access` decides.
"""

import re
import time
from typing import Annotated, Any

import msgspec
from aiohttp import web

from cli.serve import answers
from cli.serve.access import CODE_S, SESSION_S, Access
from cli.serve.doors import Refused
from cli.serve.route import Route
from cli.serve.tokens import Role
from pipeline.errors import RingletError

_COOKIE = re.compile(r"[A-Za-z0-9_-]{43}\Z")


class LoginParams(msgspec.Struct, frozen=True, kw_only=True):
    """What opens a session."""

    code: Annotated[str, msgspec.Meta(max_length=100, description="A one-time code of `ringlet daemon login`.")]


class CodeParams(msgspec.Struct, frozen=True, kw_only=True):
    """For whom a code is."""

    role: Role = "admin"


class ProofParams(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be proved with."""

    nonce: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$", description="64 hexadecimal digits, new for every question.")]


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """Who is asking."""

    role: Role


class Code(msgspec.Struct, frozen=True, kw_only=True):
    """What opens one session."""

    code: str
    good_s: float
    """Seconds that it can be used in, once."""


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """What only this user's daemon can say."""

    proof: str
    """HMAC-SHA-256 over port and nonce, under a key made from the admin token."""


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """That a session has ended."""

    ended: bool


ROUTES = (
    Route("POST", "/api/login", None, LoginParams, Session, "open", "Exchange a one-time code for a session cookie"),
    Route("POST", "/api/login/code", None, CodeParams, Code, "admin", "Make a one-time code; needs the token, not a session"),
    Route("POST", "/api/logout", None, None, Ended, "viewer", "End this session"),
    Route("GET", "/api/session", None, None, Session, "viewer", "Whose session or token this is"),
    Route("GET", "/api/proof", None, ProofParams, Proof, "open", "Prove to a program that this is its user's daemon"),
    Route("GET", "/api/events", None, None, None, "admin", "A stream of events: `usage` whenever there is new usage"),
)


class Asker(msgspec.Struct, frozen=True):
    """Who is asking, and how it is known."""

    role: Role | None
    """None: anybody."""
    session: str | None
    """The secret of the session, where it is by a session."""


class Doorway:
    """The routes of one daemon that make and end rights."""

    def __init__(self, access: Access, port: int) -> None:
        self._access = access
        self._port = port
        # Cookies do not know ports: two daemons of one machine would end each other's sessions.
        self._cookie = f"ringlet-{port}"

    def asker(self, authorization: str | None, cookie: str | None) -> Asker:
        """Who presents this. Raises Refused for a token that is none: whoever sends a token means it."""
        now_s = time.time()
        if authorization is not None:
            scheme, _, token = authorization.partition(" ")
            role = self._access.role_of(token.strip()) if scheme.lower() == "bearer" else None
            if role is None:
                raise self._failed(now_s, "this is no token of this daemon", "ringlet daemon token prints it")
            return Asker(role, None)
        secret = self._secret(cookie)
        return Asker(None if secret is None else self._access.session(secret, now_s), secret)

    def still(self, asker: Asker) -> bool:
        """Whether a session that was good still is."""
        return asker.session is None or self._access.session(asker.session, time.time()) is not None

    def answer(self, route: Route, asker: Asker, params: Any) -> web.Response:
        """The answer of one of `ROUTES`, events excepted. Raises Refused."""
        match route.path:
            case "/api/login":
                return self._login(params.code)
            case "/api/login/code":
                if asker.session is not None:
                    raise Refused(403, "needs_token", "a session cannot make another", mend="ringlet daemon login makes a code")
                return answers.success(Code(code=self._access.code(params.role, time.time()), good_s=CODE_S))
            case "/api/logout":
                if asker.session is not None:
                    self._access.logout(asker.session)
                return self._with_cookie(answers.success(Ended(ended=asker.session is not None)), "", 0)
            case "/api/proof":
                return answers.success(Proof(proof=self._proof(params.nonce)))
            case _:
                return answers.success(Session(role=asker.role or "viewer"))

    def _proof(self, nonce: str) -> str:
        try:
            return self._access.proof(nonce, self._port)
        except RingletError:
            # Anybody may ask, and the error would tell where the token lies.
            raise Refused(500, "failed", "the admin token is not safe to use", mend="ringlet daemon token --rotate") from None

    def _login(self, code: str) -> web.Response:
        now_s = time.time()
        secret = self._access.login(code, now_s)
        role = secret and self._access.session(secret, now_s)
        if not secret or not role:
            raise self._failed(now_s, "this code is used up, too old or none", "ringlet daemon login makes a new one")
        return self._with_cookie(answers.success(Session(role=role)), secret, int(SESSION_S))

    def _with_cookie(self, response: web.Response, value: str, age_s: int) -> web.Response:
        # Not `Secure`: it is plain HTTP on this machine, and not every browser keeps such a cookie there.
        response.headers["Set-Cookie"] = f"{self._cookie}={value}; Path=/api; Max-Age={age_s}; HttpOnly; SameSite=Strict"
        return response

    def _secret(self, cookie: str | None) -> str | None:
        for part in (cookie or "").split(";"):
            name, _, value = part.strip().partition("=")
            if name == self._cookie and _COOKIE.match(value):
                return value
        return None

    def _failed(self, now_s: float, what: str, mend: str) -> Refused:
        wait_s = self._access.failed(now_s)
        if wait_s is None:
            return Refused(401, "not_known", what, mend=mend, headers={"WWW-Authenticate": 'Bearer realm="ringlet"'})
        return Refused(429, "too_many_failures", "too many wrong tokens", mend=mend, headers={"Retry-After": str(wait_s)})
