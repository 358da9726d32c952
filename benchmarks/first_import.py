"""The first `ringlet usage` ever: from log files to a durable store and the first answer.

Budget against `ccusage claude daily --json --offline`: at 2 GB at most 0.9 of its wall and CPU time and 350 MB; at 200 MB at most 1.6
of its wall time. Every answer is compared with the corpus's truth. What a first answer leaves to a process of its own (up to 20,000 calls
are sealed by one) is not in its time, and is over before the next command runs.
"""

import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks import harness


def main() -> int:
    args = harness.arguments(__doc__).parse_args()
    for size in args.bytes.split(","):
        home, truth = harness.home(args.work, size)
        with harness.store(args.work, "first") as store:
            env = {"HOME": str(home), "RINGLET_HOME": str(store)}

            first = harness.Command(
                "ringlet, first run",
                harness.ringlet("usage", "--period", "all", "--agent", "claude", "--json"),
                env,
                prepare=partial(shutil.rmtree, store, ignore_errors=True),
                check=partial(_checked, store, harness.exact(truth)),
                sample_memory=True,
            )
            cat = harness.Command("cat", ["sh", "-c", 'find "$HOME/.claude" -name "*.jsonl" -exec cat {} + > /dev/null'], env)
            rivals = [*harness.ccusage(home), *harness.tokscale(home, cold=True)]
            for other in rivals:
                other.sample_memory = True
            harness.interleaved([first, cat, *rivals], rounds=args.rounds)
            logs, kept = harness.size_below(home / ".claude"), harness.size_below(store)
        print(harness.table(f"First import of {size} ({harness.machine()})", [first, cat, *rivals], against=[cat, *rivals]))
        print(f"Store: {kept / 1e6:.1f} MB for {logs / 1e6:.0f} MB of logs: {kept / logs:.2%}\n")
    return 0


def _checked(store: Path, exact: Callable[[bytes], None], output: bytes) -> None:
    exact(output)
    harness.settled(store)


if __name__ == "__main__":
    sys.exit(main())
