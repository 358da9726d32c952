"""Calls: what the log's rows say about each call, whose it is and what it cost.

Decides how rows fold into one call, which of several machines' records counts, and how a price becomes a cost. Profiles come from
`pipeline.profiles`, rates from `views.pricing`; both are asked once per distinct combination, never per row. Pure functions from frame
to frame.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date

import polars as pl

from pipeline.profiles import LOGS_WITHOUT_ID
from views.columns import CALLS, COSTS, NAME, PROMPT, RATES, TOKENS, attodollars, usd
from views.numbers import distinct, numbered
from views.pricing.cost import WHOLE

_ADDED = ("requests", *TOKENS, "web_searches")
_ADDED_IF_KNOWN = ("reasoning", "duration_ms", "logged_cost_usd")

_OF_A_ROW = ("kind", "rank", "owner_rank", "requests", "date")

OWNERSHIP = ("agent", "root", "project", "profile", "provider")
"""What decides a call's profile and who bills it."""

SHAPE = ("provider", "model", "tier", "speed", "geo", "date", "step", "minute")
"""What decides a call's rates. `step` is how many prompt sizes of the price book the whole prompt exceeds, 0 where several calls are summed
up; `minute` is the minute of the UTC day for models with off-peak hours, null for all others."""

_LISTING = ("provider", "model", "date")
"""What decides whether a price depends on the time of day."""

Ownership = Callable[..., tuple[str, str | None, bool]]
"""(profile, provider, billed per token) of an agent, root, project, own profile and logged provider."""

Rates = Callable[..., tuple[int, ...] | None]
"""Attodollars in the order of `RATES` for a shape, given in the order of `SHAPE`; None where no price is known."""

IsTimed = Callable[[str | None, str | None, date], bool]
"""Whether a provider's price of a model depends on the time of day, at that date."""


def folded(rows: pl.DataFrame, *, lost: pl.DataFrame | None = None) -> pl.DataFrame:
    """One row per call of `rows`, which are whole dates of the log.

    Rows of one key, date and machine add up; what is not a number comes from the best record among them: the greatest `rank`, then the
    smallest `owner_rank`, never a retraction. A call whose rows add up to no request has been retracted and is gone. Of a call that
    several machines hold, the best record counts; `lost` (key, date, machine) names records that lose to one on another date.

    In:  `columns.LOG`, date, machine
    Out: the same columns without those that only tell rows of a call apart; by time and key, so that equal calls make equal files
    """
    if lost is not None or rows["machine"].n_unique() > 1:
        calls = _best(_added(rows))
        return _by_time(calls if lost is None else calls.join(lost, on=["key", "date", "machine"], how="anti"))
    corrected = rows["key"].filter(rows["kind"] != "call")
    if corrected.is_empty():
        return _by_time(rows)
    # Nearly all calls have one row; only the others pay for sorting and grouping.
    touched = rows["key"].is_in(corrected.unique().implode())
    added = _added(rows.filter(touched))
    return _by_time(pl.concat([rows, added], rechunk=False), kept=pl.concat([~touched, pl.repeat(True, added.height, eager=True)]))


def lost_elsewhere(records: pl.DataFrame, same: Mapping[bytes, bytes]) -> pl.DataFrame:
    """Calls that count nowhere, because another machine holds a better record of the same call, on whatever date.

    `same` gives the key that stands for a call, by each other key that names it.

    In:  key, date, machine, kind, rank, owner_rank, requests of the whole log
    Out: key, date, machine
    """
    by = ["key", "date", "machine"]
    alive = records.filter(pl.col("requests").sum().over(by) > 0).filter(pl.col("kind") == "call")
    held = _best_first(alive).select(by).unique(maintain_order=True)
    call = pl.col("key").replace(list(same), list(same.values())) if same else pl.col("key")
    best = held.with_columns(call.alias("call")).unique("call", keep="first", maintain_order=True)
    return held.join(best, on=by, how="anti")


