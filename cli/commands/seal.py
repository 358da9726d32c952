"""`ringlet seal`: move what lies in the journal into Parquet files, so that other programs see it."""

import os
from contextlib import suppress

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
    """Seal the log's newest rows into Parquet files under events/, and bring the views up to date."""
    with opened(paths(), os.environ, clock()) as store:
        store.refreshed(sync=False)
        sealed = store.log.seal()
        made = None
        # Whoever holds the views is making them; what was sealed is safe without them.
        with suppress(Held):
            made = made_by(store, full=False)
    rows = sum(segment.rows for segment in sealed)
    if sealed:
        typer.echo(f"✓ {many(rows, 'row')} sealed into {many(len(sealed), 'file')}")
    else:
        typer.echo("✓ Nothing to seal: the log is in its files")
    if made is None:
        typer.echo("✓ The views are being made by another process")
    elif made.dates:
        typer.echo(f"✓ Views of {many(made.dates, 'date')} brought up to date")
