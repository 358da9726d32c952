"""`ringlet explain`: what a total or a call is made of, as text and as JSON.

Decides how parts, calls, places and dropped records are told. Never shows a record's text: only where it stands.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from cli.as_json import Exact, written
from cli.ask import Request, WrongUsage
from cli.deep import answer_from_views, terms_of
from cli.escaped import escaped
from cli.figures import count, many
from cli.places import Places, placed, row_place
from cli.refresh import Store
from cli.sightings import Unread
from ingest.named import Named
from pipeline.errors import NothingFound
from pipeline.sources import Source
from views import calendar, explain, materialize
from views.columns import TOKENS
from views.explain import Part
from views.pricing.cost import WHOLE, Rates, Shape, resolve
from views.pricing.listing import iso
from views.pricing.money import dollars
from views.query import Query

Told = dict[str, Any]
_EPOCH = date(1970, 1, 1).toordinal()
SHOWN = 20
"""Calls and dropped records that are shown where no limit was given; `--json` has all."""


def total(request: Request, query: Query, store: Store, known: Mapping[str, Named]) -> str:
    """What the question's total is made of; `known` is as `sightings.prepared` gave it."""
    limit, query.limit = query.limit, None
    answer = answer_from_views(query, store)
    found = materialize.asked(store.paths.views, store.log, terms_of(store), lambda frames: explain.calls(query, frames))
    parts = explain.parts(found, query.cost_mode)
    places = placed(store, known, explain.rows(store.log, {each["key"] for each in found}))
    told, seen, unread = _found(found, places), places.dropped, places.unread
    cost, summed = answer.totals.cost, [part.cost for part in parts if part.cost is not None]
    about: Told = {
        "schema_version": 1,
        "period": query.label,
        "timezone": query.tz,
        "filters": dict(query.filters()),
        "total_requests": answer.totals.requests,
        "total_cost": _exact(cost),
        "parts_cost": _exact(sum(summed) if summed else None),
        "parts": [_part(part) for part in parts],
        "calls": told[:limit] if limit else told,
        "calls_not_shown": max(0, len(told) - limit) if limit else 0,
        "dropped": seen,
        "sources_not_read_again": [_unread(each) for each in unread],
    }
    if request.json:
        return written(about)
    lines = [
        f"{query.label}{''.join(f' · {name} {escaped(value)}' for name, value in query.filters().items())} ({query.tz})",
        f"{many(answer.totals.requests, 'call')}, {count(answer.totals.tokens)} tokens, {_usd(cost)}",
        "",
        "Parts: tokens x US dollars per million = cost",
        *(_part_line(part) for part in parts),
        f"  sum {_usd(sum(summed) if summed else None)}",
        "",
        "Calls",
    ]
    shown = told[: limit or SHOWN]
    for call in shown:
        lines.append(
            f"  {call['at']}  {call['key']}  {_of(call)}  {call['cost_status'] if call['cost'] is None else '$' + call['cost'].text}"
        )
        lines.append(f"    {call['place']}" + (f"  session {escaped(call['session'])}" if call["session"] else ""))
    if len(told) > len(shown):
        lines.append(f"  {len(told) - len(shown)} more (--limit {len(told)} or --json)")
    lines += ["", *_dropped_lines(seen, unread, limit or SHOWN), "", "One call in full: ringlet explain KEY"]
    return "\n".join(lines) + "\n"


