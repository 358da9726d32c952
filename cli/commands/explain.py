"""`ringlet explain`: from a total to its calls, their places in the logs, and the prices used."""

import os
import sys
from typing import Annotated

import typer

from cli.app import asked, check_names, clock, settled
from cli.ask import Request, WrongUsage
from cli.paths import paths
from cli.refresh import opened
from views.matching import INITIATORS, SOURCES
from views.query import COST_MODES

app = typer.Typer(add_completion=False)


@app.command()
def explain(
    call_key: Annotated[str | None, typer.Argument(metavar="[CALL_KEY]", help="A call, by its key or the first digits of it.")] = None,
    day: Annotated[str | None, typer.Option(metavar="DAY", help="One day, 2026-05-01.")] = None,
    period: Annotated[str | None, typer.Option(help="As of ringlet usage.")] = None,
    since: Annotated[str | None, typer.Option(metavar="DAY", help="First day.")] = None,
    until: Annotated[str | None, typer.Option(metavar="DAY", help="Last day, included.")] = None,
    profile: Annotated[str | None, typer.Option(metavar="NAME")] = None,
    provider: Annotated[str | None, typer.Option(metavar="NAME")] = None,
    model: Annotated[str | None, typer.Option(metavar="MODEL")] = None,
    agent: Annotated[str | None, typer.Option(metavar="NAME")] = None,
    project: Annotated[str | None, typer.Option(metavar="PATH")] = None,
    session: Annotated[str | None, typer.Option(metavar="ID")] = None,
    initiator: Annotated[str | None, typer.Option(help=f"Who called: {', '.join(INITIATORS)}.")] = None,
    source: Annotated[str | None, typer.Option(help=f"Where from: {', '.join(SOURCES)}.")] = None,
    limit: Annotated[int | None, typer.Option(help="Show only so many calls.")] = None,
    tz: Annotated[str | None, typer.Option(metavar="ZONE", help="IANA zone of the days.")] = None,
    cost_mode: Annotated[str | None, typer.Option(help=f"{', '.join(COST_MODES)}.")] = None,
    no_sync: Annotated[bool, typer.Option("--no-sync", help="Do not look for new log lines first.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, all calls included.")] = False,
) -> None:
    """What a total is made of: parts, calls, files, prices, and the records that were dropped. Today's without dates."""
    filters = (period, since, until, profile, provider, model, agent, project, session, initiator, source, day, limit)
    if call_key is not None and any(each is not None for each in filters):
        raise WrongUsage("a call's key and filters exclude each other", mend="give one of them")
    if day is not None and (period, since, until) != (None, None, None):
        raise WrongUsage("--day and --period, --since, --until exclude each other", mend="give one of them")
    request = Request()
    request.period, request.since, request.until = period, day or since, day or until
    request.profile, request.provider, request.model, request.agent = profile, provider, model, agent
    request.project, request.session, request.limit, request.tz = project, session, limit, tz
    request.initiator, request.source, request.cost_mode = initiator, source, cost_mode
    request.json, request.sync = json, not no_sync
    if call_key is not None:
        request.period = "all"
    now = clock()
    with opened(paths(), os.environ, now) as store:
        from cli.sightings import prepared

        store.refreshed(sync=request.sync)
        known = prepared(store)
        from cli import explain as told  # the frame library: 100 ms, and no child may be forked once it is there

        def text() -> str:
            query = asked(request, store.snapshot, now)
            check_names(query, store.snapshot, store)
            return told.total(request, query, store, known) if call_key is None else told.call(request, call_key, query, store, known)

        sys.stdout.write(settled(store, text))
