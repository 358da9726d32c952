"""Several connections of one process to one journal, as a process with threads has them."""

import subprocess
import sys
from pathlib import Path

from pipeline.log import Log

ROOT = Path(__file__).resolve().parents[2]


def test_a_second_connection_takes_no_lock_from_the_first(tmp_path: Path) -> None:
    """While a process has the journal open, another that comes and goes leaves the write-ahead log in place, however often the first one
    has opened it: whoever believes to be the last removes the log, and what is written to it afterwards is lost."""
    home = tmp_path / "store"
    with Log.open(home) as one:
        with Log.open(home) as two:
            assert two.position() == one.position()
        subprocess.run([sys.executable, "-c", f"from pipeline.log import Log; Log.open({str(home)!r}).close()"], check=True, cwd=ROOT)
        still_there = (home / "journal.db-wal").exists()
        one.mark_gone([])

    assert still_there
