"""The proxy: has agents' calls carried to their providers and back, and the tap read along.

Decides whose call it is that comes in, whether it may go on, and how many are under way. Which requests pass is decided in `passage`, where
they lead in `entrances`; how one is carried, in `call`.
"""

import time
from collections.abc import Callable

from aiohttp import web

from cli.serve import answers, outgoing, state
from cli.serve.call import Call, Shared
from cli.serve.doors import Refused, doors
from cli.serve.entrances import HEALTH, Entrances, Upstream
from cli.serve.limits import Limits
from cli.serve.passage import HEAD_BYTES, Asked, let_through
from ingest.tap import Tap
from ingest.wire.caller import agent_of
from pipeline.errors import RingletError, UnknownName
from pipeline.profiles import LOGS_WITHOUT_ID, Profile

LIMITS = Limits(head_s=30.0, idle_s=75.0, write_s=3600.0, connections=1024, head_bytes=HEAD_BYTES, line_bytes=32 << 10, headers=128)
"""Of the proxy's own connections: agents keep theirs, and read slowly."""


class Proxy:
    """One proxy; made inside the event loop that it runs in, `close` when its server has ended."""

    def __init__(self, entrances: Entrances, tap: Tap, port: int, own_ports: Callable[[], set[int]]) -> None:
        self.asked_at = time.monotonic()
        """When a call came or went last (`time.monotonic`): the daemon stays while agents work."""
        self.at_work = 0
        """Calls that are under way."""
        self.is_ending = False
        """Set when the daemon is to end: what stands open without a word is closed."""
        self._entrances = entrances
        self._hosts = doors(state.HOST, port).hosts
        self._own_ports = own_ports
        detour = outgoing.Detour()
        self._session = outgoing.session(lambda host: entrances.is_here(host) or host == detour.host, own_ports)
        self._shared = Shared(self._session, detour, tap, lambda: self.is_ending)

    async def close(self) -> None:
        """Let go of all connections to providers."""
        await self._session.close()

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """The answer to any request; never raises but when it is cancelled."""
        try:
            if request.raw_path == HEALTH and request.method == "GET":
                let_through("GET", "/health/z", request.version, request.raw_headers, self._hosts)
                return answers.answer(200, b'{"ok":true}', answers.JSON)
            asked = let_through(request.method, request.raw_path, request.version, request.raw_headers, self._hosts)
            profile = self._entrances.profile(asked.word)
            if profile is None:
                raise Refused(404, "no_profile", "this address is no profile's", mend="ringlet profiles list shows the profiles")
            upstream = self._leads(profile, asked.provider)
            outgoing.check(upstream, self._own_ports())
            if asked.upgrades and _counts_here(asked, profile):
                raise Refused(
                    426, "counted_over_http", "calls of this profile are counted here: ask over HTTP", headers={"Upgrade": "HTTP/1.1"}
                )
        except Refused as refused:
            return answers.refusal(refused)
        except RingletError as error:
            return answers.trouble(error)
        self.at_work += 1
        self.asked_at = time.monotonic()
        try:
            return await Call(self._shared, request, asked, profile, upstream).carried()
        finally:
            self.at_work -= 1
            self.asked_at = time.monotonic()

    def _leads(self, profile: Profile, name: str) -> Upstream:
        try:
            return self._entrances.upstream(profile, name)
        except UnknownName as unknown:
            raise Refused(404, "no_provider", unknown.what, mend=unknown.mend) from None
        except RingletError as error:
            what = f"the endpoint of {name} must not be used: {error.what}"
            raise Refused(502, "refused_upstream", what, mend=error.mend) from None


def _counts_here(asked: Asked, profile: Profile) -> bool:
    """Whether nobody else counts these calls: the agent's log does not. Agents that are told so go on over HTTP, which can be read."""
    return profile.captured_from is not None and (profile.agent or agent_of(asked.header("user-agent"))[0]) in LOGS_WITHOUT_ID
