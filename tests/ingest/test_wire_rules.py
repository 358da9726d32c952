"""What counts of a reply in the other formats, and what is common to all of them: each rule by a reply made for it."""

import gzip
import json
import random
import tracemalloc
from typing import Any

import pytest
import zstandard

from ingest.wire import body
from ingest.wire.caller import agent_of, session_of
from ingest.wire.capture import Capture, Head
from ingest.wire.event import Ending, event_of
from ingest.wire.recognise import Kind, kind_of
from ingest.wire.reply import Reply
from ingest.wire.sse import RECORD_BYTES
from pipeline.events import Rejected, Seen, Tokens, UsageEvent
from tests.ingest.wired import AT, JSON, SSE, chunk, counts, delta, exchange, fed, one, sse, start

A, C, R, G, OLLAMA = Kind.ANTHROPIC, Kind.CHAT, Kind.RESPONSES, Kind.GEMINI, Kind.OLLAMA


# Responses, Gemini, Ollama


@pytest.mark.parametrize(("end", "status"), [("completed", "ok"), ("incomplete", "ok"), ("failed", "error")])
def test_usage_is_read_at_each_end_of_a_response(end: str, status: str) -> None:
    """A response that was cut short or failed has used what it says."""
    usage = {"input_tokens": 50, "input_tokens_details": {"cached_tokens": 20}, "output_tokens": 9, "total_tokens": 59}
    told = {"type": f"response.{end}", "response": {"id": "resp_1", "model": "m", "status": end, "usage": usage}}
    event = one(fed(R, [sse([{"type": "response.created", "response": {"usage": None}}, told])]))

    assert (event.tokens.input, event.tokens.cache_read, event.tokens.output, event.status) == (30, 20, 9, status)


def test_a_compaction_is_a_task() -> None:
    """The pass that compacts a thread is a call of its own, not the user's."""
    told = {"object": "response.compaction", "id": "resp_1", "usage": {"input_tokens": 50, "output_tokens": 9}}

    assert one(fed(R, [json.dumps(told).encode()], type=JSON)).initiator == "task"


def test_a_response_s_own_tier_id_and_cache_are_kept() -> None:
    """What was served and what was written to the cache stand in the last event; a gateway's other ids before it mean nothing."""
    details = {"cached_tokens": 20, "cache_write_tokens": 10}
    usage = {"input_tokens": 50, "input_tokens_details": details, "output_tokens": 9, "output_tokens_details": {"reasoning_tokens": 4}}
    begun = {"type": "response.created", "response": {"id": "resp_first", "service_tier": "auto", "usage": None}}
    ended = {"type": "response.completed", "response": {"id": "resp_last", "model": "m", "service_tier": "flex", "usage": usage}}
    event = one(fed(R, [sse([begun, ended])]))

    assert (event.tokens.input, event.tokens.cache_read, event.tokens.cache_write_5m, event.tokens.output) == (20, 20, 10, 9)
    assert (event.message_id, event.tier, event.reasoning) == ("resp_last", "flex", 4)


def test_an_error_before_a_failed_response_is_the_same_failure() -> None:
    """An error and the failed response after it are one call."""
    failed = {"type": "response.failed", "response": {"id": "resp_1", "status": "failed", "usage": {"input_tokens": 5, "output_tokens": 1}}}

    assert one(fed(R, [sse([{"type": "error", "code": "server_error"}, failed])])).status == "error"


