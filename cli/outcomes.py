"""What a command's end is called outside: the one table of exit codes and HTTP statuses.

Decides which error means which code. The errors themselves are `pipeline.errors`; what a command prints is its own business.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

DONE = 0
FAILED = 1
WRONG_USAGE = 2
NOT_FOUND = 3
HELD = 4
PARTLY_DONE = 5
INTERRUPTED = 130
TERMINATED = 143

DOCTOR_WARNINGS = 1
DOCTOR_DAMAGE = 5

_CODES: "Mapping[str, int]" = {
    "UnknownName": WRONG_USAGE,
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
    PARTLY_DONE: 507,
    INTERRUPTED: 503,
    TERMINATED: 503,
}


def code_of(error: BaseException) -> int:
    """The exit code that an error ends a command with; an error that nobody gave a code to is a failure."""
    # By name: the classes live in a module that the shortest commands never import.
    for kind in type(error).__mro__:
        if kind.__name__ in _CODES:
            return _CODES[kind.__name__]
    return FAILED


def status_of(code: int) -> int:
    """The HTTP status that says the same as an exit code."""
    return _STATUSES.get(code, 500)
