"""`ringlet init`: the first profiles, for the agents whose programs are on this machine."""

import os
import shlex
import sys
from functools import partial
from typing import Annotated

import typer

from cli.agent_programs import PROGRAMS, found_on
from cli.ask import WrongUsage
from cli.commands.runs import MARK
from cli.escaped import escaped
from cli.paths import paths
from cli.profile_changes import changed
from pipeline.errors import NothingFound, RingletError
from pipeline.profiles import Profile, Rules

app = typer.Typer(add_completion=False)

_NONE = "-"


@app.command()
def init(
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing: a profile for each agent, under the agent's name.")] = False,
) -> None:
    """Make a profile for each agent that is installed and has none yet. Nothing that exists is changed; asks on a terminal only."""
    if not yes and not sys.stdin.isatty():
        raise WrongUsage("there is no terminal to ask on", mend="ringlet init --yes asks nothing")
    where = paths()
    present = [agent for agent, program in PROGRAMS.items() if found_on(os.environ.get("PATH", os.defpath), program, MARK)]
    if not present:
        programs = ", ".join(program.command for program in PROGRAMS.values())
        raise NothingFound(f"no agent's program is on the PATH ({programs})", mend="docs/profiles.md tells what can be started")
    rules = Rules.load(where.profiles)
    served = {profile.agent: profile.name for profile in reversed(rules.profiles)}
    for agent in present:
        if agent in served:
            typer.echo(f"✓ {agent}: there is profile {served[agent]!r}")
            continue
        rules = _with_one(rules, agent, asks=not yes)
        made = next((profile for profile in rules.profiles if profile.agent == agent), None)
        if made is not None:
            changed(where, partial(Rules.create, profile=made))
            typer.echo(f"✓ {agent}: made profile {made.name!r};  ringlet profiles run {escaped(shlex.quote(made.name))}")
    typer.echo("ringlet profiles create --help tells of providers, models and API keys; ringlet aliases install makes commands of them.")


def _with_one(rules: Rules, agent: str, *, asks: bool) -> Rules:
    """`rules` with a profile for `agent`, under a name that is free; as they are where none is wanted."""
    free = next(name for name in (agent, *(f"{agent}-{n}" for n in range(2, len(rules.profiles) + 3))) if name not in rules.names())
    while True:
        name = free
        if asks:
            try:
                name = typer.prompt(f"Name of a profile for {agent} ({_NONE} for none)", default=free)
            except typer.Abort:
                raise KeyboardInterrupt from None
        if name == _NONE:
            return rules
        try:
            return rules.create(Profile(name=name, agent=agent, provider="self"))
        except RingletError as error:
            typer.echo(str(error), err=True)
