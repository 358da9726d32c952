"""`ringlet explain`: what a total or a call is made of.

Decides which facts are told of a question's calls and of one call in full. Where records stand is `cli.places`' business, the words are
`cli.explained`'s.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from cli import explained
from cli.advice import nothing_recorded
from cli.app import nothing_at_all
from cli.as_json import Exact, written
from cli.ask import Request, WrongUsage
from cli.deep import answer_from_views, terms_of
from cli.escaped import escaped
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
from views.query import Query

Told = dict[str, Any]
_EPOCH = date(1970, 1, 1).toordinal()
_KEY_DIGITS = 32
_LISTED = 10


def total(request: Request, query: Query, store: Store, known: Mapping[str, Named]) -> str:
    """What the question's total is made of; `known` is as `sightings.prepared` gave it."""
    limit, query.limit = query.limit, None
    answer = answer_from_views(query, store)
    if not answer.totals.requests and not request.json:
        return nothing_recorded(store) if nothing_at_all(answer) else explained.nothing(answer)
    found = materialize.asked(store.paths.views, store.log, terms_of(store), lambda frames: explain.calls(query, frames))
    parts = explain.parts(found, query.cost_mode)
    places = placed(store, known, explain.rows(store.log, {each["key"] for each in found}))
    told = _calls(found, places)
    cost, summed = answer.totals.cost, [part.cost for part in parts if part.cost is not None]
    about: Told = {
        "schema_version": 1,
        "period": query.label,
        "timezone": query.tz,
        "filters": dict(query.filters()),
        "cost_mode": query.cost_mode,
        "total_requests": answer.totals.requests,
        "total_tokens": answer.totals.tokens,
        "total_cost": _exact(cost if answer.totals.requests else None),
        "parts_cost": _exact(sum(summed) if summed else None),
        "parts": [_part(part) for part in parts],
        "calls": told[:limit] if limit else told,
        "calls_not_shown": max(0, len(told) - limit) if limit else 0,
        "dropped": places.dropped,
        "sources_not_read_again": [_unread(each) for each in places.unread],
    }
    return written(about) if request.json else explained.total(about, query, told, limit)


def call(request: Request, prefix: str, query: Query, store: Store, known: Mapping[str, Named]) -> str:
    """All that is known of one call. Raises NothingFound for a key of none, WrongUsage for what begins several."""
    one = _one(prefix, query, store)
    rows = explain.rows(store.log, {one["key"]})
    places = placed(store, known, rows)
    stated, status = explain.is_stated(one, query.cost_mode), one["cost_status"]
    rates = None if stated or status != "priced" else _rates(store, one)
    about: Told = {
        "schema_version": 1,
        **_calls([one], places)[0],
        "cost_mode": query.cost_mode,
        "identities": _identities(rows),
        "machine": store.log.machine,
        "rows": [_row(row, places.rows) for row in [*_former(rows, store), *rows]],
        "price": None if rates is None else _price(rates, one),
        "cost_from": "log" if stated else "price book" if status == "priced" else None,
        "cost_stated": _exact(one["logged_cost_usd"]),
        "cost_stated_by": one["logged_cost_basis"],
        "arithmetic": []
        if rates is None
        else [
            {"class": what, "count": number, "rate_usd": Exact(rate), "cost": Exact(number * rate)}
            for what, number, rate in explain.products(one)
        ],
        "profile_rule": _rule(store, rows, one),
        "dropped": places.dropped,
        "sources_not_read_again": [_unread(each) for each in places.unread],
    }
    return written(about) if request.json else explained.call(about)


