"""From the proxy into the log: calls that were seen on the wire, kept without ever holding up the wire.

Decides how much of them is held, when they are committed, and what becomes of them where that fails. What a reply says is decided by
`wire.capture`, how that stands in the log by `passed`; carrying bytes is the proxy's business.

The proxy's thread keeps each piece that it has sent on, parses several together, and hands over what a finished reply proves; one thread
commits that in batches: a call at once, those that end in the moment after it together. Whatever goes wrong on this side costs a capture,
which is counted, and never an exception, a wait or a byte on the other.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

import msgspec

from ingest.passed import SOURCE, Record, told
from ingest.wire.capture import Capture, Head
from ingest.wire.event import Ending, Exchange
from ingest.wire.recognise import Kind
from pipeline.errors import RingletError
from pipeline.events import Rejected, Seen, UsageEvent
from pipeline.log import SEAL_ROWS, SEAL_S, Commit, Log

logger = logging.getLogger("ringlet.capture")

WAITING = 1000
"""So many finished replies may wait for the log; more are dropped."""
HELD_BYTES = 32 << 20
"""So much may be kept in memory of all replies that are being read; a reply that takes more is not read further."""
RETRY_S = 1.0
"""Between two attempts where the log cannot be written."""
GATHER_S = 0.05
"""So long after a commit further replies gather for the next: each commit, and each waking of the thread, holds up the proxy's."""
QUIET_SHARE = 19
"""What follows the log is brought up to date in no more than a twentieth of the tap's time."""
READ_BYTES = 8 << 10
"""So much of a reply is read at a time: its pieces are a line or two each."""
_END_S = 5.0
_ATTEMPTS = 20


class Tally(msgspec.Struct, kw_only=True):
    """What became of the replies that passed, since the start."""

    captured: int = 0
    """Calls handed to the log."""
    dropped: int = 0
    """Replies that were lost by a fault or a bound of ours."""
    uncaptured: int = 0
    """Replies that passed unread: of a format, type or coding that is not understood."""
    without_usage: int = 0
    """Replies that hold no call by rule: refusals, lists of models, embeddings."""


class Tapped:
    """One reply on its way past. No method raises."""

    def __init__(self, tap: "Tap", capture: Capture) -> None:
        self._tap = tap
        self._capture: Capture | None = capture
        self._unread: list[bytes] = []
        self._unread_bytes = 0
        self._held = 0

    @property
    def reads(self) -> bool:
        """Whether it is worth feeding."""
        return self._capture is not None and self._capture.reads

    def feed(self, piece: bytes) -> None:
        """The next bytes of the body; they have been sent on already."""
        if not self.reads:
            return
        count = len(piece)
        self._unread.append(piece)
        self._unread_bytes += count
        self._held += count
        self._tap.held += count
        if self._unread_bytes >= READ_BYTES or self._tap.held > HELD_BYTES:
            self._read()

    def end(self, exchange: Exchange, ending: Ending) -> None:
        """The reply is over, whole or not."""
        self._read()
        capture, self._capture = self._capture, None
        self._hold(0)
        if capture is None:
            return
        try:
            self._tap.keep(Record(capture.end(exchange, ending), capture.bytes))
        except Exception as error:  # noqa: BLE001 - whatever it is, the reply has passed
            self._lose(error)

    def lose(self) -> None:
        """The reply cannot be captured, by a fault of ours elsewhere."""
        if self._capture is not None:
            self._lose(None)

    def _read(self) -> None:
        unread, self._unread, self._unread_bytes = self._unread, [], 0
        capture = self._capture
        if capture is None or not unread:
            return
        try:
            capture.feed(b"".join(unread))
            self._hold(capture.held)
            if self._tap.held > HELD_BYTES:
                capture.give_up("memory")
                self._hold(0)
        except Exception as error:  # noqa: BLE001 - as above
            self._lose(error)

    def _lose(self, error: Exception | None) -> None:
        self._capture = None
        self._unread.clear()
        self._hold(0)
        self._tap.lost(1)
        if error is not None:
            # Its text may quote what passed.
            logger.error("a capture failed: %s", type(error).__name__)

    def _hold(self, count: int) -> None:
        self._tap.held += count - self._held
        self._held = count


