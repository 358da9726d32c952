"""How a question about usage is answered: from the snapshot while it is fresh, else after a refresh, else from the views.

Decides when an answer counts as fresh, where it comes from and where it goes. The question is `cli.ask`'s, the numbers are the views', the
looks are `cli.render`'s. At import this loads only what the shortest commands need.
"""

import gc
import os
import sys
import time

from cli.ask import Request, query_of, unknown
from cli.outcomes import DONE, guarded
from cli.paths import paths
from ingest import memory
from pipeline.errors import RingletError, UnknownName
from pipeline.log_folders import mark
from views import lost
from views.matching import model_matches
from views.query import Answer, Query
from views.snapshot import Snapshot, Stale, digest, load, proof_of, stamp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Protocol, TypeVar

    from cli.refresh import Store
    from cli.render import Look
    from ingest.sweep import Look as Lying

    class Named(Protocol):
        """Tells the names that occur in any call, by field."""

        def names(self, field: str, /) -> "list[str]": ...

    T = TypeVar("T")


_ATTEMPTS = 10


class Seen:
    """What the look that found news has found, so that whoever reads them need not take another."""

    __slots__ = ("memory", "swept")

    def __init__(self) -> None:
        self.memory: memory.Memory | None = None
        """A memory that bears the snapshot's proof: only what has changed since is news."""
        self.swept: list[Lying] | None = None
        """All log files, where nobody knows which of them are news."""


def answer(request: Request) -> int:
    """Answer a question that the gate understood, with the least that it takes, and return the exit code."""
    return guarded(lambda: _answered(request))


def _answered(request: Request) -> int:
    seen = Seen()
    # So short an answer leaves nothing behind that would be worth looking for.
    gc.disable()
    code = hot(request, seen=seen)
    if code is not None:
        return code
    gc.enable()
    from cli.former import take_over_once  # nobody's first question is answered from a snapshot

    take_over_once()
    return _at_length(request, clock(), seen)


def hot(request: Request, *, now_us: "int | None" = None, seen: "Seen | None" = None) -> "int | None":
    """Answer from the snapshot and return the exit code; None where it takes more than that, with what `proved` puts into `seen`."""
    now = clock() if now_us is None else now_us
    snapshot = fresh(now, sync=request.sync, seen=seen)
    if snapshot is None:
        return None
    try:
        query = asked(request, snapshot, now)
        if not snapshot.answers(query) or not occurs(query, snapshot):
            return None
        answer = snapshot.answer(query)
    except Stale:
        return None
    if nothing_at_all(answer):
        return None
    answer.as_of_us = now if request.sync else snapshot.header.as_of_us
    gaps = lost.read(os.path.dirname(snapshot.base_path))
    answer.lost = None if gaps is None else lost.within(gaps, query)
    answer.cost_policy = snapshot.header.cost_policy
    written(said(request, answer, None if request.json else look(request)))
    return DONE


def fresh(now_us: int, *, sync: bool, seen: "Seen | None" = None) -> "Snapshot | None":
    """The snapshot, if all that it was made from is as it was, the log files included if `sync`; what `proved` finds goes into `seen`."""
    try:
        where = paths()
    except LookupError:
        return None
    snapshot = load(where.views)
    if snapshot is None or not snapshot.header.proof or not stands(snapshot, os.environ, now_us) or (sync and not proved(snapshot, seen)):
        return None
    return snapshot


def usage(request: Request, *, now_us: "int | None" = None) -> int:
    """Answer any question, bringing the store up to date first, and return the exit code. Raises RingletError."""
    now = clock() if now_us is None else now_us
    seen = Seen()
    code = hot(request, now_us=now, seen=seen) if request.export is None and not (request.chart or request.blocks) else None
    return _at_length(request, now, seen) if code is None else code


def _at_length(request: Request, now: int, seen: Seen) -> int:
    from cli.lean import load_msgspec  # before all that takes it as it comes

    load_msgspec()
    from cli.refresh import opened  # the log and the adapters: 40 ms

    with opened(paths(), os.environ, now) as store:
        store.swept, store.memory = seen.swept, seen.memory
        store.refreshed(sync=request.sync)
        if store.troubles:
            from cli.advice import unread  # only who has something that may not be read

            sys.stderr.write(unread(store.troubles))
        code = settled(store, lambda: _answer_with(request, store, now))
        store.tidy()
    return code


