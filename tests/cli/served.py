"""A daemon's web side that really listens, for tests, and raw requests to it."""

import asyncio
import errno
import os
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from cli.paths import Paths, paths
from cli.serve import doorway, http, tokens
from cli.serve.access import Access
from cli.serve.contract.envelope import Reply
from cli.serve.doors import doors
from cli.serve.doorway import Doorway
from cli.serve.limits import Limits, Server
from cli.serve.push import Push
from cli.serve.route import Route
from cli.serve.service import Service
from cli.serve.site import Site
from cli.serve.state import Condition, Options
from cli.serve.statics import Statics
from pipeline import durable
from pipeline.errors import Damaged, Held, NothingFound, PartlyDone, RingletError, UnknownName
from tests.cli.homes import mixed

CANARY = "sk-ant-api03-canary0canary0canary0"


class Answer(msgspec.Struct, frozen=True):
    """What came back: the head's first line and headers, and the body."""

    status: int
    """0: the connection was closed without an answer."""
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def error(self) -> dict[str, Any]:
        """The error of the envelope."""
        found: dict[str, Any] = msgspec.json.decode(self.body)["error"]
        return found


class Served(msgspec.Struct):
    """A listening server and what is needed to ask it."""

    port: int
    paths: Paths
    access: Access
    push: Push
    loop: asyncio.AbstractEventLoop
    server: Server

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def token(self, role: tokens.Role = "admin") -> str:
        return tokens.token(self.paths, role)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=90)

    def raw(self, content: bytes) -> Answer:
        """The answer to these bytes on a connection of their own."""
        with self.connect() as connection:
            # Refused before all is sent, maybe; the answer lies there all the same.
            with suppress(OSError):
                connection.sendall(content)
            return received(connection, bodiless=content.startswith(b"HEAD "))

    def ask(
        self,
        path: str = "/api/health",
        method: str = "GET",
        headers: Sequence[tuple[str, str]] = (),
        *,
        body: bytes = b"",
        host: str | None = None,
        token: str | None = None,
    ) -> Answer:
        """The answer to an ordinary request; `headers` come after Host, Authorization and Content-Length."""
        return self.raw(request(path, method, headers, body=body, host=host or self.host, token=token))


def request(
    path: str, method: str = "GET", headers: Sequence[tuple[str, str]] = (), *, body: bytes = b"", host: str, token: str | None = None
) -> bytes:
    """The bytes of a request."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}"]
    if token is not None:
        lines.append(f"Authorization: Bearer {token}")
    if body:
        lines.append(f"Content-Length: {len(body)}")
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n" + body


def received(connection: socket.socket, *, bodiless: bool = False) -> Answer:
    """The next answer on a connection; that to HEAD is bodiless, whatever length it tells."""
    content = b""
    try:
        while b"\r\n\r\n" not in content:
            piece = connection.recv(65536)
            if not piece:
                return Answer(0, {}, content)
            content += piece
        head, _, body = content.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        status = int(first.split(" ")[1])
        length = int(headers.get("content-length", "0"))
        while len(body) < length and not bodiless:
            piece = connection.recv(65536)
            if not piece:
                break
            body += piece
        return Answer(status, headers, body)
    except ConnectionResetError:
        return Answer(0, {}, content)


@contextmanager
def serving(home: Path, routes: Sequence[Route], service: Any = None, limits: Limits | None = None) -> Iterator[Served]:
    """A server with these routes on a free port of this machine."""
    where = Paths(str(home), str(home / "config.toml"))
    durable.prepare_home(where.data, create=True)
    bound = socket.create_server(("127.0.0.1", 0), backlog=512)
    port = bound.getsockname()[1]
    access, push = Access(where), Push()

    def made() -> Server:
        way, statics, wanted = Doorway(access, port), Statics(str(home / "cache")), limits or Limits()
        return Server(Site(service, push, doors("127.0.0.1", port), way, statics, wanted, routes, {"openapi": "3.1.0"}), wanted)

    with listening(bound, made) as (loop, server):
        yield Served(port, where, access, push, loop, server)
        push.close()


@contextmanager
def daemon(home: Path, limits: Limits | None = None) -> Iterator[Served]:
    """All that a daemon answers, for a user with some usage."""
    mixed(home)
    environ = {"HOME": str(home), "RINGLET_HOME": str(home / "rl"), "TZ": "UTC", "PATH": os.environ["PATH"]}
    where = paths(environ)
    durable.prepare_home(where.data, create=True)
    bound = socket.create_server(("127.0.0.1", 0), backlog=512)
    port = bound.getsockname()[1]
    access, push, service = Access(where), Push(), Service(where, environ)
    service.condition = lambda: QUIET
    with listening(bound, lambda: http.application(service, access, push, Options(port=port), limits)) as (loop, server):
        yield Served(port, where, access, push, loop, server)
        push.close()
    service.close()


QUIET = Condition(
    pid=1,
    port=1,
    version="1",
    started_at=0.0,
    uptime_s=0.0,
    watcher="watching",
    importing=False,
    unreadable=0,
    events_seen=0,
    last_event_at=None,
    restarts=0,
    last_error=None,
    listening=0,
    ends_at=None,
)
"""A daemon that has nothing to do."""


@contextmanager
def listening(bound: socket.socket, made: Any) -> Iterator[tuple[asyncio.AbstractEventLoop, Server]]:
    """The server that `made` gives, serving on a socket in a thread of its own."""
    ready, done = threading.Event(), threading.Event()
    found: list[Any] = []

    async def main() -> None:
        ended = asyncio.Event()
        server = made()
        runner = web.ServerRunner(server, handle_signals=False, shutdown_timeout=0.2)
        await runner.setup()
        await web.SockSite(runner, bound).start()
        found.extend((asyncio.get_running_loop(), server, ended))
        ready.set()
        await ended.wait()
        await runner.cleanup()

    def run() -> None:
        try:
            asyncio.run(main())
        finally:
            ready.set()
            done.set()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    ready.wait(90)
    assert found, "the server did not start"
    loop, server, ended = found
    try:
        yield loop, server
    finally:
        loop.call_soon_threadsafe(ended.set)
        done.wait(90)


class Asked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of the routes below."""

    text: str | None = None
    number: int | None = None


