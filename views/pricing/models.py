"""Which listed model a logged name means.

Decides the order in which names are tried and which provider's rows may answer; the first that answers is the price. Every step is exact:
a name is rewritten by a rule that is named in the result, never matched by likeness. What a row costs is `cost`'s business.

The rewriting steps are those of the price lists' own habits (routing prefixes, dates, context and effort marks, Bedrock versions); each was
seen in agents' logs or in the shipped history (2024-12 to 2026-11).
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

NOT_MODELS = frozenset(("", "<synthetic>", "synthetic", "unknown", "auto", "default", "inherit", "none", "null"))
"""Names that agents write where no model answered, or where a router chose one without saying which."""

_VERTEX_MAKERS = ("anthropic", "mistral", "llama", "qwen", "openai", "deepseek", "zai", "moonshot", "minimax", "ai21")
_VERTEX = ("vertex_ai", "vertex_ai-language-models", *(f"vertex_ai-{maker}_models" for maker in _VERTEX_MAKERS))
"""The price list names Vertex after the maker of each model."""

_ROWS = {
    "alibaba": ("dashscope/", ("dashscope",)),
    "amazon-bedrock": ("bedrock/", ("bedrock", "bedrock_converse", "bedrock_mantle")),
    "anthropic": ("", ("anthropic",)),
    "azure": ("azure/", ("azure", "azure_ai", "azure_anthropic", "azure_text")),
    "bedrock": ("bedrock/", ("bedrock", "bedrock_converse", "bedrock_mantle")),
    "fireworks": ("fireworks_ai/", ("fireworks_ai",)),
    "fireworks-ai": ("fireworks_ai/", ("fireworks_ai",)),
    "gemini": ("gemini/", ("gemini",)),
    "github-copilot": ("github_copilot/", ("github_copilot",)),
    "google": ("gemini/", ("gemini",)),
    "google-vertex": ("vertex_ai/", _VERTEX),
    "google-vertex-anthropic": ("vertex_ai/", _VERTEX),
    "moonshotai": ("moonshot/", ("moonshot",)),
    "openai": ("", ("openai", "text-completion-openai")),
    "opencode-go": ("opencode_go/", ("opencode_go",)),
    "together": ("together_ai/", ("together_ai",)),
    "togetherai": ("together_ai/", ("together_ai",)),
    "vercel": ("vercel_ai_gateway/", ("vercel_ai_gateway",)),
    "vertex": ("vertex_ai/", _VERTEX),
    "vertex_ai": ("vertex_ai/", _VERTEX),
    "zhipuai": ("zai/", ("zai",)),
}
"""Provider as ringlet knows it: how the price list prefixes its models' names, and what it calls the provider; others go by their names."""

_MAKERS = (
    ("claude", "", ("anthropic",)),
    ("gpt-", "", ("openai",)),
    ("o1", "", ("openai",)),
    ("o3", "", ("openai",)),
    ("o4", "", ("openai",)),
    ("codex-", "", ("openai",)),
    ("chatgpt-", "", ("openai",)),
    ("gemini", "gemini/", ("gemini",)),
    ("grok", "xai/", ("xai",)),
    ("deepseek", "deepseek/", ("deepseek",)),
    ("kimi", "moonshot/", ("moonshot",)),
    ("qwen", "dashscope/", ("dashscope",)),
    ("glm", "zai/", ("zai",)),
    ("minimax", "minimax/", ("minimax",)),
    ("mistral", "mistral/", ("mistral",)),
    ("codestral", "mistral/", ("mistral",)),
    ("devstral", "mistral/", ("mistral",)),
    ("magistral", "mistral/", ("mistral",)),
)
"""Family of a normalised name: prefix and provider of its maker's own rows."""

# fmt: off
_ROUTES = frozenset((
    "anthropic", "openrouter", "bedrock", "converse", "vertex_ai", "vertex", "models", "copilot", "github-copilot",
    "github_copilot", "google", "openai", "azure", "azure_ai", "x-ai", "xai", "moonshotai", "moonshot", "deepseek", "qwen", "zai",
    "z-ai", "minimax", "mistral", "mistralai", "gemini", "litellm", "vercel", "opencode",
))
# fmt: on
_REGIONS = ("us", "eu", "apac", "jp", "au", "global", "us-gov", "ca", "in")
_EFFORTS = ("-minimal", "-low", "-medium", "-high", "-xhigh", "-max-effort", "-none")
_EFFORT_FAMILIES = ("claude", "gpt-", "o1", "o3", "o4", "codex-", "gemini", "grok")
_CLAUDES = ("opus", "sonnet", "haiku", "fable", "mythos")

