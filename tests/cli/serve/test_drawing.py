"""What the page draws its charts with: made once, kept, and made anew when it no longer fits."""

import json
import re
from collections.abc import Mapping
from contextlib import chdir
from pathlib import Path

import pytest

from cli import charts
from cli.serve.drawing import BUNDLE, drawing

HOSTILE = ("msgspec", "altair", "vl_convert", "cli", "json")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Mapping[str, bytes]]:
    """The one file of a folder in which the charts were made, and what came of it. They were made where others put what they like."""
    folder = tmp_path_factory.mktemp("drawn")
    for name in HOSTILE:
        (folder / f"{name}.py").write_text("raise SystemExit('this is not the real one')\n")
    with chdir(folder):
        made = drawing(str(folder / "cache"))
    (path,) = (folder / "cache").iterdir()
    return path, made


def test_every_chart_and_the_script_are_there(kept: tuple[Path, Mapping[str, bytes]]) -> None:
    """Each definition stands under its name, without rows, and the script defines what draws it."""
    path, made = kept

    assert set(made) == {BUNDLE, *(f"charts/{name}.json" for name in charts.CHARTS)}
    assert json.loads(made["charts/tokens.json"]) == json.loads(json.dumps(charts.specification("tokens")))
    assert b"window.vegaEmbed" in made[BUNDLE]
    assert path.stat().st_mode & 0o077 == 0


def test_nothing_is_fetched_from_elsewhere(kept: tuple[Path, Mapping[str, bytes]]) -> None:
    """No definition names an address beyond the schema that says which grammar it is written in."""
    _, made = kept
    for name in charts.CHARTS:
        addresses = re.findall(r"https?://[^\"]*", made[f"charts/{name}.json"].decode())
        assert [address for address in addresses if not address.startswith("https://vega.github.io/schema/")] == []


def test_what_is_kept_is_used(kept: tuple[Path, Mapping[str, bytes]], tmp_path: Path) -> None:
    """A daemon that starts again reads what lies there, as long as it follows from the same definitions and libraries."""
    content = json.loads(kept[0].read_bytes())
    content["files"]["charts/tokens.json"] = "{}"
    (tmp_path / kept[0].name).write_text(json.dumps(content))

    assert drawing(str(tmp_path))["charts/tokens.json"] == b"{}"


@pytest.mark.parametrize("damage", ["of another version", "torn"])
def test_what_does_not_fit_is_made_anew(kept: tuple[Path, Mapping[str, bytes]], tmp_path: Path, damage: str) -> None:
    """Of another version of definitions or libraries, or torn by a power cut: it is made again, and kept."""
    content = json.loads(kept[0].read_bytes())
    content["made_of"] = "something else"
    content["files"] = {BUNDLE: "old"}
    path = tmp_path / kept[0].name
    path.write_text(json.dumps(content) if damage == "of another version" else kept[0].read_text()[:5000])

    assert drawing(str(tmp_path)) == kept[1]
    assert path.read_bytes() == kept[0].read_bytes()


def test_nothing_of_the_current_folder_runs(kept: tuple[Path, Mapping[str, bytes]]) -> None:
    """A folder that holds files named like libraries has no say in what makes the charts: these were made in one."""
    there = {path.name for path in kept[0].parents[1].iterdir()}

    assert {f"{name}.py" for name in HOSTILE} <= there
    assert kept[1][BUNDLE]
