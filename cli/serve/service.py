"""All that the HTTP API asks: the store, kept open and up to date while the daemon runs.

Decides in which thread the log is used and when what is held in memory is looked at again. The log belongs to one thread, the keeper's;
everything else may be called from any.
"""

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any, TypeVar

from cli.app import check_names
from cli.ask import Request, query_of
from cli.deep import answer_from_views
from cli.paths import Paths
from cli.refresh import Store, opened
from pipeline.errors import UnknownName
from pipeline.log import Position
from views import calendar
from views.query import Answer, Query

T = TypeVar("T")


class Service:
    """The store of one user, asked by many."""

    def __init__(self, paths: Paths, environ: Mapping[str, str], *, clock: Callable[[], int] = time.time_ns) -> None:
        self.paths = paths
        self.environ = environ
        self.stopping = threading.Event()
        """Set when the daemon ends: long work stops and keeps what it has."""
        self.condition: Callable[[], Any] | None = None
        """What the daemon says of itself; None where none runs."""
        self.pool = ThreadPoolExecutor(2, thread_name_prefix="answer")
        """Where handlers compute."""
        self._clock = clock
        self._keeper = ThreadPoolExecutor(1, thread_name_prefix="keeper")
        self._stack = ExitStack()
        self._store: Store | None = None
        self._position: Position | None = None
        self._as_of_us = 0
        self._quarantined = 0

    @property
    def position(self) -> Position | None:
        """How far the log had come when it was last looked at; None: nothing was asked yet."""
        return self._position

    @property
    def as_of_us(self) -> int:
        """Until when the agents' logs are in the answers."""
        return self._as_of_us

    @property
    def quarantined(self) -> int:
        """Records that claim usage and cannot be believed."""
        return self._quarantined

    @property
    def complete(self) -> bool:
        """Whether all logs that there are have been read."""
        return self.condition is None or not self.condition().importing

    def now_us(self) -> int:
        """Now, in microseconds since 1970 UTC."""
        return self._clock() // 1000

    def refresh(self) -> bool:
        """Look whether the log has grown; whether it has. Does nothing until something was asked."""
        return self._store is not None and self.keep(self._refresh)

    def close(self) -> None:
        """Let go of the store."""
        self.stopping.set()
        self.pool.shutdown()
        self._keeper.submit(self._stack.close).result()
        self._keeper.shutdown()

    def keep(self, work: "Callable[[Store], T]") -> T:
        """What `work` gives for the store, done in the thread that the store belongs to."""
        return self._keeper.submit(lambda: work(self._opened())).result()

    def told(self) -> dict[str, Any]:
        """What all answers say of themselves: fields of `contract.Told`."""
        seq = 0 if self._position is None else self._position.seq
        return {"as_of": calendar.iso_time(self._as_of_us), "seq": seq, "complete": self.complete, "quarantined": self._quarantined}

    def query(self, request: Request, *, split: str | None = None) -> Query:
        """The question that words mean. Raises UnknownName, WrongUsage."""
        return self.keep(lambda store: self._query(store, request, split))

    def answer(self, query: Query) -> Answer:
        """The answer to any question. Raises UnknownName for names that nothing bears."""
        return self.keep(lambda store: answer_from_views(query, store))

    def _opened(self) -> Store:
        if self._store is None:
            self._store = self._stack.enter_context(opened(self.paths, self.environ, self.now_us()))
            self._refresh(self._store)
        return self._store

    def _refresh(self, store: Store) -> bool:
        store.now_us = self.now_us()
        store.refreshed(sync=False)
        before, self._position = self._position, store.log.position()
        self._as_of_us = store.now_us
        self._quarantined = len(store.log.quarantine())
        return before != self._position

    def _query(self, store: Store, request: Request, split: str | None) -> Query:
        now_us, tz = self.now_us(), request.tz or store.zone
        try:
            today = calendar.day_at(tz, now_us)
        except ValueError:
            raise UnknownName(f"no time zone {tz!r}", mend="give an IANA name such as Europe/Berlin or UTC") from None
        mode = store.config.usage.cost_mode
        query = query_of(request, now_us=now_us, today=today, tz=tz, week_start=store.week_start, cost_mode=mode)
        query.split = split
        check_names(query, store.snapshot, store)
        return query
