"""A provider's bill beside the log: `ringlet usage audit --invoice`.

Decides which part of both is compared, and what of the difference is worth a warning. What the file says is `views.invoice`' business.
"""

import os
from typing import Any

import msgspec

from cli.as_json import Exact
from cli.ask import WrongUsage
from cli.deep import terms_of
from cli.escaped import escaped
from cli.figures import many
from cli.refresh import Store
from pipeline.errors import NothingFound, RingletError, UnknownName
from views import calendar, explain, invoice, materialize, reconciled
from views.invoice import Invoice
from views.query import ATTO, FILTERS, Query
from views.reconciled import Compared

TOLERATED = 0.02
"""A bill that differs by more than this share is pointed out."""
LARGEST_BYTES = 64 << 20
_LISTED = 20
_MODEL_WIDTH = 24
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_NO_TEXT = (b"PK\x03\x04", b"\x1f\x8b", b"\xd0\xcf\x11\xe0", b"%PDF")
"""How workbooks, archives and printed pages begin."""

Told = dict[str, Any]


class Beside(msgspec.Struct, kw_only=True):
    """A bill and the calls of the days that it and the question have in common."""

    path: str
    bill: Invoice
    provider: str | None
    """Whose calls are compared; None: everybody's."""
    first: str | None
    last: str | None
    """The first and last UTC day that is compared; None where the bill has none within the question."""
    rows: list[Compared]
    ours: int
    theirs: int
    """Attodollars in all."""
    outside: int
    """Days and models of the bill that the question leaves out."""


def beside(query: Query, store: Store, path: str, columns: dict[str, str | None]) -> Beside:
    """The bill in a file beside the log. Raises RingletError for a file that is none."""
    if query.since_us is not None:
        raise WrongUsage("a bill has whole days, and 24h has none", mend="give another period, or --since and --until")
    bill = _bill(path, columns)
    theirs = {key: cost for key, cost in bill.amounts.items() if within(query, key[0]) and reconciled.is_asked(key[1], query.model)}
    asked = Query(now_us=query.now_us, today=query.today, tz="UTC", by="model", cost_mode=query.cost_mode)
    for name in FILTERS:
        setattr(asked, name, getattr(query, name))
    asked.provider = query.provider or bill.format.provider
    days = sorted(day for day, _ in theirs)
    ours: dict[invoice.Key, reconciled.Counted] = {}
    if days:
        asked.first_day, asked.last_day = calendar.parse_day(days[0]), calendar.parse_day(days[-1])
        found = materialize.asked(store.paths.views, store.log, terms_of(store), lambda frames: explain.by_day_and_model(asked, frames))
        ours = reconciled.by_bill(found, bill)
    rows = reconciled.reconciled(ours, theirs)
    return Beside(
        path=path,
        bill=bill,
        provider=asked.provider,
        first=days[0] if days else None,
        last=days[-1] if days else None,
        rows=rows,
        ours=sum(each.ours.cost or 0 for each in rows),
        theirs=sum(theirs.values()),
        outside=len(bill.amounts) - len(theirs),
    )


def within(query: Query, day: str) -> bool:
    """Whether a day, YYYY-MM-DD, lies in the question's range."""
    number = calendar.parse_day(day)
    return number is None or ((query.first_day or number) <= number and (query.last_day is None or number <= query.last_day))


