"""`ringlet usage audit`: what is missing from the numbers, and how they compare with a provider's own export.

Decides what is worth a warning. What is lost is found out by `cli.lost`, what a file bills by `views.invoice`.
"""

from typing import Any

from cli import lost
from cli.as_json import Exact, written
from cli.ask import Request
from cli.deep import answer_from_views, terms_of
from cli.escaped import escaped
from cli.figures import many
from cli.outcomes import DOCTOR_WARNINGS, DONE
from cli.refresh import Store
from pipeline.errors import RingletError
from views import calendar, explain, invoice, materialize
from views.catalog import Frames
from views.invoice import Invoice
from views.query import Query

TOLERATED = 0.02
"""A bill that differs by more than this share is pointed out."""

Told = dict[str, Any]


def audit(request: Request, query: Query, store: Store, path: str | None, columns: dict[str, str | None]) -> tuple[str, int]:
    """What is printed, and the exit code."""
    coverage = _coverage(query, store)
    warnings = _warnings(coverage)
    told: Told = {"schema_version": 1, "period": query.label, "timezone": query.tz, "coverage": coverage, "warnings": warnings}
    lines = [f"Audit · {query.label} ({query.tz})", "", *(f"! {each}" for each in warnings)]
    if coverage["not_billed"]:
        lines.append(
            f"· {many(sum(each['calls'] for each in coverage['not_billed']), 'call')} of local or managed providers without a cost"
        )
    if path is not None:
        told["invoice"] = compared = _compared(query, store, path, columns)
        lines += ["", *_table(compared)]
        warnings += _differences(compared)
        lines += [f"! {each}" for each in _differences(compared)]
    if not warnings:
        lines.append("Nothing is known to be missing.")
    return (written(told) if request.json else "\n".join(lines) + "\n"), DOCTOR_WARNINGS if warnings else DONE


def _coverage(query: Query, store: Store) -> Told:
    answer = answer_from_views(query.grouped("day"), store)
    with_calls = [row.key for row in answer.rows if row.requests and row.key]
    empty = [row.key for row in answer.rows if not row.requests and row.key and with_calls and with_calls[0] < row.key < with_calls[-1]]
    gone = [each.id for each in store.log.sources() if each.gone]

    def found_in(frames: Frames) -> tuple[list[tuple[str, str, int, int]], list[str]]:
        return explain.without_cost(query, frames), explain.days_read_from(gone, query, frames, store.log) if gone else []

    found, days = materialize.asked(store.paths.views, store.log, terms_of(store), found_in)
    reasons: dict[str, int] = {}
    for each in store.log.quarantine():
        reasons[each.record.reason] = reasons.get(each.record.reason, 0) + 1
    claude = [each for each in lost.lost_days(store) if each.day is None or _within(query, each.day.isoformat())]
    threads = [each for each in lost.lost_threads(store) if _within(query, each.at.date().isoformat())]
    status = {name: [{"model": m, "calls": n, "tokens": t} for s, m, n, t in found if s == name] for name in _STATUSES}
    return {
        "calls": answer.totals.requests,
        "days_with_calls": len(with_calls),
        "days_without_calls": empty,
        "days_with_logs_gone": days,
        "sources_gone": len(gone),
        "lost_history": {
            "claude_tokens": sum(each.tokens for each in claude),
            "claude_days": sorted({each.day.isoformat() for each in claude if each.day is not None}),
            "codex_threads": len(threads),
            "codex_tokens": sum(each.tokens for each in threads),
        },
        **status,
        "quarantined": dict(sorted(reasons.items())),
    }


_STATUSES = ("unpriced", "not_billed", "partial")


def _within(query: Query, day: str) -> bool:
    number = calendar.parse_day(day)
    return number is None or ((query.first_day or number) <= number and (query.last_day is None or number <= query.last_day))


def _warnings(coverage: Told) -> list[str]:
    warnings = []
    if coverage["days_with_logs_gone"]:
        warnings.append(f"logs are gone of {_days(coverage['days_with_logs_gone'])}; the calls that were read from them are kept")
    if coverage["days_without_calls"]:
        warnings.append(f"no call on {_days(coverage['days_without_calls'])}, with calls before and after")
    history = coverage["lost_history"]
    if history["claude_tokens"]:
        warnings.append(f"Claude Code remembers {history['claude_tokens']:,} more tokens on {_days(history['claude_days'])}; in no total")
    if history["codex_threads"]:
        warnings.append(
            f"Codex remembers {many(history['codex_threads'], 'more thread')} ({history['codex_tokens']:,} tokens); in no total"
        )
    warnings += [
        f"no price is known of {escaped(each['model'])}: {many(each['calls'], 'call')}, {each['tokens']:,} tokens"
        for each in coverage["unpriced"]
    ]
    warnings += [
        f"{many(each['calls'], 'call')} of {escaped(each['model'])} by old versions hold only a part of the output"
        for each in coverage["partial"]
    ]
    warnings += [f"{many(number, 'record')} in quarantine: {reason} (ringlet doctor)" for reason, number in coverage["quarantined"].items()]
    return warnings


