"""A reply's way back: from the provider's connection to the agent's, as it came.

Decides what of a reply reaches the agent, its head unchanged and its body undecoded, and how long a provider may be silent in the middle of
one. What becomes of a reply that breaks off is decided by whoever carries it.
"""

import asyncio
from collections.abc import Iterator

import aiohttp
from aiohttp import web
from multidict import CIMultiDict

SILENCE_S = 900.0
"""So long a provider may say nothing."""


class Passed(web.StreamResponse):
    """A reply as it came: no header is added that the provider did not send."""

    def __init__(self, status: int, reason: str | None, headers: CIMultiDict[str]) -> None:
        super().__init__(status=status, reason=reason or "", headers=headers)
        self._added = [name for name in ("Content-Type", "Date", "Server") if name not in headers]

    async def _prepare_headers(self) -> None:
        await super()._prepare_headers()
        for name in self._added:
            self.headers.popall(name, None)


class Broken(Exception):
    """The provider's side ended before its reply did."""


class Body:
    """A reply's body, as it comes and undecoded; `close` when it is done with.

    One timer watches over all of its pieces: the library's own is made anew for each, which is a tenth of what it costs to carry one.
    """

    def __init__(self, reply: aiohttp.ClientResponse) -> None:
        self._loop = asyncio.get_running_loop()
        self._reply = reply
        self._waits_since: float | None = None
        if reply.connection is not None and reply.connection.protocol is not None:
            reply.connection.protocol.read_timeout = None
        self._timer = self._loop.call_later(SILENCE_S, self._look)

    async def piece(self) -> bytes:
        """What has come by now, or comes next; empty at the end. Raises Broken: the agent's side may break off too, in other words."""
        self._waits_since = self._loop.time()
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
        heard_at = self._loop.time() if self._waits_since is None else self._waits_since
        left_s = heard_at + SILENCE_S - self._loop.time()
        if left_s > 0:
            self._timer = self._loop.call_later(left_s, self._look)
        else:
            self._reply.close()


def headers_of(reply: aiohttp.ClientResponse) -> Iterator[tuple[str, str]]:
    """The headers of a reply as they came, in order."""
    for name, value in reply.raw_headers:
        yield name.decode("utf-8", "surrogateescape"), value.decode("utf-8", "surrogateescape")
