"""The proxy's life inside of the daemon: its port, its tap, its end.

Decides that a proxy which cannot listen is no reason for the daemon not to run, and how long calls under way are waited for at the end.
"""

import asyncio
import logging
import os
import socket
import sys
import time

from aiohttp import web

from cli.paths import Paths
from cli.serve.entrances import Entrances
from cli.serve.limits import Server
from cli.serve.live import Live
from cli.serve.proxy import LIMITS, Proxy
from cli.serve.state import HOST, Capturing
from ingest.tap import Tap
from pipeline.errors import RingletError
from pipeline.log import Log

logger = logging.getLogger("ringlet.proxy")

DRAIN_S = 30.0
"""How long calls under way are waited for at the end."""
SWITCH_S = 0.0005
"""So long a thread that counts may keep the interpreter while a piece waits to be sent on; an agent would feel Python's 5 ms."""
_BACKLOG = 512
_LOOK_S = 0.05


class Capture:
    """The proxy of one daemon; `start` once, `drained`, then `stop` once. Made inside the event loop."""

    def __init__(self, paths: Paths, live: Live, daemon_port: int) -> None:
        self.port: int | None = None
        self._error: str | None = None
        self._paths = paths
        self._daemon_port = daemon_port
        self._tap = Tap(lambda: Log.open(paths.data), on_commit=live.captured, on_quiet=live.settled, seal=live.seal)
        self._proxy: Proxy | None = None
        self._runner: web.ServerRunner | None = None
        self._site: web.SockSite | None = None

    @property
    def at_work(self) -> int:
        """Calls under way."""
        return 0 if self._proxy is None else self._proxy.at_work

    @property
    def asked_at(self) -> float:
        """When a call came or went last (`time.monotonic`)."""
        return 0.0 if self._proxy is None else self._proxy.asked_at

    def condition(self) -> Capturing:
        """How it is."""
        tally = self._tap.tally
        return Capturing(
            port=self.port,
            error=self._error,
            streams=self.at_work,
            captured=tally.captured,
            dropped=tally.dropped,
            uncaptured=tally.uncaptured,
            without_usage=tally.without_usage,
        )

    async def start(self, port: int) -> None:
        """Listen. Where that cannot be, the daemon says so and runs without: agents then reach nobody here and are told so at once."""
        try:
            bound = socket.create_server((HOST, port), backlog=_BACKLOG)
        except OSError as error:
            self._refuse(f"port {port}: {os.strerror(error.errno) if error.errno else error}")
            return
        self.port = bound.getsockname()[1]
        try:
            entrances = Entrances(self._paths)
        except RingletError as error:
            bound.close()
            self.port = None
            self._refuse(str(error))
            return
        own = {self.port, self._daemon_port}
        self._proxy = Proxy(entrances, self._tap, self.port, lambda: own)
        sys.setswitchinterval(SWITCH_S)
        self._tap.start()
        self._runner = web.ServerRunner(Server(self._proxy, LIMITS), handle_signals=False, shutdown_timeout=1.0)
        await self._runner.setup()
        self._site = web.SockSite(self._runner, bound)
        await self._site.start()
        logger.info("calls are captured at http://%s:%d", HOST, self.port)

    async def drained(self) -> None:
        """No new connections; returns when no call is under way, or after a while."""
        if self._site is not None:
            await self._site.stop()
        if self._proxy is not None:
            self._proxy.is_ending = True
        end = time.monotonic() + DRAIN_S
        while self.at_work and time.monotonic() < end:
            await asyncio.sleep(_LOOK_S)

    async def stop(self) -> None:
        """Everything that passed is in the log, as far as that can be."""
        if self._runner is not None:
            await self._runner.cleanup()
        if self._proxy is not None:
            await self._proxy.close()
        await asyncio.to_thread(self._tap.stop)

    def _refuse(self, why: str) -> None:
        self._error = why
        logger.warning("calls are not captured: %s", why)
