"""A reply's way back: from the provider's connection to the agent's, as it came.

Decides what of a reply reaches the agent, its head unchanged and its body undecoded, and how long a provider may be silent in the middle of
one. What becomes of a reply that breaks off is decided by whoever carries it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import aiohttp
from aiohttp import web
from aiohttp.client_proto import ResponseHandler
from multidict import CIMultiDict

SILENCE_S = 900.0
"""So long a provider may say nothing."""
_OURS = ("Transfer-Encoding", "Connection")
"""What is said of the agent's connection, by the library."""


class Passed(web.StreamResponse):
    """A reply as it came: each header to its last byte, none added that the provider did not send, and none left out.

    `prepare` sends nothing: the head goes with the first that is sent.
    """

    def __init__(self, status: int, reason: str | None, headers: Sequence[tuple[str, str]]) -> None:
        """`headers` as `headers_of` gives them, without those of the provider's connection."""
        super().__init__(status=status, reason=reason or "", headers=CIMultiDict(headers))
        self._came = headers
        self._head = b""
        """What is still to be sent of it."""
        self._in_chunks = False

    def send(self, piece: bytes) -> bool:
        """Write a piece; whether the agent takes more at once. Raises ConnectionError where it has gone."""
        request, writer = self._req, self._payload_writer
        assert request is not None
        assert writer is not None
        if request.transport is None or request.transport.is_closing():
            raise ConnectionResetError
        if piece and self._in_chunks:
            piece = b"%x\r\n%b\r\n" % (len(piece), piece)
        if self._head:
            piece, self._head = self._head + piece, b""
        request.transport.write(piece)
        writer.output_size += len(piece)
        return not request.protocol.writing_paused

    async def _write_headers(self) -> None:
        # The library would write text: it leaves out what is not UTF-8, and fails at signs that have no business there.
        request = self._req
        assert request is not None
        told = list(self._came)
        known = {name.lower() for name, _ in told}
        told += [(name, self.headers[name]) for name in _OURS if name in self.headers and name.lower() not in known]
        lines = [
            f"HTTP/{request.version.major}.{request.version.minor} {self.status} {self.reason}",
            *(f"{name}: {value}" for name, value in told),
        ]
        self._head = ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape")
        self._in_chunks = "Transfer-Encoding" in self.headers


class Broken(Exception):
    """The provider's side ended before its reply did."""


class Body:
    """A reply's body, handed on as it comes and undecoded; `close` when it is done with.

    A piece is handed on by whoever reads it from the connection: to wake a task for it would cost as much again. One timer watches over all
    of them: the library's own is made anew for each.
    """

    def __init__(self, reply: aiohttp.ClientResponse) -> None:
        self._reply = reply
        self._loop = asyncio.get_running_loop()
        self._onward: Callable[[bytes], bool] | None = None
        self._halted: asyncio.Future[None] | None = None
        """While pieces are handed on without the task; done when it is needed again."""
        self._heard_at = self._loop.time()
        self._ear: _Ear | None = None
        library = None if reply.connection is None else reply.connection.protocol
        if library is not None and library.transport is not None:
            library.read_timeout = None
            self._ear = _Ear(library, library.transport, self._heard)
            # From the moment that a reply has ended its connection is another's.
            reply.content.on_eof(self._ear.leave)
        self._timer = self._loop.call_later(SILENCE_S, self._look)

    def early(self) -> bytes:
        """What has come by now; empty where that is nothing."""
        return b"" if self._reply.content.exception() is not None else self._reply.content.read_nowait()

    async def carried(self, onward: Callable[[bytes], bool], drained: Callable[[], Awaitable[None]]) -> bytes:
        """Hand all pieces but the last to `onward`, and give that one back.

        `onward` tells whether more may follow at once; if not, nothing is read until `drained` returns. What either raises is raised here,
        and Broken: the agent's side may break off too, in other words.
        """
        self._onward = onward
        while not self._reply.content.is_eof():
            if self._handed_on():
                self._heard_at = self._loop.time()
                self._halted = self._loop.create_future()
                try:
                    await self._halted
                finally:
                    self._halted = None
            await drained()
        return self._piece()

    def close(self) -> None:
        """Watch no longer."""
        self._timer.cancel()
        if self._ear is not None:
            self._ear.leave()

    def _heard(self) -> None:
        """Something has come, or the connection has ended."""
        if self._halted is None or self._halted.done():
            return
        self._heard_at = self._loop.time()
        try:
            if self._reply.content.is_eof() or not self._handed_on():
                self._halted.set_result(None)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the task's that waits
            self._halted.set_exception(error)

    def _handed_on(self) -> bool:
        """Hand on what has come; whether the agent takes more."""
        onward = self._onward
        assert onward is not None
        while piece := self._piece():
            if not onward(piece):
                return False
        if self._ear is not None and self._ear.has_ended and not self._reply.content.is_eof():
            # Of a reply that is no HTTP any more the library tells nobody who waits for the rest of it.
            raise Broken("no HTTP")
        return True

    def _piece(self) -> bytes:
        try:
            return self._reply.content.read_nowait()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise Broken(type(error).__name__) from None

    def _look(self) -> None:
        # While the agent does not take what has come, the provider has no chance to speak.
        silent_s = 0.0 if self._halted is None else self._loop.time() - self._heard_at
        if silent_s < SILENCE_S:
            self._timer = self._loop.call_later(SILENCE_S - silent_s, self._look)
        else:
            self._reply.close()
            self._heard()


class _Ear(asyncio.Protocol):
    """Stands before the library at a connection until `leave`, and tells when the library has read something of it."""

    def __init__(self, library: ResponseHandler, transport: asyncio.Transport, heard: Callable[[], None]) -> None:
        self._transport = transport
        self._library = library
        self._heard = heard
        self.has_ended = False
        """Whether the connection has."""
        self._transport.set_protocol(self)

    def leave(self) -> None:
        # One that is closing is nobody else's any more, and one of TLS then cannot always tell whose it is.
        if not self._transport.is_closing() and self._transport.get_protocol() is self:
            self._transport.set_protocol(self._library)

    def data_received(self, data: bytes) -> None:
        self._library.data_received(data)
        self._heard()

    def eof_received(self) -> None:
        self._library.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._library.connection_lost(exc)
        self.has_ended = True
        self._heard()

    def pause_writing(self) -> None:
        self._library.pause_writing()

    def resume_writing(self) -> None:
        self._library.resume_writing()


def headers_of(reply: aiohttp.ClientResponse) -> list[tuple[str, str]]:
    """The headers of a reply as they came, in order. Bytes that are no text are kept as lone surrogates."""
    return [(name.decode("utf-8", "surrogateescape"), value.decode("utf-8", "surrogateescape")) for name, value in reply.raw_headers]
