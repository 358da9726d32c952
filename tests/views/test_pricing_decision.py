"""Whether a call has a cost, and which one counts."""

import pytest

from views.pricing.decision import decide, is_billed

COMPUTED = (1, 2, 3, 4, 5)


@pytest.mark.parametrize(
    ("provider", "profile_provider", "policy", "billed"),
    [
        ("anthropic", None, "metered", True),
        (None, None, "metered", True),
        ("anthropic", "self", "metered", True),
        ("ollama", None, "metered", False),
        ("github-copilot", None, "metered", False),
        ("anthropic", "corp-gateway", "metered", False),
        ("anthropic", "self", "self-only", True),
        ("self", None, "self-only", True),
        ("anthropic", "anthropic", "self-only", False),
        ("anthropic", None, "self-only", False),
    ],
)
def test_cost_needs_a_provider_that_bills_per_token(provider: str | None, profile_provider: str | None, policy: str, billed: bool) -> None:
    """Managed and local providers bill elsewhere or not at all; under self-only nothing but the own key has a cost."""
    assert is_billed(provider, profile_provider, policy=policy) is billed


def test_declared_gateway_is_metered() -> None:
    """What the configuration declares about a provider counts."""
    assert is_billed("anthropic", "corp-gateway", declared={"corp-gateway": "metered"})


@pytest.mark.parametrize(
    ("mode", "computed", "logged", "basis", "expected"),
    [
        ("auto", COMPUTED, None, None, ("priced", COMPUTED, "calculated")),
        ("auto", COMPUTED, 9, "provider", ("priced", (0, 0, 0, 0, 9), "provider")),
        ("auto", COMPUTED, 0, "provider", ("priced", (0, 0, 0, 0, 0), "provider")),
        ("auto", COMPUTED, 9, "agent", ("priced", COMPUTED, "calculated")),
        ("auto", None, 9, "agent", ("priced", (0, 0, 0, 0, 9), "agent")),
        ("auto", None, 0, "agent", ("unpriced", None, None)),
        ("auto", None, None, None, ("unpriced", None, None)),
        ("calculate", COMPUTED, 9, "provider", ("priced", COMPUTED, "calculated")),
        ("calculate", None, 9, "provider", ("unpriced", None, None)),
        ("logged", COMPUTED, 9, "agent", ("priced", (0, 0, 0, 0, 9), "agent")),
        ("logged", COMPUTED, None, None, ("unpriced", None, None)),
    ],
)
def test_cost_mode(
    mode: str, computed: tuple[int, ...] | None, logged: int | None, basis: str | None, expected: tuple[object, ...]
) -> None:
    """auto: the provider's own word, else the price book, else an agent's estimate above zero; calculate: the book; logged: the log."""
    assert decide(mode, True, computed, logged, basis) == expected  # type: ignore[arg-type]


def test_call_that_is_not_billed_has_no_cost_in_any_mode() -> None:
    """Tokens of a managed or local provider count, dollars do not."""
    assert [decide(mode, False, COMPUTED, 9, "provider")[0] for mode in ("auto", "calculate", "logged")] == ["not_billed"] * 3
