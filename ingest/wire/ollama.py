"""Replies of Ollama's own API: `/api/chat` and `/api/generate`.

Decides which record counts: the one that says `done`. A local model costs nothing, but its call is recorded. Format of October 2026.
"""

from typing import Any

import msgspec

from ingest import decode
from ingest.wire.reply import Reply, inside, read
from pipeline.events import Tokens

_NO_CALL = ("load", "unload")
_NS_PER_MS = 1_000_000


class _Record(msgspec.Struct, gc=False):
    model: Any = None
    done: Any = None
    done_reason: Any = None
    prompt_eval_count: Any = None
    prompt_eval_cached_count: Any = None
    eval_count: Any = None
    total_duration: Any = None


class Generation:
    """One response."""

    def __init__(self) -> None:
        self._last: _Record | None = None

    def take(self, record: bytes) -> None:
        """See `Format`."""
        told = read(record, _Record)
        if told.done is True and told.done_reason not in _NO_CALL:
            self._last = told

    def replies(self) -> list[Reply]:
        """See `Format`."""
        told = self._last
        if told is None:
            return []
        prompt, cached = decode.count(told.prompt_eval_count), decode.count(told.prompt_eval_cached_count)
        spent = told.total_duration
        return [
            Reply(
                model=decode.text(told.model),
                tokens=Tokens(input=inside(prompt, cached, 0), output=decode.count(told.eval_count), cache_read=cached),
                duration_ms=spent // _NS_PER_MS if type(spent) is int and 0 <= spent < 2**61 else None,
            )
        ]