def _one(prefix: str, query: Query, store: Store) -> Told:
    digits = prefix.lower()
    if not digits or len(digits) > _KEY_DIGITS or any(letter not in "0123456789abcdef" for letter in digits):
        mend = "give the hexadecimal digits that ringlet explain shows, or the first of them"
        raise WrongUsage(f"{prefix!r} is no key of a call", mend=mend)
    terms = terms_of(store)
    found = materialize.asked(store.paths.views, store.log, terms, lambda frames: explain.calls_by_key(digits, query, frames))
    if not found:
        named = explain.keys_named(store.log, digits)
        if named:
            found = materialize.asked(store.paths.views, store.log, terms, lambda frames: explain.calls_with(named, query, frames))
        if not found:
            if named:
                what = f"{min(named).hex()} is in the log but counts no more: it was taken back, or another account of it counts"
                raise NothingFound(what, mend="docs/explain.md tells when")
            raise NothingFound(
                f"no call has a key that begins with {digits}", mend="ringlet explain --period all lists calls with their keys"
            )
    if len(found) > 1:
        keys = sorted(each["key"].hex() for each in found)
        listed = ", ".join(keys[:_LISTED]) + (" …" if len(keys) > _LISTED else "")
        raise WrongUsage(f"{digits} begins {len(keys):,} keys: {listed}", mend="give more digits")
    return found[0]


def _calls(found: list[Told], places: Places) -> list[Told]:
    """The calls as they are told."""
    return [
        {
            "key": each["key"].hex(),
            "at": _time(each["at"]),
            **{name: each[name] for name in ("agent", "provider", "model", "profile", "session", "project", "cost_status")},
            **{name: each[name] for name in TOKENS},
            "reasoning": each["reasoning"],
            "web_searches": each["web_searches"],
            "cost": _exact(each["cost_usd"]),
            **places.calls[each["key"]],
        }
        for each in found
    ]


def _identities(rows: list[Told]) -> list[str]:
    names = {name for row in rows for name in row["aliases"] or ()}
    others = [f"{name[:16].hex()} ({'offered' if len(name) > 16 else 'claimed'})" for name in sorted(names)]
    return [f"{rows[0]['key'].hex()} (key)", *others]


def _former(rows: list[Told], store: Store) -> list[Told]:
    """The rows under the keys that the call gave up, which are among what it claims."""
    claimed = {name for row in rows for name in row["aliases"] or () if len(name) == len(row["key"])}
    return explain.rows(store.log, claimed) if claimed else []


def _row(row: Told, sources: Mapping[tuple[str, int], Source]) -> Told:
    kept = (
        "kind",
        "requests",
        *TOKENS,
        "reasoning",
        "web_searches",
        "message_id",
        "request_id",
        "origin",
        "owner_rank",
        "session",
        "machine",
    )
    told = {"key": row["key"].hex(), "rank": row["rank"].hex(), "place": row_place(row, sources), "ingested_at": _time(row["ingested_at"])}
    return {name: row[name] for name in kept} | told


def _rule(store: Store, rows: list[Told], one: Told) -> str:
    if rows[-1]["profile"]:
        return "the source itself names it"
    for rule in store.rules.rules:
        if rule.matches(one["agent"], one["root"], one["project"]):
            return f"by the rule for {escaped(rule.project or rule.root or rule.agent or 'everything')}"
    return "no rule holds for it"


def _rates(store: Store, one: Told) -> Rates | None:
    at: datetime = one["at"].astimezone(UTC)
    prompt = sum(one[name] for name in TOKENS if name != "output") if one["granularity"] == WHOLE else 0
    day, minute = at.date().toordinal() - _EPOCH, at.hour * 60 + at.minute
    return resolve(store.book, Shape(one["provider"], one["model"], day, prompt, one["tier"], one["speed"], one["geo"], minute))


def _price(rates: Rates, one: Told) -> Told:
    at: datetime = one["at"].astimezone(UTC)
    return {
        "row": rates.row,
        "provider": rates.provider or None,
        "from": None if rates.from_day < 0 else iso(rates.from_day),
        "before_its_first_day": rates.from_day > at.date().toordinal() - _EPOCH,
        "origin": rates.origin,
        "rule": rates.rule,
        "prompt": sum(one[name] for name in TOKENS if name != "output"),
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
        "rate_usd_per_million": None if part.rate is None else Exact(part.rate * 1_000_000),
        "cost": _exact(part.cost),
    }


def _unread(each: Unread) -> Told:
    return {"file": escaped(each.path), "reason": escaped(each.reason), "duplicate": each.duplicate, "updated": each.updated}


def _time(at: datetime) -> str:
    return calendar.iso_time(int(at.timestamp()) * 1_000_000)


def _exact(cost: int | None) -> Exact | None:
    return None if cost is None else Exact(cost)
