"""What the cells of a snapshot add up to for one question.

Decides which cells a question is about and how they become totals and rows. A cell is one line: sums of the calls of one local day and one
combination of (profile, agent, provider, model, initiator), or the first and last call of a session in it. Imports no library: hot path.
"""

from views.matching import model_matches
from views.query import Query, Row, Totals, time_key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import TypeVar

    K = TypeVar("K")
    Combo = tuple[str, str, str | None, str | None, str]
    Spans = dict[str, tuple[int, int]]

NUMBERS = (
    "requests",
    "input",
    "output",
    "cache_read",
    "cache_write_5m",
    "cache_write_1h",
    "reasoning",
    "web_searches",
    "cost_input",
    "cost_output",
    "cost_cache_write",
    "cost_cache_read",
    "cost_other",
    "unpriced_requests",
    "unbilled_requests",
)
"""The numbers of a cell that add up, in the order of the files; the first and last time follow them."""

FIELDS = ("profile", "agent", "provider", "model", "initiator")
_SUMS = len(NUMBERS)
_UNPRICED = NUMBERS.index("unpriced_requests")


def nothing() -> "list[int]":
    """The numbers of a cell without calls."""
    return [0] * _SUMS + [2**63, -(2**63)]


def add(into: "list[int]", numbers: "list[int]") -> None:
    """Add the numbers of one cell to those of another, in place."""
    first, last = min(into[_SUMS], numbers[_SUMS]), max(into[_SUMS + 1], numbers[_SUMS + 1])
    into[:] = [a + b for a, b in zip(into, numbers, strict=True)]
    into[_SUMS], into[_SUMS + 1] = first, last


def widen(spans: "dict[K, tuple[int, int]]", session: "K", span: "tuple[int, int]") -> None:
    """Let the span of a session also cover this one."""
    held = spans.get(session)
    spans[session] = span if held is None else (min(held[0], span[0]), max(held[1], span[1]))


class Group:
    """The calls of one combination, within one time group where the question is about times."""

    __slots__ = ("combo", "numbers", "spans")

    def __init__(self, combo: "Combo", numbers: "list[int]") -> None:
        self.combo = combo
        self.numbers = numbers
        self.spans: Spans = {}


class Sums:
    """What a question's lines add up to, by combination and time group; `anywhere` is without its range, not `present` without sessions."""

    def __init__(self, query: Query, *, anywhere: bool = False, present: bool = True) -> None:
        self._query = query
        self._present = present
        self._first = None if anywhere else query.first_day
        self._last = None if anywhere else query.last_day
        self._timed = query.by in ("day", "week", "month")
        self.last_day: int | None = None
        self._groups: dict[str | None, dict[Combo, Group]] = {}

    def take(self, combos: "list[Combo]", lines: "Iterable[str]") -> None:
        """Add the lines that the question is about; `combos` are the combinations that they number."""
        wanted = [_matches(self._query, combo) for combo in combos]
        held: list[Group | None] = []
        by_combo: dict[Combo, Group] = {}
        inside = False
        day = 0
        for line in lines:
            # Sessions come first: most lines are theirs.
            if line[:2] == "s\t":
                if inside and self._present:
                    _, session, number, start, end = line.split("\t")
                    group = held[int(number)]
                    if group is not None:
                        spans = group.spans
                        if session in spans:
                            widen(spans, session, (int(start), int(end)))
                        else:
                            spans[session] = int(start), int(end)
            elif line[:2] == "c\t":
                if inside:
                    _, number, *values = line.split("\t")
                    index = int(number)
                    if wanted[index]:
                        group = held[index]
                        if group is None:
                            held[index] = by_combo[combos[index]] = Group(combos[index], list(map(int, values)))
                        else:
                            add(group.numbers, list(map(int, values)))
                        self.last_day = day if self.last_day is None else max(day, self.last_day)
            elif line[:2] == "d\t":
                day = int(line[2:])
                inside = (self._first is None or day >= self._first) and (self._last is None or day <= self._last)
                if inside:
                    key = time_key(self._query.by, day, self._query.week_start) if self._timed else None
                    by_combo = self._groups.setdefault(key, {})
                    held = [by_combo.get(combo) for combo in combos]

    @property
    def unpriced_models(self) -> "list[str]":
        """Models of calls without a price, a to z."""
        return sorted({group.combo[3] or "unknown" for group in self.groups() if group.numbers[_UNPRICED]})

    def sessions(self) -> "set[str]":
        """The sessions in them."""
        return {session for group in self.groups() for session in group.spans}

    def groups(self) -> "list[Group]":
        """All of them."""
        return [group for by_combo in self._groups.values() for group in by_combo.values()]

    def by(self, place: int) -> "dict[str | None, list[Group]]":
        """Groups by one field of their combination."""
        found: dict[str | None, list[Group]] = {}
        for group in self.groups():
            found.setdefault(group.combo[place], []).append(group)
        return found

    def rows(self) -> "list[Row]":
        """One row for each group of the question's grouping."""
        if self._timed:
            return [row_of(key, list(by_combo.values())) for key, by_combo in self._groups.items() if key is not None and by_combo]
        return [row_of(key, groups) for key, groups in self.by(FIELDS.index(self._query.by)).items()]


