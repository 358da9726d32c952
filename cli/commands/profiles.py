"""`ringlet profiles`: who usage belongs to, and the rules that decide it."""

import os
import shlex
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Annotated
from urllib.parse import urlsplit

import msgspec
import typer

from cli import agent_settings, api_keys, config
from cli.agent_launch import Places, launch
from cli.ask import WrongUsage
from cli.commands import runs
from cli.escaped import escaped
from cli.figures import many
from cli.padded import padded
from cli.paths import Paths, paths
from cli.profile_changes import changed
from pipeline.errors import RingletError
from pipeline.profiles import DEFAULT, Profile, Rule, Rules, absolute
from pipeline.providers import billing

app = typer.Typer(help="Profiles: whose usage it is. A changed rule changes history too.", no_args_is_help=True, add_completion=False)

app.command(context_settings=runs.AS_TYPED)(runs.run)
app.command()(runs.env)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


class Account(StrEnum):
    """Who tells of a call."""

    log = "log"
    capture = "capture"


@app.command()
def create(
    agent: Annotated[str, typer.Argument(help="Agent that the profile runs: claude, codex, droid, grok, opencode.")],
    name: Annotated[str, typer.Argument(help="Name of the new profile.")],
    provider: Annotated[
        str, typer.Option("--provider", help="Who bills: self (own key with the agent's maker), anthropic, openai, minimax …")
    ] = "self",
    home: Annotated[
        str | None, typer.Option("--home", help="Agent home that is this profile's alone; all usage in it is the profile's.")
    ] = None,
    project: Annotated[str | None, typer.Option("--project", help="Path or pattern of the projects whose usage is the profile's.")] = None,
    model: Annotated[str | None, typer.Option("--model", help="Model that `profiles run` tells the agent to use.")] = None,
    endpoint: Annotated[
        str | None, typer.Option("--endpoint", help="Address that the agent calls instead of its provider's usual one.")
    ] = None,
    api_key_stdin: Annotated[bool, typer.Option("--api-key-stdin", help="Read the profile's API key from standard input.")] = False,
) -> None:
    """Create a profile and, with --home or --project, the rules that give it usage."""
    _known_agent(agent)
    if endpoint is not None:
        _check_endpoint(endpoint, carries_key=api_key_stdin)
    where = paths()
    folder = absolute(home) if home else None
    rules = []
    if folder:
        rules.append(Rule(profile=name, agent=agent, root=folder))
    if project:
        rules.append(Rule(profile=name, agent=agent, project=absolute(project)))
    profile = Profile(name=name, agent=agent, provider=provider, home=folder, model=model, endpoint=endpoint)
    Rules.load(where.profiles).create(profile, tuple(rules))
    key = api_keys.typed() if api_key_stdin else None
    cannot = None
    try:
        launch(profile, "", None, key, {}, Places(moved=config.load(where.config).endpoints()))
    except WrongUsage as error:
        # What its agent cannot do is said now; a profile that only receives usage need not be able to do anything.
        if model or endpoint or key:
            raise
        cannot = error
    kept = api_keys.keep(where, key) if key else None
    try:
        changed(where, lambda known: known.create(msgspec.structs.replace(profile, key=kept), tuple(rules)))
    except BaseException:
        api_keys.forget(where, kept)
        raise
    typer.echo(f"✓ Created profile {name!r} ({agent}, {provider}: {billing(provider)})")
    if agent == "droid" and provider != "self":
        typer.echo(f"· It says whose bill the usage is; whom droid calls is set up inside droid, not by --provider {provider}")
    for rule in rules:
        typer.echo(f"✓ {_told(rule)}")
    if key and kept:
        typer.echo(f"✓ Kept its API key {api_keys.masked(key)} in {escaped(api_keys.place(where, kept))}, for you alone")
    if cannot is not None:
        typer.echo(f"! ringlet profiles run cannot start it: {escaped(cannot.what)}; {cannot.mend}", err=True)
    if not rules:
        word = escaped(shlex.quote(name))
        run = "" if cannot else f"ringlet profiles run {word}, "
        typer.echo(f"No usage is mapped to it yet: {run}ringlet import {agent} --to {word}, or")
        typer.echo(f"ringlet profiles map {word} --project PATH")