def _bill(path: str, columns: dict[str, str | None]) -> Invoice:
    where = escaped(path)
    try:
        if os.path.isdir(path):
            raise RingletError("is a folder", where=where, mend="name the file")
        with open(path, "rb") as file:
            content = file.read(LARGEST_BYTES + 1)
    except FileNotFoundError:
        raise NothingFound("there is no such file", where=where) from None
    if len(content) > LARGEST_BYTES:
        raise RingletError(f"is larger than {LARGEST_BYTES >> 20} MiB: no cost export", where=where)
    if content.startswith(_NO_TEXT):
        raise RingletError("is no text but a workbook, an archive or a printed page", where=where, mend="export it as CSV")
    try:
        text = content.decode("utf-16" if content.startswith(_UTF_16) else "utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise RingletError(f"is no text in UTF-8 or UTF-16 from line {line} on", where=where, mend="save it as CSV in UTF-8") from None
    try:
        return invoice.parsed(text, columns)
    except UnknownName as error:
        raise UnknownName(escaped(error.what), where=where, valid=error.valid) from None
    except RingletError as error:
        raise RingletError(escaped(error.what), where=where, mend=error.mend) from None


def warnings(found: Beside) -> list[str]:
    """What of the comparison somebody should look at."""
    bill = found.bill
    told = [f"line {line} of the bill is left out: {escaped(reason)}" for line, reason in bill.bad[:_LISTED]]
    if len(bill.bad) > _LISTED:
        told.append(f"and {len(bill.bad) - _LISTED:,} more lines that cannot be read (--json has all)")
    if found.first is None:
        what = (
            f"none of its {many(found.outside, 'row')} lies in the period and filters"
            if found.outside
            else "it has no row that can be read"
        )
        return [*told, f"nothing of the bill is compared: {what}"]
    share = reconciled.ratio(found.ours, found.theirs)
    if share is None or abs(share - 1) > TOLERATED:
        whole = "the bill comes to nothing" if share is None else f"ours is {share:.4f} of the bill"
        told.append(f"{whole}: ${_money(found.ours)} beside ${_money(found.theirs)}")
    unpriced = {each.model for each in found.rows if each.ours.unpriced}
    if unpriced:
        models = ", ".join(map(escaped, sorted(unpriced)[:_LISTED]))
        told.append(f"calls of these days have no price here: {models} (ringlet prices show MODEL)")
    only_theirs = sum(not each.ours.calls for each in found.rows)
    if only_theirs:
        told.append(f"{many(only_theirs, 'row')} of the bill match{'es' if only_theirs == 1 else ''} no call")
    only_ours = sum(each.theirs is None for each in found.rows)
    if only_ours:
        told.append(f"{many(only_ours, 'row')} of ours {'is' if only_ours == 1 else 'are'} not in the bill")
    return told


def told(found: Beside) -> Told:
    """The comparison as JSON."""
    bill = found.bill
    return {
        "file": escaped(found.path),
        "format": bill.format.name,
        "amounts_in_cents": bill.in_cents,
        "currency": "USD",
        "days": "UTC",
        "from": found.first,
        "to": found.last,
        "provider": found.provider,
        "rows": [
            {
                "day": each.day,
                "model": escaped(each.model),
                "calls": each.ours.calls,
                "unpriced_calls": each.ours.unpriced,
                "ours": None if each.ours.cost is None else Exact(each.ours.cost),
                "theirs": None if each.theirs is None else Exact(each.theirs),
                "difference": Exact((each.ours.cost or 0) - (each.theirs or 0)),
                "ratio": _ratio(each.ours.cost, each.theirs),
            }
            for each in found.rows
        ],
        "only_ours": sum(each.theirs is None for each in found.rows),
        "only_theirs": sum(not each.ours.calls for each in found.rows),
        "total_ours": Exact(found.ours),
        "total_theirs": Exact(found.theirs),
        "total_difference": Exact(found.ours - found.theirs),
        "total_ratio": _ratio(found.ours, found.theirs),
        "rows_outside": found.outside,
        "totals_rows": bill.totals,
        "bad_rows": [{"line": line, "reason": escaped(reason)} for line, reason in bill.bad],
    }


def table(found: Beside) -> list[str]:
    """The comparison as lines of at most 80 columns."""
    about = ["US dollars", "UTC days", *([f"provider {escaped(found.provider)}"] if found.provider else [])]
    about += ["amounts in cents"] if found.bill.in_cents else []
    lines = [f"{found.bill.format.name}: {escaped(found.path)} ({', '.join(about)})"]
    if found.bill.totals:
        lines.append(f"· {many(len(found.bill.totals), 'row')} of sums left out (line {', '.join(map(str, found.bill.totals[:5]))})")
    if not found.rows:
        return lines
    lines.append(f"{'DAY':<11}{'MODEL':<{_MODEL_WIDTH}}{'OURS':>12}{'THEIRS':>12}{'DIFFERENCE':>12}{'RATIO':>9}")
    for each in found.rows:
        model = escaped(each.model)
        model = model if len(model) < _MODEL_WIDTH else f"{model[: _MODEL_WIDTH - 2]}…"
        lines.append(f"{each.day:<11}{model:<{_MODEL_WIDTH}}{_columns(each.ours.cost, each.theirs)}")
    return [*lines, f"{'TOTAL':<{11 + _MODEL_WIDTH}}{_columns(found.ours, found.theirs)}"]


def _columns(ours: int | None, theirs: int | None) -> str:
    sides = "".join(f"{'-' if each is None else _money(each):>12}" for each in (ours, theirs))
    return f"{sides}{_money((ours or 0) - (theirs or 0)):>12}{_ratio(ours, theirs) or '-':>9}"


def _money(amount: int) -> str:
    """US dollars to the hundredth of a cent, half up."""
    units = (abs(amount) * 20_000 + ATTO) // (2 * ATTO)
    return f"{'-' if amount < 0 and units else ''}{units // 10_000:,}.{units % 10_000:04d}"


def _ratio(ours: int | None, theirs: int | None) -> str | None:
    found = None if ours is None or theirs is None else reconciled.ratio(ours, theirs)
    return None if found is None else f"{found:.4f}"
