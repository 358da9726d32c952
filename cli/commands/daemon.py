"""`ringlet daemon`: the process that watches all the time and serves the pages and the API. Reading usage never needs it."""

import json as encoder
import os
import sys
import time
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import msgspec
import typer

from cli import config, itself
from cli.figures import duration, many
from cli.outcomes import NOT_FOUND
from cli.paths import Paths, paths
from cli.serve import state, units
from cli.serve.state import Capturing, Condition, Options, Running
from pipeline.errors import NothingFound, RingletError
from pipeline.profiles import DEFAULT, Rules

app = typer.Typer(
    help="The daemon: watches all the time, serves the pages and the API. Reading usage never needs it.",
    no_args_is_help=True,
    add_completion=False,
)

_FOLLOW_S = 0.25


class Role(StrEnum):
    """Who may do what."""

    admin = "admin"
    viewer = "viewer"


Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
StayAlive = Annotated[bool, typer.Option("--stay-alive", help="Never end by itself; else it ends when nobody has needed it for a while.")]
Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="Port to listen on; 0 takes any that is free.")]
Host = Annotated[
    str | None,
    typer.Option("--host", metavar="ADDR", help="Listen on this address instead of 127.0.0.1: others on the network can reach it."),
]


@app.command()
def start(
    stay_alive: StayAlive = False,
    port: Port = state.PORT,
    host: Host = None,
    foreground: Annotated[bool, typer.Option("--foreground", help="Stay in this terminal; Ctrl-C ends it.")] = False,
) -> None:
    """Start the daemon, wait until it answers, and print where; the address logs a browser in once."""
    where = paths()
    options = Options(host=host or state.HOST, port=port, remote=host is not None, stay_alive=stay_alive)
    if foreground:
        from cli.serve import supervisor  # the server: 300 ms

        raise typer.Exit(supervisor.run(where, os.environ, options, lambda running: _greet(running, where, code=sys.stdout.isatty())))
    from cli.serve import launch

    try:
        running = launch.start(where, _argv(options))
    except launch.Failed as failed:
        typer.echo(f"ringlet: {failed}", err=True)
        raise typer.Exit(failed.code) from None
    typer.echo(f"✓ The daemon runs (pid {running.pid}); ringlet daemon stop ends it")
    _greet(running, where, code=True)


@app.command()
def status(json: Json = False) -> None:
    """Tell whether the daemon runs and how it is. Starts nothing; exit code 3 when none runs."""
    from cli.serve import knock, launch

    where = paths()
    try:
        running = launch.find(where)
    except NothingFound as nothing:
        if not json:
            raise
        typer.echo(encoder.dumps({"running": False, "why": nothing.what}))
        raise typer.Exit(NOT_FOUND) from None
    condition = msgspec.json.decode(knock.ask(running.url, where, "/api/daemon"), type=Condition)
    if json:
        typer.echo(encoder.dumps({"running": True, "url": running.url, **msgspec.to_builtins(condition)}))
        return
    for name, value in _described(running, condition, where):
        typer.echo(f"{name:<12}{value}")


@app.command()
def address(
    provider: Annotated[str, typer.Argument(help="Where the calls go: anthropic, openai, groq, …")],
    profile: Annotated[str, typer.Option("--profile", help="Whose the calls are.")] = DEFAULT,
) -> None:
    """Print the address to give an agent in place of its provider's, so that its calls are counted as they pass.

    Exit code 3 when no daemon runs, or none that captures.
    """
    from cli.serve import entrances, launch

    where = paths()
    running = launch.find(where)
    if running.capture_port is None:
        raise NothingFound("the daemon captures no calls", mend="[capture] enabled = true in config.toml, then start it again")
    found = Rules.load(where.profiles).find(profile)
    entrances.Entrances(where).upstream(found, provider)
    typer.echo(entrances.address(where, running.capture_port, found.mark, provider))


@app.command()
def stop() -> None:
    """End the daemon: it finishes what it is reading and seals. Exit code 3 when none runs."""
    from cli import carried
    from cli.serve import launch

    where = paths()
    ended = launch.stop(where)
    typer.echo(f"✓ The daemon (pid {ended.pid}) has ended; everything is sealed")
    if carried.held(where):
        typer.echo("! An agent runs whose calls went through it: they reach nobody until ringlet daemon start", err=True)


@app.command()
def login(role: Annotated[Role, typer.Option("--role", help="What the browser may do.")] = Role.admin) -> None:
    """Print an address that logs a browser in, once, within a minute."""
    from cli.serve import knock, launch

    where = paths()
    running = launch.find(where)
    typer.echo(_address(running, knock.login_code(running.url, where, role.value)))


@app.command()
def token(
    role: Annotated[Role, typer.Option("--role", help="Whose: viewers see no pages of administration.")] = Role.admin,
    rotate: Annotated[bool, typer.Option("--rotate", help="Make a new one; the old one is worth nothing from now on.")] = False,
) -> None:
    """Print the token with which scripts ask the API: Authorization: Bearer TOKEN."""
    from cli.serve import tokens
    from pipeline import durable

    where = paths()
    durable.prepare_home(where.data, create=True)
    typer.echo((tokens.rotate if rotate else tokens.token)(where, role.value))


