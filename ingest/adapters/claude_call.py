"""What one line of a Claude Code transcript says about model calls.

Decides token classes, model, provider and initiator of the calls in a line. Pure and cheap, because the columnar reader of large imports
stands on the same functions. How a line is decoded is `claude_line`'s business; what names, ranks and owns a call, `claude_event`'s.
"""

from functools import lru_cache

import msgspec
from msgspec import UNSET

from ingest.adapters.claude_line import CacheCreation, Iteration, Line, Message, Usage
from pipeline.events import Initiator, Tokens

SYNTHETIC = "<synthetic>"
"""Model of a message that Claude Code wrote itself: no call."""

ASSISTANT = (None, "assistant")
"""Types of a line that may be a call; the oldest lines have none."""

_FIRST_WITH_FINAL_USAGE = (2, 1, 97)


class File(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What holds for all lines of one transcript; its fold state."""

    depth: int = 0
    """Path segments under the agent home."""
    start_us: int | None = None
    """First time that the file names: when its session began."""
    copied_until_us: int = -1
    """Latest time of a line that says it was copied. `/branch` writes lines twice, once without saying so: what is not later is a copy."""
    session: str | None = None
    """Session id that the file is named after."""
    initiator: Initiator = "main"
    flat: bool = False
    """Another tool's `usage.jsonl`."""
    transcript: bool = True
    """False for the other files in the folders of Claude Desktop."""


class Split(msgspec.Struct, frozen=True, gc=False):
    """Token classes of one call."""

    input: int
    output: int
    cache_read: int
    cache_write_5m: int
    cache_write_1h: int
    ttl_known: bool

    @property
    def tokens(self) -> Tokens:
        """The same as an event has them."""
        return Tokens(
            input=self.input,
            output=self.output,
            cache_read=self.cache_read,
            cache_write_5m=self.cache_write_5m,
            cache_write_1h=self.cache_write_1h,
        )


def split_of(usage: Usage) -> Split:
    """The token classes of the top level.

    The flat count of cache writes is right where the breakdown contradicts it, which happens after a fallback. The split is then that of
    the last iteration that agrees with the top level in everything; where none does, all of it counts as 5m with `ttl_known` false.
    """
    flat, parts = usage.cache_creation_input_tokens, usage.cache_creation
    known = True
    if parts is not None:
        short, long = parts.ephemeral_5m_input_tokens or 0, parts.ephemeral_1h_input_tokens or 0
        if flat is not None and short + long != flat:
            short, long, known = _split_of_iterations(usage, flat)
    elif flat:
        short, long, known = _split_of_iterations(usage, flat)
    else:
        short = long = 0
    return Split(usage.input_tokens or 0, output_of(usage), usage.cache_read_input_tokens or 0, short, long, known)


def split_of_hop(hop: Iteration) -> Split:
    """The token classes of one iteration."""
    flat, parts = hop.cache_creation_input_tokens, hop.cache_creation
    short, long, known = _agreeing(flat, parts) or (flat or 0, 0, not flat)
    return Split(hop.input_tokens or 0, hop.output_tokens or 0, hop.cache_read_input_tokens or 0, short, long, known)


def output_of(usage: Usage) -> int:
    """Completion tokens of the top level."""
    return 0 if usage.output_tokens is UNSET else usage.output_tokens or 0


def hops_of(message: Message, usage: Usage) -> list[tuple[int, Iteration, str | None]]:
    """(position, iteration, model) of each billed call inside a reply that its top level leaves out.

    These are calls of an advisor, compactions at the provider, and a model that wrote something before it declined and a fallback
    answered. A hop that declined at once is not billed; all other iterations restate the top level.
    """
    hops = usage.iterations
    if not hops:
        return []
    found = []
    answered = _answered(usage, hops)
    for position, hop in enumerate(hops):
        declined = position < answered and hop.type in (None, "message") and bool(hop.output_tokens)
        if hop.type in ("advisor_message", "compaction") or declined:
            found.append((position, hop, hop.model or message.model or None))
    return found


def model_of(message: Message, usage: Usage) -> str | None:
    """The model that answered, as written: with a fallback that is the fallback's, whatever was asked."""
    if usage.iterations:
        for hop in reversed(usage.iterations):
            if hop.type == "fallback_message" and hop.model:
                return hop.model
    return message.model or None


def provider_of(message: Message) -> str:
    """Who bills: Anthropic, unless the form of the reply's or the model's name says Bedrock or Vertex."""
    name, model = message.id or "", message.model or ""
    if name.startswith("msg_bdrk_") or "anthropic.claude" in model:
        return "bedrock"
    if name.startswith("msg_vrtx_") or (model.startswith("claude") and "@" in model):
        return "vertex_ai"
    return "anthropic"


def initiator_of(line: Line, file: File) -> Initiator:
    """Who asked for the call. A compaction is a task and memory work is memory, also where it runs as a subagent."""
    if file.initiator in ("task", "memory"):
        return file.initiator
    if line.isCompactSummary or (line.agentId is not None and line.agentId.startswith("acompact")):
        return "task"
    if _names_memory(line.entrypoint) or _names_memory(line.attributionAgent):
        return "memory"
    return "subagent" if line.isSidechain else file.initiator


@lru_cache(maxsize=256)
def writes_placeholders(version: str | None) -> bool:
    """Whether this version of Claude Code logged a placeholder for the output until a line with a stop reason (before 2.1.97).

    An unknown version did not: that a number is too low is claimed only where it is known.
    """
    if version is None:
        return False
    try:
        return tuple(int(part) for part in version.split("-")[0].split(".")[:3]) < _FIRST_WITH_FINAL_USAGE
    except ValueError:
        return False


def copied(line: Line, file: File, at_us: int) -> bool:
    """Whether the line was copied from another session, so that the session it stands in owns no call of it."""
    return line.forkedFrom is not None or at_us <= file.copied_until_us or file.flat


@lru_cache(maxsize=1024)
def _names_memory(name: str | None) -> bool:
    return name is not None and "memor" in name.lower()


def _answered(usage: Usage, hops: list[Iteration]) -> int:
    """Position of the fallback that the top level shows; 0 where there was none, or the top level shows more than it."""
    for position in range(len(hops) - 1, 0, -1):
        if hops[position].type == "fallback_message":
            return position if _agrees(usage, hops[position]) else 0
    return 0


def _agrees(usage: Usage, hop: Iteration) -> bool:
    return (
        (hop.input_tokens or 0) == (usage.input_tokens or 0)
        and (hop.output_tokens or 0) == output_of(usage)
        and (hop.cache_read_input_tokens or 0) == (usage.cache_read_input_tokens or 0)
        and (hop.cache_creation_input_tokens or 0) == (usage.cache_creation_input_tokens or 0)
    )


def _split_of_iterations(usage: Usage, flat: int) -> tuple[int, int, bool]:
    for hop in reversed(usage.iterations or ()):
        if _agrees(usage, hop):
            found = _agreeing(flat, hop.cache_creation)
            if found is not None:
                return found
    return flat, 0, not flat


def _agreeing(flat: int | None, parts: CacheCreation | None) -> tuple[int, int, bool] | None:
    """The breakdown, if there is one and it adds up to the flat count (or there is no flat count)."""
    if parts is None:
        return None
    short, long = parts.ephemeral_5m_input_tokens or 0, parts.ephemeral_1h_input_tokens or 0
    return (short, long, True) if flat is None or short + long == flat else None
