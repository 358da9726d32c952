"""What a profile's agent is started with: the environment and the arguments that make it this profile's and nobody else's.

Decides by the profile, its key, where calls are to go and the user's environment alone. Opens no file; the agents' own habits are
`cli.agent_programs`'.
"""

import json
from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec

from cli.agent_programs import OWN, PROVIDERS, Program, Provider, called, leaks, program_of
from cli.ask import WrongUsage
from pipeline import providers
from pipeline.profiles import Profile

_ANY = "RINGLET_API_KEY"
"""Carries the key of a provider whose own variable nobody knows."""
_PROXIES = ("http_proxy", "https_proxy", "all_proxy")


class Places(msgspec.Struct, frozen=True, kw_only=True):
    """Where calls go that would go to where providers are usually reached."""

    moved: Mapping[str, str] = {}
    """Endpoints that the configuration gives to providers, by name: the path behind them is the agent's own."""
    proxy: str | None = None
    """What stands in the place of the profile's provider, or of its own endpoint; None: calls go there directly."""


USUAL = Places()


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """How an agent is started."""

    program: Program
    removed: tuple[str, ...]
    """Variables of the user's that would contradict the profile, by name."""
    set: dict[str, str]
    secret: frozenset[str]
    """Those of `set` whose value is a secret."""
    arguments: tuple[str, ...] = ()
    """They stand before the user's own."""
    carried: bool = False
    """Whether the agent is told of the proxy."""

    def environment(self, environ: Mapping[str, str]) -> dict[str, str]:
        """The whole environment of the agent."""
        return {name: value for name, value in environ.items() if name not in self.removed} | self.set


def launch(profile: Profile, home: str, base: str | None, key: str | None, environ: Mapping[str, str], places: Places = USUAL) -> Launch:
    """How the agent of `profile` is started in `home`, with `base` in the place of the folder that an agent finds it by.

    Raises WrongUsage for a profile that asks for what its agent cannot do.
    """
    program = program_of(profile.agent, profile.name)
    variables: dict[str, str] = {}
    if program.home_variable is not None:
        variables[program.home_variable] = home
    if program.base is not None and base is not None:
        variables[program.base[0]] = base
    wanted = _Wanted(profile, key, places)
    told, arguments = _TOLD[str(profile.agent)](wanted)
    removed = tuple(sorted(name for name in environ if leaks(program, name)))
    secret = frozenset(name for name, value in told.items() if key is not None and value == key)
    carried = wanted.told_place and places.proxy is not None
    if carried:
        told |= _not_by_way_of(environ)
    return Launch(program=program, removed=removed, set=variables | told, secret=secret, arguments=arguments, carried=carried)


def _not_by_way_of(environ: Mapping[str, str]) -> dict[str, str]:
    """What keeps an agent from asking a proxy on the network for an address on this machine; nothing where there is none."""
    if not any(name.lower() in _PROXIES and value for name, value in environ.items()):
        return {}
    told = environ.get("no_proxy") or environ.get("NO_PROXY")
    return dict.fromkeys(("NO_PROXY", "no_proxy"), f"{told},127.0.0.1" if told else "127.0.0.1")


class _Wanted:
    """What a profile says about provider, endpoint, key and model, and where its calls are to go."""

    def __init__(self, profile: Profile, key: str | None, places: Places) -> None:
        self.profile = profile
        self.name = profile.provider or "self"
        self.is_own = self.name in ("self", OWN.get(profile.agent or ""))
        self.maker = called(profile.agent, profile.provider) or ""
        self.provider = PROVIDERS.get(self.maker, Provider())
        self.key = key
        self.model = profile.model
        self.told_place = False
        self._proxy = places.proxy
        self._moved = places.moved.get(self.maker)

    @property
    def elsewhere(self) -> bool:
        """Whether calls go to another place than where the agent's provider is usually reached."""
        return (self._proxy or self.profile.endpoint or self._moved) is not None

    @property
    def has_own_login(self) -> bool:
        """Whether the agent logs in with its maker by itself: perhaps by an account that another server answers than the one for keys."""
        return self.is_own and not self.key and not self.profile.endpoint

    def place(self, known: str | None, below: str) -> str:
        """The endpoint to tell the agent of; `known` is that of its provider, `below` the path below one that the configuration adds."""
        self.told_place = True
        if self.profile.endpoint is not None:
            return self._proxy or self.profile.endpoint
        other = self._moved is not None and self.maker not in PROVIDERS
        if known is None and not other:
            raise WrongUsage(
                f"profile {self.profile.name!r}: no endpoint of {self.name!r} is known that {self.profile.agent} can call",
                mend="create it with --endpoint URL, or with another --provider",
            )
        base = self._proxy or self._moved
        if base is None:
            return str(known)
        return base.rstrip("/") + (below if known is None else urlsplit(known).path)

    def refuse(self, what: str, mend: str) -> WrongUsage:
        """That the agent cannot be told `what`."""
        return WrongUsage(f"profile {self.profile.name!r}: {self.profile.agent} cannot be given {what}", mend=mend)


