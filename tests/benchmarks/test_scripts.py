"""Every benchmark script runs to its end on a corpus of a moment; what it measures there means nothing."""

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from benchmarks import harness
from benchmarks.new_lines import line
from benchmarks.page_load import CHROMIUM

SCRIPTS = {
    "first_import": ["--bytes", "200K", "--rounds", "1"],
    "hot_usage": ["--bytes", "200K", "--rounds", "1"],
    "guard": ["--bytes", "200K", "--rounds", "1"],
    "new_lines": ["--bytes", "200K", "--rounds", "1"],
    "watch": ["--bytes", "200K", "--rounds", "5", "--idle", "0.1", "--settle", "1"],
    "daemon": ["--bytes", "200K", "--rounds", "5", "--idle", "0.1", "--settle", "1", "--steady", "3"],
    "rebuild_views": ["--calls", "2000", "--days", "3", "--rounds", "1"],
    "repeat_import": ["--bytes", "200K", "--rounds", "1"],
    "api": ["--calls", "2000", "--days", "3", "--questions", "60", "--rounds", "2"],
    "proxy": ["--streams", "20", "--rounds", "1", "--gap", "0"],
    "page_load": ["--calls", "2000", "--days", "3", "--rounds", "1"],
    "store_size": ["--bytes", "200K"],
}
"""Each script with options that make it a matter of seconds."""


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the scripts keep their corpora, which they share."""
    return tmp_path_factory.mktemp("work")


@pytest.mark.parametrize("script", SCRIPTS)
def test_script_runs(script: str, work: Path) -> None:
    """A benchmark of a small corpus ends well, prints a table, and leaves nothing behind but what the next run uses again."""
    if script == "page_load" and not os.environ.get("CI") and not any(map(shutil.which, CHROMIUM)):
        pytest.skip("no Chromium on this machine (apt-get install chromium-headless-shell)")
    argv = [sys.executable, "-m", f"benchmarks.{script}", *SCRIPTS[script], "--work", str(work)]
    # Rivals would be measured where they are installed, and this is not about them.
    env = {**os.environ, "NODE_MODULES": str(work), "CCUSAGE": "", "TOKSCALE": "", "HOME": str(work)}
    run = subprocess.run(argv, cwd=harness.ROOT, env=env, capture_output=True, text=True, timeout=600, check=False)

    assert run.returncode == 0, run.stderr
    assert "\n|---" in run.stdout
    assert {path.name for path in work.glob("store-*")} <= {"store-2000-3"}
    assert not (work / "repeat-copy").exists()


def test_every_script_is_run() -> None:
    """A benchmark that is added is run here too."""
    found = {path.stem for path in (harness.ROOT / "benchmarks").glob("*.py") if "def main() -> int" in path.read_text()}

    assert found == set(SCRIPTS), "name in SCRIPTS the options with which it takes a few seconds"


def test_new_line_is_a_call_of_now() -> None:
    """The line that the benchmarks append is one whole JSON line with one token of input and one of output, dated now."""
    before = datetime.now(UTC)
    text = line("7-1")
    record = json.loads(text)

    assert text.count("\n") == 1
    assert (record["requestId"], record["message"]["usage"]["input_tokens"], record["message"]["usage"]["output_tokens"]) == (
        "req_new7-1",
        1,
        1,
    )
    assert -1 < (datetime.fromisoformat(record["timestamp"]) - before).total_seconds() < 60


def command(name: str, *runs: tuple[float, float, int]) -> harness.Command:
    return harness.Command(name, [], runs=[harness.Run(wall, cpu, peak, b"") for wall, cpu, peak in runs])


def test_table_holds_medians_and_ratios() -> None:
    """A table shows the median of wall and CPU time, the greatest peak, and how often the other command's time fits in."""
    ours = command("ours", (3.0, 1.0, 5_000_000), (1.0, 2.0, 7_000_000), (2.0, 9.0, 6_000_000))
    other = command("other", (4.0, 8.0, 0))

    assert harness.table("Title", [ours, other], against=[other]).splitlines() == [
        "### Title",
        "",
        "| command | wall ms | CPU ms | peak MB | x other |",
        "|---|---|---|---|---|",
        "| ours | 2000.0 | 2000.0 | 7 | 0.5 / 0.25 |",
        "| other | 4000.0 | 8000.0 | - | 1 / 1 |",
    ]


def test_failing_command_tells_its_error() -> None:
    """A command that fails stops the benchmark with its name, its exit code and what it said."""
    with pytest.raises(RuntimeError, match=r"bad: exit 3: because"):
        harness.once(harness.Command("bad", [sys.executable, "-c", "import sys; sys.stderr.write('because'); sys.exit(3)"]))


def test_wrong_totals_stop_a_benchmark() -> None:
    """An answer that differs from the corpus's truth in one class is an error."""
    truth = {"total": {"input": 1, "output": 2, "cache_write_5m": 3, "cache_write_1h": 4, "cache_read": 5}}
    said = {"input_tokens": 1, "output_tokens": 2, "cache_creation_input_tokens": 7, "cache_read_input_tokens": 5}
    harness.exact(truth)(json.dumps({"total_tokens": said}).encode())

    with pytest.raises(RuntimeError, match="wrong totals"):
        harness.exact(truth)(json.dumps({"total_tokens": {**said, "output_tokens": 3}}).encode())
