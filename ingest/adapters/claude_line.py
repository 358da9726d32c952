"""One line of a Claude Code transcript, as far as it can concern a model call.

Decides which fields are read, and how a line is read that the typed decoder refuses. What they mean is decided in `claude`.
Field names are Claude Code's own; every one of them may be missing or null. They stand in the order in which Claude Code writes them: the
decoder looks for a field where it found the one before.
"""

from decimal import Decimal

import msgspec
from msgspec import UNSET, UnsetType

from ingest.decode import BadRecord, Count, believable, count, objects, reported_count, text, usd

_CLASSES = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")


class CacheCreation(msgspec.Struct, gc=False):
    """Cache writes by the time they live."""

    ephemeral_5m_input_tokens: Count | None = None
    ephemeral_1h_input_tokens: Count | None = None


class ServerToolUse(msgspec.Struct, gc=False):
    """Calls of tools that run at the provider; web fetches are free and not read."""

    web_search_requests: Count | None = None


class OutputDetails(msgspec.Struct, gc=False):
    """What the output consists of."""

    thinking_tokens: Count | None = None


class Iteration(msgspec.Struct, gc=False):
    """One hop inside a reply: `message` (restates the top level), `advisor_message`, `compaction` or `fallback_message`."""

    type: str | None = None
    model: str | None = None
    input_tokens: Count | None = None
    output_tokens: Count | None = None
    cache_read_input_tokens: Count | None = None
    cache_creation_input_tokens: Count | None = None
    cache_creation: CacheCreation | None = None


class Usage(msgspec.Struct, gc=False):
    """The usage block of the Messages API as Claude Code writes it down."""

    input_tokens: Count | None = None
    cache_creation_input_tokens: Count | None = None
    cache_read_input_tokens: Count | None = None
    cache_creation: CacheCreation | None = None
    output_tokens: Count | UnsetType | None = UNSET
    """Its name is the needle: a block without it is no usage."""
    output_tokens_details: OutputDetails | None = None
    server_tool_use: ServerToolUse | None = None
    service_tier: str | None = None
    inference_geo: str | None = None
    iterations: list[Iteration] | None = None
    speed: str | None = None


class Message(msgspec.Struct, gc=False):
    """A reply of the API; its content is never read."""

    model: str | None = None
    id: str | None = None
    stop_reason: str | None = None
    usage: Usage | None = None


class Copied(msgspec.Struct, gc=False):
    """The subagent's own record, as a `progress` line of its parent repeats it."""

    type: str | None = None
    timestamp: str | int | float | None = None
    requestId: str | None = None
    uuid: str | None = None
    message: Message | None = None


class Progress(msgspec.Struct, gc=False):
    """What a `progress` line carries."""

    type: str | None = None
    message: Copied | None = None


class ForkedFrom(msgspec.Struct, gc=False):
    """Where a copied line was copied from."""

    sessionId: str | None = None
    messageUuid: str | None = None


class Line(msgspec.Struct, gc=False):
    """The envelope of a line."""

    isSidechain: bool | None = None
    forkedFrom: ForkedFrom | None = None
    agentId: str | None = None
    cwd: str | None = None
    sessionId: str | None = None
    version: str | None = None
    gitBranch: str | None = None
    message: Message | None = None
    requestId: str | None = None
    attributionAgent: str | None = None
    isApiErrorMessage: bool | None = None
    type: str | None = None
    uuid: str | None = None
    timestamp: str | int | float | None = None
    costUSD: Decimal | None = None
    durationMs: int | float | None = None
    data: Progress | None = None
    entrypoint: str | None = None
    isCompactSummary: bool | None = None


def lines_of(record: bytes) -> list[Line]:
    """The lines that a record consists of which the typed decoder refuses: one, or several written without a newline between them.

    Texts of another type than text count as missing. Raises `ingest.decode.BadRecord` where the record is no JSON object or a counter is
    no number; its `tokens` then says what the rest of the usage block adds up to.
    """
    return [_line(each) for each in objects(record)]


def message_of(value: object) -> Message | None:
    """A message from decoded JSON; raises as `lines_of`."""
    if not isinstance(value, dict):
        return None
    return Message(
        id=text(value.get("id")),
        model=text(value.get("model")),
        stop_reason=text(value.get("stop_reason")),
        usage=usage_of(value.get("usage")),
    )


