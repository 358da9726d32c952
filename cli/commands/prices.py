"""`ringlet prices`: what a model costs on a day, by which row and by which rule."""

from datetime import UTC, datetime
from typing import Annotated

import msgspec
import typer

from cli import config
from cli.listed import origin, since
from cli.paths import paths
from pipeline.errors import NothingFound, UnknownName
from pipeline.providers import billing
from views.pricing import listing
from views.pricing.book import open_book
from views.pricing.cost import Rates, Shape, rates_of
from views.pricing.models import is_model
from views.pricing.money import dollars

app = typer.Typer(help="Prices of models, as of a date.", no_args_is_help=True, add_completion=False)

_CLASSES = ("input", "output", "reasoning", "cache_read", "cache_write_5m", "cache_write_1h")


@app.callback()
def prices() -> None:
    """Prices of models, as of a date."""


@app.command()
def show(
    model: Annotated[str, typer.Argument(help="Model as an agent logs it.")],
    at: Annotated[str | None, typer.Option("--at", metavar="YYYY-MM-DD", help="Day of the call (UTC); today without it.")] = None,
    provider: Annotated[str | None, typer.Option("--provider", help="Who bills, as the log names it.")] = None,
    tier: Annotated[str | None, typer.Option("--tier", help="Service tier: batch, flex, priority …")] = None,
    speed: Annotated[str | None, typer.Option("--speed", help="Speed: fast.")] = None,
    geo: Annotated[str | None, typer.Option("--geo", help="Inference region: us.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show which row prices MODEL, why that one, since when, and its rates in US dollars per million tokens."""
    where = paths()
    settings = config.load(where.config)
    day = _day(at)
    book = open_book(where.prices, settings.price_table())
    columns = rates_of(book, Shape(provider, model, day, 0, tier, speed, geo))
    kind = billing(provider, settings.declared_billing())
    if not columns:
        why = "no price is listed for it" if is_model(model) else "this names no model, so nothing is known about its price"
        named = f" of provider {provider!r}" if provider else ""
        mend = f'ringlet registry sync fetches newer prices; [tokenPriceTable."{model}"] in {where.config} sets your own'
        raise NothingFound(f"{model!r}{named} on {listing.iso(day)}: {why}", mend=mend)
    if json:
        typer.echo(msgspec.json.encode(_facts(model, provider, kind, day, columns)).decode())
        return
    found = columns[0]
    if kind != "metered":
        typer.echo(f"{provider} is {kind}: its calls are counted without a cost. Were they billed per token:")
    listed = since(None if found.from_day < 0 else listing.iso(found.from_day), before=found.from_day > day)
    typer.echo(f"model  {model} on {listing.iso(day)}{f', provider {provider} ({kind})' if provider else ''}")
    typer.echo(f"row    {found.row}{f' ({found.provider})' if found.provider else ''}, {listed}, from {origin(found.origin)}")
    typer.echo(f"rule   {found.rule}")
    heads = ["USD per million", *("" if not rates.over else f"over {rates.over:,}" for rates in columns)]
    typer.echo("".join([f"{heads[0]:<16}", *(f"{head:>14}" for head in heads[1:])]).rstrip())
    for name in _CLASSES:
        typer.echo(f"  {name:<14}" + "".join(f"{dollars(getattr(rates, name) * 1_000_000):>14}" for rates in columns))
    typer.echo(f"  {'web search':<14}" + "".join(f"{dollars(rates.web_search):>14}" for rates in columns) + "  each")
    for note in dict.fromkeys(note for rates in columns for note in rates.notes):
        typer.echo(f"note   {note}")


def _facts(model: str, provider: str | None, kind: str, day: int, columns: list[Rates]) -> dict[str, object]:
    found = columns[0]
    return {
        "model": model,
        "at": listing.iso(day),
        "provider": provider,
        "billing": kind,
        "row": found.row,
        "row_provider": found.provider or None,
        "rule": found.rule,
        "from": None if found.from_day < 0 else listing.iso(found.from_day),
        "origin": found.origin,
        "usd_per_million": [
            {"prompt_over": rates.over} | {name: dollars(getattr(rates, name) * 1_000_000) for name in _CLASSES} for rates in columns
        ],
        "web_search_usd": dollars(found.web_search),
        "notes": list(dict.fromkeys(note for rates in columns for note in rates.notes)),
    }


def _day(at: str | None) -> int:
    try:
        return listing.day_of(datetime.now(UTC).date() if at is None else at)
    except listing.Unbelievable as why:
        raise UnknownName(f"--at: {why}") from None
