"""What has been spent: the sums that `guard` and `statusline` compare with budgets, always of the logs as they are now.

Decides how several questions are answered of one state of the logs, and whether a sum has reached a limit. From the snapshot while that is
fresh, so it loads no more than the shortest commands do; else the new lines are read first, in the same breath.
"""

import os

from cli import app
from cli.ask import Request
from cli.paths import paths
from views.snapshot import Stale

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from views.query import Query, Totals
    from views.snapshot import Header

    Asked = Callable[[Header], Sequence[str]]

BUDGETS = ("day", "week", "month")
"""The periods that a budget can be for, the shortest first."""


class Spent:
    """What one question found: the query, which names period and filters, and the sums."""

    __slots__ = ("period", "query", "totals")

    def __init__(self, period: str, query: "Query", totals: "Totals") -> None:
        self.period = period
        self.query = query
        self.totals = totals

    @property
    def amount(self) -> int:
        """Attodollars that are known to be spent; calls without a known price are not in it."""
        return self.totals.cost or 0


def spent(profile: "str | None", periods: "Asked", now_us: int) -> "tuple[Header, list[Spent]]":
    """The snapshot's header, and the sums of a profile (None: of all) for each of the periods that `periods` names, given that header.

    Raises RingletError: UnknownName for a profile or a period that there is not, and whatever opening and reading a store raises.
    """
    seen = app.Seen()
    snapshot = app.fresh(now_us, sync=True, seen=seen)
    if snapshot is not None:
        try:
            named = list(periods(snapshot.header))
            queries = [app.asked(_request(profile, period), snapshot, now_us) for period in named]
            # The names of all calls are read only for one that no rule makes.
            known = profile is None or profile in snapshot.header.profiles or profile in snapshot.names("profile")
            if known and all(map(snapshot.answers, queries)):
                return snapshot.header, list(map(Spent, named, queries, snapshot.totals(queries)))
        except Stale:
            pass
    return _at_length(profile, periods, now_us, seen)


def limit_reached(found: Spent, limit: int) -> bool:
    """Whether nothing is left of a limit in attodollars."""
    return found.amount >= limit


def _request(profile: "str | None", period: str) -> Request:
    request = Request()
    request.profile, request.period = profile, "today" if period == "day" else period
    return request


def _at_length(profile: "str | None", periods: "Asked", now_us: int, seen: "app.Seen") -> "tuple[Header, list[Spent]]":
    from cli.former import take_over_once  # nobody's first question is answered from a snapshot
    from cli.lean import load_msgspec  # before all that takes it as it comes

    take_over_once()
    load_msgspec()
    from cli.refresh import opened  # the log and the adapters: 40 ms

    with opened(paths(), os.environ, now_us) as store:
        store.swept, store.memory = seen.swept, seen.memory
        store.refreshed()

        def found() -> list[Spent]:
            sums = []
            for period in periods(store.snapshot.header):
                query = app.asked(_request(profile, period), store.snapshot, now_us)
                app.check_names(query, store.snapshot, store)
                sums.append(Spent(period, query, app.answered(query, store).totals))
            return sums

        sums = app.settled(store, found)
        store.tidy()
        return store.snapshot.header, sums
