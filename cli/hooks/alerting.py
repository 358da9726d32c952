"""Alerts while somebody watches: spend is held against the hooks after each commit, and what is due is decided and told.

Decides when that is looked at, what is counted again for it, and what happens when it fails. One thread decides, another tells, so that a
receiver that takes its time delays no decision. Both stand still while there are no hooks: whoever watches then pays one look at a file
every few seconds. When a hook is due decides `views.alerts`; that it is decided once, `pipeline.outbox`.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack

from cli.hooks import message as messages
from cli.hooks.book import Followed, Hook, Hooks, watch_of
from cli.hooks.telling import Teller
from cli.paths import Paths
from cli.refresh import Store, stamps
from pipeline.errors import RingletError
from pipeline.log import Log
from pipeline.outbox import HEAD, Outbox
from pipeline.questions import Position
from views import alerts
from views.alerts import Spend, Watch
from views.recount import Prices, recount, touched
from views.snapshot import stamp

logger = logging.getLogger("ringlet.hooks")

LOOK_S = 1.0
"""At least so often is looked whether there are other hooks, and whether the clock has made one due: some 50 us of work."""
REST_S = 0.4
"""At least so long between two countings."""
SHARE = 4
"""And at least so many times as long as the last one took."""
RETRY_S = 5.0
"""After a failure of ours."""
_STOP_S = 20.0
_DECIDED, _TOLD = "decided", "told"


class Alerting:
    """The alerts of one store; `start` once, then `stop` once. Whoever made it holds the watcher's lock."""

    def __init__(self, paths: Paths, environ: Mapping[str, str], ready: Callable[[], bool]) -> None:
        """`ready` says whether what was written before the watching began has been read: sums are told of whole days only."""
        self._paths = paths
        self._environ = environ
        self._ready = ready
        self._hooks = Followed(paths.hooks)
        self._watches: list[Watch] = []
        self._troubles: dict[str, str] = {}
        """What was said last of what cannot be done, while it cannot."""
        self.needed = False
        """Whether there are hooks that only a watcher serves."""
        self._ending = threading.Event()
        self._news = threading.Event()
        self._decided = threading.Event()
        self._deciding = threading.Thread(target=self._decide_all, name="alerts")
        self._telling = threading.Thread(target=self._tell_all, name="hooks")

    def start(self) -> None:
        """Begin to look."""
        self._deciding.start()
        self._telling.start()

    def noticed(self) -> None:
        """The log has grown. Returns at once; may be called from any thread."""
        # Without hooks a commit costs nothing here, not even waking the thread.
        if self.needed:
            self._news.set()

    def stop(self) -> None:
        """Returns when both threads have ended; what is under way is cut short and tried again later."""
        self._ending.set()
        self._news.set()
        self._decided.set()
        for thread in (self._deciding, self._telling):
            if thread.ident is not None:
                thread.join(_STOP_S)

    # Deciding

    def _decide_all(self) -> None:
        sums: _Sums | None = None
        wait = 0.0
        while not self._ending.wait(0):
            self._news.wait(wait)
            self._news.clear()
            if self._ending.is_set():
                break
            self._follow()
            if not self._watches:
                sums, wait = _closed(sums), LOOK_S
                continue
            if not self._ready():
                wait = REST_S
                continue
            began = time.monotonic()
            try:
                sums, wait = self._decided_by(sums), LOOK_S
                self._troubles.pop(_DECIDED, None)
            except Exception as error:  # noqa: BLE001 - whatever it is: watching goes on, and so does this
                self._say_once(_DECIDED, error)
                sums, wait = _closed(sums), RETRY_S
            self._ending.wait(max(REST_S, SHARE * (time.monotonic() - began)))
        _closed(sums)

    def _follow(self) -> None:
        """Take up hooks that have changed."""
        if not self._hooks.changed():
            return
        if self._hooks.trouble is not None:
            logger.warning("hooks are off: %s", self._hooks.trouble)
        self._watches = [watch for hook in self._hooks.hooks.hooks if (watch := watch_of(hook)) is not None]
        self.needed = bool(self._watches)
        self._decided.set()

    def _decided_by(self, sums: "_Sums | None") -> "_Sums":
        """Decide what is due; the sums to go on with."""
        if sums is None or not sums.stands():
            _closed(sums)
            sums = _Sums(self._paths, self._environ)
            if sums.restored:
                self._decided.set()
        try:
            if sums.decide(self._watches, self._hooks.hooks):
                self._decided.set()
        except BaseException:
            sums.close()
            raise
        return sums

    def _say_once(self, what: str, error: Exception) -> None:
        # It is tried every few seconds for as long as it lasts: once is enough.
        said = f"{type(error).__name__}: {error}"
        if said == self._troubles.get(what):
            return
        self._troubles[what] = said
        # Of a mistake of ours only a trace tells where it is.
        trace = None if isinstance(error, RingletError) else error
        logger.warning("alerts cannot be %s, it is tried again: %s", what, error, exc_info=trace)

    # Telling

    def _tell_all(self) -> None:
        wait: float | None = None
        while not self._ending.is_set():
            self._decided.wait(wait)
            self._decided.clear()
            if self._ending.is_set():
                return
            try:
                wait = self._tell()
                self._troubles.pop(_TOLD, None)
            except Exception as error:  # noqa: BLE001 - whatever it is: watching goes on, and so does this
                self._say_once(_TOLD, error)
                wait = RETRY_S

    def _tell(self) -> float | None:
        hooks = self._hooks.hooks
        if not hooks.hooks or not os.path.exists(self._paths.journal):
            return None
        with Outbox.open(self._paths.data) as outbox:
            return Teller(outbox, self._environ, self._ending.is_set).tell(hooks)