ALIASES = {
    "claude-sonnet-4": ("claude-sonnet-4-20250514", "2025-05-22"),
    "claude-sonnet-4-0": ("claude-sonnet-4-20250514", "2025-05-22"),
    "claude-opus-4": ("claude-opus-4-20250514", "2025-05-22"),
    "claude-opus-4-0": ("claude-opus-4-20250514", "2025-05-22"),
    "claude-3-7-sonnet": ("claude-3-7-sonnet-20250219", "2025-02-24"),
    "claude-3-5-sonnet": ("claude-3-5-sonnet-20241022", "2024-10-22"),
    "claude-3-5-haiku": ("claude-3-5-haiku-20241022", "2024-11-04"),
    "claude-3-opus": ("claude-3-opus-20240229", "2024-03-04"),
    "claude-3-sonnet": ("claude-3-sonnet-20240229", "2024-03-04"),
    "claude-3-haiku": ("claude-3-haiku-20240307", "2024-03-13"),
    "k3": ("moonshot/kimi-k3", "2026-07-01"),
    "grok-build": ("xai/grok-build-latest", "2026-05-01"),
}
"""Names without a row of their own: (row, since). The Claude names are the aliases of Anthropic's model overview (read 2025-10); `k3` is
Kimi Code's name of Kimi K3, `grok-build` the model of Grok Build. Names whose model changes or has no list price (kimi-for-coding,
composer-*, codex-auto-review) are left out on purpose: they are unpriced until the user's table prices them."""


class Candidate:
    """One name to try: by which rule, whose rows may answer (None: anybody's), and the speed that the name itself states."""

    __slots__ = ("name", "providers", "rule", "speed")

    def __init__(self, name: str, rule: str, providers: tuple[str, ...] | None, speed: str | None) -> None:
        self.name = name
        self.rule = rule
        self.providers = providers
        self.speed = speed


def providers_of(provider: str | None) -> tuple[str, ...]:
    """What the price list calls `provider`; empty where nobody in particular bills (None, `self`)."""
    if provider is None or provider.lower() == "self":
        return ()
    name = provider.lower()
    known = _ROWS.get(name)
    return known[1] if known else (name, name.replace("-", "_"))


def is_model(model: str | None) -> bool:
    """Whether `model` names a model at all."""
    if model is None:
        return False
    name = model.strip().lower()
    return name.rpartition("/")[2] not in NOT_MODELS and not name.startswith(("{", "<"))


def candidates(provider: str | None, model: str) -> "Iterator[Candidate]":
    """The names to try for `model` as logged, in order; nothing for what is not a model.

    provider/name, then the name as it is, then each normalised form (rows of that provider, or of the model's maker), its date stripped
    last, then the alias table.
    """
    if not is_model(model):
        return
    own = providers_of(provider)
    prefixes = _prefixes(provider)
    for prefix in prefixes:
        yield Candidate(prefix + model, "provider/model", own, None)
    yield Candidate(model, "exact name", None, None)
    seen: set[tuple[str, str | None]] = set()
    last: list[Candidate] = []
    for name, rule, speed in forms(model):
        if (name, speed) in seen or name in NOT_MODELS:
            continue
        seen.add((name, speed))
        maker_prefix, maker = maker_of(name)
        allowed = own + maker if own or maker else None
        if name != model:
            last.extend(Candidate(prefix + name, rule, own, speed) for prefix in prefixes)
            last.append(Candidate(name, rule, allowed, speed))
        if maker_prefix:
            last.append(Candidate(maker_prefix + name, rule if name != model else "maker's row", maker, speed))
        alias = ALIASES.get(name)
        if alias:
            last.append(Candidate(alias[0], f"alias since {alias[1]}", allowed, speed))
    # Aliases come after every exact form, dated ones included.
    last.sort(key=lambda candidate: candidate.rule.startswith("alias"))
    yield from last


def own_names(provider: str | None, model: str) -> "Iterator[Candidate]":
    """The names under which the user's own table may price `model`; also what is no model by itself: here somebody says its price."""
    if provider is not None:
        yield Candidate(f"{provider}/{model}", "provider/model", None, None)
    yield Candidate(model, "exact name", None, None)
    yield from candidates(provider, model)


def maker_of(name: str) -> tuple[str, tuple[str, ...]]:
    """(prefix, providers) of the rows of whoever made the model of that normalised name."""
    for family, prefix, providers in _MAKERS:
        if name.startswith(family):
            return prefix, providers
    return "", ()


