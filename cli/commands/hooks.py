"""`ringlet hooks`: who is told when money is spent, and what agents run on their own events.

Decides options, tables and completion. What a hook is, when it is due and how it is told is `cli.hooks`' and `views.alerts`' business.
"""

import os
import secrets
import sys
import time
from datetime import datetime
from itertools import islice
from typing import Annotated, Any

import msgspec
import typer

from cli import config, zone
from cli.ask import WrongUsage
from cli.escaped import escaped
from cli.figures import many
from cli.hooks import book, carrying, making, message, shell, shown, telling, tool_events
from cli.hooks.book import Hook
from cli.padded import padded
from cli.paths import Paths, paths
from cli.serve import state
from pipeline.errors import RingletError
from pipeline.outbox import Outbox
from pipeline.profiles import Rules
from views import calendar

app = typer.Typer(
    help="Hooks: be told when money is spent, and have agents run commands on their events.", no_args_is_help=True, add_completion=False
)

_SPEND, _TOOL = "For cost-threshold and daily-rollup", "For tool events"
_SHOWN = 20


def _profiles(incomplete: str) -> list[str]:
    return [name for name in Rules.load(paths().profiles).names() if name.startswith(incomplete)]


def _ids(incomplete: str) -> list[str]:
    return [hook.id for hook in book.load(paths().hooks).hooks if hook.id.startswith(incomplete)]


def _events(incomplete: str) -> list[str]:
    return [event for event in (*book.SPEND, *tool_events.EVENTS) if event.lower().startswith(incomplete.lower())]


def _periods(incomplete: str) -> list[str]:
    return [period for period in making.PERIODS if period.startswith(incomplete)]


Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="The hook, as ringlet hooks list names it.", autocompletion=_ids)]
Profile = Annotated[str, typer.Argument(metavar="PROFILE", help="Whose spend, or whose agent.", autocompletion=_profiles)]
AnyProfile = Annotated[
    str | None, typer.Argument(metavar="[PROFILE]", help="Only this profile's; without it, all.", autocompletion=_profiles)
]


@app.command()
def add(
    profile: Profile,
    event: Annotated[
        str | None, typer.Argument(metavar="EVENT", help="Short form for tool events: EVENT MATCHER COMMAND.", autocompletion=_events)
    ] = None,
    matcher_word: Annotated[str | None, typer.Argument(metavar="MATCHER", help="Tools such as 'Bash|Write'; * for all.")] = None,
    command: Annotated[str | None, typer.Argument(metavar="COMMAND", help="What the agent runs.")] = None,
    on: Annotated[
        str | None, typer.Option("--on", metavar="EVENT", help="cost-threshold, daily-rollup, or a tool event.", autocompletion=_events)
    ] = None,
    period: Annotated[
        str | None, typer.Option(help="Of cost-threshold: day, week or month.", autocompletion=_periods, rich_help_panel=_SPEND)
    ] = None,
    threshold: Annotated[str | None, typer.Option(metavar="USD", help="Tell once this much is spent.", rich_help_panel=_SPEND)] = None,
    of: Annotated[str | None, typer.Option(metavar="USD", help="The budget that this is a part of.", rich_help_panel=_SPEND)] = None,
    at: Annotated[
        str | None, typer.Option(metavar="HH:MM", help=f"Of daily-rollup: when, by default {book.AT}.", rich_help_panel=_SPEND)
    ] = None,
    webhook: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Send a message there; - reads the address from standard input.", rich_help_panel=_SPEND),
    ] = None,
    shell: Annotated[
        str | None, typer.Option(metavar="COMMAND", help="Run this; it finds the message in RINGLET_* and on standard input.")
    ] = None,
    allow_http: Annotated[bool, typer.Option("--allow-http", help="Send unencrypted.", rich_help_panel=_SPEND)] = False,
    allow_private: Annotated[
        bool, typer.Option("--allow-private", help="The address may lead to this machine or its networks.", rich_help_panel=_SPEND)
    ] = False,
    matcher: Annotated[
        str | None, typer.Option(metavar="TOOLS", help="Tools such as 'Bash|Write'; * for all.", rich_help_panel=_TOOL)
    ] = None,
    settings: Annotated[
        str | None, typer.Option(metavar="FILE", help="This settings file, not that of the profile's agent home.", rich_help_panel=_TOOL)
    ] = None,
    json: Json = False,
) -> None:
    """Add a hook: on spend, which whoever watches evaluates, or on an event of the agent's, which the agent runs itself."""
    if (event is None) == (on is None) or (event is not None and (command is None or shell is not None or matcher is not None)):
        raise WrongUsage("a hook needs one event", mend="ringlet hooks add PROFILE --on EVENT …, or PROFILE EVENT MATCHER COMMAND")
    where = paths()
    wanted = making.Wanted(
        profile=profile,
        on=on or event or "",
        period=period,
        threshold=threshold,
        of=of,
        at=at,
        webhook=_typed() if webhook == "-" else webhook,
        allow_http=allow_http,
        allow_private=allow_private,
        shell=command if event else shell,
        matcher=matcher_word if event else matcher,
        settings=settings,
    )
    hook = making.checked(wanted, where)
    new = making.add(where, [hook])
    kept = hook if new else next(known for known in book.load(where.hooks).hooks if known.same_as(hook))
    if json:
        secret = {"signing_secret": hook.signing} if new and hook.signing else {}
        typer.echo(msgspec.json.encode({**shown.fields(kept), "new": bool(new), **secret}).decode())
        return
    if not new:
        typer.echo(f"Hook {kept.id} does that already")
        return
    typer.echo(f"✓ Hook {hook.id}: {shown.described(hook)} -> {shown.target(hook)}")
    if hook.signing is not None:
        typer.echo(f"  Messages are signed with {hook.signing}")
        typer.echo("  This secret is shown only now; docs/hooks.md tells how a receiver checks it.")
    _tell_watcher(where, [hook])


