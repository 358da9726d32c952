"""`ringlet providers`: who can bill for calls, and how each bills."""

from typing import Annotated

import msgspec
import typer

from cli import config
from cli.commands.listed import Listed
from cli.paths import paths
from pipeline.errors import UnknownName
from pipeline.profiles import Rules
from pipeline.providers import billing, known

app = typer.Typer(cls=Listed, add_completion=False)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

_MEANING = {
    "metered": "billed per token: calls are priced from the price book",
    "managed": "billed elsewhere (a seat, a plan, a gateway): tokens are counted, no cost",
    "local": "runs on this machine or network: tokens are counted, no cost",
}


@app.callback()
def providers() -> None:
    """Providers: who bills for calls, and how. Without a command, the list."""


@app.command("list")
def list_(json: Json = False) -> None:
    """List the providers and how each one bills."""
    declared = config.load(paths().config).declared_billing()
    names = sorted({name for name, _ in known()} | set(declared))
    rows = [(name, billing(name, declared), "configuration" if name in declared else "ringlet") for name in names]
    if json:
        typer.echo(msgspec.json.encode([dict(zip(("provider", "billing", "declared_by"), row, strict=True)) for row in rows]).decode())
        return
    width = max(len(name) for name in names)
    typer.echo(f"{'PROVIDER':<{width}}  BILLING  DECLARED BY")
    for name, kind, source in rows:
        typer.echo(f"{name:<{width}}  {kind:<7}  {source}")


@app.command()
def inspect(
    provider: Annotated[str, typer.Argument(help="Name of the provider, as profiles and logs write it.")], json: Json = False
) -> None:
    """Show how one provider bills and which profiles use it."""
    where = paths()
    declared = config.load(where.config).declared_billing()
    users = [profile.name for profile in Rules.load(where.profiles).profiles if profile.provider == provider]
    there = {name for name, _ in known()} | set(declared)
    if provider.lower() not in there and not users:
        raise UnknownName(
            f"no provider {provider!r}; there are: {', '.join(sorted(there))}",
            mend=f"declare it in {where.config} as [providers.{provider}]",
        )
    kind = billing(provider, declared)
    if json:
        typer.echo(msgspec.json.encode({"provider": provider, "billing": kind, "profiles": users}).decode())
        return
    typer.echo(f"{provider}: {kind} ({_MEANING[kind]})")
    typer.echo(f"profiles: {', '.join(users) if users else 'none'}")
