"""The ways into the proxy: an address for each profile, and the place that each provider name leads to.

Decides what a profile's part of the address is, and which upstreams there are. An address is no right to anything: a request brings its own
key. It only says whose the call is, and cannot be guessed, so that nobody books calls on another profile.
"""

import hmac
import ipaddress
import logging
from urllib.parse import urlsplit

import msgspec

from cli import config
from cli.paths import Paths
from cli.serve import tokens
from pipeline import providers
from pipeline.errors import RingletError
from pipeline.profiles import Profile, Rules
from views.snapshot import stamp

logger = logging.getLogger("ringlet.proxy")

SECRET = "capture.key"
_LETTERS = 32


class Upstream(msgspec.Struct, frozen=True, kw_only=True):
    """Where the calls of one provider go."""

    name: str
    base: str
    """Scheme, host and port; a configured one may have a path."""
    host: str
    port: int
    here: bool
    """It may stand on this machine: it was configured so."""


def upstream(name: str, endpoint: str, *, configured: bool) -> Upstream:
    """The upstream at an endpoint. Raises RingletError for one that keys must not be sent to."""
    try:
        parts = urlsplit(endpoint)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise _wrong(name, endpoint, "no address") from None
    if not host or parts.username is not None or parts.query or parts.fragment or not endpoint.isascii() or not endpoint.isprintable():
        raise _wrong(name, endpoint, "an endpoint is a scheme, a host and perhaps a port and a path, nothing else")
    local = is_loopback(host)
    if parts.scheme != "https" and not (parts.scheme == "http" and local):
        raise _wrong(name, endpoint, "an endpoint is https://, or http:// on this machine: keys pass through it")
    default = 443 if parts.scheme == "https" else 80
    return Upstream(name=name, base=endpoint.rstrip("/"), host=host, port=port or default, here=configured or local)


def is_loopback(host: str) -> bool:
    """Whether a host names this machine without being looked up."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Entrances:
    """What the proxy lets in and where that leads, as files say it now."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._key = tokens.secret(paths, SECRET).encode()
        self._stamps: tuple[str, ...] = ()
        self._profiles: dict[str, Profile] = {}
        self.upstreams: dict[str, Upstream] = {}
        self.refused: dict[str, str] = {}
        """Upstreams that are configured and must not be used, with the reason."""

    def profile(self, word: str) -> Profile | None:
        """The profile that an address names."""
        self._follow()
        return self._profiles.get(_digest(self._key, word))

    def upstream(self, name: str) -> Upstream | None:
        """Where a provider's calls go."""
        self._follow()
        return self.upstreams.get(name)

    def known(self) -> list[str]:
        """Names of the providers that calls can go to."""
        self._follow()
        return sorted(self.upstreams)

    def _follow(self) -> None:
        stamps = tuple(map(stamp, (self._paths.profiles, self._paths.config)))
        if stamps == self._stamps:
            return
        try:
            rules, settings = Rules.load(self._paths.profiles), config.load(self._paths.config)
        except RingletError as error:
            if not self._stamps:
                raise
            # A mistake in a file, made while agents work, is no reason to cut them off.
            self._stamps = stamps
            logger.warning("the proxy goes on as it was: %s", error)
            return
        # Kept under a digest: looking a word up tells by its time nothing of the words that there are.
        self._profiles = {_digest(self._key, _word(self._key, name)): rules.find(name) for name in rules.names()}
        found: dict[str, Upstream] = {}
        refused: dict[str, str] = {}
        own = {name: provider.endpoint for name, provider in settings.providers.items() if provider.endpoint is not None}
        for name, endpoint in {**providers.ENDPOINTS, **own}.items():
            try:
                found[name] = upstream(name, endpoint, configured=name in own)
            except RingletError as error:
                refused[name] = error.what
        self.upstreams, self.refused, self._stamps = found, refused, stamps


def word(paths: Paths, profile: str) -> str:
    """The part of the address that stands for a profile: the same as long as `access/capture.key` is."""
    return _word(tokens.secret(paths, SECRET).encode(), profile)


def address(paths: Paths, port: int, profile: str, provider: str) -> str:
    """What an agent of this profile is given as its provider's address, in place of the provider's scheme and host."""
    return f"http://127.0.0.1:{port}/{word(paths, profile)}/{provider}"


def _word(key: bytes, profile: str) -> str:
    return hmac.new(key, b"profile\x1f" + profile.encode("utf-8", "surrogatepass"), "sha256").hexdigest()[:_LETTERS]


def _digest(key: bytes, word: str) -> str:
    return hmac.new(key, b"asked\x1f" + word.encode("utf-8", "surrogatepass"), "sha256").hexdigest()


def _wrong(name: str, endpoint: str, what: str) -> RingletError:
    shown = endpoint.rpartition("@")[2][:200]
    return RingletError(what, where=f"providers.{name}.endpoint {shown}", mend="mend config.toml; docs/capture.md shows one")
