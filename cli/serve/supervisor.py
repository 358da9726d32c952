"""The daemon's life: from the lock to the last seal.

Decides the order of its beginning and its end, when it ends by itself and with which exit code. What it does meanwhile is `live`'s and
`http`'s business.

First the lock, so that one data home has one watcher; then the port, so that a mistake is told at once; then `daemon.json`, so that others
find it. It ends in the other direction: no new requests, a moment for those at work, the batch at hand, a seal, and the lock last.
"""

import asyncio
import errno
import faulthandler
import logging
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import msgspec

from cli import carried, config, itself
from cli.outcomes import DONE, FAILED, INTERRUPTED, TERMINATED
from cli.paths import Paths
from cli.serve import child, frugal, state
from cli.serve.live import Live
from cli.serve.logfile import begin, end
from cli.serve.state import Condition, Options, Running
from pipeline import durable
from pipeline.errors import Held, RingletError

if TYPE_CHECKING:
    from cli.serve.capturing import Capture

logger = logging.getLogger("ringlet.daemon")

GRACE_S = 5.0
"""How long requests at work are waited for at the end."""
REST_S = 60.0
"""When nobody has asked for so long, what only makes the next answers faster is let go."""
LOOK_S = 10.0
"""How often is looked whether anybody still needs the daemon, and whether its data home is still there."""
BACKLOG = 128
_TAKEN = (errno.EADDRINUSE,)
_FORBIDDEN = (errno.EACCES, errno.EPERM)
_CODES = {signal.SIGINT: INTERRUPTED, signal.SIGTERM: TERMINATED}
if sys.platform != "win32":
    _CODES[signal.SIGHUP] = TERMINATED


def run(paths: Paths, environ: Mapping[str, str], options: Options, on_ready: Callable[[Running], None]) -> int:
    """Be the daemon of this data home until asked to end, or until nobody has needed it for a while; returns the exit code.

    `on_ready` is called, in a thread of its own, once it answers; its failure ends nothing. Raises Held where another process watches or
    has the port, RingletError where the address is not to be had.
    """
    environ = dict(environ)
    frugal.begin()
    from cli.serve import http  # 300 ms that only the daemon itself pays

    http.refuse(options)
    durable.prepare_home(paths.data, create=True)
    idle_end_s = None if options.stay_alive else float(config.load(paths.config).daemon.idle_s)
    with state.lock(paths.data), _bound(options) as bound:
        handlers = begin(os.path.join(paths.data, state.LOG))
        # A crash leaves a traceback in the log and no picture of memory, in which there are tokens.
        faulthandler.enable()
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        try:
            host, port = bound.getsockname()[:2]
            running = Running(pid=os.getpid(), host=host, port=port, started_at=time.time(), version=itself.version() or "unknown")
            return asyncio.run(_Daemon(paths, environ, options, running, idle_end_s).serve(bound, on_ready))
        except Exception:
            logger.exception("the daemon failed")
            raise
        finally:
            if state.holder(paths.data) == os.getpid():
                state.remove(paths.data)
            end(handlers)


def _bound(options: Options) -> socket.socket:
    """A listening socket."""
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    try:
        return socket.create_server((options.host, options.port), family=family, backlog=BACKLOG)
    except OSError as error:
        where = f"{options.host}:{options.port}"
        if error.errno in _TAKEN:
            raise Held("another program has this port", where=where, mend="choose another: ringlet daemon start --port N") from None
        if error.errno in _FORBIDDEN:
            raise RingletError("this port is not open to you", where=where, mend="choose one above 1023: --port N") from None
        why = os.strerror(error.errno) if error.errno and error.errno > 0 else "no such address"
        raise RingletError(f"cannot listen there ({why})", where=where, mend="choose another --host") from None


