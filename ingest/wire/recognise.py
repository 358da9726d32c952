"""What kind of reply a request will get: by its path, and by what the reply says of itself.

Decides which requests are read at all. Never asks for the provider's name: one provider speaks several formats, and a format is spoken by
many. Not counted by rule: embeddings, images, audio, counting of tokens, batches.
"""

from enum import Enum

from ingest.wire import sse
from ingest.wire.anthropic import Messages
from ingest.wire.gemini import Generated, Interaction
from ingest.wire.ollama import Generation
from ingest.wire.openai_chat import Chat
from ingest.wire.openai_responses import Responses
from ingest.wire.reply import Format

Framing = sse.Events | sse.Lines | sse.Whole


class Kind(Enum):
    """Formats of replies, and why there is none."""

    ANTHROPIC = "anthropic"
    CHAT = "chat"
    RESPONSES = "responses"
    GEMINI = "gemini"
    INTERACTIONS = "interactions"
    OLLAMA = "ollama"
    NOT_COUNTED = "not_counted"
    """Understood, and no model call that is counted."""
    UNKNOWN = "unknown"


_FORMATS: dict[Kind, type[Format]] = {
    Kind.ANTHROPIC: Messages,
    Kind.CHAT: Chat,
    Kind.RESPONSES: Responses,
    Kind.GEMINI: Generated,
    Kind.INTERACTIONS: Interaction,
    Kind.OLLAMA: Generation,
}
_ENDINGS = (
    ("/v1/messages", Kind.ANTHROPIC),
    ("/messages", Kind.ANTHROPIC),
    ("/chat/completions", Kind.CHAT),
    ("/text/chatcompletion_v2", Kind.CHAT),
    ("/completions", Kind.CHAT),
    ("/responses", Kind.RESPONSES),
    ("/responses/compact", Kind.RESPONSES),
    (":generateContent", Kind.GEMINI),
    (":streamGenerateContent", Kind.GEMINI),
    ("/interactions", Kind.INTERACTIONS),
    ("/api/chat", Kind.OLLAMA),
    ("/api/generate", Kind.OLLAMA),
)
_NOT_COUNTED = ("embed", "/images", "/audio", "/count_tokens", ":countTokens", "/batches", "/moderations", "/rerank", "/files", "/tokenize")
LINES = ("application/x-ndjson", "application/jsonl", "application/x-jsonlines")


def kind_of(method: str, path: str) -> Kind:
    """What a request asks for; `path` is without its query. Only POST makes a call."""
    if method != "POST" or any(part in path for part in _NOT_COUNTED):
        return Kind.NOT_COUNTED if method in ("GET", "HEAD", "POST", "DELETE", "OPTIONS") else Kind.UNKNOWN
    bare = path.rstrip("/")
    return next((kind for ending, kind in _ENDINGS if bare.endswith(ending)), Kind.UNKNOWN)


def format_of(kind: Kind) -> Format | None:
    """A reader for one reply of this kind; None where nothing is read."""
    made = _FORMATS.get(kind)
    return None if made is None else made()


def framing_of(content_type: str) -> Framing | None:
    """How a body of this type divides into records; None where it is no text of records."""
    bare = content_type.partition(";")[0].strip().lower()
    if bare == "text/event-stream":
        return sse.Events()
    if bare in LINES:
        return sse.Lines()
    return sse.Whole() if bare == "application/json" or bare.endswith("+json") else None
