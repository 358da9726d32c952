"""Replies of Google's Gemini: `generateContent`, `streamGenerateContent`, and Interactions.

Decides which of a stream's running values count: the last. What a model thought and what its tools added to the prompt stand beside
candidates and prompt there, not inside. Formats of October 2026; Code Assist wraps each record in `response`.
"""

from typing import Any

import msgspec

from ingest import decode
from ingest.wire.reply import Reply, count, inside, member, read, reported
from pipeline.events import Status, Tokens


class _Record(msgspec.Struct, gc=False):
    response: Any = None
    usageMetadata: Any = None
    modelVersion: Any = None
    responseId: Any = None
    interaction: Any = None
    object: Any = None
    status: Any = None
    usage: Any = None
    id: Any = None
    model: Any = None
    service_tier: Any = None
    error: Any = None


class Generated:
    """One response of `generateContent` or `streamGenerateContent`."""

    def __init__(self) -> None:
        self._usage: dict[str, Any] = {}
        self._model: str | None = None
        self._id: str | None = None
        self._failed = False

    def take(self, record: bytes) -> None:
        """See `Format`."""
        if record == b"[DONE]":
            return
        if record.lstrip().startswith(b"["):
            # A stream that was not asked for as events is one array.
            for each in _elements(record):
                self.take(bytes(each))
            return
        told = read(record, _Record)
        if isinstance(told.response, dict):
            told = msgspec.convert(told.response, _Record)
        self._model = decode.text(told.modelVersion) or self._model
        self._id = decode.text(told.responseId) or self._id
        self._failed = self._failed or bool(told.error)
        if isinstance(told.usageMetadata, dict):
            self._usage.update({name: value for name, value in told.usageMetadata.items() if value is not None})

    def replies(self) -> list[Reply]:
        """See `Format`."""
        usage = self._usage
        prompt, cached = count(usage, "promptTokenCount"), count(usage, "cachedContentTokenCount")
        thoughts = reported(usage, "thoughtsTokenCount")
        output = count(usage, "candidatesTokenCount") or count(usage, "responseTokenCount")
        tokens = Tokens(
            input=inside(prompt, cached, 0) + count(usage, "toolUsePromptTokenCount"), output=output + (thoughts or 0), cache_read=cached
        )
        if not (tokens.input or tokens.output or tokens.cache_read):
            return []
        status: Status = "error" if self._failed else "ok"
        tier = decode.text(usage.get("serviceTier"))
        return [Reply(model=self._model, tokens=tokens, reasoning=thoughts, tier=tier, status=status, id=self._id)]


class Interaction:
    """One response of `/interactions`."""

    def __init__(self) -> None:
        self._told: dict[str, Any] | None = None

    def take(self, record: bytes) -> None:
        """See `Format`."""
        if record == b"[DONE]":
            return
        told = read(record, _Record)
        if isinstance(member(told.interaction, "usage"), dict):
            self._told = told.interaction
        elif told.object == "interaction" and isinstance(told.usage, dict):
            self._told = msgspec.structs.asdict(told)

    def replies(self) -> list[Reply]:
        """See `Format`."""
        told = self._told
        if told is None:
            return []
        usage = told["usage"]
        prompt, cached = count(usage, "total_input_tokens"), count(usage, "total_cached_tokens")
        thoughts = reported(usage, "total_thought_tokens")
        tokens = Tokens(
            input=inside(prompt, cached, 0) + count(usage, "total_tool_use_tokens"),
            output=count(usage, "total_output_tokens") + (thoughts or 0),
            cache_read=cached,
        )
        if not (tokens.input or tokens.output or tokens.cache_read):
            return []
        status: Status = "error" if told.get("status") == "failed" else "ok"
        model, tier, name = (decode.text(told.get(field)) for field in ("model", "service_tier", "id"))
        return [Reply(model=model, tokens=tokens, reasoning=thoughts, tier=tier, status=status, id=name)]


def _elements(record: bytes) -> list[msgspec.Raw]:
    try:
        return msgspec.json.decode(record, type=list[msgspec.Raw])
    except (ValueError, RecursionError):
        raise decode.BadRecord("unreadable") from None
