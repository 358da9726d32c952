"""Claude Code's transcripts in columns: the fold of `ingest.adapters.claude`, made fast for large imports.

Decides nothing of its own. What a line means is asked of the adapter's functions, once for each set of dimensions; lines that repeat a call
are put aside before anything is computed for them, and the others become columns without an object per event. A line in any way out of
the ordinary goes to the adapter itself. A property test holds both ways to the same calls and the same counts.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import chain
from operator import attrgetter
from typing import Any

from msgspec import UNSET
from msgspec.structs import replace

from ingest import decode
from ingest.adapter import Adapter
from ingest.adapters.claude import DECODER
from ingest.adapters.claude_call import SYNTHETIC, File, split_of
from ingest.adapters.claude_event import Call, seldom, terms
from ingest.adapters.claude_line import Line, Message, Usage
from ingest.lines import Lines
from ingest.reader import Tally
from ingest.reader import fold as step_by_step
from pipeline import keys
from pipeline.batch import dims_of
from pipeline.record import DAY_US

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_Kept = tuple[Line, Message, Usage, tuple[object, ...], datetime, bool, File, int, int]
"""The record of a call that counts so far in its file: what it says, who owns it, its time, whether it was copied, the state then, offset,
length."""

_owner = attrgetter(
    "sessionId", "cwd", "gitBranch", "isSidechain", "agentId", "entrypoint", "attributionAgent", "isCompactSummary", "version"
)
"""What of a line decides who owns its calls, beside where it was copied from; and what wrote it, which is the same for all of a reply."""


def fold(adapter: Adapter[Any], state: Any, lines: Lines, tally: Tally) -> Any:
    """As `ingest.reader.fold` for Claude Code's adapter: the same calls and counts, though of several records that say the same of a call
    only the one that counts becomes a row."""
    if not isinstance(state, File) or state.flat or not state.transcript:
        return step_by_step(adapter, state, lines, tally)
    parse, instant = DECODER.decode, datetime.fromisoformat
    until = state.copied_until_us
    best: dict[str, _Kept] = {}
    others: list[_Kept] = []
    sightings = 0
    owned: tuple[object, ...] = ()
    for offset, length, record in chain.from_iterable(lines.parts()):
        try:
            line = parse(record)
            at = instant(line.timestamp)  # type: ignore[arg-type]
            message = line.message
            usage = message.usage  # type: ignore[union-attr]
            output = usage.output_tokens  # type: ignore[union-attr]
            known = best.get(message.id)  # type: ignore[union-attr,arg-type]
        except (ValueError, TypeError, AttributeError, RecursionError, OverflowError):
            state = _odd(adapter, state, tally, offset, length, record)
            until = state.copied_until_us
            continue
        assert message is not None
        assert usage is not None
        if (
            output is UNSET
            or line.type != "assistant"
            or line.isApiErrorMessage
            or not message.id
            or message.model == SYNTHETIC
            or at.tzinfo is not UTC
            or (usage.iterations and any(hop.type != "message" for hop in usage.iterations))
        ):
            state = _odd(adapter, state, tally, offset, length, record)
            until = state.copied_until_us
            continue
        copied = line.forkedFrom is not None
        if copied or until >= 0:
            at_us = keys.microseconds(at)
            if copied and at_us > until:
                until = at_us
                state = replace(state, copied_until_us=until)
            copied = copied or at_us <= until
        sightings += 1
        owner = _owner(line)
        if owner == owned:
            # One object for all lines of a session: to compare it with itself takes no time.
            owner = owned
        else:
            owned = owner
        kept = (line, message, usage, owner, at, copied, state, offset, length)
        if known is not None:
            if _repeats(known, kept):
                order = _order(known, kept)
                if order:
                    if order > 0:
                        best[message.id] = kept
                    continue
            others.append(known)
        best[message.id] = kept
    _columns(chain(others, best.values()) if others else best.values(), tally)
    tally.reading.counts.lines += sightings
    tally.reading.counts.events += sightings
    return state


def _odd(adapter: Adapter[Any], state: File, tally: Tally, offset: int, length: int, line: bytes | memoryview) -> File:
    record = bytes(line)
    after, events = adapter.step(state, record)
    tally.record(events, offset, length, record)
    return after  # type: ignore[no-any-return]


def _repeats(known: _Kept, kept: _Kept) -> bool:
    """Whether two records of one message also share all their identities and their owner, so that one row can stand for both."""
    line, _, usage, owner, _, copied, _, _, _ = kept
    other, _, its, its_owner, _, its_copied, _, _, _ = known
    return (
        line.requestId == other.requestId
        and owner == its_owner
        and copied == its_copied
        and line.forkedFrom == other.forkedFrom
        and (
            (
                usage.input_tokens == its.input_tokens
                and usage.cache_read_input_tokens == its.cache_read_input_tokens
                and usage.cache_creation_input_tokens == its.cache_creation_input_tokens
                and usage.cache_creation == its.cache_creation
                and usage.iterations == its.iterations
            )
            or split_of(usage) == split_of(its)
        )
    )


def _order(known: _Kept, kept: _Kept) -> int:
    """Above 0: the later record counts; below: the known one does, or both say the same; 0: only their ranks can tell."""
    a, message, usage, _, at, _, _, _, _ = known
    b, other, their, _, later, _, _, _, _ = kept
    whole, complete = message.stop_reason is not None, other.stop_reason is not None
    if whole is not complete:
        return 1 if complete else -1
    if usage.output_tokens != their.output_tokens and (usage.output_tokens or 0) != (their.output_tokens or 0):
        return 1 if (their.output_tokens or 0) > (usage.output_tokens or 0) else -1
    if at != later:
        return 1 if later > at else -1
    same = message.model == other.model and a.costUSD == b.costUSD and a.durationMs == b.durationMs
    return -1 if same and usage == their else 0


def _columns(kept: Iterable[_Kept], tally: Tally) -> None:
    """Each record as a row of the tally's batch."""
    batch, root, source = tally.batch, tally.root, tally.source_id
    known: dict[tuple[object, ...], tuple[int, int, bool, int]] = {}
    begin = len(batch.key)
    rows: list[tuple[Any, ...]] = []
    add = rows.append
    key_of, rank_of, mixed, informed = keys.reply, keys.rank_of, keys.mixed, keys.informed
    last: tuple[object, ...] = ()
    dim = owner_rank = said = 0
    sidechain = False
    for line, message, usage, owner, at, copied, state, offset, length in kept:
        fresh, output, read = usage.input_tokens or 0, usage.output_tokens or 0, usage.cache_read_input_tokens or 0
        parts = usage.cache_creation
        short, long, ttl_known = (
            (0, 0, True) if parts is None else (parts.ephemeral_5m_input_tokens or 0, parts.ephemeral_1h_input_tokens or 0, True)
        )
        if short + long != (usage.cache_creation_input_tokens or 0):
            split = split_of(usage)
            short, long, ttl_known = split.cache_write_5m, split.cache_write_1h, split.ttl_known
        since = at - _EPOCH
        at_us = since.days * DAY_US + since.seconds * 1_000_000 + since.microseconds
        message_id, request_id, model = message.id or "", line.requestId or None, message.model or None
        complete = message.stop_reason is not None
        cost, duration, forked = line.costUSD, line.durationMs, line.forkedFrom
        what = (
            owner, model, complete, ttl_known, usage.service_tier, usage.speed, usage.inference_geo, cost is None, copied,
            forked is not None and forked.sessionId, message_id[4:9] if message_id[8:9] == "_" else None,
            at_us if state.start_us is None else None,
        )  # fmt: skip
        if what != last:
            last = what
            same = known.get(what)
            if same is None:
                split = split_of(usage)
                call = Call(state, line, message, usage, at, at_us, "ok", copied)
                event = call.event(model, split)
                batch.dims.append(dims_of(event, root=root))
                same = known[what] = len(batch.dims) - 1, event.owner_rank, call.sidechain, terms(line, usage, model, ttl_known, "ok")
            dim, owner_rank, sidechain, said = same
        key = key_of(message_id, request_id)
        if sidechain:
            batch.aliases[begin + len(rows)] = (keys.prompt_of(key, fresh, read, short + long),)
        details, tools = usage.output_tokens_details, usage.server_tool_use
        thinking = None if details is None else details.thinking_tokens
        searches = None if tools is None else tools.web_search_requests
        shared = said
        if cost is not None or duration is not None:
            cost = decode.usd(cost)
            shared += seldom(cost, duration)
        facts = mixed(shared, key, fresh, read, short, long, -1 if thinking is None else thinking, -1 if searches is None else searches)
        rank = rank_of(complete, output, at_us, informed(facts, ttl_known))
        add(
            (
                key, dim, owner_rank, rank, at_us, fresh, output, read, short, long, thinking,
                searches or 0, None if duration is None else int(duration) if 0 <= duration < 2**40 else None,
                None if cost is None else format(cost, "f"), message_id, request_id, source, offset, length,
            )
        )  # fmt: skip
    for name, values in zip(_FILLED, zip(*rows, strict=True), strict=False):
        getattr(batch, name).extend(values)


_FILLED = (
    "key", "dim", "owner_rank", "rank", "at_us", "input", "output", "cache_read", "cache_write_5m", "cache_write_1h", "reasoning",
    "web_searches", "duration_ms", "logged_cost", "message_id", "request_id", "source", "offset", "length",
)  # fmt: skip
"""Columns of a batch in the order in which a row is made."""
