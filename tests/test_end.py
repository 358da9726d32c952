"""How the program ends: at once, and yet as whoever it works for expects."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def ended(first: str) -> str:
    """What `ringlet --version` prints in a process in which `first` was run before."""
    code = f"import sys; sys.argv = ['ringlet', '--version']\n{first}\nfrom ringlet.__main__ import main; sys.exit(main())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return done.stdout.split("\n", 1)[1]


def test_what_is_registered_for_the_end_is_done() -> None:
    """Whatever a library has registered to be run at the end runs, though nothing is taken apart after it."""
    left = (
        "import atexit, threading; atexit.register(print, 'done')\nclass Left:\n    def __del__(self): print('taken apart')\nkept = Left()"
    )

    assert ended(left) == "done\n"


def test_a_thread_that_is_at_work_is_waited_for() -> None:
    """A thread that still writes when the command is done ends its work first."""
    slow = "import threading, time\nthreading.Thread(target=lambda: (time.sleep(0.5), print('written'))).start()"

    assert ended(slow) == "written\n"
