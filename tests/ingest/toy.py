"""A small agent of our own: one JSON object per line, `{"id": ..., "at": seconds, "out": tokens}`, and what its adapter makes of it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from ingest.adapter import Home, Pattern, Place
from pipeline import keys
from pipeline.events import Event, Rejected, Seen, Tokens, UsageEvent
from pipeline.sources import SessionInfo


class Line(msgspec.Struct):
    """One line of the toy agent."""

    id: str | None = None
    at: int | None = None
    out: int | None = None
    error: bool = False


class State(msgspec.Struct):
    """What the fold remembers: how many calls it has seen in this source."""

    calls: int = 0


class Toy:
    """The adapter; a call is known by its id, and the larger output counts."""

    agent = "toy"
    title = "Toy"
    patterns: Sequence[Pattern] = (
        Pattern(glob="logs/**/*.jsonl", kind="lines", needle=b'"out"'),
        Pattern(glob="logs/**/*.jsonl.zst", kind="lines", needle=b'"out"'),
        Pattern(glob="docs/*/*.json", kind="document"),
    )

    def homes(self, environ: Mapping[str, str], home: str) -> Sequence[Home]:
        named = environ.get("TOY_HOME")
        return (Home(path=named, named=True),) if named else (Home(path=home + "/.toy"),)

    def start(self, place: Place) -> State:
        return State()

    def load(self, dumped: bytes) -> State:
        return msgspec.msgpack.decode(dumped, type=State)

    def dump(self, state: State) -> bytes:
        return msgspec.msgpack.encode(state)

    def step(self, state: State, record: bytes) -> tuple[State, list[Event]]:
        try:
            line = msgspec.json.decode(record, type=Line)
        except ValueError:
            return state, [Rejected(reason="unreadable")] if b'"out"' in record else []
        if line.error:
            return state, [Seen(what="api_error")]
        if line.out is None or line.id is None:
            return state, []
        if line.at is None:
            return state, [Rejected(reason="bad_timestamp", tokens=line.out)]
        event = UsageEvent(
            key=keys.identity("toy", line.id),
            at=datetime.fromtimestamp(line.at, UTC),
            agent="toy",
            model="toy-1",
            session="s",
            tokens=Tokens(output=line.out),
            extra={"nth": str(state.calls)},
            rank=keys.rank(complete=True, output=line.out, at_us=line.at * 1_000_000, facts=str(line.out)),
            owner_rank=keys.owner_rank(copied=False, sidechain=False, depth=1, session_start_us=0, session="s"),
        )
        return State(calls=state.calls + 1), [event]

    def sessions(self, place: Place, head: bytes, tail: bytes) -> list[SessionInfo]:
        return [SessionInfo(agent="toy", session=place.path, title=tail[-8:].decode("utf-8", "replace"))] if b"title" in head else []


ADAPTER = Toy()


def line(name: str, out: int, at: int = 1_790_000_000) -> bytes:
    """One whole line."""
    return b'{"id": "%s", "at": %d, "out": %d}\n' % (name.encode(), at, out)
