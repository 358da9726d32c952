"""A thousand different questions to the daemon's HTTP API, in turn, in a store of many calls.

Budget: with 1 M calls at least 500 requests/s, 99 of 100 within 50 ms. Each question is asked once while nothing about it is known (new)
and then again (asked before). The same load on a handler that does nothing shows what client, sockets and aiohttp take of that.
"""

import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from urllib.parse import urlencode

import aiohttp
from aiohttp import web

from benchmarks import harness
from benchmarks.rebuild_views import FIRST_DAY, MODELS, fill
from cli.paths import Paths
from cli.serve import state, tokens

AT_ONCE = 8
"""Connections that ask at the same time."""
EPOCH = date(1970, 1, 1)


def questions(count: int, days: int, seed: int = 7) -> list[str]:
    """That many different questions: every route, grouping, filter and kind of range, in the mix of a page that people click through."""
    rng = random.Random(seed)
    found: dict[str, None] = {}
    while len(found) < count:
        path = rng.choices(("", "/rollup", "/series", "/top", "/records", "/filters"), (30, 25, 20, 8, 12, 5))[0]
        words: dict[str, str] = {}
        if path != "/filters":
            words |= _range(rng, days) | _filters(rng)
        if path == "/rollup":
            words["by"] = rng.choice(
                ("profile", "provider,model", "model", "agent", "initiator", "project", "session", "day", "week", "month")
            )
            words["sort"] = rng.choice(("cost", "tokens", "requests", "name"))
        elif path == "/series":
            words["bucket"] = rng.choice(("day", "day", "week", "month"))
            if rng.random() < 0.5:
                words["by"] = rng.choice(("initiator", "provider", "model"))
        elif path == "/top":
            words |= {"rank": rng.choice(("cost", "tokens")), "limit": str(rng.choice((5, 10, 20)))}
        elif path == "/records":
            words |= {"page": str(rng.randrange(1, 30)), "search": rng.choice(("p1", "p", "P7"))}
        elif path == "/filters":
            words["provider"] = rng.choice(("anthropic", "openai"))
            words["tz"] = rng.choice(("UTC", "Europe/Berlin", "Asia/Kolkata"))
        found[f"/api/usage{path}?{urlencode(words)}"] = None
    return list(found)


def _range(rng: random.Random, days: int) -> dict[str, str]:
    if rng.random() < 0.3:
        return {"period": rng.choice(("all", "year", f"{rng.randrange(1, 900)}d"))}
    first = EPOCH + timedelta(days=FIRST_DAY + rng.randrange(days))
    return {"since": str(first), "until": str(first + timedelta(days=rng.choice((0, 6, 30, 90, 200))))}


def _filters(rng: random.Random) -> dict[str, str]:
    words = {}
    if rng.random() < 0.3:
        words["model"] = rng.choice((*MODELS, "claude-*"))
    if rng.random() < 0.2:
        words["provider"] = rng.choice(("anthropic", "openai"))
    if rng.random() < 0.2:
        words["project"] = f"p{rng.randrange(20)}"
    if rng.random() < 0.2:
        words["source"] = rng.choice(("chat", "agent"))
    if rng.random() < 0.3:
        words["tz"] = rng.choice(("UTC", "Europe/Berlin"))
    return words


class Load:
    """What one round of questions showed."""

    def __init__(self, name: str, took: Sequence[float], wall: float, cpu: float, size: int) -> None:
        self.name = name
        self.rate = len(took) / wall
        ordered = sorted(took)
        self.p50, self.p99, self.worst = (1000 * ordered[int(share * (len(ordered) - 1))] for share in (0.5, 0.99, 1))
        self.cpu_ms = 1000 * cpu / len(took)
        self.size = size / len(took)


async def asked(name: str, url: str, paths: Sequence[str], pid: int, headers: dict[str, str]) -> Load:
    """Ask everything once, `AT_ONCE` at a time."""
    took: list[float] = []
    size = 0
    waiting = iter(paths)
    async with aiohttp.ClientSession(headers=headers, connector=aiohttp.TCPConnector(limit=AT_ONCE)) as session:

        async def worker() -> None:
            nonlocal size
            for path in waiting:
                began = time.perf_counter()
                async with session.get(url + path) as response:
                    body = await response.read()
                took.append(time.perf_counter() - began)
                size += len(body)
                if response.status != 200:
                    raise RuntimeError(f"{path}: {response.status} {body[:300]!r}")

        before, began = _cpu(pid), time.perf_counter()
        await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
        return Load(name, took, time.perf_counter() - began, _cpu(pid) - before, size)


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident(pid: int) -> float:
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1000


