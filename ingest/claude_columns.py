"""Claude Code's transcripts in columns: the fold of `ingest.adapters.claude`, made fast for large imports.

Decides nothing of its own. What a line means is asked of the adapter's functions, once for each set of dimensions; lines that repeat a call
are put aside before anything is computed for them, and the others become columns without an object per event. A line in any way out of
the ordinary goes to the adapter itself. A property test holds both ways to the same calls and the same counts.
"""

from array import array
from datetime import UTC, datetime
from decimal import Decimal
from struct import Struct
from typing import Any

from msgspec import UNSET
from msgspec.structs import replace

from ingest import decode
from ingest.adapter import Adapter
from ingest.adapters.claude import DECODER, line_events
from ingest.adapters.claude_call import SYNTHETIC, File, split_of
from ingest.adapters.claude_event import Call, seldom, terms
from ingest.adapters.claude_line import Line, Message, Usage
from ingest.lines import Lines
from ingest.reader import Tally
from ingest.reader import fold as step_by_step
from pipeline import keys
from pipeline.batch import Dims
from pipeline.columns import Digests
from pipeline.record import DAY_US

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_Kept = tuple[Line, Message, Usage, tuple[object, ...], datetime, bool, File, int, int]
"""The record of a call that counts so far in its file: what it says, its setting, its time, whether it was copied, the state then, offset,
length."""


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
    rows = _Rows(tally)
    same: tuple[object, ...] = ()
    for part in lines.parts():
        for offset, length, record in part:
            line = None
            try:
                line = parse(record)
                at = instant(line.timestamp)  # type: ignore[arg-type]
                message = line.message
                usage = message.usage  # type: ignore[union-attr]
                output = usage.output_tokens  # type: ignore[union-attr]
                known = best.get(message.id)  # type: ignore[union-attr,arg-type]
            except (ValueError, TypeError, AttributeError, RecursionError, OverflowError):
                state = _odd(adapter, state, tally, offset, length, record, line)
                until = state.copied_until_us
                continue
            assert message is not None
            assert usage is not None
            # What decides whether a line is in the ordinary way, who owns its calls and what wrote it: the same for nearly all of a file.
            setting = (
                line.type, line.isApiErrorMessage, message.model, line.sessionId, line.cwd, line.gitBranch, line.isSidechain, line.agentId,
                line.entrypoint, line.attributionAgent, line.isCompactSummary, line.version,
                line.forkedFrom is not None and line.forkedFrom.sessionId,
            )  # fmt: skip
            if setting == same:
                # One object for all of them: to compare it with itself takes no time.
                setting = same
                ordinary = True
            else:
                ordinary = line.type == "assistant" and not line.isApiErrorMessage and message.model != SYNTHETIC
            if (
                not ordinary
                or output is UNSET
                or not message.id
                or at.tzinfo is not UTC
                or (usage.iterations and any(hop.type != "message" for hop in usage.iterations))
            ):
                state = _odd(adapter, state, tally, offset, length, record, line)
                until = state.copied_until_us
                continue
            same = setting
            copied = line.forkedFrom is not None
            if copied or until >= 0:
                at_us = keys.microseconds(at)
                if copied and at_us > until:
                    until = at_us
                    state = replace(state, copied_until_us=until)
                copied = copied or at_us <= until
            sightings += 1
            if known is not None:
                order = _order(known, line, message, usage, setting, at, copied, state)
                if order < 0:
                    continue
                if not order:
                    others.append(known)
            best[message.id] = line, message, usage, setting, at, copied, state, offset, length
        if best:
            # Later records of a reply stand close behind its first, so only the last one is kept open; were there a further one, it would
            # become a second row. What is made into columns soon is still in the processor's cache.
            open_id, still_open = best.popitem()
            rows.add([*others, *best.values()])
            best, others = {open_id: still_open}, []
    rows.add([*others, *best.values()])
    tally.reading.counts.lines += sightings
    tally.reading.counts.events += sightings
    return state


def _odd(adapter: Adapter[Any], state: File, tally: Tally, offset: int, length: int, record: bytes | memoryview, line: Line | None) -> File:
    """A record in a way out of the ordinary; `line` is what it was decoded to, if it could be."""
    state, events = adapter.step(state, bytes(record)) if line is None else line_events(state, line)
    tally.record(events, offset, length, bytes(record) if events else b"")
    return state


def _order(
    known: _Kept, line: Line, message: Message, usage: Usage, setting: tuple[object, ...], at: datetime, copied: bool, state: File
) -> int:
    """What a later record of a message does to the one that is known.

    Above 0: one row stands for both, and it is the later record's; below: one row, and the known record's, which may say the same;
    0: two rows, since they differ in an identity, in their setting or in what they claim the call from, or only their ranks can tell which
    of them counts.
    """
    other, its, their, its_setting, then, was_copied, was, _, _ = known
    if (
        line.requestId != other.requestId
        or setting != its_setting
        or copied is not was_copied
        or state is not was
        or (state.start_us is None and at != then)
        or (
            (
                usage.input_tokens != their.input_tokens
                or usage.cache_read_input_tokens != their.cache_read_input_tokens
                or usage.cache_creation_input_tokens != their.cache_creation_input_tokens
                or usage.cache_creation != their.cache_creation
                or usage.iterations != their.iterations
            )
            and split_of(usage) != split_of(their)
        )
    ):
        return 0
    complete = message.stop_reason is not None
    if complete is (its.stop_reason is None):
        return 1 if complete else -1
    output, less = usage.output_tokens, their.output_tokens
    if output != less and (output or 0) != (less or 0):
        return 1 if (output or 0) > (less or 0) else -1
    if at != then:
        return 1 if at > then else -1
    return -1 if usage == their and line.costUSD == other.costUSD and line.durationMs == other.durationMs else 0


