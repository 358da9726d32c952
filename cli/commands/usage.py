"""`ringlet usage`: the options of the full command line.

Decides names, help and completion of the options. The common forms never come here (`cli.gate`); what any form means is `cli.ask`'s
business, and both ways end in `cli.app`.
"""

import os
import sys
from collections.abc import Callable
from typing import Annotated

import typer

from cli.app import asked, check_names, clock, settled
from cli.app import usage as answer
from cli.ask import EXPORT_FORMATS, Request, WrongUsage, unknown
from cli.paths import paths
from cli.refresh import opened
from views.calendar import PERIODS, WEEKDAYS
from views.matching import INITIATORS, SOURCES
from views.query import COST_MODES, GROUPING_NAMES, GROUPINGS, SORTS

app = typer.Typer(add_completion=False)

WORDS = (*GROUPING_NAMES, "blocks", "audit", "export", "chart", "import-claude")

_FILTERS, _OUTPUT, _IMPORT, _AUDIT = "Filters (all must hold)", "Output", "Only for import-claude", "Only for audit"


Completion = Callable[[str], list[str]]


def _starting(words: tuple[str, ...]) -> Completion:
    return lambda incomplete: [word for word in words if word.startswith(incomplete)]


def _names(field: str) -> Completion:
    def complete(incomplete: str) -> list[str]:
        from cli.paths import paths
        from views.snapshot import load

        snapshot = load(paths().views)
        return [name for name in snapshot.names(field) if name.startswith(incomplete)] if snapshot is not None else []

    return complete