def test_geminis_running_values_are_not_added() -> None:
    """Every chunk repeats what was used so far; a field that the last one leaves out stays."""
    first = {"usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 4, "thoughtsTokenCount": 2}, "responseId": "r"}
    last = {"usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 7}, "modelVersion": "gemini-3"}

    assert counts(fed(G, [sse([first, last])])) == [("gemini-3", 9, 9, 0, 0, 0, 2)]


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_gemini_stream_may_be_an_array(wrapped: bool) -> None:
    """Without `alt=sse` the chunks are one array; Code Assist wraps each."""
    told: dict[str, Any] = {
        "usageMetadata": {"promptTokenCount": 9, "cachedContentTokenCount": 5, "toolUsePromptTokenCount": 3, "candidatesTokenCount": 4}
    }
    said = [{"response": told} if wrapped else told] * 2

    assert counts(fed(G, [json.dumps(said).encode()], type=JSON)) == [(None, 7, 4, 5, 0, 0, None)]


def test_gemini_s_tier_and_errors_are_kept_and_its_live_name_of_the_output_is_read() -> None:
    """`responseTokenCount` stands for the candidates' count in live replies; an error after usage is a failed call that counts."""
    told = {"usageMetadata": {"promptTokenCount": 9, "responseTokenCount": 4, "serviceTier": "flex"}, "responseId": "r"}
    event = one(fed(G, [sse([told, {"error": {"code": 503}}])]))

    assert (event.tokens.output, event.tier, event.status) == (4, "flex", "error")


@pytest.mark.parametrize(("status", "known"), [("completed", "ok"), ("failed", "error")])
def test_an_interaction_tells_its_parts_apart(status: str, known: str) -> None:
    """30 in, of them 10 from the cache, 5 more by tools; 7 written and 3 thought: 25 uncached and 10 out."""
    usage = {
        "total_input_tokens": 30,
        "total_cached_tokens": 10,
        "total_tool_use_tokens": 5,
        "total_output_tokens": 7,
        "total_thought_tokens": 3,
        "total_tokens": 45,
    }
    told = {"id": "v1_interaction", "model": "gemini-3", "status": status, "service_tier": "priority", "usage": usage}
    streamed = one(fed(Kind.INTERACTIONS, [sse([{"event_type": "interaction.completed", "interaction": told}])]))
    whole = one(fed(Kind.INTERACTIONS, [json.dumps({"object": "interaction", **told}).encode()], type=JSON))

    assert counts([streamed, whole]) == [("gemini-3", 25, 10, 10, 0, 0, 3)] * 2
    assert [(event.status, event.message_id, event.tier) for event in (streamed, whole)] == [(known, "v1_interaction", "priority")] * 2


def test_a_prompt_that_was_blocked_has_been_used() -> None:
    """A blocked prompt is a call without output."""
    told = {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 9}}

    assert counts(fed(G, [json.dumps(told).encode()], type=JSON)) == [(None, 9, 0, 0, 0, 0, None)]


def test_ollamas_last_line_is_the_call() -> None:
    """Only the record that says `done` counts; nanoseconds become milliseconds."""
    lines = [
        {"model": "llama3", "message": {"content": "x"}, "done": False},
        {"model": "llama3", "done": True, "done_reason": "stop", "prompt_eval_count": 26, "eval_count": 9, "total_duration": 4_883_583_458},
    ]
    event = one(fed(OLLAMA, [b"\n".join(json.dumps(line).encode() for line in lines) + b"\n"], type="application/x-ndjson"))

    assert (event.model, event.tokens.input, event.tokens.output, event.duration_ms, event.logged_cost_usd) == ("llama3", 26, 9, 4883, None)


def test_ollamas_cached_prompt_lies_inside_the_prompt() -> None:
    """Newer builds say how much of the prompt was still known."""
    told = {"model": "llama3", "done": True, "prompt_eval_count": 26, "prompt_eval_cached_count": 20, "eval_count": 9}

    assert counts(fed(OLLAMA, [json.dumps(told).encode()], type=JSON)) == [("llama3", 6, 9, 20, 0, 0, None)]


def test_an_ollama_stream_that_was_cut_is_no_call() -> None:
    """Without the last record nothing says what was used."""
    said = b'{"model":"llama3","message":{"content":"x"},"done":false}\n'

    assert fed(OLLAMA, [said], type="application/x-ndjson", ended="aborted") == [Seen(what="aborted_before_usage")]


@pytest.mark.parametrize("reason", ["load", "unload"])
def test_loading_a_model_is_no_call(reason: str) -> None:
    """Ollama answers to loading and unloading as to a call."""
    told = {"model": "llama3", "done": True, "done_reason": reason}

    assert fed(OLLAMA, [json.dumps(told).encode()], type=JSON) == [Seen(what="no_usage")]


# What is not counted


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/v1/messages", A),
        ("/anthropic/v1/messages", A),
        ("/v1/chat/completions", C),
        ("/api/v1/chat/completions", C),
        ("/api/paas/v4/chat/completions", C),
        ("/v1/text/chatcompletion_v2", C),
        ("/v1/responses", R),
        ("/backend-api/codex/responses", R),
        ("/v1/responses/compact", R),
        ("/v1beta/models/gemini-3-pro:streamGenerateContent", G),
        ("/v1internal:generateContent", G),
        ("/v1beta/interactions", Kind.INTERACTIONS),
        ("/api/chat", OLLAMA),
        ("/v1/messages/count_tokens", Kind.NOT_COUNTED),
        ("/v1/messages/batches", Kind.NOT_COUNTED),
        ("/v1/embeddings", Kind.NOT_COUNTED),
        ("/v1beta/models/gemini-embedding-001:embedContent", Kind.NOT_COUNTED),
        ("/v1/images/generations", Kind.NOT_COUNTED),
        ("/v1/audio/transcriptions", Kind.NOT_COUNTED),
        ("/v1/something/new", Kind.UNKNOWN),
    ],
)
def test_the_path_tells_the_format(path: str, kind: Kind) -> None:
    """The format follows from the path alone, whoever the provider is."""
    assert kind_of("POST", path) is kind


