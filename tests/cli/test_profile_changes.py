"""One change of the profiles at a time."""

from pathlib import Path

import pytest

from cli import outcomes, profile_changes
from cli.paths import Paths
from pipeline.profiles import Rules
from tests.cli.homes import reply, ringlet, transcript


@pytest.mark.parametrize("words", [("import", "claude", "--to", "work"), ("profiles", "create", "claude", "work")])
def test_whoever_changes_profiles_keeps_others_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]) -> None:
    """While somebody changes the profiles no other command writes them; once that is over it does."""
    monkeypatch.setattr(profile_changes, "_PATIENCE_S", 0.0)
    transcript(tmp_path, "one", reply(1, "2026-05-13T09:00:00Z"))
    where = Paths(str(tmp_path / "rl"), str(tmp_path / "rl" / "config.toml"))
    with profile_changes.lock(where):
        held = ringlet(tmp_path, *words)

        assert (held.code, Rules.load(where.profiles).names()) == (outcomes.HELD, ["default"])
    assert (ringlet(tmp_path, *words).code, Rules.load(where.profiles).names()) == (0, ["default", "work"])
