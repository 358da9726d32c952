"""Sessions: who was at work when, and for how long.

Decides what a session's runtime is: the time from its first to its last event inside the range that is asked for. A session is the
owner of its calls, named by agent and session id; a call without a session counts in sums, but is nobody's.
"""

from collections.abc import Sequence

import polars as pl

from views.columns import CELL, COSTS, COUNTS
from views.cube import summed

SESSION = ("agent", "session")
"""What names a session: two agents may use the same id."""


def sessions(calls: pl.LazyFrame) -> pl.LazyFrame:
    """What each session did per quarter-hour and cell, fine enough for the first and last event of any range of whole quarter-hours.

    In:  measured calls (`cube.measured`)
    Out: `columns.SESSIONS`, by slot
    """
    by = ("slot", "session", *CELL)
    return (
        calls.group_by(by)
        .agg(pl.col("parent_session").min(), pl.col("first_at").min(), pl.col("last_at").max(), *summed())
        .sort("slot")
        .select("slot", "session", "parent_session", *CELL, "first_at", "last_at", *COUNTS, *COSTS, "cost_usd")
    )


def presence(rows: pl.LazyFrame, by: Sequence[str]) -> pl.LazyFrame:
    """Sessions and runtime per distinct `by`.

    In:  rows with `by`, agent, session, first_at, last_at (the session table's, or measured calls)
    Out: `by`, sessions (distinct owners), runtime_us (sum over them of last - first), first_at, last_at (of all rows)
    """
    each = [*by, *(name for name in SESSION if name not in by)]
    spans = rows.group_by(each).agg(pl.col("first_at").min(), pl.col("last_at").max())
    owned = pl.col("session").is_not_null()
    return (
        spans.group_by(by or pl.lit(0).alias("_all"))
        .agg(
            owned.sum().cast(pl.Int64).alias("sessions"),
            (pl.col("last_at") - pl.col("first_at")).filter(owned).sum().dt.total_microseconds().alias("runtime_us"),
            pl.col("first_at").min(),
            pl.col("last_at").max(),
        )
        .select(*by, "sessions", "runtime_us", "first_at", "last_at")
    )
