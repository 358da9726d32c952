"""What an answer is made of: its calls, what each token class of them costs at which rate, and the rows of the log that say so.

Decides how a sum is taken apart so that the parts add up to it exactly. Which calls a question means is `views.answers`' business; money is
whole attodollars.
"""

from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import Any

import msgspec
import polars as pl

from pipeline.log import Log
from views.answers import calls_of
from views.catalog import Frames
from views.columns import COSTS, RATES, TOKENS, attodollars
from views.logged import look
from views.query import Query
from views.reconciled import Counted

ROW = (
    *("key", "aliases", "kind", "rank", "owner_rank", "at", "requests", *TOKENS, "reasoning", "web_searches", "logged_cost_usd"),
    *("logged_cost_basis", "message_id", "request_id", "source", "offset", "length", "origin", "agent", "agent_version", "root", "session"),
    *("project", "profile", "provider", "model", "ingested_at"),
)
"""The columns of the log that tell where a call was read."""

_CLASSES = (("input", "input"), ("cache_write_5m",) * 2, ("cache_write_1h",) * 2, ("cache_read",) * 2, ("output",) * 2, ("reasoning",) * 2)


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of one class that were billed at one rate: `tokens` x `rate` = `cost`, in attodollars.

    A cost that the log states as a whole, and calls without a cost, have no rate; calls without a cost have none of both.
    """

    provider: str | None
    model: str | None
    what: str
    """A token class, `web_search`, or `logged`: the cost is the one that the log states."""
    requests: int
    tokens: int
    rate: int | None
    cost: int | None


def calls(query: Query, views: Frames) -> list[dict[str, Any]]:
    """The calls of a question, by time, with `columns.COSTS`, `columns.RATES` and cost_usd in attodollars, and `key` as bytes."""
    return _told(calls_of(query, views))


def calls_by_key(prefix: str, query: Query, views: Frames) -> list[dict[str, Any]]:
    """As `calls`, those whose key begins with these hexadecimal digits."""
    return _told(calls_of(query, views).filter(pl.col("key").bin.encode("hex").str.starts_with(prefix)))


def calls_with(keys: Collection[bytes], query: Query, views: Frames) -> list[dict[str, Any]]:
    """As `calls`, those with one of these keys."""
    return _told(calls_of(query, views).filter(pl.col("key").is_in(list(keys))))


def _told(found: pl.LazyFrame) -> list[dict[str, Any]]:
    money = [attodollars(pl.col(name)).alias(name) for name in (*COSTS, *RATES, "cost_usd", "logged_cost_usd")]
    return list(found.with_columns(money).collect(engine="streaming").iter_rows(named=True))


def is_stated(call: dict[str, Any], mode: str) -> bool:
    """Whether a call's cost is the one that its log states, and not the price book's, under a cost mode."""
    if call["cost_status"] != "priced" or call["logged_cost_usd"] is None:
        return False
    return mode == "logged" or (mode == "auto" and (call["logged_cost_basis"] == "provider" or all(call[rate] is None for rate in RATES)))


def products(call: dict[str, Any]) -> list[tuple[str, int, int]]:
    """(class, count, rate) of a call that the price book prices, classes without any count left out."""
    reasoning = call["reasoning"] or 0
    counts = {name: call[name] for name in TOKENS} | {"output": call["output"] - reasoning, "reasoning": reasoning}
    found = [(name, counts[name], call[f"{rate}_rate"] or 0) for name, rate in _CLASSES if counts[name]]
    return [*found, ("web_search", call["web_searches"], call["web_search_rate"] or 0)] if call["web_searches"] else found


def parts(found: Sequence[dict[str, Any]], mode: str) -> list[Part]:
    """The calls' tokens by model, class and rate; the costs of all parts add up to the calls' cost."""
    sums: dict[tuple[str, str, str, int], list[Any]] = {}

    def add(call: dict[str, Any], what: str, tokens: int, rate: int | None, cost: int | None) -> None:
        place = (call["provider"] or "", call["model"] or "", what, -1 if rate is None else rate)
        kept = sums.setdefault(place, [call["provider"], call["model"], what, 0, 0, rate, None])
        kept[3] += 1
        kept[4] += tokens
        if cost is not None:
            kept[6] = (kept[6] or 0) + cost

    for call in found:
        whole = sum(call[name] for name in TOKENS)
        if call["cost_status"] != "priced":
            add(call, call["cost_status"], whole, None, None)
        elif is_stated(call, mode):
            add(call, "logged", whole, None, call["cost_usd"])
        else:
            for what, count, rate in products(call):
                add(call, what, count, rate, count * rate)
    names = Part.__struct_fields__
    return [Part(**dict(zip(names, sums[place], strict=True))) for place in sorted(sums)]


def rows(log: Log, keys: set[bytes]) -> list[dict[str, Any]]:
    """The log's rows of some calls, sealed and hot, of every machine, in the order in which they were written: `ROW` and machine.

    `source` is a number of the machine's own: only that machine's journal knows the path.
    """
    frames = _matching(log, pl.col("key").is_in(list(keys)), ROW)
    told = [row for frame in frames for row in frame.iter_rows(named=True)]
    return sorted(told, key=lambda row: (row["key"], row["ingested_at"], row["kind"] != "retraction"))


def keys_named(log: Log, prefix: str) -> set[bytes]:
    """The keys of the log's rows that some name beginning with these hexadecimal digits stands in, counted or not."""
    begins = pl.element().bin.encode("hex").str.starts_with(prefix)
    wanted = pl.col("key").bin.encode("hex").str.starts_with(prefix) | pl.col("aliases").list.eval(begins).list.any()
    return {key for frame in _matching(log, wanted, ("key", "aliases")) for key in frame["key"]}


