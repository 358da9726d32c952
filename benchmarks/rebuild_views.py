"""Every view is rebuilt from the log, in a store of many calls that is made for it.

Budget: 10 M calls in at most 12 s and 900 MB; the cube and what rolls up from it alone, from the calls that stand, in at most 4 s.
"""

import random
import shutil
import struct
import sys
from array import array
from pathlib import Path
from typing import Any

from benchmarks import harness
from pipeline.batch import Batch, Dims
from pipeline.columns import Digests, Texts
from pipeline.log import Log
from pipeline.sources import Cursor, Reading, Source

MODELS = ("claude-opus-4-7", "claude-sonnet-4-6", "claude-haiku-4-5-20251001", "claude-opus-5", "gpt-5.5", "gpt-5.4-mini")
DAY_US = 86_400_000_000
FIRST_DAY = 20_200
PART = 250_000
EVERY_US = DAY_US // 60
"""A session begins that often."""
AT_WORK = 9
"""Sessions at work at once. The corpus of transcripts has 37 combinations of session and quarter-hour in 1,000 calls; this makes 36."""


def fill(store: Path, calls: int, days: int) -> None:
    """Commit `calls` made-up calls over `days` days: 60 sessions a day in 20 projects, each at work for some hours."""
    rng = random.Random(1)
    with Log.open(store) as log:
        source = log.register([Source(path="/made/up.jsonl", agent="claude", root="/made")])["/made/up.jsonl"]
        before = None
        for start in range(0, calls, PART):
            count = min(PART, calls - start)
            after = Cursor(offset=start + count)
            log.commit(
                batch(rng, source, start, count, calls, days), [Reading(source_id=source, before=before, after=after)], ingested_at_us=0
            )
            before = after
            print(f"  {start + count:,} calls", file=sys.stderr)


def batch(rng: random.Random, source: int, start: int, count: int, calls: int, days: int) -> Batch:
    """Calls number `start` to `start + count`, in the order of time."""
    numbers = range(start, start + count)
    at_us = array("q", [FIRST_DAY * DAY_US + number * days * DAY_US // calls for number in numbers])
    dims: list[Dims] = []
    known: dict[int, int] = {}
    dim = array("q")
    for at in at_us:
        session = at // EVERY_US - rng.randrange(AT_WORK)
        number = known.get(session)
        if number is None:
            number = known[session] = len(dims)
            model = MODELS[session % len(MODELS)]
            agent, provider = ("codex", "openai") if model.startswith("gpt") else ("claude", "anthropic")
            project = f"/home/dev/src/p{session % 20}"
            dims.append(Dims(agent=agent, model=model, root="/made", provider=provider, session=f"s{session}", project=project))
        dim.append(number)
    zeros = array("q", [0]) * count
    nothing: list[Any] = [None] * count
    pack = struct.Struct(">QQ").pack
    return Batch(
        dims=dims,
        dim=dim,
        # Odd multiplication spreads consecutive numbers over all 64 bits and keeps them different.
        key=Digests(b"".join(pack(number * 0x9E3779B97F4A7C15 % 2**64, number) for number in numbers)),
        rank=Digests(b"".join(pack(1 << 63, number) for number in numbers)),
        owner_rank=zeros,
        at_us=at_us,
        input=array("q", [rng.randrange(2, 400) for _ in numbers]),
        output=array("q", [rng.randrange(20, 3_000) for _ in numbers]),
        cache_read=array("q", [rng.randrange(100_000) for _ in numbers]),
        cache_write_5m=array("q", [rng.randrange(3_000) for _ in numbers]),
        cache_write_1h=zeros,
        reasoning=nothing,
        web_searches=zeros,
        duration_ms=nothing,
        logged_cost=nothing,
        message_id=Texts(b"", array("i", [0]) * count, bytes(count)),
        request_id=Texts(b"", array("i", [0]) * count, bytes(count)),
        source=array("q", [source]) * count,
        offset=array("q", numbers),
        length=array("q", [100]) * count,
    )


def main() -> int:
    parser = harness.arguments(__doc__, size=None, rounds=3)
    parser.add_argument("--calls", type=int, default=10_000_000, help="calls in the store (default: 10 million)")
    parser.add_argument("--days", type=int, default=400, help="days that they spread over (default: 400)")
    args = parser.parse_args()
    store = args.work / f"store-{args.calls}-{args.days}"
    if not (store / "filled").exists():
        fill(store, args.calls, args.days)
        (store / "filled").touch()
    # A home without logs: nothing but the rebuild is measured.
    env = {"HOME": str(args.work / "no-logs"), "RINGLET_HOME": str(store)}
    rebuild = harness.Command("views rebuild --full", harness.ringlet("views", "rebuild", "--full"), env, sample_memory=True)

    def keep_calls() -> None:
        for view in ("sessions", "cube"):
            shutil.rmtree(store / "views" / view)

    summing = harness.Command(
        "views rebuild, cube and roll-ups alone", harness.ringlet("views", "rebuild"), env, prepare=keep_calls, sample_memory=True
    )
    again = harness.Command("views rebuild, nothing new", harness.ringlet("views", "rebuild"), env, sample_memory=True)
    commands = [rebuild, summing, again]
    harness.interleaved(commands, rounds=args.rounds, warm_up=False)
    print(harness.table(f"Rebuild of all views, {args.calls:,} calls ({harness.machine()})", commands, against=[]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
