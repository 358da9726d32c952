"""The logs of both programs called Grok as events.

Decides which files below `~/.grok` hold usage and what stands around it. What a turn says is decided in `grok_turn`, what a row says in
`grok_row`. Format: xAI's Grok Build 1.0 (2026, `sessions/<cwd>/<session>/updates.jsonl`; xai-org/grok-build,
`xai-grok-shell/src/extensions/notification.rs`) and superagent-ai/grok-cli 1.x (2026, `grok.db`): two unrelated programs share the folder.

Grok Build's `signals.json` tells how full the context is and `usage.json` repeats what the turns say; neither is read.
"""

import os
from collections.abc import Mapping, Sequence

import msgspec

from ingest.adapter import Home, Pattern, Place
from ingest.adapters import grok_row, grok_turn
from ingest.adapters.grok_turn import AGENT, Around, summary_of
from ingest.decode import BadRecord
from pipeline.events import Event, Rejected
from pipeline.sources import SessionInfo

NEEDLE = b'"turn_completed"'

_TURNS, _SUMMARY, _ROWS = "updates.jsonl", "summary.json", ".db"


class State(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What the place of a source says."""

    kind: str = _TURNS
    around: Around | None = None
    known: bool = False
    """The session's summary was there."""


class Grok:
    """The adapter of Grok Build and grok-cli."""

    agent = AGENT
    title = "Grok"
    patterns: Sequence[Pattern] = (
        Pattern(glob=f"sessions/*/*/{_TURNS}", kind="lines", needle=NEEDLE, beside=(_TURNS, _SUMMARY)),
        Pattern(glob=f"sessions/*/*/{_SUMMARY}", kind="document"),
        Pattern(glob="grok.db", kind="rows", queries=(grok_row.USAGE,)),
    )

    def homes(self, environ: Mapping[str, str], home: str) -> Sequence[Home]:
        """GROK_HOME, else `~/.grok`."""
        named = environ.get("GROK_HOME", "").strip()
        return [Home(path=os.path.expanduser(named), named=True)] if named else [Home(path=f"{home}/.grok")]

    def start(self, place: Place) -> State:
        """What the folder and the summary beside a session's turns say."""
        name = place.path.rpartition("/")[2]
        if name.endswith(_ROWS):
            return State(kind=_ROWS)
        if name == _SUMMARY:
            return State(kind=_SUMMARY)
        folder = place.path.rpartition("/")[0].rpartition("/")[2] or None
        summary = summary_of(place.beside)
        return State(around=grok_turn.around(folder, summary), known=summary is not None)

    def load(self, dumped: bytes) -> State:
        """The state that `dump` wrote."""
        return msgspec.msgpack.decode(dumped, type=State)

    def dump(self, state: State) -> bytes:
        """The state as bytes; nothing while a session's summary is not there yet."""
        return msgspec.msgpack.encode(state) if state.known or state.kind != _TURNS else b""

    def step(self, state: State, record: bytes) -> tuple[State, list[Event]]:
        """The calls of a turn, or of a row."""
        if state.kind == _SUMMARY:
            return state, []
        try:
            if state.kind == _ROWS:
                return state, grok_row.events_of(record)
            return state, grok_turn.events_of(record, state.around or Around())
        except BadRecord as error:
            # Whatever cannot be read is a loss only if it claims usage.
            claims = state.kind == _ROWS or NEEDLE in record
            return state, [Rejected(reason=error.reason, tokens=error.tokens)] if claims else []

    def sessions(self, place: Place, head: bytes, tail: bytes) -> list[SessionInfo]:  # noqa: ARG002  # neither a row nor a summary has a tail
        """The title that Grok gave a session, and the session that it was forked from."""
        name = place.path.rpartition("/")[2]
        if name.endswith(_ROWS):
            return grok_row.session_of(head)
        summary = summary_of(head) if name == _SUMMARY else None
        if summary is None:
            return []
        found = grok_turn.around(place.path.rpartition("/")[0].rpartition("/")[2] or None, summary)
        if not found.session or not (found.title or found.parent):
            return []
        return [SessionInfo(agent=AGENT, session=found.session, title=found.title, parent=found.parent)]


ADAPTER = Grok()
