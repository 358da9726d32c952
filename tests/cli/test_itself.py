"""The command line of another ringlet."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.daemons import ROOT

START = "import subprocess, sys; from cli import itself; sys.exit(subprocess.run(itself.command('--version')).returncode)"


def test_nothing_of_the_current_folder_runs_in_it(tmp_path: Path) -> None:
    """A folder that holds files named like libraries, or like ringlet, has no say in what another ringlet runs."""
    for name in ("typing", "typer", "msgspec", "ringlet"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('this is not the real one')\n")
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-P", "-c", START], cwd=tmp_path, env=env, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("ringlet ")


@pytest.mark.parametrize("before", ["", "sys.path.insert(0, '.'); ", "sys.path.insert(0, str(__import__('pathlib').Path.cwd())); "])
def test_a_checkout_that_is_not_installed_starts_itself(tmp_path: Path, before: str) -> None:
    """Where ringlet is found in the current folder alone, it is started from there, whoever put that folder on the path."""
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    shown = f"import sys; {before}from cli import itself; print(itself.command('x')[1:])"
    # Without `site` an editable installation is not found either.
    done = subprocess.run([sys.executable, "-S", "-c", shown], cwd=ROOT, env=env, capture_output=True, text=True, check=True)

    assert done.stdout == "['-m', 'ringlet', 'x']\n"
