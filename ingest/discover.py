"""Which sources there are: from agent homes to files.

Decides which homes are looked at and what kind each file is. Reads no file; the look itself is `ingest.sweep`.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from ingest.adapter import Adapter, Home, Pattern
from ingest.sweep import among, merged, place, sweep
from pipeline.sources import Source

_LOOSE = ("**/*.jsonl", "**/*.jsonl.zst", "**/*.jsonl.gz")
_NEVER = ("history.jsonl", "session_index.jsonl")


class Found(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One file that an adapter reads, as the sweep saw it."""

    source: Source
    pattern: Pattern
    inode: int
    size: int
    mtime_ns: int


class Trouble(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A path that could not be looked at, and why."""

    path: str
    reason: str


class Look(msgspec.Struct, kw_only=True, gc=False):
    """What one look at all homes gave."""

    found: list[Found] = []
    troubles: list[Trouble] = []
    missing: list[Home] = []
    """Homes that the user named and that are not there."""
    looked_at: list[tuple[str, str]] = []
    """(agent, home) of every folder that was looked at."""


class Looked(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Where the sources of the given adapters lie, in plain tuples, with what that depends on."""

    walks: tuple[tuple[str, tuple[str, ...], tuple[str, ...], bool], ...]
    """For `ingest.sweep.sweep`."""
    environ: tuple[tuple[str, str | None], ...]
    """Every variable that an adapter asked for, with its value then: another value means other homes."""


def homes(adapter: Adapter[Any], environ: Mapping[str, str], home: str, further: Sequence[str] = ()) -> list[Home]:
    """The homes of `adapter`, those named in `further` (from the configuration) included, each folder once however it is spelled."""
    known: dict[str, Home] = {}
    for each in (*adapter.homes(environ, home), *(Home(path=path, named=True) for path in further)):
        path = os.path.abspath(os.path.join(home, os.path.expanduser(each.path)))
        known.setdefault(os.path.realpath(path), Home(path=path, named=each.named))
    return list(known.values())


def discover(
    adapters: Sequence[Adapter[Any]],
    environ: Mapping[str, str],
    home: str,
    further: Mapping[str, Sequence[str]] = {},
    swept: Sequence[tuple[str, int, int, int]] | None = None,
) -> Look:
    """All sources under all homes of `adapters`.

    With `swept` they are among the files that a sweep of `looked` has just given, without links or troubles.
    """
    look = Look()
    taken: set[str] = set()
    for adapter in adapters:
        for each in homes(adapter, environ, home, further.get(adapter.agent, ())):
            if each.named and not os.path.isdir(each.path):
                look.missing.append(each)
            look.looked_at.append((adapter.agent, each.path))
            for found in under(adapter, each.path, look.troubles, swept):
                if found.source.path not in taken:
                    taken.add(found.source.path)
                    look.found.append(found)
    return look


def under(
    adapter: Adapter[Any], root: str, troubles: list[Trouble], swept: Sequence[tuple[str, int, int, int]] | None = None
) -> Iterator[Found]:
    """The sources of one agent under one home; `swept` as for `discover`."""
    for pattern in adapter.patterns:
        trouble: list[tuple[str, str]] = []
        walk = _walk(root, pattern)
        for path, inode, size, mtime_ns in sweep([walk], trouble) if swept is None else among(swept, walk):
            source = Source(path=path, agent=adapter.agent, root=root, kind=pattern.kind)
            yield Found(source=source, pattern=pattern, inode=inode, size=size, mtime_ns=mtime_ns)
        troubles.extend(Trouble(path=path, reason=reason) for path, reason in trouble)


def loose(adapter: Adapter[Any], path: str, troubles: list[Trouble]) -> Iterator[Found]:
    """Log files in a folder that is laid out in no way the agent knows (or the file itself): somebody copied them together.

    Line files lie anywhere; documents still lie in the folders that say what they are, under whatever name what was around those has now.
    Prompt histories lie beside logs and are never read.
    """
    root = path if os.path.isdir(path) else os.path.dirname(path)
    for pattern, globs in _loosely(adapter):
        trouble: list[tuple[str, str]] = []
        for found, inode, size, mtime_ns in sweep([place(root, glob, journalled=False) for glob in globs], trouble):
            if path in (root, found) and os.path.basename(found) not in _NEVER:
                source = Source(path=found, agent=adapter.agent, root=root, kind=pattern.kind)
                yield Found(source=source, pattern=pattern, inode=inode, size=size, mtime_ns=mtime_ns)
        troubles.extend(Trouble(path=path, reason=reason) for path, reason in trouble)


def _loosely(adapter: Adapter[Any]) -> Iterator[tuple[Pattern, Sequence[str]]]:
    """What of an agent can be known without its layout, and where it may lie."""
    lines = next((pattern for pattern in adapter.patterns if pattern.kind == "lines"), None)
    if lines is not None:
        yield lines, _LOOSE
    for pattern in adapter.patterns:
        _, _, inner = pattern.glob.partition("/")
        if pattern.kind == "document" and "*" not in inner.partition("/")[0]:
            yield pattern, [above + inner for above in ("", "*/", "*/*/")]


def looked(adapters: Sequence[Adapter[Any]], environ: Mapping[str, str], home: str, further: Mapping[str, Sequence[str]] = {}) -> Looked:
    """Where `discover` would look, for a caller that must later see in milliseconds whether anything changed.

    Sweeping `walks` gives the same files as `discover` while the variables in `environ` keep their values.
    """
    asked = _Asked(environ)
    walks = (
        _walk(each.path, pattern)
        for adapter in adapters
        for each in homes(adapter, asked, home, further.get(adapter.agent, ()))
        for pattern in adapter.patterns
    )
    return Looked(walks=merged(walks), environ=tuple(sorted(asked.answers.items())))


def _walk(root: str, pattern: Pattern) -> tuple[str, tuple[str, ...], tuple[str, ...], bool]:
    return place(root, pattern.glob, journalled=pattern.kind == "rows")


class _Asked(Mapping[str, str]):
    """An environment that remembers what it was asked."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.answers: dict[str, str | None] = {}

    def __getitem__(self, name: str) -> str:
        self.answers[name] = self._environ.get(name)
        return self._environ[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._environ)

    def __len__(self) -> int:
        return len(self._environ)
