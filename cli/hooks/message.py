"""What a hook says: one sentence for people, and fields for programs.

Decides the words, the fields and their names. Pure; `text` is written as Slack wants it, where `&`, `<` and `>` would else be commands.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from cli.figures import count, many, usd
from cli.hooks.book import THRESHOLD, Hook, limit
from views import calendar
from views.alerts import Due, Spend, Window
from views.pricing.money import dollars

_WHEN = {"day": "today", "week": "this week", "month": "this month"}
_PREFIX = "RINGLET_"
_as_written = msgspec.json.Decoder(dict[str, Any], float_hook=str)
"""Amounts keep their digits."""


def identity(hook: str, window: str) -> str:
    """The same for each attempt to tell one alert, different for any two alerts: the idempotency key."""
    return f"{hook}-{window.replace(' ', '-')}"


def of_due(hook: Hook, due: Due, now_us: int) -> bytes:
    """The message of an alert that is due."""
    return _encoded(hook, identity(hook.id, due.window.name), due.window, due.spend, now_us, test=False)


def sample(hook: Hook, now_us: int, today: int, nonce: str) -> bytes:
    """A message such as the hook would send, with figures that are made up."""
    spend = Spend(requests=12, prompt=1_210_000, output=34_000, cost=limit(hook.threshold or "1.23", "threshold"))
    day = today if hook.on == THRESHOLD else today - 1
    return _encoded(hook, f"test-{nonce}", Window("test", day, day), spend, now_us, test=True)


def _encoded(hook: Hook, name: str, window: Window, spend: Spend, now_us: int, *, test: bool) -> bytes:
    first, last = calendar.iso_day(window.first_day), calendar.iso_day(window.last_day)
    words = _reached(hook, spend, first, last) if hook.on == THRESHOLD else _reported(hook, spend, first)
    if test:
        words = f"Test, with made-up figures: {words}"
    fields: dict[str, Any] = {
        "text": _for_slack(words),
        "id": name,
        "event": hook.on,
        "hook": hook.id,
        "profile": hook.profile,
        "period": hook.period or "day",
        "from": first,
        "to": last,
        "spent_usd": None if _unknown(spend) else _number(spend.cost),
        "threshold_usd": None if hook.threshold is None else _number(limit(hook.threshold, "threshold")),
        "of_usd": None if hook.of is None else _number(limit(hook.of, "of")),
        "requests": spend.requests,
        "input_tokens": spend.prompt,
        "output_tokens": spend.output,
        "unpriced_requests": spend.unpriced,
        "decided_at": calendar.iso_time(now_us),
        "test": test,
    }
    return msgspec.json.encode(fields)


def _reached(hook: Hook, spend: Spend, first: str, last: str) -> str:
    days = first if first == last else f"{first} to {last}"
    threshold = limit(hook.threshold or "", "threshold")
    against = f"reached the threshold of {usd(threshold)}"
    if hook.of is not None:
        whole = limit(hook.of, "of")
        against += f", {round(100 * threshold / whole)} % of {usd(whole)}"
    when = _WHEN[hook.period or "day"]
    return f"Profile {hook.profile} has {against}: {usd(spend.cost)} spent {when} ({days}){_missing(spend)}."


def _reported(hook: Hook, spend: Spend, day: str) -> str:
    if not spend.requests:
        return f"Profile {hook.profile} used nothing on {day}."
    tokens = f"{count(spend.prompt, 'short')} in / {count(spend.output, 'short')} out"
    spent = "at no known cost" if _unknown(spend) else f"for {usd(spend.cost)}"
    return f"Profile {hook.profile} made {many(spend.requests, 'call')} on {day} {spent}: {tokens}{_missing(spend)}."


def _unknown(spend: Spend) -> bool:
    return spend.requests > 0 and spend.requests <= spend.unpriced + spend.unbilled


def _missing(spend: Spend) -> str:
    if not spend.unpriced:
        return ""
    calls = "1 call has no known price and is" if spend.unpriced == 1 else f"{spend.unpriced:,} calls have no known price and are"
    return f"; {calls} not in it"


def _number(amount: int) -> msgspec.Raw:
    """US dollars as a JSON number with every digit."""
    return msgspec.Raw(dollars(amount).encode())


def _for_slack(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def text_of(message: bytes) -> str:
    """The sentence in a message, as people read it in a terminal."""
    text = str(msgspec.json.decode(message)["text"])
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def variables(message: bytes) -> Mapping[str, str]:
    """The fields as environment variables; a field that is unknown is an empty one."""
    fields = {**_as_written.decode(message), "text": text_of(message)}
    return {_PREFIX + name.upper(): _plain(value) for name, value in fields.items()}


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "1" if value else ""
    return "" if value is None else str(value)
