"""Streams through the capture proxy of a daemon, beside the same streams from the provider directly, in turn in each round.

Budget: at 50 streams at once, half of the first bytes come within 1 ms more and 99 of 100 within 20 ms more than directly, and no byte
differs. The provider is a process of its own; it sends 60 events, the first at once, with a pause after each (`--gap`).
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks import harness
from benchmarks.api import daemon
from cli.paths import Paths
from cli.serve import entrances, knock

EVENTS = 60
START = {
    "type": "message_start",
    "message": {"id": "msg_%s", "model": "claude-sonnet-4-5", "usage": {"input_tokens": 9, "output_tokens": 1}},
}
TEXT = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "some words of a reply "}}
END = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 58}}


def events(name: str) -> list[bytes]:
    """A reply of Anthropic's in pieces."""
    told: list[dict[str, Any]] = [START, *[TEXT] * (EVENTS - 2), END]
    return [f"event: {each['type']}\ndata: {json.dumps(each)}\n\n".replace("%s", name).encode() for each in told]


def provider(port_to: int, gap_s: float) -> int:
    """Be the provider; its port goes to the file descriptor `port_to`."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                await reader.readexactly(2)
                name = head.split("/", 2)[1]
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
                for event in events(name):
                    writer.write(f"{len(event):x}\r\n".encode() + event + b"\r\n")
                    await writer.drain()
                    await asyncio.sleep(gap_s)
                writer.write(b"0\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def main() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=512)
        os.write(port_to, f"{server.sockets[0].getsockname()[1]}\n".encode())
        os.close(port_to)
        await asyncio.Event().wait()

    asyncio.run(main())
    return 0


@contextmanager
def standing(gap_s: float) -> Iterator[int]:
    """The port of a provider."""
    get, give = os.pipe()
    command = [sys.executable, "-m", "benchmarks.proxy", "--provide", str(give), "--gap", str(gap_s)]
    with subprocess.Popen(command, cwd=harness.ROOT, pass_fds=[give]) as child:
        os.close(give)
        with os.fdopen(get) as told:
            port = int(told.readline())
        try:
            yield port
        finally:
            child.kill()


@dataclass(frozen=True)
class Load:
    """One round one way."""

    way: str
    first_ms: Sequence[float]
    """Until the first byte of each stream's body."""
    rate: float
    """Whole streams per second."""

    @property
    def p50(self) -> float:
        return statistics.median(self.first_ms)

    @property
    def p99(self) -> float:
        return sorted(self.first_ms)[int(len(self.first_ms) * 0.99)]


async def load(way: str, url: str, streams: int, at_once: int, number: int) -> Load:
    """That many streams."""
    names = iter(range(streams))
    took: list[float] = []

    async def worker(session: aiohttp.ClientSession) -> None:
        for name in names:
            began = time.perf_counter()
            said = f"{way}x{number}x{name}"
            async with session.post(url.replace("%s", said), data=b"{}") as reply:
                body = await reply.content.readany()
                took.append((time.perf_counter() - began) * 1000)
                body += await reply.read()
            if body != b"".join(events(said)):
                raise RuntimeError(f"{way}: a stream differs")

    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        began = time.perf_counter()
        await asyncio.gather(*(worker(session) for _ in range(at_once)))
        return Load(way, took, streams / (time.perf_counter() - began))


async def measured(direct: str, through: str, streams: int, at_once: int, rounds: int) -> list[Load]:
    """The rounds, one way after the other in each; the first warms up."""
    loads: list[Load] = []
    for number in range(rounds + 1):
        found = [await load("direct", direct, streams, at_once, number), await load("proxy", through, streams, at_once, number)]
        loads += found if number else []
    return loads


def table(title: str, found: dict[int, list[Load]]) -> str:
    """All rounds as Markdown, by their medians."""
    lines = [
        title,
        "",
        "| at once | first byte, direct ms | added p50 ms | added p99 ms | streams/s, direct | through the proxy | ratio |",
        "|---|---|---|---|---|---|---|",
    ]
    for at_once, loads in found.items():
        own = {way: [each for each in loads if each.way == way] for way in ("direct", "proxy")}
        p50, p99, rate = (
            {way: statistics.median(getattr(each, name) for each in own[way]) for way in own} for name in ("p50", "p99", "rate")
        )
        lines.append(
            f"| {at_once} | {p50['direct']:.2f} | {p50['proxy'] - p50['direct']:+.2f} | {p99['proxy'] - p99['direct']:+.2f}"
            f" | {rate['direct']:,.0f} | {rate['proxy']:,.0f} | {rate['proxy'] / rate['direct']:.2f} |"
        )
    return "\n".join(lines)


def main() -> int:
    parser = harness.arguments(__doc__, size=None, rounds=5)
    parser.add_argument("--streams", type=int, default=400, help="streams of each round, each way (default: 400)")
    parser.add_argument("--gap", type=float, default=0.002, help="seconds between two events (default: 0.002)")
    parser.add_argument("--provide", type=int, help="be the provider, and write the port to this file descriptor")
    args = parser.parse_args()
    if args.provide is not None:
        return provider(args.provide, args.gap)
    found: dict[int, list[Load]] = {}
    args.work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=args.work) as folder, standing(args.gap) as port:
        store = Path(folder) / "store"
        store.mkdir(mode=0o700)
        settings = f'[capture]\nenabled = true\nport = 0\n[providers.here]\nbilling = "metered"\nendpoint = "http://127.0.0.1:{port}"\n'
        (store / "config.toml").write_text(settings)
        where = Paths(str(store), str(store / "config.toml"))
        with daemon(store, Path(folder)) as running:
            assert running.capture_port is not None
            way = "/%s/v1/messages"
            through = entrances.address(where, running.capture_port, "default", "here") + way
            for at_once in (1, 50):
                streams = max(args.streams // (20 if at_once == 1 else 1), 1)
                found[at_once] = asyncio.run(measured(f"http://127.0.0.1:{port}{way}", through, streams, at_once, args.rounds))
            capture = json.loads(knock.ask(running.url, where, "/api/daemon"))["capture"]
    print(table(f"Streams of {EVENTS} events, {args.gap * 1000:g} ms apart ({harness.machine()})", found))
    print(f"\n{capture['captured']:,} calls captured, {capture['dropped']} lost for counting, {capture['uncaptured']} unread")
    return 0


if __name__ == "__main__":
    sys.exit(main())
