"""Where segments lie: their names, the staging folder, and the way from there into `events/`.

Decides names and the publishing step of the commit protocol. What a segment holds is decided by `pipeline.segments`; this module reads
none, so that whoever only counts or commits a few rows needs no Parquet.
"""

import os
from collections.abc import Iterable, Iterator
from datetime import date, timedelta

import msgspec

from pipeline import durable

_EPOCH_DAY = date(1970, 1, 1)


class SegmentInfo(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One segment of the log."""

    name: str
    """Path under `events/`."""
    day: int
    """UTC day number of all its rows."""
    epoch: str
    lo: int
    hi: int
    """Sequence numbers of its rows lie in lo..hi; where a compaction made it, both are a number of its own."""
    rows: int
    size: int
    """Bytes of the file."""
    digest: bytes
    """blake2b-128 of the file."""
    sums: dict[str, int]
    path: str = ""
    """Absolute path, where the segment is published."""


def segment_name(day: int, machine: str, epoch: str, lo: int, hi: int) -> str:
    """Path of a segment under `events/`."""
    return f"date={_EPOCH_DAY + timedelta(days=day)}/machine={machine}/{epoch}-{lo:010}-{hi:010}.parquet"


def day_of(name: str) -> int:
    """UTC day number in a segment's name; raises ValueError for another name."""
    if not name.startswith("date="):
        raise ValueError(name)
    return (date.fromisoformat(name[5:15]) - _EPOCH_DAY).days


def leaf_of(name: str) -> str:
    """Folder part of a segment's name."""
    return os.path.dirname(name)


def staged_path(home: str, name: str) -> str:
    """Where the segment lies before it is published."""
    return os.path.join(home, "staging", name.replace("/", ","))


def published_path(home: str, name: str) -> str:
    """Where the segment lies in the log."""
    return os.path.join(home, "events", name)


def publish(home: str, names: Iterable[str]) -> None:
    """The named segments lie in `events/`, durably. They must be committed; whoever comes second finds the work done.

    Raises FileNotFoundError for a segment that lies neither in staging nor in the log.
    """
    names = list(names)
    leaves = make_leaves(home, names)
    durable.step("leaf_made")
    for name in names:
        target = published_path(home, name)
        source = staged_path(home, name)
        try:
            durable.fs.rename_new(source, target)
        except FileNotFoundError:
            if not os.path.lexists(target):
                raise
        except FileExistsError:
            # A rename without no-replace is a link and an unlink: the crash came between the two.
            if os.path.lexists(source):
                durable.fs.unlink(source)
        durable.step("published_one")
    durable.fsync_dirs(published_path(home, leaf) for leaf in leaves)
    durable.step("published")


def make_leaves(home: str, names: Iterable[str]) -> Iterable[str]:
    """The folders in the log that the named segments belong into exist, durably; they, relative to `events/`."""
    leaves = dict.fromkeys(map(leaf_of, names))
    durable.make_dirs_of(os.path.join(home, "events"), leaves)
    return leaves


def staged_names(home: str) -> list[str]:
    """Names in the staging folder, as they lie there."""
    try:
        return sorted(os.listdir(os.path.join(home, "staging")))
    except FileNotFoundError:
        return []


def published_names(home: str, machine: str | None = None) -> Iterator[str]:
    """Names of all published segments, or of one machine's. Anything else under `events/` is passed over."""
    events = os.path.join(home, "events")
    for day in _entries(events, "date="):
        for leaf in _entries(os.path.join(events, day), "machine="):
            if machine is None or leaf == f"machine={machine}":
                for file in _entries(os.path.join(events, day, leaf), ""):
                    if file.endswith(".parquet"):
                        yield f"{day}/{leaf}/{file}"


def has_others(home: str, machine: str) -> bool:
    """Whether a folder of another machine than `machine` lies in the log, be it still empty: files may be on their way into it."""
    events = os.path.join(home, "events")
    return any(
        leaf != f"machine={machine}" for day in _entries(events, "date=") for leaf in _entries(os.path.join(events, day), "machine=")
    )


def machines(home: str, day: date) -> set[str]:
    """The machines that have a folder for a UTC date in the log."""
    return {leaf.removeprefix("machine=") for leaf in _entries(os.path.join(home, "events", f"date={day}"), "machine=")}


def _entries(path: str, prefix: str) -> list[str]:
    try:
        return sorted(name for name in os.listdir(path) if name.startswith(prefix))
    except (FileNotFoundError, NotADirectoryError):
        return []
