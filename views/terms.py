"""The terms on which calls are counted and billed: attribution, prices and zone, as they stand.

Decides how the views ask for rates and what tells that a view made under other terms is old. What the rules and the price book say is
their own business.
"""

from datetime import date
from threading import Lock

from views.attribution import Attribution
from views.columns import RATES
from views.pricing.book import Book
from views.pricing.cost import Shape, resolve, step_prompt

_EPOCH = date(1970, 1, 1).toordinal()


class Terms:
    """All that decides a call's profile and cost, and whose calendar days are meant."""

    def __init__(self, attribution: Attribution, book: Book, *, zone: str, stamp: str) -> None:
        self.attribution = attribution
        self.zone = zone
        """IANA name of the zone of `by_day` and `by_hour`."""
        self.stamp = stamp
        """Differs whenever rules, prices or settings that decide a cost differ."""
        self.steps = book.steps()
        self._book = book
        # What a book has found it remembers, and two threads must not look for the same at once.
        self._lock = Lock()

    def rates(
        self,
        provider: str | None,
        model: str | None,
        tier: str | None,
        speed: str | None,
        geo: str | None,
        day: date,
        step: int,
        minute: int | None,
    ) -> tuple[int, ...] | None:
        """Attodollars in the order of `columns.RATES`; see `calls.Rates`."""
        prompt = step_prompt(self.steps, step)
        with self._lock:
            found = resolve(self._book, Shape(provider, model, day.toordinal() - _EPOCH, prompt, tier, speed, geo, minute))
        return None if found is None else tuple(getattr(found, name.removesuffix("_rate")) for name in RATES)

    def is_timed(self, provider: str | None, model: str | None, day: date) -> bool:
        """Whether the price of a model depends on the time of day; see `calls.IsTimed`."""
        with self._lock:
            found = resolve(self._book, Shape(provider, model, day.toordinal() - _EPOCH))
        return found is not None and found.off_peak
