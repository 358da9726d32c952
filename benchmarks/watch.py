"""From a line written to its commit, while `ringlet ingest --watch` runs; and what watching costs when nothing happens.

Budget: p50 at most 10 ms, p99 at most 100 ms, 1 ms CPU per event, 0.2 % of a core and 150 MB when idle. What is committed is what
`ringlet usage` shows; what is shown without looking at the logs follows in the watcher's next pause: at the end those totals are compared
with the corpus's truth plus the lines written here.
"""

import os
import random
import signal
import sqlite3
import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks import harness
from benchmarks.new_lines import line

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
            journal = sqlite3.connect(f"file:{store}/journal.db?mode=ro", uri=True)
            delays = []
            start = cpu_of(watcher.pid)
            for number in range(args.rounds):
                before = journal.execute("PRAGMA data_version").fetchone()[0]
                with rng.choice(files).open("a") as file:
                    file.write(line(f"{os.getpid()}-{number}"))
                delays.append(visible(journal, before))
                time.sleep(rng.uniform(0.001, 0.02))
            spent = (cpu_of(watcher.pid) - start) / args.rounds
            memory = memory_of(watcher.pid)
            journal.close()
            for name in ("requests", "input", "output"):
                truth["total"][name] += args.rounds
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
    print("| p50 ms | p99 ms | max ms | CPU ms per event | idle, % of a core | memory MB |\n|---|---|---|---|---|---|")
    print(f"| {p50 * 1e3:.2f} | {p99 * 1e3:.2f} | {delays[-1] * 1e3:.2f} | {spent * 1e3:.2f} | {idle:.2%} | {memory:.0f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
