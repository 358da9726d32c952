"""What is known of a daemon from outside: who runs, where it answers, how it is.

Decides the fields of `daemon.json` and when it is believed: the lock decides who watches, the file only says where. Everything is a value;
nothing here starts or ends anything.
"""

import os
from typing import Literal

import msgspec

from pipeline import durable
from pipeline.errors import Held

LOCK = "watch.lock"
"""In the data home: held by whoever watches, the daemon or `ringlet ingest --watch`."""
STATE = "daemon.json"
LOG = "daemon.log"
PORT = 8765
HOST = "127.0.0.1"


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How a daemon was asked to run."""

    host: str = HOST
    port: int = PORT
    """0: any that is free."""
    remote: bool = False
    """Whether `host` may be another address than this machine's own loopback."""
    stay_alive: bool = False
    """Without it the daemon ends once nobody has needed it for a while."""


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """A daemon and where it answers."""

    pid: int
    host: str
    port: int
    started_at: float
    """Seconds since 1970 UTC."""
    version: str
    capture_port: int | None = None
    """Where its proxy listens; None: nowhere."""

    @property
    def url(self) -> str:
        """Where its pages begin, without a slash at the end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"


class Capturing(msgspec.Struct, frozen=True, kw_only=True):
    """How the proxy of a daemon is, as the daemon says itself; numbers are since its start."""

    port: int | None
    """None: it does not listen."""
    error: str | None
    """Why it does not."""
    streams: int
    """Calls under way."""
    captured: int
    """Calls that were counted as they passed."""
    dropped: int
    """Replies that passed and were lost for counting, by a fault or a bound of the daemon's own."""
    uncaptured: int
    """Replies that passed unread: of a path, type or coding that is not understood."""
    without_usage: int
    """Replies that hold no call by rule: refusals, lists of models, embeddings."""


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """How a daemon is, as it says itself."""

    pid: int
    port: int
    version: str
    started_at: float
    """Seconds since 1970 UTC, as all times here."""
    uptime_s: float
    watcher: Literal["starting", "watching", "polling", "restarting", "stopped"]
    """`polling`: at least one folder gives no events and is looked at every few seconds."""
    importing: bool
    """Whether it is still reading what was written before it began to watch: answers may lack that."""
    unreadable: int
    """Log files and folders that could not be read when they were last looked at: answers lack what they hold."""
    events_seen: int
    """Calls that are new or were told more fully since it started."""
    last_event_at: float | None
    restarts: int
    """How often the watcher failed and was started again."""
    last_error: str | None
    """What it failed with last."""
    listening: int
    """Pages that are open and told of news."""
    ends_at: float | None
    """When it will end if nothing more happens; None: it stays."""
    capture: Capturing | None = None
    """None: the configuration does not ask for it."""


def write(data: str, running: Running) -> None:
    """Say that this daemon runs; the caller holds the lock."""
    durable.write_over(os.path.join(data, STATE), msgspec.json.encode(running))


def remove(data: str) -> None:
    """Nobody runs any more; the caller holds the lock."""
    path = os.path.join(data, STATE)
    if os.path.lexists(path):
        durable.fs.unlink(path)


def lock(data: str) -> durable.Lock:
    """The lock of whoever watches this data home; raises Held that says who does and how to end it."""
    try:
        return durable.lock(os.path.join(data, LOCK))
    except Held:
        found = running(data)
        if found is None:
            raise
        what = f"the daemon runs already (pid {found.pid}) at {found.url}"
    raise Held(what, pid=found.pid, mend="ringlet daemon stop ends it")


def holder(data: str) -> int | None:
    """Process id of whoever watches this data home; None where nobody does. 0 where that cannot be told."""
    return durable.holder(os.path.join(data, LOCK))


def running(data: str) -> Running | None:
    """The daemon of this data home; None where none runs, or none that can be reached yet."""
    try:
        with open(os.path.join(data, STATE), "rb") as file:
            found = msgspec.json.decode(file.read(4096), type=Running)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
    return found if holder(data) == found.pid else None
