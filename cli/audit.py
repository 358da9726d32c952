"""`ringlet usage audit`: what is missing from the numbers, and how they compare with a provider's own export.

Decides what is worth a warning. What is lost is found out by `cli.lost`, a bill is compared by `cli.invoice`.
"""

from typing import Any

from cli import invoice, lost
from cli.advice import nothing_recorded
from cli.as_json import written
from cli.ask import Request
from cli.deep import answer_from_views, terms_of
from cli.escaped import escaped
from cli.figures import many
from cli.invoice import within
from cli.outcomes import DOCTOR_WARNINGS, DONE
from cli.refresh import Store
from ingest.adapters.claude_stats import Lost
from ingest.adapters.codex_threads import ThreadTotal
from views import explain, materialize
from views.catalog import Frames
from views.matching import model_matches
from views.query import Query

Told = dict[str, Any]


def audit(request: Request, query: Query, store: Store, path: str | None, columns: dict[str, str | None]) -> tuple[str, int]:
    """What is printed, and the exit code."""
    coverage = _coverage(query, store)
    warnings = _warnings(coverage)
    if path is None and not request.json and not warnings and store.log.span() is None:
        return nothing_recorded(store), DONE
    told: Told = {"schema_version": 1, "period": query.label, "timezone": query.tz, "coverage": coverage, "warnings": warnings}
    lines = [f"Audit · {query.label} ({query.tz})", "", *(f"! {each}" for each in warnings)]
    if coverage["not_billed"]:
        lines.append(
            f"· {many(sum(each['calls'] for each in coverage['not_billed']), 'call')} of local or managed providers without a cost"
        )
    if path is not None:
        found = invoice.beside(query, store, path, columns)
        told["invoice"] = invoice.told(found)
        lines += [*([""] if lines[-1] else []), *invoice.table(found), *(f"! {each}" for each in invoice.warnings(found))]
        warnings += invoice.warnings(found)
    if not warnings:
        lines.append(
            "Nothing is known to be missing." if coverage["calls"] else "No call is recorded here, and nothing is known to be missing."
        )
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
        if query.agent not in (None, each.agent):
            continue
        reasons[each.record.reason] = reasons.get(each.record.reason, 0) + 1
    claude, threads = _lost(query, store)
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


def _lost(query: Query, store: Store) -> tuple[list[Lost], list[ThreadTotal]]:
    """Days that Claude Code remembers and threads that Codex does, as far as the question means them: of neither is more known than agent
    and day, and of the days the model."""
    if query.filters().keys() - {"agent", "model"} or query.since_us is not None:
        return [], []
    days = lost.lost_days(store) if query.agent in (None, "claude") else []
    threads = lost.lost_threads(store) if query.agent in (None, "codex") and query.model is None else []
    return (
        [
            each
            for each in days
            if (query.model is None or model_matches(query.model, each.model)) and (each.day is None or within(query, each.day.isoformat()))
        ],
        [each for each in threads if within(query, each.at.date().isoformat())],
    )


_STATUSES = ("unpriced", "not_billed", "partial")


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
        f"{many(each['calls'], 'call')} of {escaped(each['model'])} with a part of the output: logged so by an old version, or cut short"
        for each in coverage["partial"]
    ]
    warnings += [f"{many(number, 'record')} in quarantine: {reason} (ringlet doctor)" for reason, number in coverage["quarantined"].items()]
    return warnings


def _days(days: list[str]) -> str:
    return f"{days[0]}" if len(days) == 1 else f"{len(days)} days ({days[0]} to {days[-1]})"
