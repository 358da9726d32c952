"""Runs whose calls the daemon's proxy carries.

Decides whether a profile's calls can go through it, and that a daemon which carries a running agent is needed: the agent's process holds a
lock from its first moment to its last, so that nobody has to look after it. What the agent is told is `cli.agent_launch`'s business.
"""

import fcntl
import os
from http.client import HTTPConnection, HTTPException

import msgspec

from cli.agent_programs import called
from cli.paths import Paths
from cli.serve import entrances, state
from pipeline.errors import RingletError
from pipeline.profiles import Profile

LOCK = "carried.lock"
"""In the data home; every run that is carried shares it."""
WAIT_S = 5.0
"""So long a proxy may take to say that it is there: on a busy machine that takes a while, and a run that does not wait is not captured."""
_DESCRIPTOR = 100
"""The lock's, at the least: the small ones are what scripts name."""


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """How a profile's calls go."""

    address: str | None = None
    """What stands in the place of its provider, or of its own endpoint; None: they go directly."""
    why_not: str = ""
    """Why they are not carried, in words."""


def way(where: Paths, profile: Profile) -> Way:
    """How the calls of a profile go now, where the configuration wants them captured. Nothing is started."""
    running = state.running(where.data)
    if running is None:
        return Way(why_not="no daemon runs (ringlet daemon start)")
    if running.capture_port is None:
        return Way(why_not="the daemon has no proxy (ringlet daemon status says why)")
    name = called(profile.agent, profile.provider)
    if name is None:
        return Way(why_not=f"{profile.agent} alone decides whom it calls")
    try:
        upstream = entrances.Entrances(where).upstream(profile, name)
    except RingletError as error:
        return Way(why_not=f"the proxy does not lead there: {error.what}")
    if entrances.is_loopback(upstream.host) and upstream.port == running.capture_port:
        # It was given the proxy's address for its endpoint.
        return Way(address=upstream.base)
    if not _answers(running.capture_port):
        return Way(why_not="the daemon's proxy does not answer (ringlet daemon stop, then start)")
    return Way(address=entrances.address(where, running.capture_port, profile.mark, name))


def hold(where: Paths) -> None:
    """Keep the daemon for as long as this process lives, whatever program it becomes."""
    opened = os.open(os.path.join(where.data, LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        # Inherited by the program that takes this one's place; of this kind of lock a child of it has no part.
        kept = fcntl.fcntl(opened, fcntl.F_DUPFD, _DESCRIPTOR)
    finally:
        os.close(opened)
    fcntl.lockf(kept, fcntl.LOCK_SH)


def held(where: Paths) -> bool:
    """Whether a run is under way that is carried."""
    try:
        opened = os.open(os.path.join(where.data, LOCK), os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.lockf(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(opened)
    return False


def _answers(port: int) -> bool:
    connection = HTTPConnection(state.HOST, port, timeout=WAIT_S)
    try:
        connection.request("GET", entrances.HEALTH)
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
