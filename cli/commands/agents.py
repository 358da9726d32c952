"""`ringlet agents`: which agents have left logs on this machine, and what is known of them."""

import os
from datetime import UTC, datetime
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec
import typer

from cli.app import clock
from cli.escaped import path_shown
from cli.figures import size
from cli.paths import paths
from cli.refresh import Store, opened
from ingest.discover import homes
from ingest.reader import said

app = typer.Typer(help="Agents: what was found where.", no_args_is_help=True, add_completion=False)


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


@app.callback()
def agents() -> None:
    """Agents: what was found where."""


@app.command("list")
def list_(json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List the agents' homes with their files, calls and last activity."""
    with opened(paths(), os.environ, clock()) as store:
        rows = _found(store)
        zone = ZoneInfo(store.zone)
        titles = {adapter.agent: adapter.title for adapter in store.adapters}
        home = store.home
    if json:
        # JSON is text: bytes of a name that are none stand as U+FFFD.
        typer.echo(msgspec.json.encode([msgspec.structs.replace(row, home=said(row.home)) for row in rows]).decode())
        return
    cells = [("AGENT", "HOME", "FILES", "SIZE", "CALLS", "LAST WRITTEN")]
    for row in _worth_showing(rows):
        place = path_shown(row.home, home)
        if not row.exists and not row.calls:
            cells.append((titles[row.agent], place, "-", "-", "-", "not there"))
            continue
        last = f"{row.last_written_at.astimezone(zone):%Y-%m-%d %H:%M}" if row.last_written_at else "-"
        cells.append((titles[row.agent], place, f"{row.files:,}", size(row.bytes), f"{row.calls:,}", last))
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    for line in cells:
        left = [cell.ljust(width) for cell, width in zip(line[:2], widths[:2], strict=True)]
        right = [cell.rjust(width) for cell, width in zip(line[2:5], widths[2:5], strict=True)]
        typer.echo("  ".join([*left, *right, line[5]]).rstrip())
    unread = sum(row.unread_bytes for row in rows)
    if unread:
        typer.echo(f"{size(unread)} not read yet:  ringlet ingest")


def _worth_showing(rows: list[Found]) -> list[Found]:
    """Homes that are or were there; of an agent that has none, the first that it would use."""
    there = [row for row in rows if row.exists or row.calls]
    absent = {row.agent: row for row in reversed(rows) if row.agent not in {each.agent for each in there}}
    return [row for row in rows if row in there or row is absent.get(row.agent)]


def _found(store: Store) -> list[Found]:
    known = {each.source.path: each for each in store.log.sources()}
    rows = []
    for adapter in store.adapters:
        for place in homes(adapter, store.environ, store.home, store.homes.get(adapter.agent, ())):
            files = [found for found in store.look.found if found.source.agent == adapter.agent and found.source.root == place.path]
            stored = [each for each in known.values() if each.source.agent == adapter.agent and each.source.root == place.path]
            cursors = {each.source.path: each.cursor for each in stored if each.cursor is not None}
            unread = sum(
                found.size
                for found in files
                if (cursor := cursors.get(found.source.path)) is None or (cursor.size, cursor.mtime_ns) != (found.size, found.mtime_ns)
            )
            last = max((found.mtime_ns for found in files), default=None)
            rows.append(
                Found(
                    agent=adapter.agent,
                    home=place.path,
                    exists=os.path.isdir(place.path),
                    files=len(files),
                    bytes=sum(found.size for found in files),
                    calls=sum(each.counts.new for each in stored),
                    unread_bytes=unread,
                    gone_files=sum(each.gone for each in stored),
                    last_written_at=None if last is None else datetime.fromtimestamp(last / 1e9, UTC),
                )
            )
    return rows
