"""One change of the user's profiles and rules at a time.

Decides how long whoever changes them waits for another who does. What a change is decides `pipeline.profiles`.
"""

import time
from collections.abc import Callable

from cli.paths import Paths
from pipeline import durable
from pipeline.durable import Lock
from pipeline.errors import Held
from pipeline.profiles import Rules

_PATIENCE_S = 5.0


def lock(where: Paths) -> Lock:
    """Until it is released nobody else changes the profiles. Raises Held where somebody does for longer than is worth waiting."""
    durable.prepare_home(where.data, create=True)
    end = time.monotonic() + _PATIENCE_S
    while True:
        try:
            return durable.lock(where.data + "/profiles.lock")
        except Held:
            if time.monotonic() > end:
                raise
            time.sleep(0.01)


def changed(where: Paths, change: Callable[[Rules], Rules]) -> Rules:
    """The rules after `change`, which are kept. Who changes them at the same time waits; raises Held where that takes too long."""
    with lock(where):
        before = Rules.load(where.profiles)
        after = change(before)
        if after != before:
            durable.write_over(where.profiles, after.dump())
        return after
