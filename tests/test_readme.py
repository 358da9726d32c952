"""What the README shows is what happens, and what it tells people to run is what the checks run."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home directory with the sample logs, and a `ringlet` on the path."""
    home = tmp_path / "home"
    shutil.copytree(ROOT / "cli" / "demo", home, copy_function=shutil.copyfile)
    bin = tmp_path / "bin"
    bin.mkdir()
    (bin / "ringlet").write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m ringlet "$@"\n')
    (bin / "ringlet").chmod(0o755)
    return home


def run(command: str, home: Path) -> str:
    env = {"PATH": f"{home.parent / 'bin'}:{os.environ['PATH']}", "HOME": str(home), "TZ": "UTC", "LANG": "C.UTF-8", "COLUMNS": "80"}
    done = subprocess.run(["sh", "-c", command], env=env, cwd=home, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


def test_sessions_shown_are_sessions_had(home: Path) -> None:
    """Every `console` block, run from its top in a fresh home with the sample logs, prints what the README says it prints."""
    blocks = re.findall(r"^```console\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)

    assert blocks
    for block in blocks:
        for command, shown in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE):
            assert run(command, home) == shown, command


def test_the_tests_that_the_readme_names_are_those_that_are_run() -> None:
    """`.ci/run` runs the README's own test command, and installs what the README installs for it."""
    checks = (ROOT / ".ci" / "run").read_text()

    assert ".venv/bin/python -m pytest -q -n 4" in README
    assert "\npython -m pytest -q -n 4 " in checks
    assert "pip install -e '.[dev]'" in README
    assert "pip install -q -e '.[dev]'" in checks


def test_links_lead_somewhere() -> None:
    """Every relative link in the README and in the documentation names a file that is there."""
    pages = (ROOT / "README.md", ROOT / "benchmarks" / "README.md", *sorted((ROOT / "docs").glob("*.md")))
    links = [(page, target) for page in pages for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())]
    broken = [f"{page.name}: {target}" for page, target in links if not (page.parent / target).exists()]

    assert broken == []


@pytest.mark.parametrize("page", ["README.md", "CHANGELOG.md", *(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))])
def test_commands_named_exist(page: str) -> None:
    """Every `ringlet …` that a page names is a command of the program."""
    sys.path.insert(0, str(ROOT))
    from cli.main import COMMANDS

    named = {words[0] for text in re.findall(r"`ringlet ([^`]*)`", (ROOT / page).read_text()) if (words := text.split())}

    assert named - {"X"} <= set(COMMANDS) | {"--help"}
