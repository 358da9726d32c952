"""Streams through the capture proxy of a daemon, beside the same streams from the provider directly, in turn in each round.

Budget: at 50 streams at once, half of the first bytes come within 1 ms more and 99 of 100 within 20 ms more than directly, and no byte
differs. The provider is a process of its own; it sends 30 events, the first at once, with a pause after each (`--gap`, as a model writes
some fifty tokens a second) or, to see how many streams can be carried at all, with none.
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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks import harness
from benchmarks.api import daemon
from benchmarks.watch import cpu_of
from cli.paths import Paths
from cli.serve import entrances, knock

EVENTS = 30
START = {
    "type": "message_start",
    "message": {"id": "msg_%s", "model": "claude-sonnet-4-5", "usage": {"input_tokens": 9, "output_tokens": 1}},
}
TEXT = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "some words of a reply "}}
END = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 28}}


def events(name: str) -> list[bytes]:
    """A reply of Anthropic's in pieces."""
    told: list[dict[str, Any]] = [START, *[TEXT] * (EVENTS - 2), END]
    return [f"event: {each['type']}\ndata: {json.dumps(each)}\n\n".replace("%s", name).encode() for each in told]


def provider(port_to: int) -> int:
    """Be the provider; its port goes to the file descriptor `port_to`. A request's path names the stream and the gap in seconds."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                await reader.readexactly(2)
                _, name, gap = head.split("/", 3)[:3]
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
                for event in events(name):
                    writer.write(f"{len(event):x}\r\n".encode() + event + b"\r\n")
                    await writer.drain()
                    if float(gap):
                        await asyncio.sleep(float(gap))
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
def standing() -> Iterator[int]:
    """The port of a provider."""
    get, give = os.pipe()
    command = [sys.executable, "-m", "benchmarks.proxy", "--provide", str(give)]
    with subprocess.Popen(command, cwd=harness.ROOT, pass_fds=[give]) as child:
        os.close(give)
        with os.fdopen(get) as told:
            port = int(told.readline())
        try:
            yield port
        finally:
            child.kill()


@dataclass
class Way:
    """One way to the provider, and all that was measured on it at one number of streams at once."""

    url: str
    daemon: int | None = None
    """Process id of the daemon on this way; None: there is none."""
    first_ms: list[float] = field(default_factory=list)
    """Until the first byte of each stream's body."""
    rates: list[float] = field(default_factory=list)
    """Whole streams per second, of each round."""
    cpu_s: float = 0.0
    """What the daemon took."""

    def first(self, share: float) -> float:
        return sorted(self.first_ms)[int(len(self.first_ms) * share)]

    def rate(self) -> float:
        return statistics.median(self.rates)


async def load(way: Way, streams: int, at_once: int, gap_s: float, round: int, *, counts: bool) -> None:
    """That many streams, begun at different moments; raises RuntimeError where one differs by a byte."""
    names = iter(range(streams))
    took: list[float] = []

    async def worker(session: aiohttp.ClientSession, number: int) -> None:
        # As users do: not all in the same instant.
        await asyncio.sleep(number / at_once * gap_s * EVENTS)
        for name in names:
            said = f"{'direct' if way.daemon is None else 'proxy'}x{at_once}x{gap_s}x{round}x{name}"
            began = time.perf_counter()
            async with session.post(way.url.replace("%s", f"{said}/{gap_s}"), data=b"{}") as reply:
                body = await reply.content.readany()
                took.append((time.perf_counter() - began) * 1000)
                body += await reply.read()
            if body != b"".join(events(said)):
                raise RuntimeError(f"{said}: a stream differs")

    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        before = 0.0 if way.daemon is None else cpu_of(way.daemon)
        began = time.perf_counter()
        await asyncio.gather(*(worker(session, number) for number in range(at_once)))
        spent = time.perf_counter() - began
    if counts:
        way.first_ms += took
        way.rates.append(streams / spent)
        way.cpu_s += 0.0 if way.daemon is None else cpu_of(way.daemon) - before


async def measured(ways: Sequence[Way], streams: int, at_once: int, gap_s: float, rounds: int) -> None:
    """The rounds, one way after the other in each; the first warms up."""
    for round in range(rounds + 1):
        for way in ways:
            await load(way, streams, at_once, gap_s, round, counts=round > 0)


def row(at_once: int, gap_s: float, direct: Way, proxy: Way) -> str:
    """All rounds as a row of the table."""
    added = [proxy.first(share) - direct.first(share) for share in (0.5, 0.99)]
    return (
        f"| {at_once} | {gap_s * 1000:g} | {direct.first(0.5):.2f} | {direct.first(0.99):.2f} | {added[0]:+.2f} | {added[1]:+.2f}"
        f" | {direct.rate():,.0f} | {proxy.rate():,.0f} | {proxy.cpu_s / len(proxy.first_ms) * 1000:.2f} |"
    )


HEAD = """\
| at once | gap ms | direct p50 ms | p99 ms | added p50 ms | added p99 ms | streams/s, direct | by proxy | daemon CPU ms each |
|---|---|---|---|---|---|---|---|---|"""


def main() -> int:
    parser = harness.arguments(__doc__, size=None, rounds=4)
    parser.add_argument("--streams", type=int, default=150, help="streams of each round, each way, at 50 at once (default: 150)")
    parser.add_argument("--gap", type=float, default=0.02, help="seconds between two events (default: 0.02)")
    parser.add_argument("--provide", type=int, help="be the provider, and write the port to this file descriptor")
    args = parser.parse_args()
    if args.provide is not None:
        return provider(args.provide)
    rows: list[str] = []
    args.work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=args.work) as folder, standing() as port:
        store = Path(folder) / "store"
        store.mkdir(mode=0o700)
        settings = f'[capture]\nenabled = true\nport = 0\n[providers.here]\nbilling = "metered"\nendpoint = "http://127.0.0.1:{port}"\n'
        (store / "config.toml").write_text(settings)
        where = Paths(str(store), str(store / "config.toml"))
        with daemon(store, Path(folder)) as running:
            assert running.capture_port is not None
            end = "/%s/v1/messages"
            through = entrances.address(where, running.capture_port, "default", "here") + end
            for at_once, gap_s in ((1, 0.0), (50, args.gap), (50, 0.0)):
                direct, proxy = Way(f"http://127.0.0.1:{port}{end}"), Way(through, running.pid)
                asyncio.run(measured((direct, proxy), args.streams, at_once, gap_s, args.rounds))
                rows.append(row(at_once, gap_s, direct, proxy))
            capture = json.loads(knock.ask(running.url, where, "/api/daemon"))["capture"]
    print(f"Streams of {EVENTS} events ({harness.machine()})")
    print("\n".join(["", HEAD, *rows]))
    passed = 3 * args.streams * (args.rounds + 1)
    print(f"\nof {passed:,} streams 0 bytes differ; {capture['captured']:,} calls captured, {capture['dropped']} lost for counting")
    return 0


if __name__ == "__main__":
    sys.exit(main())
