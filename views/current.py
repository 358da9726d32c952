"""Calls as the journal has them now: for whoever follows the log from line to line.

Decides how a call of the journal becomes one of `columns.CALLS`. The journal knows each call as all its rows together make it, so nothing
is folded and no segment is read; what several machines say of one call it does not know (`logged.foreign`).
"""

from collections.abc import Iterable
from decimal import Decimal

import polars as pl

from pipeline.batch import Dims
from pipeline.log import Log
from views.calls import costed, counted, listed, owned, rated
from views.columns import CALLS, INSTANT, LOG, MONEY, NAME, TOKENS
from views.terms import Terms

_OWN: dict[str, pl.DataType] = {
    "key": pl.Binary(),
    "at": pl.Int64(),
    **dict.fromkeys((*TOKENS, "web_searches", "reasoning", "duration_ms"), pl.Int64()),
    "logged_cost_usd": MONEY,
    "dim": pl.Int64(),
}
"""What the journal keeps of a call beside its dimensions."""
_SHARED = tuple(name for name in LOG if name in Dims.__struct_fields__)
_PLACES = Decimal(1).scaleb(-MONEY.scale)


def calls(log: Log, terms: Terms, day: int, keys: Iterable[bytes] | None = None) -> pl.DataFrame:
    """The calls (`columns.CALLS`) of a UTC day, all or those with these keys, in no order; only this machine's."""
    rows = [
        (
            call.key,
            call.at_us,
            *(call.input, call.output, call.cache_read, call.cache_write_5m, call.cache_write_1h),
            *(call.web_searches, call.reasoning, call.duration_ms),
            None if call.logged_cost is None else Decimal(call.logged_cost).quantize(_PLACES),
            call.dim,
        )
        for call in log.calls(day, day, keys)
    ]
    if not rows:
        return pl.DataFrame(schema=CALLS)
    found = pl.DataFrame(rows, schema=_OWN, orient="row")
    dims = log.dims(found["dim"].unique())
    shared = pl.DataFrame(
        [[getattr(each, name) for name in _SHARED] for each in dims.values()],
        schema={name: CALLS[name] for name in _SHARED},
        orient="row",
    )
    place = {number: at for at, number in enumerate(dims)}
    which = pl.Series([place[number] for number in found["dim"]], dtype=pl.UInt32)
    machine = pl.lit(log.machine, NAME).alias("machine")
    whole = found.drop("dim").hstack(shared[which]).with_columns(pl.col("at").cast(INSTANT), machine)
    told = counted(owned(whole, terms.attribution), terms.attribution.captured_from)
    return listed(costed(rated(told, terms.rates, steps=terms.steps, is_timed=terms.is_timed).lazy()).collect())
