"""What the API answers about usage."""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from cli.ask import Request, WrongUsage, unknown
from cli.serve import shown
from cli.serve.contract import envelope, figures, questions
from cli.serve.handlers.work import after_loading, pieces, soon
from cli.serve.service import Service
from cli.serve.standing import Standing
from views import calendar
from views.matching import INITIATORS, SOURCES
from views.query import FILTERS, GROUPINGS, Query

POINTS = 10_000
"""A series has no more points than this, a roll-up by time no more rows."""
_HOURS = {"hour": 1, "day": 24, "week": 7 * 24, "month": 28 * 24}
"""That a point stands for, at least."""

ROWS = 100
"""Rows of a roll-up by session or hour that names no limit; there may be tens of thousands."""

_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
    "jsonl": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
}

_WORDS = (*FILTERS, "period", "since", "until", "tz", "week_start", "cost_mode")


async def summary(service: Service, params: questions.Filters) -> envelope.Encoded:
    """Totals and profiles."""

    def made(standing: Standing) -> figures.Usage:
        return shown.usage(service.answer(_query(service, standing, params), standing), service.told(standing))

    return await _answered(service, params, made)


async def rollup(service: Service, params: questions.RollupParams) -> envelope.Encoded:
    """Rows by one grouping or two."""
    by, split = groupings(params.by)

    def made(standing: Standing) -> figures.Rollup:
        limit = ROWS if params.limit is None and {by, split} & {"session", "hour"} else params.limit
        # One more than is shown tells whether there are more.
        query = _query(service, standing, params, by=by, split=split, sort=params.sort, limit=limit and limit + 1)
        if by in ("day", "week", "month") and split is None:
            _check_points(query, standing)
        return shown.rollup(service.answer(query, standing), limit, service.told(standing))

    return await _answered(service, params, made)


async def series(service: Service, params: questions.SeriesParams) -> envelope.Encoded:
    """Points in time, those without a call too."""
    if params.by is not None and params.by not in questions.PARTS:
        raise unknown("division of a series", params.by, questions.PARTS)

    def made(standing: Standing) -> figures.Series:
        query = _query(service, standing, params, by=params.bucket, split=params.by)
        _check_points(query, standing)
        return shown.series(service.answer(query, standing, spans=False), service.told(standing))

    return await _answered(service, params, made)


async def top(service: Service, params: questions.TopParams) -> envelope.Encoded:
    """Conversations and agent runs that used most."""

    def made(standing: Standing) -> figures.Top:
        query = _query(service, standing, params, by="session", sort=params.rank, limit=params.limit)
        return shown.top(service.answer(query, standing), params.rank, service.told(standing))

    return await _answered(service, params, made)


async def records(service: Service, params: questions.RecordsParams) -> envelope.Encoded:
    """Single calls, the latest first."""

    def made(standing: Standing) -> figures.Records:
        query = _query(service, standing, params, by="session")
        skip = (params.page - 1) * params.per_page
        page = service.records(query, standing, search=params.search, skip=skip, count=params.per_page)
        return shown.records(query, page, params.page, params.per_page, service.told(standing))

    return await _answered(service, params, made)


async def filters(service: Service, params: questions.FilterValuesParams) -> envelope.Encoded:
    """Values that occur."""

    def made(standing: Standing) -> figures.FilterValues:
        totals = service.answer(_query(service, standing, questions.Filters(period="all")), standing).totals
        tz = params.tz or standing.store.zone
        first, last = (None if at is None else calendar.iso_day(calendar.day_at(tz, at)) for at in (totals.first_at_us, totals.last_at_us))
        models = tuple(standing.names("model"))
        if params.provider is not None:
            scoped = questions.Filters(period="all", provider=params.provider)
            rows = service.answer(_query(service, standing, scoped, by="model"), standing).rows
            models = tuple(sorted(row.key for row in rows if row.key is not None))
        return figures.FilterValues(
            **service.told(standing),
            unpriced_requests=totals.unpriced_requests,
            recorded=totals.requests > 0,
            profiles=tuple(standing.names("profile")),
            providers=tuple(standing.names("provider")),
            models=models,
            agents=tuple(standing.names("agent")),
            projects=tuple(standing.names("project")),
            sources=tuple(SOURCES),
            initiators=tuple(INITIATORS),
            periods=calendar.PERIODS,
            first_day=first,
            last_day=last,
            timezone=tz,
        )

    return await _answered(service, params, made)


