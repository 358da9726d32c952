"""What a Claude Code transcript says about its session beyond the calls.

Decides which line names a session. A title that a person gave wins over one that the agent found, and that over a summary; of each
kind the last one holds.
"""

import msgspec

from ingest.adapters.claude_line import ForkedFrom
from ingest.decode import BadRecord, objects, text
from pipeline.sources import SessionInfo

_LONGEST = 300
_LONGEST_LINE = 2048
_NEEDLES = (b'"summary"', b'"ai-title"', b'"custom-title"')
_FORKED = b'"forkedFrom"'
_UUID = b'"uuid":'
_SPOKEN = b'{"parentUuid"'
"""How a line of the conversation begins, which has no title."""


class _Line(msgspec.Struct, gc=False):
    type: str | None = None
    sessionId: str | None = None
    summary: str | None = None
    leafUuid: str | None = None
    aiTitle: str | None = None
    customTitle: str | None = None
    forkedFrom: ForkedFrom | None = None


_DECODER = msgspec.json.Decoder(_Line)


def telling(head: bytes, tail: bytes) -> list[bytes]:
    """The lines of the beginning and the end of a transcript that may tell of a session: none in most of what is written."""
    return _told(head) if head == tail else _told(head) + _told(tail)


def sessions_of(agent: str, session: str | None, told: list[bytes], head: bytes, tail: bytes) -> list[SessionInfo]:
    """Title and parent of the sessions that lines `told` by the beginning and the end of a transcript speak of.

    `session` is the one the file is named after; it is meant where a line names none.
    """
    titles: dict[str, tuple[int, str]] = {}
    parents: dict[str, str] = {}
    for line in _lines(told):
        owner = text(line.sessionId) or session
        if owner is None:
            continue
        rank, title = _title(line, head, tail)
        if title is not None and rank >= titles.get(owner, (0, ""))[0]:
            titles[owner] = (rank, " ".join(title.split())[:_LONGEST])
        origin = text(line.forkedFrom.sessionId) if line.forkedFrom is not None else None
        if origin is not None and origin != owner:
            parents.setdefault(owner, origin)
    return [
        SessionInfo(agent=agent, session=owner, title=titles.get(owner, (0, None))[1], parent=parents.get(owner))
        for owner in dict.fromkeys((*titles, *parents))
    ]


def _title(line: _Line, head: bytes, tail: bytes) -> tuple[int, str | None]:
    match line.type:
        case "custom-title":
            return 3, text(line.customTitle)
        case "ai-title":
            return 2, text(line.aiTitle)
        case "summary" if line.leafUuid and _speaks_of(line.leafUuid, head, tail):
            return 1, text(line.summary)
    return 0, None


def _speaks_of(leaf: str, head: bytes, tail: bytes) -> bool:
    """Whether the summarised line stands in this file: a transcript may begin with summaries of the sessions before it."""
    quoted = msgspec.json.encode(leaf)
    for part in (head, tail):
        at = part.find(quoted)
        while at >= 0:
            if part[max(0, at - len(_UUID) - 1) : at].rstrip(b" ").endswith(_UUID):
                return True
            at = part.find(quoted, at + 1)
    return False


def _lines(told: list[bytes]) -> list[_Line]:
    found = []
    for record in told:
        try:
            found.append(_DECODER.decode(record))
        except (ValueError, RecursionError, OverflowError):
            found.extend(_damaged(record))
    return found


def _told(part: bytes) -> list[bytes]:
    """The lines of `part` that may name a session, and the first that says it was copied.

    Thousands of files are looked at in one import: lines with titles are short and not part of the conversation, so that hardly any other
    need be searched.
    """
    found = []
    begin, length = 0, len(part)
    while begin < length:
        end = part.find(b"\n", begin)
        if end < 0:
            end = length
        if end - begin < _LONGEST_LINE and not part.startswith(_SPOKEN, begin):
            line = part[begin:end]
            if any(needle in line for needle in _NEEDLES):
                found.append(line)
        begin = end + 1
    at = part.find(_FORKED)
    if at >= 0:
        end = part.find(b"\n", at)
        found.append(part[part.rfind(b"\n", 0, at) + 1 : end if end >= 0 else len(part)])
    return found


def _damaged(record: bytes) -> list[_Line]:
    """The same from a line with lone surrogates and the like; nothing from a line that was cut at the edge of what was read."""
    try:
        values = objects(record)
    except BadRecord:
        return []
    return [
        _Line(
            type=text(value.get("type")),
            sessionId=text(value.get("sessionId")),
            summary=text(value.get("summary")),
            leafUuid=text(value.get("leafUuid")),
            aiTitle=text(value.get("aiTitle")),
            customTitle=text(value.get("customTitle")),
        )
        for value in values
    ]
