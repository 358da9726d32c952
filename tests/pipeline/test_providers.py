"""How providers bill."""

from pipeline.providers import billing


def test_known_providers_bill_as_they_are_known_to() -> None:
    """Per token, by a plan, or not at all."""
    assert [billing(name) for name in ("anthropic", "self", "github-copilot", "ollama", "OpenAI")] == [
        "metered",
        "metered",
        "managed",
        "local",
        "metered",
    ]


def test_unknown_gateway_is_managed_until_it_is_declared() -> None:
    """Nobody knows how a gateway bills, so it has no cost until its user says how."""
    assert (billing("corp-gateway"), billing("Corp-Gateway", {"corp-gateway": "metered"})) == ("managed", "metered")


def test_call_without_a_provider_is_the_agents_own() -> None:
    """An agent that names no provider talks to its maker, who bills per token."""
    assert billing(None) == "metered"
