"""OpenCode's databases and older JSON files as events.

Decides which files and tables hold messages and what stands around one. What a message says is decided in `opencode_call`, its counters in
`opencode_message`. Parts repeat what their message says (`step-finish`), sessions sum it up: neither is ever added.
Format: OpenCode 0.x to 2.x (2025 to October 2026); tables `message` (1.x), `session_message`, `session_v2` and `event` (2.x).
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ingest import decode
from ingest.adapter import Home, Pattern, Place
from ingest.adapters.opencode_call import AGENT, Around, events_of
from ingest.adapters.opencode_message import messages_of
from ingest.decode import BadRecord
from pipeline.events import Event, Rejected
from pipeline.rows import Join, RowQuery
from pipeline.sources import SessionInfo

_ABOUT_SESSION = ("parent_id", "fork_session_id", "fork_boundary", "directory", "version", "time_created")

FIRST = RowQuery(
    table="message",
    columns=("id", "session_id", "time_created", "time_updated", "data"),
    joins=(Join(name="session", table="session", on="session_id", columns=_ABOUT_SESSION),),
)
SECOND = RowQuery(
    table="session_message",
    columns=("id", "session_id", "type", "seq", "time_created", "time_updated", "data"),
    only=(("type", ("assistant", "compaction")),),
    joins=(
        Join(name="session", table="session_v2", on="session_id", columns=_ABOUT_SESSION),
        Join(name="boundary", table="session_message", on="session.fork_boundary", columns=("seq",)),
        # Between 1.x and 2.x the new messages stood beside the old sessions.
        Join(name="first_session", table="session", on="session_id", columns=_ABOUT_SESSION),
    ),
)
ASIDE = RowQuery(
    table="event",
    columns=("id", "aggregate_id", "created", "type", "data"),
    # It is a log. The type may end in its version.
    updated=None,
    only=(("type", ("session.usage.recorded", "session.usage.recorded.*")),),
    joins=(Join(name="session", table="session_v2", on="aggregate_id", columns=_ABOUT_SESSION),),
)
"""Titles and compactions: calls that are no message of their own."""
TITLES = tuple(
    RowQuery(table=table, columns=("id", "title", "parent_id", "fork_session_id", "time_updated"), sessions=True)
    for table in ("session", "session_v2")
)


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """The columns of a session that matter to its messages."""

    parent_id: Any = None
    fork_session_id: Any = None
    fork_boundary: Any = None
    directory: Any = None
    version: Any = None
    time_created: Any = None


class _Boundary(msgspec.Struct):
    seq: Any = None


class _Row(msgspec.Struct):
    id: Any = None
    session_id: Any = None
    aggregate_id: Any = None
    type: Any = None
    seq: Any = None
    time_created: Any = None
    created: Any = None
    data: Any = None
    title: Any = None
    parent_id: Any = None
    fork_session_id: Any = None


class _Record(msgspec.Struct):
    table: str
    row: _Row
    session: Session | None = None
    first_session: Session | None = None
    boundary: _Boundary | None = None


class _Title(msgspec.Struct):
    id: Any = None
    title: Any = None
    parentID: Any = None


class State(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What the place of a source says."""

    message: str | None = None
    session: str | None = None


_RECORD = msgspec.json.Decoder(_Record)


