"""What the user has set: `config.toml`.

Decides names, defaults and bounds of the settings. What they mean is decided where they are used.
"""

from datetime import date
from typing import Annotated, Any, Literal

import msgspec

from pipeline.errors import RingletError
from views import calendar
from views.pricing.money import attodollars

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


class Usage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[usage]`"""

    cost_policy: Literal["metered", "self-only"] = "metered"
    """`metered`: a cost for every call that is billed per token; `self-only`: only for profiles whose provider is `self`."""
    cost_mode: Literal["auto", "calculate", "logged"] = "auto"


class Price(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[tokenPriceTable."model"]`: US dollars per million tokens; a rate that is missing follows the price book's rules."""

    input: float | int | str
    output: float | int | str
    cache_read: float | int | str | None = None
    cache_write: float | int | str | None = None
    cache_write_1h: float | int | str | None = None
    since: date | None = msgspec.field(default=None, name="from")
    """First day that the row holds for, a text or a date of TOML; None: all days."""


class Provider(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[providers.name]`"""

    billing: Literal["metered", "managed", "local"]
    endpoint: str | None = None
    """Where calls through the proxy go: `https://host`, or `http://` on this machine; None: the provider's own place, if it is known."""


class Capture(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[capture]`"""

    enabled: bool = False
    """Whether the daemon also listens as a proxy that counts the calls that pass."""
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 8766
    """0: any that is free."""


class Budget(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[budgets.profile]`: US dollars that the profile may spend in a calendar day, week or month; None: no limit."""

    day: float | int | str | None = None
    week: float | int | str | None = None
    month: float | int | str | None = None


class Daemon(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[daemon]`"""

    idle_s: Annotated[int, msgspec.Meta(ge=1)] = 1800
    """Without `--stay-alive` the daemon ends when for so many seconds nobody has asked and no agent has written."""


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings, with their defaults."""

    timezone: str | None = None
    """IANA name; None: the machine's zone."""
    week_start: Weekday = "monday"
    session_titles: bool = True
    """Whether titles of sessions are kept in the journal."""
    usage: Usage = Usage()
    token_prices: dict[str, Price] = msgspec.field(default_factory=dict, name="tokenPriceTable")
    homes: dict[str, list[str]] = {}
    """Further agent homes by agent (`[homes]`, `claude = ["/mnt/old/.claude"]`)."""
    providers: dict[str, Provider] = {}
    budgets: dict[str, Budget] = {}
    daemon: Daemon = Daemon()
    capture: Capture = Capture()

    def price_table(self) -> bytes:
        """`tokenPriceTable` as a price book file; empty where there is none. Raises `RingletError` that names the row."""
        if not self.token_prices:
            return b""
        from views.pricing import listing  # parses decimals and dates, which no command without such a table should pay for

        try:
            return listing.table({name: msgspec.to_builtins(price) for name, price in self.token_prices.items()})
        except listing.Unbelievable as why:
            raise RingletError(str(why), where="config.toml", mend="mend the file; docs/prices.md shows the table") from None

    def limits(self) -> dict[str, dict[str, int]]:
        """Attodollars by profile and `day`, `week` or `month`, as far as `budgets` names any. Raises `RingletError`."""
        found: dict[str, dict[str, int]] = {}
        for name, budget in self.budgets.items():
            for period, amount in msgspec.structs.asdict(budget).items():
                if amount is not None:
                    found.setdefault(name, {})[period] = _limit(f"budgets.{name}.{period}", str(amount))
        return found

    def endpoints(self) -> dict[str, str]:
        """Endpoints by provider name, as far as the configuration states any."""
        return {name: provider.endpoint for name, provider in self.providers.items() if provider.endpoint is not None}

    def declared_billing(self) -> dict[str, str]:
        """Billing by provider name, as far as the configuration states it."""
        return {name.lower(): provider.billing for name, provider in self.providers.items()}


def load(path: str) -> Config:
    """The settings in `path`; the defaults where the file is missing. Raises `RingletError` that names the setting and the valid values."""
    try:
        with open(path, "rb") as file:
            text = file.read()
    except FileNotFoundError:
        return Config()
    try:
        # A price is money: keep the digits as they are written instead of a binary fraction of them.
        config = msgspec.convert(_toml(text), Config, strict=True)
    except msgspec.ValidationError as error:
        raise _wrong(path, f"{error}{_valid(str(error))}") from None
    except ValueError as error:
        raise _wrong(path, str(error)) from None
    if config.timezone is not None:
        try:
            calendar.zone(config.timezone)
        except ValueError as error:
            raise _wrong(path, f"timezone: {error}; it takes an IANA name such as Europe/Berlin or UTC") from None
    if config.homes:
        from ingest import registry  # loads every adapter, which no command without such a table should pay for

        agents = [adapter.agent for adapter in registry.adapters()]
        for agent in config.homes:
            if agent not in agents:
                raise _wrong(path, f"homes: no agent {agent!r}; valid: {', '.join(agents)}")
    return config


def _limit(name: str, text: str) -> int:
    try:
        amount = attodollars(text)
    except ValueError:
        amount = -1
    if amount < 0:
        raise RingletError(f"{name}: {text[:40]!r} is no amount", where="config.toml", mend="write US dollars such as 200 or 12.50")
    return amount


def _wrong(path: str, what: str) -> RingletError:
    return RingletError(what, where=path, mend="mend the file; docs/configuration.md lists the settings")


def _valid(message: str) -> str:
    """The values, or the names of settings, that are valid where a message of msgspec's says that one is not; empty where any is."""
    import msgspec.inspect as types  # only a mistake needs it

    place = message.partition("`$")[2].rstrip("`")
    kind: Any = types.type_info(Config)
    for part in place.replace("[...]", ".*").split(".")[1:]:
        if isinstance(kind, types.StructType):
            kind = next(field.type for field in kind.fields if field.encode_name == part)
        elif isinstance(kind, types.DictType):
            kind = kind.value_type
    valid: tuple[object, ...] = ()
    if isinstance(kind, types.LiteralType):
        valid = kind.values
    elif isinstance(kind, types.StructType) and "unknown field" in message:
        valid = tuple(field.encode_name for field in kind.fields)
    return f"; valid: {', '.join(map(str, valid))}" if valid else ""


def _toml(text: bytes) -> object:
    import tomllib  # 11 ms that no command without a configuration file should pay

    return tomllib.loads(text.decode("utf-8"), parse_float=str)