def test_only_a_post_makes_a_call() -> None:
    """Asking again for a reply that was made before is no call."""
    assert kind_of("GET", "/v1/responses") is Kind.NOT_COUNTED


_FAILURE = {"type": "message", "id": "msg_failed", "model": "m", "usage": {"input_tokens": 5, "output_tokens": 7}}


@pytest.mark.parametrize("status", [400, 429, 500, 502, 529])
@pytest.mark.parametrize("coding", ["", "gzip"])
def test_a_failure_that_tells_its_usage_is_a_call(status: int, coding: str) -> None:
    """A failed reply with a usage block was billed: it counts, as an error. So does a stream of one."""
    whole = json.dumps(_FAILURE).encode()
    streamed = sse([{"type": "message_start", "message": {**_FAILURE, "usage": {"input_tokens": 5}}}, delta(output_tokens=7)])

    for said, type in ((whole, JSON), (streamed, SSE)):
        packed = gzip.compress(said) if coding else said
        (call,) = fed(A, [packed], type=type, coding=coding, status=status)

        assert isinstance(call, UsageEvent)
        assert (call.tokens.input, call.tokens.output, call.status) == (5, 7, "error")


@pytest.mark.parametrize("status", [301, 400, 401, 429, 500, 529])
@pytest.mark.parametrize(
    ("said", "type"),
    [
        (b'{"type":"error","error":{"type":"overloaded_error","message":"usage: too much"}}', JSON),
        (b'{"error": {"message": "You exceeded your usage', JSON),
        (b"<html>usage</html>", "text/html"),
        (b"", ""),
    ],
)
def test_a_failure_without_usage_is_no_call(status: int, said: bytes, type: str) -> None:
    """A reply that failed before it told any usage is counted by name, whatever else it says."""
    assert fed(A, [said], type=type, status=status) == [Seen(what="failed_before_usage")]


_FAKE: dict[str, Any] = {"input_tokens": 999, "output_tokens": 999, "prompt_tokens": 999, "completion_tokens": 999, "total_tokens": 1998}
_TEXTS = [
    json.dumps({"usage": _FAKE}),
    json.dumps(delta(**_FAKE)),
    "data: " + json.dumps(delta(**_FAKE)) + "\n\n",
    "\r\n\r\ndata: " + json.dumps(chunk(usage=_FAKE)) + "\r\n\r\n",
    "event: message_delta\ndata: " + json.dumps(delta(**_FAKE)) + "\n\ndata: [DONE]\n\n",
    '"},"usage":' + json.dumps(_FAKE) + ',"x":{"y":"',
    "\u2028data: " + json.dumps({"type": "response.completed", "response": {"usage": _FAKE}}) + "\u2028",
    json.dumps({"type": "message_start", "message": {"id": "msg_x", "usage": _FAKE}}),
    json.dumps({"done": True, "prompt_eval_count": 999, "eval_count": 999}),
    json.dumps({"usageMetadata": {"promptTokenCount": 999, "candidatesTokenCount": 999}}),
]


def _places(fake: Any) -> list[tuple[Kind, list[Any], str]]:
    """Content that a model or a tool may fill as it likes, in each format."""
    first, last = start(input_tokens=1, output_tokens=1), delta(output_tokens=2)
    chat_end = chunk(usage={"prompt_tokens": 1, "completion_tokens": 2})
    inside: list[tuple[Kind, list[Any], str]] = [
        (A, [{"type": "content_block_delta", "delta": {"type": "text_delta", "text": fake}}], SSE),
        (A, [{"type": "content_block_delta", "delta": {"type": "input_json_delta", "partial_json": fake, "usage": _FAKE}}], SSE),
        (
            A,
            [
                {
                    "type": "content_block_start",
                    "content_block": {"type": "tool_use", "input": {"text": fake, "usage": _FAKE}},
                    "usage": _FAKE,
                }
            ],
            SSE,
        ),
        (
            A,
            [
                {
                    "type": "content_block_start",
                    "content_block": {"type": "web_search_tool_result", "content": [{"usage": _FAKE, "text": fake}]},
                }
            ],
            SSE,
        ),
        (C, [chunk(choices=[{"delta": {"content": fake, "usage": _FAKE}}]), chat_end], SSE),
        (C, [chunk(choices=[{"delta": {"tool_calls": [{"function": {"arguments": fake}, "usage": _FAKE}]}}]), chat_end], SSE),
        (R, [{"type": "response.output_text.delta", "delta": fake, "usage": _FAKE, "response": {"usage": _FAKE}}], SSE),
        (R, [{"type": "response.output_item.done", "item": {"arguments": fake, "usage": _FAKE}}], SSE),
        (
            G,
            [
                {
                    "candidates": [
                        {"content": {"parts": [{"text": fake}, {"functionCall": {"args": {"usageMetadata": {"promptTokenCount": 9}}}}]}}
                    ]
                }
            ],
            SSE,
        ),
        (
            OLLAMA,
            [{"message": {"content": fake, "prompt_eval_count": 99}, "done": False, "prompt_eval_count": 99, "eval_count": 99}],
            "application/x-ndjson",
        ),
    ]
    return [(kind, [first, *said, last] if kind is A else said, type) for kind, said, type in inside]


