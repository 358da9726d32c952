"""The command line as a whole: which commands there are, and how a command's failure reaches the shell.

Decides names and order of the commands; each one's options are its module's. Commands that must answer at once never come here:
`cli.gate` answers those.
"""

import importlib
import sys
from io import TextIOWrapper
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from cli import roomy
from cli.ask import WrongUsage
from cli.former import take_over_once
from cli.outcomes import DONE, FAILED, guarded, let_go

COMMANDS = {
    "usage": "cli.commands.usage",
    "explain": "cli.commands.explain",
    "guard": "cli.commands.guard",
    "statusline": "cli.commands.statusline",
    "hooks": "cli.commands.hooks",
    "ingest": "cli.commands.ingest",
    "daemon": "cli.commands.daemon",
    "import": "cli.commands.imports",
    "agents": "cli.commands.agents",
    "init": "cli.commands.init",
    "profiles": "cli.commands.profiles",
    "aliases": "cli.commands.aliases",
    "providers": "cli.commands.providers",
    "prices": "cli.commands.prices",
    "registry": "cli.commands.registry",
    "views": "cli.commands.views",
    "seal": "cli.commands.seal",
    "doctor": "cli.commands.doctor",
    "demo": "cli.commands.demo",
}
"""Name to module; a module is imported when its command is asked for, so that each command pays for its own imports alone."""


class _Lazy(TyperGroup):
    """A group whose commands are modules with an `app`."""

    def list_commands(self, _ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _ctx: Any, cmd_name: str) -> Any:
        module = COMMANDS.get(cmd_name)
        if module is None:
            return None
        if cmd_name == "views":
            roomy.begin()
        command = typer.main.get_command(importlib.import_module(module).app)
        command.name = cmd_name
        return command

    def invoke(self, ctx: Any) -> Any:
        # Guarded here already: the library would make a failure of its own of a reader that has gone.
        raise typer.Exit(guarded(lambda: self._invoked(ctx)))

    def _invoked(self, ctx: Any) -> int:
        super().invoke(ctx)
        return DONE


app = typer.Typer(cls=_Lazy, no_args_is_help=True, context_settings={"help_option_names": ["-h", "--help"]})


def _version(wanted: bool) -> None:
    if wanted:
        from cli import itself  # only this option

        typer.echo(f"ringlet {itself.version() or '(not installed: run from a checkout)'}")
        raise typer.Exit


@app.callback()
def ringlet(
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.", callback=_version, is_eager=True)] = False,  # noqa: ARG001
    json: Annotated[bool, typer.Option("--json", help="The same as --json behind a command.")] = False,
) -> None:
    """What your AI coding agents used and what it cost: exact, instant, kept for good.

    Start with `ringlet usage`; with no agent on this machine, `ringlet demo`.
    """
    if json:
        raise WrongUsage("--json is for commands that answer something", mend="leave it out")


def run(argv: list[str]) -> int:
    """Run one command line (without the program's name) and return its exit code; a failure is one line on standard error."""
    return guarded(lambda: _run(argv))


def _refuse_nothing(argv: list[str]) -> None:
    """Raises WrongUsage for an empty word: a variable that is not set must not mean this folder, everything, or the default."""
    for before, word in zip(["the command line", *argv], argv, strict=False):
        option, equals, value = word.partition("=")
        if not word or (option.startswith("--") and equals and not value):
            raise WrongUsage(f"{option or before} is followed by an empty value", mend="give one, or leave it out")


def _placed(argv: list[str]) -> list[str]:
    """The command line with a `--json` that stands before its command behind it, where each command has its own.

    Behind the name of a profile that is run stands what its agent is to be given.
    """
    return [*argv[1:], "--json"] if argv[:1] == ["--json"] and len(argv) > 1 and argv[1:3] != ["profiles", "run"] else argv


def _run(argv: list[str]) -> int:
    argv = _placed(argv)
    if argv[:1] != ["guard"]:  # it says so itself, with an exit code of its own
        # What an agent is to be given is the agent's business.
        _refuse_nothing(argv[:3] if argv[:2] == ["profiles", "run"] else argv)
    take_over_once()
    if isinstance(sys.stdout, TextIOWrapper):
        # A terminal that cannot show a letter shows another in its place; that is no reason to fail.
        sys.stdout.reconfigure(errors="replace")
    try:
        typer.main.get_command(app).main(args=argv, prog_name="ringlet")
    except SystemExit as stop:
        if isinstance(stop.__context__, BrokenPipeError):
            # So the libraries say that nobody reads on, help or the words of a failure.
            let_go()
            return getattr(stop.__context__.__context__, "exit_code", DONE)
        return stop.code if isinstance(stop.code, int) else FAILED if stop.code else DONE
    return DONE
