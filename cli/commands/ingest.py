"""`ringlet ingest`: bring the log up to what all agents have written, once or for as long as it runs."""

import logging
import os
import subprocess
import time
from typing import Annotated

import typer

from cli import itself
from cli.app import clock, written
from cli.escaped import escaped
from cli.figures import count, many, size
from cli.outcomes import DONE, PARTLY_DONE
from cli.paths import Paths, paths
from cli.progress import bar
from cli.refresh import Store, opened
from cli.serve import state, units
from cli.stopping import Stopping
from ingest.reader import Manner
from ingest.run import Summary, ingest
from pipeline import durable
from pipeline.errors import RingletError

app = typer.Typer(add_completion=False)

_START_S = 60.0
"""As for a daemon: of a watcher that fails is known at once."""


@app.callback(invoke_without_command=True)
def main(
    context: typer.Context,
    watch: Annotated[bool, typer.Option("--watch", help="Go on: follow the logs and print what arrives.")] = False,
    detach: Annotated[bool, typer.Option("--detach", help="With --watch: in the background.")] = False,
    no_prefilter: Annotated[
        bool, typer.Option("--no-prefilter", help="Give every line to the agent's reader; slower, same result.")
    ] = False,
) -> None:
    """Read what all agents have written since the last time."""
    if context.invoked_subcommand is not None:
        return
    where = paths()
    if detach:
        raise typer.Exit(_detach(where))
    raise typer.Exit(_watch(where) if watch else _once(where, prefilter=not no_prefilter))


@app.command()
def install() -> None:
    """Write a service file (systemd user unit, or launchd agent) that keeps the watcher running."""
    service = units.Service("ingest", "follow the logs of AI coding agents", itself.command("ingest", "--watch"))
    path, start = units.install(service, os.environ)
    typer.echo(f"✓ Wrote {path}")
    typer.echo(f"Start it now and at every login:  {start}")


def _once(where: Paths, *, prefilter: bool) -> int:
    with Stopping() as stop, opened(where, os.environ, clock()) as store:
        manner = Manner(now_ns=store.now_us * 1000, prefilter=prefilter, titles=store.config.session_titles, stop=stop)
        with bar() as progress:
            summary = ingest(store.log, store.adapters, store.look, manner, progress=progress)
        if not stop():
            store.refreshed()
        for line in _told(store, summary):
            typer.echo(line)
        for trouble in summary.troubles:
            typer.echo(f"ringlet: not read: {escaped(trouble.path)}: {trouble.reason}", err=True)
        if stop.code:
            typer.echo("Stopped: what was read is kept, and the next run goes on from there.", err=True)
        store.tidy()
        return stop.code or (PARTLY_DONE if summary.troubles else DONE)


def _told(store: Store, summary: Summary) -> list[str]:
    if not summary.found:
        from cli.advice import nothing_recorded  # only who has nothing needs it

        return [nothing_recorded(store).rstrip()]
    taken = [f"✓ Another process read what was new in {many(summary.taken, 'file')} meanwhile"] if summary.taken else []
    if not summary.shares:
        return taken or [f"✓ Nothing new in {many(summary.found, 'file')}"]
    titles = {adapter.agent: adapter.title for adapter in store.adapters}
    lines = taken
    for agent, share in sorted(summary.shares.items()):
        skipped = [f"{share.ignored:,} without a call"] if share.ignored else []
        skipped += [f"{share.quarantined:,} quarantined (ringlet doctor)"] if share.quarantined else []
        also = f"; {', '.join(skipped)}" if skipped else ""
        lines.append(f"✓ {titles[agent]}: {many(share.events, 'record')} from {many(share.sources, 'file')}, {size(share.bytes)}{also}")
    lines.append(f"✓ {many(summary.new, 'new call')}, {summary.updated:,} updated, {many(summary.duplicate, 'record')} of known calls")
    return lines


def _watch(where: Paths) -> int:
    durable.prepare_home(where.data, create=True)
    with Stopping() as stop, state.lock(where.data):
        from cli.serve.logfile import Lines  # for a watcher alone

        told = logging.StreamHandler()
        told.setFormatter(Lines(terminal=True))
        logging.getLogger("ringlet.hooks").addHandler(told)
        while not stop():
            _follow(where, stop)
            if not stop():
                typer.echo("ringlet: the journal was replaced; watching anew", err=True)
        return stop.code


def _follow(where: Paths, stop: Stopping) -> None:
    """Watch until asked to stop, or until a repair has put another journal in the place of the open one."""
    with opened(where, os.environ, clock()) as store:
        from cli.hooks.alerting import Alerting  # as the next, for a watcher alone
        from ingest.arrived import Arrived
        from ingest.watch import Settings, Watcher  # 30 ms that only a watcher should pay

        def show(arrived: Arrived) -> None:
            at = time.strftime("%H:%M:%S", time.localtime(clock() / 1_000_000))
            calls = " + ".join(
                f"{number:,} {word}" for number, word in ((arrived.commit.new, "new"), (arrived.commit.updated, "updated")) if number
            )
            tokens = f"{count(arrived.prompt, 'short')} / {count(arrived.output, 'short')}"
            written(f"{at}  {arrived.agent}  {calls}  {escaped(', '.join(arrived.models))}  {tokens}\n")

        def catch_up() -> None:
            # A store of its own each time: rules, prices and settings may have changed since the last.
            Store(where, os.environ, clock(), store.log).refreshed(sync=False, standing=watcher.standing())

        watcher = Watcher(
            store.log,
            Settings(
                adapters=store.adapters,
                environ=store.environ,
                home=store.home,
                further=store.homes,
                titles=store.config.session_titles,
                stop=lambda: stop() or store.log.replaced,
                warn=lambda text: typer.echo(f"ringlet: {escaped(text)}", err=True),
                on_arrival=show,
                on_quiet=catch_up,
                on_commit=lambda _: alerting.noticed(),
            ),
        )
        alerting = Alerting(where, os.environ, lambda: watcher.caught_up)
        typer.echo(f"Watching {many(len(store.look.found), 'file')}; stop with Ctrl-C")
        alerting.start()
        try:
            watcher.run()
        finally:
            alerting.stop()


def _detach(where: Paths) -> int:
    """Start a watcher that outlives this terminal, and wait until it holds the lock. Raises Held if one runs already."""
    durable.prepare_home(where.data, create=True)
    state.lock(where.data).release()
    null = subprocess.DEVNULL
    child = subprocess.Popen(itself.command("ingest", "--watch"), stdin=null, stdout=null, stderr=null, start_new_session=True)
    end = time.monotonic() + _START_S
    while child.poll() is None and time.monotonic() < end:
        if state.holder(where.data) == child.pid:
            typer.echo(f"✓ Watching in the background (pid {child.pid}); stop it with: kill {child.pid}")
            return DONE
        time.sleep(0.05)
    raise RingletError("the watcher did not start", mend="ringlet ingest --watch shows why")
