"""Which listed model a logged name means, by exact steps only."""

import pytest

from tests.views.pricing_rows import book_file, day
from views.pricing import listing
from views.pricing.book import Book
from views.pricing.cost import Rates, Shape, resolve

PRICE = {"2025-01-06": {"input_cost_per_token": 3e-06, "output_cost_per_token": 15e-06, "provider_specific_entry": {"fast": 6}}}
DAY = day("2026-05-01")
LISTED = (
    ("claude-opus-4-6", "anthropic"),
    ("claude-sonnet-4-20250514", "anthropic"),
    ("claude-sonnet-4-5", "anthropic"),
    ("claude-sonnet-4-5-20250929", "anthropic"),
    ("claude-haiku-9-9", "anthropic"),
    ("us.anthropic.claude-opus-4-6-v1:0", "bedrock"),
    ("azure/gpt-5.4", "azure"),
    ("gpt-5", "openai"),
    ("gpt-5.4", "openai"),
    ("gpt-5.4-mini", "openai"),
    ("o3-mini", "openai"),
    ("moonshot/kimi-k3", "moonshot"),
    ("novita/moonshotai/kimi-k9", "novita"),
    ("rehost/gpt-7", "rehost"),
    ("xai/grok-4", "xai"),
    ("minimax/MiniMax-M2.5", "minimax"),
    ("fireworks_ai/glm-9", "fireworks_ai"),
    ("hosted_x/lark-9", "hosted_x"),
    ("lark-7", "acme"),
)
FILE = book_file(dict.fromkeys(LISTED, PRICE))
BOOK = Book(FILE)


def found(provider: str | None, model: str | None) -> Rates | None:
    return resolve(BOOK, Shape(provider, model, DAY))


@pytest.mark.parametrize(
    ("provider", "model", "row", "rule"),
    [
        ("anthropic", "claude-sonnet-4-5-20250929", "claude-sonnet-4-5-20250929", "provider/model"),
        (None, "claude-sonnet-4-5-20250929", "claude-sonnet-4-5-20250929", "exact name"),
        ("azure", "gpt-5.4", "azure/gpt-5.4", "provider/model"),
        ("openai", "gpt-5.4", "gpt-5.4", "provider/model"),
        ("opencode", "gpt-5.4", "gpt-5.4", "exact name"),
        ("bedrock", "us.anthropic.claude-opus-4-6-v1:0", "us.anthropic.claude-opus-4-6-v1:0", "exact name"),
        (None, "eu.anthropic.claude-opus-4-6-v1:0", "claude-opus-4-6", "Bedrock version"),
        ("openrouter", "anthropic/claude-opus-4.6", "claude-opus-4-6", "dots and dashes"),
        ("anthropic", "anthropic/claude-opus-4-6", "claude-opus-4-6", "routing prefix"),
        ("anthropic", "bedrock/us-east-1/anthropic.claude-opus-4-6", "claude-opus-4-6", "routing prefix"),
        ("anthropic", "claude-opus-4-6:0", "claude-opus-4-6", "Bedrock version"),
        (None, "models/claude-opus-4-6", "claude-opus-4-6", "routing prefix"),
        (None, "copilot/gpt-5.4", "gpt-5.4", "routing prefix"),
        ("anthropic", "[pi] claude-opus-4-6", "claude-opus-4-6", "routing prefix"),
        ("anthropic", " Claude-Opus-4-6 ", "claude-opus-4-6", "letter case"),
        ("anthropic", "claude-opus-4-6[1m]", "claude-opus-4-6", "context mark"),
        ("anthropic", "claude-opus-4-6-1m", "claude-opus-4-6", "context mark"),
        ("anthropic", "claude-opus-4-6-thinking", "claude-opus-4-6", "effort mark"),
        ("openai", "gpt-5.4-xhigh", "gpt-5.4", "effort mark"),
        ("openai", "o3-mini-high", "o3-mini", "effort mark"),
        ("openai", "gpt-5-4", "gpt-5.4", "dots and dashes"),
        (None, "anthropic--claude-4.6-opus", "claude-opus-4-6", "family first"),
        (None, "claude-4-6-opus", "claude-opus-4-6", "family first"),
        ("anthropic", "claude-opus-4-6-20260205", "claude-opus-4-6", "date stripped"),
        ("anthropic", "claude-opus-4-6@20260205", "claude-opus-4-6", "date stripped"),
        ("anthropic", "claude-opus-4-6-latest", "claude-opus-4-6", "date stripped"),
        ("openai", "gpt-5.4-2026-03-05", "gpt-5.4", "date stripped"),
        ("anthropic", "claude-sonnet-4", "claude-sonnet-4-20250514", "alias since 2025-05-22"),
        ("anthropic", "claude-4-sonnet", "claude-sonnet-4-20250514", "alias since 2025-05-22"),
        (None, "k3", "moonshot/kimi-k3", "alias since 2026-07-01"),
        (None, "grok-4", "xai/grok-4", "maker's row"),
        ("self", "grok-4", "xai/grok-4", "maker's row"),
        ("minimax", "MiniMax-M2.5", "minimax/MiniMax-M2.5", "provider/model"),
        ("minimax", "minimax-m2.5", "minimax/MiniMax-M2.5", "provider/model, letter case"),
        ("fireworks-ai", "glm-9", "fireworks_ai/glm-9", "provider/model"),
        ("hosted-x", "lark-9", "hosted_x/lark-9", "provider/model"),
        ("self", "lark-7[1m]", "lark-7", "context mark"),
        (None, "lark-7[1m]", "lark-7", "context mark"),
    ],
)
def test_name_is_found_by_the_first_rule_that_answers(provider: str | None, model: str, row: str, rule: str) -> None:
    """Each logged name leads to one row, and the result says by which rule."""
    rates = found(provider, model)

    assert rates is not None
    assert (rates.row, rates.rule) == (row, rule)


