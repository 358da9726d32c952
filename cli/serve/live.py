"""What goes on behind the pages: watching, sealing, and keeping current what follows the log.

Decides which thread does what and what happens when one fails. Three work side by side: one watches, and after a failure begins again with
a pause that grows; one tells the answers in memory and the open pages of what was committed; one keeps house. Hooks have threads of their
own (`cli.hooks.alerting`). Whatever needs much memory or
all processors (a large import, sealing, compaction, the views) is done by a process of its own, so that this one stays small.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, Protocol

import msgspec

from cli.hooks.alerting import Alerting
from cli.paths import Paths
from cli.refresh import Store, opened
from cli.serve import child
from ingest.bulk import PARALLEL_BYTES
from ingest.watch import Settings, Watcher
from pipeline.log import Commit, Log
from views import snapshot

logger = logging.getLogger("ringlet.watcher")

PAUSES_S = (1.0, 2.0, 5.0, 15.0, 60.0)
"""Before the watcher is started again after its first failure, its second, and so on."""
STEADY_S = 120.0
"""Having watched for so long without failing, the next failure counts as the first."""
TOLD_S = 0.2
"""At least so long between two times that the answers in memory are brought up to date."""
SHARE = 4
"""And at least so many times as long as the last time took."""
HOUSE_S = 60.0
"""At least so long between two times that house is kept."""


class News(msgspec.Struct, frozen=True, kw_only=True):
    """What pages are told when something was committed."""

    as_of: float
    """Seconds since 1970 UTC."""
    seq: int
    """The log's last sequence number."""
    new: int
    """Calls that nobody had seen before."""
    updated: int
    """Calls that were told more fully."""


class Answers(Protocol):
    """What answers from memory."""

    def refresh(self) -> bool:
        """Look whether there is news to answer from; whether it is so."""


class Pages(Protocol):
    """Whoever is told of news."""

    def publish(self, event: str, data: msgspec.Struct) -> None:
        """Send an event of that name; from any thread."""


