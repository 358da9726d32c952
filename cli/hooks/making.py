"""From what a user asks for to hooks that are kept, and back.

Decides which words of a hook go together, and what adding and removing one touches: `hooks.json`, for a tool event the agent's settings,
and for a hook that goes the alerts that nobody is to be told any more.
"""

import os
import time
from collections.abc import Sequence

import msgspec

from cli.agent_settings import Settings, path_of, settled
from cli.ask import WrongUsage
from cli.hooks import book, tool_events, webhook
from cli.hooks.book import ROLLUP, THRESHOLD, Hook
from cli.paths import Paths
from pipeline.errors import RingletError
from pipeline.outbox import DROPPED, Outbox
from pipeline.profiles import Rules, absolute

PERIODS = ("day", "week", "month")
_LONGEST = 16_384


class Wanted(msgspec.Struct, kw_only=True):
    """A hook as it was asked for; texts are as they were typed, None is what was not."""

    profile: str
    on: str
    period: str | None = None
    threshold: str | None = None
    of: str | None = None
    at: str | None = None
    webhook: str | None = None
    allow_http: bool = False
    allow_private: bool = False
    signing: str | None = None
    shell: str | None = None
    matcher: str | None = None
    settings: str | None = None


def checked(wanted: Wanted, where: Paths) -> Hook:
    """The hook that is meant, not kept yet. Raises UnknownName, WrongUsage; RingletError where the profile's agent has no such hooks."""
    Rules.load(where.profiles).find(wanted.profile)
    on = wanted.on if wanted.on in book.SPEND else tool_events.event_of(wanted.on)
    allowed = {THRESHOLD: ("period", "threshold", "of"), ROLLUP: ("at",)}.get(on, ("matcher", "settings"))
    for name in ("period", "threshold", "of", "at", "matcher", "settings"):
        if name not in allowed and getattr(wanted, name) is not None:
            raise WrongUsage(f"--{name} does not belong to {on}", mend="ringlet hooks add --help shows what does")
    _check_target(wanted, on)
    hook = Hook(
        id=book.new_id(),
        profile=wanted.profile,
        on=on,
        made_at_us=time.time_ns() // 1000,
        webhook=wanted.webhook,
        allow_http=wanted.allow_http,
        allow_private=wanted.allow_private,
        signing=wanted.signing or (webhook.new_secret() if wanted.webhook else None),
        shell=wanted.shell,
    )
    if on == THRESHOLD:
        return _threshold(hook, wanted)
    if on == ROLLUP:
        at = wanted.at or book.AT
        try:
            minute = book.minute(at)
        except ValueError as error:
            raise WrongUsage(f"--at {error}", mend="write HH:MM such as 09:00") from None
        return msgspec.structs.replace(hook, at=f"{minute // 60:02d}:{minute % 60:02d}")
    file = absolute(wanted.settings) if wanted.settings else path_of(wanted.profile, settled(where, wanted.profile), os.environ)
    return msgspec.structs.replace(hook, matcher=wanted.matcher or tool_events.ANY, settings=file)


def _check_target(wanted: Wanted, on: str) -> None:
    if (wanted.webhook is None) == (wanted.shell is None):
        raise WrongUsage(f"{on} needs somebody to tell", mend="give either --webhook URL or --shell COMMAND")
    if wanted.webhook is None:
        for name in ("allow_http", "allow_private"):
            if getattr(wanted, name):
                raise WrongUsage(f"--{name.replace('_', '-')} belongs to --webhook")
        if "\0" in (wanted.shell or "") or not (wanted.shell or "").strip() or len(wanted.shell or "") > _LONGEST:
            raise WrongUsage("--shell is no command", mend="give what /bin/sh -c is to run")
    elif on not in book.SPEND:
        raise WrongUsage(f"{on} is run by the agent, which runs commands only", mend="give --shell COMMAND")
    else:
        webhook.check(wanted.webhook, allow_http=wanted.allow_http, allow_private=wanted.allow_private)


def _threshold(hook: Hook, wanted: Wanted) -> Hook:
    if wanted.period not in PERIODS:
        said = "needs --period" if wanted.period is None else f"has no --period {wanted.period!r}"
        raise WrongUsage(f"{THRESHOLD} {said}", mend=f"give one of {', '.join(PERIODS)}")
    if wanted.threshold is None:
        raise WrongUsage(f"{THRESHOLD} needs --threshold", mend="write US dollars such as 10 or 12.50")
    try:
        for name in ("threshold", "of"):
            text = getattr(wanted, name)
            if text is not None:
                book.limit(text, f"--{name}")
    except ValueError as error:
        raise WrongUsage(str(error), mend="write US dollars such as 10 or 12.50") from None
    # The words are checked above: only these three are periods.
    return msgspec.structs.replace(hook, period=wanted.period, threshold=wanted.threshold.strip(), of=wanted.of and wanted.of.strip())


def add(where: Paths, hooks: Sequence[Hook]) -> list[Hook]:
    """Keep those of the hooks that are not kept yet, and write tool events into the agents' settings; the ones that are new.

    Raises RingletError where an agent's settings hold the same entry already, written by somebody else, or cannot be written.
    """
    new: list[Hook] = []

    def further(kept: book.Hooks) -> book.Hooks:
        for hook in hooks:
            if not any(hook.same_as(other) for other in (*kept.hooks, *new)):
                new.append(hook)
        for hook in new:
            if hook.is_tool_event and not _write(hook, wanted=True, save=False):
                what = f"{hook.on} {hook.matcher!r} with this command stands there already, written by somebody else"
                raise RingletError(what, where=hook.settings, mend="take it out there first, or leave it as it is")
        return kept.added(new)

    # Known first: an entry in a settings file that nobody knows of could not be removed.
    book.changed(where, further)
    for hook in new:
        if hook.is_tool_event:
            _write(hook, wanted=True)
    return new


def remove(where: Paths, hooks: Sequence[Hook]) -> None:
    """The hooks are gone, from the agents' settings too, and nobody is told what they still had to tell."""
    for hook in hooks:
        if hook.is_tool_event:
            _write(hook, wanted=False)
    gone = {hook.id for hook in hooks}
    book.changed(where, lambda known: known.without(gone))
    if gone and os.path.exists(where.journal):
        with Outbox.open(where.data) as outbox:
            for alert in outbox.waiting():
                if alert.hook in gone:
                    outbox.settle(alert, DROPPED, "the hook was removed", time.time_ns() // 1000)


def stands(hook: Hook) -> bool:
    """Whether a tool event's entry is in the agent's settings. Raises RingletError where they cannot be understood."""
    return _write(hook, wanted=False, save=False)


def _write(hook: Hook, *, wanted: bool, save: bool = True) -> bool:
    """Have the entry in the agent's settings or not; whether that changes them."""
    file = Settings(hook.settings or "")
    change = tool_events.add if wanted else tool_events.remove
    changed = change(file.content, hook.on, hook.matcher or tool_events.ANY, hook.shell or "", file.path)
    if changed and save:
        file.save()
    return changed
