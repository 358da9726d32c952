"""One ingester of the kill tests, in a process of its own: reads all transcripts below a root into a store, and says what is committed.

It works as `ringlet ingest` does, in many small commits, with seals and compactions in between.
"""

import os
import random
import resource
from contextlib import suppress
from datetime import date

from ingest.adapters.claude import ADAPTER
from ingest.discover import Found, under
from ingest.reader import Manner, Work, read, unchanged
from pipeline import durable
from pipeline import log as log_module
from pipeline.batch import Batch
from pipeline.errors import Held
from pipeline.log import Log
from pipeline.sources import Reading

NOW_US = 1_800_000_000_000_000
TODAY = date(2027, 1, 15)


def work(home: str, root: str, acknowledged: str, seed: int, said: str, fault: str | None, largest: int | None) -> None:
    """The life of an ingester, in the process that was forked for it.

    After each commit it appends `message output` for each sighting of it to the file `acknowledged`, in one write. What goes wrong goes to
    the file `said`. With `fault` ("step:n") it dies there; no file of it grows beyond `largest` bytes.
    """
    os.dup2(os.open(said, os.O_WRONLY | os.O_CREAT, 0o600), 2)
    if largest is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
    durable._fault = fault
    # So that small tests meet both kinds of commit: hot rows and segments.
    log_module.BULK_ROWS = 40
    ingest(home, root, os.open(acknowledged, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), random.Random(seed))


def ingest(home: str, root: str, acknowledged: int, rng: random.Random) -> None:
    """Until every source is read to its end."""
    with Log.open(home) as log:
        while True:
            found = list(under(ADAPTER, root, []))
            rng.shuffle(found)
            ids = log.register([each.source for each in found])
            cursors = {source.id: source.cursor for source in log.sources()}
            due = [each for each in found if not unchanged(each, cursors[ids[each.source.path]])]
            if not due:
                break
            while due:
                some = rng.randrange(1, 5)
                commit(log, due[:some], ids, acknowledged)
                del due[:some]
                if rng.random() < 0.3:
                    log.seal()
                if rng.random() < 0.3:
                    compact(log)
        log.seal()
        compact(log)


def compact(log: Log) -> None:
    """As watchers do it: whoever comes second leaves it to the first."""
    with suppress(Held):
        log.compact(TODAY)


def commit(log: Log, found: list[Found], ids: dict[str, int], acknowledged: int) -> None:
    batch, readings = Batch(), []
    cursors = {source.id: source.cursor for source in log.sources()}
    for each in found:
        number = ids[each.source.path]
        reading = read(ADAPTER, Work(found=each, source_id=number, cursor=cursors[number]), batch, Manner(now_ns=NOW_US * 1000))
        assert isinstance(reading, Reading)
        readings.append(reading)
    done = log.commit(batch, readings, ingested_at_us=NOW_US)
    said = [
        f"{message} {output}\n"
        for message, output, source in zip(batch.message_id, batch.output, batch.source, strict=True)
        if source not in done.stale
    ]
    os.write(acknowledged, "".join(said).encode())
