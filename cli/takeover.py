"""What the program's former name left behind: profiles and prices in `~/.config/clown`, taken over once.

Decides what is worth taking and how it is said. Usage needs no taking over: it is read from the agents' own logs. Nothing there is changed.
"""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from cli.paths import Paths
from cli.profile_changes import lock
from pipeline import durable
from pipeline.errors import RingletError
from pipeline.profiles import Profile, Rule, Rules, absolute
from views.pricing import listing, sync

AGENT_FOLDERS = {"claude": ".claude", "codex": ".codex", "droid": ".factory", "grok": ".grok", "opencode": ".local/share/opencode"}
"""Where an agent keeps its logs inside a profile's own home."""


class _Old(msgspec.Struct):
    """One profile as `profiles/<alias>.json` holds it."""

    alias: str
    agent_id: str
    provider_id: str | None = None
    metadata: dict[str, Any] = {}


def take_over(where: Paths, folder: str, environ: Mapping[str, str]) -> list[str]:
    """Take profiles and prices over from `folder`; one line for people on each thing that was taken or could not be.

    Where there are profiles by now, another command was first and has taken everything over. Raises Held as `profile_changes.lock`.
    """
    with lock(where):
        if os.path.exists(where.profiles):
            return []
        told = _profiles(where, folder, environ)
    prices = os.path.join(folder, "registry", "litellm-pricing.json")
    if os.path.isfile(prices) and sync.load(where.prices)[1] is None:
        try:
            told.append(_prices(where, prices))
        except (OSError, RingletError) as error:
            told.append(f"! {prices} was left: {error if isinstance(error, RingletError) else error.strerror}")
    return told


def _profiles(where: Paths, folder: str, environ: Mapping[str, str]) -> list[str]:
    told = []
    rules = Rules()
    names = []
    profiles = os.path.join(folder, "profiles")
    for name in sorted(os.listdir(profiles)) if os.path.isdir(profiles) else []:
        if not name.endswith(".json"):
            continue
        path = os.path.join(profiles, name)
        try:
            with open(path, "rb") as file:
                old = msgspec.json.decode(file.read(), type=_Old)
            rules = _with(rules, old, environ)
            names.append(old.alias)
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RingletError) as error:
            told.append(f"! {path} was left: {error if isinstance(error, RingletError) else type(error).__name__}")
    durable.write_over(where.profiles, rules.dump())
    if names:
        told.append(f"✓ Took over {len(names)} profile{'s' * (len(names) != 1)} from {profiles}: {', '.join(names)}")
    return told


def _with(rules: Rules, old: _Old, environ: Mapping[str, str]) -> Rules:
    home = old.metadata.get("profile_home")
    root = None
    if isinstance(home, str) and home and old.agent_id in AGENT_FOLDERS:
        root = os.path.join(absolute(home, environ), AGENT_FOLDERS[old.agent_id])
    profile = Profile(name=old.alias, agent=old.agent_id, provider=old.provider_id, home=root)
    return rules.create(profile, (Rule(profile=old.alias, agent=old.agent_id, root=root),) if root else ())


def _prices(where: Paths, path: str) -> str:
    # The prices are as old as their file: dated today they would claim a change that never was.
    at = datetime.fromtimestamp(os.stat(path).st_mtime, UTC)
    with open(path, "rb") as file:
        body = file.read(sync.LARGEST_BYTES + 1)
    listed = sync.read(body, path)
    added = sync.add(sync.shipped(), b"", listed, (at.date() - listing.EPOCH).days)
    record = sync.Record(
        source=path,
        at=at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        etag=None,
        models=len(listed.models),
        new=len(added.new),
        changed=len(added.changed),
        rejected=listed.rejected,
    )
    sync.keep(where.prices, body, added, record)
    return f"✓ Took over the prices of {len(listed.models):,} models from {path}"
