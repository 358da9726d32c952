"""`ringlet statusline`: the line that Claude Code shows under its prompt.

Decides what of an agent's own account of the session is shown beside what ringlet knows, and how little may be known: without anything the
line says less, and nothing here is ever an error. Claude Code writes a JSON object to standard input and shows the first line of what
comes back (fields as of https://code.claude.com/docs/en/statusline, 2026-11). On the hot path: loads no more than the shortest answers do.
"""

import gc
import os
import sys

from cli.app import clock
from cli.figures import usd
from cli.hearing import heard
from cli.outcomes import DONE, guarded
from cli.spend import BUDGETS, spent
from views.pricing.money import attodollars

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from cli.spend import Spent
    from views.snapshot import Header

_DIM, _RED, _YELLOW, _PLAIN = "\x1b[2m", "\x1b[31m", "\x1b[33m", "\x1b[0m"
_LONGEST = 40
"""Letters of a model's name."""
_LEFT = {"day": "left today", "week": "left this week", "month": "left this month"}


class Told:
    """What the agent says of its session; None for what it does not say, or not in words that we know."""

    __slots__ = ("context", "cost", "model")

    def __init__(self, *, model: "str | None" = None, cost: "int | None" = None, context: "int | None" = None) -> None:
        self.model = model
        self.cost = cost
        """Attodollars of this session, as the agent reckons them."""
        self.context = context
        """Percent of the context window in use."""


class Known:
    """What ringlet knows; None for what it does not."""

    __slots__ = ("day", "left", "limit", "period", "starred")

    def __init__(
        self,
        *,
        day: "int | None" = None,
        starred: bool = False,
        left: "int | None" = None,
        limit: int = 0,
        period: str = "",
    ) -> None:
        self.day = day
        """Attodollars of today."""
        self.starred = starred
        """Whether there were calls without a known price today."""
        self.left = left
        """Attodollars that are left of the budget that is nearest to its end; less than zero where it is overspent."""
        self.limit = limit
        self.period = period


def answer(*, profile: "str | None" = None) -> int:
    """Print the line and return 0, whatever is missing; 130 where it was interrupted."""
    gc.disable()
    return guarded(lambda: _shown(profile))


def _shown(profile: "str | None") -> int:
    said = told(heard())
    try:
        known = _known(profile, clock())
    except Exception:  # noqa: BLE001 - a shorter line tells enough
        # The reason belongs into `ringlet usage`, not under every prompt.
        known = Known()
    width = os.environ.get("COLUMNS", "")
    plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    text = line(said, known, plain=plain, width=int(width) if width.isascii() and width.isdigit() else 0)
    sys.stdout.write(text.encode(sys.stdout.encoding, "replace").decode(sys.stdout.encoding) + "\n")
    return DONE


def line(said: Told, known: Known, *, plain: bool = False, width: int = 0) -> str:
    """The line: model, cost of session and day, what is left of the budget, use of the context.

    `plain` is without colours and in ASCII around what is quoted; where `width` (columns, 0 = any) is too small, what matters least is
    left out.
    """
    parts: list[tuple[int, str, str]] = []
    if said.model is not None:
        parts.append((1, said.model, ""))
    if said.cost is not None:
        parts.append((2, f"{usd(said.cost)} session", ""))
    if known.day is not None:
        parts.append((4, f"{usd(known.day)}{'*' if known.starred else ''} today", ""))
    if known.left is not None:
        color = _RED if known.left <= 0 else _YELLOW if 5 * known.left < known.limit else ""
        words = _LEFT[known.period].replace("left", "over") if known.left < 0 else _LEFT[known.period]
        parts.append((5, f"{usd(abs(known.left))} {words}", color))
    if said.context is not None:
        parts.append((3, f"{said.context}% context", _RED if said.context >= 95 else _YELLOW if said.context >= 80 else ""))
    if not parts:
        return "ringlet"
    bar = " | " if plain else " · "
    while width and len(parts) > 1 and sum(len(text) + len(bar) for _, text, _ in parts) - len(bar) > width:
        parts.remove(min(parts))
    if plain:
        return bar.join(text for _, text, _ in parts)
    return f"{_DIM}{bar}{_PLAIN}".join(f"{color}{text}{_PLAIN}" if color else text for _, text, color in parts)


def told(text: bytes) -> Told:
    """What an agent's JSON says; a value that is missing, of another kind or out of its bounds is not said."""
    said = _object(text)
    model = said.get("model")
    name = model if isinstance(model, str) else _text(_inside(model, "display_name")) or _text(_inside(model, "id"))
    return Told(model=_clean(name) if name else None, cost=_cost(_inside(said.get("cost"), "total_cost_usd")), context=_context(said))


def _known(profile: "str | None", now_us: int) -> Known:
    def periods(header: "Header") -> "Sequence[str]":
        limits = {} if profile is None else header.budgets.get(profile, {})
        return ("day", *(period for period in BUDGETS[1:] if period in limits))

    header, sums = spent(profile, periods, now_us)
    limits = {} if profile is None else header.budgets.get(profile, {})
    day = sums[0]
    lefts = [(limits[found.period] - found.amount, limits[found.period], found.period) for found in sums if found.period in limits]
    left, limit, period = min(lefts, default=(None, 0, ""))
    return Known(day=day.amount, starred=_starred(day), left=left, limit=limit, period=period)


def _starred(found: "Spent") -> bool:
    return found.totals.unpriced_requests > 0


def _context(said: "Mapping[str, Any]") -> "int | None":
    window = said.get("context_window")
    percent = _number(_inside(window, "used_percentage"))
    if percent is None:
        size, usage = _number(_inside(window, "context_window_size")), _inside(window, "current_usage")
        names = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
        held = [count for name in names if (count := _number(_inside(usage, name))) is not None]
        percent = 100 * sum(held) / size if size and held else None
    return round(percent) if percent is not None and 0 <= percent <= 999 else None


def _cost(value: object) -> "int | None":
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        return None
    try:
        amount = attodollars(str(value))
    except ValueError:
        return None
    return amount if 0 <= amount < 10**30 else None


def _number(value: object) -> "float | None":
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if 0 <= number < 1e15 else None


def _inside(value: object, name: str) -> "Any":
    return value.get(name) if isinstance(value, dict) else None


def _text(value: object) -> "str | None":
    return value if isinstance(value, str) else None


def _clean(name: str) -> str:
    """A name as a terminal may show it: nothing in it moves the cursor."""
    letters = "".join(letter if letter.isprintable() else "�" for letter in name[: _LONGEST + 1])
    return letters if len(name) <= _LONGEST else letters[: _LONGEST - 1] + "…"


class _Manner:
    """How JSON is read here: the digits of a fraction stay as they are, because they may be money."""

    strict = False
    object_hook = object_pairs_hook = None
    parse_float = parse_constant = str
    parse_int = int


def _object(text: bytes) -> "Mapping[str, Any]":
    """The object that a JSON text begins with; empty where it begins with none."""
    content = text.decode("utf-8-sig", "replace").lstrip()
    try:
        # What json itself reads with; json takes as long to load as all the rest of the answer.
        from _json import make_scanner

        found, _ = make_scanner(_Manner)(content, 0)  # type: ignore[arg-type]
    except ImportError:
        import json

        try:
            found = json.loads(content, parse_float=str, parse_constant=str)
        except (ValueError, RecursionError):
            return {}
    except (ValueError, StopIteration, RecursionError, SystemError):
        # The last is what it says where json, whose error it would raise, is not loaded.
        return {}
    return found if isinstance(found, dict) else {}
