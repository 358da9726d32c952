"""What the tap hears of one call that passes the proxy.

Decides what is told of it: the reply's head, its pieces and its end, and whose call it was. Whatever fails here is no fault of the call's:
it is logged by its kind alone, because its text may quote what passed, and the reply is counted as lost. When the tap is told is the
proxy's business, what a reply says that of `ingest.wire`.
"""

import logging
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime

from cli.serve.entrances import Upstream
from cli.serve.passage import Asked, lowered
from ingest.tap import Tap, Tapped
from ingest.wire.caller import agent_of, session_of
from ingest.wire.capture import Head
from ingest.wire.event import Ending, Exchange
from ingest.wire.recognise import Kind
from pipeline.events import Status
from pipeline.profiles import Profile

logger = logging.getLogger("ringlet.proxy")


class Tapping:
    """One call's way to the tap: `begin` with its reply, `feed` each piece, then `end`; or `passed` alone. Nothing here raises."""

    def __init__(self, tap: Tap, asked: Asked, kind: Kind, profile: Profile, upstream: Upstream) -> None:
        self.model: str | None = None
        """The model that the request names, where somebody read it."""
        self._tap = tap
        self._asked = asked
        self._kind = kind
        self._profile = profile
        self._upstream = upstream
        self._began = time.monotonic()
        self._tapped: Tapped | None = None
        self._reply_id: str | None = None

    def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """The reply begins; `headers` by their names in small letters."""
        try:
            head = Head(status=status, content_type=headers.get("content-type", ""), content_encoding=headers.get("content-encoding", ""))
            self._reply_id = headers.get("request-id") or None
            self._tapped = self._tap.begin(self._kind, head)
        except Exception as error:  # noqa: BLE001 - the reply passes all the same
            self._lost(None, error)

    def feed(self, piece: bytes) -> None:
        """A piece of the reply as it came; `Tapped.feed` raises nothing."""
        if self._tapped is not None:
            self._tapped.feed(piece)

    def end(self, status: Status) -> None:
        """The reply is over."""
        tapped, self._tapped = self._tapped, None
        if tapped is None:
            return
        try:
            ending = Ending(at=datetime.now(UTC), duration_ms=round((time.monotonic() - self._began) * 1000), status=status)
            tapped.end(self._exchanged(), ending)
        except Exception as error:  # noqa: BLE001 - as above
            self._lost(tapped, error)

    def passed(self, what: str, count: int) -> None:
        """So many bytes passed unread, for a reason that is a word."""
        with suppress(Exception):
            self._tap.passed(what, count)

    def _exchanged(self) -> Exchange:
        asked, upstream = self._asked, self._upstream
        agent, version = agent_of(asked.header("user-agent"))
        return Exchange(
            name=f"{time.time_ns()}.{os.urandom(8).hex()}",
            kind=self._kind.value,
            profile=self._profile.mark,
            agent=self._profile.agent or agent,
            agent_version=version if self._profile.agent in (None, agent) else None,
            provider=upstream.name,
            endpoint=upstream.host,
            session=session_of(lowered(asked.headers)),
            model_asked=self.model,
            request_id=self._reply_id,
        )

    def _lost(self, tapped: Tapped | None, error: Exception) -> None:
        with suppress(Exception):
            if tapped is None:
                self._tap.lost(1)
            else:
                # It counts itself, and lets go of the memory that it holds.
                tapped.lose()
            logger.error("a capture failed: %s", type(error).__name__)
