"""Answers from what is held in memory: the same as those of `views.answers`, a hundred times as fast.

Decides which layout a question is answered from. Totals, and groupings by what a cell names, are differences of sums; times and sessions
are grouped from the rows of the range. The rolling 24 hours, and hours, need finer rows, which whoever asks provides. Rows by time name no
profiles, agents, providers and models: of hundreds of days nobody asks for that.
"""

from collections.abc import Callable, Mapping, Sequence
from operator import add

import polars as pl

from views.columns import COSTS, PROMPT, TOKENS
from views.held import NUMBERS, Cell, Held, Share
from views.held_keys import NAME_OF, is_meant, key_of
from views.matching import session_matches
from views.query import TIME_GROUPINGS, Answer, Query, Row, Totals, arrange

Titles = Mapping[tuple[str, str], str]
"""Titles of sessions by (agent, session)."""

Fine = Callable[[], pl.DataFrame]
"""Rows of a query's range: its calls for the rolling 24 hours, else quarter-hours. As `Held.days`, with slot and without alone."""

By = tuple[str | None, str | None]
"""A grouping and one within it; None: all in one."""

_KEYS = ("_key", "_part")
NOTHING = pl.Series([None], dtype=pl.Int128)


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
        return arrange(Query(now_us=query.now_us, today=query.today, tz=query.tz), asked.rows(("profile", None)))

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
    named = held.names.cells
    return [number for number in held.columns if all(is_meant(name, value, named[number]) for name, value in wanted)]


def sessions(query: Query, held: Held) -> pl.Series | None:
    """The sessions that a question's filter leaves; None where it leaves all."""
    if query.session is None:
        return None
    meant = (number for number, (_, name) in enumerate(held.names.sessions) if session_matches(query.session, name))
    return pl.Series(list(meant), dtype=pl.UInt32)


def within(rows: pl.DataFrame, held: Held, meant: list[int], named: pl.Series | None) -> pl.DataFrame:
    """Those `rows` that are of some cells and some sessions (None: of all)."""
    if len(meant) < len(held.columns):
        flags = [False] * len(held.names.cells)
        for cell in meant:
            flags[cell] = True
        rows = rows.filter(pl.Series(flags, dtype=pl.Boolean).gather(rows["cell"]))
    return rows if named is None else rows.filter(pl.col("sid").is_in(named.implode()))


