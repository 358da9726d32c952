"""Recorded replies of real providers, whose totals are known."""

import json
import zlib
from collections.abc import Callable

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.wire.recognise import Kind
from pipeline.events import Seen, UsageEvent
from tests.ingest.wired import JSON, RECORDED, counts, fed, pieces_of, records, sse
from tests.sizes import times

pytestmark = pytest.mark.skipif(not RECORDED.is_dir(), reason="the recordings are not here")

A, C, R, G, INTERACTIONS = Kind.ANTHROPIC, Kind.CHAT, Kind.RESPONSES, Kind.GEMINI, Kind.INTERACTIONS

# (model, input, output, cache read, written for 5 m, for 1 h, reasoning)
KNOWN: dict[str, tuple[Kind, list[tuple[str | None, int, int, int, int, int, int | None]]]] = {
    "anthropic/anthropic-text": (A, [("claude-sonnet-4-5-20250929", 12, 30, 0, 0, 0, None)]),
    "anthropic/anthropic-message-delta-input-tokens": (A, [("claude-opus-4-5-20251101", 61, 2, 0, 0, 0, None)]),
    "anthropic/anthropic-compaction.1": (
        A,
        [("claude-opus-4-6", 612, 2819, 0, 0, 0, None), ("claude-opus-4-6", 60385, 522, 0, 0, 0, None)],
    ),
    "anthropic/anthropic-advisor-20250301.1": (
        A,
        [("claude-sonnet-4-6", 4727, 3391, 0, 0, 0, None), ("claude-opus-4-7", 2728, 3880, 0, 0, 0, None)],
    ),
    "anthropic/anthropic-fallback": (A, [("claude-opus-4-8", 412, 264, 0, 0, 0, None)]),
    "anthropic/duplicate-message-start": (A, [("claude-3-haiku-20240307", 17, 227, 0, 0, 0, None)]),
    "anthropic/anthropic-web-fetch-tool.1": (A, [("claude-sonnet-4-20250514", 4230, 446, 0, 0, 0, None)]),
    "openai/chat-azure-model-router.1": (C, [("gpt-5-nano-2025-08-07", 15, 78, 0, 0, 0, 64)]),
    "groq/groq-tool-call": (C, [("llama-3.3-70b-versatile", 210, 15, 0, 0, 0, None)]),
    "deepseek/deepseek-tool-call": (C, [("deepseek-reasoner", 19, 83, 320, 0, 0, 39)]),
    "xai/xai-text": (C, [("grok-3-mini", 1, 342, 11, 0, 0, 340)]),
    "mistral/mistral-text": (C, [("mistral-small-latest", 13, 8, 0, 0, 0, None)]),
    "moonshotai/moonshotai-stream": (C, [("kimi-k3", 9, 12, 0, 0, 0, 7)]),
    "alibaba/alibaba-tool-call": (C, [("qwen3-max", 295, 22, 0, 0, 0, None)]),
    "openai/responses-openai-phase.1": (R, [("gpt-5.3-codex", 4040, 463, 3072, 0, 0, 64)]),
    "openai/responses-github-copilot-id-rotation.1": (R, [("gpt-5.3-codex", 19, 105, 0, 0, 0, 44)]),
    "openai/responses-openai-error.1": (R, []),
    "google/google-reasoning-gemini3": (G, [("gemini-3-pro-preview", 9, 325, 0, 0, 0, 302)]),
    "google/google-tool-call": (G, [("gemini-3-pro-preview", 29, 60, 0, 0, 0, 45)]),
    "google/interactions-basic": (INTERACTIONS, [("gemini-2.5-flash", 7, 141, 0, 0, 0, 115)]),
}
WHOLE = {
    "anthropic/anthropic-refusal": (A, [("claude-fable-5", 18, 5, 0, 0, 0, None)]),
    "anthropic/anthropic-web-fetch-tool.error": (A, [("claude-sonnet-4-20250514", 1902, 214, 0, 0, 0, None)]),
    "anthropic/anthropic-claude-opus-5-reasoning-high.1": (A, [("claude-opus-5", 51, 1699, 0, 0, 0, 139)]),
    "openai/chat-openai-text": (C, [("gpt-4.1-nano-2025-04-14", 16, 363, 0, 0, 0, 0)]),
    "groq/groq-reasoning": (C, [("qwen/qwen3-32b", 17, 649, 0, 0, 0, 570)]),
}


def body_of(name: str) -> bytes:
    """A recording as the stream that it was."""
    return sse(records(f"{name}.chunks.jsonl"), done=KNOWN[name][0] is C)


def short(name: str) -> bytes:
    """The same without most of the records that tell no usage."""
    kept = records(f"{name}.chunks.jsonl")
    told = [text for at, text in enumerate(kept) if at in (0, 1) or at >= len(kept) - 2 or "fallback" in text]
    return sse(told, done=KNOWN[name][0] is C)