class _Daemon:
    """One daemon at work."""

    def __init__(self, paths: Paths, environ: Mapping[str, str], options: Options, running: Running, idle_end_s: float | None) -> None:
        from cli.serve.access import Access
        from cli.serve.push import Push
        from cli.serve.service import Service

        self._paths = paths
        self._environ = environ
        self._options = options
        self._running = running
        self._idle_end_s = idle_end_s
        self._code: int | None = None
        self._needed_at = time.monotonic()
        self._push = Push()
        self._access = Access(paths)
        self._service = Service(paths, environ)
        self._service.condition = self.condition
        self._service.on_import = lambda progress: self._push.publish("import", progress)
        self._service.make_views = self._make_views
        self._live = Live(paths, environ, self._service, self._push)
        self._capture: Capture | None = None

    async def serve(self, bound: socket.socket, on_ready: Callable[[Running], None]) -> int:
        """Answer and watch until the end."""
        from aiohttp import web

        from cli.serve import http

        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        self._heed_signals()
        options = msgspec.structs.replace(self._options, host=self._running.host, port=self._running.port)
        self._server = http.application(self._service, self._access, self._push, options)
        runner = web.ServerRunner(self._server, handle_signals=False, shutdown_timeout=GRACE_S)
        await runner.setup()
        try:
            site = web.SockSite(runner, bound)
            await site.start()
            self._capture = await self._capturing()
            state.write(self._paths.data, self._running)
            logger.info("ringlet %s answers at %s (pid %d)", self._running.version, self._running.url, self._running.pid)
            self._live.start()
            await asyncio.to_thread(self._greet, on_ready)
            await self._until_the_end()
            logger.info("ending")
            await site.stop()
            if self._capture is not None:
                await self._capture.drained()
            self._push.close()
            self._live.ask_to_stop()
            self._service.stopping.set()
        finally:
            await runner.cleanup()
            if self._capture is not None:
                await self._capture.stop()
            await asyncio.to_thread(self._live.stop)
            self._service.close()
        logger.info("ended; everything is sealed")
        return self._code or DONE

    async def _capturing(self) -> "Capture | None":
        """The proxy, where the configuration asks for one."""
        wanted = config.load(self._paths.config).capture
        if not wanted.enabled:
            return None
        from cli.serve.capturing import Capture

        capture = Capture(self._paths, self._live, self._running.port)
        await capture.start(wanted.port)
        self._running = msgspec.structs.replace(self._running, capture_port=capture.port)
        return capture

    def _make_views(self) -> None:
        code, said = child.run(("seal",), self._environ, self._service.stopping)
        if code:
            logger.warning("ringlet seal ended with %d: %s", code, said.strip()[-500:])

    def _greet(self, on_ready: Callable[[Running], None]) -> None:
        try:
            on_ready(self._running)
        except (OSError, RingletError) as error:
            # Nobody is there to read it: that is no reason not to watch.
            logger.warning("nobody could be told where the daemon answers: %s", error)

    def condition(self) -> Condition:
        """How the daemon is now."""
        live, running = self._live, self._running
        left_s = self._left_s()
        now = time.time()
        return Condition(
            pid=running.pid,
            port=running.port,
            version=running.version,
            started_at=running.started_at,
            uptime_s=now - running.started_at,
            watcher=live.watching,
            importing=live.importing,
            unreadable=live.unreadable,
            events_seen=live.events_seen,
            last_event_at=live.last_event_at,
            restarts=live.restarts,
            last_error=live.last_error,
            listening=self._push.listening,
            ends_at=None if left_s is None else now + left_s,
            capture=None if self._capture is None else self._capture.condition(),
        )

    def _left_s(self) -> float | None:
        """Seconds until the daemon ends by itself if nothing more happens; None: it stays."""
        if self._idle_end_s is None:
            return None
        if self._live.alerts:
            # Whoever asked to be told does not ask again.
            self._needed_at = time.monotonic()
            return None
        capture = self._capture
        carries = capture is not None and (capture.at_work or carried.held(self._paths))
        if self._push.listening or self._live.watching == "starting" or carries:
            self._needed_at = time.monotonic()
        called_at = 0.0 if capture is None else capture.asked_at
        return max(self._needed_at, self._server.asked_at, called_at, self._live.stirred_at) + self._idle_end_s - time.monotonic()

    async def _until_the_end(self) -> None:
        rested_at = 0.0
        while not self._ended.is_set():
            asked_at = self._server.asked_at
            if rested_at < asked_at < time.monotonic() - REST_S:
                rested_at = asked_at
                await asyncio.to_thread(self._service.rest)
            if state.holder(self._paths.data) != os.getpid():
                # Whoever removed the folder has no other way to say so, and no command finds this daemon any more.
                logger.error("the data home was removed or replaced: %s", self._paths.data)
                self._code = FAILED
                return
            left_s = self._left_s()
            if left_s is not None and left_s <= 0:
                logger.info("nobody has asked and no agent has written for %.0f s", self._idle_end_s)
                return
            try:
                # An open page is noticed only by looking.
                await asyncio.wait_for(self._ended.wait(), LOOK_S if left_s is None else min(left_s, LOOK_S))
            except TimeoutError:
                continue

    def _heed_signals(self) -> None:
        for number, code in _CODES.items():
            if signal.getsignal(number) != signal.SIG_IGN:
                self._loop.add_signal_handler(number, self._end, code)

    def _end(self, code: int) -> None:
        if self._code is None:
            self._code = code
            self._ended.set()
            return
        # Asked twice: whoever asks will not wait, and everything that is committed is safe.
        os._exit(code)
