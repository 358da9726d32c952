"""The API keys of profiles: in the system's keyring where there is one, else in one file each that only its user can read.

Decides where a key is kept and how it is shown. A key never stands in a command line, in `profiles.json` or in a message.
"""

import os
import secrets
import sys
from contextlib import suppress

from cli import keyring_child
from cli.ask import WrongUsage
from cli.paths import Paths
from pipeline import durable
from pipeline.errors import NothingFound
from pipeline.profiles import Profile

LONGEST = 4096
_IN_KEYRING = "keyring:"
"""Stands before the names of keys that are there."""
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
    name = secrets.token_hex(8)
    if keyring_child.keep(name, key):
        return _IN_KEYRING + name
    durable.prepare_home(where.data, create=True)
    durable.make_dirs(_folder(where))
    durable.write_new(os.path.join(_folder(where), name), key.encode() + b"\n")
    durable.fsync_dirs([_folder(where)])
    return name


def of(where: Paths, profile: Profile) -> str | None:
    """The key of a profile; None where it has none. Raises NothingFound where it has gone, or the keyring does not give it."""
    if profile.key is None:
        return None
    if profile.key.startswith(_IN_KEYRING):
        key = keyring_child.secret_of(profile.key.removeprefix(_IN_KEYRING))
        if key is None:
            raise NothingFound(
                f"the keyring does not give the API key of profile {profile.name!r}",
                where=place(where, profile.key),
                mend="open the keyring and try again; if the key is gone, delete the profile and create it again with --api-key-stdin",
            )
        return key
    try:
        with open(_path(where, profile.key), encoding="ascii") as file:
            return file.read().strip()
    except FileNotFoundError:
        raise NothingFound(
            f"the API key of profile {profile.name!r} is gone",
            where=_path(where, profile.key),
            mend="delete the profile and create it again with --api-key-stdin",
        ) from None


def glimpsed(where: Paths, profile: Profile) -> str | None:
    """The key of a profile as it is shown, if it can be had at once; None where it cannot."""
    name = profile.key or ""
    if name.startswith(_IN_KEYRING):
        key = keyring_child.secret_of(name.removeprefix(_IN_KEYRING), shown=True)
        return None if key is None else masked(key)
    try:
        return masked(of(where, profile) or "")
    except NothingFound:
        return None


def place(where: Paths, name: str) -> str:
    """Where the key lies that is kept under `name`, in words."""
    if name.startswith(_IN_KEYRING):
        return f"the keyring ({keyring_child.SERVICE}, {name.removeprefix(_IN_KEYRING)})"
    return _path(where, name)


def forget(where: Paths, name: str | None) -> bool:
    """Remove the key that is kept under `name`, if any; False where the keyring does not let go of it."""
    if name is None:
        return True
    if name.startswith(_IN_KEYRING):
        return keyring_child.forget(name.removeprefix(_IN_KEYRING))
    with suppress(FileNotFoundError):
        os.unlink(_path(where, name))
    return True


def masked(key: str) -> str:
    """`key` so that its owner knows it again and nobody else learns it."""
    return "…" + (key[-_SHOWN:] if len(key) >= _LONG_ENOUGH else "")


def _folder(where: Paths) -> str:
    return where.data + "/keys"


def _path(where: Paths, name: str) -> str:
    return os.path.join(_folder(where), os.path.basename(name))
