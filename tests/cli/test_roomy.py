"""The memory of commands that go through millions of rows."""

import os

import pytest
from typer.main import get_command

from cli import main


@pytest.mark.parametrize(("command", "roomy"), [("views", True), ("daemon", False), ("ingest", False)])
def test_only_views_keep_what_they_have_used(command: str, roomy: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Making views keeps memory for its next rows; what lives for weeks does not."""
    monkeypatch.setattr(os, "environ", {})
    get_command(main.app).get_command(None, command)  # type: ignore[attr-defined]

    assert ("_RJEM_MALLOC_CONF" in os.environ) == roomy


def test_a_setting_of_ones_own_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has set the allocator up is obeyed."""
    monkeypatch.setattr(os, "environ", {"_RJEM_MALLOC_CONF": "narenas:1"})
    get_command(main.app).get_command(None, "views")  # type: ignore[attr-defined]

    assert os.environ["_RJEM_MALLOC_CONF"] == "narenas:1"
