"""Which agent asks, by what its requests say of it.

Decides the agent and its version from `User-Agent`, and the session from the headers that agents name theirs in. Header names are in small
letters. Seen in agents of October 2026.
"""

from collections.abc import Mapping

_AGENTS = (
    ("claude-cli", "claude"),
    ("claude-code", "claude"),
    ("codex", "codex"),
    ("opencode", "opencode"),
    ("geminicli", "gemini"),
    ("gemini-cli", "gemini"),
    ("grok", "grok"),
    ("factory", "droid"),
    ("droid", "droid"),
    ("qwen", "qwen"),
    ("kimi", "kimi"),
)
_SESSIONS = ("x-claude-code-session-id", "session_id", "session-id", "conversation_id", "x-session-id")
_LONGEST = 128
UNKNOWN = "unknown"


def agent_of(user_agent: str) -> tuple[str, str | None]:
    """(agent, version); `unknown` for a program that is not known."""
    name, _, rest = user_agent.strip().partition("/")
    lower = name.lower()
    for begin, agent in _AGENTS:
        if lower.startswith(begin):
            version = rest.split()[0] if rest.split() else ""
            return agent, version[:_LONGEST] or None
    return UNKNOWN, None


def session_of(headers: Mapping[str, str]) -> str | None:
    """The session that a request names; None where it names none that could be one."""
    for name in _SESSIONS:
        value = headers.get(name, "").strip()
        if value and len(value) <= _LONGEST and value.isprintable():
            return value
    return None