async def export(service: Service, params: questions.ExportParams) -> envelope.Reply:
    """Calls, or groups where a grouping is named: the bytes of `ringlet usage export`."""
    if params.by is not None and groupings(params.by)[1] is not None:
        raise WrongUsage(f"{params.by!r} are two groupings", mend="an export takes one")

    def made() -> Iterator[bytes]:
        standing = service.standing()
        words = {"sort": params.sort, "limit": params.limit, "export": params.format}
        query = _query(service, standing, params, by=params.by, **words)
        return service.export(query, standing, grouped=params.by is not None, format=params.format, raw=params.raw)

    return envelope.Reply(_TYPES[params.format], pieces(service, made), f"ringlet-usage.{params.format}")


def groupings(text: str) -> tuple[str, str | None]:
    """The one or two groupings that `provider,model` names. Raises UnknownName, WrongUsage."""
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in GROUPINGS:
            raise unknown("grouping", name, GROUPINGS)
    if len(names) > 2 or len(set(names)) < len(names):
        raise WrongUsage(f"{text!r} is more than two groupings, or twice the same", mend="name one or two")
    return names[0], names[1] if len(names) > 1 else None


def _query(service: Service, standing: Standing, params: questions.Filters, **more: Any) -> Query:
    request = Request()
    for name in _WORDS:
        setattr(request, name, getattr(params, name))
    split = more.pop("split", None)
    for name, value in more.items():
        setattr(request, name, value)
    return service.query(request, standing, split=split)


def _check_points(query: Query, standing: Standing) -> None:
    """Raises WrongUsage where a range has too many hours, days, weeks or months to be told one by one."""
    days = standing.holding.table(query.tz, query.cost_mode).daily.days
    if query.by != "hour" and query.first_day is None:
        return  # of a clock that was wrong once, `views.query.fill` makes no empty centuries
    first = query.first_day if query.first_day is not None else min(days, default=query.today)
    last = query.today if query.last_day is None else min(query.last_day, max(query.today, max(days, default=query.today)))
    if (last - first + 1) * 24 > POINTS * _HOURS[query.by]:
        raise WrongUsage(f"the range has more than {POINTS:,} {query.by}s", mend="choose larger ones, or a shorter range")


def _key(service: Service, params: Any, standing: Standing) -> tuple[Any, ...]:
    """What makes a question another one: its words, the day it is asked on, and where 24 hours roll the second."""
    today = service.today(params.tz or standing.store.zone)
    return params, today, service.now_us() // 1_000_000 if getattr(params, "period", None) == "24h" else 0


async def _answered(service: Service, params: Any, made: Callable[[Standing], msgspec.Struct]) -> envelope.Encoded:
    """What `made` gives, or gave when the same was asked before and nothing has changed since."""
    if params.tz is not None:
        service.today(params.tz)  # raises for a zone that is none
    standing = await _current(service)
    key = _key(service, params, standing)
    found = service.remembered(key, standing)
    if found is not None:
        return found
    days = (params.tz, params.cost_mode) if isinstance(params, questions.Filters) else (None, None)
    where = soon if standing.holds(*days) else after_loading
    return await where(service, lambda: service.remember(key, standing, made(standing)))


async def _current(service: Service) -> Standing:
    """The store as it is now; whoever comes after a commit is the one who brings it up to date."""
    now = service.standing_now()
    return await soon(service, service.standing) if now is None else now