def _added(rows: pl.DataFrame) -> pl.DataFrame:
    by = ["key", "date", "machine"]
    told = [name for name in rows.columns if name not in (*by, *_ADDED, *_ADDED_IF_KNOWN)]
    ordered = rows.sort(pl.col("kind") != "retraction", "rank", pl.col("owner_rank").neg())
    # What a better record does not know is unknown, whatever those before it knew.
    begun = (pl.col("kind") == "call").arg_true().last().fill_null(0)
    return (
        ordered.group_by(by, maintain_order=True)
        .agg(
            *(pl.col(name).sum() for name in _ADDED),
            *(pl.when(pl.col(name).slice(begun).is_not_null().any()).then(pl.col(name).sum()).alias(name) for name in _ADDED_IF_KNOWN),
            *(pl.col(name).last() for name in told),
        )
        .filter(pl.col("requests") > 0)
        .select(rows.columns)
    )


def _by_time(calls: pl.DataFrame, *, kept: pl.Series | None = None) -> pl.DataFrame:
    """`calls` in order, those that are not `kept` left out."""
    # Picking rows once is six times as fast as sorting the wide frame, and leaves it in one piece, which all further steps gain from.
    told = calls.drop(_OF_A_ROW)
    if kept is None:
        places = calls.select(pl.arg_sort_by("at", "key")).to_series()
        # The rows of most files lie in this order.
        return told.rechunk() if places.is_sorted() else told[places]
    places = kept.arg_true()
    return told[places[calls.select("at", "key")[places].select(pl.arg_sort_by("at", "key")).to_series()]]


def _best_first(calls: pl.DataFrame) -> pl.DataFrame:
    return calls.sort("rank", "owner_rank", "machine", descending=[True, False, False])


def _best(calls: pl.DataFrame) -> pl.DataFrame:
    return _best_first(calls).unique("key", keep="first", maintain_order=True)


def owned(calls: pl.DataFrame, ownership: Ownership) -> pl.DataFrame:
    """`calls` with profile and provider as the rules have them now, and `billed`: whether the call is paid per token."""
    asked = calls.select(OWNERSHIP)
    first, which = distinct(numbered(asked, OWNERSHIP))
    found = [ownership(*row) for row in asked[first].iter_rows()]
    columns = {"profile": NAME, "provider": NAME, "billed": pl.Boolean()}
    return calls.with_columns(pl.DataFrame(found, schema=columns, orient="row")[which])


def counted(calls: pl.DataFrame, captured_from: Mapping[str, int]) -> pl.DataFrame:
    """`calls` without those that are kept as evidence beside another account of them: `views.attribution.counts` stated for columns.

    `captured_from` gives the UTC day number from which on captured calls of a profile count.

    In:  owned calls
    """
    shared = pl.col("agent").is_in(LOGS_WITHOUT_ID)
    if not captured_from and calls.select((shared & pl.col("root").is_null()).any()).item() is not True:
        return calls  # As in nearly every log.
    day = pl.col("at").dt.epoch("d")
    captured = pl.any_horizontal(
        pl.lit(value=False), *((pl.col("profile") == profile) & (day >= since) for profile, since in captured_from.items())
    )
    return calls.filter(~shared | (pl.col("root").is_null() == captured))


def rated(calls: pl.DataFrame, rates: Rates, *, steps: Sequence[int], is_timed: IsTimed) -> pl.DataFrame:
    """`calls` with `columns.RATES`, null where no price is known or the call is not billed.

    `steps` are the prompt sizes above which some price differs.

    In:  owned calls
    """
    # The sum of a turn or a session says nothing about how long the prompt of any of its calls was.
    prompt = pl.when(pl.col("granularity") == WHOLE).then(pl.sum_horizontal(PROMPT)).otherwise(0)
    step = pl.Series("step", sorted(steps), pl.Int64()).search_sorted(calls.select(prompt).to_series(), side="left")
    asked = calls.select(*SHAPE[:5], "at", pl.col("at").dt.date().alias("date"), step, "billed")
    listings = asked[distinct(numbered(asked, (*_LISTING, "billed")))[0]].filter("billed").select(_LISTING)
    timed = [listing[1] for listing in listings.iter_rows() if is_timed(*listing)]
    minute = pl.lit(None, pl.Int16)
    if timed:
        at = pl.col("at").dt
        minute = pl.when(pl.col("model").is_in(timed)).then(at.hour().cast(pl.Int16) * 60 + at.minute())
    asked = asked.with_columns(minute.alias("minute"))
    first, which = distinct(numbered(asked, (*SHAPE, "billed")))
    unknown = (None,) * len(RATES)
    found = [rates(*shape) or unknown if billed else unknown for *shape, billed in asked[first].select(*SHAPE, "billed").iter_rows()]
    known = pl.DataFrame(found, schema=dict.fromkeys(RATES, pl.Int128()), orient="row").select(usd(pl.col(name)) for name in RATES)
    return calls.hstack(known[which])


