"""The terms on which calls are counted and billed: rules, prices, policy and zone, as they stand.

Decides how the views ask for profiles and rates, and what tells that an answer given under other terms is old. What the rules and the price
book say is their own business.
"""

from datetime import date

import msgspec

from pipeline.profiles import Rules
from views.columns import RATES
from views.pricing.book import Book
from views.pricing.cost import Rates, Shape, resolve, step_prompt
from views.pricing.decision import is_billed

_EPOCH = date(1970, 1, 1)


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """All that decides a call's profile and cost, and whose calendar days are meant."""

    rules: Rules
    book: Book
    policy: str = "metered"
    """`usage.cost_policy`."""
    declared: dict[str, str] = {}
    """Billing by provider name, as far as the configuration states it."""
    zone: str = "UTC"
    """IANA name of the zone of `by_day` and `by_hour`."""
    stamp: str = ""
    """Differs whenever one of the above does, the zone left out."""

    def ownership(
        self, agent: str, root: str | None, project: str | None, own: str | None, provider: str | None
    ) -> tuple[str, str | None, bool]:
        """(profile, provider, billed per token) of a call; see `calls.Ownership`."""
        profile = self.rules.profile_of(agent, root, project, own)
        payer = self._payer(profile)
        return profile, self.rules.provider_of(profile, provider), is_billed(provider, payer, policy=self.policy, declared=self.declared)

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
        prompt = step_prompt(self.book.steps(), step)
        found = resolve(self.book, Shape(provider, model, (day - _EPOCH).days, prompt, tier, speed, geo, minute))
        return None if found is None else tuple(getattr(found, name.removesuffix("_rate")) for name in RATES)

    def is_timed(self, provider: str | None, model: str | None, day: date) -> bool:
        """Whether the price of a model depends on the time of day; see `calls.IsTimed`."""
        found: Rates | None = resolve(self.book, Shape(provider, model, (day - _EPOCH).days))
        return found is not None and found.off_peak

    def _payer(self, profile: str) -> str | None:
        return next((known.provider for known in self.rules.profiles if known.name == profile), None)
