"""Hooks that an agent runs itself: entries in Claude Code's own settings.

Decides which events there are, what an entry looks like and which one is ours: the one with the matcher and command that `hooks.json`
names. Everything else in the file stays as it is (`cli.agent_settings`). Fields as of https://code.claude.com/docs/en/hooks (2026-11).
"""

from collections.abc import Iterator
from typing import Any

from cli.ask import WrongUsage, unknown
from pipeline.errors import Damaged

EVENTS = (
    "PreToolUse",
    "PostToolUse",
    "PostToolUseFailure",
    "PermissionRequest",
    "Notification",
    "UserPromptSubmit",
    "SessionStart",
    "SessionEnd",
    "Stop",
    "SubagentStart",
    "SubagentStop",
    "PreCompact",
)
ANY = "*"
_BY_WORD = {event.lower(): event for event in EVENTS}


def event_of(word: str) -> str:
    """The event that a word means, written in any way (`PreToolUse`, `pre-tool-use`). Raises UnknownName with those that there are."""
    found = _BY_WORD.get(word.replace("-", "").replace("_", "").lower())
    if found is None:
        raise unknown("event", word, ("cost-threshold", "daily-rollup", *EVENTS))
    return found


def add(content: dict[str, Any], event: str, matcher: str, command: str, where: str) -> bool:
    """Have the agent run `command` on `event` where `matcher` matches; False, and nothing changes, where that stands there already."""
    hooks = _part(content, "hooks", dict, where)
    groups = _part(hooks, event, list, where)
    if any(command in commands for _, commands in _found(groups, matcher)):
        return False
    groups.append({"matcher": matcher, "hooks": [{"type": "command", "command": command}]})
    return True


def remove(content: dict[str, Any], event: str, matcher: str, command: str, where: str) -> bool:
    """Take that entry out, and what is empty without it; whether it was there."""
    hooks = content.get("hooks")
    if not isinstance(hooks, dict) or event not in hooks:
        return False
    groups = _part(hooks, event, list, where)
    for group, commands in list(_found(groups, matcher)):
        if command in commands:
            del group["hooks"][commands.index(command)]
            if not group["hooks"]:
                groups.remove(group)
            if not groups:
                del hooks[event]
            if not hooks:
                del content["hooks"]
            return True
    return False


def entries(content: object) -> Iterator[tuple[str, str, str]]:
    """(event, matcher, command) of each command in settings, or in their part `hooks` alone. Raises WrongUsage for what is neither."""
    hooks = content.get("hooks", content) if isinstance(content, dict) else None
    if not isinstance(hooks, dict) or not all(isinstance(groups, list) for groups in hooks.values()):
        raise WrongUsage("the file holds no hooks", mend="give what ringlet hooks export wrote, or the hooks of Claude Code's settings")
    for word, groups in hooks.items():
        event = event_of(word)
        for group in groups:
            for hook in group.get("hooks", ()) if isinstance(group, dict) else ():
                command = hook.get("command") if isinstance(hook, dict) else None
                if isinstance(command, str) and command:
                    yield event, str(group.get("matcher") or ANY), command


def sample(event: str, matcher: str) -> dict[str, Any]:
    """What the agent says to a hook of that event, with figures that are made up."""
    said: dict[str, Any] = {"session_id": "test", "transcript_path": "", "cwd": "/", "hook_event_name": event}
    if "Tool" in event:
        tool = matcher.partition("|")[0]
        said |= {"tool_name": tool if tool.isalnum() else "Bash", "tool_input": {"command": "true"}}
    return said


def _found(groups: list[Any], matcher: str) -> Iterator[tuple[dict[str, Any], list[object]]]:
    """The groups of that matcher, each with its commands in their places."""
    for group in groups:
        inner = group.get("hooks") if isinstance(group, dict) else None
        if isinstance(inner, list) and (group.get("matcher") or ANY) == matcher:
            yield group, [hook.get("command") if isinstance(hook, dict) else None for hook in inner]


def _part(content: dict[str, Any], name: str, kind: type, where: str) -> Any:
    part = content.setdefault(name, kind())
    if not isinstance(part, kind):
        raise Damaged(f"{name} is not what Claude Code reads there", where=where, mend="mend the file first; nothing was written")
    return part