def _matches(query: Query, combo: "Combo") -> bool:
    profile, agent, provider, model, _ = combo
    return (
        (query.profile is None or query.profile == profile)
        and (query.agent is None or query.agent == agent)
        and (query.provider is None or query.provider == provider)
        and (query.model is None or model_matches(query.model, model))
    )


def sum_up(totals: Totals, groups: "list[Group]") -> None:
    """Fill `totals` with what the groups add up to; a session that is in several of them counts once."""
    if not groups:
        return
    numbers, spans = groups[0].numbers, groups[0].spans
    if len(groups) > 1:
        numbers, spans = list(numbers), dict(spans)
        for group in groups[1:]:
            add(numbers, group.numbers)
            for session, span in group.spans.items():
                if session in spans:
                    widen(spans, session, span)
                else:
                    spans[session] = span
    _set(totals, numbers)
    totals.sessions = len(spans)
    totals.runtime_us = sum([last - first for first, last in spans.values()])


def row_of(key: "str | None", groups: "list[Group]") -> Row:
    """One row for some groups."""
    row = Row(key)
    sum_up(row, groups)
    row.profiles, row.agents, row.providers, row.models = names_of([group.combo for group in groups])
    return row


class Closed:
    """The rows of all closed days, and how they grow by what came after."""

    def __init__(self, lines: "list[str]", combos: "list[Combo]") -> None:
        self._combos = combos
        self._lines: dict[str, list[str]] = {}
        for line in lines:
            about, _, rest = line.partition("\t")
            self._lines.setdefault(about, []).append(rest)
        self._spans: dict[str, list[tuple[Combo, int, int]]] = {}

    def look_up(self, sessions: "set[str]", everything: "Iterable[str]") -> None:
        """Keep the spans that these sessions have in the closed days: what comes after may be more of the same."""
        for line in everything:
            if line[:2] == "s\t":
                _, session, number, first, last = line.split("\t")
                if session in sessions:
                    self._spans.setdefault(session, []).append((self._combos[int(number)], int(first), int(last)))

    @property
    def unpriced_models(self) -> "list[str]":
        """Models of calls without a price."""
        return [members[0][3] or "unknown" for _, _, members, numbers in self._rows("model") if numbers[_UNPRICED]]

    def sum_up(self, totals: Totals, groups: "list[Group]") -> None:
        """Fill `totals` with everything: the closed days and `groups`."""
        for sessions, runtime, _, numbers in self._rows("total"):
            self._grow(totals, groups, sessions, runtime, numbers, lambda _: True)
            return
        sum_up(totals, groups)

    def grown(self, sums: Sums, field: str) -> "list[Row]":
        """A row for each value of a field, over the closed days and `sums`."""
        place = FIELDS.index(field)
        later, rows = sums.by(place), []
        for sessions, runtime, members, numbers in self._rows(field):
            key = members[0][place]
            groups = later.pop(key, [])
            row = Row(key)
            self._grow(row, groups, sessions, runtime, numbers, lambda combo, key=key: combo[place] == key)  # type: ignore[misc]
            row.profiles, row.agents, row.providers, row.models = names_of(members + [group.combo for group in groups])
            rows.append(row)
        return rows + [row_of(key, groups) for key, groups in later.items()]

    def _rows(self, about: str) -> "Iterator[tuple[int, int, list[Combo], list[int]]]":
        for line in self._lines.get(about, ()):
            sessions, runtime, members, *numbers = line.split("\t")
            yield int(sessions), int(runtime), [self._combos[int(member)] for member in members.split(",")], list(map(int, numbers))

    def _grow(
        self, totals: Totals, groups: "list[Group]", sessions: int, runtime: int, numbers: "list[int]", ours: "Callable[[Combo], bool]"
    ) -> None:
        """Fill `totals` with a row of the closed days, whose combinations are `ours`, and the groups that came after."""
        spans: Spans = {}
        for group in groups:
            add(numbers, group.numbers)
            for session, span in group.spans.items():
                widen(spans, session, span)
        for session, span in spans.items():
            held: Spans = {}
            for combo, first, last in self._spans.get(session, ()):
                if ours(combo):
                    widen(held, session, (first, last))
            if held:
                first, last = held[session]
                sessions, runtime = sessions - 1, runtime - (last - first)
                widen(held, session, span)
                span = held[session]
            sessions, runtime = sessions + 1, runtime + span[1] - span[0]
        _set(totals, numbers)
        totals.sessions, totals.runtime_us = sessions, runtime