class _Group:
    """What is known of one group."""

    __slots__ = ("cells", "first_us", "key", "last_us", "numbers", "part", "place", "runtime_us", "sessions")

    def __init__(self, key: str | None, part: str | None, share: Share, place: int) -> None:
        self.key = key
        self.part = part
        self.place = place
        self.numbers = share.numbers
        self.sessions = share.sessions
        self.runtime_us = share.runtime_us
        self.first_us = share.first_us
        self.last_us = share.last_us
        self.cells: list[Cell] = []

    def add(self, share: Share) -> None:
        """Take in more calls."""
        self.numbers = list(map(add, self.numbers, share.numbers))
        self.sessions += share.sessions
        self.runtime_us += share.runtime_us
        self.first_us = min(self.first_us, share.first_us)
        self.last_us = max(self.last_us, share.last_us)

    def row(self) -> Row:
        """As an answer's row."""
        # Everything is set here, so the values that a new row begins with would only cost time.
        row = Row.__new__(Row)
        row.key, row.part = self.key, self.part
        row.title = row.project = None
        row.initiators = row.profiles = row.agents = row.providers = row.models = ()
        # In the order of `NUMBERS`. Written out, because a table of days does it for every day and `setattr` takes three times as long.
        (
            row.requests,
            row.input,
            row.output,
            row.cache_read,
            row.cache_write_5m,
            row.cache_write_1h,
            row.reasoning,
            row.web_searches,
            row.cost_input,
            row.cost_output,
            row.cost_cache_write,
            row.cost_cache_read,
            row.cost_other,
            row.unpriced_requests,
            row.unbilled_requests,
        ) = self.numbers
        row.sessions, row.runtime_us, row.first_at_us, row.last_at_us = self.sessions, self.runtime_us, self.first_us, self.last_us
        if self.cells:
            columns = zip(*self.cells, strict=True)
            row.profiles, row.agents, row.providers, row.models = (_distinct(next(columns)) for _ in range(4))
        return row


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
        self._shares: list[tuple[int, Share]] | None = None

    def rows(self, by: By, *, limited: bool = False) -> list[Row]:
        """One per group that has calls, in no order; `limited`: those that the query's limit cuts off may lack."""
        if self._query.since_us is None and self._sessions is None and all(one is None or one in NAME_OF for one in by):
            return [group.row() for group in self._from_columns(by)]
        return self._from_rows(by, limited=limited)

    def last_day(self) -> int | None:
        """The last day with a call under the filters, whatever the range."""
        if self._sessions is None:
            return max((self._held.columns[cell].days[-1] for cell in self._cells), default=None)
        last = within(self._held.days, self._held, self._cells, self._sessions)["day"].max()
        return last if isinstance(last, int) else None

    def unpriced_models(self) -> list[str]:
        """Models of calls without a price, a to z."""
        named = self._held.names.cells
        found = self._range(fine=self._query.since_us is not None).filter(pl.col("unpriced_requests") > 0)["cell"].unique()
        return sorted({named[cell][3] or "unknown" for cell in found})

    def _shared_out(self) -> list[tuple[int, Share]]:
        """What each cell has in the range."""
        if self._shares is None:
            first, last, columns = self._query.first_day, self._query.last_day, self._held.columns
            shares = ((cell, columns[cell].between(first, last)) for cell in self._cells)
            self._shares = [(cell, share) for cell, share in shares if share is not None]
        return self._shares

    def _range(self, *, fine: bool) -> pl.DataFrame:
        """The rows that are meant."""
        if fine not in self._found:
            rows = self._fine() if fine else self._held.ranged(self._query.first_day, self._query.last_day)
            self._found[fine] = within(rows, self._held, self._cells, self._sessions)
        return self._found[fine]

    def _from_columns(self, by: By) -> list[_Group]:
        query, held = self._query, self._held
        name_of, part_of = (None if one is None else NAME_OF[one] for one in by)
        groups: dict[tuple[str | None, str | None], _Group] = {}
        places: list[int | None] = [None] * len(held.names.cells)
        for number, share in self._shared_out():
            cell = held.names.cells[number]
            key = name_of(cell) if name_of else None, part_of(cell) if part_of else None
            group = groups.get(key)
            if group is None:
                group = groups[key] = _Group(*key, share, len(groups))
            else:
                group.add(share)
            group.cells.append(cell)
            places[number] = group.place
        found = list(groups.values())
        # Sessions that are not steady are in no sum yet.
        shared = held.shared_between(query.first_day, query.last_day)
        if found and not shared.is_empty():
            place = pl.Series(places, dtype=pl.UInt32).gather(shared["cell"]).alias("_key")
            for at, count, runtime in _presence(shared.with_columns(place).filter(pl.col("_key").is_not_null()), ["_key"]).iter_rows():
                found[at].sessions += count
                found[at].runtime_us += runtime
        return found

    def _from_rows(self, by: By, *, limited: bool) -> list[Row]:
        query, names = self._query, self._held.names
        fine = query.since_us is not None or "hour" in by
        rows = self._range(fine=fine)
        key, part = (key_of(one, rows, names, query) for one in by)
        timed = bool(set(by) & set(TIME_GROUPINGS))
        keys = key.numbers.alias("_key"), part.numbers.alias("_part")
        told = [pl.col("cell").unique()] if not timed or by[0] == "session" else []
        others = pl.DataFrame()
        if self._spans or not timed or by[0] == "session":
            alone = pl.lit(value=False) if fine else pl.col("alone_on_day" if "day" in by else "alone")
            told.append(alone.sum().cast(pl.Int64).alias("_sessions"))
            told.append((pl.col("last") - pl.col("first")).filter(alone).sum().alias("_runtime"))
            rows = rows.with_columns(keys)
            keys = pl.col("_key"), pl.col("_part")
            if by[0] == "session":
                has_project = pl.Series([cell[5] is not None for cell in names.cells], dtype=pl.Boolean)
                rows = rows.with_columns(pl.when(has_project.gather(rows["cell"])).then("cell").alias("_project"))
                told.append(pl.col("_project").sort_by("last").drop_nulls().last())
            if limited and by == ("session", None):
                rows = _foremost(rows, query, names.session_names)
            others = rows.filter(~alone & pl.col("sid").is_not_null())
        # One key is grouped in half the time that two take, the more so where rows stand in its order.
        depth = 1 if by[1] is None else 2
        sums = rows.group_by(keys[:depth]).agg(pl.col(NUMBERS).sum(), pl.col("first").min(), pl.col("last").max(), *told)
        spans = {line[:depth]: line[depth:] for line in _presence(others, list(_KEYS[:depth])).rows()}
        at = {name: place for place, name in enumerate(sums.columns)}
        end = depth + len(NUMBERS)
        found = []
        for line in sums.rows():
            place = line[:depth]
            sessions, runtime = (line[at["_sessions"]], line[at["_runtime"]]) if "_sessions" in at else (0, 0)
            if spans:
                more, longer = spans.get(place, (0, 0))
                sessions, runtime = sessions + more, runtime + longer
            share = Share(list(line[depth:end]), sessions, runtime, line[end], line[end + 1])
            group = _Group(key.name(place[0]), part.name(place[-1]), share, 0)
            if "cell" in at:
                group.cells = [names.cells[cell] for cell in line[at["cell"]]]
            row = group.row()
            if by[0] == "session":
                self._tell_session(row, line[at["_project"]], group.cells)
            found.append(row)
        return found

    def _tell_session(self, row: Row, project: int | None, found: list[Cell]) -> None:
        row.project = None if project is None else self._held.names.cells[project][5]
        row.title = next(
            (self._titles[agent, row.key] for agent in row.agents if row.key is not None and (agent, row.key) in self._titles), None
        )
        row.initiators = _distinct([cell[4] for cell in found])