class OpenCode:
    """The adapter of OpenCode."""

    agent = AGENT
    title = "OpenCode"
    patterns: Sequence[Pattern] = (
        Pattern(glob="*.db", kind="rows", queries=(FIRST, SECOND, ASIDE, *TITLES)),
        Pattern(glob="storage/message/*/*.json", kind="document"),
        Pattern(glob="storage/session/*/*.json", kind="document"),
    )

    def homes(self, environ: Mapping[str, str], home: str) -> Sequence[Home]:
        """OPENCODE_DATA_DIR, else OpenCode's own data folder; and the folder of the database that OPENCODE_DB names."""
        named = [entry.strip() for entry in environ.get("OPENCODE_DATA_DIR", "").split(",") if entry.strip()]
        data = environ.get("XDG_DATA_HOME") or f"{home}/.local/share"
        found = [Home(path=os.path.expanduser(entry), named=True) for entry in named] or [Home(path=f"{data}/opencode")]
        database = os.path.expanduser(environ.get("OPENCODE_DB", ""))
        if os.path.isabs(database):
            found.append(Home(path=os.path.dirname(database), named=True))
        return list({each.path: each for each in found}.values())

    def start(self, place: Place) -> State:
        """The ids that a JSON file's place names, for a message that lacks them."""
        folders = place.path.split("/")
        if len(folders) < 3 or folders[-3] != "message":
            return State()
        return State(message=folders[-1].removesuffix(".json"), session=folders[-2])

    def load(self, dumped: bytes) -> State:
        """The state that `dump` wrote."""
        return msgspec.msgpack.decode(dumped, type=State)

    def dump(self, state: State) -> bytes:
        """The state as bytes."""
        return msgspec.msgpack.encode(state)

    def step(self, state: State, record: bytes) -> tuple[State, list[Event]]:
        """The call in a row or a JSON file."""
        try:
            if state.message is not None:
                around = Around(message=state.message, session=state.session)
                return state, [event for message in messages_of(record) for event in events_of(message, around)]
            return state, _of_row(record)
        except BadRecord as error:
            return state, [Rejected(reason=error.reason)] if b"tokens" in record else []

    def sessions(self, place: Place, head: bytes, tail: bytes) -> list[SessionInfo]:  # noqa: ARG002  # a record has no tail
        """The title and parent of the session in a row or a JSON file."""
        if place.path.endswith(".json"):
            return _of_session_file(head) if "session" in place.path.split("/")[:-1] else []
        row = _decoded(head)
        if row is None or row.table not in ("session", "session_v2"):
            return []
        parent = decode.text(row.row.parent_id) or decode.text(row.row.fork_session_id)
        return _session(decode.text(row.row.id), decode.text(row.row.title), parent)


def _of_row(record: bytes) -> list[Event]:
    found = _decoded(record)
    if found is None or found.table not in (FIRST.table, SECOND.table, ASIDE.table) or not isinstance(found.row.data, str):
        return []
    row, session = found.row, found.session or found.first_session or Session()
    around = Around(
        message=decode.text(row.id),
        session=decode.text(row.session_id) or decode.text(row.aggregate_id),
        parent=decode.text(session.parent_id),
        forked_from=decode.text(session.fork_session_id),
        seq=row.seq if isinstance(row.seq, int) else None,
        began=session.time_created,
        directory=decode.text(session.directory),
        version=decode.text(session.version),
        copied=session.fork_session_id is not None and found.boundary is not None and _not_after(row.seq, found.boundary.seq),
        second=found.table != FIRST.table,
        aside=found.table == ASIDE.table or row.type == "compaction",
        from_row=True,
        written=row.time_created if row.time_created is not None else row.created,
    )
    events: list[Event] = []
    for message in messages_of(row.data):
        # A row's own columns name it; inside a copied message older versions left the names of the original.
        named = msgspec.structs.replace(message, id=around.message, sessionID=around.session)
        events += events_of(named, around)
    return events


def _not_after(seq: object, boundary: object) -> bool:
    return isinstance(seq, int) and isinstance(boundary, int) and seq <= boundary


def _of_session_file(head: bytes) -> list[SessionInfo]:
    try:
        found = msgspec.json.decode(head, type=_Title)
    except (msgspec.MsgspecError, ValueError):
        return []
    return _session(decode.text(found.id), decode.text(found.title), decode.text(found.parentID))


def _session(id: str | None, title: str | None, parent: str | None) -> list[SessionInfo]:
    return [SessionInfo(agent=AGENT, session=id, title=title, parent=parent)] if id and (title or parent) else []


def _decoded(record: bytes) -> _Record | None:
    try:
        return _RECORD.decode(record)
    except (msgspec.MsgspecError, ValueError):
        return None


ADAPTER = OpenCode()
