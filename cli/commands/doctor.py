"""`ringlet doctor`: is the store well, is every log line accounted for, and what mends what is not."""

import os
import time
from typing import Annotated

import msgspec
import typer

from cli.escaped import escaped
from cli.examine import examine
from cli.figures import many
from cli.lost import listed
from cli.outcomes import DOCTOR_DAMAGE, DOCTOR_WARNINGS, DONE, NOT_FOUND
from cli.paths import Paths, paths
from cli.refresh import Store, opened
from cli.report import Finding, Report
from pipeline import durable
from pipeline.check import repair as repaired
from pipeline.errors import Damaged

app = typer.Typer(add_completion=False)

SHOWN = 20
"""How many sources and findings of one area are listed; `--json` has all."""

_MARKS = {"note": "·", "warning": "!", "damage": "✗"}
_CODES = {"well": DONE, "warnings": DOCTOR_WARNINGS, "damage": DOCTOR_DAMAGE}


@app.command()
def doctor(
    deep: Annotated[bool, typer.Option("--deep", help="Also read every segment back and compare it with what was written.")] = False,
    repair: Annotated[
        bool, typer.Option("--repair", help="Mend what can be mended: rebuild the journal from the log, read sources again.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check the store and account for every log line. Exit code 0: well, 1: warnings, 5: damage."""
    where = paths()
    if not _begun(where):
        typer.echo(f"ringlet: nothing is recorded in {escaped(where.data)} yet; ringlet usage reads the agents' logs", err=True)
        raise typer.Exit(NOT_FOUND)
    mended: list[str] = []
    opens = True
    try:
        report = _examined(where, mended, deep=deep, repair=repair)
    except Damaged as error:
        # What it takes to look at the rest is damaged itself: that much is found.
        finding = Finding(level="damage", area="store", what=error.what, where=error.where, mend=error.mend)
        report, opens = Report(status="damage", findings=[finding]), False
    if json:
        typer.echo(msgspec.json.format(msgspec.json.encode({"mended": mended, **msgspec.to_builtins(report)}), indent=2).decode())
    else:
        for line in mended:
            typer.echo(f"✓ {line}")
        typer.echo(f"Store      {escaped(where.data)}")
        if opens:
            _tell_sums(report)
        _tell_findings(report)
    raise typer.Exit(_CODES[report.status])


def _examined(where: Paths, mended: list[str], *, deep: bool, repair: bool) -> Report:
    """What is found, after repairs where they are wanted; what was mended is added to `mended`. Raises Damaged."""
    now_us = time.time_ns() // 1000
    if repair:
        mended += _repaired(where, now_us)
    with opened(where, os.environ, now_us) as store:
        mended += store.log.mended
        report = examine(store, deep=deep)
        if repair and any(each.level == "damage" and each.area == "views" for each in report.findings):
            mended.append(_views_anew(store))
            report = examine(store, deep=deep)
    return report


def _begun(where: Paths) -> bool:
    """Whether there is a store. Raises RingletError for one that must not be looked into."""
    try:
        durable.prepare_home(where.data, create=False)
    except FileNotFoundError:
        return False
    return os.path.exists(where.journal) or os.path.isdir(where.data + "/events")


def _repaired(where: Paths, now_us: int) -> list[str]:
    """What was mended, in sentences. A rebuilt journal reads its sources again, so that every record is accounted for."""
    told = repaired(where.data)
    with opened(where, os.environ, now_us) as store:
        store.refreshed()
    return told


def _views_anew(store: Store) -> str:
    """What was done: views hold nothing that the log does not."""
    from cli.deep import terms_of  # the frame library, which few repairs need
    from views import materialize

    materialize.refresh(store.paths.views, store.log, terms_of(store), full=True)
    return "the views were made anew from the log"


def _tell_sums(report: Report) -> None:
    live = [each for each in report.sources if not each.gone]
    typer.echo(
        f"Log        {many(report.calls, 'call')} in {many(report.segments, 'segment')}, {many(report.hot_rows, 'row')} not yet sealed"
    )
    typer.echo(f"Sources    {len(live):,} there, {len(report.sources) - len(live):,} gone (what they held is kept)")
    sums = {
        name: sum(getattr(each, name) for each in report.sources)
        for name in ("lines", "new", "updated", "duplicate", "ignored", "quarantined")
    }
    typer.echo(
        f"Records    {sums['lines']:,} = {sums['new']:,} new + {sums['updated']:,} updated + {sums['duplicate']:,} duplicate"
        f" + {sums['ignored']:,} ignored by rule + {sums['quarantined']:,} quarantined"
    )
    for name, count in report.seen.items():
        typer.echo(f"Counted    {count:,} {escaped(name.replace('_', ' '))}")


def _tell_findings(report: Report) -> None:
    by_area: dict[str, list[Finding]] = {}
    for finding in report.findings:
        by_area.setdefault(finding.area, []).append(finding)
    for area, found in by_area.items():
        for finding in found[:SHOWN]:
            place = f" ({finding.where})" if finding.where else ""
            mend = f"; {finding.mend}" if finding.mend else ""
            typer.echo(f"{_MARKS[finding.level]} {area}: {escaped(finding.what)}{place}{mend}")
            if area == "lost history" and finding is found[0]:
                for line in listed(report.lost_history, SHOWN):
                    typer.echo(line)
        if len(found) > SHOWN:
            typer.echo(f"  {area}: {len(found) - SHOWN} more (ringlet doctor --json)")
    typer.echo({"well": "All is well.", "warnings": "Warnings, no damage.", "damage": "There is damage."}[report.status])
