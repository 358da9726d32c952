"""The API keys of profiles: one file each that only its user can read.

Decides where a key is kept and how it is shown. A key never stands in a command line, in `profiles.json` or in a message.
"""

import os
import secrets
import sys
from contextlib import suppress

from cli.ask import WrongUsage
from cli.paths import Paths
from pipeline import durable
from pipeline.errors import NothingFound
from pipeline.profiles import Profile

LONGEST = 4096
_SHOWN = 4
_LONG_ENOUGH = 20
"""Of a shorter key, four characters would tell too much."""


def typed() -> str:
    """A key from standard input, its first line; a terminal does not show it. Raises WrongUsage for what no key can be."""
    if sys.stdin.isatty():
        import getpass  # only who types

        text = getpass.getpass("API key: ")
    else:
        text = sys.stdin.readline(LONGEST + 2)
    text = text.strip()
    if not text or len(text) > LONGEST or not text.isascii() or not text.isprintable() or " " in text:
        raise WrongUsage("no API key on standard input", mend="its first line must be the key and nothing else: ... --api-key-stdin < FILE")
    return text


def keep(where: Paths, key: str) -> str:
    """The name under which `key` is kept from now on."""
    durable.prepare_home(where.data, create=True)
    durable.make_dirs(_folder(where))
    name = secrets.token_hex(8)
    durable.write_new(os.path.join(_folder(where), name), key.encode() + b"\n")
    durable.fsync_dirs([_folder(where)])
    return name


def of(where: Paths, profile: Profile) -> str | None:
    """The key of a profile; None where it has none. Raises NothingFound where the file has gone."""
    if profile.key is None:
        return None
    path = os.path.join(_folder(where), os.path.basename(profile.key))
    try:
        with open(path, encoding="ascii") as file:
            return file.read().strip()
    except FileNotFoundError:
        raise NothingFound(
            f"the API key of profile {profile.name!r} is gone",
            where=path,
            mend="delete the profile and create it again with --api-key-stdin",
        ) from None


def forget(where: Paths, name: str | None) -> None:
    """Remove the key that is kept under `name`, if any."""
    if name is None:
        return
    with suppress(FileNotFoundError):
        os.unlink(os.path.join(_folder(where), os.path.basename(name)))


def masked(key: str) -> str:
    """`key` so that its owner knows it again and nobody else learns it."""
    return "…" + (key[-_SHOWN:] if len(key) >= _LONG_ENOUGH else "")


def _folder(where: Paths) -> str:
    return where.data + "/keys"
