"""What the API answers about profiles, agents and prices."""

from cli.ask import WrongUsage
from cli.homes import found
from cli.refresh import opened
from cli.serve.contract import inventory, questions
from cli.serve.handlers import whole
from cli.serve.handlers.work import slowly
from cli.serve.service import Service
from cli.serve.shown import money
from ingest.reader import said
from pipeline.profiles import Rules
from pipeline.providers import billing
from views import calendar
from views.pricing import sync
from views.pricing.book import header
from views.pricing.cost import Rates, Shape, rates_of
from views.query import Query

_MILLION = 1_000_000


async def profiles(service: Service, params: None) -> inventory.Profiles:  # noqa: ARG001
    """Profiles, and the rules that give them usage."""

    def made() -> inventory.Profiles:
        rules = Rules.load(service.paths.profiles)
        known = [rules.find(name) for name in rules.names()]
        return inventory.Profiles(
            **whole.by_standing(service, service.standing()),
            profiles=tuple(
                inventory.ProfileShown(
                    name=each.name,
                    agent=each.agent,
                    provider=each.provider,
                    billing=None if each.provider is None else billing(each.provider),
                    home=None if each.home is None else said(each.home),
                    rules=tuple(
                        inventory.RuleShown(agent=rule.agent, home=None if rule.root is None else said(rule.root), project=rule.project)
                        for rule in rules.rules
                        if rule.profile == each.name
                    ),
                )
                for each in known
            ),
        )

    return await slowly(service, made)


async def agents(service: Service, params: None) -> inventory.Agents:  # noqa: ARG001
    """Agents' homes, and what was found there."""

    def made() -> inventory.Agents:
        with opened(service.paths, service.environ, service.now_us()) as store:
            rows = found(store)
            titles = {adapter.agent: adapter.title for adapter in store.adapters}
            told = whole.by_store(service, store)
        return inventory.Agents(
            **told,
            homes=tuple(
                inventory.AgentHome(
                    agent=row.agent,
                    title=titles[row.agent],
                    home=said(row.home),
                    exists=row.exists,
                    files=row.files,
                    bytes=row.bytes,
                    calls=row.calls,
                    unread_bytes=row.unread_bytes,
                    gone_files=row.gone_files,
                    last_written_at=None if row.last_written_at is None else f"{row.last_written_at:%Y-%m-%dT%H:%M:%SZ}",
                )
                for row in rows
            ),
        )

    return await slowly(service, made)


async def prices(service: Service, params: questions.PricesParams) -> inventory.Prices:
    """What a model costs on a day, or all models that have calls. Raises WrongUsage for a date that is none."""

    def made() -> inventory.Prices:
        day = service.now_us() // calendar.DAY_US if params.at is None else calendar.parse_day(params.at)
        if day is None:
            raise WrongUsage(f"at={params.at!r} is no date", mend="write it as 2026-05-01")
        standing = service.standing()
        store = standing.store
        asked = [(params.provider, params.model)] if params.model is not None else []
        if params.model is None:
            now = service.now_us()
            query = Query(
                now_us=now, today=service.today(store.zone), tz=store.zone, by="provider", split="model", provider=params.provider
            )
            asked = [(row.key, row.part) for row in service.answer(query, standing).rows if row.part is not None]
        declared = store.config.declared_billing()
        _, record = sync.load(store.paths.prices)
        return inventory.Prices(
            **whole.by_standing(service, standing),
            prices=tuple(
                _price(model or "", provider, day, billing(provider, declared), rates_of(store.book, Shape(provider, model, day)))
                for provider, model in sorted(asked, key=lambda pair: (pair[1] or "", pair[0] or ""))
            ),
            prices_until=record.at[:10] if record is not None else header(sync.shipped(), "until"),
        )

    return await slowly(service, made)


def _price(model: str, provider: str | None, day: int, kind: str, columns: list[Rates]) -> inventory.Price:
    row = columns[0] if columns else None
    return inventory.Price(
        model=model,
        provider=provider,
        at=calendar.iso_day(day),
        billing=kind,
        known=row is not None,
        row=None if row is None else row.row,
        rule=None if row is None else row.rule,
        since=None if row is None or row.from_day < 0 else calendar.iso_day(row.from_day),
        origin=None if row is None else row.origin,
        rates=tuple(
            inventory.Rate(
                prompt_over=rates.over,
                input=money(rates.input * _MILLION),
                output=money(rates.output * _MILLION),
                reasoning=money(rates.reasoning * _MILLION),
                cache_read=money(rates.cache_read * _MILLION),
                cache_write_5m=money(rates.cache_write_5m * _MILLION),
                cache_write_1h=money(rates.cache_write_1h * _MILLION),
            )
            for rates in columns
        ),
        web_search_usd=None if row is None else money(row.web_search),
        notes=tuple(dict.fromkeys(note for rates in columns for note in rates.notes)),
    )
