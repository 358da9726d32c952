"""From a line written to its commit, while `ringlet ingest --watch` runs; and what watching costs when nothing happens.

Budget: p50 at most 10 ms, p99 at most 100 ms, 1 ms CPU per event, 0.2 % of a core and 150 MB when idle. What is committed is what
`ringlet usage` shows; what is shown without looking at the logs follows in the watcher's next pause: at the end those totals are compared
with the corpus's truth plus the lines written here.

Whoever measures a delay looks at the journal five thousand times a second, which takes from the same processor: CPU is that of as many
further lines that nobody waits for. Beside each line with a call agents write others, a prompt or a tool's result: their CPU stands alone.
"""

import os
import random
import signal
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

from benchmarks import harness
from benchmarks.new_lines import line

_RESULT = (
    '{{"type":"user","uuid":"told-{n}","sessionId":"new","timestamp":"2026-10-05T10:00:00.000Z","cwd":"/home/dev/src/app","version":"2.1.251",'
    '"message":{{"role":"user","content":[{{"type":"tool_result","tool_use_id":"toolu_{n}","content":"{text}"}}]}}}}\n'
)
_TEXT = "a line of a file that an agent looked at " * 25
_GAP_S = (0.001, 0.02)
"""From one line to the next: at least, at most."""
_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_of(pid: int) -> float:
    """CPU seconds that a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def memory_of(pid: int) -> float:
    """Anonymous resident memory in MB; mapped files are page cache."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon"))


def visible(journal: sqlite3.Connection, before: int, *, within: float = 10.0) -> float:
    """Seconds until another process has committed."""
    began = time.perf_counter()
    while journal.execute("PRAGMA data_version").fetchone()[0] == before:
        if time.perf_counter() - began > within:
            raise RuntimeError(f"nothing was committed within {within} s")
        time.sleep(0.0002)
    return time.perf_counter() - began


def cpu_per_line(pid: int, lines: Sequence[str], write: Callable[[str], None], rng: random.Random) -> float:
    """CPU seconds that a process takes for each of some lines, which are written with pauses."""
    start = cpu_of(pid)
    for content in lines:
        write(content)
        time.sleep(rng.uniform(*_GAP_S))
    return (cpu_of(pid) - start) / len(lines)


def _write(rng: random.Random, files: Sequence[Path], content: str) -> None:
    with rng.choice(files).open("a") as file:
        file.write(content)


def told(command: harness.Command, *, within: float = 10.0) -> None:
    """Run a command until its check is passed; raises what the check raised last."""
    end = time.monotonic() + within
    while True:
        try:
            harness.once(command)
            return
        except RuntimeError:
            if time.monotonic() > end:
                raise
        time.sleep(0.2)


def main() -> int:
    parser = harness.arguments(__doc__, rounds=300)
    parser.add_argument("--idle", type=float, default=20.0, help="seconds of silence to measure (default: 20)")
    parser.add_argument("--settle", type=float, default=5.0, help="seconds until the watcher has looked at everything (default: 5)")
    args = parser.parse_args()
    home, truth = harness.home(args.work, args.bytes)
    projects = home / ".claude" / "projects" / "-home-dev-src-watched"
    projects.mkdir(exist_ok=True)
    files = [projects / f"watched-{n}-{os.getpid()}.jsonl" for n in range(4)]
    rng = random.Random(1)
    with harness.store(args.work, "watch") as store:
        env = {"HOME": str(home), "RINGLET_HOME": str(store)}
        harness.once(harness.Command("import", harness.ringlet("usage", "--period", "all"), env))
        null = subprocess.DEVNULL
        watcher = subprocess.Popen(
            harness.ringlet("ingest", "--watch"), env={**os.environ, **env}, stdin=null, stdout=null, cwd=harness.ROOT
        )
        try:
            time.sleep(args.settle)
            start = cpu_of(watcher.pid)
            time.sleep(args.idle)
            idle = (cpu_of(watcher.pid) - start) / args.idle
            write = partial(_write, rng, files)
            with closing(sqlite3.connect(f"file:{store}/journal.db?mode=ro", uri=True)) as journal:
                delays = []
                for number in range(args.rounds):
                    before = journal.execute("PRAGMA data_version").fetchone()[0]
                    write(line(f"{os.getpid()}-{number}"))
                    delays.append(visible(journal, before))
                    time.sleep(rng.uniform(*_GAP_S))
            calls = [line(f"{os.getpid()}-{number}") for number in range(args.rounds, 2 * args.rounds)]
            a_call = cpu_per_line(watcher.pid, calls, write, rng)
            others = [_RESULT.format(n=number, text=_TEXT) for number in range(args.rounds)]
            another = cpu_per_line(watcher.pid, others, write, rng)
            memory = memory_of(watcher.pid)
            for name in ("requests", "input", "output"):
                truth["total"][name] += 2 * args.rounds
            asked = harness.ringlet("usage", "--period", "all", "--agent", "claude", "--no-sync", "--json")
            told(harness.Command("usage", asked, env, check=harness.exact(truth)))
        finally:
            watcher.send_signal(signal.SIGTERM)
            watcher.wait(30)
            for path in files:
                path.unlink(missing_ok=True)
    delays.sort()
    p50, p99 = statistics.median(delays), delays[int(len(delays) * 0.99)]
    print(f"### Written to committed, {args.rounds} lines, {args.bytes} of history ({harness.machine()})\n")
    print("| p50 ms | p99 ms | max ms | CPU ms per call | CPU ms per other line | idle, % of a core | memory MB |")
    print("|---|---|---|---|---|---|---|")
    told_ms = f"{p50 * 1e3:.2f} | {p99 * 1e3:.2f} | {delays[-1] * 1e3:.2f}"
    print(f"| {told_ms} | {a_call * 1e3:.2f} | {another * 1e3:.2f} | {idle:.2%} | {memory:.0f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
