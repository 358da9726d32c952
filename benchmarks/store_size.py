"""How large the store is beside the logs that it was made from.

Budget: at most 2 % of their bytes, views included.
"""

import sys

from benchmarks import harness


def main() -> int:
    args = harness.arguments(__doc__).parse_args()
    home, truth = harness.home(args.work, args.bytes)
    with harness.store(args.work, "size") as store:
        env = {"HOME": str(home), "RINGLET_HOME": str(store)}
        harness.once(harness.Command("import", harness.ringlet("usage", "--period", "all"), env))
        harness.once(harness.Command("views", harness.ringlet("views", "rebuild"), env))
        harness.settled(store)
        logs = harness.size_below(home / ".claude")
        parts = {path.name: harness.size_below(path) if path.is_dir() else path.stat().st_size for path in sorted(store.iterdir())}
    calls = truth["total"]["requests"]
    print(
        f"### Store of {args.bytes}, {calls:,} calls ({harness.machine()})\n\n| part | MB | bytes a call | of the logs |\n|---|---|---|---|"
    )
    for name, size in [*parts.items(), ("all", sum(parts.values()))]:
        print(f"| {name} | {size / 1e6:.2f} | {size / calls:.0f} | {size / logs:.2%} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
