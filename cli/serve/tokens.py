"""The tokens that open the daemon to programs: one file for each role.

Decides where the files lie, how they are made, and when one is not believed. What a role may do is decided per route; who holds a token is
`access`'s business.
"""

import os
import re
import secrets
import stat
from typing import Literal

from cli.paths import Paths
from pipeline import durable
from pipeline.errors import RingletError

Role = Literal["admin", "viewer"]
ROLES: tuple[Role, ...] = ("admin", "viewer")

_FOLDER = "access"
_BYTES = 32
_FORM = re.compile(r"ringlet_[A-Za-z0-9_-]{43}\n?\Z")


def folder(paths: Paths) -> str:
    """Where the files lie, made 0700 where it is missing; RingletError where others could look into it or put something there."""
    path = os.path.join(paths.data, _FOLDER)
    durable.prepare_home(paths.data, create=True)
    durable.make_dirs(path)
    found = os.lstat(path)
    if not stat.S_ISDIR(found.st_mode):
        raise RingletError("not a folder", where=path, mend="move it away; the daemon makes a new one")
    if found.st_uid != os.geteuid():
        raise RingletError(f"belongs to user {found.st_uid}", where=path, mend="move it away; the daemon makes a new one")
    if found.st_mode & 0o077:
        raise RingletError("open to other users", where=path, mend=f"chmod 700 {path}, then ringlet daemon token --rotate")
    return path


def file(paths: Paths, role: Role) -> str:
    """Path of the role's file."""
    return os.path.join(paths.data, _FOLDER, f"{role}.token")


def token(paths: Paths, role: Role) -> str:
    """The role's token, 256 random bits, made where there is none. RingletError where others may have read or changed it."""
    return secret(paths, f"{role}.token")


def secret(paths: Paths, name: str) -> str:
    """What the file `name` beside the tokens keeps: 256 random bits, made where there is none. Raises as `token` does."""
    path = os.path.join(folder(paths), name)
    if not os.path.lexists(path):
        _make(path)
    return read(path)


def rotate(paths: Paths, role: Role) -> str:
    """A new token; the old one, and every login under it, is worth nothing from now on."""
    folder(paths)
    made = _new()
    durable.write_over(file(paths, role), made)
    return made.decode().strip()


def read(path: str) -> str:
    """The token in a file, which is never a link. RingletError where it is not ours alone, or holds no token."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | getattr(os, "O_NOFOLLOW", 0))
    except OSError as error:
        raise RingletError(error.strerror or "cannot be read", where=path, mend=_MEND) from None
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            raise RingletError("not a file", where=path, mend=_MEND)
        if found.st_uid != os.geteuid():
            raise RingletError(f"belongs to user {found.st_uid}", where=path, mend=_MEND)
        if found.st_mode & 0o077:
            raise RingletError("open to other users", where=path, mend=_MEND)
        text = os.read(fd, 128).decode("ascii", "replace")
    finally:
        os.close(fd)
    if not _FORM.match(text):
        raise RingletError("holds no token", where=path, mend=_MEND)
    return text.strip()


_MEND = "ringlet daemon token --rotate makes a new one"


def _new() -> bytes:
    return f"ringlet_{secrets.token_urlsafe(_BYTES)}\n".encode()


def _make(path: str) -> None:
    # Under another name first: whoever sees the file sees all of it. Two who make one at once end with one.
    made = f"{path}.{os.getpid()}.{secrets.token_hex(4)}.new"
    durable.write_new(made, _new())
    try:
        durable.fs.rename_new(made, path)
    except FileExistsError:
        durable.fs.unlink(made)
    durable.fsync_dirs([os.path.dirname(path)])
