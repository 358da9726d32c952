"""`ringlet usage` after an agent wrote 1, 10 or 50 lines and nothing watched: the tails are read before the answer.

Budget: at most 0.15 of tokscale with a warm cache.
"""

import itertools
import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from benchmarks import harness

_LINE = (
    '{{"type":"assistant","uuid":"new-{n}","sessionId":"new","timestamp":"{at}","cwd":"/home/dev/src/app","version":"2.1.251",'
    '"requestId":"req_new{n}","message":{{"id":"msg_new{n}","role":"assistant","model":"claude-opus-4-7","stop_reason":"end_turn","content":[],'
    '"usage":{{"input_tokens":1,"output_tokens":1,"cache_read_input_tokens":0,"cache_creation_input_tokens":0}}}}}}\n'
)


def line(name: str) -> str:
    """A transcript line of a call that nobody has seen, of one input and one output token, with its newline.

    It is of now: what an agent writes is of today, and a day that is over costs more to count again.
    """
    return _LINE.format(n=name, at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"))


def main() -> int:
    args = harness.arguments(__doc__, rounds=9).parse_args()
    home, _ = harness.home(args.work, args.bytes)
    files = sorted((home / ".claude" / "projects").glob("*/*.jsonl"))
    # A file that ends in a torn line would swallow the first line appended to it.
    target = next(path for path in files if path.read_bytes().endswith(b"\n"))
    length = target.stat().st_size
    numbers = itertools.count()

    def append(path: Path, lines: int) -> None:
        with path.open("a") as file:
            file.writelines(line(str(next(numbers))) for _ in range(lines))

    try:
        with harness.store(args.work, "new") as store:
            env = {"HOME": str(home), "RINGLET_HOME": str(store)}
            harness.once(harness.Command("import", harness.ringlet("usage", "--period", "all"), env))
            bare = harness.Command("python -I -S -c pass", harness.BARE)
            ours = [
                harness.Command(f"usage, {lines} new", harness.ringlet("usage"), env, prepare=partial(append, target, lines))
                for lines in (1, 10, 50)
            ]
            warm = harness.tokscale(home, cold=False)
            for other in warm:
                other.prepare = partial(append, target, 1)
            harness.interleaved([bare, *ours, *warm], rounds=args.rounds)
    finally:
        with target.open("r+b") as file:
            file.truncate(length)
    title = f"New lines, {args.bytes} of history ({harness.machine()})"
    print(harness.table(title, [bare, *ours, *warm], against=[bare, *warm]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
