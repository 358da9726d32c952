"""The ways into the proxy: an address for each profile, and the place that each provider name leads to.

Decides what a profile's part of the address is, and which upstreams there are. An address is no right to anything: a request brings its own
key. It only says whose the call is, and cannot be guessed, so that nobody books calls on another profile.
"""

import hmac
import ipaddress
import logging
import os
from urllib.parse import urlsplit

import msgspec

from cli import config
from cli.agent_programs import called
from cli.paths import Paths
from cli.serve import tokens
from pipeline import providers
from pipeline.digests import blake2b
from pipeline.errors import RingletError, UnknownName
from pipeline.profiles import Profile, Rules
from views.snapshot import stamp

logger = logging.getLogger("ringlet.proxy")

SECRET = "capture.key"
HEALTH = "/healthz"
"""The one path that is nobody's: whether the proxy is there."""
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


def upstream(name: str, endpoint: str, *, configured: bool, where: str = "") -> Upstream:
    """The upstream at an endpoint, which stands at `where`. Raises RingletError for one that keys must not be sent to."""
    where = where or f"providers.{name}.endpoint"
    try:
        parts = urlsplit(endpoint)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise _wrong(where, endpoint, "no address") from None
    if not host or parts.username is not None or parts.query or parts.fragment or not endpoint.isascii() or not endpoint.isprintable():
        raise _wrong(where, endpoint, "an endpoint is a scheme, a host and perhaps a port and a path, nothing else")
    local = is_loopback(host)
    if parts.scheme != "https" and not (parts.scheme == "http" and local):
        raise _wrong(where, endpoint, "an endpoint is https://, or http:// on this machine: keys pass through it")
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
        self._salt = os.urandom(32)
        self._stamps: tuple[str, ...] = ()
        self._profiles: dict[bytes, Profile] = {}
        self._upstreams: dict[str, Upstream | RingletError] = {}
        self._own: dict[str, tuple[str, Upstream | RingletError]] = {}
        """By profile: the provider whose calls go to an endpoint of the profile's own, and that."""
        self._here: set[str] = set()

    def profile(self, word: str) -> Profile | None:
        """The profile that an address names."""
        self._follow()
        return self._profiles.get(_digest(self._salt, word))

    def upstream(self, profile: Profile, name: str) -> Upstream:
        """Where the calls of a profile to a provider go. Raises UnknownName, and RingletError for a place that must not be used."""
        if not self._stamps:
            # Whoever has a profile from here has followed already, in the same breath: two looks at files are a tenth of a call's cost.
            self._follow()
        own = self._own.get(profile.name)
        found = own[1] if own is not None and own[0] == name else self._upstreams.get(name)
        if isinstance(found, RingletError):
            raise found
        if found is None:
            raise UnknownName(f"no provider {name!r}; there are: {', '.join(self._known())}", mend="docs/capture.md tells how to add one")
        return found

    def is_here(self, host: str) -> bool:
        """Whether an upstream of that host may stand on this machine."""
        return host in self._here

    def _known(self) -> list[str]:
        return sorted(name for name, found in self._upstreams.items() if isinstance(found, Upstream))

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
        known = [rules.find(name) for name in rules.names()]
        self._profiles = {_digest(self._salt, _word(self._key, profile.mark)): profile for profile in known}
        told = settings.endpoints()
        self._upstreams = {
            name: _usable(name, endpoint, configured=name in told) for name, endpoint in {**providers.ENDPOINTS, **told}.items()
        }
        self._own = {}
        for each in self._profiles.values():
            name = called(each.agent, each.provider)
            if each.endpoint is not None and name is not None:
                self._own[each.name] = name, _usable(name, each.endpoint, configured=True, where=f"profile {each.name!r}: endpoint")
        used = [*self._upstreams.values(), *(found for _, found in self._own.values())]
        self._here = {each.host for each in used if isinstance(each, Upstream) and each.here}
        self._stamps = stamps


def word(paths: Paths, mark: str) -> str:
    """The part of the address that stands for a profile (`Profile.mark`): the same as long as `access/capture.key` is."""
    return _word(tokens.secret(paths, SECRET).encode(), mark)


def address(paths: Paths, port: int, mark: str, provider: str) -> str:
    """What an agent of this profile is given as its provider's address, in place of the provider's scheme and host."""
    return f"http://127.0.0.1:{port}/{word(paths, mark)}/{provider}"


def _usable(name: str, endpoint: str, *, configured: bool, where: str = "") -> Upstream | RingletError:
    try:
        return upstream(name, endpoint, configured=configured, where=where)
    except RingletError as error:
        return error


def _word(key: bytes, mark: str) -> str:
    return hmac.new(key, b"profile\x1f" + mark.encode("utf-8", "surrogatepass"), "sha256").hexdigest()[:_LETTERS]


def _digest(key: bytes, word: str) -> bytes:
    return blake2b(word.encode("utf-8", "surrogatepass"), key=key).digest()


def _wrong(where: str, endpoint: str, what: str) -> RingletError:
    shown = endpoint.rpartition("@")[2][:200]
    return RingletError(what, where=f"{where} {shown}", mend="docs/capture.md shows one")
