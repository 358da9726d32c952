"""Known calls are imported again: once by a log that is handed what it holds, once as a tree of files from another place.

Budget: 1 M known calls handed to the log again in at most 4 s, 0 added. A copied tree is read line by line besides: what that takes is
told, and that it adds nothing is checked.
"""

import json
import shutil
import sqlite3
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks import harness
from ingest import registry
from ingest.bulk import read_all
from ingest.discover import discover
from ingest.reader import Manner, Work
from pipeline.log import Log


@dataclass
class Again:
    """What it took to hand a log what it holds."""

    calls: int = 0
    """Sightings handed over: one for each call and file."""
    changed: int = 0
    """Calls added or updated by that."""
    wall: float = 0.0
    cpu: float = 0.0


def known_again(home: Path, store: Path) -> Again:
    """All that lies in `home` is read as if nobody had, and only what the log does with it is measured."""
    with sqlite3.connect(store / "journal.db") as journal:
        journal.execute("UPDATE sources SET cursor = NULL")
    journal.close()
    again = Again()
    adapters = registry.adapters()
    with Log.open(store) as log:
        numbers = {known.source.path: known.id for known in log.sources()}
        look = discover(adapters, {"HOME": str(home)}, str(home))
        work = [Work(found=found, source_id=numbers[found.source.path]) for found in look.found]
        for harvest in read_all(work, {each.agent: each for each in adapters}, Manner(now_ns=time.time_ns())):
            wall, cpu = time.perf_counter(), time.process_time()
            done = log.commit(harvest.batch, harvest.readings, ingested_at_us=time.time_ns() // 1000)
            again.wall += time.perf_counter() - wall
            again.cpu += time.process_time() - cpu
            again.calls += len(harvest.batch)
            again.changed += done.new + done.updated
    return again


def main() -> int:
    args = harness.arguments(__doc__, size="2.1G", rounds=3).parse_args()
    home, truth = harness.home(args.work, args.bytes, "--lean")
    copy = args.work / "repeat-copy"
    shutil.rmtree(copy, ignore_errors=True)
    with harness.store(args.work, "repeat") as store:
        env = {"HOME": str(home), "RINGLET_HOME": str(store)}
        asked = harness.Command(
            "usage", harness.ringlet("usage", "--period", "all", "--no-sync", "--json"), env, check=harness.exact(truth)
        )
        first = harness.once(harness.Command("first import", harness.ringlet("ingest"), env))
        harness.once(asked)
        handed = [known_again(home, store) for _ in range(args.rounds)]
        if any(each.changed for each in handed):
            raise RuntimeError(f"a log that knew every call changed {[each.changed for each in handed]} of them")
        again = harness.Command("import of a copy", [], env, sample_memory=True)
        for number in range(args.rounds):
            # Each round needs files that the store has never seen: a copy under a new name.
            root = copy / str(number) / ".claude"
            shutil.copytree(home / ".claude", root)
            again.argv = harness.ringlet("import", "claude", "--from", str(root))
            again.runs.append(harness.once(again))
            shutil.rmtree(copy)
        harness.once(asked)
    known = truth["total"]["requests"]
    wall, cpu = (statistics.median(getattr(each, name) / each.calls for each in handed) for name in ("wall", "cpu"))
    print(harness.table(f"Repeat import of {known:,} known calls ({harness.machine()})", [again], against=[]))
    print(f"Handed to the log again: {wall * 1e6:.2f} s per million calls ({cpu * 1e6:.2f} s CPU). Added: 0.")
    print(f"First import: {first.wall:.2f} s. Import of a copy: {again.wall() / known * 1e6:.2f} s per million calls. Added: 0.")
    told = {"known": known, "handed_wall_us": wall * 1e6, "handed_cpu_us": cpu * 1e6}
    print(json.dumps(told | {"wall_s": again.wall(), "cpu_s": again.cpu(), "peak_bytes": again.peak()}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