@pytest.mark.parametrize(
    "model", [None, "", " ", "<synthetic>", "unknown", "auto", "openrouter/auto", "default", "inherit", '{"id":"gpt-5","providerID":"x"}']
)
def test_what_names_no_model_has_no_price(model: str | None) -> None:
    """Placeholders are never priced at some likely model."""
    assert found("anthropic", model) is None


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "gpt-5.4-nano"),
        ("openai", "gpt-5.5"),
        ("openai", "gpt-5-mini"),
        ("openai", "gpt"),
        ("anthropic", "claude-opus-4-9"),
        ("anthropic", "claude-opus-4"),
        ("anthropic", "claude-haiku-9"),
        ("openai", "gpt-5.4x"),
        ("openai", "my-gpt-5.4"),
        (None, "kimi-k9"),
        ("openai", "gpt-7"),
        ("anthropic", "claude-opus-4-6-preview"),
        (None, "kimi-for-coding"),
        (None, "codex-auto-review"),
        ("elsewhere", "lark-7[1m]"),
        ("anthropic", "claude-opus-4-6-2026020"),
        ("anthropic", "claude-opus-4-6-10000000"),
        ("anthropic", "claude-opus-4-6-20ab0205"),
        ("openai", "gpt-5.4-2026-03-0x"),
        ("openai", "gpt-5.4x2026-03-05"),
        ("openai", "gpt-5.4-2026x03-05"),
        ("openai", "gpt-5.4:free"),
        ("anthropic", "claude-opus-4-6-vx:0"),
        ("anthropic", "claude-opus-4-6[1m"),
        ("anthropic", "claude-opus-4-6]"),
        ("openai", "abc-def-1/gpt-5.4"),
        ("openai", "us-east/gpt-5.4"),
        ("openai", "us-east-a/gpt-5.4"),
    ],
)
def test_likeness_is_no_price(provider: str | None, model: str) -> None:
    """A name that only resembles a row, a newer version, or another host's row of that name is unpriced."""
    assert found(provider, model) is None


def test_fast_in_the_name_is_the_fast_price() -> None:
    """claude-opus-4-6-fast is claude-opus-4-6 at its fast factor: 6 x $3."""
    rates = found("anthropic", "claude-opus-4-6-fast")

    assert rates is not None
    assert (rates.row, rates.rule, rates.input) == ("claude-opus-4-6", "speed in the name", 18 * 10**12)


def test_user_table_is_asked_first_under_every_form_of_the_name() -> None:
    """A row of the user's for claude-sonnet-4-5 prices the dated name too, above the list's exact row; and a name that nobody lists."""
    table = listing.table({"claude-sonnet-4-5": {"input": 1, "output": 2}, "kimi-for-coding": {"input": 4, "output": 5}})
    book = Book(FILE, overrides=table)
    dated = resolve(book, Shape("anthropic", "claude-sonnet-4-5-20250929", DAY))
    own = resolve(book, Shape(None, "kimi-for-coding", DAY))

    assert dated is not None
    assert dated.input == 10**12
    assert own is not None
    assert own.input == 4 * 10**12


def test_user_table_may_name_the_provider_or_what_is_no_model() -> None:
    """`provider/model` prices one provider's calls alone; a router's name has the price that the user gives it, and no other."""
    table = listing.table({"corp/gpt-5": {"input": 1, "output": 2}, "auto": {"input": 4, "output": 5}})
    book = Book(FILE, overrides=table)
    prices = [
        resolve(book, Shape(provider, model, DAY)) for provider, model in (("corp", "gpt-5"), ("openai", "gpt-5"), ("cursor", "auto"))
    ]

    assert [rates and rates.input // 10**12 for rates in prices] == [1, 3, 4]
