"""The log as frames: its rows of some UTC dates, sealed and hot, of every machine.

Decides how the log is read for views. Which dates are read, and what becomes of their rows, is decided by `materialize`.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date, timedelta
from hashlib import blake2b
from typing import NamedTuple, TypeVar

import polars as pl

from pipeline import across, placement
from pipeline.errors import Damaged
from pipeline.keys import HANDLE_BYTES, is_request, request_in
from pipeline.log import Log
from pipeline.questions import Position
from views.calls import lost_elsewhere
from views.columns import INSTANT, LOG, MONEY, NAME

BATCH_ROWS = 100_000
"""Rows that are worked on together: larger frames leave the processor's caches, smaller ones are not worth their calls."""
_THREADS = 2
"""Batches that are worked on at once: each is a chain of steps most of which use one core."""

T = TypeVar("T")

_OF_SEVERAL: dict[str, pl.Expr] = {
    "kind": pl.lit("call", NAME),
    "rank": pl.lit(None, pl.Binary()),
    "owner_rank": pl.lit(None, pl.Int64()),
    "requests": pl.lit(1, pl.Int64()),
}
"""What tells several rows of one call apart, and what it is taken for, unread, where every call has but one."""
_EPOCH = date(1970, 1, 1)
_BYTES_A_ROW = 80
"""For batches of files whose rows nobody has counted."""


class File(NamedTuple):
    """One segment."""

    path: str
    day: int
    machine: str
    rows: int
    is_plain: bool = False
    """Whether no row corrects another; False where nobody has looked."""


class Content(NamedTuple):
    """What the log holds at one moment."""

    machine: str
    """This machine's name in the log."""
    position: Position
    files: tuple[File, ...]
    hot: pl.DataFrame
    """Rows that no segment holds yet."""
    changed: frozenset[int] | None
    """UTC days with rows later than a known position; None where nothing is known of that."""
    foreign: str
    """Differs with every file that another machine's log adds; empty where there is none."""

    def days(self) -> set[int]:
        """UTC days with rows."""
        return {file.day for file in self.files} | self._hot_days()

    def plain_days(self) -> set[int]:
        """UTC days on which every call has one row, and one machine alone has rows."""
        if self.foreign:
            return set()
        return self.days() - self._hot_days() - {file.day for file in self.files if not file.is_plain}

    def _hot_days(self) -> set[int]:
        return set(self.hot["at"].dt.date().unique().to_physical())


def look(log: Log, since: Position | None = None, columns: Sequence[str] = (*LOG, "aliases")) -> Content:
    """The log as it stands; `since` is the position of which `changed` tells, `columns` and machine are what `hot` has."""
    with log.snapshot():
        position, table = log.position(), log.hot_rows()
        own = [File(one.path, one.day, log.machine, one.rows, one.sums["requests"] == one.rows) for one in log.segments()]
        changed = None if since is None else log.changed_days(since)
    names = _foreign_names(log)
    hot = pl.DataFrame(schema={"at": INSTANT, "machine": NAME})
    if table is not None:
        hot = _typed(pl.DataFrame(table).select(*columns), log.machine)
    files = (*own, *(_foreign(log.home, name) for name in names))
    return Content(log.machine, position, files, hot, None if changed is None else frozenset(changed), _told_apart(names))


def foreign(log: Log) -> str:
    """`Content.foreign` of a log."""
    return _told_apart(_foreign_names(log))


def rows(content: Content, days: set[int], columns: Sequence[str] = LOG) -> pl.DataFrame:
    """The log's rows of some UTC days: `columns`, date and machine; on plain days without a rank."""
    plain = days & content.plain_days()
    # A rank is as random as a key: reading what is not needed would be a fifth of all reading.
    unread = [_OF_SEVERAL[name].alias(name) for name in columns if name in _OF_SEVERAL]
    parts = [part.with_columns(unread) for part in _sealed(content, plain, [name for name in columns if name not in _OF_SEVERAL])]
    parts += _sealed(content, days - plain, columns)
    if content.hot.height:
        wanted = pl.col("at").dt.date().is_in([date_of(day) for day in days])
        parts.append(content.hot.filter(wanted))
    return pl.concat(part.select(*columns, "machine") for part in parts).with_columns(pl.col("at").dt.date().alias("date"))


def _sealed(content: Content, days: set[int], columns: Sequence[str]) -> list[pl.DataFrame]:
    by_machine: dict[str, list[str]] = {}
    for file in content.files:
        if file.day in days:
            by_machine.setdefault(file.machine, []).append(file.path)
    return [_typed(_read(content, machine, paths, columns), machine) for machine, paths in by_machine.items()]


