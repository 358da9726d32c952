"""Whether a call has a cost, and which: the computed one or the one that its log states.

Decides billing policy and `--cost-mode`. What a price is belongs to `cost`.
"""

from pipeline.providers import billing
from views.pricing.cost import Parts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def is_billed(
    provider: str | None, profile_provider: str | None = None, *, policy: str = "metered", declared: "Mapping[str, str] | None" = None
) -> bool:
    """Whether a call's tokens are paid for one by one, hence have a cost.

    `metered`: neither the provider that the call names nor the one that its profile names is managed or local. `self-only`: the profile's
    provider (without one, the call's) is `self`. `declared` is the configuration's billing by provider name.
    """
    if policy == "self-only":
        return (profile_provider or provider) == "self"
    return billing(provider, declared) == "metered" and (profile_provider is None or billing(profile_provider, declared) == "metered")


def decide(mode: str, billed: bool, computed: Parts | None, logged: int | None, basis: str | None) -> tuple[str, Parts | None, str | None]:
    """(cost_status, parts, where they come from: calculated, provider or agent) of one call under `--cost-mode` `mode`.

    `calculate` knows only the price book and `logged` only the log. In `auto` a cost that the provider stated wins, an agent's own estimate
    counts only where no price is known, and then not when it is zero: agents write 0 for what a plan covers and for models that they
    do not know. `logged` is in attodollars, `basis` provider or agent.
    """
    if not billed:
        return "not_billed", None, None
    if logged is not None and (mode == "logged" or (mode == "auto" and (basis == "provider" or (computed is None and logged)))):
        return "priced", (0, 0, 0, 0, logged), basis
    if computed is not None and mode != "logged":
        return "priced", computed, "calculated"
    return "unpriced", None, None
