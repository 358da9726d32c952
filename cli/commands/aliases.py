"""`ringlet aliases`: a command of its own for each profile, in a folder of the search path."""

import os
import shlex
from typing import Annotated

import typer

from cli import itself
from cli.agent_programs import PROGRAMS
from cli.commands.runs import MARK
from cli.escaped import escaped
from cli.paths import paths
from pipeline import durable
from pipeline.errors import NothingFound, PartlyDone
from pipeline.profiles import Rules, absolute

app = typer.Typer(help="Aliases: start a profile's agent by the profile's name.", no_args_is_help=True, add_completion=False)

Names = Annotated[list[str] | None, typer.Argument(help="Names of profiles; without any, all.", metavar="[NAME]...")]
Bin = Annotated[str, typer.Option("--bin", help="Folder for the commands; it should be on your PATH.")]

_BIN = "~/.local/bin"


@app.command()
def install(names: Names = None, folder: Bin = _BIN) -> None:
    """Write a command for each profile that has an agent. A file that is not ringlet's is never written over, and no program of another
    folder is put behind one unless its name is given.
    """
    rules = Rules.load(paths().profiles)
    asked = [rules.find(name) for name in names or rules.names()]
    wanted = [profile.name for profile in asked if profile.agent in PROGRAMS]
    if not wanted:
        raise NothingFound("no profile here has an agent to start", mend="ringlet profiles create AGENT NAME makes one")
    place = absolute(folder)
    if not names:
        before = {name: found for name in wanted if (found := _program(name, place)) is not None}
        wanted = [name for name in wanted if name not in before]
        for name, found in before.items():
            shown = escaped(shlex.quote(name))
            typer.echo(f"! {shown} is a program already ({escaped(found)}): ringlet aliases install {shown} puts the profile before it")
    os.makedirs(place, exist_ok=True)
    left = [name for name in wanted if not _written(os.path.join(place, name), _script(name))]
    done = [name for name in wanted if name not in left]
    if done:
        typer.echo(f"✓ Wrote {', '.join(map(escaped, done))} into {escaped(place)}")
    if place not in os.environ.get("PATH", "").split(os.pathsep):
        typer.echo(f"! {escaped(place)} is not on your PATH")
    if left:
        raise PartlyDone(
            f"{', '.join(left)}: something else bears this name and was left alone", where=place, mend="--bin takes another folder"
        )


@app.command()
def remove(names: Names = None, folder: Bin = _BIN) -> None:
    """Remove the commands that `install` wrote, also those of profiles that are gone; nothing else."""
    place = absolute(folder)
    present = sorted(os.listdir(place)) if os.path.isdir(place) else []
    ours = [name for name in present if (not names or name in names) and _is_ours(os.path.join(place, name))]
    if not ours:
        raise NothingFound("no alias of ringlet's is there", where=place)
    for name in ours:
        os.unlink(os.path.join(place, name))
    typer.echo(f"✓ Removed {', '.join(map(escaped, ours))} from {escaped(place)}")


def _program(name: str, place: str) -> str | None:
    """A program of that name on the search path that is not in `place` and not ours; None where there is none."""
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        path = os.path.join(folder, name)
        if os.path.isabs(folder) and folder != place and os.path.isfile(path) and os.access(path, os.X_OK) and not _is_ours(path):
            return path
    return None


def _script(profile: str) -> bytes:
    moved = os.environ.get("RINGLET_HOME")
    # The profile is known in this store alone.
    store = f"RINGLET_HOME={shlex.quote(absolute(moved))} " if moved else ""
    command = shlex.join(itself.command("profiles", "run", profile, "--"))
    return b"#!/bin/sh\n" + MARK + os.fsencode(f': the agent of a profile\n{store}exec {command} "$@"\n')


def _written(path: str, script: bytes) -> bool:
    """Whether `path` holds `script` now: not where a file that is not ours stands there."""
    try:
        if _is_ours(path):
            durable.write_over(path, script)
        else:
            durable.write_new(path, script)
    except FileExistsError:
        return False
    os.chmod(path, 0o755)
    return True


def _is_ours(path: str) -> bool:
    if os.path.islink(path) or not os.path.isfile(path):
        return False
    try:
        with open(path, "rb") as file:
            return file.read(200).startswith(b"#!/bin/sh\n" + MARK)
    except PermissionError:
        return False  # ours can be read
