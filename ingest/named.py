"""Which sources can hold a record of a call: the first bytes of all names that each one's records bear.

Decides which sources need not be read again to find a call's records. It is kept from one question to the next as a hint: each source's
part holds while the source has the inode, size and time that it had, and all of it can be deleted. What a record says is its adapter's
business, which names make two records one call `pipeline.keys`'.
"""

import gc
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from ingest import claude_names
from ingest.adapter import Adapter
from ingest.bulk import MAX_WORKERS, PARALLEL_BYTES
from ingest.discover import Found, Trouble
from ingest.reader import Manner, Work, fold, read
from pipeline import durable, forking
from pipeline.batch import Batch

NAME = "named"
_HEAD_BYTES = 4
_VERSION = 1


class Named(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The names in one source as it was."""

    inode: int
    size: int
    mtime_ns: int
    heads: bytes
    """The first four bytes of each name, one behind the other."""


class _Kept(msgspec.Struct, frozen=True, array_like=True, gc=False):
    version: int
    sources: dict[bytes, Named]


_decode = msgspec.msgpack.Decoder(_Kept).decode


def up_to_date(path: str, found: Sequence[Found], adapters: Mapping[str, Adapter[Any]], now_ns: int) -> dict[str, Named]:
    """The names in each of these sources that can be read: from the file `path` as far as that knows them, which afterwards it does."""
    known = _recalled(path)
    kept: dict[str, Named] = {}
    news: list[Found] = []
    for each in found:
        said = known.get(os.fsencode(each.source.path))
        if said is not None and (said.inode, said.size, said.mtime_ns) == (each.inode, each.size, each.mtime_ns):
            kept[each.source.path] = said
        else:
            news.append(each)
    if not news and len(kept) == len(known):
        return kept
    for number, heads in _read(news, adapters, now_ns).items():
        each = news[number]
        kept[each.source.path] = Named(each.inode, each.size, each.mtime_ns, heads)
    try:
        content = _Kept(_VERSION, {os.fsencode(path): said for path, said in kept.items()})
        durable.write_hint(path, msgspec.msgpack.encode(content))
    except OSError:
        pass  # the next question reads again
    return kept


def naming(known: Mapping[str, Named], names: Iterable[bytes]) -> set[str]:
    """The paths of those sources in which some record may bear one of these names."""
    wanted = {name[:_HEAD_BYTES] for name in names}
    return {path for path, said in known.items() if not wanted.isdisjoint(_cut(said.heads))}


def _cut(heads: bytes) -> list[bytes]:
    return [heads[at : at + _HEAD_BYTES] for at in range(0, len(heads), _HEAD_BYTES)]


def _recalled(path: str) -> dict[bytes, Named]:
    try:
        with open(path, "rb") as file:
            kept = _decode(file.read())
    except (OSError, ValueError):
        return {}
    return kept.sources if kept.version == _VERSION else {}


def _read(found: Sequence[Found], adapters: Mapping[str, Adapter[Any]], now_ns: int) -> dict[int, bytes]:
    """The names in these sources, by number; without those that cannot be read."""
    ordered = sorted(range(len(found)), key=lambda number: -found[number].size)
    task = _Task(found, ordered, adapters, now_ns)
    taken: dict[int, bytes] = {}

    def take(content: bytes | memoryview) -> None:
        taken.update(msgspec.msgpack.decode(content, type=dict[int, bytes]))

    if sum(each.size for each in found) < PARALLEL_BYTES or os.name != "posix":
        task(range(len(ordered)), take)
        return taken
    # Few questions come with so much news.
    from ingest.crew import Crew, Queue

    queue, crew = Queue(len(ordered)), Crew()
    try:
        begin = crew.fork if forking.possible() else crew.start
        for _ in range(min(os.cpu_count() or 1, MAX_WORKERS, len(ordered)) - 1):
            begin(queue, task)
        task(queue, take)
        for content in crew.left():
            take(content)
    finally:
        queue.end()
        queue.close()
        crew.close()
    return taken


class _Task:
    """Reads those of `found` whose places in `ordered` it gets."""

    def __init__(self, found: Sequence[Found], ordered: Sequence[int], adapters: Mapping[str, Adapter[Any]], now_ns: int) -> None:
        self._found = found
        self._ordered = ordered
        self._adapters = adapters
        self._now_ns = now_ns

    def __call__(self, places: Iterable[int], leave: Callable[[bytes], None]) -> None:
        manner = Manner(now_ns=self._now_ns, take_tail=True, titles=False)
        collecting = gc.isenabled()
        gc.disable()
        try:
            for place in places:
                number = self._ordered[place]
                each, batch = self._found[number], Batch()
                names: set[bytes] = set()
                way = claude_names.into(names) if each.source.agent == "claude" else fold
                done = read(self._adapters[each.source.agent], Work(found=each, source_id=0), batch, manner, way)
                if not isinstance(done, Trouble):
                    leave(msgspec.msgpack.encode({number: _heads(batch, names)}))
        finally:
            if collecting:
                gc.enable()


def _heads(batch: Batch, names: Iterable[bytes]) -> bytes:
    """What its records claim, and what they offer beyond that which follows: that has the head of their keys, requests apart."""
    heads = {name[:_HEAD_BYTES] for name in (*batch.key, *names)}
    for named in (*batch.aliases.values(), *batch.offers.values()):
        heads.update(name[:_HEAD_BYTES] for name in named)
    return b"".join(sorted(heads))
