"""One reply read as it passes: from the bytes of its body to the events of the log.

Decides what a reply's status, type and coding mean for reading it, and what is said of one that could not be read. Pure: no clock, no
socket, and it never raises for what it is fed.
"""

from collections.abc import Sequence

import msgspec

from ingest.decode import BadRecord
from ingest.wire import body
from ingest.wire.event import Ending, Exchange, event_of
from ingest.wire.recognise import Kind, format_of, framing_of
from pipeline.events import Event, Rejected, Seen

_CLAIMS = (b"usage", b"eval_count")


class Head(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What of a reply's first lines decides how it is read."""

    status: int
    content_type: str = ""
    content_encoding: str = ""


class Capture:
    """One reply. `feed` its body in any pieces, `end` once."""

    def __init__(self, kind: Kind, head: Head) -> None:
        self.bytes = 0
        """Fed so far, as they came over the wire."""
        self._why: str | None = None
        """Why it is not read."""
        self._bad: BadRecord | None = None
        self._failed = head.status >= 400
        """A failure that tells its usage was billed all the same; one that does not is no call."""
        format, framing, decoder = format_of(kind), framing_of(head.content_type), body.decoder(head.content_encoding)
        if kind is Kind.NOT_COUNTED:
            self._why = "not_counted"
        elif format is None:
            self._why = "uncaptured_format"
        elif head.status < 200 or 300 <= head.status < 400 or (self._failed and (framing is None or decoder is None)):
            self._why = "failed_before_usage"
        elif framing is None:
            self._why = "uncaptured_type"
        elif decoder is None:
            self._why = "uncaptured_coding"
        self._format, self._framing, self._decoder = format, framing, decoder

    @property
    def reads(self) -> bool:
        """Whether it is worth feeding."""
        return self._why is None

    @property
    def held(self) -> int:
        """Bytes kept in memory of what is not complete yet."""
        return 0 if self._framing is None else self._framing.held

    def give_up(self, why: str) -> None:
        """Read no further, for a reason that is a word; what was read so far stands."""
        self._why = f"uncaptured_{why}"
        self._framing = None

    def feed(self, piece: bytes) -> None:
        """The next bytes of the body."""
        self.bytes += len(piece)
        if self._why is None and self._decoder is not None and self._framing is not None:
            try:
                for each in self._decoder.feed(piece):
                    self._take(self._framing.feed(each))
            except BadRecord as bad:
                self.give_up(bad.reason)

    def end(self, exchange: Exchange, ending: Ending) -> list[Event]:
        """What the reply proves. Exactly one `Seen` where it proves no call, so that every exchange is accounted for."""
        if self._why is not None and not self._why.startswith("uncaptured_"):
            return [Seen(what=self._why)]
        try:
            if self._framing is not None and self._why is None:
                self._take(self._framing.end())
            replies = self._format.replies() if self._format is not None else []
        except BadRecord as bad:
            self._bad, replies = bad, []
        # Also of a reply whose rest cannot be read, what was read stands.
        if replies and self._failed:
            replies = [msgspec.structs.replace(reply, status="error") for reply in replies]
        if replies:
            return [event_of(exchange, ending, reply) for reply in replies]
        if self._failed:
            # Its text may say "usage" of a limit: nothing is claimed.
            return [Seen(what="failed_before_usage")]
        if self._bad is not None:
            return [Rejected(reason=self._bad.reason, tokens=self._bad.tokens)]
        return [Seen(what=self._why or ("no_usage" if ending.status == "ok" else f"{ending.status}_before_usage"))]

    def _take(self, records: Sequence[bytes]) -> None:
        assert self._format is not None
        for record in records:
            try:
                self._format.take(record)
            except BadRecord as bad:
                # Providers put words between the records; only what claims usage is a loss.
                if any(claim in record for claim in _CLAIMS):
                    self._bad = bad
