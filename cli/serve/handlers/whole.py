"""What answers that are no sums of calls say of how whole they are.

Decides that for them it is the whole log that counts. Answers about usage say it of their own calls (`service`, `shown`).
"""

from typing import Any

from cli.refresh import Store
from cli.serve.service import Service
from cli.serve.standing import Standing
from views import calendar
from views.query import Query


def by_store(service: Service, store: Store) -> dict[str, Any]:
    """The fields of `figures.Told` for an answer from an opened store."""
    snapshot = store.refreshed(sync=False)
    whole = snapshot.answer(_everything(store, snapshot.today(store.now_us) or 0))
    return {
        "as_of": calendar.iso_time(store.now_us),
        "seq": store.log.position().seq,
        "complete": service.complete,
        "quarantined": len(store.log.quarantine()),
        "unpriced_requests": whole.totals.unpriced_requests,
    }


def by_standing(service: Service, standing: Standing) -> dict[str, Any]:
    """The same for an answer from the store that is held."""
    whole = service.answer(_everything(standing.store, service.today(standing.store.zone)), standing)
    return {**service.told(standing), "unpriced_requests": whole.totals.unpriced_requests}


def _everything(store: Store, today: int) -> Query:
    return Query(now_us=store.now_us, today=today, tz=store.zone, period="all", cost_mode=store.config.usage.cost_mode)
