"""Answers as the HTTP API shows them: the views' structures as the contract's.

Decides which number stands in which field. Pure.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import msgspec

from cli.serve.contract import figures
from views import calendar
from views.matching import INITIATORS, SOURCES, coarse, folder
from views.pricing.money import dollars
from views.query import TIME_GROUPINGS, Answer, Query, Row, Totals, fill

if TYPE_CHECKING:
    from views.held_records import Page, Record


_FREE = Decimal(0)
_ADDED = (
    *("requests", "input", "output", "cache_read", "cache_write_5m", "cache_write_1h", "unpriced_requests", "unbilled_requests"),
    *("cost_input", "cost_output", "cost_cache_write", "cost_cache_read", "cost_other"),
)
_NUMBERS = attrgetter(*_ADDED)


def asked(query: Query, first_at_us: int | None) -> dict[str, Any]:
    """The fields of `figures.Asked`."""
    first, last = query.first_day, query.last_day
    if first is None and first_at_us is not None:
        first = calendar.day_at(query.tz, first_at_us)
    days = 0 if first is None else min(query.today if last is None else last, query.today) - first + 1
    return {
        "period": query.label,
        "since": None if query.first_day is None else calendar.iso_day(query.first_day),
        "to": None if last is None else calendar.iso_day(last),
        "days": max(days, 0),
        "timezone": query.tz,
        "filters": query.filters(),
    }


def usage(answer: Answer, told: Mapping[str, Any]) -> figures.Usage:
    """`told` are the fields of `figures.Told` that hold for all answers."""
    totals, lost = answer.totals, answer.lost
    return figures.Usage(
        **told,
        **asked(answer.query, totals.first_at_us),
        unpriced_requests=totals.unpriced_requests,
        total_tokens=tokens(totals),
        total_cost=cost(totals),
        total_sessions=totals.sessions,
        total_runtime_secs=totals.runtime_us // 1_000_000,
        aggregates=figures.Aggregates(
            by_profile={row.key or "": figures.ProfileUsage(profile=row.key or "", **sums(row)) for row in answer.profiles}
        ),
        total_requests=totals.requests,
        prompt_tokens=totals.prompt,
        completion_tokens=totals.output,
        unbilled_requests=totals.unbilled_requests,
        unpriced_models=tuple(answer.unpriced_models),
        lost_history=None
        if lost is None
        else figures.LostHistory(tokens=lost[0], since=calendar.iso_day(lost[1]), to=calendar.iso_day(lost[2])),
    )


def rollup(answer: Answer, limit: int | None, told: Mapping[str, Any]) -> figures.Rollup:
    """Rows by one grouping or two, `limit` of those that the answer has."""
    query, rows = answer.query, answer.rows
    if limit is not None and len(rows) > limit:
        # Of times that nobody sorted the latest are kept.
        rows = rows[-limit:] if query.sort is None and query.by in TIME_GROUPINGS else rows[:limit]
    by = (query.by,) if query.split is None else (query.by, query.split)
    return figures.Rollup(
        **told,
        **asked(query, answer.totals.first_at_us),
        unpriced_requests=answer.totals.unpriced_requests,
        by=by,
        more=len(rows) < len(answer.rows),
        totals=figures.Sums(**sums(answer.totals)),
        rows=tuple(
            figures.Group(
                group=dict(zip(by, (row.key, row.part), strict=False)),
                profiles=row.profiles,
                title=row.title,
                project=row.project,
                **sums(row),
            )
            for row in rows
        ),
    )


def series(answer: Answer, told: Mapping[str, Any]) -> figures.Series:
    """Points in time, those without a call too; each divided by the second grouping where there is one."""
    query = answer.query
    parts: dict[str | None, dict[str, figures.Part]] = {}
    weight: dict[str, tuple[int, int]] = {}
    points: dict[str | None, Row] = {}
    if query.split is None:
        points = {row.key: row for row in answer.rows}
    else:
        for key, rows in groupby(answer.rows, attrgetter("key")):
            members = list(rows)
            points[key] = _together(members)
            divided = parts[key] = {}
            for row in members:
                name, cost = row.part or "unknown", row.cost
                shown = divided[name] = _part(row, cost)
                cost_before, tokens_before = weight.get(name, (0, 0))
                weight[name] = cost_before + (cost or 0), tokens_before + shown.total_tokens
    names = [name for name in INITIATORS if name in weight] if query.split == "initiator" else []
    names += sorted((name for name in weight if name not in names), key=lambda name: (*(-each for each in weight[name]), name))
    return figures.Series(
        **told,
        **asked(query, answer.totals.first_at_us),
        unpriced_requests=answer.totals.unpriced_requests,
        bucket=query.by,
        by=query.split,
        names=tuple(names),
        points=tuple(_point(row, parts.get(row.key)) for row in _filled(answer, points)),
    )


def _point(row: Row, parts: dict[str, figures.Part] | None) -> figures.Point:
    # Written out like this because there are hundreds of them in an answer.
    written, read, output = row.cache_write_5m + row.cache_write_1h, row.cache_read, row.output
    prompt, cost = row.input + read + written, row.cost
    return figures.Point(
        start=row.key or "",
        requests=row.requests,
        prompt_tokens=prompt,
        completion_tokens=output,
        total_tokens=prompt + output,
        cost=Decimal(dollars(cost)) if cost else None if cost is None else _FREE,
        unpriced_requests=row.unpriced_requests,
        tokens=figures.Tokens(
            input_tokens=row.input, output_tokens=output, cache_creation_input_tokens=written, cache_read_input_tokens=read
        ),
        parts=parts or {},
    )


def _together(rows: Sequence[Row]) -> Row:
    """The rows of one point as one; what is said of their sessions and times is lost."""
    if len(rows) == 1:
        return rows[0]
    point = Row(rows[0].key)
    for name, number in zip(_ADDED, map(sum, zip(*map(_NUMBERS, rows), strict=True)), strict=True):
        setattr(point, name, number)
    return point


def _filled(answer: Answer, points: dict[str | None, Row]) -> list[Row]:
    """The points and, between them, those in which nothing was used."""
    query, totals = answer.query, answer.totals
    if query.by != "hour":
        return fill(query, points.values())
    start, end = calendar.bounds(query.tz, query.first_day, query.last_day)
    now = max(query.now_us, totals.last_at_us or 0) + 1
    start, end = (totals.first_at_us or now) if start is None else start, now if end is None else min(end, now)
    if query.since_us is not None:
        start, end = query.since_us, query.now_us
    keys = calendar.hours(query.tz, start, end)
    return [*(points.pop(key) if key in points else Row(key) for key in keys), *points.values()]


def top(answer: Answer, rank: str, told: Mapping[str, Any]) -> figures.Top:
    """Sessions, those that used most first."""
    return figures.Top(
        **told,
        **asked(answer.query, answer.totals.first_at_us),
        unpriced_requests=answer.totals.unpriced_requests,
        rank=rank,
        rows=tuple(
            figures.Consumer(
                name=row.title or folder(row.project) or row.key or ", ".join(row.agents),
                session=row.key,
                agent=row.agents[0] if row.agents else None,
                source=_source(row.initiators),
                project=row.project,
                tokens=tokens(row),
                runtime_secs=row.runtime_us // 1_000_000,
                last_used=instant(row.last_at_us),
                **msgspec.structs.asdict(part(row)),
            )
            for row in answer.rows
        ),
    )


def records(query: Query, page: "Page", number: int, per_page: int, told: Mapping[str, Any]) -> figures.Records:
    """Page `number` of single calls."""
    return figures.Records(
        **told,
        **asked(query, page.first_at_us),
        unpriced_requests=page.unpriced_requests,
        page=number,
        per_page=per_page,
        pages=-(-page.total // per_page),
        total=page.total,
        rows=tuple(_record(each) for each in page.records),
    )


def _record(call: "Record") -> figures.Record:
    profile, agent, provider, model, initiator, project = call.cell
    prompt = call.input + call.cache_read + call.cache_write
    return figures.Record(
        id=call.key.hex(),
        at=instant(call.at_us) or "",
        name=call.name,
        source=coarse(SOURCES, initiator or ""),
        initiator=initiator,
        profile=profile,
        agent=agent,
        provider=provider,
        model=model,
        session=call.session,
        project=project,
        tokens=figures.Tokens(
            input_tokens=call.input,
            output_tokens=call.output,
            cache_creation_input_tokens=call.cache_write,
            cache_read_input_tokens=call.cache_read,
        ),
        prompt_tokens=prompt,
        completion_tokens=call.output,
        cost=None if call.cost is None else money(call.cost),
        cost_status=call.cost_status,
        duration_ms=call.duration_ms,
        status=call.status,
    )


def _source(initiators: Sequence[str]) -> str | None:
    """Where a conversation's calls come from: a chat stays one when it sends agents ahead."""
    found = {coarse(SOURCES, each) for each in initiators}
    return next((name for name in SOURCES if name in found), None)


