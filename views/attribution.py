"""Whose a call is, who bills it, and whether it has a cost at all.

Decides by putting together the rules of `pipeline.profiles` and the billing of providers; every view asks here, so that all agree.
"""

from collections.abc import Mapping

from pipeline.profiles import Rules
from views.pricing.decision import is_billed


class Attribution:
    """Answers (profile, provider, billed per token) for what a log says about a call; each distinct question is worked out once."""

    def __init__(self, rules: Rules, *, policy: str = "metered", declared: Mapping[str, str] | None = None) -> None:
        self._rules = rules
        self._policy = policy
        self._declared = declared
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
