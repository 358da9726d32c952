"""Whether the program's former name left something behind that nobody has looked at yet.

Decides by looking for a folder, which every command that may be somebody's first can afford. What is taken is `cli.takeover`'s business.
"""

import os
import sys

from cli.paths import paths
from pipeline.errors import RingletError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from cli.paths import Paths


def former(environ: "Mapping[str, str]") -> str:
    """The former folder, whether it exists or not."""
    named = environ.get("CLOWN_CONFIG_DIR")
    return named or os.path.join(environ.get("XDG_CONFIG_HOME") or os.path.join(environ.get("HOME", ""), ".config"), "clown")


def due(where: "Paths", environ: "Mapping[str, str]") -> bool:
    """Whether there is a former folder that nobody has looked at yet. A store of its own (RINGLET_HOME) takes nothing over."""
    return not environ.get("RINGLET_HOME") and not os.path.exists(where.profiles) and os.path.isdir(former(environ))


def take_over_once() -> None:
    """When the program is used under its present name for the first time, say what was taken over from the former one."""
    try:
        where = paths()
    except LookupError as error:
        raise RingletError(str(error)) from None
    if due(where, os.environ):
        from cli import takeover  # only whoever used the former name

        for line in takeover.take_over(where, former(os.environ), os.environ):
            print(f"ringlet: {line}", file=sys.stderr)
