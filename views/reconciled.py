"""What the log says of each UTC day and model beside what a provider bills.

Decides what is compared with what. What a file bills is `views.invoice`'s business, what a call costs `views.calls`'.
"""

from collections.abc import Iterable, Mapping

import msgspec

from views.invoice import EVERY_MODEL, Invoice, Key
from views.invoice_cells import NO_MODEL, model_name
from views.matching import model_matches


class Counted(msgspec.Struct, frozen=True):
    """Calls of one UTC day and model that are billed: how many, how many of them without a price, and the attodollars of the others."""

    calls: int = 0
    unpriced: int = 0
    cost: int | None = None


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """One day and model: what the log knows of it, and the attodollars that are billed; None where none are."""

    day: str
    model: str
    ours: Counted
    theirs: int | None


def reconciled(ours: Mapping[Key, Counted], theirs: Mapping[Key, int]) -> list[Compared]:
    """Every day and model that either side knows, by day and name."""
    return [Compared(day=key[0], model=key[1], ours=ours.get(key, Counted()), theirs=theirs.get(key)) for key in sorted({*ours, *theirs})]


def by_bill(rows: Iterable[tuple[str, str, Counted]], bill: Invoice) -> dict[Key, Counted]:
    """Our rows (day, model as logged, calls) under the days and names that the bill has."""
    found: dict[Key, Counted] = {}
    for day, model, new in rows:
        key = day, EVERY_MODEL if bill.format.model is None else model_name(model)
        old = found.get(key, Counted())
        cost = new.cost if old.cost is None else old.cost + (new.cost or 0)
        found[key] = Counted(old.calls + new.calls, old.unpriced + new.unpriced, cost)
    return found


def is_asked(model: str, wanted: str | None) -> bool:
    """Whether a bill's model is one that a filter by model means; a row that names no model is any."""
    return wanted is None or model in (EVERY_MODEL, NO_MODEL, model_name(wanted)) or model_matches(wanted, model)


def ratio(ours: int, theirs: int) -> float | None:
    """Ours by theirs; None where theirs is nothing."""
    return ours / theirs if theirs else None
