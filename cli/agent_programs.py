"""How each agent that a profile can be for is started: its program, its home, and what tells it where to call with which key.

Decides what an agent reads, as it is known of its releases up to October 2026; tests hold it to stand-in programs, not to the agents
themselves. What a profile wants is `cli.agent_launch`'s business.
"""

import os

import msgspec

from cli.ask import WrongUsage


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """One agent's program."""

    command: str
    install: str
    """What puts it on this machine."""
    home_variable: str | None = None
    """Names the agent's home; None: the agent finds it by `base` alone."""
    base: tuple[str, str, str] | None = None
    """(variable, what it is below HOME where it is not set, name of the agent's home in it): a folder of links stands in for `base`."""
    reads: tuple[str, ...] = ()
    """Variables that name another home, account, endpoint or model to the agent; a trailing `*` stands for any rest."""


_KEYS = (
    "ANTHROPIC_*",
    "OPENAI_*",
    "AZURE_OPENAI_*",
    "GEMINI_API_KEY",
    "GOOGLE_API_KEY",
    "GOOGLE_GENERATIVE_AI_API_KEY",
    "GROQ_*",
    "MINIMAX_*",
    "OPENROUTER_*",
    "XAI_*",
    "ZAI_*",
    "ZHIPU_*",
)
_CLAUDE = (
    "ANTHROPIC_*",
    "AWS_BEARER_TOKEN_BEDROCK",
    "CLAUDECODE",
    "CLAUDE_CODE_API_KEY_*",
    "CLAUDE_CODE_ENTRYPOINT",
    "CLAUDE_CODE_OAUTH_*",
    "CLAUDE_CODE_SKIP_*",
    "CLAUDE_CODE_SUBAGENT_MODEL",
    "CLAUDE_CODE_USE_*",
    "CLAUDE_CONFIG_DIR",
)

PROGRAMS = {
    "claude": Program(
        command="claude", install="npm install -g @anthropic-ai/claude-code", home_variable="CLAUDE_CONFIG_DIR", reads=_CLAUDE
    ),
    "codex": Program(
        command="codex",
        install="npm install -g @openai/codex",
        home_variable="CODEX_HOME",
        reads=("OPENAI_*", "AZURE_OPENAI_*", "CODEX_HOME", "CODEX_SQLITE_HOME", "CODEX_API_KEY", "CODEX_ACCESS_TOKEN"),
    ),
    "opencode": Program(
        command="opencode",
        install="npm install -g opencode-ai",
        base=("XDG_DATA_HOME", ".local/share", "opencode"),
        reads=(*_KEYS, "OPENCODE_CONFIG_CONTENT", "OPENCODE_AUTH_CONTENT", "OPENCODE_DATA_DIR", "OPENCODE_DB"),
    ),
    "grok": Program(command="grok", install="see https://x.ai/cli", home_variable="GROK_HOME", reads=("GROK_*", "XAI_*")),
    "droid": Program(command="droid", install="see https://docs.factory.ai/cli", base=("HOME", "", ".factory"), reads=("FACTORY_API_KEY",)),
}


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """Where a provider is reached."""

    variable: str | None = None
    """The variable that programs read its key from."""
    anthropic: str | None = None
    """Endpoint that speaks Anthropic's Messages; None where there is none."""
    openai: str | None = None
    """Endpoint that speaks OpenAI's Responses, `/v1` or the like included; None where there is none."""
    opencode: str | None = None
    """Where OpenCode calls of itself; None where it does not know the provider."""


PROVIDERS = {
    "anthropic": Provider(variable="ANTHROPIC_API_KEY", anthropic="https://api.anthropic.com", opencode="https://api.anthropic.com/v1"),
    "openai": Provider(variable="OPENAI_API_KEY", openai="https://api.openai.com/v1", opencode="https://api.openai.com/v1"),
    "minimax": Provider(
        variable="MINIMAX_API_KEY",
        anthropic="https://api.minimax.io/anthropic",
        openai="https://api.minimax.io/v1",
        opencode="https://api.minimax.io/anthropic/v1",
    ),
    "openrouter": Provider(
        variable="OPENROUTER_API_KEY",
        anthropic="https://openrouter.ai/api",
        openai="https://openrouter.ai/api/v1",
        opencode="https://openrouter.ai/api/v1",
    ),
    "groq": Provider(variable="GROQ_API_KEY", openai="https://api.groq.com/openai/v1", opencode="https://api.groq.com/openai/v1"),
    "zai": Provider(variable="ZHIPU_API_KEY", anthropic="https://api.z.ai/api/anthropic", opencode="https://api.z.ai/api/paas/v4"),
    "xai": Provider(variable="XAI_API_KEY", openai="https://api.x.ai/v1", opencode="https://api.x.ai/v1"),
    "google": Provider(variable="GOOGLE_GENERATIVE_AI_API_KEY", opencode="https://generativelanguage.googleapis.com/v1beta"),
    "ollama": Provider(anthropic="http://127.0.0.1:11434", openai="http://127.0.0.1:11434/v1"),
}
"""The providers that need no --endpoint: where they answered in October 2026."""

OWN = {"claude": "anthropic", "codex": "openai", "grok": "xai"}
"""Who an agent calls of itself: what `self` means for it."""


def called(agent: str | None, provider: str | None) -> str | None:
    """The provider that a profile's calls go to, by name; None where the agent alone knows that."""
    return OWN.get(agent or "") if provider in (None, "self") else provider


def program_of(agent: str | None, profile: str) -> Program:
    """The program of a profile's agent. Raises WrongUsage where the profile names no agent, or one that cannot be started."""
    found = PROGRAMS.get(agent or "")
    if found is None:
        why = f"is for {agent}, which profiles cannot start" if agent else "names no agent"
        raise WrongUsage(f"profile {profile!r} {why}", mend=f"ringlet profiles create AGENT NAME makes one for {', '.join(PROGRAMS)}")
    return found


def leaks(program: Program, name: str) -> bool:
    """Whether the variable `name` would tell the agent of another home, account, endpoint or model than its profile's."""
    return any(name.startswith(each[:-1]) if each.endswith("*") else name == each for each in program.reads)


def found_on(path: str, program: Program, ours: bytes) -> str | None:
    """The agent's program on the search path `path`; never a relative one, nor one whose head holds `ours`: it would start us again."""
    for folder in path.split(os.pathsep):
        candidate = os.path.join(folder, program.command)
        if os.path.isabs(folder) and os.path.isfile(candidate) and os.access(candidate, os.X_OK):
            try:
                with open(candidate, "rb") as file:
                    if ours in file.read(200):
                        continue
            except OSError:
                pass  # a program may be run by those who may not read it
            return candidate
    return None
