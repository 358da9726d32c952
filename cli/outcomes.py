"""What an end is called outside: the one table of exit codes and HTTP statuses.

Decides which error means which code, and which code is which status. The errors themselves are `pipeline.errors`; what a command prints,
and what an answer shows, is their own business.
"""

import errno
import os
import sys

from pipeline.errors import RingletError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DONE = 0
FAILED = 1
WRONG_USAGE = 2
NOT_FOUND = 3
HELD = 4
PARTLY_DONE = 5
INTERRUPTED = 130
TERMINATED = 143

DENIED = 2
"""Of `guard` alone, and of nothing else that it does: a budget is breached. Its caller, an agent, takes this code so."""

DOCTOR_WARNINGS = 1
DOCTOR_DAMAGE = 5

_CODES: "Mapping[str, int]" = {
    "UnknownName": WRONG_USAGE,
    "BadName": WRONG_USAGE,
    "WrongUsage": WRONG_USAGE,
    "NothingFound": NOT_FOUND,
    "Held": HELD,
    "PartlyDone": PARTLY_DONE,
    "KeyboardInterrupt": INTERRUPTED,
}

_STATUSES: "Mapping[int, int]" = {
    DONE: 200,
    FAILED: 500,
    WRONG_USAGE: 400,
    NOT_FOUND: 404,
    HELD: 409,
    PARTLY_DONE: 503,  # what was done is kept, and asking again later goes on
    INTERRUPTED: 503,
    TERMINATED: 503,
}

_FULL = (errno.ENOSPC, errno.EDQUOT)
_SHUT = (errno.EACCES, errno.EPERM, errno.EROFS)
_OTHER = (errno.EEXIST, errno.EISDIR, errno.ENOTDIR)


def code_of(error: BaseException) -> int:
    """The exit code that an error ends a command with; an error that nobody gave a code to is a failure."""
    if isinstance(error, OSError):
        return PARTLY_DONE if error.errno in _FULL else FAILED
    # By name: the classes live in a module that the shortest commands never import.
    for kind in type(error).__mro__:
        if kind.__name__ in _CODES:
            return _CODES[kind.__name__]
    return FAILED


def status_of(error: BaseException) -> int:
    """The HTTP status of an answer that an error ends: that of the exit code it would end a command with."""
    return _STATUSES[code_of(error)]


def mend_of(error: OSError) -> "str | None":
    """What mends a disk or a file that refuses; None where the error says no such thing."""
    if error.errno in _FULL:
        return "free some space and try again, nothing that was committed is lost"
    if error.errno in _SHUT:
        return "make it readable and writable for you, or choose another place"
    if error.errno in _OTHER:
        return "something else stands there: move it away, or choose another place"
    return None


def guarded(work: "Callable[[], int]") -> int:
    """The exit code of `work`; a failure that has a name is one line on standard error. A reader of the output that has gone is none."""
    try:
        code = work()
        if sys.stdout is not None:
            # Here, and not at the interpreter's end, where it would be a failure that nobody can catch.
            sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        let_go()
        return DONE
    except (RingletError, OSError, MemoryError) as error:
        try:
            _report(error)
        except BrokenPipeError:
            return code_of(error)  # nobody reads on; the exit code still tells
        finally:
            let_go()
        return code_of(error)


def let_go() -> None:
    """Write to nowhere what nobody takes: the interpreter would try again at its end, complain, and end with a code of its own."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _report(error: "RingletError | OSError | MemoryError") -> None:
    from cli.escaped import escaped  # only a failure needs it

    if isinstance(error, OSError):
        # A library's text may quote what it was given; the reason and the path are enough to act on.
        where = f"{escaped(os.fsdecode(error.filename))}: " if isinstance(error.filename, (str, bytes)) else ""
        mend = mend_of(error)
        print(f"ringlet: {where}{error.strerror or type(error).__name__}{f'; {mend}' if mend else ''}", file=sys.stderr)
    else:
        print(f"ringlet: {escaped(str(error)) or type(error).__name__}", file=sys.stderr)
