"""Which group a row of what is held belongs to, and what the group is called.

Decides the keys of every grouping: numbers while rows are grouped, the names of `query.Row` afterwards. Filters by what a cell names are
decided here too.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import polars as pl

from views import calendar
from views.columns import CELL, SLOT
from views.held import Cell, Names
from views.matching import INITIATORS, MATCHES, SOURCES, coarse
from views.query import Query

_INITIATOR = CELL.index("initiator")

NAME_OF: dict[str, Callable[[Cell], str | None]] = {
    **{name: (lambda cell, place=place: cell[place]) for place, name in enumerate(CELL)},  # type: ignore[misc]
    "initiator": lambda cell: coarse(INITIATORS, cell[_INITIATOR] or ""),
    "source": lambda cell: coarse(SOURCES, cell[_INITIATOR] or ""),
}
"""What a cell is called by a grouping; groupings that are not here go by time or session."""


def cells_of(numbers: Iterable[int], named: Sequence[Cell], wanted: Sequence[tuple[str, str]]) -> list[int]:
    """Those cells that all filters leave, given as (name, value)."""
    found = list(numbers)
    for name, value in wanted:
        place, matches = CELL.index("initiator" if name == "source" else name), MATCHES.get(name)
        names = {named[number][place] for number in found}
        # Names repeat from cell to cell: each is compared once.
        meant = {each for each in names if (matches(value, each) if matches else each == value)}
        found = [number for number in found if named[number][place] in meant]
    return found


class Key(NamedTuple):
    """One grouping of some rows."""

    numbers: pl.Series | pl.Expr
    """The number of each row's group; null where the log names none."""
    name: Callable[[int | None], str | None]


def key_of(by: str | None, rows: pl.DataFrame, names: Names, query: Query) -> Key:
    """The key of rows with cell, sid and, as far as the grouping asks for them, day and slot."""
    if by is None:
        return Key(pl.lit(0), lambda _: None)
    if by == "session":
        # Where no two agents use one name, a session and its name have the same number.
        numbers = names.named_sessions().gather(rows["sid"]) if names.shared_names else rows["sid"]
        return Key(numbers, _named(names.session_names))
    if by in NAME_OF:
        return _cell_key(NAME_OF[by], rows, names)
    if by == "hour":
        return _hour_key(rows, query.tz)
    day = pl.col("day")
    if by == "month":
        return Key(day.cast(pl.Date).dt.month_start().to_physical(), lambda number: calendar.iso_month(number or 0))
    if by == "week":
        day = day - (day + 3 - query.week_start) % 7
    return Key(day, lambda number: calendar.iso_day(number or 0))


def _cell_key(name_of: Callable[[Cell], str | None], rows: pl.DataFrame, names: Names) -> Key:
    numbers: dict[str | None, int] = {}
    by_cell = [numbers.setdefault(name_of(cell), len(numbers)) for cell in names.cells]
    return Key(pl.Series(by_cell, dtype=pl.UInt32).gather(rows["cell"]), _named(list(numbers)))


def _hour_key(rows: pl.DataFrame, tz: str) -> Key:
    # Slots repeat: to write out the hour of each row would take most of the time.
    slots = rows["slot"].dt.truncate(SLOT)
    distinct = slots.unique()
    written = distinct.dt.convert_time_zone(tz).dt.strftime("%Y-%m-%dT%H:00%:z").to_list()
    numbers: dict[str, int] = {}
    by_slot = pl.DataFrame(
        {"slot": distinct, "hour": pl.Series([numbers.setdefault(hour, len(numbers)) for hour in written], dtype=pl.UInt32)}
    )
    found = slots.to_frame().join(by_slot, on="slot", how="left", maintain_order="left")["hour"]
    return Key(found, _named(list(numbers)))


def _named(known: list[str] | list[str | None]) -> Callable[[int | None], str | None]:
    return lambda number: None if number is None else known[number]
