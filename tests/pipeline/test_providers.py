"""How providers bill."""

import pytest

from pipeline.providers import billing, entry, meant


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


@pytest.mark.parametrize("provider", ["openai", "corp_2", "self"])
def test_an_entry_for_a_provider_means_it(provider: str) -> None:
    """What stands in an agent's settings, and so in its log, leads back to who bills."""
    assert meant(entry(provider)) == provider


def test_a_name_that_settings_cannot_hold_is_left_out() -> None:
    """A dot would divide the name of a setting; then the log says nothing and the profile does."""
    assert (entry("llm.corp"), meant(entry("llm.corp")), meant(None), meant("groq")) == ("ringlet", None, None, "groq")
