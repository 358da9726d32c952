"""Answers from what is held in memory: the same as those of `views.answers`, a hundred times as fast.

Decides which layout a question is answered from. Totals, and groupings by what a cell names, are differences of sums; days, weeks and
months come from the days of the cells that are meant, sessions from the rows of the range. The rolling 24 hours, and hours, need finer
rows, which whoever asks provides. Rows by time name no profiles, agents, providers and models: of hundreds of days nobody asks for that.
"""

from collections.abc import Callable, Iterable, Sequence

import polars as pl

from views.held import Held
from views.held_columns import NUMBERS, Line, Share, added_up
from views.held_keys import NAME_OF, cells_of
from views.held_rows import Titles, by_days, by_rows, presence, row_of
from views.matching import session_matches
from views.query import Answer, Query, Row, Totals, arrange

Fine = Callable[[], pl.DataFrame]
"""Rows of a query's range: its calls for the rolling 24 hours, else quarter-hours. As `Held.sessions`, with slot and without alone."""

By = tuple[str | None, str | None]
"""A grouping and one within it; None: all in one."""

_DAYS = ("day", "week", "month")
_UNPRICED = NUMBERS.index("unpriced_requests")


def answer(query: Query, held: Held, *, fine: Fine, titles: Titles | None = None, spans: bool = True) -> Answer:
    """What the calls in the query's range and filters add up to; the query's zone and cost mode are those of `held`.

    Without `spans` rows by time say nothing of sessions and runtimes.
    """
    asked = _Asked(query, held, fine, titles or {}, spans=spans)
    totals: Totals = next(iter(asked.rows((None, None))), None) or Totals()
    rows = arrange(query, asked.rows((query.by, query.split), limited=True))

    def profiles() -> list[Row]:
        if (query.by, query.split, query.sort, query.limit) == ("profile", None, None, None):
            return rows
        return arrange(query.grouped("profile"), asked.rows(("profile", None)))

    return Answer(
        query,
        totals,
        rows,
        profiles,
        last_day=None if totals.requests else asked.last_day(),
        unpriced_models=asked.unpriced_models() if totals.unpriced_requests else (),
    )


def cells(query: Query, held: Held) -> list[int]:
    """The cells that a question's filters leave."""
    wanted = [(name, value) for name, value in query.filters().items() if name != "session"]
    return cells_of(held.columns, held.names.cells, wanted)


def sessions(query: Query, held: Held) -> pl.Series | None:
    """The sessions that a question's filter leaves; None where it leaves all."""
    if query.session is None:
        return None
    meant = (number for number, (_, name) in enumerate(held.names.sessions) if session_matches(query.session, name))
    return pl.Series(list(meant), dtype=pl.UInt32)


def within(rows: pl.DataFrame, held: Held, meant: Sequence[int], named: pl.Series | None) -> pl.DataFrame:
    """Those `rows` that are of some cells and some sessions (None: of all)."""
    rows = held.chosen(rows, meant)
    return rows if named is None else rows.filter(pl.col("sid").is_in(named.implode()))


