"""Connections to providers: verified, to where they were meant, and without a limit on how long a model may think.

Decides TLS, names and times of the proxy's outgoing side. What is sent is the proxy's business.
"""

import socket
import ssl
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass
from weakref import WeakSet

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.connector import Connection
from aiohttp.resolver import DefaultResolver

from cli.reached import reached
from cli.serve.entrances import Upstream, is_loopback
from cli.serve.returning import SILENCE_S
from pipeline.errors import RingletError

CONNECT_S = 10.0
KEPT_S = 15.0
"""So long an idle connection is kept: less than any provider keeps its end."""
PIECE_BYTES = 64 << 10
_NO_DEFAULTS = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
"""What an agent does not say is not said for it."""
WENT = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, aiohttp.ClientConnectionResetError)
"""A connection has ended before a reply began."""


class Attempt:
    """One attempt to ask an upstream: what is asked after it was made, in the same task."""

    def __init__(self) -> None:
        self.reused = False
        """Whether it went over a connection that had been kept: the other side may have ended that meanwhile."""
        _ATTEMPT.set(self)


_ATTEMPT: ContextVar[Attempt] = ContextVar("attempt")


class Elsewhere(RingletError):
    """An upstream leads to where no key must go."""


class Detour:
    """The network's proxy that this user's calls go by, as the environment of the daemon says (`HTTPS_PROXY`, `NO_PROXY`), if there is one.

    It is asked for a tunnel, through which TLS is spoken with the provider: it learns a host's name and nothing else.
    """

    def __init__(self) -> None:
        told = getproxies().get("https") or getproxies().get("all") or ""
        address = told if "://" in told or not told else f"http://{told}"
        self._address = address if address.startswith(("http://", "https://")) else None
        self.host = (urlsplit(address).hostname or "") if self._address else ""

    def to(self, upstream: Upstream) -> str | None:
        """Its address for calls to an upstream; None for those that go straight there."""
        if self._address is None or upstream.base.startswith("http://") or proxy_bypass(upstream.host):
            return None
        return self._address


def session(is_here: Callable[[str], bool], own_ports: Callable[[], set[int]]) -> aiohttp.ClientSession:
    """A session that adds no header, keeps no cookie, decodes nothing and checks every certificate. Made in its event loop.

    `is_here` tells of which hosts it is meant that they stand on this machine.
    """
    connector = _Connector(
        limit=0, resolver=_Resolver(is_here, own_ports), ssl=ssl.create_default_context(), keepalive_timeout=KEPT_S, ttl_dns_cache=60
    )
    return aiohttp.ClientSession(
        connector=connector,
        skip_auto_headers=_NO_DEFAULTS,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
        timeout=aiohttp.ClientTimeout(total=None, connect=None, sock_connect=CONNECT_S, sock_read=SILENCE_S),
        read_bufsize=PIECE_BYTES,
        max_line_size=32 << 10,
        max_field_size=32 << 10,
    )


class _Connector(aiohttp.TCPConnector):
    """Tells an attempt whether its connection had been kept. A trace would too, for a tenth of what a request costs."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._known: WeakSet[object] = WeakSet()

    async def connect(self, req: aiohttp.ClientRequest, traces: list[aiohttp.tracing.Trace], timeout: aiohttp.ClientTimeout) -> Connection:
        connection = await super().connect(req, traces, timeout)
        if connection.protocol in self._known:
            _ATTEMPT.get().reused = True
        else:
            self._known.add(connection.protocol)
        return connection


def check(upstream: Upstream, own_ports: set[int]) -> None:
    """Raises Elsewhere for an upstream that is the proxy or the daemon itself."""
    if upstream.port in own_ports and is_loopback(upstream.host):
        raise Elsewhere("this is the daemon itself", where=upstream.name, mend="mend the endpoint")


class _Resolver(AbstractResolver):
    """Names to addresses; a provider's name that leads to this machine or its link is refused unless it was configured."""

    def __init__(self, is_here: Callable[[str], bool], own_ports: Callable[[], set[int]]) -> None:
        self._inner = DefaultResolver()
        self._is_here = is_here
        self._own_ports = own_ports

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        kept = [each for each in found if allowed(each["host"], port, here=self._is_here(host), own_ports=self._own_ports())]
        if not kept:
            raise OSError(None, f"{host} leads to this machine")
        return kept

    async def close(self) -> None:
        await self._inner.close()


def allowed(address: str, port: int, *, here: bool, own_ports: set[int]) -> bool:
    """Whether an address may be connected to; `here` where one on this machine was configured."""
    ip = reached(address)
    if ip.is_unspecified or ip.is_multicast or (ip.is_loopback and port in own_ports):
        return False
    return here or not (ip.is_loopback or ip.is_link_local)


def reason(error: Exception) -> tuple[int, str, str]:
    """(HTTP status, word, sentence) for a connection that failed before any answer came."""
    if isinstance(error, Elsewhere):
        return 502, "refused_upstream", error.what
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError | ssl.SSLError):
        return 502, "bad_certificate", "the provider's certificate is not good"
    if isinstance(error, aiohttp.ServerTimeoutError | TimeoutError):
        return 504, "timeout", "the provider did not answer in time"
    if isinstance(error, aiohttp.ClientConnectorError | OSError):
        return 502, "no_connection", "the provider cannot be reached"
    return 502, "bad_answer", "the provider's answer is none"
