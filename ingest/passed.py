"""What finished replies proved, on its way into the log.

Decides the place that a captured call has among the sources: the proxy is one, and each reply a line of it. Pure.
"""

from collections.abc import Sequence

import msgspec

from pipeline.batch import Batch
from pipeline.digests import blake2b
from pipeline.events import Event, Rejected, UsageEvent
from pipeline.sources import Counts, Cursor, Quarantined, Reading, Source

SOURCE = Source(path="capture", agent="capture", root="", kind="capture")


class Record(msgspec.Struct, frozen=True, gc=False):
    """What one finished reply proved."""

    events: Sequence[Event]
    bytes: int


def told(records: Sequence[Record], source: int, before: Cursor | None) -> tuple[Batch, Reading]:
    """What records say, as one batch and its reading: the cursor counts replies, so that each has a place of its own."""
    batch = Batch()
    at = 0 if before is None else before.offset
    reading = Reading(source_id=source, before=before, after=Cursor(offset=at + len(records)))
    counts: Counts = reading.counts
    for offset, record in enumerate(records, at):
        counts.bytes += record.bytes
        for event in record.events:
            counts.lines += 1
            if isinstance(event, UsageEvent):
                batch.add((event,), root=None, source=source, offset=offset, length=record.bytes, origin="capture")
                counts.events += 1
            elif isinstance(event, Rejected):
                counts.quarantined += 1
                digest = blake2b(f"{offset}\x1f{event.reason}".encode(), digest_size=16).digest()
                reading.quarantined.append(
                    Quarantined(offset=offset, length=record.bytes, reason=event.reason, digest=digest, tokens=event.tokens)
                )
            else:
                counts.ignored += 1
                reading.seen[event.what] = reading.seen.get(event.what, 0) + 1
    return batch, reading
