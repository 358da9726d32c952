"""The built wheel: what it puts where, and that it runs where nothing but it is installed."""

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("pipeline", "ingest", "views", "cli")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, built without network by the backend that pyproject.toml names."""
    out = tmp_path_factory.mktemp("wheel")
    build = f"from hatchling.build import build_wheel; print(build_wheel({str(out)!r}))"
    subprocess.run([sys.executable, "-c", build], cwd=ROOT, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    return next(out.glob("*.whl"))


def test_the_wheel_holds_all_modules_and_data(wheel: Path) -> None:
    """Every file of the rooms is in the wheel, below `ringlet/rooms`, and nothing else is but the package and its metadata."""
    everything = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    scripts = {name for name in everything if ".data/scripts/" in name}
    names = everything - scripts
    tracked = subprocess.run(["git", "ls-files", *ROOMS], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split("\n")
    rooms = {f"ringlet/rooms/{name}" for name in tracked if name and (ROOT / name).exists()}

    assert rooms <= names
    assert {name for name in names if not name.startswith("ringlet/rooms/")} == {"ringlet/__init__.py", "ringlet/__main__.py"}
    assert not [name for name in names if name.endswith(".pyc")]
    assert {name.rpartition("/")[2] for name in scripts} == {"ringlet", "clown"}


def test_the_scripts_load_nothing_but_ringlet() -> None:
    """Both scripts start the program and import nothing else: every further import would be paid by every answer."""
    for name in ("ringlet", "clown"):
        script = ROOT / "scripts" / name
        lines = [line for line in script.read_text().splitlines() if line and not line.startswith("#")]

        assert script.read_text().startswith("#!python\n")
        assert os.access(script, os.X_OK)
        assert lines == ["import sys", "from ringlet.__main__ import main", "sys.exit(main())"]


@pytest.mark.slow
def test_the_wheel_runs_in_an_empty_environment(wheel: Path, tmp_path: Path) -> None:
    """Installed alone, both console scripts work, the demo shows its tables, and site-packages gained only `ringlet` of ours."""
    venv.create(tmp_path / "venv")
    python = tmp_path / "venv" / "bin" / "python"
    run: dict[str, Any] = {"check": True, "stdin": subprocess.DEVNULL, "capture_output": True, "text": True, "cwd": tmp_path}
    # By the pip that is here, and compiled is only what is used: both take longer than all the rest.
    subprocess.run([sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-compile", wheel], **run)
    home = tmp_path / "home"
    home.mkdir()
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "TZ": "UTC", "LANG": "C.UTF-8"}

    script = str(tmp_path / "venv" / "bin" / "ringlet")
    demo = subprocess.run([script, "demo"], env=env, **run)
    empty = subprocess.run([script, "usage"], env=env, **run)
    clown = subprocess.run([str(tmp_path / "venv" / "bin" / "clown"), "--version"], env=env, **run)
    where = subprocess.run([python, "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])"], env=env, **run).stdout.strip()

    assert "TOTAL" in demo.stdout
    assert "claude-sonnet-4-6" in demo.stdout
    assert empty.stdout.strip() != ""
    assert clown.stdout.startswith("ringlet 0.")
    assert {name for name in os.listdir(where) if name in (*ROOMS, "ringlet", "tests", "benchmarks")} == {"ringlet"}
