"""What an adapter makes of records in a test, and what the log makes of whole files, each committed by itself."""

import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ingest.adapter import Adapter, Place
from pipeline.batch import Batch
from pipeline.events import Event, Rejected, Seen, UsageEvent
from pipeline.log import Log
from pipeline.sources import Cursor, Reading, Source

HEAD_BYTES = 64 << 10

Sums = tuple[int, int, int, int, int]


def encoded(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def stepped(adapter: Adapter[Any], path: str, records: Sequence[bytes]) -> list[list[Event]]:
    """What each record of one source gives."""
    state = adapter.start(Place(path=path, root="/home/u/agent", head=b"".join(record + b"\n" for record in records)[:HEAD_BYTES]))
    found = []
    for record in records:
        state, events = adapter.step(state, record)
        found.append(events)
    return found


def usage(adapter: Adapter[Any], path: str, records: Sequence[bytes]) -> list[UsageEvent]:
    """The sightings of calls in one source."""
    return [event for events in stepped(adapter, path, records) for event in events if isinstance(event, UsageEvent)]


def others(adapter: Adapter[Any], path: str, records: Sequence[bytes]) -> list[str]:
    """Reasons of rejections and names of counters in one source."""
    events = [event for events in stepped(adapter, path, records) for event in events]
    return [event.reason if isinstance(event, Rejected) else event.what for event in events if isinstance(event, Rejected | Seen)]


def batch_of(sightings: Sequence[UsageEvent], source: int = 1) -> Batch:
    batch = Batch()
    batch.add(sightings, root="/home/u/agent", source=source, offset=0, length=1)
    return batch


def by_session(home: Path, adapter: Adapter[Any], files: Sequence[tuple[str, list[bytes]]]) -> dict[str | None, Sums]:
    """(calls, input, cache reads, cache writes, output) by owning session in a log at `home`, after one commit for each of `files`."""
    found: dict[str | None, list[int]] = defaultdict(lambda: [0] * 5)
    with Log.open(home) as log:
        for number, (path, records) in enumerate(files):
            source = Source(path=f"/home/u/agent/{number}/{path}", agent=adapter.agent, root="/home/u/agent")
            (id,) = log.register([source]).values()
            reading = Reading(source_id=id, before=None, after=Cursor(inode=number + 1))
            log.commit(batch_of(usage(adapter, path, records), id), [reading], ingested_at_us=0)
        known = list(log.calls(0, 40_000))
        dims = log.dims({call.dim for call in known})
        for call in known:
            counts = (1, call.input, call.cache_read, call.cache_write_5m + call.cache_write_1h, call.output)
            found[dims[call.dim].session] = [a + b for a, b in zip(found[dims[call.dim].session], counts, strict=True)]
    return {session: (a, b, c, d, e) for session, (a, b, c, d, e) in found.items()}