class Echo(msgspec.Struct, frozen=True):
    """What a route below was asked."""

    text: str | None
    number: int | None


async def echo(service: Any, params: Asked) -> Echo:
    return Echo(params.text, params.number)


async def plain(service: Any, params: None) -> Echo:
    return Echo(None, None)


async def fails(service: Any, params: Asked) -> Echo:
    errors: dict[str | None, Exception] = {
        "unknown": UnknownName("no profile 'x'", mend="valid: a, b", valid=("a", "b")),
        "missing": NothingFound("nothing there", where="/x"),
        "held": Held("held by process 7", pid=7),
        "partly": PartlyDone("the disk is full", mend="free some space"),
        "damaged": Damaged("page 1 is damaged", where="journal.db", mend="ringlet doctor --repair"),
        "named": RingletError(f"cannot read Bearer {CANARY}"),
        "secret": ValueError(f"unexpected {CANARY}"),
        "full": OSError(errno.ENOSPC, "No space left on device", "/x"),
        "shut": OSError(errno.EROFS, "Read-only file system", "/x"),
        "broken": OSError(errno.EBADF, CANARY),
    }
    raise errors[params.text]


class Gate:
    """What the slow route waits for."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.waiting = 0

    def close(self) -> None:
        """From now on whoever comes waits."""
        self.opened.clear()
        self.waiting = 0


async def slow(service: Any, params: None) -> Echo:
    service.waiting += 1
    await asyncio.to_thread(service.opened.wait, 90)
    return Echo(None, None)


async def streamed(service: Any, params: None) -> Reply:
    async def pieces() -> Any:
        for number in range(3):
            yield b"%d\n" % number

    return Reply("text/csv; charset=utf-8", pieces(), "three.csv")


async def broken(service: Any, params: Asked) -> Reply:
    async def pieces() -> Any:
        if params.text == "late":
            yield b"one\n"
        raise ValueError(CANARY)

    return Reply("text/plain", pieces())


async def endless(service: Any, params: None) -> Reply:
    async def pieces() -> Any:
        while True:
            yield b"x" * 65536

    return Reply("text/plain", pieces())


async def large(service: Any, params: None) -> Reply:
    # More than the buffers of a connection take, on both sides.
    return Reply("text/plain", b"x" * (64 << 20))


OWN = (
    Route("GET", "/api/open", plain, None, Echo, "open", ""),
    Route("GET", "/api/seen", plain, None, Echo, "viewer", ""),
    Route("GET", "/api/echo", echo, Asked, Echo, "admin", ""),
    Route("POST", "/api/write", echo, Asked, Echo, "admin", ""),
    Route("GET", "/api/fails", fails, Asked, Echo, "admin", ""),
    Route("GET", "/api/slow", slow, None, Echo, "admin", ""),
    Route("GET", "/api/streamed", streamed, None, None, "admin", ""),
    Route("GET", "/api/broken", broken, Asked, None, "admin", ""),
    Route("GET", "/api/endless", endless, None, None, "admin", ""),
    Route("GET", "/api/large", large, None, None, "admin", ""),
    *doorway.ROUTES,
)
"""A small table for what is the same for every route."""