@app.command()
def usage(
    what: Annotated[
        str | None,
        typer.Argument(metavar="[WHAT]", help=f"One of {', '.join(WORDS)}; nothing: totals and profiles.", autocompletion=_starting(WORDS)),
    ] = None,
    period: Annotated[str | None, typer.Option(help=f"{', '.join(PERIODS)}, any Nd.", autocompletion=_starting(PERIODS))] = None,
    since: Annotated[str | None, typer.Option(help="First day, 2026-05-01.", metavar="DAY")] = None,
    until: Annotated[str | None, typer.Option(help="Last day, included.", metavar="DAY")] = None,
    by: Annotated[str | None, typer.Option(help=f"Group by {', '.join(GROUPINGS)}.", autocompletion=_starting(GROUPINGS))] = None,
    by_day: Annotated[bool, typer.Option("--by-day", help="The same as --by day.")] = False,
    profile: Annotated[str | None, typer.Option(metavar="NAME", autocompletion=_names("profile"), rich_help_panel=_FILTERS)] = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL", help="An id, also dated or -latest; or a pattern.", autocompletion=_names("model"), rich_help_panel=_FILTERS
        ),
    ] = None,
    provider: Annotated[str | None, typer.Option(metavar="NAME", autocompletion=_names("provider"), rich_help_panel=_FILTERS)] = None,
    agent: Annotated[str | None, typer.Option(metavar="NAME", autocompletion=_names("agent"), rich_help_panel=_FILTERS)] = None,
    project: Annotated[
        str | None, typer.Option(metavar="PATH", help="A path, its last folder, or a pattern.", rich_help_panel=_FILTERS)
    ] = None,
    session: Annotated[
        str | None, typer.Option(metavar="ID", help="An id or its first eight characters.", rich_help_panel=_FILTERS)
    ] = None,
    initiator: Annotated[
        str | None,
        typer.Option(help=f"Who called: {', '.join(INITIATORS)}.", autocompletion=_starting(tuple(INITIATORS)), rich_help_panel=_FILTERS),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(help=f"Where from: {', '.join(SOURCES)}.", autocompletion=_starting(tuple(SOURCES)), rich_help_panel=_FILTERS),
    ] = None,
    sort: Annotated[
        str | None,
        typer.Option(help=f"{', '.join(SORTS)}, each with :asc or :desc.", autocompletion=_starting(SORTS), rich_help_panel=_OUTPUT),
    ] = None,
    limit: Annotated[int | None, typer.Option(help="Show only so many rows.", rich_help_panel=_OUTPUT)] = None,
    classes: Annotated[
        bool, typer.Option("--classes", help="The four token classes instead of in / out.", rich_help_panel=_OUTPUT)
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="The summary as one JSON object.", rich_help_panel=_OUTPUT)] = False,
    export: Annotated[
        str | None,
        typer.Option(
            help=f"Calls, or groups with --by, as {', '.join(EXPORT_FORMATS)}.",
            autocompletion=_starting(EXPORT_FORMATS),
            rich_help_panel=_OUTPUT,
        ),
    ] = None,
    format: Annotated[
        str | None,
        typer.Option(help="The format of `usage export`.", autocompletion=_starting(EXPORT_FORMATS), rich_help_panel=_OUTPUT),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "--out",
            "-o",
            metavar="FILE",
            help="Where an export or a chart goes; - is standard output.",
            rich_help_panel=_OUTPUT,
        ),
    ] = None,
    active: Annotated[bool, typer.Option("--active", help="Of usage blocks: the one that lasts, alone.", rich_help_panel=_OUTPUT)] = False,
    cost: Annotated[bool, typer.Option("--cost", help="In a chart over time: cost, not tokens.", rich_help_panel=_OUTPUT)] = False,
    raw: Annotated[bool, typer.Option("--raw", help="Leave cells as they are that a spreadsheet runs.", rich_help_panel=_OUTPUT)] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on: show the answer anew whenever it changes.", rich_help_panel=_OUTPUT)
    ] = False,
    no_color: Annotated[bool, typer.Option("--no-color", help="No colours, also on a terminal.", rich_help_panel=_OUTPUT)] = False,
    tz: Annotated[str | None, typer.Option(metavar="ZONE", help="IANA zone of the days, such as Europe/Berlin.")] = None,
    week_start: Annotated[str | None, typer.Option(help="First day of the week.", autocompletion=_starting(WEEKDAYS))] = None,
    cost_mode: Annotated[str | None, typer.Option(help=f"{', '.join(COST_MODES)}.", autocompletion=_starting(COST_MODES))] = None,
    no_sync: Annotated[bool, typer.Option("--no-sync", help="Do not look for new log lines first.")] = False,
    invoice: Annotated[
        str | None, typer.Option("--invoice", metavar="FILE", help="A provider's cost export, CSV.", rich_help_panel=_AUDIT)
    ] = None,
    date_column: Annotated[str | None, typer.Option("--date-column", metavar="NAME", rich_help_panel=_AUDIT)] = None,
    model_column: Annotated[str | None, typer.Option("--model-column", metavar="NAME", rich_help_panel=_AUDIT)] = None,
    amount_column: Annotated[str | None, typer.Option("--amount-column", metavar="NAME", rich_help_panel=_AUDIT)] = None,
    claude_dir: Annotated[str | None, typer.Option("--claude-dir", metavar="DIR", rich_help_panel=_IMPORT)] = None,
    to: Annotated[str | None, typer.Option("--to", metavar="PROFILE", rich_help_panel=_IMPORT)] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", rich_help_panel=_IMPORT)] = False,
) -> None:
    """Tokens, cost, sessions and time: today's by profile, or any period in any grouping."""
    if what is not None and what not in WORDS:
        raise unknown("kind of usage table", what, WORDS)
    if what == "import-claude":
        if watch:
            raise WrongUsage("--watch follows a table, not an import", mend="ringlet ingest --watch goes on reading")
        _import_claude(claude_dir, to, dry_run=dry_run)
        return
    if claude_dir or to or dry_run:
        raise WrongUsage("--claude-dir, --to and --dry-run belong to usage import-claude", mend="leave them out")
    if by_day and by not in (None, "day"):
        raise WrongUsage(f"--by-day and --by {by} are two groupings", mend="give one of them")
    request = Request()
    request.what = what if what in GROUPING_NAMES else None
    request.by = "day" if by_day else by
    request.export = _export_format(what, export, format)
    if json and request.export is not None:
        raise WrongUsage("--json is the summary, not an export", mend="leave it out, or add --format json to usage export")
    request.chart = what == "chart"
    if request.chart and (json or raw or request.export is not None):
        raise WrongUsage("a chart is a picture: --json, --raw and exports are something else", mend="leave them out")
    if cost and not request.chart:
        raise WrongUsage("--cost belongs to usage chart", mend="leave it out")
    request.blocks, request.active = what == "blocks", active
    if active and not request.blocks:
        raise WrongUsage("--active belongs to usage blocks", mend="write ringlet usage blocks --active")
    if request.blocks and (request.by is not None or request.export is not None):
        raise WrongUsage("blocks are a grouping, and no export has them", mend="leave --by and --export out; --json has every field")
    if (output or raw) and request.export is None and not request.chart:
        raise WrongUsage("--output and --raw belong to an export", mend="add --export csv")
    request.output, request.raw = None if output == "-" else output, raw
    request.period, request.since, request.until = period, since, until
    request.profile, request.model, request.provider, request.agent = profile, model, provider, agent
    request.project, request.session, request.initiator, request.source = project, session, initiator, source
    request.sort, request.limit, request.classes, request.json = sort, limit, classes, json
    request.tz, request.week_start, request.cost_mode = tz, week_start, cost_mode
    request.sync, request.color = not no_sync, not no_color
    columns = {"date": date_column, "model": model_column, "amount": amount_column}
    if invoice is None and any(columns.values()):
        raise WrongUsage("--date-column and its like name columns of an invoice", mend="add --invoice FILE")
    if watch:
        if what == "audit":
            raise WrongUsage("an audit does not go on", mend="leave --watch out")
        if sys.platform == "win32":
            raise WrongUsage("--watch needs signals that there are none of here", mend="the page shows news: ringlet daemon start")
        from cli.follow import follow  # listening and signals: only who goes on

        raise typer.Exit(follow(request))
    if what == "audit":
        raise typer.Exit(_audit(request, invoice, columns))
    if invoice is not None:
        raise WrongUsage("--invoice belongs to usage audit", mend="write ringlet usage audit --invoice FILE")
    if request.chart:
        from cli.picture import checked  # the chart libraries: half a second

        request.by, request.cost = request.by or "day", cost
        checked(request)
    raise typer.Exit(answer(request))