class Live:
    """The watcher of one store and what follows it; `start` once, then `stop` once."""

    def __init__(self, paths: Paths, environ: Mapping[str, str], answers: Answers, pages: Pages) -> None:
        self._paths = paths
        self._environ = environ
        self._answers = answers
        self._pages = pages
        self._ending = threading.Event()
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        """Held while the snapshot is written: what was worked out later must not be replaced by what was worked out before."""
        self._untold = _Untold()
        self._news = threading.Event()
        self._due = threading.Event()
        self._watcher: Watcher | None = None
        self._pausing = False
        self._threads = [threading.Thread(target=work, name=name) for name, work in self._works()]
        self._caught_up = False
        self._alerting = Alerting(paths, environ, lambda: self._has_caught_up)
        self.events_seen = 0
        """Calls that are new or were told more fully since the start."""
        self.last_event_at: float | None = None
        """Seconds since 1970 UTC."""
        self.stirred_at = time.monotonic()
        """When last anything was read, whether or not it held a call: an agent is running."""
        self.restarts = 0
        self.last_error: str | None = None

    def _works(self) -> list[tuple[str, Callable[[], None]]]:
        return [("watch", self._watch), ("tell", self._tell), ("house", self._keep_house)]

    def start(self) -> None:
        """Begin to watch."""
        for thread in self._threads:
            thread.start()
        self._alerting.start()

    def ask_to_stop(self) -> None:
        """Have everything end; returns at once."""
        self._ending.set()
        self._news.set()
        self._due.set()

    def stop(self) -> None:
        """Returns when the batch at hand is finished, everything is sealed and all threads have ended."""
        self.ask_to_stop()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()
        self._alerting.stop()

    @property
    def alerts(self) -> bool:
        """Whether there are hooks that are told only while somebody watches."""
        return self._alerting.needed

    @property
    def _has_caught_up(self) -> bool:
        """Whether what was written before the daemon began has been read once: a watcher that begins anew is no reason to tell nothing."""
        self._caught_up = self._caught_up or not self.importing
        return self._caught_up

    @property
    def importing(self) -> bool:
        """Whether what was written before the watching began is still being read."""
        watcher = self._watcher
        return watcher is None or not watcher.caught_up

    @property
    def unreadable(self) -> int:
        """Log files and folders that could not be read when they were last looked at."""
        watcher = self._watcher
        return 0 if watcher is None else watcher.unreadable

    @property
    def watching(self) -> Literal["starting", "watching", "polling", "restarting", "stopped"]:
        """What the watcher is doing."""
        watcher = self._watcher
        if self._ending.is_set():
            return "stopped"
        if self._pausing:
            return "restarting"
        if watcher is None or not watcher.caught_up:
            return "starting"
        return "polling" if watcher.polls else "watching"

    # Watching

    def _watch(self) -> None:
        failures = 0
        while not self._ending.is_set():
            began = time.monotonic()
            settings = _Stamps(self._paths)
            try:
                self._watch_once(settings)
            except Exception as error:
                # Whatever it is: a daemon that has stopped watching without a word is worse than one that tries again.
                failures = 1 if time.monotonic() - began >= STEADY_S else failures + 1
                pause = PAUSES_S[min(failures, len(PAUSES_S)) - 1]
                self.restarts += 1
                self.last_error = str(error) or type(error).__name__
                logger.exception("the watcher failed and is started again in %.0f s", pause)
                self._pausing = True
                if self._rested(pause, settings):
                    # A mistake in the settings is the likeliest failure of all: whoever mends it need not wait for the end of the pause.
                    failures = 0
                self._pausing = False
            finally:
                self._watcher = None

    def _rested(self, seconds: float, settings: "_Stamps") -> bool:
        """Pause for so long, or until the settings have changed; whether they have."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not self._ending.wait(min(left, _Stamps.EVERY_S)):
            if settings.have_changed():
                return True
        return False

    def _watch_once(self, settings: "_Stamps") -> None:
        """Watch until asked to stop, or until the settings that decide what is watched have changed."""
        with opened(self._paths, self._environ, _now_us()) as store:
            for line in store.log.mended:
                logger.warning("%s", line)
            if _unread(store) >= PARALLEL_BYTES:
                self._child("ingest")
            # What others committed while nobody watched is news to pages that were open then.
            self._grown(store.log.position().seq)
            watcher = Watcher(
                store.log,
                Settings(
                    adapters=store.adapters,
                    environ=self._environ,
                    home=store.home,
                    further=store.homes,
                    titles=store.config.session_titles,
                    stop=lambda: self._ending.is_set() or settings.changed(store.log),
                    warn=lambda text: logger.warning("%s", text),
                    on_arrival=lambda _: None,
                    on_quiet=lambda: self._write_snapshot(store.log, watcher.standing()),
                    on_commit=self._committed,
                    seal=self.seal,
                ),
            )
            self._watcher = watcher
            watcher.run()
        if not self._ending.is_set():
            logger.info("the settings or the journal have changed; watching anew")
            self._news.set()

    def _write_snapshot(self, log: Log, standing: Sequence[tuple[str, int, int, int]] | None = None) -> None:
        # A store of its own each time: rules, prices and settings may have changed since the last.
        with self._writing:
            Store(self._paths, self._environ, _now_us(), log).refreshed(sync=False, prove=True, standing=standing)

    # Capture: called from the tap's thread

    def captured(self, commit: Commit) -> None:
        """Calls that the proxy saw are in the log."""
        self._committed(commit)

    def settled(self, log: Log) -> None:
        """No further one waits: the time to bring up to date what follows the log."""
        self._write_snapshot(log)

    def seal(self, _: Log) -> None:
        """Have hot rows sealed: with the house that is kept then, so that the libraries for it are not held for weeks."""
        self._due.set()

    def _committed(self, commit: Commit) -> None:
        self.stirred_at = time.monotonic()
        if commit.new or commit.updated:
            self.last_event_at = time.time()
            self.events_seen += commit.new + commit.updated
        self._grown(commit.seq, new=commit.new, updated=commit.updated)

    def _grown(self, seq: int, *, new: int = 0, updated: int = 0) -> None:
        """The log has come as far as `seq`, by this watcher or by another process that was faster."""
        with self._lock:
            if seq == self._untold.seq and not (new or updated):
                return
            self._untold = _Untold(seq, self._untold.new + new, self._untold.updated + updated)
        self._news.set()
        self._alerting.noticed()

    # Telling

    def _tell(self) -> None:
        told = 0
        while True:
            self._news.wait()
            if self._ending.is_set():
                return
            self._news.clear()
            began = time.monotonic()
            try:
                self._answers.refresh()
            except Exception:
                # The next question finds out for itself, and says so to whoever asked it.
                logger.exception("the answers in memory could not be brought up to date")
            with self._lock:
                untold, self._untold = self._untold, _Untold(self._untold.seq)
            if untold.seq != told or untold.new or untold.updated:
                told = untold.seq
                self._pages.publish("usage", News(as_of=time.time(), seq=told, new=untold.new, updated=untold.updated))
            self._ending.wait(max(TOLD_S, SHARE * (time.monotonic() - began)))

    # Keeping house

    def _keep_house(self) -> None:
        # The first time is for what was left undone while no daemon ran.
        began = time.monotonic()
        while not self._ending.wait(max(began + HOUSE_S - time.monotonic(), 0.0)):
            began = time.monotonic()
            self._due.clear()
            # Seals, makes one file of each day that is over, then the views of what changed.
            if not self._child("seal"):
                self._due.set()
            self._due.wait()

    def _child(self, *argv: str) -> bool:
        """Run another ringlet to its end, and tell whether all went well; what it complains of is in the log."""
        code, said = child.run(argv, self._environ, self._ending, gently=True)
        if code and not self._ending.is_set():
            logger.warning("ringlet %s ended with %d: %s", argv[0], code, said.strip()[-500:])
        return not code


class _Untold(msgspec.Struct, frozen=True):
    """What no page has been told of: how far the log has come, and what of that this watcher saw."""

    seq: int = 0
    new: int = 0
    updated: int = 0


class _Stamps:
    """What decides what is watched and where it is kept, as it was when the watching began."""

    EVERY_S = 2.0

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._settings = self._stamped()
        self._looked_at = time.monotonic()

    def changed(self, log: Log) -> bool:
        """Whether the settings have changed, or a repair has put another journal in the place of the log's; looked at now and then."""
        now = time.monotonic()
        if now - self._looked_at < self.EVERY_S:
            return False
        self._looked_at = now
        return self.have_changed() or log.replaced

    def have_changed(self) -> bool:
        """Whether the settings have changed."""
        return self._stamped() != self._settings

    def _stamped(self) -> list[str]:
        return [snapshot.stamp(path) for path in (self._paths.config, self._paths.profiles)]


def _unread(store: Store) -> int:
    """Bytes of all log files that have not been read yet, about."""
    offsets = {known.source.path: known.cursor.offset for known in store.log.sources() if known.cursor is not None}
    return sum(max(found.size - offsets.get(found.source.path, 0), 0) for found in store.look.found)


def _now_us() -> int:
    return time.time_ns() // 1000
