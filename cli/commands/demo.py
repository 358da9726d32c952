"""`ringlet demo`: the whole way from log files to tables on shipped sample logs.

Decides what is shown and in which order. The samples in `cli/demo` lie there as three agents leave them in a home directory: the demo
copies them into a home of its own and runs ringlet's ordinary commands in it, so nothing of the user's is read or written.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from cli import gate
from cli.paths import MOVING
from pipeline.errors import RingletError

app = typer.Typer(help="Show ringlet on sample logs; reads and changes nothing of yours.", add_completion=False)

_SAMPLES = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "demo")
_STEPS = (
    ("Claude Code's logs become the profile `work`:", ("import", "claude", "--to", "work")),
    ("Everything else that is found belongs to `default`:", ("ingest",)),
    ("What was used, and what it cost at the prices of those days:", ("usage", "--period", "all")),
    ("By model:", ("usage", "models", "--period", "all")),
    ("One week, day by day:", ("usage", "daily", "--since", "2026-05-04", "--until", "2026-05-10")),
)


@app.command()
def demo(
    home: Annotated[str | None, typer.Option("--home", metavar="DIR", help="Keep the demo in DIR, which must not exist yet.")] = None,
) -> None:
    """Import shipped sample logs of three agents into a home of their own and show the usage tables.

    The samples are invented; their dates lie in May 2026.
    """
    if home is None:
        with tempfile.TemporaryDirectory(prefix="ringlet-demo-") as folder:
            _show(os.path.join(folder, "home"))
        typer.echo("\nThe demo is gone again. `ringlet demo --home DIR` keeps it; `ringlet usage` shows your own usage.")
        return
    home = os.path.abspath(os.path.expanduser(home))
    if os.path.lexists(home):
        raise RingletError("is already there", where=home, mend="name a folder that does not exist yet")
    _show(home)
    typer.echo(
        f"\nThe demo's logs and store are in {home}. Ask further with, for example:\n  HOME={home} ringlet usage projects --period all"
    )


def _show(home: str) -> None:
    shutil.copytree(_SAMPLES, home, copy_function=shutil.copyfile)
    with _at_home(home):
        for why, argv in _STEPS:
            typer.echo(f"\n{why}\n$ ringlet {' '.join(argv)}")
            sys.stdout.flush()
            code = gate.main(list(argv))
            sys.stdout.flush()
            if code:
                raise typer.Exit(code)


@contextmanager
def _at_home(home: str) -> Iterator[None]:
    """As if the demo's home were the user's."""
    before = dict(os.environ)
    for name in MOVING:
        os.environ.pop(name, None)
    os.environ["HOME"] = home
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
