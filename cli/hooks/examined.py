"""Do the hooks tell what they are there to tell?

Decides what of them is worth a warning. Tells nobody anything itself.
"""

from collections.abc import Iterator
from itertools import islice

from cli.hooks import book
from cli.refresh import Store
from cli.report import Finding
from cli.serve import state
from pipeline.errors import RingletError
from pipeline.outbox import GIVEN_UP, Outbox

ALERTS = 1000
"""So many of the last alerts are looked at."""


def found(store: Store) -> Iterator[Finding]:
    """What is to be said of the hooks."""
    try:
        hooks = book.load(store.paths.hooks).hooks
    except RingletError as error:
        yield Finding(level="warning", area="hooks", what=f"{error.what}: nothing is told", where=store.paths.hooks, mend=error.mend)
        return
    if not hooks:
        return
    profiles = store.rules.names()
    for hook in hooks:
        if hook.profile not in profiles:
            what = f"hook {hook.id} waits for profile {hook.profile!r}, which there is not"
            yield Finding(level="warning", area="hooks", what=what, mend=f"ringlet hooks remove {hook.id}")
    if all(hook.is_tool_event for hook in hooks):
        return
    if state.holder(store.paths.data) is None:
        what = "there are hooks on spend and nobody watches: nothing is told"
        yield Finding(level="warning", area="hooks", what=what, mend="ringlet daemon start, or ringlet ingest --watch")
    with Outbox.open(store.paths.data) as outbox:
        alerts = list(islice(outbox.latest(), ALERTS))
    for hook in hooks:
        of_it = [alert for alert in alerts if alert.hook == hook.id]
        # Only the last one: what failed long ago and works again is mended.
        if of_it and (of_it[0].outcome == GIVEN_UP or (of_it[0].outcome is None and of_it[0].said)):
            tried = "it is given up" if of_it[0].outcome else "it is tried again"
            what = f"hook {hook.id} could not tell its last alert, {tried}: {of_it[0].said}"
            yield Finding(level="warning", area="hooks", what=what, mend=f"ringlet hooks test {hook.id}")
