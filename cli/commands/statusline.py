"""`ringlet statusline`: the options of the full command line, and the entry in an agent's settings.

The line itself is `cli.statusline`'s business, and the common forms never come here (`cli.gate`).
"""

import os
from typing import Annotated

import typer

from cli import agent_settings
from cli.ask import WrongUsage
from cli.escaped import escaped
from cli.paths import paths
from cli.statusline import answer
from pipeline.errors import NothingFound
from pipeline.profiles import DEFAULT, Rules, absolute

app = typer.Typer(invoke_without_command=True, add_completion=False)

Settings = Annotated[
    str | None, typer.Option("--settings", metavar="FILE", help="This settings file, not that of the profile's agent home.")
]
Owner = Annotated[str, typer.Argument(metavar="[PROFILE]", help="Whose agent home, cost and budget.")]


@app.callback()
def statusline(
    ctx: typer.Context,
    profile: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only this profile's cost and budget; without it, everybody's.")
    ] = None,
) -> None:
    """One line for Claude Code: model, cost of session and day, what is left of the budget, use of the context."""
    if ctx.invoked_subcommand is None:
        raise typer.Exit(answer(profile=profile))
    if profile is not None:
        raise WrongUsage(f"--profile belongs to the line itself, {ctx.invoked_subcommand} takes the name alone", mend="leave --profile out")


@app.command()
def install(
    profile: Owner = DEFAULT,
    settings: Settings = None,
    replace: Annotated[bool, typer.Option("--replace", help="Take the place of another program's line.")] = False,
) -> None:
    """Have Claude Code show the line; what else is in its settings stays."""
    where = paths()
    Rules.load(where.profiles).find(profile)
    file = agent_settings.Settings(
        absolute(settings) if settings else agent_settings.path_of(profile, agent_settings.settled(where, profile), os.environ)
    )
    # What nobody maps is the default profile's: its agent home shows everybody's cost.
    words = ("statusline",) if profile == DEFAULT else ("statusline", "--profile", profile)
    agent_settings.add_status(file.content, agent_settings.command_line(os.environ, *words), file.path, replace=replace)
    if file.save():
        typer.echo(f"✓ Claude Code shows the line of ringlet: {escaped(file.path)}")
        if file.text is not None:
            typer.echo(f"  The former text: {escaped(file.path)}{agent_settings.KEPT}")
    else:
        typer.echo(f"The line stands in {escaped(file.path)} already")


@app.command()
def remove(profile: Owner = DEFAULT, settings: Settings = None) -> None:
    """Take the line out again."""
    rules = Rules.load(paths().profiles)
    file = agent_settings.Settings(absolute(settings) if settings else agent_settings.path_of(profile, rules, os.environ))
    if not agent_settings.is_status(file.content.get(agent_settings.STATUS)):
        raise NothingFound("no line of ringlet stands there", where=file.path)
    del file.content[agent_settings.STATUS]
    file.save()
    typer.echo(f"✓ Removed the line of ringlet: {escaped(file.path)}")