class _Rows:
    """Records as rows of a tally's batch."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._known: dict[tuple[object, ...], tuple[int, int | None, bool, int]] = {}
        """For each set of dimensions: its number in the batch, the rank of its owner (None where each record's time decides it), whether it
        is a sidechain's, and its terms."""

    def add(self, kept: list[_Kept]) -> None:
        """Append a row for each record."""
        if not kept:
            return
        batch, root, source, known = self._tally.batch, self._tally.root, self._tally.source_id, self._known
        lines, messages, usages, settings, times, copies, states, offsets, lengths = zip(*kept, strict=True)
        message_ids = [message.id or "" for message in messages]
        request_ids = [line.requestId or None for line in lines]
        named = keys.replies(message_ids, request_ids)
        begin = len(batch.key)
        numbers: list[bytes] = []
        ranks: list[bytes] = []
        thoughts: list[int | None] = []
        seldoms: dict[int, tuple[Decimal | None, float | None]] = {}
        add, rank, think, packed = numbers.append, ranks.append, thoughts.append, _ROW.pack
        rank_of = keys.rank_of_numbers
        last: tuple[object, ...] = ()
        dim = said = 0
        owner: int | None = 0
        sidechain = False
        for key, name, line, message, usage, setting, at, copied, state in zip(
            named, message_ids, lines, messages, usages, settings, times, copies, states, strict=True
        ):
            fresh, output, read = usage.input_tokens or 0, usage.output_tokens or 0, usage.cache_read_input_tokens or 0
            parts = usage.cache_creation
            if parts is None:
                short = long = 0
            else:
                short, long = parts.ephemeral_5m_input_tokens or 0, parts.ephemeral_1h_input_tokens or 0
            ttl_known = True
            if short + long != (usage.cache_creation_input_tokens or 0):
                split = split_of(usage)
                short, long, ttl_known = split.cache_write_5m, split.cache_write_1h, split.ttl_known
            since = at - _EPOCH
            at_us = since.days * DAY_US + since.seconds * 1_000_000 + since.microseconds
            complete = message.stop_reason is not None
            cost = None if line.costUSD is None else decode.usd(line.costUSD)
            what = (
                setting, state, copied, complete, ttl_known, usage.service_tier, usage.speed, usage.inference_geo, cost is None,
                name[4:9] if name[8:9] == "_" and name[:4] == "msg_" else None,
            )  # fmt: skip
            if what != last:
                last = what
                found = known.get(what)
                if found is None:
                    model = message.model or None
                    call = Call(state, line, message, usage, at, at_us, "ok", copied)
                    batch.dims.append(Dims(root=root, **call.dims(model, cost, ttl_known=ttl_known)))
                    said = terms(line, usage, model, ttl_known, "ok")
                    owner = None if state.start_us is None else call.owner_rank()
                    found = known[what] = len(batch.dims) - 1, owner, call.sidechain, said
                dim, owner, sidechain, said = found
            owner_rank = Call(state, line, message, usage, at, at_us, "ok", copied).owner_rank() if owner is None else owner
            if sidechain:
                batch.aliases[begin + len(ranks)] = (keys.prompt_of(key, fresh, read, short + long),)
            details, tools = usage.output_tokens_details, usage.server_tool_use
            thinking = None if details is None else details.thinking_tokens
            searches = None if tools is None else tools.web_search_requests
            facts = said
            if cost is not None or line.durationMs is not None:
                facts += seldom(cost, line.durationMs)
                seldoms[len(ranks)] = cost, line.durationMs
            thought, searched = -1 if thinking is None else thinking, -1 if searches is None else searches
            rank(rank_of(complete, output, at_us, ttl_known, facts, key, fresh, read, short, long, thought, searched))
            think(thinking)
            add(packed(dim, owner_rank, at_us, fresh, output, read, short, long, searches or 0))
        batch.key.extend(Digests(b"".join(named)))
        batch.message_id.extend(message_ids)
        batch.request_id.extend(request_ids)
        batch.rank.extend(Digests(b"".join(ranks)))
        batch.reasoning.extend(thoughts)
        # Numbers become columns without an object for each, which is what adding them one by one would take.
        columns = array("q", b"".join(numbers))
        for place, name in enumerate(_NUMBERS):
            getattr(batch, name).extend(columns[place :: len(_NUMBERS)])
        batch.source.extend(array("q", (source,)) * len(kept))
        batch.offset.extend(array("q", offsets))
        batch.length.extend(array("q", lengths))
        batch.duration_ms.extend([None] * len(kept))
        batch.logged_cost.extend([None] * len(kept))
        for row, (cost, duration) in seldoms.items():
            batch.logged_cost[begin + row] = None if cost is None else format(cost, "f")
            batch.duration_ms[begin + row] = int(duration) if duration is not None and 0 <= duration < 2**40 else None


_NUMBERS = (
    "dim", "owner_rank", "at_us", "input", "output", "cache_read", "cache_write_5m", "cache_write_1h", "web_searches",
)  # fmt: skip
"""Columns of whole numbers that are worked out, in the order in which a row is made."""
_ROW = Struct(f"{len(_NUMBERS)}q")
