"""`ringlet registry`: the price book's own upkeep. The only command that fetches prices, and only when asked."""

import asyncio
import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated

import msgspec
import typer

from cli import config
from cli.ask import WrongUsage
from cli.escaped import escaped
from cli.figures import many, usd
from cli.paths import Paths, paths
from pipeline import durable
from pipeline.errors import NothingFound, RingletError
from views.pricing import listing, sync
from views.pricing.book import SYNCED, Book, header
from views.snapshot_text import Day
from views.tally import NUMBERS

app = typer.Typer(help="The price book: what it holds, and fetching newer prices.", no_args_is_help=True, add_completion=False)

LITELLM = "https://raw.githubusercontent.com/BerriAI/litellm/main/model_prices_and_context_window.json"
TIMEOUT_S = 60
_COSTS = [at for at, name in enumerate(NUMBERS) if name.startswith("cost_")]
NAMED = 10
"""How many rejected rows are named on the terminal; `registry inspect` names all."""


@app.command("sync")
def sync_(
    force: Annotated[bool, typer.Option("--force", help="Fetch even if the server says that nothing changed.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Fetch nothing: use the file that was fetched last.")] = False,
    url: Annotated[str, typer.Option("--url", help="Price file in LiteLLM's format, http or https.")] = LITELLM,
    file: Annotated[str | None, typer.Option("--file", help="Price file on this machine instead.")] = None,
) -> None:
    """Add what LiteLLM lists today to the price book. Rows are only added: what a past call cost stays as it was."""
    where = paths()
    now = datetime.now(UTC)
    synced, before = sync.load(where.prices)
    whole = synced and sync.latest(where.prices)
    known = before.etag if before is not None and before.source == url and whole and not force else None
    if file is not None:
        source, body, etag = file, _from_file(file), None
    elif offline:
        source, body, etag = before.source if before else url, sync.latest(where.prices), before.etag if before else None
        if not body:
            typer.echo(f"No price file was ever fetched into {where.prices}; the shipped prices hold: {_shipped()}")
            return
    else:
        source = url
        body, etag = asyncio.run(_download(url, known))
        if not body:
            typer.echo(f"✓ Nothing new at {url} since {before.at if before else 'the last sync'}")
            return
    listed = sync.read(body, source)
    day = (now.date() - listing.EPOCH).days
    added = sync.add(sync.shipped(), synced, listed, day)
    months = _months(where, synced, added.text)
    record = sync.Record(
        source=source,
        at=before.at if offline and before else now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        etag=etag,
        models=len(listed.models),
        new=len(added.new),
        changed=len(added.changed),
        rejected=listed.rejected,
    )
    durable.prepare_home(where.data, create=True)
    sync.keep(where.prices, body, added, record)
    same = len(listed.models) - len(added.new) - len(added.changed)
    typer.echo(f"✓ Read {many(len(listed.models), 'language model')} from {source}")
    typer.echo(f"✓ {len(added.new):,} new, {len(added.changed):,} with other prices from {listing.iso(day)} on, {same:,} as before")
    if listed.rejected:
        names = list(listed.rejected)
        more = f" and {len(names) - NAMED:,} more (ringlet registry inspect)" if len(names) > NAMED else ""
        typer.echo(f"! {many(len(names), 'row')} left out without a believable price: {escaped(', '.join(names[:NAMED]))}{more}")
    if months is None:
        return
    typer.echo("✓ Your history, month by month:" if months else "✓ Nothing in your history costs another amount")
    for month, cost_before, cost_after in months:
        typer.echo(f"  {month}  {usd(cost_before or None)} -> {usd(cost_after or None)}")


@app.command()
def inspect(json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Show where prices come from, how old they are and where the files lie."""
    where = paths()
    shipped = sync.shipped()
    synced, record = sync.load(where.prices)
    own = config.load(where.config).token_prices
    facts = {
        "path": where.prices,
        "shipped": {name: header(shipped, name) for name in ("source", "from", "until", "models", "rows", "corrections")},
        "synced": None
        if record is None
        else {
            "path": f"{where.prices}/{SYNCED}",
            "file": f"{where.prices}/{sync.LATEST}",
            "source": record.source,
            "at": record.at,
            "etag": record.etag,
            "models_listed": record.models,
            "models_with_own_rows": int(header(synced, "models") or 0),
            "rejected": record.rejected,
        },
        "token_price_table": {"path": where.config, "models": sorted(own)},
    }
    if json:
        typer.echo(msgspec.json.encode(facts).decode())
        return
    typer.echo(f"prices    {where.prices}")
    typer.echo(f"shipped   {_shipped()}")
    if record is None:
        typer.echo("synced    never; ringlet registry sync fetches today's prices")
    else:
        typer.echo(f"synced    {record.at} from {record.source}")
        typer.echo(
            f"          {many(record.models, 'model')} listed, {header(synced, 'models') or 0} with rows of their own, file {sync.LATEST}"
        )
        for name, why in record.rejected.items():
            typer.echo(f"left out  {escaped(name)}: {why}")
    typer.echo(f"yours     {len(own)} in [tokenPriceTable] of {where.config}{': ' + ', '.join(sorted(own)) if own else ''}")


def _months(where: Paths, synced: bytes, text: bytes) -> list[tuple[str, int, int]] | None:
    """The months of the user's history that cost another amount by the new rows; None where there is no history."""
    if not os.path.exists(where.journal):
        return None
    from cli.refresh import opened  # loads the log and the adapters

    with opened(where, os.environ, time.time_ns() // 1000) as store:
        books = [Book(sync.shipped(), rows, store.config.price_table()) for rows in (synced, text)]
        before, after = (_cost_by_month(store.priced_with(book)) for book in books)
    return sync.difference(before, after)


def _cost_by_month(days: Mapping[int, Day]) -> dict[str, int]:
    costs: dict[str, int] = {}
    for number, day in days.items():
        month = listing.iso(number)[:7]
        costs[month] = costs.get(month, 0) + sum(sum(numbers[at] for at in _COSTS) for numbers in day.cells.values())
    return costs


def _shipped() -> str:
    text = sync.shipped()
    return f"{int(header(text, 'models')):,} models, {header(text, 'from')} to {header(text, 'until')}, week by week"


def _from_file(path: str) -> bytes:
    try:
        with open(path, "rb") as opened:
            return opened.read(sync.LARGEST_BYTES + 1)
    except FileNotFoundError:
        raise NothingFound("no such file", where=path, mend="give --file an existing price file") from None


async def _download(url: str, etag: str | None) -> tuple[bytes, str | None]:
    """(body, ETag); an empty body where the server says that nothing changed since `etag`."""
    import aiohttp  # only a sync pays for it

    headers = {"Accept": "application/json", **({"If-None-Match": etag} if etag else {})}
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S), trust_env=True) as session,
            session.get(url, headers=headers) as reply,
        ):
            if reply.status == 304 and etag:
                return b"", etag
            if reply.status != 200:
                raise RingletError(f"the server answered {reply.status}; the prices stay as they are", where=url)
            body = bytearray()
            async for chunk in reply.content.iter_chunked(1 << 16):
                body += chunk
                if len(body) > sync.LARGEST_BYTES:
                    raise RingletError(f"larger than {sync.LARGEST_BYTES // 2**20} MiB; the prices stay as they are", where=url)
            return bytes(body), reply.headers.get("ETag")
    except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError):
        raise WrongUsage(f"{url!r} is no http or https address", mend="give --url a whole one, or --file a file") from None
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        why = str(error) or type(error).__name__
        raise RingletError(f"could not be fetched ({why}); the prices stay as they are", where=url, mend="try again later") from None
