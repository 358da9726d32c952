"""What `config.toml` may say."""

from datetime import date
from pathlib import Path

import pytest

from cli.config import Config, load
from pipeline.errors import RingletError


def written(tmp_path: Path, text: str) -> str:
    path = tmp_path / "config.toml"
    path.write_text(text)
    return str(path)


def test_no_file_means_the_defaults(tmp_path: Path) -> None:
    """ringlet works without a configuration file."""
    assert load(str(tmp_path / "none.toml")) == Config()


@pytest.mark.parametrize("since", ['"2026-05-01"', "2026-05-01"])
def test_prices_keep_their_digits(tmp_path: Path, since: str) -> None:
    """A price is money: its digits arrive as they were typed, not as the nearest binary fraction; its date may be a text or TOML's own."""
    price = load(written(tmp_path, f'[tokenPriceTable."m"]\ninput = 0.1\noutput = 15\nfrom = {since}\n')).token_prices["m"]

    assert (price.input, price.output, price.since) == ("0.1", 15, date(2026, 5, 1))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("weekstart = 'monday'", "weekstart.*valid: timezone, week_start, "),
        ("[usage]\ncost = 'free'", "cost.*valid: cost_policy, cost_mode"),
        ("week_start = 'someday'", "week_start.*valid: .*sunday"),
        ("[usage]\ncost_policy = 'free'", "cost_policy.*valid: .*self-only"),
        ("[providers.x]\nbilling = 'maybe'", "billing.*valid: .*managed"),
        ("homes.cloude = ['/old']", "homes.*cloude.*valid: claude, codex"),
        ("timezone = 'Mars/Olympus'", "timezone.*Mars/Olympus.*IANA"),
        ("week_start = ", "Invalid value"),
        ("[budgets.work]\nyear = 5", "year.*valid: day, week, month"),
    ],
)
def test_mistakes_are_named_with_the_file(tmp_path: Path, text: str, named: str) -> None:
    """An unknown setting or a wrong value is an error that says which and what would be valid; it is never ignored."""
    with pytest.raises(RingletError, match=named) as error:
        load(written(tmp_path, text))
    assert "config.toml" in str(error.value)


def test_budgets_are_money_by_profile_and_period(tmp_path: Path) -> None:
    """A budget arrives to the last digit, in attodollars; a period that is not named has none, and zero is a limit too."""
    config = load(written(tmp_path, "[budgets.work]\nday = 12.10\nmonth = 200\n[budgets.none]\n[budgets.stop]\nweek = '0'\n"))

    assert config.limits() == {"work": {"day": 12_100_000_000_000_000_000, "month": 200 * 10**18}, "stop": {"week": 0}}


@pytest.mark.parametrize("amount", ["-1", "'much'", "nan", "inf", "''"])
def test_a_budget_that_is_no_amount_is_refused(tmp_path: Path, amount: str) -> None:
    """What cannot be spent cannot be a limit; the message names the setting."""
    with pytest.raises(RingletError, match=r"budgets\.work\.day.*no amount"):
        load(written(tmp_path, f"[budgets.work]\nday = {amount}")).limits()


def test_declared_billing_is_by_lower_case_name(tmp_path: Path) -> None:
    """Providers are compared without regard to case."""
    assert load(written(tmp_path, "[providers.Corp]\nbilling = 'metered'")).declared_billing() == {"corp": "metered"}
