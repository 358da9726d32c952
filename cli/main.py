"""The command line as a whole: which commands there are, and how a command's failure reaches the shell.

Decides names and order of the commands; each one's options are its module's. Commands that must answer at once never come here:
`cli.gate` answers those.
"""

import errno
import importlib
import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from cli.outcomes import FAILED, INTERRUPTED, PARTLY_DONE, code_of
from cli.paths import paths
from pipeline.errors import RingletError

COMMANDS = {
    "usage": "cli.commands.usage",
    "ingest": "cli.commands.ingest",
    "import": "cli.commands.imports",
    "agents": "cli.commands.agents",
    "profiles": "cli.commands.profiles",
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
        command = typer.main.get_command(importlib.import_module(module).app)
        command.name = cmd_name
        return command


app = typer.Typer(cls=_Lazy, pretty_exceptions_enable=False, no_args_is_help=True, context_settings={"help_option_names": ["-h", "--help"]})


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError, version  # 30 ms that only this option should pay

        try:
            typer.echo(f"ringlet {version('ringlet')}")
        except PackageNotFoundError:
            typer.echo("ringlet (not installed: run from a checkout)")
        raise typer.Exit


@app.callback()
def ringlet(
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.", callback=_version, is_eager=True)] = False,
) -> None:
    """What your AI coding agents used and what it cost: exact, instant, kept for good.

    Start with `ringlet usage`; with no agent on this machine, `ringlet demo`.
    """


def run(argv: list[str]) -> int:
    """Run one command line (without the program's name) and return its exit code; a failure is one line on standard error."""
    try:
        _take_over()
        typer.main.get_command(app).main(args=argv, prog_name="ringlet")
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else FAILED if stop.code else 0
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has seen enough; the interpreter must not complain when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (RingletError, OSError, MemoryError) as error:
        return _report(error)
    return 0


def _take_over() -> None:
    """Once, when the program is used under its present name for the first time, say what was taken over from the former one."""
    try:
        where = paths()
    except LookupError as error:
        raise RingletError(str(error)) from None
    if os.path.exists(where.profiles):
        return
    from cli import takeover  # only whoever has no profiles yet asks

    if takeover.due(where, os.environ):
        for line in takeover.take_over(where, os.environ):
            print(f"ringlet: {line}", file=sys.stderr)


def _report(error: RingletError | OSError | MemoryError) -> int:
    """Say on standard error what went wrong, and return the exit code for it."""
    if isinstance(error, OSError):
        # A library's text may quote what it was given; the reason and the path are enough to act on.
        where = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, (str, bytes)) else ""
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        mend = "; free some space and run the same command again, nothing that was committed is lost" if full else ""
        print(f"ringlet: {where}{error.strerror or type(error).__name__}{mend}", file=sys.stderr)
        return PARTLY_DONE if full else FAILED
    print(f"ringlet: {error if str(error) else type(error).__name__}", file=sys.stderr)
    return code_of(error)
