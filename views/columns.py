"""The columns of every view: names, types and what may be added up.

Decides column types and the version of the view schema. How rows come about is decided by `calls`, `sessions` and `cube`.
"""

import polars as pl

VERSION = 2
"""Version of the schema of all views; a view of another version is rebuilt, never read."""

MONEY = pl.Decimal(38, 18)
"""US dollars, exact."""

INSTANT = pl.Datetime("us", "UTC")

NAME = pl.Categorical()
"""Text that repeats: in files an ordinary string column, in memory a number per row."""

TOKENS = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")
"""Disjoint token classes: they add up."""

PROMPT = ("input", "cache_read", "cache_write_5m", "cache_write_1h")
"""The classes of the prompt side, which tables show as `in`."""

COSTS = ("input_cost", "output_cost", "cache_write_cost", "cache_read_cost", "other_cost")
"""The five parts of a cost; `other_cost` holds searches and costs that are only known as a whole."""

COUNTS = ("requests", *TOKENS, "reasoning", "web_searches", "duration_ms", "unpriced_requests", "unbilled_requests")
"""Whole numbers that add up over any rows of a view."""

RATES = ("input_rate", "output_rate", "reasoning_rate", "cache_read_rate", "cache_write_5m_rate", "cache_write_1h_rate", "web_search_rate")
"""Effective price of one token (of one search), after tiers and factors; a call's rates times its tokens are its parts."""

CELL = ("profile", "agent", "provider", "model", "initiator", "project")
"""Dimensions of the cube beside the quarter-hour."""

SLOT = "15m"
"""Width of a slot of the cube: the offset of every IANA zone is a whole number of these, so a day of any zone is a sum of slots."""

SLOT_US = 900_000_000
"""The same, in microseconds."""

MEASURES: dict[str, pl.DataType] = {**dict.fromkeys(COUNTS, pl.Int64()), **dict.fromkeys(COSTS, MONEY), "cost_usd": MONEY}
"""What every view but `calls` says of its rows; all of it adds up."""

_NAMES_OF_A_CALL = (
    *("profile", "agent", "provider", "model", "session", "parent_session", "project", "git_branch", "root"),
    *("initiator", "granularity", "tier", "speed", "geo", "status"),
)

CALLS: dict[str, pl.DataType] = {
    "key": pl.Binary(),
    "at": INSTANT,
    "machine": NAME,
    **dict.fromkeys(_NAMES_OF_A_CALL, NAME),
    "ttl_known": pl.Boolean(),
    "partial_output": pl.Boolean(),
    **dict.fromkeys(TOKENS, pl.Int64()),
    "reasoning": pl.Int64(),
    "web_searches": pl.Int64(),
    "duration_ms": pl.Int64(),
    "logged_cost_usd": MONEY,
    "logged_cost_basis": NAME,
    "cost_status": NAME,
    "cost_usd": MONEY,
    **dict.fromkeys(RATES, MONEY),
}
"""One row per call; files are partitioned by `date`, the UTC date of `at`."""

SESSIONS: dict[str, pl.DataType] = {
    "slot": INSTANT,
    "session": NAME,
    "parent_session": NAME,
    **dict.fromkeys(CELL, NAME),
    "first_at": INSTANT,
    "last_at": INSTANT,
    **MEASURES,
}
"""One row per quarter-hour, session and cell with an event; files are partitioned by `month`, the UTC month of `slot`."""

CUBE: dict[str, pl.DataType] = {"slot": INSTANT, **dict.fromkeys(CELL, NAME), **MEASURES}
"""One row per quarter-hour and cell with an event; files are partitioned by `month`, the UTC month of `slot`."""

LOG = (
    *("key", "kind", "rank", "owner_rank", "at", "requests", *TOKENS, "reasoning", "web_searches", "duration_ms"),
    *("ttl_known", "partial_output", "logged_cost_usd", "logged_cost_basis", *_NAMES_OF_A_CALL),
)
"""The columns of the log that views are made of, beside the partition columns `date` and `machine`."""


def usd(attodollars: pl.Expr) -> pl.Expr:
    """Attodollars (10^-18 US dollars, any integer type) as exact US dollars."""
    return attodollars.cast(pl.Int128).reinterpret(dtype=MONEY)


def attodollars(usd: pl.Expr) -> pl.Expr:
    """Exact US dollars as attodollars."""
    return usd.reinterpret(dtype=pl.Int128)