@app.command("list")
def list_(profile: AnyProfile = None, json: Json = False) -> None:
    """List the hooks. Addresses are secrets: only their host is shown."""
    where = paths()
    rules = Rules.load(where.profiles)
    if profile is not None:
        rules.find(profile)
    hooks = book.load(where.hooks).of(profile)
    if json:
        typer.echo(msgspec.json.encode([shown.fields(hook) for hook in hooks]).decode())
        return
    if not hooks:
        typer.echo("There are no hooks: ringlet hooks add --help")
        return
    rows = [
        ("ID", "PROFILE", "WHEN", "TELLS"),
        *((hook.id, escaped(hook.profile), shown.described(hook), shown.target(hook)) for hook in hooks),
    ]
    typer.echo(padded(rows))
    names = rules.names()
    for hook in hooks:
        if hook.profile not in names:
            typer.echo(f"ringlet: hook {hook.id} waits for profile {hook.profile!r}, which there is not", err=True)
        if hook.is_tool_event and not making.stands(hook):
            typer.echo(f"ringlet: hook {hook.id} is not in {escaped(hook.settings or '')} any more; remove it and add it again", err=True)
    _tell_watcher(where, hooks)


@app.command()
def remove(
    ids: Annotated[list[str], typer.Argument(metavar="ID…", help="The hooks to remove.", autocompletion=_ids)], json: Json = False
) -> None:
    """Remove hooks, from the agent's settings too. What they still had to tell is told to nobody."""
    where = paths()
    known = book.load(where.hooks)
    hooks = [known.find(id) for id in dict.fromkeys(ids)]
    making.remove(where, hooks)
    if json:
        typer.echo(msgspec.json.encode([shown.fields(hook) for hook in hooks]).decode())
        return
    for hook in hooks:
        typer.echo(f"✓ Removed hook {hook.id} of profile {hook.profile!r}: {shown.described(hook)}")


@app.command("test")
def try_(id: Id, json: Json = False) -> None:
    """Tell it now, with made-up figures, and say how that went. Exit code 1 where it failed."""
    where = paths()
    hook = book.load(where.hooks).find(id)
    done, said = _tried(hook, where)
    if json:
        typer.echo(msgspec.json.encode({"hook": hook.id, "delivered": done, "said": said}).decode())
    elif done:
        typer.echo(f"✓ Hook {hook.id} works: {escaped(said)}")
    if not done:
        if json:
            raise typer.Exit(1)
        raise RingletError(f"hook {hook.id} failed: {said}", mend=f"ringlet hooks list shows where it goes ({shown.target(hook)})")


