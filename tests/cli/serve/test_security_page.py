"""The page that says what stands against whom names the tests that hold ringlet to it."""

import re
from pathlib import Path

from cli.serve.routes import ROUTES

HERE = Path(__file__).resolve().parent
PAGE = (HERE.parents[2] / "docs" / "security.md").read_text()


def test_every_test_that_the_page_names_exists() -> None:
    """A promise whose test has gone or changed its name is noticed."""
    named = re.findall(r"`(test_\w+\.py)(?:::(\w+))?`", PAGE)

    assert len(named) > 12
    missing = [(file, test) for file, test in named if test and f"\ndef {test}(" not in (HERE / file).read_text()]
    assert [file for file, _ in named if not (HERE / file).exists()] + missing == []


def test_every_threat_has_a_test() -> None:
    """Nothing is promised without one."""
    rows = [line for line in PAGE.partition("## Threats")[2].splitlines() if line.startswith("| ") and not line.startswith("| who ")]

    assert [row for row in rows if "`test_" not in row] == []


def test_only_what_holds_no_usage_is_open() -> None:
    """What a stranger and a viewer may ask, route by route; everything else is the admin's."""
    assert {route.path for route in ROUTES if route.role == "open"} == {"/api/health", "/api/login", "/api/proof"}
    assert {route.path for route in ROUTES if route.role == "viewer"} <= {"/api/daemon", "/api/logout", "/api/session", "/metrics"}
