"""How one agent's log becomes events: the contract that every adapter keeps.

Decides what an adapter is given and what it gives back. No I/O, no clock.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar

import msgspec

from pipeline.events import Event
from pipeline.rows import RowQuery
from pipeline.sources import SessionInfo, SourceKind


class Place(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Where a source lies: all that an adapter may know of the file system."""

    path: str
    """Path under `root`, with `/`; never part of an identity."""
    root: str
    """The agent home."""
    head: bytes = b""
    """The first 64 KiB of a line source."""
    beside: bytes = b""
    """The first 64 KiB of the file that `Pattern.beside` names; empty where there is none."""


class Home(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One folder in which an agent keeps its logs."""

    path: str
    named: bool = False
    """The user named it (option, environment, config): that it is missing is worth a message."""


class Pattern(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Which files under a home are sources, and of which kind."""

    glob: str
    """Relative to the home, `**` for any depth."""
    kind: SourceKind
    needle: bytes | None = None
    """Lines: a line without these bytes cannot hold anything for the adapter (None: every line counts)."""
    other_kind: bytes | None = None
    """Lines: what a line says before its first inner object if it is a record that holds nothing for the adapter (`lines.may_hold`)."""
    queries: tuple[RowQuery, ...] = ()
    """Rows: what is read of the database, one table each, in this order."""
    beside: tuple[str, str] | None = None
    """Lines and documents: (ending, other ending) of a path. The file with the other ending says what the source itself does not, and
    nothing of it that changes."""


S = TypeVar("S")


class Adapter(Protocol[S]):
    """How one agent's log becomes events; `S` is what the fold remembers between two records of a source."""

    agent: str
    """Name of the agent in the log and on the command line."""
    title: str
    """Name of the agent as people write it."""
    patterns: Sequence[Pattern]

    def homes(self, environ: Mapping[str, str], home: str) -> Sequence[Home]:
        """The folders this agent writes to, given the environment and the user's home; a folder need not exist."""

    def start(self, place: Place) -> S:
        """The state before the first record of a source."""

    def load(self, dumped: bytes) -> S:
        """The state that `dump` wrote."""

    def dump(self, state: S) -> bytes:
        """The state as bytes for the cursor.

        Empty while the source has said nothing yet that holds for all of it: the next look then starts anew, with a longer `Place.head`.
        """

    def step(self, state: S, record: bytes) -> tuple[S, list[Event]]:
        """What `record` proves, and the state for the next one.

        `record` is a line without its newline, a whole document, or canonical JSON of a database row. A record that claims usage but
        cannot be believed gives a `Rejected` with the reason; one without a call gives nothing, or a `Seen`. Never raises for bad input.
        """

    def sessions(self, place: Place, head: bytes, tail: bytes) -> list[SessionInfo]:
        """Titles and parents of sessions that the first and last 64 KiB of a source tell of."""
