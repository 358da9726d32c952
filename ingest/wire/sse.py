"""Records in a stream of bytes, whatever its pieces are: server-sent events, lines, or one body.

Decides where a record begins and ends and how long one may be. What stands in it is the formats' business. Events are read as the HTML
standard has them (Server-sent events, 9.2.6, 2026): lines end in LF, CR or CRLF, a byte-order mark may come first, several `data` lines
are one text, lines that begin with a colon say nothing; only `data` is kept. Unlike there, what a cut stream ends in counts as an event
if it is whole JSON: providers forget the last blank line.
"""

from ingest.decode import BadRecord

RECORD_BYTES = 16 << 20
"""A longer record is not read; a reply that needs one is not captured."""
_BOM = b"\xef\xbb\xbf"


class Events:
    """The data of server-sent events."""

    def __init__(self) -> None:
        self._lines = Lines(cr=True)
        self._data: list[bytes] = []
        self._bytes = 0

    @property
    def held(self) -> int:
        """Bytes kept of what is not complete yet."""
        return self._bytes + self._lines.held

    def feed(self, piece: bytes) -> list[bytes]:
        """The events that `piece` completes. Raises BadRecord for one that is too long."""
        return self._events(self._lines.feed(piece))

    def end(self) -> list[bytes]:
        """The event that the stream ended in."""
        found = self._events(self._lines.end())
        return found + self._done()

    def _events(self, lines: list[bytes]) -> list[bytes]:
        found: list[bytes] = []
        for line in lines:
            if not line:
                found += self._done()
            elif line.startswith(b"data"):
                value = line[4:]
                if value[:1] == b":":
                    self._keep(value[2:] if value[1:2] == b" " else value[1:])
        return found

    def _keep(self, value: bytes) -> None:
        self._bytes += len(value)
        if self._bytes > RECORD_BYTES:
            raise BadRecord("too_long")
        self._data.append(value)

    def _done(self) -> list[bytes]:
        data, self._data, self._bytes = b"\n".join(self._data), [], 0
        return [data] if data else []


class Lines:
    """Lines without their ends; with `cr`, CR alone ends one too."""

    def __init__(self, *, cr: bool = False) -> None:
        self._cr = cr
        self._rest: list[bytes] = []
        self.held = 0
        """Bytes kept of what is not complete yet."""
        self._after_cr = False
        self._begun = False

    def feed(self, piece: bytes) -> list[bytes]:
        """The lines that `piece` completes. Raises BadRecord for one that is too long."""
        if not piece:
            return []
        if (self._cr and b"\r" in piece) or self._after_cr:
            piece = self._unified(piece)
        *whole, rest = piece.split(b"\n")
        if whole:
            self._rest.append(whole[0])
            whole[0] = b"".join(self._rest)
            self._rest, self.held = [], 0
            if not self._begun:
                self._begun = True
                whole[0] = whole[0].removeprefix(_BOM)
        if rest:
            self._rest.append(rest)
            self.held += len(rest)
            if self.held > RECORD_BYTES:
                raise BadRecord("too_long")
        return whole

    def end(self) -> list[bytes]:
        """The line that the stream ended in."""
        rest, self._rest = b"".join(self._rest), []
        if not self._begun:
            rest = rest.removeprefix(_BOM)
        return [rest] if rest else []

    def _unified(self, piece: bytes) -> bytes:
        """`piece` with one kind of line end; a CRLF may be cut in two."""
        if self._after_cr and piece.startswith(b"\n"):
            piece = piece[1:]
            self._after_cr = False
        if piece:
            self._after_cr = piece.endswith(b"\r")
        return piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


class Whole:
    """A body that is one record."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self.held = 0
        """Bytes kept."""

    def feed(self, piece: bytes) -> list[bytes]:
        """Nothing before the end. Raises BadRecord for a body that is too long."""
        self.held += len(piece)
        if self.held > RECORD_BYTES:
            raise BadRecord("too_long")
        self._pieces.append(piece)
        return []

    def end(self) -> list[bytes]:
        """The body."""
        body, self._pieces = b"".join(self._pieces), []
        return [body] if body.strip() else []
