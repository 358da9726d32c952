"""Whose a call is: profiles, and the rules that map an agent's home and a project's path to one of them.

Decides the profile and the billing provider of a call. Nothing of this is written into events, so changing a rule changes history at
the next rebuild. Views apply the rules; the command line edits them.
"""

import os
from collections.abc import Mapping
from datetime import date
from fnmatch import fnmatchcase

import msgspec

from pipeline.errors import BadName, Damaged, NothingFound, RingletError, UnknownName

HOMES = "homes"
"""The folder of a store in which the homes of profiles lie that were given none."""
DEFAULT = "default"


LOGS_WITHOUT_ID = ("codex", "droid", "grok", "opencode")
"""Agents whose logs share no id with the wire: what is logged and what is captured of them cannot be told to be one call."""


class Profile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One identity that runs agents: a client, an account, a job."""

    name: str
    agent: str | None = None
    provider: str | None = None
    """Who bills this profile's calls; None or `self`: the provider that the log names."""
    home: str | None = None
    """The agent home that is this profile's alone."""
    captured_from: date | None = None
    """The UTC date from which on its captured calls count instead of its logged ones, where no id tells that two are one; None: its log
    counts."""
    model: str | None = None
    """The model that its agent is told to use; None: the agent's own choice."""
    endpoint: str | None = None
    """Where its agent sends calls; None: where the provider is usually reached."""
    key: str | None = None
    """Under which name its API key is kept, never the key itself; None: it has none."""
    captured_as: str | None = None
    """The name that its captured calls bear, where that is not its own: what it was made as, or another where that was taken."""

    @property
    def mark(self) -> str:
        """The name that its captured calls bear, as long as it lives."""
        return self.name if self.captured_as is None else self.captured_as


