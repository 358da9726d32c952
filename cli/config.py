"""What the user has set: `config.toml`.

Decides names, defaults and bounds of the settings. What they mean is decided where they are used.
"""

from typing import Literal

import msgspec

from pipeline.errors import RingletError

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
    since: str | None = msgspec.field(default=None, name="from")
    """First day (YYYY-MM-DD) that the row holds for; None: all days."""


class Provider(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[providers.name]`"""

    billing: Literal["metered", "managed", "local"]


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

    def price_table(self) -> bytes:
        """`tokenPriceTable` as a price book file; empty where there is none. Raises `RingletError` that names the row."""
        if not self.token_prices:
            return b""
        from views.pricing import listing  # parses decimals and dates, which no command without such a table should pay for

        try:
            return listing.table({name: msgspec.to_builtins(price) for name, price in self.token_prices.items()})
        except listing.Unbelievable as why:
            raise RingletError(str(why), where="config.toml", mend="mend the file; docs/prices.md shows the table") from None

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
        return msgspec.convert(_toml(text), Config, strict=True)
    except (msgspec.ValidationError, ValueError) as error:
        raise RingletError(str(error), where=path, mend="mend the file; docs/configuration.md lists the settings") from None


def _toml(text: bytes) -> object:
    import tomllib  # 11 ms that no command without a configuration file should pay

    return tomllib.loads(text.decode("utf-8"), parse_float=str)
