"""Who is asking: tokens, one-time codes, browser sessions, and the daemon's proof of itself.

Decides when something presented is good and how long. What a role may do is the route's business, how a secret travels `http`'s. Whatever
is compared is compared as a digest and in constant time; nothing here keeps a secret that a browser or a program holds.
"""

import hashlib
import hmac
import logging
import os
import secrets
import threading
from collections import deque

import msgspec

from cli.paths import Paths
from cli.serve import tokens
from cli.serve.tokens import ROLES, Role
from pipeline import durable
from pipeline.errors import RingletError

logger = logging.getLogger("ringlet.access")

CODE_S = 60.0
"""How long a one-time code is good."""
SESSION_S = 30 * 86400.0
FAILURES = 10
"""Wrong tokens or codes that are answered in one window before the answer is to wait."""
WINDOW_S = 60.0
_CODES = 32
_SESSIONS = 64


class _Session(msgspec.Struct, frozen=True):
    """One browser that logged in."""

    role: Role
    under: str
    """Digest of the role's token at that time: a session ends with its token."""
    until: float
    """Seconds since 1970 UTC."""


class Access:
    """The doors of one daemon; all methods may be called from any thread. Times are seconds since 1970 UTC."""

    def __init__(self, paths: Paths) -> None:
        """Makes the tokens where they are missing; RingletError where they are not safe to use."""
        self._paths = paths
        for role in ROLES:
            tokens.token(paths, role)
        self._lock = threading.Lock()
        self._digests: dict[Role, tuple[object, str | None]] = {}
        self._codes: dict[str, tuple[Role, float]] = {}
        self._failures: deque[float] = deque()
        self._file = os.path.join(tokens.folder(paths), "sessions.json")
        self._sessions = self._kept()

    def role_of(self, token: str) -> Role | None:
        """Whose token this is."""
        presented = _digest(token)
        found: Role | None = None
        for role in ROLES:
            if hmac.compare_digest(presented, self._token_digest(role) or _NOTHING):
                found = role
        return found

    def code(self, role: Role, now_s: float) -> str:
        """A code that opens one session for the role, once, within `CODE_S`."""
        code = secrets.token_urlsafe(16)
        with self._lock:
            self._forget_codes(now_s)
            while len(self._codes) >= _CODES:
                del self._codes[next(iter(self._codes))]
            self._codes[_digest(code)] = (role, now_s + CODE_S)
        return code

    def login(self, code: str, now_s: float) -> str | None:
        """The secret of a new session, for a cookie; None where the code is not good (any more)."""
        with self._lock:
            self._forget_codes(now_s)
            # By digest: what a lookup's time tells about a digest says nothing about the code.
            role, _ = self._codes.pop(_digest(code), (None, 0.0))
        under = role and self._token_digest(role)
        if role is None or under is None:
            return None
        secret = secrets.token_urlsafe(32)
        with self._lock:
            self._sessions = {key: session for key, session in self._sessions.items() if session.until > now_s}
            while len(self._sessions) >= _SESSIONS:
                del self._sessions[next(iter(self._sessions))]
            self._sessions[_digest(secret)] = _Session(role, under, now_s + SESSION_S)
            self._keep()
        return secret

    def session(self, secret: str, now_s: float) -> Role | None:
        """Whose session this is; None where it has ended or never was."""
        session = self._sessions.get(_digest(secret))
        if session is None or session.until <= now_s:
            return None
        under = self._token_digest(session.role)
        return session.role if under is not None and hmac.compare_digest(session.under, under) else None

    def logout(self, secret: str) -> None:
        """The session has ended."""
        with self._lock:
            if self._sessions.pop(_digest(secret), None):
                self._keep()

    def failed(self, now_s: float) -> int | None:
        """Count a wrong token or code. None: say so; else whole seconds that must pass before another is looked at.

        What is right is let in all the same: nobody guesses 256 bits, and whoever fails shall not lock out the others.
        """
        with self._lock:
            while self._failures and not now_s - WINDOW_S < self._failures[0] <= now_s:
                self._failures.popleft()
            if len(self._failures) < FAILURES:
                self._failures.append(now_s)
                if len(self._failures) == FAILURES:
                    logger.warning("%d wrong tokens within a minute", FAILURES)
                return None
            return max(1, int(self._failures[0] + WINDOW_S - now_s) + 1)

    def proof(self, nonce: str, port: int) -> str:
        """What only a daemon can say that can read the admin token: so that no program sends it to whoever took the port first."""
        return prove(tokens.read(tokens.file(self._paths, "admin")), nonce, port)

    def _token_digest(self, role: Role) -> str | None:
        path = tokens.file(self._paths, role)
        try:
            found = os.stat(path, follow_symlinks=False)
            state: object = (found.st_dev, found.st_ino, found.st_mtime_ns, found.st_ctime_ns)
        except OSError:
            state = None
        known = self._digests.get(role)
        if known is None or known[0] != state:
            try:
                known = (state, _digest(tokens.read(path)))
            except RingletError as error:
                logger.warning("nobody is let in as %s: %s", role, error)
                known = (state, None)
            self._digests[role] = known
        return known[1]

    def _forget_codes(self, now_s: float) -> None:
        self._codes = {key: code for key, code in self._codes.items() if 0 < code[1] - now_s <= CODE_S}

    def _kept(self) -> dict[str, _Session]:
        try:
            with open(self._file, "rb") as file:
                return msgspec.json.decode(file.read(1 << 16), type=dict[str, _Session])
        except (OSError, msgspec.DecodeError):
            # Without it everyone logs in again, no more.
            return {}

    def _keep(self) -> None:
        durable.write_hint(self._file, msgspec.json.encode(self._sessions))


def prove(token: str, nonce: str, port: int) -> str:
    """The proof for a nonce at a port: the port, lest another daemon of the same user be asked for it."""
    key = hashlib.sha256(b"ringlet daemon proof\0" + token.encode()).digest()
    return hmac.new(key, f"{port}\0{nonce}".encode(), hashlib.sha256).hexdigest()


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


_NOTHING = "-" * 64