def _export_format(what: str | None, export: str | None, format: str | None) -> str | None:
    if format is not None and what != "export":
        raise WrongUsage("--format belongs to usage export", mend=f"write ringlet usage --export {format}")
    wanted = export or format or ("csv" if what == "export" else None)
    if wanted is not None and wanted not in EXPORT_FORMATS:
        raise unknown("format", wanted, EXPORT_FORMATS)
    if export and format and export != format:
        raise WrongUsage(f"--export {export} and --format {format} are two formats", mend="give one of them")
    return wanted


def _audit(request: Request, invoice: str | None, columns: dict[str, str | None]) -> int:
    if request.by is not None or request.export is not None or request.sort is not None or request.limit is not None:
        raise WrongUsage("an audit has no grouping, order, limit or export", mend="leave them out; --json has every field")
    request.period = request.period or ("all" if request.since is None and request.until is None else None)
    now = clock()
    with opened(paths(), os.environ, now) as store:
        from cli.audit import audit  # the frame library: 100 ms

        store.refreshed(sync=request.sync)

        def told() -> tuple[str, int]:
            query = asked(request, store.snapshot, now)
            check_names(query, store.snapshot, store)
            return audit(request, query, store, invoice, columns)

        text, code = settled(store, told)
    sys.stdout.write(text)
    return code


def _import_claude(claude_dir: str | None, to: str | None, *, dry_run: bool) -> None:
    from cli.commands.imports import run  # only this word imports

    raise typer.Exit(run("claude", to=to, path=claude_dir, dry_run=dry_run))
