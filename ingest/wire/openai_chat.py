"""Replies in the shape of OpenAI's Chat Completions, streamed or not, whoever sends them.

Decides where such a reply tells its usage and how that divides into token classes. Nothing here asks for the provider's name: Groq, xAI,
DeepSeek, Moonshot, Mistral, MiniMax, OpenRouter and others are told apart by what they write. Formats as of October 2026.

The prompt holds what was read from and written to the cache. The completion holds the reasoning, except where the written total says that
it does not (xAI). Usage may stand in a last chunk without choices, on the chunk with the finish reason, in that chunk's choice (Moonshot),
twice (Groq) or as zeros on every chunk until it is known (MiniMax): the last that counts anything is the reply's.

A compound system of Groq's says which models it asked and what each of them used: where these add up to the reply's usage, they are its
calls.
"""

from decimal import Decimal
from typing import Any

import msgspec

from ingest import decode
from ingest.wire.reply import Reply, count, inside, member, milliseconds, read, reported
from pipeline.events import Tokens

_TICKS_PER_USD = Decimal(10**10)


class _Choice(msgspec.Struct, gc=False):
    finish_reason: Any = None
    usage: Any = None


class _Chunk(msgspec.Struct, gc=False):
    id: Any = None
    model: Any = None
    service_tier: Any = None
    choices: list[_Choice] | None = None
    usage: Any = None
    usage_breakdown: Any = None
    x_groq: Any = None
    error: Any = None


class Chat:
    """One response of `/chat/completions`."""

    def __init__(self) -> None:
        self._id: str | None = None
        self._model: str | None = None
        self._tier: str | None = None
        self._usage: dict[str, Any] | None = None
        self._models: list[Any] = []
        self._failed = False

    def take(self, record: bytes) -> None:
        """See `Format`."""
        if record == b"[DONE]":
            return
        chunk = read(record, _Chunk)
        # The first chunk of some servers names nothing, and some name only some chunks.
        self._id = decode.text(chunk.id) or self._id
        self._model = decode.text(chunk.model) or self._model
        self._tier = decode.text(chunk.service_tier) or self._tier
        choices = chunk.choices or []
        ended = any(choice.finish_reason == "error" for choice in choices)
        self._failed = self._failed or ended or bool(chunk.error or member(chunk.x_groq, "error"))
        for usage in (member(chunk.x_groq, "usage"), *(choice.usage for choice in choices), chunk.usage):
            if isinstance(usage, dict) and _says_something(usage):
                self._usage = usage
        for breakdown in (chunk.usage_breakdown, member(chunk.x_groq, "usage_breakdown")):
            models = member(breakdown, "models")
            if isinstance(models, list):
                self._models = models

    def replies(self) -> list[Reply]:
        """See `Format`."""
        if self._usage is None:
            return []
        whole = self._reply(self._usage, self._model)
        parts = [
            self._reply(used, decode.text(member(each, "model")), part=f"model{position}")
            for position, each in enumerate(self._models)
            if isinstance(used := member(each, "usage"), dict)
        ]
        sums = [sum(counts) for counts in zip(*(msgspec.structs.astuple(each.tokens) for each in parts), strict=True)]
        return parts if sums == [*msgspec.structs.astuple(whole.tokens)] else [whole]

    def _reply(self, usage: dict[str, Any], model: str | None, *, part: str = "") -> Reply:
        spent, queued = milliseconds(usage.get("total_time")), milliseconds(usage.get("queue_time"))
        tokens = tokens_of(usage)
        return Reply(
            model=model,
            tokens=tokens,
            ttl_known=not tokens.cache_write_5m,
            reasoning=within(tokens, reported(usage, "completion_tokens_details", "reasoning_tokens")),
            tier=self._tier,
            status="error" if self._failed else "ok",
            duration_ms=None if spent is None else spent + (queued or 0),
            cost_usd=cost_of(usage),
            id=self._id,
            part=part,
        )


def tokens_of(usage: dict[str, Any]) -> Tokens:
    """The token classes of a usage block with `prompt_tokens` and `completion_tokens`. Raises `BadRecord` for what is no counter."""
    prompt, output = count(usage, "prompt_tokens"), count(usage, "completion_tokens")
    cached = [
        reported(usage, "prompt_tokens_details", "cached_tokens"),
        reported(usage, "prompt_cache_hit_tokens"),
        reported(usage, "cached_tokens"),
    ]
    read = next((number for number in cached if number), 0)
    written = count(usage, "prompt_tokens_details", "cache_write_tokens")
    reasoning = count(usage, "completion_tokens_details", "reasoning_tokens")
    return divided(prompt, output, read, written, reasoning, reported(usage, "total_tokens"))


def divided(prompt: int, output: int, read: int, written: int, reasoning: int, total: int | None) -> Tokens:
    """Classes of a prompt that holds its cache, and of an output that holds its reasoning unless the total says otherwise."""
    apart = reasoning > output if total is None else reasoning > 0 and total == prompt + output + reasoning
    return Tokens(
        input=inside(prompt, read, written),
        output=output + reasoning if apart else output,
        cache_read=read,
        cache_write_5m=written,
    )


def within(tokens: Tokens, reasoning: int | None) -> int | None:
    """Reasoning as the part of the output that it is: never more."""
    return None if reasoning is None else min(reasoning, tokens.output)


def cost_of(usage: dict[str, Any]) -> Decimal | None:
    """What the provider says it charged, in US dollars; None where it does not say.

    xAI counts in ticks. OpenRouter's `cost` is what it takes itself: with a key of the user's own, the upstream's part comes on top, and
    where that is not said, neither is the cost.
    """
    ticks = usage.get("cost_in_usd_ticks")
    if isinstance(ticks, int) and not isinstance(ticks, bool):
        return decode.usd(Decimal(ticks) / _TICKS_PER_USD)
    cost = decode.usd(usage.get("cost"))
    if cost is not None and usage.get("is_byok") is True:
        upstream = decode.usd(member(usage, "cost_details", "upstream_inference_cost"))
        return None if upstream is None else decode.usd(cost + upstream)
    return cost


def _says_something(usage: dict[str, Any]) -> bool:
    """Whether it counts a prompt or a completion: zeros stand where nothing is known yet, or nothing was done."""
    return any(usage.get(name) not in (None, 0) for name in ("prompt_tokens", "completion_tokens"))
