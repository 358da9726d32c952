"""The words of `ringlet explain`: a total and a call as text.

Decides what of the facts a person is shown, and in which order. Never shows a record's text: only where it stands.
"""

from typing import Any

from cli.escaped import escaped
from cli.figures import count, many
from cli.listed import origin, since
from cli.places import HELD
from cli.render import nothing_in_range
from views import calendar
from views.columns import TOKENS
from views.query import Answer, Query

Told = dict[str, Any]

SHOWN = 20
"""Calls and dropped records that are shown where no limit was given; `--json` has all."""


def nothing(answer: Answer) -> str:
    """A range without any call."""
    told = nothing_in_range(answer, "")
    day = None if answer.last_day is None else calendar.iso_day(answer.last_day)
    return told.replace(f"ringlet usage --since {day} --until {day}", f"ringlet explain --day {day}")


def total(about: Told, query: Query, calls: list[Told], limit: int | None) -> str:
    """The facts of a question's total, `calls` being all of it."""
    lines = [
        f"{_range(query)}{''.join(f' · {name} {escaped(value)}' for name, value in query.filters().items())} ({query.tz})",
        f"{many(about['total_requests'], 'call')}, {count(about['total_tokens'])} tokens, {_usd(about['total_cost'])}"
        + ("" if query.cost_mode == "auto" else f", cost mode {query.cost_mode}"),
        "",
        "Parts: tokens x US dollars per million = cost",
        *map(_part_line, about["parts"]),
        f"  sum {_usd(about['parts_cost'])}",
        "",
        "Calls",
    ]
    shown = calls[: limit or SHOWN]
    for each in shown:
        lines.append(f"  {each['at']}  {each['key']}  {_of(each)}  {_cost(each)}")
        lines.append(
            f"    {each['place']}"
            + (f"  session {escaped(each['session'])}" if each["session"] else "")
            + ("" if each["place_state"] == HELD else f" ({each['place_state']})")
        )
    if len(calls) > len(shown):
        lines.append(f"  {len(calls) - len(shown):,} more (--limit {len(calls)} or --json)")
    lines += ["", *_dropped_lines(about, limit or SHOWN), "", "One call in full: ringlet explain KEY"]
    return "\n".join(lines) + "\n"


def call(about: Told) -> str:
    """The facts of one call."""
    lines = [f"Call     {about['key']}", f"Time     {about['at']}", f"Tokens   {_of(about)}"]
    for name in ("agent", "model", "provider", "profile", "session", "project"):
        if about[name]:
            rule = f" ({about['profile_rule']})" if name == "profile" else ""
            lines.append(f"{name.capitalize():<8} {escaped(about[name])}{rule}")
    lines.append(f"Record   {about['place']}")
    lines.append(f"         {about['place_state']}")
    lines += [f"Identity {each}" for each in about["identities"]]
    for row in about["rows"]:
        place = row["place"] if row["machine"] == about["machine"] else f"a file of machine {row['machine']}"
        kind = row["kind"] if row["key"] == about["key"] else f"{row['kind']} of {row['key'][:12]}"
        lines.append(f"Row      {kind}, requests {row['requests']:+}, {_of(row)}, from {place}, {row['ingested_at']}")
    if about["price"] is not None:
        lines += _price_lines(about["price"])
    for each in about["arithmetic"]:
        lines.append(f"         {each['class'].replace('_', ' ')}: {each['count']:,} x ${each['rate_usd'].text} = ${each['cost'].text}")
    lines.append(f"Cost     {_cost(about)}{_origin_of_cost(about)}")
    return "\n".join([*lines, "", *_dropped_lines(about, SHOWN)]) + "\n"


def _price_lines(price: Told) -> list[str]:
    lister = f" ({escaped(price['provider'])})" if price["provider"] else ""
    listed = since(price["from"], before=price["before_its_first_day"])
    lines = [
        f"Price    row {escaped(price['row'])}{lister}, {listed}, from {origin(price['origin'])}",
        f"         found by {escaped(price['rule'])}",
    ]
    if price["prompt_over"]:
        exceeds = f"the whole prompt of {price['prompt']:,} tokens exceeds {price['prompt_over']:,}"
        lines.append(f"         {exceeds}: that tier's rates for all of the call")
    billed_as = ", ".join(f"{name} {escaped(price[name])}" for name in ("tier", "speed", "geo") if price[name])
    if billed_as:
        lines.append(f"         {billed_as}")
    return lines + [f"         {escaped(note)}" for note in price["notes"]]


def _origin_of_cost(about: Told) -> str:
    stated = about["cost_stated"]
    whose = "the provider" if about["cost_stated_by"] == "provider" else "the agent"
    if about["cost_from"] == "log":
        return f", as {whose} stated it"
    why = ", from the price book" if about["cost_from"] else _WHY[about["cost_status"]]
    if about["cost_mode"] == "logged" and about["cost_status"] == "unpriced":
        why = ": its log states no cost"
    return why if stated is None else f"{why}; {whose} stated ${stated.text}"


_WHY = {
    "unpriced": ": no price is known of this model (ringlet prices show MODEL)",
    "not_billed": ": its provider is local or managed, or cost_policy leaves it out",
}


def _dropped_lines(about: Told, limit: int) -> list[str]:
    seen, unread = about["dropped"], about["sources_not_read_again"]
    lines = [f"Dropped: {many(len(seen), 'further record')} of {'this call' if 'rows' in about else 'these calls'}"]
    for each in seen[:limit]:
        lines.append(f"  {each['place']}  {each['key'][:12]} by {each['identity']}: {each['why']}")
        lines.append(f"    counts: {each['counts']}")
    if len(seen) > limit:
        lines.append(f"  {len(seen) - limit:,} more (--json)")
    if unread:
        repeats = sum(each["duplicate"] + each["updated"] for each in unread)
        lines.append(
            f"  {many(len(unread), 'source')} cannot be read again; {many(repeats, 'record')} in them repeated a call when they were read"
        )
    return lines


def _range(query: Query) -> str:
    if query.period is None and query.first_day is not None and query.first_day == query.last_day:
        return calendar.iso_day(query.first_day)
    return query.label


def _part_line(part: Told) -> str:
    head = f"  {escaped(part['model'] or 'unknown')} {part['what'].replace('_', ' ')}: "
    if part["what"] == "web_search":
        return f"{head}{part['tokens']:,} x {part['rate_usd'].text} each = {_usd(part['cost'])}"
    if part["rate_usd"] is not None:
        return f"{head}{part['tokens']:,} x {part['rate_usd_per_million'].text} = {_usd(part['cost'])}"
    return f"{head}{part['tokens']:,}, {many(part['requests'], 'call')}" + ("" if part["cost"] is None else f" = {_usd(part['cost'])}")


def _of(counts: Told) -> str:
    told = [f"{counts[name]:,} {name.replace('_', ' ')}" for name in TOKENS if counts[name]]
    if counts["web_searches"]:
        told.append(f"{counts['web_searches']:,} web search{'' if counts['web_searches'] == 1 else 'es'}")
    return ", ".join(told) or "no tokens"


def _cost(each: Told) -> str:
    return each["cost_status"].replace("_", " ") if each["cost"] is None else f"${each['cost'].text}"


def _usd(cost: Any) -> str:
    return "no cost" if cost is None else f"${cost.text}"
