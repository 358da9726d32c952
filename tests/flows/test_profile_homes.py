"""A profile with a home of its own: its logs are read wherever it lies, and its usage is the profile's."""

import json
from pathlib import Path

from tests.cli.homes import reply, ringlet


def test_usage_in_a_profiles_home_is_read_and_belongs_to_it(tmp_path: Path) -> None:
    """Creating a profile with --home is all it takes: the next question reads that home, and what lies there is the profile's."""
    folder = tmp_path / "acme-home" / "projects" / "-src"
    folder.mkdir(parents=True)
    (folder / "one.jsonl").write_text(reply(1, "2026-05-13T09:00:00Z", input=1000, output=100))
    assert ringlet(tmp_path, "profiles", "create", "claude", "acme", "--home", str(tmp_path / "acme-home")).code == 0

    found = json.loads(ringlet(tmp_path, "usage", "--json").out)

    assert list(found["aggregates"]["by_profile"]) == ["acme"]
    assert found["total_tokens"]["input_tokens"] == 1000


def test_a_changed_rule_changes_history(tmp_path: Path) -> None:
    """Usage that is already recorded follows a new rule at the next question, and goes back when the profile is deleted."""
    folder = tmp_path / ".claude" / "projects" / "-src"
    folder.mkdir(parents=True)
    (folder / "one.jsonl").write_text(reply(1, "2026-05-13T09:00:00Z", project="/src/shop"))
    profiles = []
    for argv in ((), ("create", "claude", "shop", "--project", "/src/shop"), ("rename", "shop", "store"), ("delete", "store")):
        if argv:
            assert ringlet(tmp_path, "profiles", *argv).code == 0
        profiles += json.loads(ringlet(tmp_path, "usage", "--json").out)["aggregates"]["by_profile"]

    assert profiles == ["default", "shop", "store", "default"]
