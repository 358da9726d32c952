"""The program `ringlet`: makes the rooms importable and hands the command line to the gate.

Decides where the rooms lie and that no file of ours is ever readable by others. Imports as little as it can: a command that must answer
within milliseconds begins and ends here.
"""

import os
import sys


def main() -> int:
    """Run the command line of this process and return its exit code."""
    os.umask(0o077)
    if sys.stdin is None or sys.stdout is None or sys.stderr is None:
        _open_what_is_closed()
    rooms = os.path.join(os.path.dirname(os.path.abspath(__file__)), "rooms")
    if os.path.isdir(rooms):
        # An installation holds the rooms inside this package; in a checkout they lie beside it, already importable.
        sys.path.insert(0, rooms)
    from cli.gate import main as gate  # only now is the room found

    code = gate(sys.argv[1:])
    if "threading" not in sys.modules:
        _end(code)
    return code


def _end(code: int) -> None:
    """End this process, in which nobody else is at work and everything is written and closed.

    The interpreter's own end takes module after module apart, which takes a tenth of the time of a short answer.
    """
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        return
    os._exit(code)


def _open_what_is_closed() -> None:
    """Whoever started us closed a standard file: the next file that is opened must not take its place, and what is written goes nowhere."""
    while os.open(os.devnull, os.O_RDWR) < 2:
        pass
    sys.stdin = sys.stdin or os.fdopen(0, closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


if __name__ == "__main__":
    sys.exit(main())
