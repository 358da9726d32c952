"""`ringlet views`: the Parquet views under the data home, for BI tools and for every question that the snapshot cannot answer."""

import json as encoder
import os
import sys
from typing import Annotated

import typer

from cli.app import clock
from cli.deep import terms_of
from cli.figures import many, size
from cli.paths import paths
from cli.refresh import Store, opened
from views import materialize, shelf
from views.catalog import VIEWS

app = typer.Typer(help="Views: Parquet files made from the log; deleting them loses nothing.", no_args_is_help=True, add_completion=False)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_(json: Json = False) -> None:
    """List the views, how large they are, and whether they are up to date with the log."""
    with opened(paths(), os.environ, clock()) as store:
        folder = store.paths.views
        stale = not materialize.stand(folder, store.log, terms_of(store))
        sizes = shelf.sizes(folder)
    if json:
        listed = [
            {
                "view": view.name,
                "what": view.what,
                "files": sizes[view.name][0],
                "bytes": sizes[view.name][1],
                "path": f"{folder}/{view.name}",
            }
            for view in VIEWS
        ]
        typer.echo(encoder.dumps({"up_to_date": not stale, "views": listed}, indent=2))
        return
    typer.echo(f"{'VIEW':<12} {'FILES':>6} {'SIZE':>9}  WHAT")
    for view in VIEWS:
        files, taken = sizes[view.name]
        typer.echo(f"{view.name:<12} {files:>6,} {size(taken):>9}  {view.what}")
    typer.echo(f"\nin {folder}: {'out of date; ringlet views rebuild mends that' if stale else 'up to date'}")


@app.command()
def rebuild(full: Annotated[bool, typer.Option("--full", help="Make all dates anew, not only those that changed.")] = False) -> None:
    """Bring the views up to date with the log."""
    with opened(paths(), os.environ, clock()) as store:
        made = made_by(store, full=full)
    if made.dates or made.whole:
        typer.echo(f"✓ {many(made.calls, 'call')} on {many(made.dates, 'date')} made {'anew' if made.whole else 'again'}")
    else:
        typer.echo("✓ The views are up to date")


def made_by(store: Store, *, full: bool) -> materialize.Made:
    """Refresh the views; on a terminal that takes long enough to tell, how far it has come."""
    shown = sys.stderr.isatty()

    def tell(done: int) -> None:
        sys.stderr.write(f"\r{done:,} rows")

    try:
        return materialize.refresh(store.paths.views, store.log, terms_of(store), full=full, progress=tell if shown else None)
    finally:
        if shown:
            sys.stderr.write("\r\x1b[K")