@app.command("list")
def list_(json: Json = False) -> None:
    """List the profiles."""
    rules = Rules.load(paths().profiles)
    profiles = [rules.find(name) for name in rules.names()]
    if json:
        typer.echo(msgspec.json.encode(profiles).decode())
        return
    rows = [(p.name, p.agent or "-", p.provider or "-", str(sum(rule.profile == p.name for rule in rules.rules))) for p in profiles]
    typer.echo(padded([("PROFILE", "AGENT", "PROVIDER", "RULES"), *rows]))


@app.command()
def inspect(name: Annotated[str, typer.Argument(help="Name of the profile.")], json: Json = False) -> None:
    """Show one profile and its rules."""
    where = paths()
    rules = Rules.load(where.profiles)
    profile = rules.find(name)
    own = [rule for rule in rules.rules if rule.profile == name]
    if json:
        typer.echo(msgspec.json.encode({"profile": profile, "rules": own}).decode())
        return
    typer.echo(f"profile   {profile.name}")
    typer.echo(f"agent     {profile.agent or '-'}")
    typer.echo(f"provider  {f'{profile.provider} ({billing(profile.provider)})' if profile.provider else '-'}")
    typer.echo(f"home      {profile.home or '-'}")
    if profile.captured_from is not None:
        typer.echo(f"counts    captured calls from {profile.captured_from} (UTC) on, logged ones before, where no id joins them")
    if profile.model:
        typer.echo(f"model     {escaped(profile.model)}")
    if profile.endpoint:
        typer.echo(f"endpoint  {escaped(profile.endpoint)}")
    if profile.key:
        shown = api_keys.glimpsed(where, profile)
        typer.echo(f"key       {'not to be had now,' if shown is None else shown} in {escaped(api_keys.place(where, profile.key))}")
    for rule in own:
        typer.echo(f"rule      {_told(rule)}")
    if name == DEFAULT:
        typer.echo("rule      all usage that no rule maps elsewhere")


@app.command()
def rename(
    old: Annotated[str, typer.Argument(help="Name of the profile.")], new: Annotated[str, typer.Argument(help="Its new name.")]
) -> None:
    """Rename a profile, in its rules, its hooks and so in all history."""
    from cli.hooks import book  # loads more than all other commands here

    where = paths()
    book.load(where.hooks)  # what cannot be read is said before anything is changed
    budgets = config.load(where.config).budgets
    changed(where, lambda rules: rules.rename(old, new))
    book.changed(where, lambda hooks: hooks.renamed(old, new))
    typer.echo(f"✓ {old!r} is now {new!r}")
    _follow(where, old, new)
    if old in budgets:
        typer.echo(f"! config.toml has a budget for {old!r}: rename it there, too", err=True)


def _follow(where: Paths, old: str, new: str) -> None:
    """The guard and the status line in the profile's settings speak of its new name; where they cannot be made to, that is said."""
    try:
        path = agent_settings.path_of(new, Rules.load(where.profiles), os.environ)
    except RingletError:
        return  # no settings are this profile's alone, so nothing of ours was put there for it
    try:
        file = agent_settings.Settings(path)
        agent_settings.renamed(file.content, old, new)
        if file.text is not None and file.save():
            typer.echo(f"✓ Its guard and status line follow: {escaped(file.path)}")
    except (RingletError, OSError) as error:
        typer.echo(f"! {escaped(str(error))}", err=True)
        typer.echo(
            f"! A guard there stops nothing while it names {old!r}: mend that, then ringlet guard install {shlex.quote(new)}", err=True
        )


@app.command()
def delete(name: Annotated[str, typer.Argument(help="Name of the profile.")]) -> None:
    """Delete a profile, its rules and its hooks. No usage is lost: it falls to the next rule that matches, or to `default`."""
    from cli.hooks import book, making  # as above

    where = paths()
    key = Rules.load(where.profiles).find(name).key
    hooks = book.load(where.hooks).of(name)
    changed(where, lambda rules: rules.delete(name))
    if not api_keys.forget(where, key):
        typer.echo(f"! Its API key is still in {api_keys.place(where, str(key))}: remove it there", err=True)
    if hooks:
        making.remove(where, hooks)
        typer.echo(f"✓ Removed {many(len(hooks), 'hook')} of it")
    typer.echo(f"✓ Deleted profile {name!r}; its usage now follows the remaining rules (ringlet usage profiles --period all)")


