"""The protocols by which the log changes its files, each small enough to be broken at every point, and the judgement over what is left."""

import shutil
from collections.abc import Callable
from datetime import date
from hashlib import blake2b
from pathlib import Path

from pipeline import journal
from pipeline.errors import RingletError
from pipeline.log import Log
from pipeline.record import DAY_US
from tests.faults.killing import rows, sums
from tests.pipeline.sightings import NOON, Feed, Sighting, known

Protocol = Callable[[Log], None]


def call(key: str, output: int, day: int = 0) -> Sighting:
    return Sighting(key=key, rank=output, output=output, at_us=NOON + day * DAY_US, message_id=key)


def bulk(log: Log) -> None:
    """Many rows at once: new calls on two days, a better record of one, one that moves to another day."""
    Feed(log).commit(call("a", 50), call("b", 60, day=1), call("e", 7), call("f", 8, day=1))


def seal(log: Log) -> None:
    """A few hot rows, then a seal."""
    Feed(log).commit(call("e", 7))
    log.seal()


def compact(log: Log) -> None:
    """Two segments of one day become one."""
    log.compact(date(2024, 11, 1))


PROTOCOLS = {"bulk": bulk, "seal": seal, "compact": compact}


def judged(home: Path) -> str | None:
    """What is wrong with a store after the cut; None if it is as the last commit left it."""
    due = committed(home)
    try:
        with Log.open(home) as log:
            if known(log) != due:
                return f"lost or changed: {due} became {known(log)}"
            held = log.segments()
            for segment in held:
                if blake2b(Path(segment.path).read_bytes(), digest_size=16).digest() != segment.digest:
                    return f"torn: {segment.name}"
            parts = [rows(segment.path) for segment in held]
            hot = log.hot_rows()
            files = {str(path) for path in (home / "events").rglob("*") if path.is_file()}
            if files != {segment.path for segment in held}:
                return f"not the log's: {files ^ {segment.path for segment in held}}"
        requests, output = sums(parts + ([] if hot is None else [hot.select(["message_id", "requests", "output"])]))
    except (RingletError, OSError, ValueError) as error:
        return repr(error)
    if set(requests.values()) - {1} or sorted(output.values()) != sorted(row[4] for row in due):  # type: ignore[type-var]
        return f"counted wrongly: {requests}, {output}"
    return None


def committed(home: Path) -> list[tuple[object, ...]]:
    """What the journal on the disk says was committed, read from a copy."""
    aside = home.parent / "aside"
    aside.mkdir()
    for file in home.glob("journal.db*"):
        shutil.copy(file, aside)
    # Not `Log.open`: that would mend, and only what was committed is asked here.
    with Log(str(aside), journal.connect(str(aside / "journal.db"))) as log:
        found = known(log)
    shutil.rmtree(aside)
    return found
