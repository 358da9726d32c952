"""How hooks and their alerts are shown, in tables and as JSON.

Decides that nothing shows a secret: of an address its host, of a command what does not look like a key, of signing nothing.
"""

from typing import Any
from urllib.parse import urlsplit

import msgspec

from cli.escaped import escaped
from cli.figures import usd
from cli.hooks.book import ROLLUP, THRESHOLD, Hook, limit
from cli.hooks.message import text_of
from cli.serve.logfile import redacted
from pipeline.outbox import Alert
from views import calendar


def fields(hook: Hook) -> dict[str, Any]:
    """The hook as JSON shows it: without its secrets."""
    told: dict[str, Any] = msgspec.to_builtins(hook)
    told.pop("signing", None)
    told.pop("made_at_us", None)
    if hook.webhook is not None:
        told["webhook"] = _host_of(hook.webhook)
    if hook.shell is not None:
        told["shell"] = redacted(hook.shell)
    return told


def told(alert: Alert) -> dict[str, Any]:
    """An alert as JSON shows it."""
    said = msgspec.json.decode(alert.message)
    return {
        "hook": alert.hook,
        "profile": said["profile"],
        "window": alert.window,
        "id": said["id"],
        "decided_at": calendar.iso_time(alert.decided_at_us),
        "outcome": alert.outcome or "waiting",
        "attempts": alert.attempts,
        "next_attempt_at": None if alert.next_at_us is None else calendar.iso_time(alert.next_at_us),
        "settled_at": None if alert.settled_at_us is None else calendar.iso_time(alert.settled_at_us),
        "said": alert.said,
        "text": text_of(alert.message),
    }


def described(hook: Hook) -> str:
    """When it is due, in few words."""
    if hook.on == THRESHOLD:
        of = f" of {usd(limit(hook.of, 'of'))}" if hook.of else ""
        return f"{usd(limit(hook.threshold or '', 'threshold'))}{of} spent in a {hook.period}"
    if hook.on == ROLLUP:
        return f"daily report at {hook.at}"
    return escaped(f"{hook.on} {hook.matcher}")


def target(hook: Hook) -> str:
    """Who is told: the host of an address, or the command."""
    return escaped(_host_of(hook.webhook) if hook.webhook is not None else redacted(hook.shell or ""))


def _host_of(address: str) -> str:
    """What is shown of an address: scheme and host."""
    try:
        parts = urlsplit(address)
        return f"{parts.scheme}://{parts.hostname}/…"
    except ValueError:
        return "…"