@pytest.mark.parametrize("name", KNOWN)
def test_a_recorded_stream_gives_its_known_total(name: str) -> None:
    """A recorded stream proves exactly the calls that it is known to hold."""
    kind, known = KNOWN[name]

    assert counts(fed(kind, [body_of(name)])) == known


@pytest.mark.parametrize("name", WHOLE)
def test_a_recorded_body_gives_its_known_total(name: str) -> None:
    """A recorded reply that was not streamed proves exactly its call."""
    kind, known = WHOLE[name]

    assert counts(fed(kind, [(RECORDED / f"{name}.json").read_bytes()], type=JSON)) == known


@pytest.mark.parametrize("name", KNOWN)
def test_no_cut_changes_what_a_stream_proves(name: str) -> None:
    """At whatever byte a stream is cut in two, it proves the same."""
    kind, known = KNOWN[name]
    body = short(name)

    wrong = [cut for cut in range(len(body) + 1) if counts(fed(kind, (body[:cut], body[cut:]))) != known]

    assert wrong == []


def deflated(body: bytes) -> bytes:
    """As `deflate` is meant."""
    return zlib.compress(body)


def raw_deflated(body: bytes) -> bytes:
    """As some send `deflate`."""
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(body) + packer.flush()


def gzipped(body: bytes) -> bytes:
    """As gzip, in two members."""
    half = len(body) // 2
    packers = (zlib.compressobj(wbits=31), zlib.compressobj(wbits=31))
    return b"".join(packer.compress(part) + packer.flush() for packer, part in zip(packers, (body[:half], body[half:]), strict=True))


CODINGS: dict[str, list[Callable[[bytes], bytes]]] = {
    "": [bytes],
    "gzip": [gzipped],
    "deflate": [deflated, raw_deflated],
    "zstd": [zstandard.ZstdCompressor().compress],
}


@settings(max_examples=times(150), deadline=None)
@given(
    name=st.sampled_from(sorted(KNOWN)),
    coding=st.sampled_from(sorted(CODINGS)),
    which=st.integers(0, 1),
    ends=st.sampled_from((b"\n", b"\r\n", b"\r")),
    bom=st.booleans(),
    cuts=st.lists(st.integers(0, 1 << 20), max_size=40),
)
def test_pieces_codings_and_line_ends_change_nothing(name: str, coding: str, which: int, ends: bytes, bom: bool, cuts: list[int]) -> None:
    """Any pieces, any coding, any line ends and a byte-order mark: the calls are the same."""
    kind, known = KNOWN[name]
    body = (b"\xef\xbb\xbf" if bom else b"") + short(name).replace(b"\n", ends)
    packed = CODINGS[coding][which % len(CODINGS[coding])](body)

    assert counts(fed(kind, pieces_of(packed, cuts), coding=coding)) == known


def test_what_xai_states_is_the_cost() -> None:
    """A cost in ticks is what the provider stated, in dollars."""
    (call,) = fed(C, [body_of("xai/xai-text")])

    assert isinstance(call, UsageEvent)
    assert (str(call.logged_cost_usd), call.logged_cost_basis) == ("0.000172125", "provider")


def test_a_failure_without_usage_is_no_call() -> None:
    """A reply that failed before any usage came is counted by name, and is no call."""
    assert fed(R, [body_of("openai/responses-openai-error.1")]) == [Seen(what="no_usage")]
    assert fed(G, [(RECORDED / "google/google-429-retry-info.json").read_bytes()], type=JSON, status=429) == [
        Seen(what="failed_before_usage")
    ]


def test_totals_agree_with_another_reader_of_the_same_bodies() -> None:
    """For recorded bodies that another project reads too, the prompt and the output add up to what it finds."""
    compared = 0
    for case in json.loads((RECORDED / "genai-prices/usages.subset.json").read_text()):
        body = case["body"]
        usage = body.get("usage") or body.get("usageMetadata") or {}
        found = case["extracted"][0]["usage"] if case["extracted"] else {}
        if "prompt_tokens" in usage:
            kind = C
        elif "promptTokenCount" in usage:
            kind = G
        elif "total_tokens" in usage and "input_tokens" in usage:
            kind, body = R, {**body, "object": "response"}
        elif "cache_read_input_tokens" in usage:
            kind, body = A, {**body, "type": "message", "id": "msg_1"}
        else:
            continue
        calls = counts(fed(kind, [json.dumps(body).encode()], type=JSON))
        if "input_tokens" not in found or "output_tokens" not in found:
            continue
        _, fresh, output, read, short_lived, long_lived, _ = calls[0]
        compared += 1
        assert (fresh + read + short_lived + long_lived, output) == (found["input_tokens"], found["output_tokens"]), case

    assert compared > 60
