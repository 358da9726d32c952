"""Which names a filter means.

Decides how a model, a project or a session is named by someone who does not type all of it, and which initiators of calls go by one
name. Imports nothing: hot path.
"""

INITIATORS = {"main": ("main",), "task": ("subagent", "task", "memory"), "heartbeat": ("heartbeat",)}
"""Who made a call, in three words: together they are all calls. Each stands for initiators as events name them."""

SOURCES = {"chat": ("main",), "agent": ("subagent", "task", "heartbeat"), "memory": ("memory",)}
"""Where a call came from, in three other words for the same."""


def coarse(groups: "dict[str, tuple[str, ...]]", initiator: str) -> "str | None":
    """The word of `INITIATORS` or `SOURCES` that an initiator goes by."""
    return next((name for name, fine in groups.items() if initiator in fine), None)


def folder(project: "str | None") -> "str | None":
    """The last folder of a project's path."""
    return None if project is None else project.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1] or project


def initiator_matches(wanted: str, initiator: "str | None") -> bool:
    """Whether a call's initiator is meant by one of `INITIATORS`."""
    return initiator in INITIATORS.get(wanted, ())


def source_matches(wanted: str, initiator: "str | None") -> bool:
    """Whether a call's initiator is meant by one of `SOURCES`."""
    return initiator in SOURCES.get(wanted, ())


def model_matches(pattern: str, model: "str | None") -> bool:
    """Whether a model id is meant: the id itself, the id with a date or `-latest` after it, or what a pattern (`*`, `?`, `[…]`) covers."""
    if model is None:
        return False
    # An id may look like a pattern and not match itself as one: `claude-opus-4-7[1m]`.
    if model.startswith(pattern) and _is_version(model[len(pattern) :]):
        return True
    return _is_pattern(pattern) and wildcard(pattern, model)


def project_matches(pattern: str, project: "str | None") -> bool:
    """Whether a project path is meant: the path, its last folder, or a pattern with wildcards over the path."""
    if project is None:
        return False
    # Folders are named like patterns, too: `app/[slug]`.
    if pattern.rstrip("/") in (project.rstrip("/"), folder(project)):
        return True
    return _is_pattern(pattern) and wildcard(pattern, project)


def session_matches(pattern: str, session: "str | None") -> bool:
    """Whether a session is meant: its id, or the first eight or more characters of it."""
    return session is not None and (session == pattern or (len(pattern) >= 8 and session.startswith(pattern)))


MATCHES = {
    "model": model_matches,
    "project": project_matches,
    "session": session_matches,
    "initiator": initiator_matches,
    "source": source_matches,
}
"""How a filter's value is compared with a name, where it need not be equal."""


def wildcard(pattern: str, text: str) -> bool:
    """Shell matching of the whole text: `*` any run, `?` one character, `[abc]`, `[a-z]`, `[!abc]` one of a set."""
    at = place = 0
    star = resume = -1
    while at < len(text):
        width = _one(pattern, place, text[at])
        if width:
            place, at = place + width, at + 1
        elif place < len(pattern) and pattern[place] == "*":
            star, resume, place = place, at, place + 1
        elif star >= 0:
            resume += 1
            place, at = star + 1, resume
        else:
            return False
    return not pattern[place:].strip("*")


def _is_version(suffix: str) -> bool:
    if suffix in ("", "-latest"):
        return True
    digits = suffix[1:].replace("-", "") if len(suffix) in (9, 11) else ""
    return suffix[0] in "-@" and len(digits) == 8 and digits.isascii() and digits.isdigit()


def _is_pattern(text: str) -> bool:
    return any(mark in text for mark in "*?[")


def _one(pattern: str, place: int, character: str) -> int:
    """How much of the pattern at `place` matches this one character; 0 = it does not."""
    if place >= len(pattern) or pattern[place] == "*":
        return 0
    if pattern[place] == "[":
        end = pattern.find("]", place + 2)
        if end > 0:
            inside = pattern[place + 1 : end]
            negated = inside[0] in "!^"
            return end + 1 - place if _in_set(inside[negated:], character) != negated else 0
    return int(pattern[place] == "?" or pattern[place] == character)


def _in_set(inside: str, character: str) -> bool:
    while inside:
        if len(inside) > 2 and inside[1] == "-":
            if inside[0] <= character <= inside[2]:
                return True
            inside = inside[3:]
        elif inside[0] == character:
            return True
        else:
            inside = inside[1:]
    return False