def costed(calls: pl.LazyFrame, *, mode: str = "auto") -> pl.LazyFrame:
    """`calls` with `columns.COSTS`, cost_usd and cost_status under a cost mode.

    The modes are those of `pricing.decision.decide`, which this states for columns: `auto` takes what the provider stated, else the price
    book's cost, else an agent's own estimate above zero; `calculate` the price book's cost only; `logged` only what the log states. A cost
    that is known only as a whole is `other_cost`. Where there is no cost every part is null.

    In:  rated calls with `billed`
    """
    rated = pl.any_horizontal(pl.col(rate).is_not_null() for rate in RATES)
    logged = pl.col("logged_cost_usd").is_not_null()
    estimated = logged & (pl.col("logged_cost_usd") != 0)
    by_provider = logged & (pl.col("logged_cost_basis") == "provider").fill_null(value=False)
    nothing = pl.lit(value=False)
    whole, by_book = {
        "auto": (by_provider | (estimated & ~rated), rated & ~by_provider),
        "calculate": (nothing, rated),
        "logged": (logged, nothing),
    }[mode]
    parts = _products()
    stated = attodollars(pl.col("logged_cost_usd"))
    zero = pl.lit(0, pl.Int128)
    return (
        calls.with_columns((pl.col("billed") & whole).alias("_whole"), (pl.col("billed") & by_book).alias("_book"))
        .with_columns(
            pl.when("_book").then(parts[name]).when("_whole").then(stated if name == "other_cost" else zero).alias(name) for name in COSTS
        )
        .with_columns(
            # A sum over nulls is 0: a call without a price would look free.
            pl.when(pl.col("_whole") | pl.col("_book")).then(usd(pl.sum_horizontal(COSTS))).alias("cost_usd"),
            pl.when(~pl.col("billed"))
            .then(pl.lit("not_billed"))
            .when(pl.col("_whole") | pl.col("_book"))
            .then(pl.lit("priced"))
            .otherwise(pl.lit("unpriced"))
            .cast(NAME)
            .alias("cost_status"),
            *(usd(pl.col(name)).alias(name) for name in COSTS),
        )
        .drop("_whole", "_book")
    )


def _products() -> dict[str, pl.Expr]:
    """Tokens times rates in attodollars, as integers of 128 bits: 2^40 tokens at the dearest rate pass 64."""

    def times(count: pl.Expr, rate: str) -> pl.Expr:
        return count.cast(pl.Int128) * attodollars(pl.col(rate)).fill_null(0)

    reasoning = pl.col("reasoning").fill_null(0)
    return {
        "input_cost": times(pl.col("input"), "input_rate"),
        "output_cost": times(pl.col("output") - reasoning, "output_rate") + times(reasoning, "reasoning_rate"),
        "cache_write_cost": times(pl.col("cache_write_5m"), "cache_write_5m_rate") + times(pl.col("cache_write_1h"), "cache_write_1h_rate"),
        "cache_read_cost": times(pl.col("cache_read"), "cache_read_rate"),
        "other_cost": times(pl.col("web_searches"), "web_search_rate"),
    }


def recosted(calls: pl.LazyFrame, mode: str) -> pl.LazyFrame:
    """Rows of `calls/` with their parts of cost under a cost mode: rates and logged cost are in the row, so no price is asked for again."""
    return costed(calls.with_columns((pl.col("cost_status") != "not_billed").alias("billed")), mode=mode)


def listed(calls: pl.DataFrame) -> pl.DataFrame:
    """`columns.CALLS`, in the order of `calls`."""
    return calls.select(pl.col(name).cast(kind) for name, kind in CALLS.items())
