"""Hooks as a file that another machine, or another profile, takes.

Decides what of a hook leaves this machine: without its id, which would make alerts of two machines look like one, and without the address
and the signing secret unless they are asked for.
"""

import sys
from collections.abc import Sequence
from typing import Any

import msgspec

from cli.ask import WrongUsage
from cli.hooks import tool_events
from cli.hooks.book import SPEND, Hook
from cli.hooks.making import Wanted, checked
from cli.paths import Paths
from pipeline.errors import NothingFound

_LEFT = ("id", "made_at_us", "settings")
_SECRET = ("webhook", "signing")
_LARGEST = 1 << 20
_VERSION = 1


def exported(hooks: Sequence[Hook], *, secrets: bool) -> bytes:
    """The hooks as JSON."""
    left = (*_LEFT, *(() if secrets else _SECRET))
    told = [{name: value for name, value in msgspec.to_builtins(hook).items() if name not in left} for hook in hooks]
    return msgspec.json.format(msgspec.json.encode({"version": _VERSION, "hooks": told}), indent=2)


def read(path: str) -> object:
    """What a file, or standard input for `-`, holds. Raises NothingFound, WrongUsage."""
    try:
        if path == "-":
            text = sys.stdin.buffer.read(_LARGEST + 1)
        else:
            with open(path, "rb") as file:
                text = file.read(_LARGEST + 1)
    except FileNotFoundError:
        raise NothingFound("no such file", where=path, mend="ringlet hooks export > FILE writes one") from None
    try:
        return msgspec.json.decode(text) if len(text) <= _LARGEST else None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise WrongUsage("the file is no JSON", mend="give what ringlet hooks export wrote, or Claude Code's settings") from None


def imported(content: object, profile: str | None, where: Paths) -> list[Hook]:
    """The hooks of a file, judged as if each had been typed; with `profile` they are all that one's. Raises as `making.checked` does."""
    listed = content.get("hooks") if isinstance(content, dict) else None
    if isinstance(content, dict) and isinstance(listed, list):
        if content.get("version", _VERSION) != _VERSION:
            raise WrongUsage(
                "the file is another ringlet's, with hooks of another shape", mend="export it again with a ringlet such as this"
            )
        return [checked(_wanted(each, profile, number), where) for number, each in enumerate(listed, 1)]
    if profile is None:
        raise WrongUsage("hooks of an agent name no profile", mend="ringlet hooks import PROFILE FILE")
    entries = tool_events.entries(content)
    return [checked(Wanted(profile=profile, on=on, matcher=matcher, shell=shell), where) for on, matcher, shell in entries]


def _wanted(each: Any, profile: str | None, number: int) -> Wanted:
    try:
        wanted = msgspec.convert({**each, **({"profile": profile} if profile else {})}, Wanted)
    except (msgspec.ValidationError, TypeError):
        raise WrongUsage(f"hook {number} of the file is none", mend="ringlet hooks export shows what one looks like") from None
    if wanted.on in SPEND and wanted.webhook is None and wanted.shell is None:
        raise WrongUsage(f"hook {number} of the file has nobody to tell", mend="export it with --secrets, which writes its address too")
    return wanted
