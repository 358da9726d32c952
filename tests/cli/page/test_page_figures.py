"""Numbers are written on the page as they are in the terminal."""

import random
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from cli import figures
from tests.cli.page.browsing import shown
from views.query import ATTO

RANDOM = random.Random(5)
COUNTS = [0, 7, 999, 1000, 1049, 1050, 45_000, 999_949, 999_950, 1_500_000, 999_950_000, 12_345_678_901, 10**13]
COUNTS += [RANDOM.randrange(10 ** RANDOM.randrange(1, 13)) for _ in range(300)]
DOLLARS = ["0", "0.004", "0.005", "0.375", "0.995", "1.005", "1.1025", "2.675", "99.995", "123456.785", "0.000000001"]
DOLLARS += [f"{RANDOM.randrange(10**6)}.{RANDOM.randrange(10**6):06}" for _ in range(300)]
SECONDS = [0, 8, 59, 60, 3599, 3600, 3661, 86_399, 86_400, 273_600, *(RANDOM.randrange(10**7) for _ in range(200))]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, browser: Browser, drawn: Path) -> Iterator[Page]:
    with shown(tmp_path_factory.mktemp("home"), browser, drawn) as daemon, daemon.page(None) as opened:
        opened.goto(f"{daemon.url}/login")
        yield opened


def written(page: Page, function: str, values: list[Any]) -> list[str]:
    """What a function of the page's makes of values."""
    found: list[str] = page.evaluate(
        "async ([name, values]) => { const all = await import('/assets/core/figures.js'); return values.map((one) => all[name](one)); }",
        [function, values],
    )
    return found


def test_counts_are_written_alike(page: Page) -> None:
    """In both styles that the page uses, to the last digit."""
    assert written(page, "tenths", COUNTS) == [figures.count(number, "tenths") for number in COUNTS]
    assert written(page, "grouped", COUNTS) == [figures.count(number) for number in COUNTS]


def test_money_is_written_alike(page: Page) -> None:
    """To the cent, half a cent up by the digits of the amount, however a computer keeps it."""
    amounts = [int(Decimal(text) * ATTO) for text in DOLLARS]

    assert written(page, "usd", [float(text) for text in DOLLARS]) == [figures.usd(amount) for amount in amounts]
    assert written(page, "usd", [None]) == [figures.usd(None)]


def test_spans_are_written_alike(page: Page) -> None:
    """Days and hours, hours and minutes, minutes, seconds."""
    assert written(page, "duration", SECONDS) == [figures.duration(seconds * 1_000_000) for seconds in SECONDS]