@pytest.mark.parametrize("text", range(len(_TEXTS)))
@pytest.mark.parametrize("place", range(10))
def test_usage_inside_of_content_is_text(place: int, text: int) -> None:
    """What a model, a tool or a page writes into a reply is never usage, whatever it looks like."""
    kind, said, type = _places(_TEXTS[text])[place]
    stream = sse(said) if type == SSE else b"".join(json.dumps(each).encode() + b"\n" for each in said)

    told = counts(fed(kind, [stream], type=type))

    assert told == {A: [("claude-sonnet-5", 1, 2, 0, 0, 0, None)], C: [("m", 1, 2, 0, 0, 0, None)]}.get(kind, [])


# What cannot be read


@pytest.mark.parametrize("bad", [-1, 2**41, "5", True, 1.5])
def test_a_number_that_cannot_be_believed_is_rejected(bad: object) -> None:
    """A reply whose counters are none is no call, and is told of."""
    (event,) = fed(C, [sse([chunk(usage={"prompt_tokens": bad, "completion_tokens": 5})])])

    assert isinstance(event, Rejected)


def test_words_between_the_records_harm_nothing() -> None:
    """A provider's remarks that are no JSON are passed over."""
    assert len(counts(fed(C, [b"data: hello\n\n", sse([chunk(usage={"prompt_tokens": 1, "completion_tokens": 1})])]))) == 1


def test_a_damaged_text_does_not_cost_the_usage_beside_it() -> None:
    """Half a surrogate in a text makes a record no proper JSON; its usage is read all the same."""
    record = b'{"id":"c1","model":"m","choices":[],"note":"\\ud800","usage":{"prompt_tokens":1,"completion_tokens":1}}'

    assert len(counts(fed(C, [b"data: " + record + b"\n\n"]))) == 1


def test_a_coding_that_is_not_understood_is_counted() -> None:
    """A reply in Brotli passes, and is told of."""
    assert fed(A, [b"\x8b\x00"], coding="br") == [Seen(what="uncaptured_coding")]
    assert fed(A, [b"not gzip at all"], coding="gzip") == [Seen(what="uncaptured_unreadable")]


def test_too_much_is_not_read() -> None:
    """A record of more than 16 MiB is given up, and so is a body that blows up."""
    huge = b"data: " + b"x" * (RECORD_BYTES + 1)
    bomb = zstandard.ZstdCompressor().compress(bytes(body.BODY_BYTES + (1 << 20)))

    assert fed(A, [huge]) == [Seen(what="uncaptured_too_long")]
    assert fed(A, [bomb], coding="zstd") == [Seen(what="uncaptured_too_long")]


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_what_blows_up_is_not_held(coding: str) -> None:
    """A few KiB that become 100 MiB are given up at the bound of a record: hardly more than that is ever held of them."""
    bomb = {"gzip": gzip.compress, "zstd": zstandard.ZstdCompressor().compress}[coding](b"data: " + bytes(100 << 20))

    tracemalloc.start()
    try:
        assert fed(A, [bomb], coding=coding) == [Seen(what="uncaptured_too_long")]
        assert tracemalloc.get_traced_memory()[1] < 2 * RECORD_BYTES
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("pieces", [1, 7])
def test_what_came_before_some_damage_counts(pieces: int) -> None:
    """A compressed stream that is damaged later on has told its usage before, in whatever pieces it comes."""
    noise = random.Random(5).randbytes(20_000).hex()
    packed = bytearray(gzip.compress(sse([start(input_tokens=10, output_tokens=1), {"type": "ping", "noise": noise}]), mtime=0))
    packed[15_000] ^= 0xFF
    packed[15_001:15_040] = bytes(39)
    step = len(packed) // pieces + 1

    (event,) = fed(A, [bytes(packed[at : at + step]) for at in range(0, len(packed), step)], coding="gzip", ended="error")

    assert isinstance(event, UsageEvent)
    assert (event.tokens.input, event.tokens.output, event.status) == (10, 1, "error")