@app.command("count-from")
def count_from(
    name: Annotated[str, typer.Argument(help="Name of the profile.")],
    what: Annotated[Account, typer.Argument(help="Which account of its calls counts.")],
    since: Annotated[
        str | None, typer.Option("--since", metavar="DATE", help="First UTC day of captured calls (YYYY-MM-DD); without it, today.")
    ] = None,
) -> None:
    """Say whether a profile's logged or captured calls count, for agents whose logs share no id with the wire (Codex, OpenCode).

    The other account is kept as evidence: with `log` captured calls of such agents count nowhere, with `capture` logged ones only before.
    """
    where = paths()
    if what is Account.log and since is not None:
        raise typer.BadParameter("--since belongs to capture: what is logged counts on all days before")
    day = None
    if what is Account.capture:
        try:
            day = date.fromisoformat(since) if since is not None else datetime.now(UTC).date()
        except ValueError:
            raise typer.BadParameter(f"{since!r} is no day: give YYYY-MM-DD") from None
    changed(where, lambda rules: rules.count_from(name, day))
    typer.echo(f"✓ Of profile {name!r} " + ("what its agents log counts" if day is None else f"captured calls count from {day} (UTC) on"))


@app.command("map")
def map_(
    profile: Annotated[str | None, typer.Argument(help="Profile that the usage belongs to; without it the rules are listed.")] = None,
    agent: Annotated[str | None, typer.Option("--agent", help="Only this agent's usage.")] = None,
    home: Annotated[str | None, typer.Option("--home", help="Only usage from this agent home.")] = None,
    project: Annotated[
        str | None, typer.Option("--project", help="Only usage in projects under this path, or matching this pattern.")
    ] = None,
    first: Annotated[bool, typer.Option("--first", help="Put the rule first instead of before all less specific ones.")] = False,
    remove: Annotated[int | None, typer.Option("--remove", help="Remove the rule of this number.")] = None,
    json: Json = False,
) -> None:
    """List, add or remove the rules from agent home and project to profile; the first that matches wins."""
    where = paths()
    rules = Rules.load(where.profiles)
    if remove is not None:
        if profile is not None:
            raise typer.BadParameter("--remove takes no profile")
        changed(where, lambda rules: rules.unmap(remove))
        typer.echo(f"✓ Removed rule {remove}")
        return
    if profile is None and json:
        typer.echo(msgspec.json.encode(rules.rules).decode())
        return
    if profile is None:
        for number, rule in enumerate(rules.rules, 1):
            typer.echo(f"{number:>3}  {_told(rule)}")
        typer.echo(f"{len(rules.rules) + 1:>3}  everything else -> {DEFAULT}")
        return
    if agent is None and home is None and project is None:
        raise typer.BadParameter("name at least one of --agent, --home, --project")
    if agent is not None:
        _known_agent(agent)
    rule = Rule(profile=profile, agent=agent, root=absolute(home) if home else None, project=absolute(project) if project else None)
    changed(where, lambda rules: rules.map(rule, first=first))
    typer.echo(f"✓ {_told(rule)}")


def _known_agent(agent: str) -> None:
    from ingest import registry  # loads every adapter, which listing takes no part in

    known = [adapter.agent for adapter in registry.adapters()]
    if agent not in known:
        raise typer.BadParameter(f"no agent {agent!r}; there are: {', '.join(known)}")


def _check_endpoint(text: str, *, carries_key: bool) -> None:
    """Raises WrongUsage for what is no address, one that holds a secret, or one that would take a key through the network unencrypted."""
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 and text.isascii() and text.isprintable()
    except ValueError:
        usable, parts = False, urlsplit("")
    if not usable or " " in text or parts.username is not None or parts.query or parts.fragment:
        raise WrongUsage("--endpoint is no http or https address of a provider", mend="give it whole, without a key, as https://host/path")
    if carries_key and parts.scheme == "http":
        from cli.serve.entrances import is_loopback  # only where it matters

        if not is_loopback(parts.hostname or ""):
            raise WrongUsage("--endpoint would send the key unencrypted", mend="give an https address, or an http one on this machine")


def _told(rule: Rule) -> str:
    conditions = [text for text in (rule.agent, rule.root and f"home {rule.root}", rule.project and f"project {rule.project}") if text]
    return escaped(f"{', '.join(conditions) or 'everything'} -> {rule.profile}")
