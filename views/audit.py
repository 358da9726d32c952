"""What each view adds up to, so that views can be held against the log and against each other.

Decides which sums are compared. What a difference means is told by whoever asks.
"""

from decimal import Decimal

import polars as pl

from views import shelf
from views.catalog import VIEWS
from views.columns import TOKENS

SUMS = ("requests", *TOKENS, "web_searches", "cost_usd")


def sums(views: str) -> dict[str, dict[str, int | Decimal] | None]:
    """By view, the sum of each of `SUMS` that it has; money as Decimal, a view without any cost as 0; None for one that cannot be read."""
    found: dict[str, dict[str, int | Decimal] | None] = {}
    for view in VIEWS:
        names = [name for name in SUMS if name in view.columns]
        try:
            frame = shelf.scan(shelf.files(views, view), view).select(pl.col(names).sum()).collect(engine="streaming")
        except (pl.exceptions.PolarsError, OSError):
            found[view.name] = None
            continue
        found[view.name] = {name: value or 0 for name, value in frame.row(0, named=True).items()}
    return found