def call(request: Request, prefix: str, query: Query, store: Store, known: Mapping[str, Named]) -> str:
    """All that is known of one call. Raises NothingFound for a key of none, WrongUsage for what begins several."""
    digits = prefix.lower()
    if not digits or len(digits) > 32 or any(letter not in "0123456789abcdef" for letter in digits):
        raise WrongUsage(f"{prefix!r} is no key of a call", mend="give its hexadecimal digits, or the first of them")
    terms = terms_of(store)
    found = materialize.asked(store.paths.views, store.log, terms, lambda frames: explain.calls_by_key(digits, query, frames))
    if not found:
        raise NothingFound(f"no call has a key that begins with {digits}", mend="ringlet explain lists calls with their keys")
    if len(found) > 1:
        keys = ", ".join(each["key"].hex() for each in found[:10]) + (" …" if len(found) > 10 else "")
        raise WrongUsage(f"{digits} begins {len(found)} keys: {keys}", mend="give more digits")
    one = found[0]
    rows = explain.rows(store.log, {one["key"]})
    places = placed(store, known, rows)
    told, seen, unread = _found(found, places), places.dropped, places.unread
    rates = _rates(store, one)
    stated = explain.is_stated(one, query.cost_mode)
    about: Told = {
        "schema_version": 1,
        **told[0],
        "identities": _identities(rows),
        "rows": [_row(row, places.rows) for row in rows],
        "price": None if rates is None or one["cost_status"] == "not_billed" or stated else _price(rates, one),
        "cost_from": f"the {one['logged_cost_basis']}, as the log states it" if stated else "the price book" if one["cost_usd"] else None,
        "arithmetic": []
        if stated or one["cost_status"] != "priced"
        else [
            {"class": what, "count": number, "rate_usd": Exact(rate), "cost": Exact(number * rate)}
            for what, number, rate in explain.products(one)
        ],
        "profile_rule": _rule(store, rows, one),
        "dropped": seen,
        "sources_not_read_again": [_unread(each) for each in unread],
    }
    return written(about) if request.json else _call_text(about, unread)


def _call_text(about: Told, unread: list[Unread]) -> str:
    lines = [f"Call     {about['key']}", f"Time     {about['at']}", f"Tokens   {_of(about)}"]
    for name in ("agent", "model", "provider", "profile", "session", "project"):
        lines += [f"{name.capitalize():<8} {escaped(about[name])}"] if about[name] else []
    lines.append(f"         {about['profile_rule']}")
    lines.append(f"Record   {about['place']}; {about['place_state']}")
    lines += [f"Identity {each}" for each in about["identities"]]
    for row in about["rows"]:
        lines.append(f"Row      {row['kind']}, requests {row['requests']:+}, {_of(row)}, from {row['place']}, {row['ingested_at']}")
    price = about["price"]
    if price is not None:
        lines.append(
            f"Price    row {escaped(price['row'])} ({price['provider'] or 'yours'}) of {price['from']}, {price['origin']}; {price['rule']}"
        )
        if price["prompt_over"]:
            lines.append(f"         the whole prompt exceeds {price['prompt_over']:,} tokens: that tier's rates")
        lines += [f"         {escaped(note)}" for note in price["notes"]]
    for each in about["arithmetic"]:
        lines.append(f"         {each['class']}: {each['count']:,} x ${each['rate_usd'].text} = ${each['cost'].text}")
    cost = about["cost"]
    lines.append(f"Cost     {about['cost_status'] if cost is None else '$' + cost.text}" + (f", from {about['cost_from']}" if cost else ""))
    return "\n".join([*lines, "", *_dropped_lines(about["dropped"], unread, SHOWN)]) + "\n"


def _found(found: list[Told], places: Places) -> list[Told]:
    """The calls as they are told."""
    return [
        {
            "key": each["key"].hex(),
            "at": _time(each["at"]),
            **{name: each[name] for name in ("agent", "provider", "model", "profile", "session", "project", "cost_status")},
            **{name: each[name] for name in TOKENS},
            "reasoning": each["reasoning"],
            "cost": _exact(each["cost_usd"]),
            **places.calls[each["key"]],
        }
        for each in found
    ]


