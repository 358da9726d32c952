"""One call of a Claude Code line as an event of the log.

Decides identity, rank and ownership of a call, and what of its line goes into the event. The rules that a line is read by are in
`claude_call`.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any

from ingest import decode
from ingest.adapters.claude_call import File, Split, initiator_of, provider_of, writes_placeholders
from ingest.adapters.claude_line import Line, Message, Usage
from pipeline import keys
from pipeline.events import Initiator, Status, Tokens, UsageEvent


class Call:
    """What the calls of one line have in common: `event` gives each of them."""

    __slots__ = ("at", "at_us", "copied", "file", "initiator", "line", "message", "parent", "session", "sidechain", "status", "usage")

    def __init__(
        self, file: File, line: Line, message: Message, usage: Usage, at: datetime, at_us: int, status: Status, is_copied: bool
    ) -> None:
        self.file = file
        self.line = line
        self.message = message
        self.usage = usage
        self.at = at
        self.at_us = at_us
        self.status = status
        self.copied = is_copied
        self.initiator = initiator_of(line, file)
        self.session = line.sessionId or (None if file.flat else file.session)
        self.parent = self._parent()
        self.sidechain = bool(line.isSidechain) or file.initiator != "main"

    def event(self, model: str | None, split: Split, *, part: str = "", initiator: Initiator | None = None) -> UsageEvent:
        """The reply itself, or the further billed call inside it that `part` names (and `initiator`, where that differs)."""
        line, message, usage = self.line, self.message, self.usage
        tokens = split.tokens
        key, aliases, offers = identities(line, message, model, tokens, self.at_us, sidechain=self.sidechain, part=part)
        details, tools = usage.output_tokens_details, usage.server_tool_use
        reasoning = details.thinking_tokens if details is not None and not part else None
        searches = (tools.web_search_requests or 0) if tools is not None and not part else 0
        cost = decode.usd(line.costUSD) if not part else None
        duration = line.durationMs if not part else None
        return UsageEvent(
            key=key,
            aliases=aliases,
            offers=offers,
            at=self.at,
            tokens=tokens,
            reasoning=reasoning,
            web_searches=searches,
            duration_ms=int(duration) if duration is not None and 0 <= duration < 2**40 else None,
            logged_cost_usd=cost,
            message_id=message.id or None,
            request_id=line.requestId or None,
            rank=self._rank(key, model, split, cost),
            owner_rank=self.owner_rank(initiator),
            extra={"iteration": part} if part else {},
            **self.dims(model, cost, ttl_known=split.ttl_known, initiator=initiator),
        )

    def dims(self, model: str | None, cost: Decimal | None, *, ttl_known: bool, initiator: Initiator | None = None) -> dict[str, Any]:
        """The dimensions of a call by name, as far as the line says them."""
        line, usage = self.line, self.usage
        return {
            "agent": "claude",
            "agent_version": line.version,
            "provider": provider_of(self.message),
            "model": model,
            "session": self.session,
            "parent_session": self.parent,
            "project": line.cwd or None,
            "git_branch": line.gitBranch or None,
            "initiator": initiator or self.initiator,
            "ttl_known": ttl_known,
            "tier": usage.service_tier or None,
            "speed": usage.speed or None,
            "geo": usage.inference_geo or None,
            "status": self.status,
            "partial_output": self.message.stop_reason is None and writes_placeholders(line.version),
            "logged_cost_basis": None if cost is None else "provider",
        }

    def owner_rank(self, initiator: Initiator | None = None) -> int:
        """Orders what several sessions claim of one call."""
        line, file = self.line, self.file
        return keys.owner_rank(
            copied=self.copied,
            sidechain=self.sidechain,
            depth=file.depth,
            session_start_us=since(file, self.at_us, is_copied=self.copied),
            session=self.session,
            rest=f"{self.parent}|{line.cwd}|{line.gitBranch}|{initiator or self.initiator}",
        )

    def _rank(self, key: bytes, model: str | None, split: Split, cost: Decimal | None) -> bytes:
        """Over all that a record says about its call, owner aside: records with equal ranks say the same.

        A copy that leaves out how long the cache writes live gives way to the record that says it.
        """
        line, usage = self.line, self.usage
        details, tools = usage.output_tokens_details, usage.server_tool_use
        thinking = None if details is None else details.thinking_tokens
        searches = None if tools is None else tools.web_search_requests
        return keys.rank_of_numbers(
            self.message.stop_reason is not None,
            split.output,
            self.at_us,
            split.ttl_known,
            terms(line, usage, model, split.ttl_known, self.status) + seldom(cost, line.durationMs),
            key,
            split.input,
            split.cache_read,
            split.cache_write_5m,
            split.cache_write_1h,
            -1 if thinking is None else thinking,
            -1 if searches is None else searches,
        )

    def _parent(self) -> str | None:
        origin = self.line.forkedFrom.sessionId if self.line.forkedFrom is not None else None
        if origin is None and self.file.initiator != "main":
            origin = self.file.session
        return origin if origin != self.session else None


def since(file: File, at_us: int, *, is_copied: bool) -> int:
    """When the session of a record at that time began, as far as it says whose call it is.

    A fork's file begins with another session's times, and a line of it that does not say so may be copied all the same: such a line claims
    its call only from the latest copy on that is known, so that the session which made the call comes before it.
    """
    if file.start_us is None:
        return at_us
    return file.start_us if is_copied else max(file.start_us, file.copied_until_us)


def identities(
    line: Line, message: Message, model: str | None, tokens: Tokens, at_us: int, *, sidechain: bool, part: str = ""
) -> tuple[bytes, tuple[bytes, ...], tuple[bytes, ...]]:
    """(key, claimed aliases, offers) of one call in a line: by the provider's ids, else by the record's, else by what it says."""
    known = keys.anthropic(message.id, line.requestId, tokens, sidechain=sidechain, part=part)
    if known is not None:
        return known
    if line.uuid:
        original = line.forkedFrom.messageUuid if line.forkedFrom is not None else None
        claimed = (keys.identity("claude.record", original, part),) if original and original != line.uuid else ()
        return keys.identity("claude.record", line.uuid, part), claimed, ()
    counts = (tokens.input, tokens.output, tokens.cache_read, tokens.cache_write_5m, tokens.cache_write_1h)
    return keys.identity("claude.content", line.sessionId, at_us, model, *counts, part), (), ()


def terms(line: Line, usage: Usage, model: str | None, ttl_known: bool, status: Status) -> int:
    """What many records share of their facts, as a number."""
    said = f"{model}|{ttl_known}|{usage.service_tier}|{usage.speed}|{usage.inference_geo}|{line.version}|{status}"
    return keys.spread(keys.digest_of(said))


def seldom(cost: Decimal | None, duration_ms: float | None) -> int:
    """What few records say at all, as a number: 0 where they say nothing."""
    return 0 if cost is None and duration_ms is None else keys.digest_of(f"{cost}|{duration_ms}") << 34
