"""The JSON object of an answer: what `--json` prints and what scripts rely on.

Decides its fields; `docs/usage.md` documents each one. Costs are decimal numbers with every digit. Pure, and imports no library: writing
a few kinds of values takes less than loading the json module.
"""

from views import calendar
from views.pricing.money import dollars
from views.query import TIME_GROUPINGS, Answer, Row, Totals

SCHEMA_VERSION = 1
"""Raised when a field is renamed, removed or means something else."""

_KEY_FIELD = {"day": "date"}


def as_json(answer: Answer) -> str:
    """The summary: totals, profiles, and the rows of the grouping."""
    return written(summary(answer))


def written(value: object) -> str:
    """A value as JSON, with the newline that ends it."""
    return _json(value, "") + "\n"


def summary(answer: Answer) -> "dict[str, object]":
    """The object as `written` takes it."""
    query, totals = answer.query, answer.totals
    return {
        "schema_version": SCHEMA_VERSION,
        "period": query.label,
        "from": None if query.first_day is None else calendar.iso_day(query.first_day),
        "to": None if query.last_day is None else calendar.iso_day(query.last_day),
        "timezone": query.tz,
        "filters": dict(query.filters()),
        "total_tokens": _tokens(totals),
        "total_cost": _costs(totals),
        "total_requests": totals.requests,
        "total_sessions": totals.sessions,
        "total_runtime_secs": totals.runtime_us // 1_000_000,
        "unpriced_requests": totals.unpriced_requests,
        "unbilled_requests": totals.unbilled_requests,
        "unpriced_models": list(answer.unpriced_models),
        "lost_history": _lost(answer),
        "aggregates": {"by_profile": {row.key or "": _row(row, "profile") for row in answer.profiles}},
        "by": query.by,
        "rows": [_row(row, query.by) for row in answer.rows],
        "as_of": calendar.iso_time(answer.as_of_us),
    }


def _lost(answer: Answer) -> "dict[str, object] | None":
    if answer.lost is None:
        return None
    tokens, first, last = answer.lost
    return {"tokens": tokens, "from": calendar.iso_day(first), "to": calendar.iso_day(last)}


def _tokens(totals: Totals) -> "dict[str, object]":
    return {
        "input_tokens": totals.input,
        "output_tokens": totals.output,
        "cache_creation_input_tokens": totals.cache_write,
        "cache_read_input_tokens": totals.cache_read,
    }


def _costs(totals: Totals) -> "dict[str, object] | None":
    total = totals.cost
    if total is None:
        return None
    return {
        "input_cost": Exact(totals.cost_input),
        "output_cost": Exact(totals.cost_output),
        "cache_creation_cost": Exact(totals.cost_cache_write),
        "cache_read_cost": Exact(totals.cost_cache_read),
        "other_cost": Exact(totals.cost_other),
        "total_cost": Exact(total),
    }


def _row(row: Row, by: str) -> "dict[str, object]":
    found: dict[str, object] = {
        _KEY_FIELD.get(by, by): row.key,
        "tokens": _tokens(row),
        "cost": _costs(row),
        "requests": row.requests,
        "unpriced_requests": row.unpriced_requests,
        "unbilled_requests": row.unbilled_requests,
        "sessions": row.sessions,
        "runtime_secs": row.runtime_us // 1_000_000,
        "first_used": None if row.first_at_us is None else calendar.iso_time(row.first_at_us),
        "last_used": None if row.last_at_us is None else calendar.iso_time(row.last_at_us),
        "cache_creation": {"5m": row.cache_write_5m, "1h": row.cache_write_1h},
        "reasoning_tokens": row.reasoning,
        "web_searches": row.web_searches,
    }
    if by not in TIME_GROUPINGS:
        found |= {name: list(values) for name, values in (("agents", row.agents), ("providers", row.providers), ("models", row.models))}
    if by == "session":
        found |= {"title": row.title, "project": row.project}
    return found


class Exact:
    """Attodollars that are written as a number with all their digits."""

    __slots__ = ("text",)

    def __init__(self, amount: int) -> None:
        self.text = dollars(amount)


def _json(value: object, indent: str) -> str:
    if value is None:
        return "null"
    if isinstance(value, Exact):
        return value.text
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return _string(value)
    inner = indent + "  "
    if isinstance(value, dict):
        if not value:
            return "{}"
        return "{\n" + ",\n".join(f"{inner}{_string(name)}: {_json(each, inner)}" for name, each in value.items()) + f"\n{indent}}}"
    if isinstance(value, list):
        if not value:
            return "[]"
        return "[\n" + ",\n".join(inner + _json(each, inner) for each in value) + f"\n{indent}]"
    raise TypeError(type(value).__name__)


def _string(text: str) -> str:
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    found = []
    for letter in text:
        code = ord(letter)
        if letter in '"\\':
            found.append("\\" + letter)
        elif 32 <= code < 127:
            found.append(letter)
        elif code < 0x10000:
            found.append(f"\\u{code:04x}")
        else:
            code -= 0x10000
            found.append(f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}")
    return '"' + "".join(found) + '"'
