"""Usage that a client did not ask for: asked in its place, and hidden from it.

Decides how a request in the shape of Chat Completions is changed so that its stream tells its usage, and which event is then taken out of
the stream. All other bytes stay as they are, but for the `"usage": null` that such a server adds to its other chunks. Pure.
"""

import re

import msgspec

REQUEST_BYTES = 16 << 20
"""A larger request passes as it is."""
_EVENT_BYTES = 4 << 20
_END = re.compile(rb"\r\n\r\n|\n\n|\r\r")


class _Options(msgspec.Struct):
    include_usage: bool | None = None


class _Request(msgspec.Struct):
    stream: bool | None = None
    stream_options: msgspec.Raw = msgspec.Raw(b"null")


class _Chunk(msgspec.Struct):
    choices: list[msgspec.Raw] | None = None
    usage: dict[str, msgspec.Raw] | None = None


def asking(body: bytes) -> bytes | None:
    """The request with usage asked for, all else as it is written; None where it asks itself, does not stream, or cannot be read."""
    try:
        request = msgspec.json.decode(body, type=_Request)
        if not request.stream:
            return None
        fields = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        options: dict[str, msgspec.Raw] = {}
        if bytes(request.stream_options) != b"null":
            if msgspec.json.decode(request.stream_options, type=_Options).include_usage:
                return None
            options = msgspec.json.decode(request.stream_options, type=dict[str, msgspec.Raw])
    except (ValueError, RecursionError):
        return None
    options["include_usage"] = msgspec.Raw(b"true")
    fields["stream_options"] = msgspec.Raw(msgspec.json.encode(options))
    return msgspec.json.encode(fields)


class Hider:
    """A stream of events without the one that tells the usage and nothing else."""

    def __init__(self) -> None:
        self._rest = b""
        self._off = False

    def feed(self, piece: bytes) -> bytes:
        """What of the stream can be sent on now: whole events."""
        if self._off:
            return piece
        self._rest += piece
        out: list[bytes] = []
        start = 0
        for end in _END.finditer(self._rest):
            event = self._rest[start : end.end()]
            if not _only_usage(event):
                out.append(event)
            start = end.end()
        self._rest = self._rest[start:]
        if len(self._rest) > _EVENT_BYTES:
            # No stream of chunks: it passes as it is.
            self._off = True
            out.append(self._rest)
            self._rest = b""
        return b"".join(out)

    def end(self) -> bytes:
        """What the stream ended in."""
        rest, self._rest = self._rest, b""
        return rest


def _only_usage(event: bytes) -> bool:
    if b'"usage"' not in event:
        return False
    data = b"\n".join(line[5:].strip() for line in re.split(rb"\r\n|\n|\r", event) if line.startswith(b"data:"))
    try:
        chunk = msgspec.json.decode(data, type=_Chunk)
    except (ValueError, RecursionError):
        return False
    return chunk.choices == [] and chunk.usage is not None
