"""One call on its way to a provider and back.

Decides the order of things: a piece goes to the agent first and to the tap after, and no fault of the tap's is a fault of the call. Which
calls there are is decided in `proxy`, what of a reply reaches the agent in `returning`, what the tap is told in `tapping`.

Nothing of a request but its path, its agent's name and its session is looked at, unless it is a chat whose usage must be asked for. Keys
pass through; they are neither kept nor logged.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import msgspec
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from cli.serve import answers, outgoing, usage_asked
from cli.serve.doors import Refused
from cli.serve.entrances import Upstream
from cli.serve.passage import Asked, lowered, onward, readable, switched
from cli.serve.returning import Body, Broken, Passed, headers_of
from cli.serve.tapping import Tapping
from cli.serve.tunnel import Tunnel, taken_over
from ingest.tap import Tap
from ingest.wire.recognise import Kind, kind_of
from pipeline.events import Status
from pipeline.profiles import Profile

logger = logging.getLogger("ringlet.proxy")

_UNWANTED = (400, 422)
_REMEMBERED = 1 << 20
"""So much of a request's body is kept until its reply begins."""
_NO_ANSWER = Refused(502, "bad_answer", "the provider's answer is none")


class Shared:
    """What all calls of one proxy go by."""

    def __init__(self, session: aiohttp.ClientSession, detour: outgoing.Detour, tap: Tap, is_ending: Callable[[], bool]) -> None:
        self.session = session
        self.detour = detour
        self.tap = tap
        self.is_ending = is_ending
        self.silent: set[str] = set()
        """Upstreams that refuse to be asked for usage."""


class Call:
    """One request on its way there and back; `carried` once."""

    def __init__(self, shared: Shared, request: web.BaseRequest, asked: Asked, profile: Profile, upstream: Upstream) -> None:
        self._shared = shared
        self._request = request
        self._asked = asked
        self._upstream = upstream
        self._kind = kind_of(request.method, asked.path)
        self._tapping = Tapping(shared.tap, asked, self._kind, profile, upstream)
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
        body: Any = None
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
                self._shared.silent.add(self._upstream.name)
            body, headers = whole, _sized(headers, len(whole))
        elif asked.length and request.content.is_eof():
            # All of it came with its head, and goes on with it.
            body = request.content.read_nowait()
        elif asked.has_body:
            body = self._body()
        if self._kind not in (Kind.NOT_COUNTED, Kind.UNKNOWN):
            headers = readable(headers, plain=False)
        return await self._exchange(headers, body)

    async def _exchange(self, headers: list[tuple[str, str]], body: Any) -> aiohttp.ClientResponse:
        """The beginning of a reply. A connection that was kept and turns out to have ended is our doing: then it is asked over another."""
        while True:
            attempt = outgoing.Attempt()
            try:
                return await self._attempted(headers, body)
            except outgoing.WENT:
                if not attempt.reused:
                    raise
                if not isinstance(body, bytes | None):
                    if self._begun is None:
                        raise
                    body = self._body()

    async def _attempted(self, headers: list[tuple[str, str]], body: Any) -> aiohttp.ClientResponse:
        asked = self._asked
        return await self._shared.session.request(
            self._request.method,
            URL(f"{self._upstream.base}{asked.path}{asked.query}", encoded=True),
            headers=CIMultiDict(headers),
            data=body,
            proxy=self._shared.detour.to(self._upstream),
            allow_redirects=False,
        )

    def _may_ask(self) -> bool:
        asked = self._asked
        return (
            self._kind is Kind.CHAT
            and self._upstream.name not in self._shared.silent
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
        headers = onward(headers_of(reply))
        known = lowered(headers)
        if self._hider is not None and (known.get("content-encoding") or "event-stream" not in known.get("content-type", "")):
            self._hider = None
        if self._hider is not None:
            headers = [(name, value) for name, value in headers if name.lower() != "content-length"]
        passed = Passed(reply.status, reply.reason, headers)
        body = Body(reply)
        ended: Status = "aborted"
        early = b""
        try:
            # What the provider has sent is counted, be the agent still there or not.
            try:
                await passed.prepare(self._request)
                early = body.early()
                passed.send(self._shown(early))
            finally:
                self._tapping.begin(reply.status, known)
                self._tapping.feed(early)

            def hand_on(piece: bytes) -> bool:
                shown = self._shown(piece)
                try:
                    return passed.send(shown) if shown else True
                finally:
                    self._tapping.feed(piece)

            last = await body.carried(hand_on, self._request.writer.drain)
            shown = self._shown(last) + (b"" if self._hider is None else self._hider.end())
            if not shown:
                # The agent has all of it, and may have gone before it is told so.
                ended = "ok"
            try:
                await passed.write_eof(shown)
            finally:
                self._tapping.feed(last)
            ended = "ok"
        except Broken as broken:
            ended = "error"
            logger.warning("the reply of %s broke off (%s)", self._upstream.name, broken)
            # As it would be without us: the agent sees a reply that is not whole.
            if self._request.transport is not None:
                self._request.transport.close()
        except ConnectionError:
            pass  # the agent has gone, as `ended` says
        finally:
            body.close()
            self._tapping.end(ended)
        return passed

    def _shown(self, piece: bytes) -> bytes:
        """What the agent sees of a piece."""
        return piece if self._hider is None else self._hider.feed(piece)

    async def _tunnelled(self, reply: aiohttp.ClientResponse) -> web.StreamResponse:
        connection, protocol = reply.connection, self._request.protocol
        near, far = self._request.transport, None if connection is None else connection.transport
        if connection is None or connection.protocol is None or far is None:
            return answers.refusal(_NO_ANSWER)
        passed = Passed(101, reply.reason, switched(headers_of(reply)))
        await passed.prepare(self._request)
        passed.send(b"")
        early = taken_over(protocol, connection.protocol)
        if near is None or near.is_closing():
            return passed
        tunnel = Tunnel(near, far, self._shared.is_ending)
        try:
            await tunnel.carried(*early)
        finally:
            # They are told of ends that they did not see.
            for former in (protocol, connection.protocol):
                asyncio.get_running_loop().call_soon(former.connection_lost, None)
            self._tapping.passed("upgrade", tunnel.bytes)
        return passed

    @property
    def _gone(self) -> bool:
        return self._request.transport is None or self._request.transport.is_closing()


def _sized(headers: list[tuple[str, str]], length: int) -> list[tuple[str, str]]:
    return [(name, str(length)) if name.lower() == "content-length" else (name, value) for name, value in headers]


class _Model(msgspec.Struct):
    model: str | None = None


def _model_of(body: bytes) -> str | None:
    try:
        return msgspec.json.decode(body, type=_Model).model
    except (ValueError, RecursionError):
        return None
