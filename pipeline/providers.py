"""Who bills for a call, and how.

Decides each provider's billing: `metered` (per token), `managed` (a seat, a plan or a gateway with its own accounts) or `local`; and
where its API stands, for those that calls are captured of. Prices are a view's business.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

METERED = (
    "self",
    "ai21",
    "alibaba",
    "amazon-bedrock",
    "anthropic",
    "azure",
    "bedrock",
    "cerebras",
    "cohere",
    "dashscope",
    "deepinfra",
    "deepseek",
    "fireworks",
    "fireworks-ai",
    "google",
    "google-vertex",
    "google-vertex-anthropic",
    "gemini",
    "groq",
    "huggingface",
    "minimax",
    "mistral",
    "moonshot",
    "moonshotai",
    "nvidia",
    "openai",
    "opencode",
    "openrouter",
    "perplexity",
    "together",
    "togetherai",
    "vertex",
    "vertex_ai",
    "xai",
    "zai",
    "zhipuai",
)
LOCAL = ("ollama", "lmstudio", "lm-studio", "llama.cpp", "llamacpp", "llamafile", "localai", "local", "vllm", "mlx", "jan", "oss")
MANAGED = ("github-copilot", "copilot", "cursor", "custom")

ENDPOINTS = {
    "alibaba": "https://dashscope-intl.aliyuncs.com",
    "anthropic": "https://api.anthropic.com",
    "cerebras": "https://api.cerebras.ai",
    "deepseek": "https://api.deepseek.com",
    "fireworks": "https://api.fireworks.ai",
    "google": "https://generativelanguage.googleapis.com",
    "groq": "https://api.groq.com",
    "minimax": "https://api.minimax.io",
    "mistral": "https://api.mistral.ai",
    "moonshot": "https://api.moonshot.ai",
    "ollama": "http://127.0.0.1:11434",
    "openai": "https://api.openai.com",
    "openrouter": "https://openrouter.ai",
    "together": "https://api.together.xyz",
    "xai": "https://api.x.ai",
    "zai": "https://api.z.ai",
}
"""Where the API of a provider stands (its documentation, October 2026): scheme, host and port. The path is the agent's own."""

_OURS = "ringlet"

_BILLING = {**dict.fromkeys(METERED, "metered"), **dict.fromkeys(LOCAL, "local"), **dict.fromkeys(MANAGED, "managed")}


def billing(provider: "str | None", declared: "Mapping[str, str] | None" = None) -> str:
    """`metered`, `managed` or `local`.

    `declared` maps provider names to a billing that the user's configuration states, and wins. A provider that nobody named is the
    agent's own, hence metered; a name that is not known is somebody's gateway, hence managed until it is declared.
    """
    if provider is None:
        return "metered"
    name = provider.lower()
    if declared is not None and name in declared:
        return declared[name]
    return _BILLING.get(name, "managed")


def entry(provider: str) -> str:
    """What ringlet calls a provider in an agent's own settings, where its own name may be taken: letters, digits, - and _."""
    name = f"{_OURS}-{provider}"
    return name if name.isascii() and name.replace("-", "").replace("_", "").isalnum() else _OURS


def meant(name: "str | None") -> "str | None":
    """The provider that a log means which may hold an `entry`; None where it says nothing of who that is."""
    return None if name is None or name == _OURS else name.removeprefix(f"{_OURS}-")


def known() -> "list[tuple[str, str]]":
    """(name, billing) of every provider that needs no declaration, by name."""
    return sorted(_BILLING.items())