def _read(content: Content, machine: str, paths: Sequence[str], columns: Sequence[str]) -> pl.DataFrame:
    # Parquet costs a process that only follows the journal 50 MB.
    from pipeline.segments import read_interned

    try:
        return pl.DataFrame(read_interned(paths, columns))
    except Damaged as error:
        if machine == content.machine:
            raise
        # Nothing here can make another machine's segment again.
        mend = "it came from another machine: let its copying end, copy it again, or delete it"
        raise Damaged(error.what, where=error.where, mend=mend) from error


def lost(content: Content) -> pl.DataFrame | None:
    """The records that lose to another machine's, as `calls.folded` takes them; None where there is but one machine."""
    if not content.foreign:
        return None
    records = rows(content, content.days(), ("key", "aliases", "kind", "rank", "owner_rank", "at", "requests"))
    return lost_elsewhere(records, _same(content, records))


def _same(content: Content, records: pl.DataFrame) -> dict[bytes, bytes]:
    """The key that stands for a call, by each other key that names it on some machine."""
    # Names of a call begin alike, but for the few that rows state and those of a request alone: only such rows are worth a look.
    handle = pl.col("key").bin.head(HANDLE_BYTES)
    by_handle = records.group_by(handle.alias("handle")).agg(pl.col("key").n_unique().alias("keys"))
    odd = records.filter(pl.col("aliases").is_not_null())
    named = [*odd["key"], *odd["aliases"].explode()]
    ends = [end for end in records.select(pl.col("key").bin.slice(15)).to_series().unique() if is_request(bytes(15) + end)]
    requests = [*records.filter(pl.col("key").bin.slice(15).is_in(ends))["key"], *filter(is_request, named)]
    handles = {*by_handle.filter(pl.col("keys") > 1)["handle"], *(name[:HANDLE_BYTES] for name in named)}
    if not handles and not requests:
        return {}
    asked = [request_in(name) for name in requests]
    wanted = handle.is_in(list(handles)) | pl.col("key").bin.slice(8, 7).is_in(asked) | pl.col("key").is_in(requests)
    met = (rows(content, days, (*across.COLUMNS, "at")).filter(wanted) for days in map(set, _batches(content, content.days())))
    return across.same_calls(row for part in met for row in part.select(across.COLUMNS).iter_rows())


def ahead(
    content: Content, days: Iterable[int], make: Callable[[pl.DataFrame], T], *, apart: Callable[[int], str] = lambda _: ""
) -> Iterator[tuple[list[int], T]]:
    """`days` in order, as many at once as `BATCH_ROWS` allows, with what `make` makes of their rows; it is called from several threads.

    Days of which `apart` says something different are never in one batch.
    """

    def made(batch: list[int]) -> T:
        return make(rows(content, set(batch)))

    with ThreadPoolExecutor(_THREADS) as pool:
        waiting: deque[tuple[list[int], Future[T]]] = deque()
        try:
            for batch in _batches(content, days, apart):
                waiting.append((batch, pool.submit(made, batch)))
                if len(waiting) > _THREADS:
                    begun, result = waiting.popleft()
                    yield begun, result.result()
            while waiting:
                begun, result = waiting.popleft()
                yield begun, result.result()
        finally:
            for _, result in waiting:
                result.cancel()


def _batches(content: Content, days: Iterable[int], apart: Callable[[int], str] = lambda _: "") -> Iterator[list[int]]:
    sizes: dict[int, int] = {}
    for file in content.files:
        sizes[file.day] = sizes.get(file.day, 0) + file.rows
    batch: list[int] = []
    held = 0
    for day in sorted(days):
        if batch and (held + sizes.get(day, 0) > BATCH_ROWS or apart(day) != apart(batch[-1])):
            yield batch
            batch, held = [], 0
        batch.append(day)
        held += sizes.get(day, 0)
    if batch:
        yield batch


def date_of(day: int) -> date:
    """The date of a UTC day number."""
    return _EPOCH + timedelta(days=day)


def _typed(found: pl.DataFrame, machine: str) -> pl.DataFrame:
    kinds = {"at": INSTANT, "logged_cost_usd": MONEY}
    casts = [pl.col(name).cast(kind) for name, kind in kinds.items() if name in found.columns]
    return found.with_columns(pl.selectors.string().cast(NAME), *casts, pl.lit(machine, NAME).alias("machine"))


def _foreign_names(log: Log) -> list[str]:
    return sorted(name for name in placement.published_names(log.home) if f"/machine={log.machine}/" not in name)


def _told_apart(names: list[str]) -> str:
    return blake2b("\n".join(names).encode(), digest_size=16).hexdigest() if names else ""


def _foreign(home: str, name: str) -> File:
    path = placement.published_path(home, name)
    machine = name.split("/")[1].removeprefix("machine=")
    return File(path, placement.day_of(name), machine, os.path.getsize(path) // _BYTES_A_ROW)
