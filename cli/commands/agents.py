"""`ringlet agents`: which agents have left logs on this machine, and what is known of them."""

import os
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec
import typer

from cli.advice import unread
from cli.app import clock
from cli.commands.listed import Listed
from cli.escaped import path_shown
from cli.figures import size
from cli.homes import Found, found
from cli.padded import padded
from cli.paths import paths
from cli.refresh import opened
from ingest.reader import said

app = typer.Typer(cls=Listed, add_completion=False)


@app.callback()
def agents() -> None:
    """Agents: what was found where. Without a command, the list."""


@app.command("list")
def list_(json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List the agents' homes with their files, calls and last activity."""
    with opened(paths(), os.environ, clock()) as store:
        rows = found(store)
        zone = ZoneInfo(store.zone)
        titles = {adapter.agent: adapter.title for adapter in store.adapters}
        home = store.home
        typer.echo(unread(store.look.troubles), nl=False, err=True)
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
    typer.echo(padded(cells, right=range(2, 5)))
    waiting = sum(row.unread_bytes for row in rows)
    if waiting:
        typer.echo(f"{size(waiting)} not read yet:  ringlet ingest")


def _worth_showing(rows: list[Found]) -> list[Found]:
    """Homes that are or were there; of an agent that has none, the first that it would use."""
    there = [row for row in rows if row.exists or row.calls]
    absent = {row.agent: row for row in reversed(rows) if row.agent not in {each.agent for each in there}}
    return [row for row in rows if row in there or row is absent.get(row.agent)]