class Rule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Calls of `agent` from `root` in a project that matches `project` belong to `profile`; a field that is None matches all."""

    profile: str
    agent: str | None = None
    root: str | None = None
    """An agent home: the path itself or any folder above it."""
    project: str | None = None
    """A path or shell pattern; a path without wildcards also matches what lies below it."""

    @property
    def weight(self) -> int:
        """How specific the rule is; a more specific rule stands before a less specific one."""
        return 4 * (self.project is not None) + 2 * (self.root is not None) + (self.agent is not None)

    def matches(self, agent: str, root: str | None, project: str | None) -> bool:
        """Whether a call of `agent` from the home `root` in `project` is meant."""
        return (
            (self.agent is None or self.agent == agent)
            and (self.root is None or (root is not None and _within(root, self.root)))
            and (self.project is None or (project is not None and _project_matches(project, self.project)))
        )


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """All profiles and rules of one data home; changing it gives a new one."""

    version: int = 1
    profiles: tuple[Profile, ...] = ()
    rules: tuple[Rule, ...] = ()
    gone: tuple[str, ...] = ()
    """Marks of profiles that were deleted."""

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Rules":
        """The rules in `profiles.json`; none where the file is missing. Raises `Damaged` for a file that is not ours."""
        try:
            with open(path, "rb") as file:
                return msgspec.json.decode(file.read(), type=cls)
        except FileNotFoundError:
            return cls()
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise Damaged(
                f"not a profiles file ({error})", where=os.fspath(path), mend="mend or remove it, then ringlet profiles list"
            ) from None

    def dump(self) -> bytes:
        """The rules as the text of `profiles.json`."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"

    def names(self) -> list[str]:
        """Names of all profiles, `default` first."""
        return [DEFAULT, *sorted(profile.name for profile in self.profiles if profile.name != DEFAULT)]

    def find(self, name: str) -> Profile:
        """The profile of that name. Raises `UnknownName` with the names there are."""
        for profile in self.profiles:
            if profile.name == name:
                return profile
        if name == DEFAULT:
            return Profile(name=DEFAULT)
        raise UnknownName(f"no profile {name!r}; there are: {', '.join(self.names())}", mend="ringlet profiles list shows them")

    def profile_of(self, agent: str, root: str | None, project: str | None, own: str | None = None) -> str:
        """The profile that a call belongs to: that of the mark which its source itself knows (`own`), else of the first rule that matches,
        else `default`. A mark that no profile ever had here, such as another machine's, is a name like any."""
        if own is not None and own not in self.gone:
            return next((profile.name for profile in self.profiles if profile.mark == own), own)
        for rule in self.rules:
            if rule.matches(agent, root, project):
                return rule.profile
        return DEFAULT

    def provider_of(self, profile: str, logged: str | None) -> str | None:
        """Who bills a call of `profile` whose log names `logged`: the profile's own provider, unless that is `self`."""
        for known in self.profiles:
            if known.name == profile and known.provider not in (None, "self"):
                return known.provider
        return logged

    def create(self, profile: Profile, rules: tuple[Rule, ...] = ()) -> "Rules":
        """With one more profile and its rules. Raises `RingletError` for a name that is taken or unusable.

        Calls that were captured for a deleted profile of that name are its; those of one that was renamed are not.
        """
        checked_name(profile.name)
        if profile.name in self.names():
            raise _taken(profile.name)
        if any(known.mark == profile.name for known in self.profiles):
            taken = {*self.gone, *(known.mark for known in self.profiles)}
            free = next(mark for n in range(2, len(taken) + 3) if (mark := f"{profile.name}.{n}") not in taken)
            profile = msgspec.structs.replace(profile, captured_as=free)
        gone = tuple(mark for mark in self.gone if mark != profile.mark)
        grown = msgspec.structs.replace(self, profiles=(*self.profiles, profile), gone=gone)
        for rule in rules:
            grown = grown.map(rule)
        return grown

    def ensure(self, name: str, *, agent: str | None = None) -> "Rules":
        """With a profile of that name, created where it is missing."""
        return self if name in self.names() else self.create(Profile(name=name, agent=agent))

    def map(self, rule: Rule, *, first: bool = False) -> "Rules":
        """With one more rule; one with the same conditions is replaced. It stands before all less specific ones, or first of all."""
        self.find(rule.profile)
        kept = [old for old in self.rules if (old.agent, old.root, old.project) != (rule.agent, rule.root, rule.project)]
        place = 0 if first else next((index for index, old in enumerate(kept) if old.weight < rule.weight), len(kept))
        return msgspec.structs.replace(self, rules=(*kept[:place], rule, *kept[place:]))

    def unmap(self, number: int) -> "Rules":
        """Without rule `number` (from 1, as listed). Raises `NothingFound`."""
        if not 1 <= number <= len(self.rules):
            raise NothingFound(f"no rule {number}; there are {len(self.rules)}", mend="ringlet profiles map shows them")
        return msgspec.structs.replace(self, rules=(*self.rules[: number - 1], *self.rules[number:]))

    def count_from(self, name: str, captured_from: date | None) -> "Rules":
        """With captured calls of profile `name` counting from that UTC date on, or its log for ever. Raises `UnknownName`."""
        changed = msgspec.structs.replace(self.find(name), captured_from=captured_from)
        others = tuple(known for known in self.profiles if known.name != name)
        return msgspec.structs.replace(self, profiles=(*others, changed))

    def rename(self, old: str, new: str) -> "Rules":
        """With profile `old` called `new`, in its rules too; its captured calls stay its own."""
        profile = self.find(old)
        checked_name(new)
        if old == DEFAULT:
            raise RingletError("the profile 'default' is where unmapped usage goes and keeps its name")
        if new in self.names():
            raise _taken(new)
        renamed = msgspec.structs.replace(profile, name=new, captured_as=None if new == profile.mark else profile.mark)
        return msgspec.structs.replace(
            self,
            profiles=tuple(renamed if known.name == old else known for known in self.profiles),
            rules=tuple(msgspec.structs.replace(rule, profile=new) if rule.profile == old else rule for rule in self.rules),
        )

    def delete(self, name: str) -> "Rules":
        """Without profile `name` and its rules; its usage falls to the next rule that matches, or to `default`."""
        mark = self.find(name).mark
        if name == DEFAULT:
            raise RingletError("the profile 'default' is where unmapped usage goes and cannot be deleted")
        return msgspec.structs.replace(
            self,
            gone=(*(known for known in self.gone if known != mark), mark),
            profiles=tuple(known for known in self.profiles if known.name != name),
            rules=tuple(rule for rule in self.rules if rule.profile != name),
        )


def _taken(name: str) -> RingletError:
    from shlex import quote  # brings regular expressions along

    return RingletError(f"profile {name!r} exists", mend=f"ringlet profiles inspect {quote(name)} shows it")


def checked_name(name: str) -> str:
    """`name`, if it can be a profile's: 1 to 64 printable characters without `/`, leading `-` or outer spaces. Raises `BadName`."""
    if not name or len(name) > 64 or not name.isprintable() or "/" in name or name.startswith("-") or name != name.strip():
        raise BadName(f"{name!r} cannot name a profile", mend="use 1 to 64 printable characters, no '/', not starting with '-'")
    return name


def absolute(path: str, environ: Mapping[str, str] = os.environ) -> str:
    """`path` with `~` expanded, absolute, without a trailing slash; wildcards stay."""
    if path == "~" or path.startswith("~/"):
        path = environ.get("HOME", "~") + path[1:]
    return os.path.normpath(os.path.abspath(path))


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _project_matches(project: str, pattern: str) -> bool:
    if any(mark in pattern for mark in "*?["):
        return fnmatchcase(project, pattern)
    return _within(project, pattern)
