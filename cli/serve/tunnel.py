"""A call that has become a WebSocket: bytes carried both ways, unread, until both sides are done.

Decides how an end of either side reaches the other, how much may lie in between, and how long neither may speak. The handshake has been
made when a tunnel begins, and is the proxy's business.
"""

import asyncio
from collections.abc import Callable

from aiohttp import web
from aiohttp.client_proto import ResponseHandler

SILENCE_S = 900.0
"""So long neither side may say anything."""
QUIET_S = 2.0
"""The same once the proxy is to end: what is in the middle of something may finish."""
LINGER_S = 10.0
"""So long the one side may take what the other, which has gone, had said."""
HELD_BYTES = 64 << 10
"""So much may wait for a side that does not take it before the other is no longer read."""
HALF_S = 1.0
"""So long is listened to a side that cannot be told that the other will say no more: TLS knows no half of an end."""
_LOOK_S = 0.5


def taken_over(near: web.RequestHandler, far: ResponseHandler) -> tuple[bytes, bytes]:
    """What the library had read of either connection already; from here on it reads nothing of them."""
    early = _Early(), _Early()
    near.set_parser(early[0])  # type: ignore[arg-type]  # any reader will do
    far.set_parser(early[1], early[1])
    return bytes(early[0].held), bytes(early[1].held)


class Tunnel:
    """Two connections whose bytes are each other's; `carried` once."""

    def __init__(self, near: asyncio.Transport, far: asyncio.Transport, is_ending: Callable[[], bool]) -> None:
        """`near` is the agent's, `far` the provider's: from here on they belong to the tunnel."""
        self.bytes = 0
        """Carried from the provider to the agent."""
        self._loop = asyncio.get_running_loop()
        self._is_ending = is_ending
        self._stirred_at = self._loop.time()
        self._ends_at = float("inf")
        self._over: asyncio.Future[None] = self._loop.create_future()
        self._near, self._far = _End(self, near), _End(self, far)
        self._near.other, self._far.other = self._far, self._near
        for end in (self._near, self._far):
            end.transport.set_protocol(end)
            end.transport.set_write_buffer_limits(high=HELD_BYTES)

    async def carried(self, early_near: bytes, early_far: bytes) -> None:
        """Returns when both connections have ended; `early_…` is what a side had said before the tunnel began."""
        try:
            for end in (self._near, self._far):
                # What was read before may have halted it.
                end.transport.resume_reading()
            for end, early in ((self._near, early_near), (self._far, early_far)):
                if early:
                    end.data_received(early)
            while not self._over.done():
                now = self._loop.time()
                quiet_s = QUIET_S if self._is_ending() else SILENCE_S
                left_s = min(self._stirred_at + quiet_s, self._ends_at) - now
                if left_s <= 0:
                    return
                await asyncio.wait((self._over,), timeout=min(left_s, _LOOK_S))
        finally:
            self._near.transport.abort()
            self._far.transport.abort()

    def stirred(self) -> None:
        """A side has spoken."""
        self._stirred_at = self._loop.time()

    def ends_within(self, seconds: float) -> None:
        """Whatever a side still says counts for so long."""
        self._ends_at = min(self._ends_at, self._loop.time() + seconds)

    def lost(self) -> None:
        """A connection has ended."""
        self.ends_within(LINGER_S)
        if self._near.is_lost and self._far.is_lost and not self._over.done():
            self._over.set_result(None)

    def carries(self, end: "_End", count: int) -> None:
        """So many bytes came from a side."""
        self.stirred()
        if end is self._far:
            self.bytes += count


class _End(asyncio.Protocol):
    """One of the two connections."""

    other: "_End"

    def __init__(self, tunnel: Tunnel, transport: asyncio.Transport) -> None:
        self.transport = transport
        self.is_lost = False
        self._tunnel = tunnel
        self._has_ended = False

    def data_received(self, data: bytes) -> None:
        self._tunnel.carries(self, len(data))
        if not self.other.transport.is_closing():
            self.other.transport.write(data)

    def eof_received(self) -> bool:
        """This side will say no more, and may still listen: where a connection can be closed in halves, the other is too."""
        self._has_ended = True
        self._tunnel.stirred()
        other = self.other
        if other.is_lost or other._has_ended:
            other.transport.close()
            return False
        if other.transport.can_write_eof():
            other.transport.write_eof()
        else:
            self._tunnel.ends_within(HALF_S)
        return self.transport.get_extra_info("ssl_object") is None

    def pause_writing(self) -> None:
        self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        self._tunnel.stirred()
        self.other.transport.resume_reading()

    def connection_lost(self, _exc: Exception | None) -> None:
        self.is_lost = True
        self.other.transport.close()
        self._tunnel.lost()


class _Early:
    """Takes what was read of a connection before it became a tunnel's."""

    def __init__(self) -> None:
        self.held = bytearray()

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        self.held += data
        return False, b""

    def feed_eof(self) -> None:
        """The end is the tunnel's to see."""