def part(row: Totals) -> figures.Part:
    """What a point or a part of it adds up to."""
    return _part(row, row.cost)


def _part(row: Totals, cost: int | None) -> figures.Part:
    prompt, output = row.input + row.cache_read + row.cache_write_5m + row.cache_write_1h, row.output
    return figures.Part(
        requests=row.requests,
        prompt_tokens=prompt,
        completion_tokens=output,
        total_tokens=prompt + output,
        cost=Decimal(dollars(cost)) if cost else None if cost is None else _FREE,
        unpriced_requests=row.unpriced_requests,
    )


def sums(row: Totals) -> dict[str, Any]:
    """The fields of `figures.Sums`."""
    prompt, output, first, last = row.prompt, row.output, row.first_at_us, row.last_at_us
    agents, providers, models = (row.agents, row.providers, row.models) if isinstance(row, Row) else ((), (), ())
    return {
        "tokens": tokens(row),
        "cost": cost(row),
        "sessions": row.sessions,
        "runtime_secs": row.runtime_us // 1_000_000,
        "last_used": None if last is None else calendar.iso_time(last),
        "requests": row.requests,
        "prompt_tokens": prompt,
        "completion_tokens": output,
        "total_tokens": prompt + output,
        "unpriced_requests": row.unpriced_requests,
        "unbilled_requests": row.unbilled_requests,
        "first_used": None if first is None else calendar.iso_time(first),
        "cache_creation": figures.Lifetimes(five_minutes=row.cache_write_5m, one_hour=row.cache_write_1h),
        "reasoning_tokens": row.reasoning,
        "web_searches": row.web_searches,
        "agents": agents,
        "providers": providers,
        "models": models,
    }


def tokens(row: Totals) -> figures.Tokens:
    """The four classes."""
    return figures.Tokens(
        input_tokens=row.input,
        output_tokens=row.output,
        cache_creation_input_tokens=row.cache_write,
        cache_read_input_tokens=row.cache_read,
    )


def cost(row: Totals) -> figures.Cost | None:
    """The cost with its parts; None where none is known."""
    total = row.cost
    if total is None:
        return None
    return figures.Cost(
        input_cost=money(row.cost_input),
        output_cost=money(row.cost_output),
        cache_creation_cost=money(row.cost_cache_write),
        cache_read_cost=money(row.cost_cache_read),
        total_cost=money(total),
        other_cost=money(row.cost_other),
    )


def money(attodollars: int) -> Decimal:
    """US dollars."""
    return Decimal(dollars(attodollars)) if attodollars else _FREE


def instant(at_us: int | None) -> str | None:
    """RFC 3339 in UTC, to the second."""
    return None if at_us is None else calendar.iso_time(at_us)
