"""The one file of compiled modules: it is believed only while it says what Python would say."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A checkout of its own, in which one question was asked."""
    made = tmp_path / "checkout"
    for name in ("ringlet", "cli", "views", "ingest", "pipeline"):
        shutil.copytree(ROOT / name, made / name, ignore=shutil.ignore_patterns("__pycache__"))
    asked(made)
    assert kept(made).exists()
    return made


def kept(tree: Path) -> Path:
    return tree / "ringlet" / "__pycache__" / f"rooms.{sys.implementation.cache_tag}.kept"


def asked(tree: Path, **env: str) -> str:
    """What `usage --period all --json` or, in a store without logs, the words about that say; and which modules Python had to find."""
    home = tree.parent / "home"
    home.mkdir(exist_ok=True)
    around = {"PATH": os.environ["PATH"], "HOME": str(home), "RINGLET_HOME": str(home / "rl"), "TZ": "UTC", "PYTHONPATH": str(tree), **env}
    code = (
        "import sys\n"
        "sys.argv = ['ringlet', 'usage', '--agent', 'claude']\n"
        "import os; os._exit = lambda code: None\n"
        "from ringlet.__main__ import main\n"
        "main()\n"
        "print([name for name, module in sys.modules.items() if name.partition('.')[0] in ('cli', 'views', 'ingest', 'pipeline')"
        " and type(module.__spec__.loader).__name__ != 'Kept'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], env=around, capture_output=True, text=True, check=False, cwd=tree)
    assert done.stderr == ""
    return done.stdout


def test_all_modules_of_a_short_answer_come_from_the_file(tree: Path) -> None:
    """The second time Python finds none of our modules by itself, and what it is told about them is the same."""
    assert asked(tree).endswith("[]\n")


def test_a_changed_source_is_compiled_again(tree: Path) -> None:
    """A module whose source has another time or size comes from its source, and lies in the file from then on."""
    source = tree / "cli" / "outcomes.py"
    source.write_text(source.read_text() + "\nprint('changed')\n")

    assert asked(tree).startswith("changed\n")
    again = asked(tree)
    assert again.startswith("changed\n")
    assert again.endswith("[]\n")


@pytest.mark.parametrize("content", [b"", b"\0" * 4096, b"\xff" * 4096, (30).to_bytes(8, "little") + b"(\x02\x00\x00\x00"])
def test_a_damaged_file_is_none(tree: Path, content: bytes) -> None:
    """Nothing, zeros or anything else in its place: Python finds the modules, and the file is made anew."""
    kept(tree).write_bytes(content)

    assert "cli.gate" in asked(tree)
    assert asked(tree).endswith("[]\n")


def test_a_copied_checkout_does_not_run_the_code_of_the_first(tree: Path, tmp_path: Path) -> None:
    """The file holds for the folder that it was made for."""
    copy = tmp_path / "copy"
    shutil.copytree(tree, copy)
    assert "cli.gate" in asked(copy)


def test_nothing_is_written_where_python_writes_no_compiled_files(tree: Path) -> None:
    """PYTHONDONTWRITEBYTECODE holds for this file too."""
    kept(tree).unlink()

    assert "cli.gate" in asked(tree, PYTHONDONTWRITEBYTECODE="1")
    assert not kept(tree).exists()
