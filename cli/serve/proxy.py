"""The proxy: carries agents' calls to their providers and back, unchanged, and has the tap read along.

Decides the order of things: a piece goes to the agent first and to the tap after, and no fault of the tap's is a fault of the call.
Which requests pass is decided in `passage`, where they lead in `entrances`, what the tap is told in `tapping`.

Nothing of a request but its path, its agent's name and its session is looked at, unless it is a chat whose usage must be asked for. Keys
pass through; they are neither kept nor logged.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import aiohttp
import msgspec
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from cli.serve import answers, outgoing, state, usage_asked
from cli.serve.doors import Refused, doors
from cli.serve.entrances import HEALTH, Entrances, Upstream
from cli.serve.limits import Limits
from cli.serve.passage import Asked, let_through, lowered, onward, readable, switched
from cli.serve.tapping import Tapping
from cli.serve.tunnel import Tunnel
from ingest.tap import Tap
from ingest.wire.caller import agent_of
from ingest.wire.recognise import Kind, kind_of
from pipeline.errors import RingletError, UnknownName
from pipeline.events import Status
from pipeline.profiles import LOGS_WITHOUT_ID, Profile

logger = logging.getLogger("ringlet.proxy")

LIMITS = Limits(head_s=30.0, idle_s=75.0, write_s=3600.0, connections=1024, line_bytes=32 << 10, headers=128)
"""Of the proxy's own connections: agents keep theirs, and read slowly."""
_NO_DEFAULTS = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
_PIECES = outgoing.PIECE_BYTES
_UNWANTED = (400, 422)
_REMEMBERED = 1 << 20
"""So much of a request's body is kept until its reply begins."""


class Proxy:
    """One proxy; made inside the event loop that it runs in, `close` when its server has ended."""

    def __init__(self, entrances: Entrances, tap: Tap, port: int, own_ports: Callable[[], set[int]]) -> None:
        self.asked_at = time.monotonic()
        """When a call came or went last (`time.monotonic`): the daemon stays while agents work."""
        self.at_work = 0
        """Calls that are under way."""
        self.is_ending = False
        """Set when the daemon is to end: what stands open without a word is closed."""
        self._entrances = entrances
        self._tap = tap
        self._hosts = doors(state.HOST, port).hosts
        self._own_ports = own_ports
        self._detour = outgoing.Detour()
        self._session = outgoing.session(lambda host: entrances.is_here(host) or host == self._detour.host, own_ports)
        self._silent: set[str] = set()
        """Upstreams that refuse to be asked for usage."""

    async def close(self) -> None:
        """Let go of all connections to providers."""
        await self._session.close()

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """The answer to any request; never raises but when it is cancelled."""
        try:
            if request.raw_path == HEALTH and request.method == "GET":
                let_through("GET", "/health/z", request.version, request.raw_headers, self._hosts)
                return answers.answer(200, b'{"ok":true}', answers.JSON)
            asked = let_through(request.method, request.raw_path, request.version, request.raw_headers, self._hosts)
            profile = self._entrances.profile(asked.word)
            if profile is None:
                raise Refused(404, "no_profile", "this address is no profile's", mend="ringlet profiles list shows the profiles")
            upstream = self._leads(profile, asked.provider)
            outgoing.check(upstream, self._own_ports())
            if asked.upgrades and _counts_here(asked, profile):
                raise Refused(
                    426, "counted_over_http", "calls of this profile are counted here: ask over HTTP", headers={"Upgrade": "HTTP/1.1"}
                )
        except Refused as refused:
            return answers.refusal(refused)
        except RingletError as error:
            return answers.trouble(error)
        self.at_work += 1
        self.asked_at = time.monotonic()
        try:
            return await _Call(self, request, asked, profile, upstream).carried()
        finally:
            self.at_work -= 1
            self.asked_at = time.monotonic()

    def _leads(self, profile: Profile, name: str) -> Upstream:
        try:
            return self._entrances.upstream(profile, name)
        except UnknownName as unknown:
            raise Refused(404, "no_provider", unknown.what, mend=unknown.mend) from None
        except RingletError as error:
            what = f"the endpoint of {name} must not be used: {error.what}"
            raise Refused(502, "refused_upstream", what, mend=error.mend) from None


class _Passed(web.StreamResponse):
    """A reply as it came: no header is added that the provider did not send."""

    def __init__(self, status: int, reason: str | None, headers: CIMultiDict[str]) -> None:
        super().__init__(status=status, reason=reason or "", headers=headers)
        self._came_with = {name.lower() for name in headers}

    async def _prepare_headers(self) -> None:
        await super()._prepare_headers()
        for name in ("Content-Type", "Date", "Server"):
            if name.lower() not in self._came_with:
                self.headers.popall(name, None)


