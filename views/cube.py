"""The cube: all usage per quarter-hour and dimension, the sum that other views are made of.

Decides how calls add up and how a roll-up treats money that is not known. Pure functions from frame to frame.
"""

from collections.abc import Sequence

import polars as pl

from views.columns import CELL, COSTS, COUNTS, SLOT

_MONEY = (*COSTS, "cost_usd")


def summed() -> list[pl.Expr]:
    """Aggregations of every measure of a view's rows; money is null where nothing in the group was priced."""
    # A sum over nulls is 0: a group in which nothing had a price would look free.
    priced = pl.col("cost_usd").is_not_null().any()
    return [*(pl.col(name).sum() for name in COUNTS), *(pl.when(priced).then(pl.col(name).sum()).alias(name) for name in _MONEY)]


def measured(calls: pl.LazyFrame) -> pl.LazyFrame:
    """`calls` with their parts of cost as rows that add up: one request each, at its slot.

    In:  calls with `COSTS`, cost_usd and cost_status
    Out: the same, and slot, requests, unpriced_requests, unbilled_requests; first_at and last_at, both the call's time
    """
    return calls.with_columns(
        pl.col("at").dt.truncate(SLOT).alias("slot"),
        pl.lit(1, pl.Int64).alias("requests"),
        (pl.col("cost_status") == "unpriced").cast(pl.Int64).alias("unpriced_requests"),
        (pl.col("cost_status") == "not_billed").cast(pl.Int64).alias("unbilled_requests"),
        pl.col("at").alias("first_at"),
        pl.col("at").alias("last_at"),
    )


def rolled_up(rows: pl.LazyFrame, by: Sequence[str]) -> pl.LazyFrame:
    """Rows that add up (the cube's, the session table's, measured calls) per distinct `by`."""
    return rows.group_by(by).agg(summed())


def cube(sessions: pl.LazyFrame) -> pl.LazyFrame:
    """The session table without its sessions.

    In:  `columns.SESSIONS`
    Out: `columns.CUBE`, one row per slot and cell with an event, by slot
    """
    return rolled_up(sessions, ("slot", *CELL)).sort("slot").select("slot", *CELL, *COUNTS, *COSTS, "cost_usd")