class DayRow(Row):
    """A row of one closed day that works out its names when somebody asks for them: a table of days does not."""

    __slots__ = ("_combos", "_members")
    _combos: "list[Combo]"
    _members: str

    def __getattr__(self, name: str) -> "tuple[str, ...]":
        # Only for what was never set.
        if name not in ("profiles", "agents", "providers", "models"):
            raise AttributeError(name)
        named = names_of([self._combos[int(member)] for member in self._members.split(",")])
        self.profiles, self.agents, self.providers, self.models = named
        return named[FIELDS.index(name[:-1])]


def day_row(line: str, combos: "list[Combo]") -> Row:
    """The row that a line of the base says; `combos` are the combinations that it numbers."""
    key, sessions, runtime, members, *numbers = line.split("\t")
    row = DayRow(key)
    row._combos, row._members = combos, members
    del row.profiles, row.agents, row.providers, row.models
    row.sessions, row.runtime_us = int(sessions), int(runtime)
    _set(row, map(int, numbers))
    return row


def names_of(combos: "list[Combo]") -> "tuple[tuple[str, ...], ...]":
    """The profiles, agents, providers and models of some combinations, each a to z."""
    columns = list(zip(*combos, strict=True))
    profiles, agents, providers, models = (tuple(sorted({name for name in names if name is not None})) for names in columns[:4])
    return profiles, agents, providers, models


def _set(totals: Totals, numbers: "Iterable[int]") -> None:
    # In the order of `NUMBERS`. Written out, because a table of days does it for every day and `setattr` takes three times as long.
    (
        totals.requests,
        totals.input,
        totals.output,
        totals.cache_read,
        totals.cache_write_5m,
        totals.cache_write_1h,
        totals.reasoning,
        totals.web_searches,
        totals.cost_input,
        totals.cost_output,
        totals.cost_cache_write,
        totals.cost_cache_read,
        totals.cost_other,
        totals.unpriced_requests,
        totals.unbilled_requests,
        first,
        last,
    ) = numbers
    if totals.requests:
        totals.first_at_us, totals.last_at_us = first, last