class _Call:
    """One request on its way there and back."""

    def __init__(self, proxy: Proxy, request: web.BaseRequest, asked: Asked, profile: Profile, upstream: Upstream) -> None:
        self._proxy = proxy
        self._request = request
        self._asked = asked
        self._upstream = upstream
        self._kind = kind_of(request.method, asked.path)
        self._tapping = Tapping(proxy._tap, asked, self._kind, profile, upstream)
        self._hider: usage_asked.Hider | None = None
        self._begun: list[bytes] | None = []
        """What was read of the request's body; None where that is too much to be sent once more."""
        self._remembered = 0

    async def carried(self) -> web.StreamResponse:
        """The provider's reply, sent to the agent; or a refusal where there is none."""
        upgrades = self._asked.upgrades
        try:
            reply = await (self._exchange(switched(self._asked.headers), None) if upgrades else self._sent())
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            if self._gone:
                raise
            status, code, message = outgoing.reason(error)
            logger.warning("no reply from %s: %s (%s)", self._upstream.name, message, type(error).__name__)
            return answers.refusal(Refused(status, code, message))
        except ValueError:
            return answers.refusal(Refused(400, "bad_request", "this request cannot be passed on"))
        try:
            if reply.status == 101:
                return await self._tunnelled(reply) if upgrades else answers.refusal(_NO_ANSWER)
            return await self._returned(reply)
        finally:
            reply.close()

    # There

    async def _sent(self) -> aiohttp.ClientResponse:
        asked, request = self._asked, self._request
        headers = list(asked.headers)
        if asked.waits and request.transport is not None:
            request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body: Any = self._body() if asked.has_body else None
        if self._may_ask():
            whole = await self._whole()
            changed = self._changed(whole)
            if changed is not None:
                reply = await self._exchange(readable(_sized(headers, len(changed)), plain=True), changed)
                if reply.status not in _UNWANTED:
                    self._hider = usage_asked.Hider()
                    return reply
                # Perhaps it minds what we added: what the agent wrote decides.
                reply.close()
                self._proxy._silent.add(self._upstream.name)
            body, headers = whole, _sized(headers, len(whole))
        if self._kind not in (Kind.NOT_COUNTED, Kind.UNKNOWN):
            headers = readable(headers, plain=False)
        return await self._exchange(headers, body)

    async def _exchange(self, headers: list[tuple[str, str]], body: Any) -> aiohttp.ClientResponse:
        """The beginning of a reply. A connection that was kept and turns out to have ended is our doing: then it is asked over another."""
        while True:
            attempt = outgoing.Attempt()
            try:
                return await self._attempted(headers, body, attempt)
            except outgoing.WENT:
                if not attempt.reused:
                    raise
                if not isinstance(body, bytes | None):
                    if self._begun is None:
                        raise
                    body = self._body()

    async def _attempted(self, headers: list[tuple[str, str]], body: Any, attempt: outgoing.Attempt) -> aiohttp.ClientResponse:
        asked = self._asked
        return await self._proxy._session.request(
            self._request.method,
            URL(f"{self._upstream.base}{asked.path}{asked.query}", encoded=True),
            headers=CIMultiDict(headers),
            data=body,
            proxy=self._proxy._detour.to(self._upstream),
            allow_redirects=False,
            skip_auto_headers=_NO_DEFAULTS,
            trace_request_ctx=attempt,
        )

    def _may_ask(self) -> bool:
        asked = self._asked
        return (
            self._kind is Kind.CHAT
            and self._upstream.name not in self._proxy._silent
            and not asked.header("content-encoding")
            and asked.length is not None
            and 0 < asked.length <= usage_asked.REQUEST_BYTES
        )

    def _changed(self, whole: bytes) -> bytes | None:
        try:
            self._tapping.model = _model_of(whole)
            return usage_asked.asking(whole)
        except Exception as error:  # noqa: BLE001 - whatever it is, the request passes as it is
            logger.error("a request could not be looked at: %s", type(error).__name__)
            return None

    async def _body(self) -> AsyncIterator[bytes]:
        """The request's body from its beginning, as far as that is remembered."""
        for piece in list(self._begun or ()):
            yield piece
        async for piece in self._request.content.iter_any():
            if self._begun is not None:
                self._begun.append(piece)
                self._remembered += len(piece)
                if self._remembered > _REMEMBERED:
                    self._begun = None
            yield piece

    async def _whole(self) -> bytes:
        return b"".join([piece async for piece in self._request.content.iter_any()])

    # And back

    async def _returned(self, reply: aiohttp.ClientResponse) -> web.StreamResponse:
        headers = onward(_headers_of(reply))
        known = lowered(headers)
        if self._hider is not None and (known.get("content-encoding") or "event-stream" not in known.get("content-type", "")):
            self._hider = None
        if self._hider is not None:
            headers = [(name, value) for name, value in headers if name.lower() != "content-length"]
        self._tapping.begin(reply.status, known)
        passed = _Passed(reply.status, reply.reason, CIMultiDict(headers))
        ended: Status = "aborted"
        try:
            await passed.prepare(self._request)
            async for piece in _pieces(reply):
                out = piece if self._hider is None else self._hider.feed(piece)
                if out:
                    await passed.write(out)
                self._tapping.feed(piece)
            if self._hider is not None and (rest := self._hider.end()):
                await passed.write(rest)
            ended = "ok"
        except _Broken as broken:
            ended = "error"
            logger.warning("the reply of %s broke off (%s)", self._upstream.name, broken)
            # As it would be without us: the agent sees a reply that is not whole.
            if self._request.transport is not None:
                self._request.transport.close()
        except ConnectionError:
            pass  # the agent has gone, as `ended` says
        finally:
            self._tapping.end(ended)
        return passed

    async def _tunnelled(self, reply: aiohttp.ClientResponse) -> web.StreamResponse:
        connection, protocol = reply.connection, self._request.protocol
        near, far = self._request.transport, None if connection is None else connection.transport
        if connection is None or connection.protocol is None or far is None:
            return answers.refusal(_NO_ANSWER)
        passed = _Passed(101, reply.reason, CIMultiDict(switched(_headers_of(reply))))
        await passed.prepare(self._request)
        early = _Early(), _Early()
        # The library gives away here what it has read already, and then the connections.
        protocol.set_parser(early[0])  # type: ignore[arg-type]  # any reader will do
        connection.protocol.set_parser(early[1], early[1])
        if near is None or near.is_closing():
            return passed
        tunnel = Tunnel(near, far, lambda: self._proxy.is_ending)
        try:
            await tunnel.carried(bytes(early[0].held), bytes(early[1].held))
        finally:
            # They are told of ends that they did not see.
            for former in (protocol, connection.protocol):
                asyncio.get_running_loop().call_soon(former.connection_lost, None)
            self._tapping.passed("upgrade", tunnel.bytes)
        return passed

    @property
    def _gone(self) -> bool:
        return self._request.transport is None or self._request.transport.is_closing()


