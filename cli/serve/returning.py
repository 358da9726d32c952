"""A reply's way back: from the provider's connection to the agent's, as it came.

Decides what of a reply reaches the agent, its head unchanged and its body undecoded, and how long a provider may be silent in the middle of
one. What becomes of a reply that breaks off is decided by whoever carries it.
"""

import asyncio
import time
from collections.abc import Sequence

import aiohttp
from aiohttp import web
from multidict import CIMultiDict

SILENCE_S = 900.0
"""So long a provider may say nothing."""
_OURS = ("Transfer-Encoding", "Connection")
"""What is said of the agent's connection, by the library."""


class Passed(web.StreamResponse):
    """A reply as it came: each header to its last byte, none added that the provider did not send, and none left out."""

    def __init__(self, status: int, reason: str | None, headers: Sequence[tuple[str, str]]) -> None:
        """`headers` as `headers_of` gives them, without those of the provider's connection."""
        super().__init__(status=status, reason=reason or "", headers=CIMultiDict(headers))
        self._came = headers

    async def _write_headers(self) -> None:
        # The library would write text: it leaves out what is not UTF-8, and fails at signs that have no business there.
        request, writer = self._req, self._payload_writer
        assert request is not None
        assert writer is not None
        told = list(self._came)
        known = {name.lower() for name, _ in told}
        told += [(name, self.headers[name]) for name in _OURS if name in self.headers and name.lower() not in known]
        lines = [
            f"HTTP/{request.version.major}.{request.version.minor} {self.status} {self.reason}",
            *(f"{name}: {value}" for name, value in told),
        ]
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape")
        if request.transport is None or request.transport.is_closing():
            raise ConnectionResetError
        request.transport.write(head)
        writer.output_size += len(head)


class Broken(Exception):
    """The provider's side ended before its reply did."""


class Body:
    """A reply's body, as it comes and undecoded; `close` when it is done with.

    One timer watches over all of its pieces: the library's own is made anew for each, which is a tenth of what it costs to carry one.
    """

    def __init__(self, reply: aiohttp.ClientResponse) -> None:
        self._reply = reply
        self._waits_since: float | None = None
        if reply.connection is not None and reply.connection.protocol is not None:
            reply.connection.protocol.read_timeout = None
        self._timer = asyncio.get_running_loop().call_later(SILENCE_S, self._look)

    async def piece(self) -> bytes:
        """What has come by now, or comes next; empty at the end. Raises Broken: the agent's side may break off too, in other words."""
        self._waits_since = time.monotonic()
        try:
            return await self._reply.content.readany()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise Broken(type(error).__name__) from None
        finally:
            self._waits_since = None

    def close(self) -> None:
        """Watch no longer."""
        self._timer.cancel()

    def _look(self) -> None:
        # While the agent does not take what has come, the provider has no chance to speak.
        waited_s = 0.0 if self._waits_since is None else time.monotonic() - self._waits_since
        if waited_s < SILENCE_S:
            self._timer = asyncio.get_running_loop().call_later(SILENCE_S - waited_s, self._look)
        else:
            self._reply.close()


def headers_of(reply: aiohttp.ClientResponse) -> list[tuple[str, str]]:
    """The headers of a reply as they came, in order. Bytes that are no text are kept as lone surrogates."""
    return [(name.decode("utf-8", "surrogateescape"), value.decode("utf-8", "surrogateescape")) for name, value in reply.raw_headers]
