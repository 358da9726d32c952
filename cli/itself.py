"""What ringlet knows of itself: its version, and how another ringlet is started.

Decides the command line of that process. Nothing of the current folder may run in it: whoever asks for usage inside a folder of somebody
else's would else run what lies there under the name of a library.
"""

import os
import sys
from importlib.util import find_spec


def command(*argv: str) -> list[str]:
    """The command line of another ringlet, run by this interpreter."""
    spec = find_spec("ringlet")
    beside = os.path.dirname(os.path.dirname(spec.origin)) if spec is not None and spec.origin is not None else ""
    # In a checkout that is not installed, the current folder is where ringlet itself lies. It comes first on the path, unless -P was given,
    # and stands there as "" for what has no file.
    path = sys.path if sys.flags.safe_path else sys.path[1:]
    found_without = beside in path
    return [sys.executable, *(["-P"] if found_without else []), "-m", "ringlet", *argv]


def version() -> str | None:
    """The version that is installed; None in a checkout that is not."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed  # 30 ms that only whoever asks should pay

    try:
        return installed("ringlet")
    except PackageNotFoundError:
        return None
