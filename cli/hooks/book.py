"""The hooks of this user: `hooks.json` in the data home.

Decides what a hook is made of and how the file is kept. An address that takes messages is a secret, because whoever knows it can write
there; so the file is its owner's alone, and `cli.hooks.shown` decides how much of a hook is seen. The HTTP API has no way to it.
"""

import os
import re
import secrets
import stat
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from cli.paths import Paths
from cli.profile_changes import lock
from pipeline import durable
from pipeline.errors import Damaged, NothingFound, RingletError
from views.alerts import Period, Watch
from views.pricing.money import attodollars

THRESHOLD, ROLLUP = "cost-threshold", "daily-rollup"
SPEND = (THRESHOLD, ROLLUP)
"""The events of ringlet's own; all others are an agent's."""
AT = "09:00"
"""When a daily report is due where nothing else is said."""
_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)\Z")


class Hook(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One hook. Of `webhook` and `shell` it has exactly one; a tool event has `shell`, `matcher` and `settings`."""

    id: str
    profile: str
    on: str
    """`cost-threshold`, `daily-rollup`, or an event of the agent's such as `PreToolUse`."""
    made_at_us: int = 0
    period: Period | None = None
    threshold: str | None = None
    """US dollars, as they were typed; so is `of`."""
    of: str | None = None
    """The budget that the threshold is a part of, for the words alone."""
    at: str | None = None
    """`HH:MM` of the configured zone."""
    webhook: str | None = None
    allow_http: bool = False
    allow_private: bool = False
    signing: str | None = None
    """The secret that messages are signed with."""
    shell: str | None = None
    matcher: str | None = None
    settings: str | None = None
    """The agent's settings file that the hook was written into."""

    @property
    def is_tool_event(self) -> bool:
        """Whether the agent runs it, and not ringlet."""
        return self.on not in SPEND

    def same_as(self, other: "Hook") -> bool:
        """Whether both do the same, whatever they are called and signed with."""
        return msgspec.structs.replace(self, **_OWN) == msgspec.structs.replace(other, **_OWN)


_OWN: dict[str, Any] = {"id": "", "made_at_us": 0, "signing": None}


class Hooks(msgspec.Struct, frozen=True, kw_only=True):
    """All hooks of one data home; changing them gives new ones."""

    version: int = 1
    hooks: tuple[Hook, ...] = ()

    def of(self, profile: str | None) -> list[Hook]:
        """Those of a profile; None: all."""
        return [hook for hook in self.hooks if profile is None or hook.profile == profile]

    def find(self, id: str) -> Hook:
        """The hook of that id. Raises NothingFound with the ids that there are."""
        for hook in self.hooks:
            if hook.id == id:
                return hook
        known = ", ".join(hook.id for hook in self.hooks[:20])
        raise NothingFound(f"no hook {id!r}; there are: {known or 'none yet'}", mend="ringlet hooks list shows them")

    def added(self, hooks: Iterable[Hook]) -> "Hooks":
        """With more of them."""
        return msgspec.structs.replace(self, hooks=(*self.hooks, *hooks))

    def without(self, ids: Iterable[str]) -> "Hooks":
        """Without those of these ids."""
        gone = set(ids)
        return msgspec.structs.replace(self, hooks=tuple(hook for hook in self.hooks if hook.id not in gone))

    def renamed(self, old: str, new: str) -> "Hooks":
        """With the hooks of one profile belonging to another name."""
        hooks = (msgspec.structs.replace(hook, profile=new) if hook.profile == old else hook for hook in self.hooks)
        return msgspec.structs.replace(self, hooks=tuple(hooks))


def load(path: str) -> Hooks:
    """The hooks in `hooks.json`; none where the file is missing.

    Raises Damaged for a file that is not ours, RingletError for one that others could have read or written: it holds secrets and commands.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | getattr(os, "O_NOFOLLOW", 0))
    except FileNotFoundError:
        return Hooks()
    except OSError as error:
        raise RingletError(error.strerror or "cannot be read", where=path, mend=_MEND) from None
    with open(fd, "rb") as file:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
            raise RingletError("not a file of yours", where=path, mend=_MEND)
        if found.st_mode & 0o077:
            raise RingletError("open to other users, and it holds commands and secret addresses", where=path, mend=f"chmod 600 {path}")
        try:
            hooks = msgspec.json.decode(file.read(), type=Hooks)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            # What is wrong may quote a secret.
            raise Damaged("not a file of hooks", where=path, mend=_MEND) from None
    for number, hook in enumerate(hooks.hooks, 1):
        try:
            _believe(hook)
        except ValueError as error:
            raise Damaged(f"hook {number} is none: {error}", where=path, mend=_MEND) from None
    return hooks


def _believe(hook: Hook) -> None:
    """Raises ValueError for what nobody can have added, without its secrets."""
    watch_of(hook)
    if hook.of is not None:
        limit(hook.of, "of")
    if (hook.webhook is None) == (hook.shell is None):
        raise ValueError("it needs either an address or a command")
    if hook.is_tool_event and (hook.shell is None or hook.matcher is None or hook.settings is None):
        raise ValueError("it lacks its command, matcher or settings")


_MEND = "mend it or move it away, then ringlet hooks list"


def changed(where: Paths, change: Callable[[Hooks], Hooks]) -> Hooks:
    """The hooks after `change`, which are kept. Who changes them, or the profiles, at the same time waits."""
    with lock(where):
        before = load(where.hooks)
        after = change(before)
        if after != before:
            durable.write_over(where.hooks, msgspec.json.format(msgspec.json.encode(after), indent=2) + b"\n")
        return after


def new_id() -> str:
    """A name for a hook that no other has, on any machine."""
    return secrets.token_hex(4)


def limit(text: str, name: str) -> int:
    """Attodollars of an amount above zero. Raises ValueError that names it."""
    try:
        amount = attodollars(text)
    except ValueError:
        amount = 0
    if amount <= 0:
        raise ValueError(f"{name} {text[:40]!r} is no amount above zero")
    return amount


def minute(text: str) -> int:
    """Minute of the day of `HH:MM`. Raises ValueError."""
    found = _TIME.match(text)
    if found is None:
        raise ValueError(f"{text[:40]!r} is no time of day")
    return int(found[1]) * 60 + int(found[2])


def watch_of(hook: Hook) -> Watch | None:
    """What a hook of ringlet's own waits for; None for a tool event. Raises ValueError where the file was changed into what cannot be."""
    if hook.on == THRESHOLD and hook.period is not None and hook.threshold is not None:
        return Watch(hook=hook.id, profile=hook.profile, period=hook.period, threshold=limit(hook.threshold, "threshold"))
    if hook.on == ROLLUP:
        return Watch(hook=hook.id, profile=hook.profile, at_minute=minute(hook.at or AT), since_us=hook.made_at_us)
    if not hook.is_tool_event:
        raise ValueError(f"{hook.on} lacks its period or threshold")
    return None


class Followed:
    """The hooks as the file says them now; who looks again pays one look at the file while nothing has changed."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._seen: tuple[int, ...] | None = None
        self.hooks = Hooks()
        self.trouble: RingletError | None = None
        """Why there are none, where the file cannot be used."""

    def changed(self) -> bool:
        """Whether the file, or who may read it, is not as it was; `hooks` and `trouble` say how it is now. True the first time."""
        now = self._look()
        if now == self._seen:
            return False
        self._seen = now
        try:
            self.hooks, self.trouble = load(self._path), None
        except RingletError as error:
            self.hooks, self.trouble = Hooks(), error
        return True

    def _look(self) -> tuple[int, ...]:
        try:
            found = os.lstat(self._path)
        except OSError:
            return ()
        # The last one changes with mode and owner too.
        return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