class _Asked:
    """One question, and what has been found out for it."""

    def __init__(self, query: Query, held: Held, fine: Fine, titles: Titles, *, spans: bool) -> None:
        self._query = query
        self._held = held
        self._fine = fine
        self._titles = titles
        self._spans = spans
        self._cells = cells(query, held)
        self._sessions = sessions(query, held)
        self._found: dict[bool, pl.DataFrame] = {}
        self._shares: dict[int, Share] | None = None
        self._sum: Line | None = None

    def rows(self, by: By, *, limited: bool = False) -> list[Row]:
        """One per group that has calls, in no order; `limited`: those that the query's limit cuts off may lack."""
        if self._query.since_us is None and self._sessions is None:
            if all(one is None or one in NAME_OF for one in by):
                return self._from_columns(by)
            if all(one is None or one in NAME_OF or one in _DAYS for one in by):
                return self._from_days(by)
        rows = self._range(fine=self._query.since_us is not None or "hour" in by)
        return by_rows(rows, by, self._query, self._held.names, self._titles, spans=self._spans, limited=limited)

    def last_day(self) -> int | None:
        """The last day with a call under the filters, whatever the range."""
        if self._sessions is None:
            return max((self._held.columns[cell].days[-1] for cell in self._cells), default=None)
        last = within(self._held.sessions.rows, self._held, self._cells, self._sessions)["day"].max()
        return last if isinstance(last, int) else None

    def unpriced_models(self) -> list[str]:
        """Models of calls without a price, a to z."""
        named = self._held.names.cells
        if self._query.since_us is None and self._sessions is None:
            found = [cell for cell, share in self._shared_out().items() if share.parts[_UNPRICED]]
        else:
            rows = self._range(fine=self._query.since_us is not None)
            found = rows.filter(pl.col("unpriced_requests") > 0)["cell"].unique().to_list()
        return sorted({named[cell][3] or "unknown" for cell in found})

    def _shared_out(self) -> dict[int, Share]:
        """What each cell has in the range."""
        if self._shares is None:
            first, last, columns = self._query.first_day, self._query.last_day, self._held.columns
            shares = ((cell, columns[cell].between(first, last)) for cell in self._cells)
            self._shares = {cell: share for cell, share in shares if share is not None}
        return self._shares

    def _there(self) -> Iterable[int]:
        """The cells that have calls in the range."""
        if self._shares is not None:
            return self._shares
        first, last, columns = self._query.first_day, self._query.last_day, self._held.columns
        return [cell for cell in self._cells if columns[cell].is_in(first, last)]

    def _sum_of(self, cells: list[int], *, every: bool) -> Line:
        """What some cells have in the range; `every`: they are all that have calls in it."""
        total = self._held.total
        if every and total is not None and len(self._cells) == len(self._held.columns):
            share = total.between(self._query.first_day, self._query.last_day)
            if share is not None:
                return added_up([share])
        shares = self._shared_out()
        if len(cells) < len(shares):
            return added_up([shares[cell] for cell in cells])
        if self._sum is None:
            self._sum = added_up(list(shares.values()))
        return self._sum

    def _range(self, *, fine: bool) -> pl.DataFrame:
        """The rows that are meant."""
        if fine not in self._found:
            rows = self._fine() if fine else self._held.sessions.between(self._query.first_day, self._query.last_day)
            self._found[fine] = within(rows, self._held, self._cells, self._sessions)
        return self._found[fine]

    def _from_columns(self, by: By) -> list[Row]:
        query, held = self._query, self._held
        named = held.names.cells
        name_of, part_of = (None if one is None else NAME_OF[one] for one in by)
        groups: dict[tuple[str | None, str | None], list[int]] = {}
        for cell in self._there():
            names = named[cell]
            groups.setdefault((name_of(names) if name_of else None, part_of(names) if part_of else None), []).append(cell)
        every = len(groups) == 1
        found = [
            row_of(key, part, self._sum_of(members, every=every), [named[cell] for cell in members])
            for (key, part), members in groups.items()
        ]
        # Sessions that are not steady are in no sum yet.
        shared = held.shared.between(query.first_day, query.last_day)
        if found and not shared.is_empty():
            places: list[int | None] = [None] * len(named)
            for number, members in enumerate(groups.values()):
                for cell in members:
                    places[cell] = number
            place = pl.Series("_key", places, dtype=pl.UInt32)[shared["cell"]]
            for (at,), (count, runtime) in presence(shared.hstack([place]).filter(place.is_not_null()), ["_key"]).items():
                found[at].sessions += count
                found[at].runtime_us += runtime
        return found

    def _from_days(self, by: By) -> list[Row]:
        query, held = self._query, self._held
        first, last = query.first_day, query.last_day
        named = any(one in NAME_OF for one in by)
        rows = held.chosen(held.daily.between(first, last), self._cells) if named else held.days_of(self._cells, first, last)
        shared = within(held.shared.between(first, last), held, self._cells, None) if self._spans else None
        return by_days(rows, shared, by, query, held.names)