@contextmanager
def daemon(store: Path, home: Path) -> Iterator[state.Running]:
    """A daemon at work in that store."""
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "RINGLET_HOME": str(store), "TZ": "UTC"}
    command = harness.ringlet("daemon", "start", "--foreground", "--stay-alive", "--port", "0")
    null = subprocess.DEVNULL
    with subprocess.Popen(command, env=env, cwd=harness.ROOT, stdin=null, stdout=null) as child:
        try:
            yield _running(store, child)
        finally:
            child.terminate()


def _running(store: Path, child: "subprocess.Popen[bytes]") -> state.Running:
    for _ in range(300):
        found = state.running(str(store))
        if found is not None and found.pid == child.pid:
            return found
        if child.poll() is not None:
            break
        time.sleep(0.1)
    raise RuntimeError("the daemon did not begin to answer")


def nothing(port_to: int) -> int:
    """Serve a handler that does nothing; its port goes to the file descriptor `port_to`."""

    async def main() -> None:
        async def handler(_: web.BaseRequest) -> web.Response:
            return web.Response(body=b'{"success":true}', content_type="application/json")

        runner = web.ServerRunner(web.Server(handler))
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        os.write(port_to, f"{runner.addresses[0][1]}\n".encode())
        os.close(port_to)
        await asyncio.Event().wait()

    asyncio.run(main())
    return 0


@contextmanager
def idle_server() -> Iterator[tuple[str, int]]:
    """(url, process id) of a server that does nothing."""
    get, give = os.pipe()
    command = [sys.executable, "-m", "benchmarks.api", "--nothing", str(give)]
    with subprocess.Popen(command, cwd=harness.ROOT, pass_fds=[give]) as child:
        os.close(give)
        with os.fdopen(get) as told:
            port = int(told.readline())
        try:
            yield f"http://127.0.0.1:{port}", child.pid
        finally:
            child.kill()


async def measured(running: state.Running, paths: Paths, urls: Sequence[str], rounds: int) -> list[Load]:
    """The rounds, each beside one of a server that does nothing."""
    headers = {"Authorization": f"Bearer {tokens.token(paths, 'admin')}"}
    loads = []
    with idle_server() as (idle, pid):
        await asked("first question", running.url, ["/api/usage?period=all"], running.pid, headers)
        for number in range(rounds):
            loads.append(await asked("new" if not number else "asked before", running.url, urls, running.pid, headers))
            loads.append(await asked("nothing to do", idle, urls, pid, {}))
    return loads


def table(title: str, loads: Sequence[Load], resident: float) -> str:
    """The rounds as Markdown, those of one name by their medians."""
    idle = statistics.median(load.rate for load in loads if load.name == "nothing to do")
    lines = [
        title,
        "",
        "| questions | requests/s | of nothing to do | p50 ms | p99 ms | worst ms | CPU ms each | bytes |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name in dict.fromkeys(load.name for load in loads):
        own = [load for load in loads if load.name == name]
        rate, p50, p99, worst, cpu, size = (
            statistics.median(getattr(load, field) for load in own) for field in ("rate", "p50", "p99", "worst", "cpu_ms", "size")
        )
        lines.append(f"| {name} | {rate:,.0f} | {rate / idle:.2f} | {p50:.1f} | {p99:.1f} | {worst:.1f} | {cpu:.2f} | {size:,.0f} |")
    return "\n".join([*lines, "", f"Resident memory afterwards: {resident:.0f} MB"])


def main() -> int:
    parser = harness.arguments(__doc__, size=None, rounds=4)
    parser.add_argument("--calls", type=int, default=1_000_000, help="calls in the store (default: 1 million)")
    parser.add_argument("--days", type=int, default=400, help="days that they spread over (default: 400)")
    parser.add_argument("--questions", type=int, default=1000, help="different questions (default: 1000)")
    parser.add_argument("--nothing", type=int, help="serve nothing, and write the port to this file descriptor")
    args = parser.parse_args()
    if args.nothing is not None:
        return nothing(args.nothing)
    store = args.work / f"store-{args.calls}-{args.days}"
    if not (store / "filled").exists():
        fill(store, args.calls, args.days)
        (store / "filled").touch()
    urls = questions(args.questions, args.days)
    with daemon(store, args.work / "no-logs") as running:
        loads = asyncio.run(measured(running, Paths(str(store), str(store / "config.toml")), urls, args.rounds))
        resident = _resident(running.pid)
    title = f"{args.questions:,} different questions, {AT_ONCE} at once, {args.calls:,} calls ({harness.machine()})"
    print(table(title, loads, resident))
    print(json.dumps({"new": loads[0].rate, "p99_ms": loads[0].p99}), file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