def _claude(wanted: _Wanted) -> tuple[dict[str, str], tuple[str, ...]]:
    told = {"ANTHROPIC_MODEL": wanted.model} if wanted.model else {}
    if not wanted.is_own or wanted.elsewhere:
        told["ANTHROPIC_BASE_URL"] = wanted.place(wanted.provider.anthropic, "")
    if wanted.key and wanted.is_own:
        told["ANTHROPIC_API_KEY"] = wanted.key
    elif wanted.key:
        told["ANTHROPIC_AUTH_TOKEN"] = wanted.key
    elif wanted.name == "ollama":
        told["ANTHROPIC_AUTH_TOKEN"] = "ollama"  # it wants one, and takes any
    return told, ()


def _codex(wanted: _Wanted) -> tuple[dict[str, str], tuple[str, ...]]:
    settings = {"model": wanted.model} if wanted.model else {}
    told: dict[str, str] = {}
    if wanted.has_own_login:
        pass
    elif wanted.name == "self" and not wanted.profile.endpoint:
        # A provider entry of ours would stand in its log in place of `openai`, and `self` bills by what the log names.
        told = {"OPENAI_API_KEY": wanted.key or "", "CODEX_API_KEY": wanted.key or ""}
        if wanted.elsewhere:
            settings["openai_base_url"] = wanted.place(wanted.provider.openai, "/v1")
    else:
        # Codex keeps the names of the providers that it knows for itself.
        entry = providers.entry(wanted.name)
        settings |= {
            "model_provider": entry,
            f"model_providers.{entry}.name": wanted.name,
            f"model_providers.{entry}.base_url": wanted.place(wanted.provider.openai, "/v1"),
            f"model_providers.{entry}.wire_api": "responses",
        }
        if wanted.key:
            variable = wanted.provider.variable or _ANY
            settings[f"model_providers.{entry}.env_key"] = variable
            told[variable] = wanted.key
    # A JSON text without escapes beyond TOML's is a TOML string.
    return told, tuple(word for name, value in settings.items() for word in ("-c", f"{name}={json.dumps(value, ensure_ascii=False)}"))


def _opencode(wanted: _Wanted) -> tuple[dict[str, str], tuple[str, ...]]:
    if wanted.name == "self":
        if wanted.key or wanted.profile.endpoint:
            raise wanted.refuse("a key or endpoint of nobody's", "name whose it is: --provider anthropic, openai …")
        return ({"OPENCODE_CONFIG_CONTENT": json.dumps({"model": wanted.model})} if wanted.model else {}), ()
    known = wanted.provider.opencode is not None
    variable = wanted.provider.variable or _ANY
    options: dict[str, str] = {}
    if wanted.elsewhere or not known:
        options["baseURL"] = wanted.place(wanted.provider.opencode or wanted.provider.openai, "/v1")
    if wanted.key and not known:
        options["apiKey"] = f"{{env:{variable}}}"
    entry: dict[str, object] = {"options": options} if options else {}
    if not known:
        entry |= {"npm": "@ai-sdk/openai-compatible", "name": wanted.name}
    if wanted.model:
        # It takes no model that is not in its catalogue, which may be older than the model or, without a network, empty.
        entry["models"] = {wanted.model: {}}
    content: dict[str, object] = {"provider": {wanted.name: entry}} if entry else {}
    if wanted.model:
        content["model"] = f"{wanted.name}/{wanted.model}"
    told = {"OPENCODE_CONFIG_CONTENT": json.dumps(content)} if content else {}
    return told | ({variable: wanted.key} if wanted.key else {}), ()


def _grok(wanted: _Wanted) -> tuple[dict[str, str], tuple[str, ...]]:
    told = {"GROK_MODEL": wanted.model} if wanted.model else {}
    if not wanted.has_own_login and (wanted.elsewhere or not wanted.is_own):
        told["GROK_BASE_URL"] = wanted.place(wanted.provider.openai, "/v1")
    # Two programs bear this name; each reads a variable of its own.
    return told | ({"XAI_API_KEY": wanted.key, "GROK_API_KEY": wanted.key} if wanted.key else {}), ()


def _droid(wanted: _Wanted) -> tuple[dict[str, str], tuple[str, ...]]:
    if wanted.model or wanted.profile.endpoint or (wanted.key and wanted.name != "self"):
        raise wanted.refuse(
            "a model, an endpoint or another provider's key from outside", "set them up inside droid, in the profile's own home"
        )
    return ({"FACTORY_API_KEY": wanted.key} if wanted.key else {}), ()


_TOLD = {"claude": _claude, "codex": _codex, "opencode": _opencode, "grok": _grok, "droid": _droid}
