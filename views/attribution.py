"""Whose a call is, who bills it, whether it has a cost at all, and whether it counts.

Decides by putting together the rules of `pipeline.profiles` and the billing of providers, and which of two accounts of the same calls is
the one that counts; every view asks here, so that all agree.
"""

from collections.abc import Mapping
from datetime import date

from pipeline.profiles import LOGS_WITHOUT_ID, Rules
from views.pricing.decision import is_billed

_EPOCH = date(1970, 1, 1)


class Attribution:
    """Answers (profile, provider, billed per token) for what a log says about a call; each distinct question is worked out once."""

    def __init__(self, rules: Rules, *, policy: str = "metered", declared: Mapping[str, str] | None = None) -> None:
        self._rules = rules
        self._policy = policy
        self._declared = declared
        self.captured_from = {
            profile.name: (profile.captured_from - _EPOCH).days for profile in rules.profiles if profile.captured_from is not None
        }
        """UTC day number from which on captured calls of a profile count instead of logged ones, where it is so."""
        self._providers = {profile.name: profile.provider for profile in rules.profiles}
        self._known: dict[tuple[str, str | None, str | None, str | None, str | None], tuple[str, str | None, bool]] = {}

    def __call__(
        self, agent: str, root: str | None, project: str | None, own: str | None, provider: str | None
    ) -> tuple[str, str | None, bool]:
        """`own` is the profile that the call's source itself names, `provider` the one that the log names."""
        asked = (agent, root, project, own, provider)
        found = self._known.get(asked)
        if found is None:
            profile = self._rules.profile_of(agent, root, project, own)
            billed = is_billed(provider, self._providers.get(profile), policy=self._policy, declared=self._declared)
            found = self._known[asked] = (profile, self._rules.provider_of(profile, provider), billed)
        return found

    def counts(self, profile: str, agent: str, root: str | None, utc_day: int) -> bool:
        """Whether a call counts, or is kept only as evidence beside another account of it.

        Of agents whose logs share no id with the wire one of both accounts counts: from the profile's date on what the proxy saw, before
        it, and in profiles without such a date, what the agent logged. A call that only the proxy saw has no root.
        """
        if agent not in LOGS_WITHOUT_ID:
            return True
        since = self.captured_from.get(profile)
        return (root is None) == (since is not None and utc_day >= since)
