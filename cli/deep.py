"""Questions that take the views: projects, sessions, hours, other zones, other cost modes, exports.

Decides when the views are brought up to date for a question. What they hold and how they answer is their own business.
"""

import os
import sys
from hashlib import blake2b

from cli.ask import Request, WrongUsage, unknown
from cli.outcomes import DONE
from cli.refresh import Store
from pipeline import durable
from pipeline.errors import NothingFound, RingletError
from views import answers, materialize
from views import export as exports
from views.catalog import Frames
from views.query import Answer, Query
from views.terms import Terms


def terms_of(store: Store) -> Terms:
    """The terms on which the views of a store are made now."""
    stamps = repr((sorted(store.stamps().items()), store.config.usage.cost_mode))
    stamp = blake2b(stamps.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return Terms(store.attribution, store.book, zone=store.zone, stamp=stamp)


def answer_from_views(query: Query, store: Store) -> Answer:
    """The answer to any question. Raises UnknownName for a project or session that nothing was ever done in."""

    def answered(frames: Frames) -> Answer:
        answer = answers.answer(query, frames, titles=_titles(store))
        checked(query, answer, frames)
        return answer

    return materialize.asked(store.paths.views, store.log, terms_of(store), answered)


def checked(query: Query, answer: Answer, frames: Frames) -> None:
    """Raises UnknownName where an answer is empty because nothing was ever done in the project or session that it is about."""
    if not answer.totals.requests and answer.last_day is None:
        _check(query, frames)


def export(request: Request, query: Query, store: Store) -> int:
    """Write the calls, or the groups where a grouping was asked for, and return the exit code. Raises UnknownName as an answer does."""
    if request.export == "parquet" and request.output is None and sys.stdout.isatty():
        raise WrongUsage("Parquet is no text for a terminal", mend="add --output usage.parquet")

    def rows(frames: Frames) -> exports.Rows:
        grouped = request.grouping is not None
        found = exports.groups(query, frames, titles=_titles(store)) if grouped else exports.calls(query, frames)
        if found.is_empty():
            _check(query, frames)
        return found

    found = materialize.asked(store.paths.views, store.log, terms_of(store), rows)
    pieces = exports.encoded(found, request.export or "csv", raw=request.raw)
    if request.output is None:
        sys.stdout.flush()
        for piece in pieces:
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
    else:
        written(request.output, b"".join(pieces))
    return DONE


def written(output: str, content: bytes) -> None:
    """Put content into a file that somebody named. Raises RingletError for what is no place for a file."""
    path = os.path.abspath(output)
    if os.path.islink(path):
        raise RingletError("a link stands there", where=path, mend="name the file itself")
    if os.path.isdir(path):
        raise RingletError("a folder stands there", where=path, mend="name a file")
    if not os.path.isdir(os.path.dirname(path)):
        raise NothingFound("there is no such folder", where=os.path.dirname(path), mend="make it, or name another file")
    try:
        durable.write_over(path, content)
    except OSError as error:
        raise OSError(error.errno, os.strerror(error.errno or 0), path) from None  # not the name under which it is written


def _titles(store: Store) -> dict[tuple[str, str], str]:
    return {(each.agent, each.session): each.title for each in store.log.sessions() if each.title}


def _check(query: Query, frames: Frames) -> None:
    for name, value in (("project", query.project), ("session", query.session)):
        if value is not None:
            alone = Query(now_us=query.now_us, today=query.today, tz=query.tz, by=name)
            setattr(alone, name, value)
            if not answers.answer(alone, frames).rows:
                latest = Query(now_us=query.now_us, today=query.today, tz=query.tz, by=name, sort="last-used", limit=20)
                raise unknown(name, value, [row.key for row in answers.answer(latest, frames).rows if row.key is not None])
