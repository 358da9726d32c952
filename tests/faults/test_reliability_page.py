"""The page that says what happens when something goes wrong names the tests that hold ringlet to it."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "reliability.md").read_text()


def test_every_test_that_the_page_names_exists() -> None:
    """A promise whose test has gone or changed its name is noticed."""
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", PAGE)

    assert len(named) > 50
    assert [f"{file}::{test}" for file, test in named if f"\ndef {test}(" not in (ROOT / "tests" / file).read_text()] == []


def test_every_row_has_a_test() -> None:
    """No fault is promised without one."""
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| fault")]

    assert [row for row in rows if "::test_" not in row] == []
