"""`ringlet profiles run` and `ringlet profiles env`: a profile's agent, started as that profile and nobody else."""

import os
import re
import shlex
import signal
import sys
from typing import Annotated

import typer

from cli import api_keys, config
from cli.agent_launch import Launch, Places, launch
from cli.agent_programs import found_on, program_of
from cli.escaped import escaped
from cli.own_home import housed, stand_in
from cli.paths import Paths, paths
from pipeline.errors import NothingFound
from pipeline.profiles import Profile, Rules

MARK = b"# ringlet alias"
"""Stands in the head of every file that `ringlet aliases` writes."""
AS_TYPED = {"allow_interspersed_args": False, "ignore_unknown_options": True}
"""Whatever follows the profile's name is the agent's."""


def run(
    name: Annotated[str, typer.Argument(help="Name of the profile.")],
    arguments: Annotated[list[str] | None, typer.Argument(help="Arguments for the agent.", metavar="[-- ARGUMENTS]")] = None,
) -> None:
    """Start the profile's agent in its own home, with its provider, endpoint, key and model. Exit code and signals are the agent's own."""
    where = paths()
    program = program_of(Rules.load(where.profiles).find(name).agent, name)
    path = found_on(os.environ.get("PATH", os.defpath), program, MARK)
    if path is None:
        raise NothingFound(f"the program {program.command!r} is not on the PATH", mend=f"install it: {program.install}")
    started = _prepared(where, housed(where, name))
    if started.carried:
        from cli import carried  # as in _prepared

        carried.hold(where)
    words = arguments or []
    own = words[1:] if words[:1] == ["--"] else words
    sys.stdout.flush()
    sys.stderr.flush()
    # The interpreter ignores these, and what is ignored stays so in the program that takes its place.
    for each in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(each, signal.SIG_DFL)
    os.execve(path, [program.command, *started.arguments, *own], started.environment(os.environ))


def env(
    name: Annotated[str, typer.Argument(help="Name of the profile.")],
    show_secrets: Annotated[bool, typer.Option("--show-secrets", help="Print the API key too.")] = False,
) -> None:
    """Print what `run` starts the agent with, as lines for a shell: eval "$(ringlet profiles env NAME --show-secrets)"."""
    where = paths()
    started = _prepared(where, housed(where, name))
    for variable in started.removed:
        # A key that is not shown must not leave the user's own in its place.
        if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", variable):
            typer.echo(f"unset {variable}")
    for variable, value in started.set.items():
        if variable in started.secret and not show_secrets:
            typer.echo(f"# {variable}: {api_keys.masked(value)} (--show-secrets prints it)")
        else:
            typer.echo(f"export {variable}={shlex.quote(value)}")
    if started.arguments:
        typer.echo(f"# start it as: {escaped(shlex.join([started.program.command, *started.arguments]))}")


def _prepared(where: Paths, profile: Profile) -> Launch:
    base = stand_in(where, profile, program_of(profile.agent, profile.name), os.environ)
    home, key, settings = str(profile.home), api_keys.of(where, profile), config.load(where.config)
    moved = settings.endpoints()
    if settings.capture.enabled:
        from cli import carried  # speaks HTTP, which nobody without capture should load

        way = carried.way(where, profile)
        started = launch(profile, home, base, key, os.environ, Places(moved=moved, proxy=way.address))
        if started.carried:
            return started
        why = way.why_not or f"{profile.agent} calls where its own login leads"
        typer.echo(f"! {escaped(profile.name)}: started directly, its calls are not captured: {escaped(why)}", err=True)
    return launch(profile, home, base, key, os.environ, Places(moved=moved))
