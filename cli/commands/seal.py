"""`ringlet seal`: move what lies in the journal into Parquet files, so that other programs see it."""

import os
from contextlib import suppress
from datetime import UTC, datetime

import typer

from cli.app import clock
from cli.commands.views import made_by
from cli.figures import many
from cli.paths import paths
from cli.refresh import opened
from pipeline.errors import Held

app = typer.Typer(add_completion=False)


@app.command()
def seal() -> None:
    """Seal the log's newest rows into Parquet files under events/, one for each day that is over, and bring the views up to date."""
    now_us = clock()
    with opened(paths(), os.environ, now_us) as store:
        store.refreshed(sync=False)
        sealed = store.log.seal()
        compacted = []
        # Whoever holds these is doing the same; what was sealed is safe without them.
        with suppress(Held):
            compacted = store.log.compact(datetime.fromtimestamp(now_us // 1_000_000, UTC).date())
        made = None
        with suppress(Held):
            made = made_by(store, full=False)
    rows = sum(segment.rows for segment in sealed)
    if sealed:
        typer.echo(f"✓ {many(rows, 'row')} sealed into {many(len(sealed), 'file')}")
    else:
        typer.echo("✓ Nothing to seal: the log is in its files")
    if compacted:
        typer.echo(f"✓ The files of {many(len(compacted), 'day')} made into one each")
    if made is None:
        typer.echo("✓ The views are being made by another process")
    elif made.dates:
        typer.echo(f"✓ Views of {many(made.dates, 'date')} brought up to date")
