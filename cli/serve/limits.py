"""How much and how long: the server's connections, each with its bounds.

Decides sizes, times and numbers, and what happens at each bound. What a request says is `doors`' business. The library's server is used
below its router: a router that unquotes and normalises paths is one more reader to disagree with.
"""

import asyncio
import logging
from typing import Protocol

import msgspec
from aiohttp import http_exceptions, web

from cli.serve import answers, doors
from cli.serve.doors import Refused

logger = logging.getLogger("ringlet.http")


class Answering(Protocol):
    """What answers the requests."""

    asked_at: float

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """What a request is answered with."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The bounds of one server; seconds, bytes and numbers."""

    head_s: float = 10.0
    """From a request's first byte to the end of its headers."""
    body_s: float = 10.0
    """From there to the end of its body."""
    idle_s: float = 30.0
    """Between two requests."""
    write_s: float = 30.0
    """For a client to take an answer, or one piece of a stream."""
    wait_s: float = 5.0
    """For a request's turn while others are at work."""
    connections: int = 256
    at_work: int = 64
    head_bytes: int = doors.HEAD_BYTES
    """Of the headers while they come; whether they are too many in the end is for whoever reads them."""
    line_bytes: int = 8190
    headers: int = 64


class Server(web.Server):
    """The server: hands every request to one function."""

    def __init__(self, site: Answering, limits: Limits) -> None:
        # Whoever has gone needs no answer: its work is cancelled.
        super().__init__(site.answer, handler_cancellation=True)
        self.limits = limits
        self._site = site

    @property
    def asked_at(self) -> float:
        """When somebody was let in last (`time.monotonic`): the daemon stays while it is asked."""
        return self._site.asked_at

    def __call__(self) -> web.RequestHandler:
        return _Connection(self, self.limits, self._loop)

    def make_room(self, newest: "_Connection") -> None:
        """One connection more than there may be costs the oldest that only waits for a request, else the newest."""
        if len(self.connections) <= self.limits.connections:
            return
        idle = (other for other in self.connections if isinstance(other, _Connection) and other.waits and other is not newest)
        next(idle, newest).force_close()


class _Connection(web.RequestHandler):
    """One connection. What it adds to the library's: the time and size of a head, the time of an answer, and refusals in our own form."""

    __slots__ = ("_head_bytes", "_head_timer", "_limits")

    def __init__(self, server: Server, limits: Limits, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(
            server,
            loop=loop,
            keepalive_timeout=limits.idle_s,
            access_log=None,  # type: ignore[arg-type]  # "none" is documented, but not typed
            logger=logger,
            max_line_size=limits.line_bytes,
            max_field_size=limits.line_bytes,
            max_headers=limits.headers,
            lingering_time=1.0,
            auto_decompress=False,  # a small body stays small
        )
        self._limits = limits
        self._head_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None

    @property
    def waits(self) -> bool:
        """Whether it has neither a request at work nor one in full."""
        # Without a waiter it is at work, or so new that it has not begun to wait.
        return self._request_count == 0 if self._waiter is None else not self._waiter.done()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if isinstance(self._manager, Server):
            self._manager.make_room(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._head_done()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        waited = self.waits
        super().data_received(data)
        if not waited or not self.waits:
            self._head_done()
            return
        self._head_bytes += len(data)
        if self._head_bytes > self._limits.head_bytes:
            self._cut(431, "head_too_large", "the headers are too large")
        elif self._head_timer is None:
            self._head_timer = self._loop.call_later(self._limits.head_s, self._late)

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        try:
            async with asyncio.timeout(self._limits.write_s):
                return await super().finish_response(request, resp, start_time)
        except TimeoutError:
            if self.transport is not None:
                self.transport.abort()
            raise ConnectionError from None

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - it quotes what came, so it is neither shown nor logged
    ) -> web.StreamResponse:
        """The answer to what the parser could not read."""
        if request.writer.output_size > 0:
            raise ConnectionError
        if isinstance(exc, http_exceptions.LineTooLong):
            return answers.refusal(Refused(431, "head_too_large", "a line of the head is too long"))
        if status >= 500:
            logger.error("an answer failed: %s", type(exc).__name__)
        return answers.refusal(Refused(status, "bad_request" if status < 500 else "failed", "this is no request"))

    def log_exception(self, *_args: object, **kw: object) -> None:
        error = kw.get("exc_info")
        logger.error("a connection failed: %s", type(error).__name__)

    def _head_done(self) -> None:
        self._head_bytes = 0
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _late(self) -> None:
        self._head_timer = None
        if self.waits:
            self._cut(408, "too_slow", "the headers took too long")

    def _cut(self, status: int, code: str, message: str) -> None:
        """Answer without a request, and end the connection."""
        if self.transport is not None:
            response = answers.refusal(Refused(status, code, message))
            body = response.body if isinstance(response.body, bytes) else b""
            head = [f"HTTP/1.1 {status} {response.reason}", f"Content-Length: {len(body)}", "Connection: close"]
            head += [f"{name}: {value}" for name, value in response.headers.items() if name != "Content-Length"]
            self.transport.write("\r\n".join(head).encode() + b"\r\n\r\n" + body)
        self.force_close()