def _tried(hook: Hook, where: Paths) -> tuple[bool, str]:
    now_us = time.time_ns() // 1000
    if hook.is_tool_event:
        body = msgspec.json.encode(tool_events.sample(hook.on, hook.matcher or tool_events.ANY))
        there = making.stands(hook)
        done, said = shell.run(hook.shell or "", body, {}, os.environ)
        return (done, said) if there else (False, f"its entry is not in {hook.settings} any more; by itself it ends with {said}")
    today = calendar.day_at(config.load(where.config).timezone or zone.machine_zone(os.environ), now_us)
    nonce = secrets.token_hex(8)
    return telling.attempt(hook, message.sample(hook, now_us, today, nonce), f"test-{nonce}", os.environ, now_us)


@app.command()
def export(
    profile: AnyProfile = None,
    secret: Annotated[bool, typer.Option("--secrets", help="Write addresses and signing secrets too.")] = False,
) -> None:
    """Print hooks as JSON that `hooks import` takes, without the addresses unless --secrets."""
    where = paths()
    if profile is not None:
        Rules.load(where.profiles).find(profile)
    typer.echo(carrying.exported(book.load(where.hooks).of(profile), secrets=secret).decode())


@app.command("import")
def import_(
    words: Annotated[
        list[str], typer.Argument(metavar="[PROFILE] FILE", help="What hooks export printed, or Claude Code's settings; - reads it.")
    ],
    json: Json = False,
) -> None:
    """Add the hooks of a file; with PROFILE all of them to that one. What is there already is left as it is."""
    where = paths()
    if len(words) > 2:
        raise WrongUsage("one file at a time", mend="ringlet hooks import [PROFILE] FILE")
    *named, file = words
    profile = named[0] if named else None
    if profile is not None:
        Rules.load(where.profiles).find(profile)
    hooks = carrying.imported(carrying.read(file), profile, where)
    new = making.add(where, hooks)
    if json:
        typer.echo(msgspec.json.encode({"added": [shown.fields(hook) for hook in new], "present": len(hooks) - len(new)}).decode())
        return
    for hook in new:
        typer.echo(f"✓ Hook {hook.id} of profile {hook.profile!r}: {shown.described(hook)} -> {shown.target(hook)}")
    typer.echo(f"{many(len(new), 'hook')} added, {len(hooks) - len(new):,} there already")
    _tell_watcher(where, new)


@app.command()
def logs(
    profile: AnyProfile = None,
    lines: Annotated[int, typer.Option("-n", "--lines", min=1, help="How many of the last ones.")] = _SHOWN,
    json: Json = False,
) -> None:
    """Show what hooks on spend have told, the latest last, and what still waits to be told."""
    where = paths()
    if profile is not None:
        Rules.load(where.profiles).find(profile)
    told: list[dict[str, Any]] = []
    if os.path.exists(where.journal):
        with Outbox.open(where.data) as outbox:
            told = list(islice((each for each in map(shown.told, outbox.latest()) if profile in (None, each["profile"])), lines))
    told.reverse()
    if json:
        typer.echo(msgspec.json.encode(told).decode())
        return
    if not told:
        typer.echo("No hook has told anything yet")
    for each in told:
        at = datetime.fromisoformat(each["decided_at"]).astimezone()
        said = f" ({escaped(each['said'])})" if each["said"] else ""
        typer.echo(f"{at:%Y-%m-%d %H:%M:%S}  {each['hook']}  {each['outcome']}{said}, {many(each['attempts'], 'attempt')}")
        typer.echo(f"    {escaped(each['text'])}")


def _typed() -> str:
    return sys.stdin.readline(8192).strip()


def _tell_watcher(where: Paths, hooks: list[Hook]) -> None:
    if any(not hook.is_tool_event for hook in hooks) and state.holder(where.data) is None:
        typer.echo("Nobody watches now, so nothing is told: ringlet daemon start, or ringlet ingest --watch")
