"""Do the views add up to what the log says?

Decides when views are behind, and when they are damaged. Reads the roll-ups and the cube, not the calls.
"""

from collections.abc import Iterator
from decimal import Decimal

from cli.deep import terms_of
from cli.refresh import Store
from cli.report import Finding
from pipeline.record import SUMS
from views import materialize, shelf
from views.query import Answer

_COSTS = ("cost_input", "cost_output", "cost_cache_write", "cost_cache_read", "cost_other")


def found(store: Store, answer: Answer) -> Iterator[Finding]:
    """What is to be said of the views; `answer` is what all commands say of the whole log."""
    made = shelf.mark(store.paths.views)
    position = store.log.position()
    if made is None or not shelf.has_roll_ups(store.paths.views):
        yield Finding(level="note", area="views", what="the views are not made yet", mend="ringlet views rebuild makes them")
    elif made.position != position:
        yield Finding(
            level="note",
            area="views",
            what="the views are behind the log; the next question brings them up to date",
            mend="ringlet views rebuild",
        )
    elif not materialize.stand(store.paths.views, store.log, terms_of(store)):
        yield Finding(
            level="note",
            area="views",
            what="the views are of other prices, rules, settings or machines; the next question that needs them makes them anew",
            mend="ringlet views rebuild",
        )
    else:
        yield from _view_sums(store, answer)


def _view_sums(store: Store, answer: Answer) -> Iterator[Finding]:
    from views.audit import sums  # the frame library, which a store without views need not load

    totals = answer.totals
    expected = {name: Decimal(getattr(totals, name)) for name in ("requests", *SUMS)}
    expected["cost_usd"] = Decimal(sum(getattr(totals, part) for part in _COSTS)).scaleb(-18)
    views, against = sums(store.paths.views), "the log"
    for view, found in views.items():
        if found is None:
            yield Finding(level="damage", area="views", what=f"{view} cannot be read", mend="ringlet views rebuild --full")
    cube = views["cube"]
    if store.shared and cube is None:
        return
    if store.shared and cube is not None:
        # This machine's journal does not know the other's calls: the views can only be held against each other.
        expected, against = {name: Decimal(value) for name, value in cube.items()}, "cube"
        yield Finding(
            level="note", area="machines", what="another machine's segments lie beside this one's; the views count once what both saw"
        )
    for view, found in views.items():
        for name, value in (found or {}).items():
            if value != expected[name]:
                yield Finding(
                    level="damage",
                    area="views",
                    what=f"{view} adds up to {value:,} {name}, {against} to {expected[name]:,}",
                    mend="ringlet views rebuild --full",
                )