def _presence(rows: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    """Sessions and their runtime per distinct `by`; all rows have a session."""
    if rows.is_empty():
        return pl.DataFrame()
    spans = rows.group_by(*by, "sid").agg(pl.col("first").min(), pl.col("last").max())
    return spans.group_by(by).agg(pl.len().alias("sessions"), (pl.col("last") - pl.col("first")).sum().alias("runtime"))


def _foremost(rows: pl.DataFrame, query: Query, names: list[str]) -> pl.DataFrame:
    """The rows of those sessions that the query's limit leaves; of all, where that is not easily told.

    Of tens of thousands of sessions a page shows ten: only for these it is worth to work out everything.
    """
    key, _, direction = (query.sort or "cost").partition(":")
    priced = (pl.col("requests") - pl.col("unpriced_requests") - pl.col("unbilled_requests")).alias("priced")
    tokens = pl.sum_horizontal(TOKENS).alias("tokens")
    orders: dict[str, list[pl.Expr]] = {
        "cost": [priced, pl.sum_horizontal(COSTS).alias("cost"), tokens],
        "tokens": [tokens],
        "input": [pl.sum_horizontal(PROMPT).alias("input")],
        "output": [pl.col("output")],
        "requests": [pl.col("requests")],
        "last-used": [pl.col("last")],
        "name": [],
    }
    if query.limit is None or key not in orders:
        return rows
    values = [value.meta.output_name() for value in orders[key]]
    added = [pl.col(name).max() if name == "last" else pl.col(name).sum() for name in values]
    sums = rows.select("_key", *orders[key]).group_by("_key").agg(added)
    if query.limit >= sums.height:
        return rows
    downward = direction != "asc"
    # To sort all by five columns takes longer than everything else: those that cannot be among the first are left out before.
    if values and downward:
        value = sums["cost"].zip_with(sums["priced"] > 0, NOTHING) if key == "cost" else sums[values[0]]
        least = value.top_k(query.limit).min() if value.len() - value.null_count() >= query.limit else None
        sums = sums if least is None else sums.filter(value >= least)
    # A session without any price has no cost, which comes after every cost, be it 0.
    order = [pl.col(name) > 0 if name == "priced" else pl.col(name) for name in values]
    name = pl.Series([None if number is None else names[number] for number in sums["_key"]], dtype=pl.String)
    by_name = [key == "name" and direction == "desc"] * 2
    found = sums.sort([*order, name.is_null(), name], descending=[downward] * len(order) + by_name).head(query.limit)
    return rows.filter(pl.col("_key").is_in(found["_key"].implode(), nulls_equal=True))


def _distinct(names: Sequence[str | None]) -> tuple[str, ...]:
    """The names that occur, a to z."""
    if len(names) == 1:
        return () if names[0] is None else (names[0],)
    return tuple(sorted({name for name in names if name is not None}))
