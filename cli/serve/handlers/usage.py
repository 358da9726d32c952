"""What the API answers about usage."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from cli.ask import Request, WrongUsage, unknown
from cli.serve import contract, shown
from cli.serve.service import Service
from views import calendar
from views.matching import INITIATORS, SOURCES
from views.query import FILTERS, GROUPINGS, Query

T = TypeVar("T")

PARTS = ("initiator", "source", "provider", "model", "profile", "agent")
"""What the points of a series can be divided into."""


async def summary(service: Service, params: contract.Filters) -> contract.Usage:
    """Totals and profiles."""
    return await _computed(service, lambda: shown.usage(service.answer(_query(service, params)), service.told()))


async def rollup(service: Service, params: contract.RollupParams) -> contract.Rollup:
    """Rows by one grouping or two."""
    by, split = groupings(params.by)

    def made() -> contract.Rollup:
        query = _query(service, params, by=by, split=split, sort=params.sort, limit=params.limit)
        return shown.rollup(service.answer(query), service.told())

    return await _computed(service, made)


async def series(service: Service, params: contract.SeriesParams) -> contract.Series:
    """Points in time, those without a call too."""
    if params.by is not None and params.by not in PARTS:
        raise unknown("division of a series", params.by, PARTS)

    def made() -> contract.Series:
        points = service.answer(_query(service, params, by=params.bucket))
        parts = None if params.by is None else service.answer(_query(service, params, by=params.bucket, split=params.by))
        return shown.series(points, parts, service.told())

    return await _computed(service, made)


async def filters(service: Service, params: contract.FilterValuesParams) -> contract.FilterValues:
    """Values that occur."""

    def made() -> contract.FilterValues:
        def names(by: str, provider: str | None = None) -> tuple[str, ...]:
            words = contract.Filters(period="all", tz=params.tz, provider=provider)
            rows = service.answer(_query(service, words, by=by)).rows
            return tuple(sorted(row.key for row in rows if row.key is not None))

        every = service.answer(_query(service, contract.Filters(period="all", tz=params.tz))).totals
        tz = _query(service, contract.Filters(tz=params.tz)).tz
        return contract.FilterValues(
            **service.told(),
            unpriced_requests=every.unpriced_requests,
            recorded=every.requests > 0,
            profiles=names("profile"),
            providers=names("provider"),
            models=names("model", params.provider),
            agents=names("agent"),
            projects=names("project"),
            sources=tuple(SOURCES),
            initiators=tuple(INITIATORS),
            periods=calendar.PERIODS,
            first_day=None if every.first_at_us is None else calendar.iso_day(calendar.day_at(tz, every.first_at_us)),
            last_day=None if every.last_at_us is None else calendar.iso_day(calendar.day_at(tz, every.last_at_us)),
            timezone=tz,
        )

    return await _computed(service, made)


def groupings(text: str) -> tuple[str, str | None]:
    """The one or two groupings that `provider,model` names. Raises UnknownName, WrongUsage."""
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in GROUPINGS:
            raise unknown("grouping", name, GROUPINGS)
    if len(names) > 2:
        raise WrongUsage(f"{len(names)} groupings", mend="name one or two")
    return names[0], names[1] if len(names) > 1 else None


def _query(service: Service, params: contract.Filters, **more: Any) -> Query:
    request = Request()
    for name in (*FILTERS, "period", "since", "until", "tz", "week_start", "cost_mode"):
        setattr(request, name, getattr(params, name))
    split = more.pop("split", None)
    for name, value in more.items():
        setattr(request, name, value)
    return service.query(request, split=split)


async def _computed(service: Service, work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(service.pool, work)
