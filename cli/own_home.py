"""The home that is a profile's alone, made when its agent is first started.

Decides where it lies and which files are made. All usage in it is the profile's, by a rule; no file of the agent's is written or removed.
"""

import hashlib
import os
import re
from collections.abc import Mapping

import msgspec

from cli.agent_programs import Program, program_of
from cli.paths import Paths
from cli.profile_changes import changed
from pipeline import durable
from pipeline.errors import NothingFound
from pipeline.profiles import HOMES, Profile, Rule, Rules


def housed(where: Paths, name: str) -> Profile:
    """The profile `name` with a home that is there, made and mapped to it where it has none.

    Raises UnknownName, WrongUsage for a profile whose agent cannot be started, NothingFound where its home was to lie in a folder that is
    not there.
    """
    profile = Rules.load(where.profiles).find(name)
    program_of(profile.agent, name)
    if profile.home is None or not _mapped(Rules.load(where.profiles), profile):
        profile = changed(where, lambda rules: _with_home(where, rules, name)).find(name)
    home = str(profile.home)
    if not os.path.isdir(home):
        if not home.startswith(where.data + "/") and not os.path.isdir(os.path.dirname(home)):
            raise NothingFound(
                "the profile's home is not there, nor the folder it lay in", where=home, mend="bring it back, then try again"
            )
        durable.make_dirs(home)
    return profile


def stand_in(where: Paths, profile: Profile, program: Program, environ: Mapping[str, str]) -> str | None:
    """A folder that stands in for the one by which the agent finds its home: all else in it leads to the user's own files.

    None for an agent that can be told its home.
    """
    if program.base is None:
        return None
    variable, below, own = program.base
    real = environ.get(variable) or os.path.join(environ.get("HOME") or os.path.expanduser("~"), below)
    folder = f"{where.data}/{HOMES}/{_folder(str(profile.home))}.links"  # by the home, which stays when the name changes
    durable.make_dirs(folder)
    _link(str(profile.home), os.path.join(folder, own))
    for name in os.listdir(real) if os.path.isdir(real) else ():
        if name != own:
            _link(os.path.join(real, name), os.path.join(folder, name))
    for name in os.listdir(folder):
        link = os.path.join(folder, name)
        if os.path.islink(link) and not os.path.lexists(os.readlink(link)):
            os.unlink(link)  # what it led to has gone, and may come back as something else
    return folder


def _link(target: str, link: str) -> None:
    """`link` leads to `target`; what an agent itself has put there stays. Another start may be doing the same."""
    try:
        if os.path.islink(link) and os.readlink(link) != target:
            os.unlink(link)
        os.symlink(target, link)
    except (FileExistsError, FileNotFoundError):
        pass


def _mapped(rules: Rules, profile: Profile) -> bool:
    return any((rule.profile, rule.agent, rule.root) == (profile.name, profile.agent, profile.home) for rule in rules.rules)


def _with_home(where: Paths, rules: Rules, name: str) -> Rules:
    profile = rules.find(name)
    if profile.home is None:
        taken = {known.home for known in rules.profiles}
        first = f"{where.data}/{HOMES}/{_folder(name)}"
        # A profile that was renamed took its home with it.
        home = next(each for each in (first, *(f"{first}.{n}" for n in range(2, len(taken) + 3))) if each not in taken)
        profile = msgspec.structs.replace(profile, home=home)
        others = tuple(profile if known.name == name else known for known in rules.profiles)
        rules = msgspec.structs.replace(rules, profiles=others)
    return rules.map(Rule(profile=name, agent=profile.agent, root=profile.home))


def _folder(name: str) -> str:
    """A folder's name for any profile's: readable where it can be, and never that of another."""
    readable = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:32]
    return f"{readable or 'profile'}-{hashlib.sha256(name.encode('utf-8', 'surrogateescape')).hexdigest()[:10]}"