def settled(store: "Store", work: "Callable[[], T]") -> "T":
    """What `work` gives that answers from the store's snapshot, done again while other processes write over that."""
    for _ in range(_ATTEMPTS):
        try:
            return work()
        except Stale:
            # Another process has put its own base there, of a log that is further on: so will this one be.
            store.refreshed(sync=False)
    raise RingletError("the snapshot keeps changing under the answer", where=store.paths.views, mend="run the command again")


def _answer_with(request: Request, store: "Store", now: int) -> int:
    query = checked(request, store, now)
    if request.export is not None:
        from cli.deep import export  # the frame library: 100 ms

        return export(request, query, store)
    if request.chart:
        from cli.picture import draw  # the chart libraries: half a second

        return draw(request, query, store)
    written(told(request, query, store, now)[1](look(request)))
    return DONE


def told(request: Request, query: Query, store: "Store", now: int) -> "tuple[Answer, Callable[[Look], str]]":
    """The answer to a question without an export or a picture, and what is said of it, for any look. Raises `Stale` as `answered`."""
    from cli.lost import remembered  # loads adapters, as the store has done by now

    blocks = None
    if request.blocks:
        from cli.blocks import found, text  # the frame library: 100 ms

        blocks = found(request, query, store)
    answer = answered(query, store) if blocks is None else blocks.answer
    answer.as_of_us = now if request.sync else store.snapshot.header.as_of_us
    answer.lost = lost.within(remembered(store), query)
    answer.cost_policy = store.config.usage.cost_policy
    if nothing_at_all(answer) and not (request.json or request.active):
        from cli.advice import nothing_recorded  # only who has nothing needs it

        advice = nothing_recorded(store)
        return answer, lambda _: advice
    if blocks is not None:
        return answer, lambda look: text(request, blocks, look)
    return answer, lambda look: said(request, answer, look)


def answered(query: Query, store: "Store") -> Answer:
    """The answer of a store that is up to date. Raises `Stale` where another process has written over its snapshot."""
    if store.snapshot.answers(query) and not store.shared:
        return store.snapshot.answer(query)
    from cli.deep import answer_from_views  # the frame library: 100 ms

    return answer_from_views(query, store)


def clock() -> int:
    """Now, in microseconds since 1970 UTC."""
    return time.time_ns() // 1000


def stands(snapshot: Snapshot, environ: "Mapping[str, str]", now_us: int) -> bool:
    """Whether all that decides prices, profiles, settings, zone and places is still as it was when the snapshot was made, and no folder of
    another machine has come to the log."""
    header = snapshot.header
    if mark(os.path.dirname(os.path.dirname(snapshot.base_path))) != header.folders:
        return False
    if snapshot.today(now_us) is None or any(environ.get(name) != value for name, value in header.env.items()):
        return False
    return all(stamp(path) == value for path, value in header.stamps.items())


def proved(snapshot: Snapshot, seen: "Seen | None" = None) -> bool:
    """Whether every log file is as it was when it was last read.

    Where it is not, and there are neither links nor troubles, what was found is put into `seen`.
    """
    header, views = snapshot.header, os.path.dirname(snapshot.base_path)
    path = f"{views}/{memory.NAME}"
    key = digest(repr(header.places).encode("utf-8", "surrogatepass"))
    known = memory.recall(path, key)
    if known is not None:
        if known.proof == header.proof:
            if seen is not None:
                seen.memory = known
            return not known.changed
        looks = known.looks()
        proof = proof_of(looks)
        if proof == header.proof:
            _remember(path, lambda: known.renewed(proof))
            return True
        if seen is not None:
            seen.swept = looks
        return False
    from ingest.sweep import Trail, sweep  # only where files came or went

    trail, now_ns = Trail(), time.time_ns()
    looks = sweep(header.places, trail=trail)
    proof = proof_of(looks)
    _remember(path, lambda: memory.text(key, looks, trail, proof=proof, device=os.stat(views).st_dev, now_ns=now_ns))
    return proof == header.proof


