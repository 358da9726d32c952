"""Questions that take the views: projects, sessions, hours, other zones, other cost modes, exports.

Decides when the views are brought up to date for a question. What they hold and how they answer is their own business.
"""

import contextlib
from hashlib import blake2b

from cli.ask import unknown
from cli.refresh import Store
from pipeline.errors import Held
from views import answers, materialize
from views.catalog import Frames
from views.query import Answer, Query
from views.terms import Terms


def terms_of(store: Store) -> Terms:
    """The terms on which the views of a store are made now."""
    header = store.snapshot.header
    stamps = repr((sorted(header.stamps.items()), header.cost_mode))
    stamp = blake2b(stamps.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return Terms(store.attribution, store.book, zone=store.zone, stamp=stamp)


def frames_of(store: Store) -> Frames:
    """The views, brought up to the log's position on the way; while another process makes them, what is missing is worked out in memory."""
    terms = terms_of(store)
    with contextlib.suppress(Held):
        materialize.refresh(store.paths.views, store.log, terms)
    return materialize.read(store.paths.views, store.log, terms)


def answer_from_views(query: Query, store: Store) -> Answer:
    """The answer to any question. Raises UnknownName for a project or session that nothing was ever done in."""
    frames = frames_of(store)
    titles = {(each.agent, each.session): each.title for each in store.log.sessions() if each.title}
    answer = answers.answer(query, frames, titles=titles)
    if not answer.totals.requests and answer.last_day is None:
        _check(query, frames)
    return answer


def _check(query: Query, frames: Frames) -> None:
    for name, value in (("project", query.project), ("session", query.session)):
        if value is not None:
            alone = Query(now_us=query.now_us, today=query.today, tz=query.tz, by=name)
            setattr(alone, name, value)
            if not answers.answer(alone, frames).rows:
                latest = Query(now_us=query.now_us, today=query.today, tz=query.tz, by=name, sort="last-used", limit=20)
                raise unknown(name, value, [row.key for row in answers.answer(latest, frames).rows if row.key is not None])