def _dropped_lines(seen: list[Told], unread: list[Unread], limit: int) -> list[str]:
    lines = [f"Dropped: {many(len(seen), 'further record')} of these calls"]
    for each in seen[:limit]:
        lines.append(f"  {each['place']}  {each['key'][:12]} by {each['identity']}: {each['why']}")
        lines.append(f"    counts: {each['counts']}")
    if len(seen) > limit:
        lines.append(f"  {len(seen) - limit} more (--json)")
    if unread:
        repeats = sum(each.duplicate + each.updated for each in unread)
        lines.append(
            f"  {many(len(unread), 'source')} cannot be read again; {many(repeats, 'record')} in them repeated a call when they were read"
        )
    return lines


def _identities(rows: list[Told]) -> list[str]:
    key = rows[0]["key"].hex() if rows else ""
    names = {name for row in rows for name in row["aliases"] or ()}
    return (
        [f"{key} (key)"] + [f"{name[:16].hex()} ({'offered' if len(name) > 16 else 'claimed'})" for name in sorted(names)] if rows else []
    )


def _row(row: Told, sources: Mapping[tuple[str, int], Source]) -> Told:
    kept = ("kind", "requests", *TOKENS, "reasoning", "web_searches", "message_id", "request_id", "origin", "owner_rank", "session")
    told = {"rank": row["rank"].hex(), "place": row_place(row, sources), "ingested_at": _time(row["ingested_at"])}
    return {name: row[name] for name in kept} | told


def _rule(store: Store, rows: list[Told], one: Told) -> str:
    own = rows[-1]["profile"] if rows else None
    if own:
        return "profile: the source itself names it"
    for rule in store.rules.rules:
        if rule.matches(one["agent"], one["root"], one["project"]):
            return f"profile: by the rule for {escaped(rule.project or rule.root or rule.agent or 'everything')}"
    return "profile: no rule holds for it"


def _rates(store: Store, one: Told) -> Rates | None:
    at: datetime = one["at"].astimezone(UTC)
    prompt = sum(one[name] for name in TOKENS if name != "output") if one["granularity"] == WHOLE else 0
    day, minute = at.date().toordinal() - _EPOCH, at.hour * 60 + at.minute
    return resolve(store.book, Shape(one["provider"], one["model"], day, prompt, one["tier"], one["speed"], one["geo"], minute))


def _price(rates: Rates, one: Told) -> Told:
    return {
        "row": rates.row,
        "provider": rates.provider or None,
        "from": "ever" if rates.from_day < 0 else iso(rates.from_day),
        "origin": rates.origin,
        "rule": rates.rule,
        "prompt_over": rates.over or None,
        "tier": one["tier"],
        "speed": one["speed"],
        "geo": one["geo"],
        "notes": list(rates.notes),
    }


def _part(part: Part) -> Told:
    return {
        **{name: getattr(part, name) for name in ("provider", "model", "what", "requests", "tokens")},
        "rate_usd": _exact(part.rate),
        "cost": _exact(part.cost),
    }


def _part_line(part: Part) -> str:
    head = f"  {escaped(part.model or 'unknown')} {part.what.replace('_', ' ')}: {part.tokens:,}"
    if part.rate is not None:
        return f"{head} x {dollars(part.rate * 1_000_000)} = {_usd(part.cost)}"
    return f"{head}, {many(part.requests, 'call')}" + ("" if part.cost is None else f" = {_usd(part.cost)}")


def _unread(each: Unread) -> Told:
    return {"file": escaped(each.path), "reason": each.reason, "duplicate": each.duplicate, "updated": each.updated}


def _of(counts: Told) -> str:
    return ", ".join(f"{counts[name]:,} {name.replace('_', ' ')}" for name in TOKENS if counts[name]) or "no tokens"


def _time(at: datetime) -> str:
    return calendar.iso_time(int(at.timestamp()) * 1_000_000)


def _exact(cost: int | None) -> Exact | None:
    return None if cost is None else Exact(cost)


def _usd(cost: int | None) -> str:
    return "no cost" if cost is None else f"${dollars(cost)}"