def _remember(path: str, text: "Callable[[], bytes | None]") -> None:
    """Put down what the next question need not find out again; a store that cannot be written still answers."""
    try:
        content = text()
        if content is not None:
            from pipeline.durable import write_hint  # a millisecond, only after something changed

            write_hint(path, content)
    except (OSError, ValueError):
        pass


def asked(request: Request, snapshot: Snapshot, now_us: int) -> Query:
    """The question of a command line, with zone, week start and cost mode of the snapshot where it names none."""
    header = snapshot.header
    tz, today = header.tz, snapshot.today(now_us)
    if (request.tz is not None and request.tz != tz) or today is None:
        tz = request.tz or tz
        today = _day_in(tz, now_us)
    return query_of(request, now_us=now_us, today=today, tz=tz, week_start=header.week_start, cost_mode=header.cost_mode)


def occurs(query: Query, snapshot: Snapshot) -> bool:
    """Whether every name that the question filters by is the name of something in the snapshot."""
    for name in ("profile", "agent", "provider"):
        value = getattr(query, name)
        if value is not None and value not in snapshot.names(name):
            return False
    return query.model is None or any(model_matches(query.model, model) for model in snapshot.names("model"))


def checked(request: Request, store: "Store", now: int) -> Query:
    """The question of a command line. Raises as `asked` and `check_names` do."""
    query = asked(request, store.snapshot, now)
    check_names(query, store.snapshot, store)
    return query


def check_names(query: Query, snapshot: "Named", store: "Store") -> None:
    """Raises UnknownName where a question filters by a name that nothing bears, neither in the log nor in the settings."""
    for name, value in query.filters().items():
        if name in ("project", "session", "initiator", "source"):
            continue  # of the first two there are too many to list, so the answer itself tells; the others are words of ours
        if store.shared:
            continue  # another machine may know it
        known = snapshot.names(name)
        if name == "model":
            if not any(model_matches(value, model) for model in known):
                raise unknown("model", value, known)
        elif value not in known:
            every = sorted({*known, *store.names(name)})
            if value not in every:
                raise unknown(name, value, every)


def nothing_at_all(answer: Answer) -> bool:
    """Whether the log holds no call at all."""
    return not answer.totals.requests and answer.last_day is None and not answer.query.filters()


def said(request: Request, answer: Answer, look: "Look | None") -> str:
    """An answer as the command line wants it; for JSON the look is nobody's business."""
    if request.json or look is None:
        from cli.as_json import as_json  # only who asks for it

        return as_json(answer)
    from cli import render  # only who does not

    if not answer.totals.requests and not answer.rows:
        return render.nothing_in_range(answer, request.what or "")
    return (render.summary if request.grouping is None else render.table)(answer, look)


def written(text: str) -> None:
    """Put a text on standard output, with another letter for each that it cannot show."""
    try:
        sys.stdout.write(text)
    except UnicodeEncodeError:
        encoding = sys.stdout.encoding
        sys.stdout.write(text.encode(encoding, "replace").decode(encoding))
    # Here, and not at the interpreter's end, where a reader that has gone would be an error nobody can catch.
    sys.stdout.flush()


def look(request: Request) -> "Look":
    """What standard output can show."""
    from cli.render import NARROW, Look

    terminal = sys.stdout.isatty()
    width = _columns_told()
    if not width and terminal:
        try:
            width = os.get_terminal_size(sys.stdout.fileno()).columns
        except OSError:
            width = 0
    color = terminal and request.color and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return Look(width=width or NARROW, color=color, classes=request.classes)


def _columns_told() -> int:
    """The width that the environment states; 0 where it states none."""
    try:
        return max(int(os.environ.get("COLUMNS", "")), 0)
    except ValueError:
        return 0


def _day_in(tz: str, now_us: int) -> int:
    from views import calendar

    try:
        return calendar.day_at(tz, now_us)
    except ValueError:
        raise UnknownName(f"no time zone {tz!r}", mend="give an IANA name such as Europe/Berlin or UTC") from None