def forms(model: str) -> "Iterator[tuple[str, str, str | None]]":
    """(name, rule, speed) of `model` after each step of normalising, as far as it changes; the dateless forms last."""
    name = model.strip().lower()
    speed: str | None = None
    dated: list[tuple[str, str, str | None]] = [(name, "letter case", speed)]
    for rule, step in _STEPS:
        changed = step(name)
        if changed != name:
            name = changed
            dated.append((name, rule, speed))
    for ending in ("-fast", "-thinking", *_EFFORTS):
        if name.endswith(ending) and name.startswith(_EFFORT_FAMILIES if ending != "-thinking" else ("claude", "gemini")):
            name = name[: -len(ending)]
            if ending == "-fast":
                speed = "fast"
            dated.append((name, "speed in the name" if speed else "effort mark", speed))
    for rule, step in (("family first", _family_first), ("dots and dashes", _dashed), ("dots and dashes", _dotted)):
        changed = step(name)
        if changed != name:
            dated.append((changed, rule, speed))
            if rule == "family first":
                name = changed
    yield from dated
    for name, _, speed in dated:
        bare = undated(name)
        if bare != name:
            yield bare, "date stripped", speed
            for step in (_family_first, _dashed, _dotted):
                if step(bare) != bare:
                    yield step(bare), "date stripped", speed


def plain(model: str) -> str:
    """`model` in lower case without routing prefix, context mark, version and date: how most write it."""
    name = model.strip().lower()
    for _, step in _STEPS:
        name = step(name)
    return undated(name)


def undated(name: str) -> str:
    """`name` without a trailing -YYYYMMDD, -YYYY-MM-DD, @date or -latest."""
    name = name.partition("@")[0]
    if name.endswith("-latest"):
        return name[: -len("-latest")]
    head, _, tail = name.rpartition("-")
    if len(tail) == 8 and tail.isdigit() and tail.startswith("20"):
        return head
    if len(name) > 11 and name[-11] == "-" and name[-6] == name[-3] == "-" and (name[-10:-6] + name[-5:-3] + name[-2:]).isdigit():
        return name[:-11]
    return name


def _prefixes(provider: str | None) -> tuple[str, ...]:
    if provider is None or provider.lower() == "self":
        return ()
    name = provider.lower()
    known = _ROWS.get(name)
    if known:
        return (known[0],)
    return (name + "/",) if "-" not in name else (name + "/", name.replace("-", "_") + "/")


def _unrouted(name: str) -> str:
    if name.startswith("["):
        name = name.partition("] ")[2] or name
    while "/" in name:
        first, _, rest = name.partition("/")
        if first not in _ROUTES and not _is_region(first):
            break
        name = rest
    first, _, rest = name.partition(".")
    if first in _REGIONS and rest:
        name = rest
    for maker in ("anthropic.", "anthropic--"):
        if name.startswith(maker):
            name = name[len(maker) :]
    return name


def _is_region(name: str) -> bool:
    """Whether `name` looks like us-east-1."""
    parts = name.split("-")
    return len(parts) >= 3 and len(parts[0]) == 2 and parts[-1].isdigit()


def _unversioned(name: str) -> str:
    """Without Bedrock's -v1:0, -v2:0 or :0."""
    head, colon, tail = name.rpartition(":")
    if not colon or not tail.isdigit():
        return name
    start, dash, version = head.rpartition("-v")
    return start if dash and version.isdigit() else head


def _unmarked(name: str) -> str:
    """Without a context mark: [1m], -1m."""
    if name.endswith("]") and "[" in name:
        name = name[: name.rindex("[")]
    return name.removesuffix("-1m")


def _dashed(name: str) -> str:
    """4.6 -> 4-6."""
    letters = list(name)
    for at in range(1, len(name) - 1):
        if name[at] == "." and name[at - 1].isdigit() and name[at + 1].isdigit():
            letters[at] = "-"
    return "".join(letters)


def _dotted(name: str) -> str:
    """4-6 -> 4.6, for numbers of one or two digits that no date begins."""
    parts = name.split("-")
    for at in range(len(parts) - 1):
        if parts[at].isdigit() and parts[at + 1].isdigit() and len(parts[at]) <= 2 and len(parts[at + 1]) <= 2:
            return "-".join([*parts[:at], f"{parts[at]}.{parts[at + 1]}", *parts[at + 2 :]])
    return name


def _family_first(name: str) -> str:
    """claude-4.6-opus -> claude-opus-4-6. The 3 series is listed number first and stays so."""
    parts = _dashed(name).split("-")
    if parts[0] != "claude" or len(parts) < 3 or not parts[1].isdigit() or parts[1] == "3":
        return name
    for at in range(2, min(len(parts), 4)):
        if parts[at] in _CLAUDES:
            return "-".join(["claude", parts[at], *parts[1:at], *parts[at + 1 :]])
    return name


_STEPS = (("routing prefix", _unrouted), ("context mark", _unmarked), ("Bedrock version", _unversioned))
