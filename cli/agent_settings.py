"""Claude Code's own settings file, and what ringlet writes into it: a hook before tool calls, and the status line.

Decides which file is a profile's, which entries in it are ours, and that nothing else in it changes: the order of keys, the indent, the
file's mode and the file that a link leads to stay; the former text is kept beside it as `settings.json.before-ringlet`. Fields as of
https://code.claude.com/docs/en/settings and /hooks (2026-11).
"""

import json
import os
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from importlib.util import find_spec
from typing import Any

from cli.escaped import escaped
from cli.own_home import housed
from cli.paths import MOVING, Paths
from pipeline import durable
from pipeline.errors import Damaged, RingletError
from pipeline.profiles import DEFAULT, Rules, absolute

NAME = "settings.json"
KEPT = ".before-ringlet"
"""Ends the name of the copy."""
AGENT = "claude"
HOOK, STATUS = "PreToolUse", "statusLine"
_PLACES = ("RINGLET_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "CLAUDE_CONFIG_DIR")
"""Variables that an agent may have been given for itself, and that say where ringlet or Claude Code keep their files."""
_START = "from ringlet.__main__ import main; sys.exit(main())"
TIMEOUT_S = 30
"""After so long Claude Code gives up on a hook and goes on: only the very first import takes longer."""


def path_of(profile: str, rules: Rules, environ: Mapping[str, str]) -> str:
    """The settings of the agent home that is this profile's. Raises UnknownName, or RingletError where the profile has no home of Claude
    Code's that is its own: settings of a home that others use too would hold them to its budget.
    """
    found = rules.find(profile)
    if found.agent not in (None, AGENT):
        raise RingletError(f"profile {profile!r} runs {found.agent}", mend="the hook is Claude Code's; name its file with --settings FILE")
    roots = [
        rule.root for rule in rules.rules if rule.profile == profile and rule.root and rule.agent in (None, AGENT) and not rule.project
    ]
    if found.home is not None:
        home = found.home
    elif profile == DEFAULT:
        named = environ.get("CLAUDE_CONFIG_DIR", "").split(",")[0].strip()
        home = absolute(named or "~/.claude", environ)
    elif len(roots) == 1:
        home = roots[0]
    else:
        what = f"profile {profile!r} has {'no' if not roots else 'more than one'} home of Claude Code's of its own"
        raise RingletError(
            what, mend=f"ringlet profiles map {shlex.quote(profile)} --home DIR gives it one, --settings FILE names the file to write"
        )
    return os.path.join(home, NAME)


def settled(where: Paths, name: str) -> Rules:
    """The rules, after a profile that only its own runs of Claude Code can give usage has got its home, so that it has settings too.

    A profile with a rule may share a home with others, and stays as it is. Raises UnknownName.
    """
    rules = Rules.load(where.profiles)
    profile = rules.find(name)
    if profile.agent != AGENT or profile.home is not None or any(rule.profile == name for rule in rules.rules):
        return rules
    housed(where, name)
    return Rules.load(where.profiles)


class Settings:
    """One settings file as it was read: `content` may be changed, `save` writes it."""

    def __init__(self, path: str) -> None:
        self.path = os.path.realpath(path)
        self.text: str | None = None
        self.content: dict[str, Any] = {}
        with suppress(FileNotFoundError), open(self.path, encoding="utf-8") as file:
            self.text = file.read()
        if self.text is not None and self.text.strip():
            try:
                self.content = json.loads(self.text)
            except ValueError as error:
                raise Damaged(f"not valid JSON ({error})", where=self.path, mend="mend the file first; nothing was written") from None
            if not isinstance(self.content, dict):
                raise Damaged("not a JSON object", where=self.path, mend="mend the file first; nothing was written")

    def save(self) -> bool:
        """Write the content, whole or not at all; whether there was anything to write."""
        text = json.dumps(self.content, indent=_indent(self.text or ""), ensure_ascii=False) + "\n"
        if self.text is not None and (text == self.text or json.loads(self.text or "{}") == self.content):
            return False
        mode = 0o600
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        if self.text is not None:
            mode = os.stat(self.path).st_mode & 0o777
            durable.write_over(self.path + KEPT, self.text.encode())
            os.chmod(self.path + KEPT, mode)
            with open(self.path, encoding="utf-8") as file:
                if file.read() != self.text:
                    raise RingletError("somebody else has just written it", where=self.path, mend="run the command again")
        durable.write_over(self.path, text.encode())
        os.chmod(self.path, mode)
        return True


def add_guard(content: dict[str, Any], profile: str, command: Sequence[str], where: str) -> None:
    """Have `command` asked before each tool call, in place of what was asked for that profile."""
    remove_guard(content, profile, where)
    hook = {"type": "command", "command": shlex.join(command), "timeout": TIMEOUT_S}
    _part(content, "hooks", dict, where).setdefault(HOOK, [])
    _part(content["hooks"], HOOK, list, where).append({"matcher": "*", "hooks": [hook]})


def remove_guard(content: dict[str, Any], profile: str, where: str) -> bool:
    """Take that profile's guard out, and what is empty without it; whether there was one."""
    if "hooks" not in content:
        return False
    hooks = _part(content, "hooks", dict, where)
    if HOOK not in hooks:
        return False
    found = False
    groups = _part(hooks, HOOK, list, where)
    for group in list(groups):
        inner = group.get("hooks") if isinstance(group, dict) else None
        if not isinstance(inner, list):
            continue
        kept = [hook for hook in inner if not (isinstance(hook, dict) and _guards(hook.get("command"), profile))]
        if len(kept) < len(inner):
            found = True
            group["hooks"] = kept
            if not kept:
                groups.remove(group)
    if found and not groups:
        del hooks[HOOK]
        if not hooks:
            del content["hooks"]
    return found


def add_status(content: dict[str, Any], command: Sequence[str], where: str, *, replace: bool) -> None:
    """Have `command` write the status line. Raises RingletError where another program does, unless `replace`."""
    present = content.get(STATUS)
    if present is not None and not is_status(present) and not replace:
        shown = present.get("command", "") if isinstance(present, dict) else ""
        raise RingletError(
            f"another program writes the status line ({escaped(str(shown)[:80])})", where=where, mend="--replace takes its place"
        )
    content[STATUS] = {**(present if isinstance(present, dict) else {}), "type": "command", "command": shlex.join(command)}


def is_status(entry: object) -> bool:
    """Whether a settings entry is our status line."""
    return isinstance(entry, dict) and next(_ours(entry.get("command")), "") == "statusline"


def renamed(content: dict[str, Any], old: str, new: str) -> None:
    """Have our guard and status line of profile `old` speak of `new`: a guard of nobody's would let the agent go on for ever."""
    hooks = content.get("hooks")
    groups = hooks.get(HOOK) if isinstance(hooks, dict) else None
    inner = [group["hooks"] for group in groups or () if isinstance(group, dict) and isinstance(group.get("hooks"), list)]
    for entry in (content.get(STATUS), *(hook for each in inner for hook in each)):
        if isinstance(entry, dict) and next(_ours(entry.get("command")), "") in ("guard", "statusline"):
            words = shlex.split(entry["command"])
            named = [at + 1 for at, word in enumerate(words[:-1]) if word == "--profile" and words[at + 1] == old]
            for at in named:
                words[at] = new
            if named:
                entry["command"] = shlex.join(words)


def command_line(environ: Mapping[str, str], *words: str) -> list[str]:
    """What starts this ringlet, with its store and its agents' homes, wherever an agent is at work and whatever home it was given.

    Never a package of the same name in the folder that the agent works in.
    """
    kept = [f"{name}={environ[name]}" for name in ("HOME", *MOVING) if environ.get(name)]
    let_go = [word for name in _PLACES if not environ.get(name) for word in ("-u", name)]
    script = os.path.join(os.path.dirname(sys.executable), "ringlet")
    if os.access(script, os.X_OK):
        return ["env", *let_go, *kept, script, *words]
    spec = find_spec("ringlet")
    folder = os.path.dirname(os.path.dirname(os.path.abspath(str(spec and spec.origin))))
    return ["env", *let_go, *kept, sys.executable, "-P", "-c", f"import sys; sys.path.insert(0, {folder!r}); {_START}", *words]


def _guards(command: object, profile: str) -> bool:
    words = list(_ours(command))
    return words[:1] == ["guard"] and (
        f"--profile={profile}" in words or ["--profile", profile] in [words[at : at + 2] for at in range(len(words))]
    )


def _ours(command: object) -> Iterator[str]:
    """The words behind the program where a command line starts ringlet."""
    if not isinstance(command, str):
        return
    try:
        words = shlex.split(command)
    except ValueError:
        return
    if words[:1] == ["env"]:
        del words[0]
        while words[:1] == ["-u"]:
            del words[:2]
        while words and words[0].partition("=")[1] and "/" not in words[0].partition("=")[0]:
            del words[0]
    if words and os.path.basename(words[0]) == "ringlet":
        yield from words[1:]
    elif words[1:3] == ["-P", "-c"] and words[3:] and words[3].endswith(_START):
        yield from words[4:]


def _part(content: dict[str, Any], name: str, kind: type, where: str) -> Any:
    part = content.setdefault(name, kind())
    if not isinstance(part, kind):
        raise Damaged(f"{name} is not what Claude Code reads there", where=where, mend="mend the file first; nothing was written")
    return part


def _indent(text: str) -> str | int:
    """What one level of a JSON text is indented by."""
    for line in text.splitlines()[1:]:
        blank = line[: len(line) - len(line.lstrip())]
        if blank:
            return blank
    return 2
