"""What the API answers about ringlet itself: that it answers, whether the store is well, and numbers for Prometheus."""

from collections.abc import Iterable, Iterator

import msgspec

from cli import itself
from cli.refresh import opened
from cli.serve.contract import envelope, inventory, questions
from cli.serve.handlers import whole
from cli.serve.handlers.work import slowly, soon
from cli.serve.service import Service
from views.pricing.money import dollars
from views.query import Query, Row

METRICS = "text/plain; version=0.0.4; charset=utf-8"
"""The text format of Prometheus (prometheus.io, "Exposition formats", read 2026-11)."""

_CLASSES = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")


async def health(service: Service, params: None) -> inventory.Health:  # noqa: ARG001
    """That there is an answer."""
    return inventory.Health(status="ok", version=_VERSION)


async def doctor(service: Service, params: questions.DoctorParams) -> inventory.DoctorReport:
    """Whether the store is well."""

    def made() -> inventory.DoctorReport:
        from cli.examine import examine  # the frame library

        with opened(service.paths, service.environ, service.now_us()) as store:
            report = examine(store, deep=params.deep)
            return msgspec.convert({**msgspec.to_builtins(report), **whole.by_store(service, store)}, inventory.DoctorReport)

    return await slowly(service, made)


async def metrics(service: Service, params: None) -> envelope.Reply:  # noqa: ARG001
    """All of the log by provider and model, and the state of the answers."""
    return envelope.Reply(METRICS, await soon(service, lambda: "\n".join([*_lines(service), ""]).encode()))


def _lines(service: Service) -> Iterator[str]:
    standing = service.standing()
    tz = standing.store.zone
    query = Query(now_us=service.now_us(), today=service.today(tz), tz=tz, by="provider", split="model", cost_mode=standing.mode)
    rows = _one_each(service.answer(query, standing).rows)
    yield from _metric("requests_total", "counter", "Model calls", ((_labels(row), str(row.requests)) for row in rows))
    each = ((_labels(row, f',class="{name}"'), str(getattr(row, name))) for row in rows for name in _CLASSES)
    yield from _metric("tokens_total", "counter", "Tokens by class; the classes are disjoint", each)
    priced = ((_labels(row), dollars(row.cost)) for row in rows if row.cost is not None)
    yield from _metric("cost_usd_total", "counter", "Estimated cost in US dollars, of calls with a price", priced)
    yield from _metric(
        "unpriced_requests_total", "counter", "Calls without a known price", ((_labels(row), str(row.unpriced_requests)) for row in rows)
    )
    yield from _metric("quarantined_records", "gauge", "Records that claim usage and cannot be believed", [("", str(standing.quarantined))])
    yield from _metric("log_sequence", "gauge", "Number of the log's last record", [("", str(standing.position.seq))])
    yield from _metric("as_of_seconds", "gauge", "Until when logs are in these numbers", [("", f"{service.as_of_us / 1e6:.3f}")])
    yield from _metric("complete", "gauge", "1 unless an import is running", [("", str(int(service.complete)))])
    if service.condition is not None:
        told = service.condition()
        yield from _metric("events_seen_total", "counter", "Calls seen since the daemon started", [("", str(told.events_seen))])
        yield from _metric("watcher_restarts_total", "counter", "Failures of the watcher", [("", str(told.restarts))])
        yield from _metric("pages_listening", "gauge", "Pages that are told of news", [("", str(told.listening))])


def _one_each(rows: Iterable[Row]) -> list[Row]:
    """Rows of the same labels added up: an unknown name and an empty one are both none, and a scrape fails at two samples of one name."""
    found: dict[str, Row] = {}
    for row in rows:
        labels = _labels(row)
        if labels in found:
            found[labels].add(row)
        else:
            found[labels] = row
    return list(found.values())


def _metric(name: str, kind: str, what: str, values: "Iterator[tuple[str, str]] | list[tuple[str, str]]") -> Iterator[str]:
    yield f"# HELP ringlet_{name} {what}."
    yield f"# TYPE ringlet_{name} {kind}"
    yield from (f"ringlet_{name}{labels} {value}" for labels, value in values)


def _labels(row: Row, more: str = "") -> str:
    return f'{{provider="{_escaped(row.key)}",model="{_escaped(row.part)}"{more}}}'


def _escaped(name: str | None) -> str:
    return (name or "").replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


_VERSION = itself.version() or "unknown"