@app.command()
def logs(
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on and print what is added.")] = False,
    lines: Annotated[int, typer.Option("-n", "--lines", min=0, help="How many of the last lines.")] = 50,
) -> None:
    """Print the daemon's log: what it did and what went wrong."""
    path = os.path.join(paths().data, state.LOG)
    if not os.path.exists(path):
        raise NothingFound("the daemon has no log yet", where=path, mend="ringlet daemon start")
    with open(path, encoding="utf-8", errors="replace") as file:
        last = deque(file, lines)
        if len(last) < lines and os.path.exists(path + ".1"):
            with open(path + ".1", encoding="utf-8", errors="replace") as older:
                last = deque([*deque(older, lines - len(last)), *last])
        for line in last:
            typer.echo(line, nl=False)
        if follow:
            sys.stdout.flush()
            for line in _followed(path, file.tell()):
                typer.echo(line, nl=False)
                sys.stdout.flush()


@app.command()
def install(port: Port = state.PORT) -> None:
    """Write a service file (systemd user unit, or launchd agent) that keeps the daemon running."""
    command = itself.command("daemon", "start", "--foreground", *_argv(Options(port=port, stay_alive=True)))
    service = units.Service("daemon", "count what AI coding agents use, serve the pages and the API", command)
    path, begin = units.install(service, os.environ)
    typer.echo(f"✓ Wrote {path}")
    typer.echo(f"Start it now and at every login:  {begin}")


def _argv(options: Options) -> list[str]:
    argv = ["--port", str(options.port)]
    if options.remote:
        argv += ["--host", options.host]
    return argv + ["--stay-alive"] * options.stay_alive


def _greet(running: Running, where: Paths, *, code: bool) -> None:
    from cli.serve import knock

    address = _address(running, knock.login_code(running.url, where)) if code else f"{running.url}/usage"
    typer.echo(f"Usage page:  {address}")
    if code:
        typer.echo("This address logs a browser in once, within a minute; ringlet daemon login prints another.")
    sys.stdout.flush()


def _address(running: Running, code: str) -> str:
    return f"{running.url}/login#code={code}"


def _described(running: Running, condition: Condition, where: Paths) -> Iterator[tuple[str, str]]:
    now = time.time()
    yield "Running", f"pid {running.pid}, for {_ago(condition.uptime_s)}, version {condition.version}"
    installed = itself.version()
    if installed not in (None, condition.version):
        yield "Upgrade", f"{installed} is installed and does not run yet; ringlet daemon stop, then start"
    yield "Address", running.url
    watching = {"polling": "polling (a folder gives no events)", "watching": "watching, by events of the file system"}
    yield "Watcher", watching.get(condition.watcher, condition.watcher)
    last = "" if condition.last_event_at is None else f", the last one {_ago(now - condition.last_event_at)} ago"
    yield "Events", f"{condition.events_seen:,} since the start{last}"
    if condition.unreadable:
        yield "Unreadable", f"{condition.unreadable:,} of the agents' files or folders; ringlet daemon logs names them"
    if condition.restarts:
        yield "Failures", f"the watcher was started again {many(condition.restarts, 'time')}; last: {condition.last_error}"
    if condition.capture is not None:
        yield "Capture", _capturing(condition.capture)
    elif _is_capture_enabled(where):
        yield "Capture", "off: [capture] was enabled after the daemon had begun; ringlet daemon stop, then start"
    yield "Pages", f"{condition.listening} open"
    if condition.ends_at is None:
        yield "Ends", "when it is told to"
    else:
        at = datetime.fromtimestamp(condition.ends_at, UTC).astimezone()
        yield "Ends", f"at {at:%H:%M:%S} if nobody asks and no agent writes until then"


def _is_capture_enabled(where: Paths) -> bool:
    try:
        return config.load(where.config).capture.enabled
    except RingletError:
        # What is wrong with the settings stands with the watcher's failures.
        return False


def _capturing(capture: Capturing) -> str:
    if capture.port is None:
        return f"off: {capture.error}"
    words = [f"http://127.0.0.1:{capture.port}, {many(capture.captured, 'call')} counted since the start"]
    if capture.streams:
        words.append(f"{capture.streams:,} under way")
    if capture.uncaptured:
        words.append(f"{capture.uncaptured:,} passed unread")
    if capture.dropped:
        words.append(f"{capture.dropped:,} lost for counting")
    return ", ".join(words)


def _ago(seconds: float) -> str:
    return duration(int(seconds) * 1_000_000)


def _followed(path: str, offset: int) -> Iterator[str]:
    """What is added after `offset`, also to the files that take the place of `path`."""
    while True:
        with open(path, encoding="utf-8", errors="replace") as file:
            file.seek(offset)
            while True:
                # Asked before it is read: nothing is added to a file once it has been put aside.
                aside = os.path.exists(path) and os.stat(path).st_ino != os.fstat(file.fileno()).st_ino
                while line := file.readline():
                    yield line
                if aside:
                    break
                time.sleep(_FOLLOW_S)
        offset = 0