def _days(days: list[str]) -> str:
    return f"{days[0]}" if len(days) == 1 else f"{len(days)} days ({days[0]} to {days[-1]})"


def _compared(query: Query, store: Store, path: str, columns: dict[str, str | None]) -> Told:
    try:
        with open(path, encoding="utf-8", newline="") as file:
            bill: Invoice = invoice.parsed(file.read(), columns)
    except UnicodeDecodeError:
        raise RingletError("is no text in UTF-8", where=escaped(path), mend="save it as CSV in UTF-8") from None
    except RingletError as error:
        raise RingletError(error.what, where=escaped(path), mend=error.mend) from None
    theirs = {key: amount for key, amount in bill.amounts.items() if _within(query, key[0])}
    utc = query.grouped("model", ranged=False)
    utc.tz = "UTC"
    utc.provider = query.provider or bill.format.provider
    if theirs:
        utc.first_day, utc.last_day = calendar.parse_day(min(theirs)[0]), calendar.parse_day(max(theirs)[0])
    found = materialize.asked(store.paths.views, store.log, terms_of(store), lambda frames: explain.by_day_and_model(utc, frames))
    ours: dict[invoice.Key, int | None] = {}
    for day, model, cost in found if theirs else ():
        key = day, invoice.model_name(model)
        ours[key] = cost if ours.get(key) is None else (ours[key] or 0) + (cost or 0)
    rows = invoice.reconciled(ours, theirs)
    totals = [sum(each.ours or 0 for each in rows), sum(each.theirs or 0 for each in rows)]
    return {
        "file": escaped(path),
        "format": bill.format.name,
        "currency": "USD",
        "days": "UTC",
        "provider": utc.provider,
        "rows": [
            {
                "day": each.day,
                "model": each.model,
                "ours": None if each.ours is None else Exact(each.ours),
                "theirs": None if each.theirs is None else Exact(each.theirs),
                "difference": Exact((each.ours or 0) - (each.theirs or 0)),
                "ratio": _ratio(each.ours, each.theirs),
            }
            for each in rows
        ],
        "only_ours": sum(each.theirs is None for each in rows),
        "only_theirs": sum(each.ours is None for each in rows),
        "total_ours": Exact(totals[0]),
        "total_theirs": Exact(totals[1]),
        "total_difference": Exact(totals[0] - totals[1]),
        "total_ratio": _ratio(*totals),
        "bad_rows": [{"line": line, "reason": reason} for line, reason in bill.bad],
    }


def _ratio(ours: int | None, theirs: int | None) -> str | None:
    found = invoice.ratio([ours], [theirs])
    return None if found is None else f"{found:.4f}"


def _table(told: Told) -> list[str]:
    lines = [f"{told['format']}: {told['file']} (US dollars, UTC days" + (f", provider {told['provider']})" if told["provider"] else ")")]
    lines.append(f"{'DAY':<12}{'MODEL':<30}{'OURS':>16}{'THEIRS':>16}{'DIFFERENCE':>16}{'RATIO':>9}")
    total = {name: told[f"total_{name}"] for name in ("ours", "theirs", "difference", "ratio")}
    for row in [*told["rows"], {"day": "TOTAL", "model": "", **total}]:
        money = "".join(f"{'-' if row[name] is None else row[name].text:>16}" for name in ("ours", "theirs", "difference"))
        lines.append(f"{row['day']:<12}{escaped(row['model'])[:28]:<30}{money}{row['ratio'] or '-':>9}")
    return lines


def _differences(told: Told) -> list[str]:
    warnings = [f"line {each['line']} of the export cannot be read: {escaped(each['reason'])}" for each in told["bad_rows"][:20]]
    if told["total_ratio"] is None or abs(float(told["total_ratio"]) - 1) > TOLERATED:
        warnings.append(
            f"ours is {told['total_ratio'] or 'no part'} of the bill: ${told['total_ours'].text} beside ${told['total_theirs'].text}"
        )
    if told["only_theirs"]:
        warnings.append(f"{many(told['only_theirs'], 'row')} of the bill match no call")
    if told["only_ours"]:
        warnings.append(f"{told['only_ours']} of our days and models are not in the bill")
    return warnings