def _matching(log: Log, wanted: pl.Expr, columns: Sequence[str]) -> list[pl.DataFrame]:
    """Those rows of the log, sealed and hot: `columns` and machine."""
    for _ in range(3):
        # A compaction may put another file in the place of some meanwhile.
        with suppress(FileNotFoundError):
            return [found.collect(engine="streaming") for found in _scanned(log, wanted, columns)]
    return [found.collect(engine="streaming") for found in _scanned(log, wanted, columns)]


def _scanned(log: Log, wanted: pl.Expr, columns: Sequence[str]) -> list[pl.LazyFrame]:
    content = look(log, columns=columns if "at" in columns else (*columns, "at"))
    frames = [content.hot.lazy().filter(wanted).select(*columns, "machine")] if content.hot.height else []
    for machine in sorted({file.machine for file in content.files}):
        paths = [file.path for file in content.files if file.machine == machine]
        of_machine = pl.scan_parquet(paths, hive_partitioning=False).select(*columns, pl.lit(machine).alias("machine"))
        frames.append(of_machine.filter(wanted))
    return frames


def without_cost(query: Query, views: Frames) -> list[tuple[str, str, int, int]]:
    """(cost status, model, calls, tokens) of the calls of a question that have no cost, and with the status `partial` of those whose
    agent wrote only a placeholder for output."""
    tokens = pl.sum_horizontal(TOKENS)
    status = pl.when("partial_output").then(pl.lit("partial")).otherwise(pl.lit(""))
    found = calls_of(query, views).select(
        pl.concat_list(pl.col("cost_status").cast(pl.String), status).alias("status"),
        pl.col("model").cast(pl.String).fill_null("unknown"),
        tokens.alias("tokens"),
    )
    told = found.explode("status").filter(pl.col("status").is_in(["unpriced", "not_billed", "partial"]))
    sums = told.group_by("status", "model").agg(pl.len().cast(pl.Int64).alias("calls"), pl.col("tokens").sum())
    return list(sums.sort("status", "model").collect(engine="streaming").iter_rows())


def by_day_and_model(query: Query, views: Frames) -> list[tuple[str, str, Counted]]:
    """(UTC day, model, what is known) of a question's calls that are billed."""
    cost = attodollars(pl.col("cost_usd"))
    day = pl.col("at").dt.convert_time_zone("UTC").dt.strftime("%Y-%m-%d").alias("day")
    billed = calls_of(query, views).filter(pl.col("cost_status") != "not_billed")
    sums = billed.group_by(day, pl.col("model").cast(pl.String).fill_null("")).agg(
        pl.len().cast(pl.Int64).alias("calls"),
        (pl.col("cost_status") == "unpriced").sum().cast(pl.Int64).alias("unpriced"),
        pl.when(cost.is_not_null().any()).then(cost.sum()).alias("cost"),
    )
    return [(day, model, Counted(*known)) for day, model, *known in sums.sort("day", "model").collect(engine="streaming").iter_rows()]


def days_read_from(sources: Collection[int], query: Query, views: Frames, log: Log) -> list[str]:
    """The days, in the query's zone, of those calls of a question that this machine read from these sources."""
    content = look(log, columns=("at", "key", "source", "requests"))
    paths = [file.path for file in content.files if file.machine == content.machine]
    needed = ("key", "source", "requests")
    frames = [content.hot.lazy().select(needed)] if content.hot.height else []
    frames += [pl.scan_parquet(paths, hive_partitioning=False).select(needed)] if paths else []
    if not frames:
        return []
    rows = pl.concat(frames).filter(pl.col("source").is_in(list(sources)))
    keys = rows.group_by("key").agg(pl.col("requests").sum()).filter(pl.col("requests") > 0)
    day = pl.col("at").dt.convert_time_zone(query.tz).dt.strftime("%Y-%m-%d")
    days = calls_of(query, views).join(keys, on="key", how="semi").select(day.unique().sort())
    return days.collect(engine="streaming").to_series().to_list()