def test_an_event_of_ten_megabytes_is_read() -> None:
    """A long event is an event."""
    said = [{"type": "content_block_delta", "delta": {"text": "x" * (10 << 20)}}]
    stream = sse([start(input_tokens=1, output_tokens=1), *said, delta(output_tokens=3)])

    assert counts(fed(A, [stream])) == [("claude-sonnet-5", 1, 3, 0, 0, 0, None)]


def test_what_is_not_read_costs_nothing() -> None:
    """A reply that will not be read need not be fed."""
    assert not Capture(Kind.NOT_COUNTED, Head(status=200, content_type=JSON)).reads
    assert Capture(A, Head(status=200, content_type=JSON)).reads


def test_only_codings_that_are_understood_are_asked_for() -> None:
    """Brotli is taken out of what a client accepts, with its weight; the others stay as they are."""
    assert body.understood("gzip, deflate, br, zstd") == "gzip, deflate, zstd"
    assert body.understood("br;q=1.0, gzip;q=0.8, *;q=0.1") == "gzip;q=0.8"
    assert body.understood("br") == "identity"


# Identity


def test_short_names_are_no_identity() -> None:
    """A small server draws its ids from a few hundred: two calls that share one are two."""
    reply = Reply(model="m", tokens=Tokens(input=1), id="chatcmpl-123")
    ending = Ending(at=AT, duration_ms=5)

    assert event_of(exchange(C, name="x1"), ending, reply).key != event_of(exchange(C, name="x2"), ending, reply).key


def test_what_a_reply_leaves_out_its_exchange_tells() -> None:
    """The model that was asked for stands where a reply names none, our own time where the provider took none; a part of a reply has
    no time of its own."""
    asked, ending = exchange(C, model_asked="asked", request_id="req_1"), Ending(at=AT, duration_ms=7)
    silent, telling, part = (
        event_of(asked, ending, Reply(model=model, tokens=Tokens(input=1), id="chatcmpl-8e243c57-23b3", duration_ms=spent, part=part))
        for model, spent, part in ((None, None, ""), ("served", 5, ""), ("served", 5, "model0"))
    )

    assert [event.model for event in (silent, telling, part)] == ["asked", "served", "served"]
    assert [event.duration_ms for event in (silent, telling, part)] == [7, 5, None]
    assert len({silent.key, part.key}) == 2


def test_a_request_s_id_is_kept_where_agents_write_it_down_too() -> None:
    """Anthropic's request ids stand in transcripts; others' headers of that name mean a gateway's own numbers."""
    reply, ending = Reply(model="m", tokens=Tokens(input=1), id="msg_1"), Ending(at=AT, duration_ms=7)

    assert [event_of(exchange(kind, request_id="req_1"), ending, reply).request_id for kind in (A, C, R)] == ["req_1", None, None]


def test_a_name_of_the_providers_is_the_identity() -> None:
    """The same reply seen twice is one call."""
    reply = Reply(model="m", tokens=Tokens(input=1), id="chatcmpl-8e243c57-23b3-9db2-a02e-e3c53929c368")
    ending = Ending(at=AT, duration_ms=5)

    assert event_of(exchange(C, name="x1"), ending, reply).key == event_of(exchange(C, name="x2"), ending, reply).key


# Who asks


@pytest.mark.parametrize(
    ("said", "agent"),
    [
        ("claude-cli/2.1.30 (external, cli)", ("claude", "2.1.30")),
        ("codex_cli_rs/0.146.0 (Mac OS 26.1.0; arm64)", ("codex", "0.146.0")),
        ("opencode/1.2.3 ai-sdk/5", ("opencode", "1.2.3")),
        ("curl/8.5.0", ("unknown", None)),
        ("", ("unknown", None)),
    ],
)
def test_the_user_agent_tells_the_agent(said: str, agent: tuple[str, str | None]) -> None:
    """Agents name themselves in each request."""
    assert agent_of(said) == agent


def test_a_session_is_what_an_agent_names_so() -> None:
    """A session stands in one of the agents' own headers; nonsense in there is none."""
    assert session_of({"x-claude-code-session-id": "s-1"}) == "s-1"
    assert session_of({"session_id": "x" * 1000}) is None