def usage_of(value: object) -> Usage | None:
    """A usage block from decoded JSON; raises as `lines_of`."""
    if not isinstance(value, dict):
        return None
    try:
        return _usage(value)
    except BadRecord as bad:
        raise BadRecord(bad.reason, tokens=believable(value.get(name) for name in _CLASSES)) from None


def _usage(value: dict[str, object]) -> Usage:
    details, tools, hops = value.get("output_tokens_details"), value.get("server_tool_use"), value.get("iterations")
    return Usage(
        input_tokens=count(value.get("input_tokens")),
        output_tokens=count(value["output_tokens"]) if "output_tokens" in value else UNSET,
        cache_read_input_tokens=count(value.get("cache_read_input_tokens")),
        cache_creation_input_tokens=reported_count(value.get("cache_creation_input_tokens")),
        cache_creation=_cache_creation(value.get("cache_creation")),
        output_tokens_details=OutputDetails(reported_count(details.get("thinking_tokens"))) if isinstance(details, dict) else None,
        server_tool_use=ServerToolUse(count(tools.get("web_search_requests"))) if isinstance(tools, dict) else None,
        service_tier=text(value.get("service_tier")),
        speed=text(value.get("speed")),
        inference_geo=text(value.get("inference_geo")),
        iterations=[_iteration(hop) for hop in hops] if isinstance(hops, list) else None,
    )


def _line(value: dict[str, object]) -> Line:
    data, forked = value.get("data"), value.get("forkedFrom")
    duration = value.get("durationMs")
    copied = data.get("message") if isinstance(data, dict) else None
    return Line(
        type=text(value.get("type")),
        timestamp=_stamp(value.get("timestamp")),
        sessionId=text(value.get("sessionId")),
        cwd=text(value.get("cwd")),
        gitBranch=text(value.get("gitBranch")),
        version=text(value.get("version")),
        entrypoint=text(value.get("entrypoint")),
        requestId=text(value.get("requestId")),
        uuid=text(value.get("uuid")),
        agentId=text(value.get("agentId")),
        attributionAgent=text(value.get("attributionAgent")),
        isSidechain=value.get("isSidechain") is True,
        isApiErrorMessage=value.get("isApiErrorMessage") is True,
        isCompactSummary=value.get("isCompactSummary") is True,
        forkedFrom=_origin(forked) if forked else None,
        costUSD=usd(value.get("costUSD")),
        durationMs=float(duration) if isinstance(duration, int | float | Decimal) else None,
        data=Progress(type=text(data.get("type")), message=_copied(copied)) if isinstance(data, dict) else None,
        message=message_of(value.get("message")),
    )


def _origin(value: object) -> ForkedFrom:
    if not isinstance(value, dict):
        return ForkedFrom()
    return ForkedFrom(text(value.get("sessionId")), text(value.get("messageUuid")))


def _copied(value: object) -> Copied | None:
    if not isinstance(value, dict):
        return None
    return Copied(
        type=text(value.get("type")),
        timestamp=_stamp(value.get("timestamp")),
        requestId=text(value.get("requestId")),
        uuid=text(value.get("uuid")),
        message=message_of(value.get("message")),
    )


def _iteration(value: object) -> Iteration:
    # A hop is named by its position, so one that says nothing keeps its place.
    if not isinstance(value, dict):
        return Iteration()
    return Iteration(
        type=text(value.get("type")),
        model=text(value.get("model")),
        input_tokens=count(value.get("input_tokens")),
        output_tokens=count(value.get("output_tokens")),
        cache_read_input_tokens=count(value.get("cache_read_input_tokens")),
        cache_creation_input_tokens=reported_count(value.get("cache_creation_input_tokens")),
        cache_creation=_cache_creation(value.get("cache_creation")),
    )


def _cache_creation(value: object) -> CacheCreation | None:
    if not isinstance(value, dict):
        return None
    return CacheCreation(count(value.get("ephemeral_5m_input_tokens")), count(value.get("ephemeral_1h_input_tokens")))


def _stamp(value: object) -> str | int | float | None:
    if isinstance(value, Decimal):
        return float(value)
    return value if isinstance(value, str | int | float) and not isinstance(value, bool) else None
