"""A provider that says what it is told to, and a proxy in front of it, in one event loop."""

import asyncio
import random
import socket
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from aiohttp import web

from cli.paths import Paths, paths
from cli.serve import entrances
from cli.serve.entrances import Entrances
from cli.serve.limits import Limits, Server
from cli.serve.proxy import LIMITS, Proxy
from ingest.tap import Tap
from pipeline import durable
from pipeline.log import Log


class Said(msgspec.Struct, kw_only=True):
    """A reply: its body in pieces, sent in chunks unless a `Content-Length` is among the headers."""

    status: int = 200
    headers: Sequence[tuple[str, str]] = (("Content-Type", "text/event-stream"),)
    pieces: Sequence[bytes] = ()
    breaks: bool = False
    """The connection ends before the body does."""
    pause_s: float = 0.0
    """Between two pieces."""
    until: asyncio.Event | None = None
    """Waited for before the last piece."""


class Got(msgspec.Struct):
    """A request as it came."""

    line: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """The value of a header."""
        return next((value for key, value in self.headers if key.lower() == name), None)


class Provider:
    """Listens on this machine and answers every request with what `says` makes of it."""

    def __init__(self, says: Callable[[Got], Said]) -> None:
        self.says = says
        self.got: list[Got] = []
        self.ended = 0
        """Connections that the other side ended while a reply was under way."""
        self.port = 0

    async def __aenter__(self) -> "Provider":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=1 << 20)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                got = await _read(reader)
                if got is None:
                    return
                self.got.append(got)
                if not await self._say(writer, self.says(got)):
                    return
        except (ConnectionError, asyncio.IncompleteReadError):
            self.ended += 1
        finally:
            writer.close()

    async def _say(self, writer: asyncio.StreamWriter, said: Said) -> bool:
        sized = any(name.lower() == "content-length" for name, _ in said.headers)
        head = [f"HTTP/1.1 {said.status} Said", *(f"{name}: {value}" for name, value in said.headers)]
        bodiless = said.status in (204, 304)
        writer.write(
            "\r\n".join([*head, *["Transfer-Encoding: chunked"] * (not sized and not bodiless), "", ""]).encode("utf-8", "surrogateescape")
        )
        for at, piece in enumerate(said.pieces):
            if said.until is not None and at == len(said.pieces) - 1:
                await said.until.wait()
            writer.write(piece if sized else f"{len(piece):x}\r\n".encode() + piece + b"\r\n" if piece else b"")
            await writer.drain()
            await asyncio.sleep(said.pause_s)
        if said.breaks:
            return False
        if not sized and not bodiless:
            writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True


async def _read(reader: asyncio.StreamReader) -> Got | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
    except asyncio.IncompleteReadError:
        return None
    line, *rest = head[:-4].split("\r\n")
    headers = [(name, value.strip()) for name, _, value in (each.partition(":") for each in rest)]
    known = {name.lower(): value for name, value in headers}
    body = b""
    if known.get("transfer-encoding") == "chunked":
        while size := int(await reader.readline(), 16):
            body += await reader.readexactly(size)
            await reader.readexactly(2)
        await reader.readexactly(2)
    elif "content-length" in known:
        body = await reader.readexactly(int(known["content-length"]))
    return Got(line, headers, body)


class Stand(msgspec.Struct):
    """All that a test needs."""

    paths: Paths
    provider: Provider
    proxy: Proxy
    tap: Tap
    port: int
    client: aiohttp.ClientSession

    def url(self, path: str, *, profile: str = "default", provider: str = "here") -> str:
        """The address of a path of the provider's, through the proxy."""
        return entrances.address(self.paths, self.port, profile, provider) + path

    def direct(self, path: str) -> str:
        """The same without the proxy."""
        return f"http://127.0.0.1:{self.provider.port}{path}"

    def calls(self) -> list[Any]:
        """(origin, profile, agent, provider, model, input, output, status) of each call in the log, once the tap has ended."""
        with Log.open(self.paths.data) as log:
            found = list(log.calls(*(log.span() or (0, 0))))
            dims = log.dims(call.dim for call in found)
            return [
                (each.origin, each.profile, each.agent, each.provider, each.model, call.input, call.output, each.status)
                for call in found
                for each in (dims[call.dim],)
            ]


@asynccontextmanager
async def standing(
    home: Path, says: Callable[[Got], Said], *, settings: str = "", opened: Callable[[], Log] | None = None, limits: Limits = LIMITS
) -> AsyncIterator[Stand]:
    """A provider called `here`, and a proxy before it."""
    where = paths({"RINGLET_HOME": str(home)})
    durable.prepare_home(where.data, create=True)
    async with Provider(says) as provider:
        (home / "config.toml").write_text(
            f'[providers.here]\nbilling = "metered"\nendpoint = "http://127.0.0.1:{provider.port}"\n{settings}'
        )
        tap = Tap(opened or (lambda: Log.open(where.data)))
        tap.start()
        bound = socket.create_server(("127.0.0.1", 0), backlog=128)
        port = bound.getsockname()[1]
        ports = {port}
        proxy = Proxy(Entrances(where), tap, port, lambda: ports)
        runner = web.ServerRunner(Server(proxy, limits), handle_signals=False, shutdown_timeout=1)
        await runner.setup()
        await web.SockSite(runner, bound).start()
        client = aiohttp.ClientSession(auto_decompress=False, connector=aiohttp.TCPConnector(limit=0))
        try:
            yield Stand(where, provider, proxy, tap, port, client)
        finally:
            await client.close()
            await runner.cleanup()
            await proxy.close()
            await asyncio.to_thread(tap.stop)


async def until(true: Callable[[], bool]) -> None:
    """Wait for it; the bound is for a test that would wait for ever."""
    end = time.monotonic() + 90
    while not true():
        assert time.monotonic() < end
        await asyncio.sleep(0.01)


def cut(body: bytes, rnd: random.Random, most: int = 12) -> list[bytes]:
    """`body` in random pieces."""
    places = sorted({0, len(body), *(rnd.randint(0, len(body)) for _ in range(rnd.randint(0, most)))})
    return [body[start:end] for start, end in pairwise(places)]
