"""A small store for tests: events committed to a real log, and terms with prices of its own."""

from datetime import UTC, datetime, timedelta
from typing import Any

from pipeline import keys
from pipeline.batch import Batch
from pipeline.events import Tokens, UsageEvent
from pipeline.log import Log
from pipeline.profiles import Profile, Rule, Rules
from pipeline.sources import Cursor, Reading, Source
from views.attribution import Attribution
from views.pricing.book import Book
from views.terms import Terms

START = datetime(2026, 5, 1, 12, tzinfo=UTC)
ROOT = "/home/u/.claude"


def event(name: str, *, at: datetime = START, complete: bool = True, depth: int = 0, **facts: Any) -> UsageEvent:
    """One sighting of the call `name`; token classes and other facts by their names."""
    counts = {field: facts.pop(field) for field in Tokens.__struct_fields__ if field in facts}
    made = {"agent": "claude", "provider": "anthropic", "model": "claude-sonnet-4-5", "session": "s1", "project": "/src/shop", **facts}
    tokens = Tokens(**counts)
    at_us = keys.microseconds(at)
    return UsageEvent(
        key=keys.identity("test.call", name),
        at=at,
        tokens=tokens,
        rank=keys.rank(complete=complete, output=tokens.output, at_us=at_us, facts=repr((made, counts))),
        owner_rank=keys.owner_rank(copied=False, sidechain=False, depth=depth, session_start_us=at_us, session=made["session"]),
        **made,
    )


def commit(log: Log, *events: UsageEvent, path: str = "projects/a.jsonl") -> None:
    """Put the events into the log, as one reading of one source."""
    (number,) = log.register([Source(path=f"{ROOT}/{path}", agent="claude", root=ROOT)]).values()
    before = next(source.cursor for source in log.sources() if source.id == number)
    batch = Batch()
    for offset, one in enumerate(events):
        batch.add([one], root=ROOT, source=number, offset=offset, length=1)
    after = Cursor(offset=(before.offset if before else 0) + len(events) + 1)
    log.commit(batch, [Reading(source_id=number, before=before, after=after)], ingested_at_us=0)


SONNET = b"claude-sonnet-4-5\t\tanthropic\t0:i=3e12,o=15e12,r=3e11,w=375e10,h=6e12\n"
TWICE = b"claude-sonnet-4-5\t\tanthropic\t0:i=6e12,o=30e12,r=6e11,w=750e10,h=12e12\n"


def terms(*, book: bytes = SONNET, rules: Rules | None = None, zone: str = "UTC", stamp: str = "1") -> Terms:
    """Terms with a price book of one model."""
    return Terms(Attribution(rules or Rules()), Book(book), zone=zone, stamp=stamp)


WORK = Rules(profiles=(Profile(name="work"),), rules=(Rule(profile="work", project="/src/shop"),))


def days_later(days: float) -> datetime:
    """A time that many days after the start."""
    return START + timedelta(days=days)