def _counts_here(asked: Asked, profile: Profile) -> bool:
    """Whether nobody else counts these calls: the agent's log does not. Agents that are told so go on over HTTP, which can be read."""
    return profile.captured_from is not None and (profile.agent or agent_of(asked.header("user-agent"))[0]) in LOGS_WITHOUT_ID


_NO_ANSWER = Refused(502, "bad_answer", "the provider's answer is none")


class _Early:
    """Takes what was read of a connection before it became a tunnel's."""

    def __init__(self) -> None:
        self.held = bytearray()

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        self.held += data
        return False, b""

    def feed_eof(self) -> None:
        """The end is the tunnel's to see."""


class _Broken(Exception):
    """The provider's side ended before its reply did."""


async def _pieces(reply: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """The body as it comes, undecoded. Raises _Broken, so that it is not taken for the agent's side breaking off."""
    content = reply.content
    while True:
        try:
            piece = await content.readany()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise _Broken(type(error).__name__) from None
        if not piece:
            return
        for at in range(0, len(piece), _PIECES):
            yield piece[at : at + _PIECES]


def _headers_of(reply: aiohttp.ClientResponse) -> Iterator[tuple[str, str]]:
    for name, value in reply.raw_headers:
        yield name.decode("utf-8", "surrogateescape"), value.decode("utf-8", "surrogateescape")


def _sized(headers: list[tuple[str, str]], length: int) -> list[tuple[str, str]]:
    return [(name, str(length)) if name.lower() == "content-length" else (name, value) for name, value in headers]


class _Model(msgspec.Struct):
    model: str | None = None


def _model_of(body: bytes) -> str | None:
    try:
        return msgspec.json.decode(body, type=_Model).model
    except (ValueError, RecursionError):
        return None
