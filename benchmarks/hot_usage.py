"""`ringlet usage` when nothing is new: freshness is proved by a sweep over all sources, then a snapshot answers.

Budget: at most 4 times the bare interpreter, 0.02 of ccusage, 0.05 of tokscale with a warm cache.
"""

import sys

from benchmarks import harness


def main() -> int:
    args = harness.arguments(__doc__, rounds=15).parse_args()
    home, truth = harness.home(args.work, args.bytes)
    with harness.store(args.work, "hot") as store:
        env = {"HOME": str(home), "RINGLET_HOME": str(store)}
        harness.once(harness.Command("import", harness.ringlet("usage", "--period", "all"), env))
        bare = harness.Command("python -I -S -c pass", harness.BARE)
        checked = harness.Command("usage --json", harness.ringlet("usage", "--period", "all", "--agent", "claude", "--json"), env)
        checked.check = harness.exact(truth)
        asked = [
            harness.Command("usage", harness.ringlet("usage"), env),
            harness.Command("usage --period all", harness.ringlet("usage", "--period", "all"), env),
            harness.Command("usage models --period 30d", harness.ringlet("usage", "models", "--period", "30d"), env),
            harness.Command("usage models --period all", harness.ringlet("usage", "models", "--period", "all"), env),
            harness.Command("usage daily --period 30d", harness.ringlet("usage", "daily", "--period", "30d"), env),
            harness.Command("usage daily", harness.ringlet("usage", "daily"), env),
            harness.Command("usage --no-sync", harness.ringlet("usage", "--no-sync"), env),
            checked,
        ]
        warm = harness.tokscale(home, cold=False)
        harness.interleaved([bare, *asked, *warm], rounds=args.rounds)
        slow = harness.ccusage(home)
        harness.interleaved(slow, rounds=min(3, args.rounds))
    title = f"Nothing new, {args.bytes} of history ({harness.machine()})"
    print(harness.table(title, [bare, *asked, *warm, *slow], against=[bare, *warm, *slow]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
