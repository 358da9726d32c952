"""A tree of known calls is imported again from another place: everything is read, nothing is added.

Budget: 1 M known calls in at most 4 s, 0 added.
"""

import json
import shutil
import sys

from benchmarks import harness


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
    print(harness.table(f"Repeat import of {known:,} known calls ({harness.machine()})", [again], against=[]))
    print(f"First import: {first.wall:.2f} s. Per million known calls: {again.wall() / known * 1e6:.2f} s. Added: 0 (totals unchanged).")
    print(json.dumps({"known": known, "wall_s": again.wall(), "cpu_s": again.cpu(), "peak_bytes": again.peak()}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
