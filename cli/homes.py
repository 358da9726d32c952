"""Agents' homes on this machine, and what was found there.

Decides what is counted of each; how it is shown is the business of whoever asks.
"""

import os
from datetime import UTC, datetime

import msgspec

from cli.refresh import Store
from ingest.discover import Found as File
from ingest.discover import homes
from ingest.reader import LOOK_AGAIN, unchanged
from pipeline.sources import Cursor


class Found(msgspec.Struct, kw_only=True):
    """One home of one agent."""

    agent: str
    home: str
    exists: bool
    files: int
    bytes: int
    calls: int
    """Calls that were first seen there."""
    unread_bytes: int
    gone_files: int
    """Files that were read and exist no longer; their calls are kept."""
    last_written_at: datetime | None


def found(store: Store) -> list[Found]:
    """Every home of every agent."""
    known = {each.source.path: each for each in store.log.sources()}
    rows = []
    for adapter in store.adapters:
        for place in homes(adapter, store.environ, store.home, store.homes.get(adapter.agent, ())):
            files = [each for each in store.look.found if each.source.agent == adapter.agent and each.source.root == place.path]
            stored = [each for each in known.values() if each.source.agent == adapter.agent and each.source.root == place.path]
            cursors = {each.source.path: each.cursor for each in stored if each.cursor is not None}
            unread = sum(each.size for each in files if not _is_read(each, cursors.get(each.source.path)))
            last = max((each.mtime_ns for each in files), default=None)
            rows.append(
                Found(
                    agent=adapter.agent,
                    home=place.path,
                    exists=os.path.isdir(place.path),
                    files=len(files),
                    bytes=sum(each.size for each in files),
                    calls=sum(each.counts.new for each in stored),
                    unread_bytes=unread,
                    gone_files=sum(each.gone for each in stored),
                    last_written_at=None if last is None else datetime.fromtimestamp(last / 1e9, UTC),
                )
            )
    return rows


def _is_read(file: File, cursor: Cursor | None) -> bool:
    """Whether a file is as it was when it was read; a database that is read once more all the same has been read as well."""
    if cursor is None or file.source.kind != "rows" or cursor.size != LOOK_AGAIN:
        return unchanged(file, cursor)
    return cursor.mtime_ns == file.mtime_ns