class _Sums:
    """What the profiles have spent in the days that matter, and the outbox, open; used by one thread."""

    def __init__(self, paths: Paths, environ: Mapping[str, str]) -> None:
        self._paths = paths
        # Before anything is read: what changes from here on is read anew, and so is all that was counted by it.
        self._stamps = self._stamped()
        self._counted_to: Position | None = None
        self._days: dict[int, dict[str, Spend]] = {}
        with ExitStack() as opened:
            self._log = opened.enter_context(Log.open(paths.data))
            self._outbox = opened.enter_context(Outbox.open(paths.data))
            self._store = Store(paths, environ, time.time_ns() // 1000, self._log)
            self._prices = Prices(self._store.book, mode=self._store.config.usage.cost_mode)
            self.restored = self._outbox.restored()
            """Alerts that only the head knew."""
            self._opened = opened.pop_all()
        if self.restored:
            logger.info("%d alerts were not in the journal and are known from %s", self.restored, HEAD)

    def stands(self) -> bool:
        """Whether all that it was made of is still as it was."""
        return self._stamped() == self._stamps

    def close(self) -> None:
        """Let go of the journal."""
        self._opened.close()

    def decide(self, watches: list[Watch], hooks: Hooks) -> int:
        """Decide what is due; how much that was."""
        now_us, zone_name, week_start = time.time_ns() // 1000, self._store.zone, self._store.week_start
        keys = [(w.hook, window.name) for w in watches for window in alerts.windows(w, now_us, tz=zone_name, week_start=week_start)]
        done = self._outbox.decided(keys)
        open_ = [w for w in watches if not done.issuperset(key for key in keys if key[0] == w.hook)]
        if not open_:
            return 0
        self._count(alerts.days_of(open_, now_us, tz=zone_name, week_start=week_start))
        by_id: dict[str, Hook] = {hook.id: hook for hook in hooks.hooks}
        new = 0
        for due in alerts.due(open_, self._days, done, now_us, tz=zone_name, week_start=week_start):
            body = messages.of_due(by_id[due.watch.hook], due, now_us)
            new += self._outbox.decide(due.watch.hook, due.window.name, body, now_us)
        return new

    def _count(self, wanted: set[int]) -> None:
        """The days wanted are counted as the log has them now."""
        log, zone_name = self._log, self._store.zone
        with log.snapshot():
            position = log.position()
            changed = None if self._counted_to is None else log.changed_days(self._counted_to)
            again = set(self._days) if changed is None else touched(zone_name, changed)
            kept = {day: spend for day, spend in self._days.items() if day in wanted and day not in again}
            counted = recount(log, zone_name, wanted - kept.keys(), attribution=self._store.attribution, prices=self._prices)
        self._counted_to = position
        self._days = {day: {} for day in wanted} | kept | {day: alerts.by_profile(content) for day, content in counted.items()}

    def _stamped(self) -> tuple[dict[str, str], str]:
        """Settings, rules and prices as they are now, and which file is the journal."""
        return stamps(self._paths), stamp(self._paths.journal).partition(":")[0]


def _closed(sums: _Sums | None) -> _Sums | None:
    """None, with the sums closed if there are any."""
    if sums is not None:
        sums.close()
    return None
