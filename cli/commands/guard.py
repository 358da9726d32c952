"""`ringlet guard`: the options of the full command line, and the hook in an agent's settings.

Decides that no misuse of this command ends with the exit code that denies. Judging is `cli.guard`'s business, and the common forms never
come here (`cli.gate`).
"""

import os
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import typer
from typer.core import TyperGroup

from cli import agent_settings
from cli.ask import WrongUsage
from cli.config import load
from cli.escaped import escaped
from cli.guard import Wanted, answer, checked
from cli.outcomes import DENIED, code_of
from cli.paths import paths
from pipeline.errors import NothingFound, RingletError
from pipeline.profiles import Rules, absolute

T = TypeVar("T")

_Misuse: type[Exception] = typer.BadParameter.__bases__[0]
"""What the command-line library raises for any wrong usage."""


class _Sparing(TyperGroup):
    """A group whose wrong usage is one line and an ordinary failure."""

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        return _spared(lambda: super(_Sparing, self).make_context(*args, **kwargs))

    def invoke(self, ctx: Any) -> Any:
        return _spared(lambda: super(_Sparing, self).invoke(ctx))


def _spared(work: Callable[[], T]) -> T:
    try:
        return work()
    except _Misuse as misuse:
        told = misuse.format_message() if hasattr(misuse, "format_message") else str(misuse)
        raise RingletError(" ".join(told.split()).rstrip("."), mend="ringlet guard --help shows what it takes") from None
    except RingletError as error:
        if code_of(error) != DENIED:
            raise
        raise RingletError(error.what, where=error.where, mend=error.mend) from None


app = typer.Typer(cls=_Sparing, invoke_without_command=True, add_completion=False)

Settings = Annotated[
    str | None, typer.Option("--settings", metavar="FILE", help="This settings file, not that of the profile's agent home.")
]
Period = Annotated[str | None, typer.Option(help="day, week, month, or any period of ringlet usage.", metavar="PERIOD")]
Limit = Annotated[str | None, typer.Option(help="US dollars; without it, the profile's budgets in config.toml.", metavar="USD")]


@app.callback()
def guard(
    ctx: typer.Context,
    profile: Annotated[str | None, typer.Option(metavar="NAME", help="Only this profile's spend; without it, everybody's.")] = None,
    period: Period = None,
    limit: Limit = None,
) -> None:
    """Exit with 2 and the reason where a budget is spent, else with 0: the hook that agents ask before each tool call.

    Any trouble of its own is exit code 1 and lets the agent go on.
    """
    if ctx.invoked_subcommand is None:
        raise typer.Exit(answer(Wanted(profile=profile, period=period, limit=limit)))
    if (profile, period, limit) != (None, None, None):
        raise WrongUsage("options stand behind install and remove", mend=f"ringlet guard {ctx.invoked_subcommand} PROFILE --help")


@app.command()
def install(
    profile: Annotated[str, typer.Argument(help="Whose budget it is.")],
    period: Period = None,
    limit: Limit = None,
    settings: Settings = None,
) -> None:
    """Write the hook into the settings of the profile's agent home; what is there already stays."""
    where = paths()
    Rules.load(where.profiles).find(profile)
    options = [word for name, value in (("--period", period), ("--limit", limit)) if value is not None for word in (name, value)]
    checked(Wanted(profile=profile, period=period, limit=limit), load(where.config).limits())
    file = agent_settings.Settings(
        absolute(settings) if settings else agent_settings.path_of(profile, agent_settings.settled(where, profile), os.environ)
    )
    command = agent_settings.command_line(os.environ, "guard", "--profile", profile, *options)
    agent_settings.add_guard(file.content, profile, command, file.path)
    if file.save():
        typer.echo(f"✓ Claude Code asks ringlet guard before each tool call of profile {profile!r}: {escaped(file.path)}")
        _tell_copy(file)
    else:
        typer.echo(f"The hook stands in {escaped(file.path)} already")


@app.command()
def remove(profile: Annotated[str, typer.Argument(help="Whose hook it is.")], settings: Settings = None) -> None:
    """Take the hook out again."""
    rules = Rules.load(paths().profiles)
    file = agent_settings.Settings(absolute(settings) if settings else agent_settings.path_of(profile, rules, os.environ))
    if not agent_settings.remove_guard(file.content, profile, file.path):
        raise NothingFound(f"no hook of profile {profile!r} stands there", where=file.path)
    file.save()
    typer.echo(f"✓ Removed the hook of profile {profile!r}: {escaped(file.path)}")
    _tell_copy(file)


def _tell_copy(file: agent_settings.Settings) -> None:
    if file.text is not None:
        typer.echo(f"  The former text: {escaped(file.path)}{agent_settings.KEPT}")
