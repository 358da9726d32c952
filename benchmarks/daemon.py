"""From a line written to the answer of the API, while the daemon runs; what the daemon costs when nothing happens; and whether it grows.

Budget: committed within 10 ms at the median and 100 ms at the 99th percentile, 1 ms CPU per event, 0.2 % of a core and 150 MB when idle,
and no growth under steady load. At the end the totals are compared with the corpus's truth plus the lines written here.
"""

import json
import os
import random
import sqlite3
import statistics
import sys
import time
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import harness
from benchmarks.new_lines import line
from benchmarks.watch import cpu_of, visible

QUESTION = "/api/usage?period=today&agent=claude"


class Resident(NamedTuple):
    """Memory of a process in MB."""

    all: float
    own: float
    """Without mapped files, which are page cache."""


def resident(pid: int) -> Resident:
    """What a process holds in memory now."""
    fields = dict(text.split(":", 1) for text in Path(f"/proc/{pid}/status").read_text().splitlines())
    return Resident(*(int(fields[name].split()[0]) / 1024 for name in ("VmRSS", "RssAnon")))


class Api:
    """One connection to the daemon that is kept open."""

    def __init__(self, port: int, token: str) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=60)
        self._headers = {"Authorization": f"Bearer {token}"}

    def requests(self) -> int:
        """How many calls of today the API knows."""
        self._connection.request("GET", QUESTION, headers=self._headers)
        response = self._connection.getresponse()
        told: dict[str, Any] = json.loads(response.read())
        if response.status != 200:
            raise RuntimeError(f"{response.status}: {told}")
        return int(told["data"]["total_requests"])

    def answered(self, due: int) -> float:
        """Seconds until the API knows that many calls."""
        began = time.perf_counter()
        while self.requests() < due:
            if time.perf_counter() - began > 30:
                raise RuntimeError("the API did not follow within 30 s")
            time.sleep(0.002)
        return time.perf_counter() - began


class Load:
    """Lines that are written here, each of a call of its own."""

    def __init__(self, home: Path) -> None:
        folder = home / ".claude" / "projects" / "-home-dev-src-daemon"
        folder.mkdir(exist_ok=True)
        self.files = [folder / f"daemon-{n}-{os.getpid()}.jsonl" for n in range(4)]
        self.written = 0
        self._rng = random.Random(1)

    def write(self) -> None:
        with self._rng.choice(self.files).open("a") as file:
            file.write(line(f"{os.getpid()}-{self.written}"))
        self.written += 1

    def remove(self) -> None:
        for path in self.files:
            path.unlink(missing_ok=True)


def slope(samples: list[tuple[float, float]]) -> float:
    """MB per hour: least squares through (seconds, MB)."""
    x, y = statistics.fmean(at for at, _ in samples), statistics.fmean(held for _, held in samples)
    return 3600 * sum((at - x) * (held - y) for at, held in samples) / sum((at - x) * (at - x) for at, _ in samples)


def steady(load: Load, pid: int, seconds: float, per_second: float, api: Api) -> tuple[float, Resident]:
    """Write at a steady rate and ask once a second; growth in MB per hour after the first quarter, and what is resident at the end."""
    samples = []
    began = last = time.monotonic()
    while (now := time.monotonic()) - began < seconds:
        load.write()
        if now - last >= 1:
            last = now
            api.requests()
            if now - began > seconds / 4:
                samples.append((now - began, resident(pid).all))
        time.sleep(1 / per_second)
    return slope(samples), resident(pid)


def percentiles(delays: list[float]) -> str:
    """Median, 99th percentile and maximum in ms, as cells of a table."""
    delays = sorted(delays)
    return " | ".join(f"{value * 1e3:.2f}" for value in (statistics.median(delays), delays[int(len(delays) * 0.99)], delays[-1]))


def main() -> int:
    parser = harness.arguments(__doc__, size="200M", rounds=200)
    parser.add_argument("--idle", type=float, default=20.0, help="seconds of silence to measure (default: 20)")
    parser.add_argument("--settle", type=float, default=5.0, help="seconds to wait before that (default: 5)")
    parser.add_argument("--steady", type=float, default=30.0, help="seconds of steady load (default: 30; growth shows in an hour)")
    parser.add_argument("--rate", type=float, default=20.0, help="lines per second of steady load (default: 20)")
    args = parser.parse_args()
    home, truth = harness.home(args.work, args.bytes)
    load = Load(home)
    with harness.store(args.work, "daemon") as store:
        env = {"HOME": str(home), "RINGLET_HOME": str(store)}

        def ringlet(*argv: str) -> bytes:
            return harness.once(harness.Command(" ".join(argv), harness.ringlet(*argv), env)).output

        ringlet("usage", "--period", "all")
        ringlet("daemon", "start", "--port", "0", "--stay-alive")
        try:
            status = json.loads(ringlet("daemon", "status", "--json"))
            pid = status["pid"]
            time.sleep(args.settle)
            start = cpu_of(pid)
            time.sleep(args.idle)
            idle, unasked = (cpu_of(pid) - start) / args.idle, resident(pid)
            api = Api(status["port"], ringlet("daemon", "token").decode().strip())
            known = api.requests()
            journal = sqlite3.connect(f"file:{store}/journal.db?mode=ro", uri=True)
            committed, answered = [], []
            rng = random.Random(2)
            start = cpu_of(pid)
            for number in range(1, args.rounds + 1):
                before = journal.execute("PRAGMA data_version").fetchone()[0]
                load.write()
                committed.append(visible(journal, before))
                answered.append(committed[-1] + api.answered(known + number))
                time.sleep(rng.uniform(0.001, 0.1))
            spent = (cpu_of(pid) - start) / args.rounds
            journal.close()
            growth, asked = steady(load, pid, args.steady, args.rate, api)
            for name in ("requests", "input", "output"):
                truth["total"][name] += load.written
            said = harness.ringlet("usage", "--period", "all", "--agent", "claude", "--json")
            harness.once(harness.Command("usage", said, env, check=harness.exact(truth)))
        finally:
            ringlet("daemon", "stop")
            load.remove()
    print(f"### The daemon, {args.rounds} lines, {args.bytes} of history ({harness.machine()})\n")
    print("| from a line written to | p50 ms | p99 ms | max ms |\n|---|---|---|---|")
    print(f"| its commit | {percentiles(committed)} |\n| the API's answer | {percentiles(answered)} |\n")
    print(
        "| idle, % of a core | CPU ms per event, asked for each | MB before anything was asked (own) | MB at the end (own) | MB per hour |"
    )
    print("|---|---|---|---|---|")
    memory = f"{unasked.all:.0f} ({unasked.own:.0f}) | {asked.all:.0f} ({asked.own:.0f})"
    print(f"| {idle:.2%} | {spent * 1e3:.2f} | {memory} | {growth:+.1f} over {args.steady:.0f} s |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
