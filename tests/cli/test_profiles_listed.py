"""How profiles, their rules and providers are listed."""

import json
from pathlib import Path

import pytest

from tests.cli.homes import ringlet


def test_wide_letters_do_not_shift_the_columns(tmp_path: Path) -> None:
    """A letter that takes two columns of a terminal counts as two."""
    ringlet(tmp_path, "profiles", "create", "claude", "客户", "--provider", "anthropic")

    assert ringlet(tmp_path, "profiles", "list").out.split("\n")[:3] == [
        "PROFILE  AGENT   PROVIDER   RULES",
        "default  -       -          0",
        "客户     claude  anthropic  0",
    ]


def test_a_rule_is_shown_without_moving_the_cursor(tmp_path: Path) -> None:
    """A path may hold letters that a terminal acts on."""
    ringlet(tmp_path, "profiles", "map", "default", "--project", "/src/\x1b[2J")

    assert ringlet(tmp_path, "profiles", "map").out.startswith("  1  project /src/\\x1b[2J -> default\n")


def test_rules_and_providers_are_json_too(tmp_path: Path) -> None:
    """Whatever is listed can be had as JSON: rules in the order in which they are tried, a provider with the profiles that it bills."""
    ringlet(tmp_path, "profiles", "create", "claude", "mine", "--provider", "ollama", "--project", "/src/local")

    assert json.loads(ringlet(tmp_path, "profiles", "map", "--json").out) == [
        {"profile": "mine", "agent": "claude", "project": "/src/local"}
    ]
    assert json.loads(ringlet(tmp_path, "providers", "inspect", "ollama", "--json").out) == {
        "provider": "ollama",
        "billing": "local",
        "profiles": ["mine"],
    }


def test_a_profile_is_for_an_agent_that_is_known(tmp_path: Path) -> None:
    """Every agent with an adapter is one; an unknown one exits 2 and lists them."""
    assert [ringlet(tmp_path, "profiles", "create", agent, agent).code for agent in ("claude", "codex", "opencode", "grok")] == [0, 0, 0, 0]

    outcome = ringlet(tmp_path, "profiles", "create", "cloude", "x")
    assert outcome.code == 2
    assert "opencode" in outcome.err


@pytest.mark.parametrize("name", ["a/b", "-x", " x", "a\x1b[2J", "x" * 65])
def test_a_name_that_no_profile_can_bear_is_wrong_usage(tmp_path: Path, name: str) -> None:
    """It exits 2, says what a name can be, and reaches the terminal escaped."""
    outcome = ringlet(tmp_path, "import", "claude", "--to", name)

    assert outcome.code == 2
    assert "use 1 to 64 printable characters" in outcome.err
    assert "\x1b" not in outcome.err


@pytest.mark.parametrize("word", ["agents", "providers"])
def test_the_word_alone_is_the_list(tmp_path: Path, word: str) -> None:
    """`ringlet agents` and `ringlet providers` answer as with `list` behind them; a command that there is not is still wrong usage."""
    alone = ringlet(tmp_path, word)

    assert (alone.code, alone.out) == (0, ringlet(tmp_path, word, "list").out)
    assert alone.out.strip() != ""
    assert ringlet(tmp_path, word, "lst").code == 2


def test_a_provider_that_only_says_who_bills_is_said_to(tmp_path: Path) -> None:
    """Droid is set up inside itself: no option of a profile makes it call somebody."""
    made = ringlet(tmp_path, "profiles", "create", "droid", "d", "--provider", "openai")
    own = ringlet(tmp_path, "profiles", "create", "droid", "e", "--provider", "self")

    assert ("not by --provider openai" in made.out, "not by --provider" in own.out) == (True, False)