class Tap:
    """The way from the proxy to the log of one store; `start` once, then `stop` once. `begin` and `Tapped` belong to one thread."""

    def __init__(
        self,
        opened: Callable[[], Log],
        *,
        on_commit: Callable[[Commit], None] = lambda _: None,
        on_quiet: Callable[[Log], None] = lambda _: None,
        seal: Callable[[Log], object] = Log.seal,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        """`opened` gives the log, in the tap's own thread; `on_quiet` is called there when all that came has been committed."""
        self._opened = opened
        self._on_commit = on_commit
        self._on_quiet = on_quiet
        self._has_sealed = seal
        self._clock = clock
        self._waiting: deque[Record] = deque()
        self._lock = threading.Lock()
        self._news = threading.Event()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tap")
        self._log: Log | None = None
        self._hot_since: float | None = None
        self._untold = False
        self._tell_at = 0.0
        self.held = 0
        """Bytes kept in memory of replies that are being read."""
        self.tally = Tally()

    # The proxy's side

    def begin(self, kind: Kind, head: Head) -> Tapped:
        """A reply begins."""
        return Tapped(self, Capture(kind, head))

    def keep(self, record: Record) -> None:
        """What a reply proved waits for the log; dropped where too many wait."""
        with self._lock:
            if len(self._waiting) >= WAITING:
                self.tally.dropped += 1
                return
            self._waiting.append(record)
            for event in record.events:
                if isinstance(event, UsageEvent):
                    self.tally.captured += 1
                elif isinstance(event, Rejected) or event.what.startswith("uncaptured_"):
                    self.tally.uncaptured += 1
                else:
                    self.tally.without_usage += 1
            worth = any(not isinstance(event, Seen) for event in record.events)
        if worth:
            # What is only counted waits for the next that is more.
            self._news.set()

    def passed(self, what: str, count: int) -> None:
        """Something of so many bytes passed unread, for a reason that is a word."""
        self.keep(Record((Seen(what=f"uncaptured_{what}"),), count))

    def lost(self, count: int) -> None:
        """So many replies were not captured by a fault of ours."""
        with self._lock:
            self.tally.dropped += count

    # The log's side

    def start(self) -> None:
        """Begin to commit."""
        self._thread.start()

    def stop(self) -> None:
        """Returns when what waits is committed and sealed, or cannot be within a few seconds."""
        self._ending.set()
        self._news.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._ending.is_set():
            self._news.wait(max(self._tell_at - time.monotonic(), 0.0) if self._untold else SEAL_S)
            self._news.clear()
            self._flush()
            self._ending.wait(GATHER_S)
        end = time.monotonic() + _END_S
        while self._waiting and time.monotonic() < end and not self._flush():
            time.sleep(RETRY_S / 4)
        if self._waiting:
            self.lost(len(self._waiting))
            logger.warning("%d captured replies could not be kept: the log cannot be written", len(self._waiting))
        try:
            if self._log is not None:
                self._log.seal()
        except RingletError as error:
            logger.warning("%s", error)
        self._close()

    def _flush(self) -> bool:
        """Commit what waits, and seal when it is due; whether nothing is left."""
        try:
            while self._waiting:
                with self._lock:
                    taken = list(self._waiting)
                self._commit(taken)
                with self._lock:
                    for _ in taken:
                        self._waiting.popleft()
                self._untold = True
            self._tell()
            self._seal()
        except Exception as error:  # noqa: BLE001 - it is tried again; a tap that has died in silence would be worse
            logger.warning(
                "captured replies wait, the log cannot be written: %s", error if isinstance(error, RingletError) else type(error).__name__
            )
            self._close()
            if not self._ending.wait(RETRY_S):
                self._news.set()
            return False
        return True

    def _commit(self, taken: Sequence[Record]) -> None:
        if self._log is not None and self._log.replaced:
            self._close()
        log = self._log = self._log or self._opened()
        now_us = self._clock() // 1000
        log.register([SOURCE])
        for _ in range(_ATTEMPTS):
            (known,) = log.sources([SOURCE.path])
            batch, reading = told(taken, known.id, known.cursor)
            commit = log.commit(batch, [reading], ingested_at_us=now_us)
            if not commit.stale:
                break
        else:
            raise RingletError("another process captures into the same log", mend="ringlet daemon stop in all but one of them")
        if len(batch) and self._hot_since is None:
            self._hot_since = time.monotonic()
        self._on_commit(commit)

    def _tell(self) -> None:
        began = time.monotonic()
        if self._log is not None and self._untold and began >= self._tell_at:
            self._untold = False
            self._on_quiet(self._log)
            self._tell_at = time.monotonic() + QUIET_SHARE * (time.monotonic() - began)

    def _seal(self) -> None:
        if self._log is None or self._hot_since is None:
            return
        if time.monotonic() - self._hot_since >= SEAL_S or self._log.hot_count() >= SEAL_ROWS:
            self._has_sealed(self._log)
            self._hot_since = None

    def _close(self) -> None:
        log, self._log = self._log, None
        if log is not None:
            log.close()
